//! JSON bodies, taken strictly and refused with directions.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::ApiError;

/// The largest body, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// A JSON object in the request's body. Declare the type with `deny_unknown_fields`, so that a slip in a field's name
/// is told and not ignored.
///
/// # Errors
/// 415 `unsupported_media_type`, 413 `payload_too_large`, and 400 `missing_body`, `body_interrupted`, `body_not_utf8`,
/// `invalid_json`, `not_an_object` or `invalid_field`.
#[derive(Clone, Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let typed = is_json(&parts.headers)?;
        let bytes = read(&parts.headers, body).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ApiError::bad_request("missing_body", "Send a JSON object as the body."));
        }
        if !typed {
            return Err(not_json());
        }
        parse(&bytes).map(Self)
    }
}

/// A body that may be missing or empty, of whatever type it then claims to be.
impl<S: Sync, T: DeserializeOwned> OptionalFromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Option<Self>, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        if !is_json(&parts.headers)? {
            return Err(not_json());
        }
        parse(&bytes).map(|value| Some(Self(value)))
    }
}

/// Whether the type is given; an error if it is given and another, or if the body is compressed.
fn is_json(headers: &HeaderMap) -> Result<bool, ApiError> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::unsupported_media_type(
            "unsupported_media_type",
            "Send the body as it is, without Content-Encoding.",
        ));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(false) };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if json && utf8 { Ok(true) } else { Err(not_json()) }
}

fn not_json() -> ApiError {
    ApiError::unsupported_media_type(
        "unsupported_media_type",
        "Send the body as JSON in UTF-8, with the header Content-Type: application/json.",
    )
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large(stream).await);
    }
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| {
            ApiError::bad_request("body_interrupted", "The body ended before it was complete. Send the request again.")
        })?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            return Err(too_large(stream).await);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Reads on for a while before refusing: whoever is still sending would see a broken connection in place of the answer.
async fn too_large(mut rest: BodyDataStream) -> ApiError {
    const READ_ON: usize = 16 * 1024 * 1024;
    const PATIENCE: Duration = Duration::from_secs(10);
    let discard = async {
        let mut seen = 0;
        while let Some(Ok(chunk)) = rest.next().await {
            seen += chunk.len();
            if seen > READ_ON {
                break;
            }
        }
    };
    // Either way the answer is the same.
    let _ = tokio::time::timeout(PATIENCE, discard).await;
    ApiError::payload_too_large("payload_too_large", format!("Send at most {} KiB.", BODY_LIMIT / 1024))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        ApiError::bad_request(
            "body_not_utf8",
            format!("Encode the body in UTF-8; byte {} is not.", e.valid_up_to() + 1),
        )
    })?;
    if !text.trim_start().starts_with('{') {
        serde_json::from_str::<IgnoredAny>(text).map_err(|e| malformed(&e))?;
        return Err(ApiError::bad_request("not_an_object", "Send a JSON object ({…}) as the body."));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // A number where one of several names is wanted is told as a fault of the syntax, which it is not.
    let is_json = || serde_json::from_str::<IgnoredAny>(text).is_ok();
    let value =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|e| match e.inner().is_data() || is_json() {
            true => misfit(&e),
            false => malformed(e.inner()),
        })?;
    deserializer.end().map_err(|e| malformed(&e))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::bad_request(
        "invalid_json",
        format!("The body is no valid JSON at line {}, column {}. Correct it there.", error.line(), error.column()),
    )
}

/// Valid JSON that does not fit: names the field by its path, as in `components[1].name`.
fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    const REASON_LIMIT: usize = 300;
    let (path, reason) = (error.path().to_string(), error.inner().to_string());
    // serde_json ends its reasons with a position, which the path makes superfluous.
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    let reason: String = reason.chars().take(REASON_LIMIT).collect();
    let message = match path.as_str() {
        "." => format!("Correct the body: {reason}."),
        path => format!("Correct the field `{}`: {reason}.", path.chars().take(REASON_LIMIT).collect::<String>()),
    };
    ApiError::bad_request("invalid_field", message)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Start {
        #[serde(rename = "version")]
        _version: String,
        #[serde(default, rename = "parts")]
        _parts: Vec<Part>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[serde(rename = "name")]
        _name: String,
    }

    fn refused(body: &[u8]) -> (&'static str, String) {
        let error = parse::<Start>(body).unwrap_err();
        (error.code(), error.message().to_owned())
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_by_its_path() {
        for (body, name) in [
            (r#"{"version": 1}"#, "`version`: invalid type: integer"),
            (r#"{}"#, "missing field `version`"),
            (r#"{"version": "1", "versoin": "2"}"#, "unknown field `versoin`"),
            (r#"{"version": "1", "version": "2"}"#, "duplicate field `version`"),
            (r#"{"version": "1", "parts": [{"name": "a"}, {"name": null}]}"#, "`parts[1].name`: invalid type: null"),
            (r#"{"version": "1", "parts": [{}]}"#, "`parts[0]`: missing field `name`"),
        ] {
            let (code, message) = refused(body.as_bytes());
            assert_eq!(code, "invalid_field", "{body}");
            assert!(message.contains(name), "{body}: {message}");
            assert!(!message.contains("line"), "{message}");
        }
    }

    #[test]
    fn broken_json_is_located() {
        for (body, place) in [
            ("{\"version\":\n \"1\",}", "line 2, column 6"),
            (r#"{"version": "1""#, "line 1, column 15"),
            (r#"{"version": "1"} {}"#, "line 1, column 18"),
            ("version=1", "line 1, column 1"),
        ] {
            let (code, message) = refused(body.as_bytes());
            assert_eq!(code, "invalid_json", "{body}");
            assert!(message.contains(place), "{body}: {message}");
        }
    }

    #[test]
    fn anything_but_an_object_is_refused_as_such() {
        for body in ["[]", "[{\"version\":\"1\"}]", "null", "1", "\"{}\""] {
            assert_eq!(refused(body.as_bytes()).0, "not_an_object", "{body}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_by_position() {
        let (code, message) = refused(b"{\"version\": \"\xff\"}");
        assert_eq!(code, "body_not_utf8");
        assert!(message.contains("byte 14"), "{message}");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = format!("{{\"parts\": {}", "[".repeat(100_000));
        assert!(["invalid_json", "invalid_field"].contains(&refused(deep.as_bytes()).0));
        assert_eq!(refused("[".repeat(100_000).as_bytes()).0, "invalid_json");
    }

    #[test]
    fn the_answer_does_not_send_a_long_value_back() {
        let (_, message) = refused(format!(r#"{{"version": "1", "parts": "{}"}}"#, "x".repeat(100_000)).as_bytes());
        assert!(message.len() < 1_000);
    }
}
