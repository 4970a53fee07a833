//! HTTP functions that are not forwarded, because host.json does not ask for it or because they have other outputs:
//! an invocation with the request in it, and an answer with the response in its outputs.

use bytes::Bytes;

use super::answer::Answer;
use super::envelope::{self, Metadata, nested};
use super::functions::{Function, OutputKind};
use super::headers::{Folded, fold_request};
use super::heads::{RequestHead, content_length, field};
use super::invoker::Invoker;
use super::ordered::Json;
use super::response::Response;
use super::routes::Parameters;
use super::uri::parse_query;
use super::wire::{Body, Wire};

pub async fn invoke(
    invoker: &Invoker,
    function: &Function,
    request: &RequestHead,
    parameters: &Parameters,
    client: &mut Wire,
    body: &mut Body,
) -> Response {
    let complain = |what: &str| invoker.voice.complain(&format!("function '{}' {what}", function.name));
    let Ok(content) = client.read_all(*body).await else { return Response { cut: true, ..Response::failure() } };
    *body = Body::Done;
    let envelope = envelope(function, request, parameters, &content);
    match invoker.invoke(function, &envelope).await {
        Ok(answer) => response(function, answer).unwrap_or_else(|| {
            complain("answered without its HTTP output. The client gets an empty 500");
            Response::failure()
        }),
        Err(why) => {
            complain(&format!("{why}. The client gets an empty 500"));
            Response::failure()
        }
    }
}

fn envelope(function: &Function, request: &RequestHead, parameters: &Parameters, content: &[u8]) -> Vec<u8> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let host = text(field(&request.fields, "host").unwrap_or_default());
    let target = text(&request.target);
    let query = parse_query(target.split_once('?').map_or("", |(_, query)| query));
    // Content-Length is the last field that the web server knows; it comes before those that it does not.
    let fields: Vec<Folded<'_>> = fold_request(&request.fields);
    let strings = |pairs: Vec<(String, String)>| {
        Json::Object(pairs.into_iter().map(|(name, value)| (name, Json::Text(value))).collect())
    };
    let lists = fields.iter().map(|field| {
        let values = field.values.iter().map(|value| Json::Text(text(value))).collect();
        (text(&field.name), Json::List(values))
    });
    let mut data = vec![
        ("Url".to_owned(), Json::Text(format!("http://{host}{target}"))),
        ("Method".to_owned(), Json::Text(text(&request.method))),
        ("Query".to_owned(), strings(query.iter().map(|(name, values)| (name.clone(), values.join(","))).collect())),
        ("Headers".to_owned(), Json::Object(lists.collect())),
        ("Params".to_owned(), strings(parameters.clone())),
        ("Identities".to_owned(), Json::List(vec![nobody()])),
    ];
    if content_length(&request.fields).ok().flatten().is_some_and(|length| length > 0) || !content.is_empty() {
        data.push(("Body".to_owned(), Json::Text(text(content))));
    }
    let last = |values: &[String]| values.last().cloned().unwrap_or_default();
    let mut metadata = Metadata::new();
    metadata.merge(&text(content));
    for (name, values) in &query {
        metadata.put(name, nested(&last(values)));
    }
    for (name, value) in parameters {
        metadata.put(name, nested(value));
    }
    metadata.put("Query", strings(query.iter().map(|(name, values)| (name.clone(), last(values))).collect()));
    let joined = fields.iter().map(|field| (text(&field.name), text(&field.values.join(&b","[..]))));
    metadata.put("Headers", strings(joined.collect()));
    metadata.put("sys", envelope::system(&function.name));
    envelope::write(&function.binding, Json::Object(data), metadata)
}

/// The identity of a caller whom nobody has authenticated.
fn nobody() -> Json {
    Json::object([
        ("AuthenticationType", Json::Null),
        ("IsAuthenticated", false.into()),
        ("Actor", Json::Null),
        ("BootstrapContext", Json::Null),
        ("Claims", Json::List(Vec::new())),
        ("Label", Json::Null),
        ("Name", Json::Null),
        ("NameClaimType", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name".into()),
        ("RoleClaimType", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role".into()),
    ])
}

/// None without an HTTP output.
fn response(function: &Function, answer: Answer) -> Option<Response> {
    function.outputs.iter().find(|output| output.kind == OutputKind::Http)?;
    let output = answer.http?;
    let mut status = 200;
    let mut fields: Vec<(Bytes, Bytes)> = Vec::new();
    let body = match &output {
        Json::Object(_) if ["statusCode", "status", "body", "headers"].iter().any(|key| output.get(key).is_some()) => {
            let code = output.get("statusCode").or_else(|| output.get("status")).map(Json::to_string);
            if let Some(code) = code.and_then(|code| code.trim_matches('"').parse().ok()) {
                status = code;
            }
            if let Some(Json::Object(given)) = output.get("headers") {
                fields.extend(given.iter().map(|(name, value)| {
                    let value = value.as_text().map_or_else(|| value.to_string(), str::to_owned);
                    (Bytes::from(name.clone()), Bytes::from(value))
                }));
            }
            output.get("body").cloned().unwrap_or(Json::Null)
        }
        other => other.clone(),
    };
    let (text, default) = match body {
        Json::Null => (String::new(), None),
        Json::Text(text) => (text, Some("text/plain")),
        other => (other.indented(), Some("application/json")),
    };
    let given = fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let kind = match given {
        Some(at) => Some(String::from_utf8_lossy(&fields.swap_remove(at).1).into_owned()),
        None => default.map(str::to_owned),
    };
    if let Some(kind) = kind {
        let kind = if kind.contains("charset") { kind } else { format!("{kind}; charset=utf-8") };
        fields.push((Bytes::from_static(b"Content-Type"), Bytes::from(kind)));
    }
    let body = Bytes::from(text);
    Some(Response {
        status,
        reason: Bytes::from_static(phrase(status).as_bytes()),
        fields,
        body,
        chunked: true,
        cut: false,
    })
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        418 => "I'm a teapot",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}
