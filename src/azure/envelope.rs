//! The bodies in which Azure says that something went wrong. The content type says nothing reliable about them.

use serde_json::{Map, Value};

use crate::model::redact;

/// What a body says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Envelope {
    /// The outermost code; empty if there is none.
    pub(super) code: String,
    /// Redacted and cut to a readable length.
    pub(super) message: String,
    /// The codes inside the outermost one, from `details` and inner errors.
    pub(super) inner_codes: Vec<String>,
}

const MAX_MESSAGE: usize = 1000;
const MAX_DEPTH: usize = 6;

/// Reads an error body of any service: Resource Manager in its three spellings, storage (XML), registry, Kubernetes,
/// Entra, the identity endpoint, a gateway's HTML, or nothing.
pub(super) fn parse(body: &[u8]) -> Envelope {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut envelope = Envelope::default();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => read(&value, &mut envelope, 0),
        Err(_) if text.starts_with('<') => markup(text, &mut envelope),
        Err(_) => envelope.message = text.to_owned(),
    }
    envelope.message = shorten(&redact(&envelope.message));
    envelope
}

fn shorten(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A field by its name in any case: App Service capitalises them.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null()).map(|(_, value)| value)
}

fn read(value: &Value, into: &mut Envelope, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::String(text) => message(text, into, depth),
        Value::Array(items) => items.iter().for_each(|item| read(item, into, depth + 1)),
        Value::Object(object) => read_object(object, into, depth),
        _ => {}
    }
}

fn read_object(object: &Map<String, Value>, into: &mut Envelope, depth: usize) {
    match field(object, "error") {
        // Entra's OAuth answers.
        Some(Value::String(code)) => {
            note_code(code, into);
            if let Some(Value::String(text)) = field(object, "error_description") {
                message(text, into, depth);
            }
            return;
        }
        Some(inner) => return read(inner, into, depth + 1),
        None => {}
    }
    // The number in a Kubernetes status is the HTTP status; its code is the reason.
    for name in ["code", "reason"] {
        if let Some(Value::String(code)) = field(object, name) {
            note_code(code, into);
            break;
        }
    }
    if let Some(Value::String(text)) = field(object, "message") {
        message(text, into, depth);
    }
    for name in ["details", "innererror", "errors", "errorentity"] {
        if let Some(inner) = field(object, name) {
            read(inner, into, depth + 1);
        }
    }
}

fn note_code(code: &str, into: &mut Envelope) {
    let code = redact(code.trim()).chars().take(100).collect::<String>();
    if code.is_empty() || code == into.code {
        return;
    }
    if into.code.is_empty() {
        into.code = code;
    } else if !into.inner_codes.contains(&code) {
        into.inner_codes.push(code);
    }
}

/// A message; some services put another envelope into it, as a string.
fn message(text: &str, into: &mut Envelope, depth: usize) {
    let text = text.trim();
    if text.starts_with('{')
        && let Ok(nested @ Value::Object(_)) = serde_json::from_str(text)
    {
        return read(&nested, into, depth + 1);
    }
    if text.is_empty() || into.message.contains(text) {
        return;
    }
    if !into.message.is_empty() {
        into.message.push_str("; ");
    }
    into.message.push_str(text);
}

/// Storage's XML, or a gateway's HTML of which the title says the most.
fn markup(text: &str, into: &mut Envelope) {
    if let Some(code) = between(text, "<Code>", "</Code>") {
        note_code(code, into);
        into.message = between(text, "<Message>", "</Message>").unwrap_or_default().to_owned();
        return;
    }
    let shown = ["title", "h1", "h2"].iter().find_map(|tag| {
        let inside = between(text, &format!("<{tag}>"), &format!("</{tag}>"))?;
        (!inside.trim().is_empty()).then(|| inside.to_owned())
    });
    into.message = shown.unwrap_or_else(|| without_tags(text));
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

fn without_tags(text: &str) -> String {
    text.split('<').filter_map(|part| part.split_once('>').map(|(_, after)| after)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(body: &str) -> (String, String, Vec<String>) {
        let Envelope { code, message, inner_codes } = parse(body.as_bytes());
        (code, message, inner_codes)
    }

    fn expect(body: &str, code: &str, message: &str, inner: &[&str]) {
        let inner = inner.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(parsed(body), (code.to_owned(), message.to_owned(), inner), "{body}");
    }

    #[test]
    fn every_shape_of_the_resource_manager_is_understood() {
        expect(
            r#"{"error":{"code":"InvalidTemplateDeployment","message":"bad","details":[{"code":"RoleAssignmentExists","message":"there already"}]}}"#,
            "InvalidTemplateDeployment",
            "bad; there already",
            &["RoleAssignmentExists"],
        );
        expect(r#"{"error":{"code":"X","message":"m","innererror":{"code":"Y","trace":[]}}}"#, "X", "m", &["Y"]);
        expect(r#"{"code":"Conflict","message":"in use"}"#, "Conflict", "in use", &[]);
        expect(
            r#"{"Code":"Conflict","Message":"taken","Target":null,"Details":[{"Message":"taken"},{"Code":"Conflict"},
               {"ErrorEntity":{"ExtendedCode":"59203","Parameters":[],"Code":"SiteConflict","Message":"really taken"}}]}"#,
            "Conflict",
            "taken; really taken",
            &["SiteConflict"],
        );
    }

    #[test]
    fn an_envelope_within_a_message_is_unwrapped() {
        let inner = json!({"error": {"code": "Inner", "message": "the cause"}}).to_string();
        let outer = json!({"error": {"code": "Outer", "message": inner}}).to_string();
        expect(&outer, "Outer", "the cause", &["Inner"]);
    }

    #[test]
    fn the_other_services_shapes_are_understood() {
        expect(
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>no\nway</Message></Error>",
            "AuthenticationFailed",
            "no way",
            &[],
        );
        expect(r#"{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}"#, "UNAUTHORIZED", "log in", &[]);
        expect(
            r#"{"kind":"Status","status":"Failure","message":"pods not found","reason":"NotFound","code":404}"#,
            "NotFound",
            "pods not found",
            &[],
        );
        expect(r#"{"error":"invalid_grant","error_description":"AADSTS70021"}"#, "invalid_grant", "AADSTS70021", &[]);
        expect(
            r#"{"statusCode":400,"message":"Unable to load the identity."}"#,
            "",
            "Unable to load the identity.",
            &[],
        );
    }

    #[test]
    fn pages_nothing_and_nonsense_are_no_reason_to_fail() {
        expect("<html><head><title>Service  unavailable</title></head></html>", "", "Service unavailable", &[]);
        expect("<html><body>Our services<br/>are away</body></html>", "", "Our services are away", &[]);
        expect("", "", "", &[]);
        expect("{\"error\":", "", "{\"error\":", &[]);
        expect("null", "", "", &[]);
        expect("[1,2]", "", "", &[]);
        assert_eq!(parse(&[0xff, 0xfe]).code, "");
        assert!(parse("x".repeat(100_000).as_bytes()).message.len() < 1100);
        let deep = format!("{}1{}", "{\"error\":".repeat(100), "}".repeat(100));
        assert_eq!(parsed(&deep).0, "");
    }

    #[test]
    fn a_secret_in_a_message_is_masked() {
        let body = json!({"error": {"code": "X", "message": "cannot read https://b/c?sv=1&sig=pl4nted-s3cret"}});
        assert!(!format!("{:?}", parse(body.to_string().as_bytes())).contains("pl4nted"));
    }
}
