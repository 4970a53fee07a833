//! The host's envelope: `{"Data": {"<binding>": <value>}, "Metadata": {…}}`.
//!
//! A queue message's value is a JSON string that holds a JSON string; other hosts and encodings wrap it once more or
//! once less, or leave it in base64. The metadata is not read: a message's own fields overwrite it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub struct Envelope {
    value: Value,
}

impl Envelope {
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let parsed: Value =
            serde_json::from_slice(body).map_err(|error| format!("the invocation is no JSON: {error}"))?;
        let Some(Value::Object(data)) = parsed.get("Data") else {
            return Err("the invocation has no Data object".to_owned());
        };
        let value = data.values().next().cloned().ok_or("the invocation's Data is empty")?;
        Ok(Self { value })
    }

    /// The message as it was sent.
    pub fn text(&self) -> String {
        let mut value = self.value.clone();
        // As long as a string holds a JSON string it was wrapped by a host; an object or plain text is the message.
        while let Value::String(text) = &value {
            match serde_json::from_str::<Value>(text) {
                Ok(inner @ Value::String(_)) => value = inner,
                _ => break,
            }
        }
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        unbase64(&text).unwrap_or(text)
    }
}

/// The text inside, if this is the base64 of a JSON document.
fn unbase64(text: &str) -> Option<String> {
    if serde_json::from_str::<Value>(text).is_ok() {
        return None;
    }
    let inner = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    serde_json::from_str::<Value>(&inner).is_ok().then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &str) -> String {
        let body = serde_json::json!({"Data": {"ticket": data}, "Metadata": {"DequeueCount": "1"}}).to_string();
        Envelope::parse(body.as_bytes()).expect("an envelope").text()
    }

    const TICKET: &str = r#"{"run":"x","seq":1}"#;

    #[test]
    fn a_message_is_unwrapped_however_often_it_was_wrapped() {
        let once = Value::from(TICKET).to_string();
        let twice = Value::from(once.as_str()).to_string();
        for wrapped in [TICKET, &once, &twice] {
            assert_eq!(text(wrapped), TICKET);
        }
    }

    #[test]
    fn base64_of_json_is_taken_too_and_other_text_is_left_alone() {
        assert_eq!(text(&Value::from(STANDARD.encode(TICKET)).to_string()), TICKET);
        for plain in ["abcd", "not json!", ""] {
            assert_eq!(text(&Value::from(plain).to_string()), plain);
        }
    }

    #[test]
    fn an_object_in_data_is_a_message_too() {
        let body = format!(r#"{{"Data":{{"ticket":{TICKET}}}}}"#);
        assert_eq!(Envelope::parse(body.as_bytes()).expect("an envelope").text(), TICKET);
    }

    #[test]
    fn what_is_no_envelope_is_refused_in_words() {
        for (body, says) in
            [("", "no JSON"), ("[]", "no Data"), (r#"{"Data":{}}"#, "empty"), (r#"{"Data":1}"#, "no Data")]
        {
            let reason = Envelope::parse(body.as_bytes()).err().unwrap_or_default();
            assert!(reason.contains(says), "{reason}");
        }
    }
}
