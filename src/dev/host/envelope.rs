//! The body of an invocation: `Data` with the trigger's value, `Metadata` with what is known about it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ordered::Json;
use super::queues::QueueMessage;
use super::settings::Encoding;
use super::{moment, ordered};

/// Why a message cannot be shown to any function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Undecodable {
    /// The real host moves it to the poison queue at once.
    #[error(
        "is no base64, though messageEncoding is \"base64\" (the default): the real host moves it to the poison queue and no \
         function ever sees it. Set extensions.queues.messageEncoding to \"none\" in host.json, or enqueue base64"
    )]
    NotBase64,
    /// The real host fails before the handler, on every attempt.
    #[error(
        "happens to be base64 of bytes that are no text, though messageEncoding is \"base64\" (the default): the real host fails \
         before the handler. Set extensions.queues.messageEncoding to \"none\" in host.json, or enqueue base64"
    )]
    NotText,
}

/// The text of a message as the function gets it.
pub fn decode(text: &str, encoding: Encoding) -> Result<String, Undecodable> {
    if encoding == Encoding::Plain {
        return Ok(text.to_owned());
    }
    let bytes = STANDARD.decode(text).map_err(|_| Undecodable::NotBase64)?;
    String::from_utf8(bytes).map_err(|_| Undecodable::NotText)
}

/// A text as the queue stores it.
pub fn encode(text: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::Plain => text.to_owned(),
        Encoding::Base64 => STANDARD.encode(text),
    }
}

/// The invocation for a message whose decoded text is `text`.
pub fn queue(function: &str, binding: &str, message: &QueueMessage, text: &str) -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata.put("DequeueCount", message.dequeue_count.to_string().into());
    metadata.put("ExpirationTime", moment::whole_seconds(message.expires_at).into());
    metadata.put("Id", nested(&message.id));
    metadata.put("InsertionTime", moment::whole_seconds(message.inserted_at).into());
    metadata.put("NextVisibleTime", moment::whole_seconds(message.next_visible_at).into());
    metadata.put("PopReceipt", nested(&message.receipt));
    metadata.put("sys", system(function));
    metadata.merge(text);
    write(binding, nested(text), metadata)
}

/// The invocation for `POST /admin/functions/<name>` of a queue function: there is no message, and no Id.
pub fn queue_by_hand(function: &str, binding: &str, input: &str) -> Vec<u8> {
    const ALWAYS: &str = "9999-12-31T23:59:59+00:00";
    let now = moment::now();
    let mut metadata = Metadata::new();
    metadata.put("DequeueCount", "0".into());
    metadata.put("ExpirationTime", ALWAYS.into());
    metadata.put("InsertionTime", moment::offset(now.replace_nanosecond(0).unwrap_or(now)).into());
    metadata.put("NextVisibleTime", ALWAYS.into());
    metadata.put(binding, nested(input));
    metadata.put("sys", system(function));
    metadata.merge(input);
    write(binding, nested(input), metadata)
}

/// `adjusts`: whether the schedule is one that would follow summer time. `status`: null for a schedule without memory.
pub fn timer(function: &str, binding: &str, adjusts: bool, status: Json, past_due: bool) -> Vec<u8> {
    let schedule = Json::object([("AdjustForDST", adjusts.into())]);
    let data = Json::object([("Schedule", schedule), ("ScheduleStatus", status), ("IsPastDue", past_due.into())]);
    let mut metadata = Metadata::new();
    metadata.put("sys", system(function));
    write(binding, data, metadata)
}

pub fn system(function: &str) -> Json {
    Json::object([
        ("MethodName", function.into()),
        ("UtcNow", moment::zulu(moment::now()).into()),
        ("RandGuid", invocation_id().into()),
    ])
}

/// A new id of the form that the host gives its invocations. Nothing secret depends on it.
pub fn invocation_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid().to_string()
}

/// A text as the JSON string of a JSON string.
pub fn nested(text: &str) -> Json {
    Json::Text(Json::from(text).to_string())
}

/// What is known about a trigger's value, in the order in which the host tells it.
#[derive(Default)]
pub struct Metadata(Vec<(String, Json)>);

impl Metadata {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn put(&mut self, name: &str, value: Json) {
        ordered::overwrite(&mut self.0, name.to_owned(), value);
    }

    /// Lays the top-level fields of a JSON object over the metadata, whatever is there already.
    /// Fields whose name ends in "trigger" are left out, as the trigger's own entry is.
    pub fn merge(&mut self, text: &str) {
        let Ok(Json::Object(fields)) = Json::parse(text.as_bytes()) else { return };
        for (name, value) in fields {
            if name.to_ascii_lowercase().ends_with("trigger") {
                continue;
            }
            let value = match value {
                Json::Null => continue,
                Json::Text(text) => nested(&text),
                Json::Bool(true) => nested("True"),
                Json::Bool(false) => nested("False"),
                Json::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                    Some(float) => nested(&float.to_string()),
                    None => nested(&number.to_string()),
                },
                list @ Json::List(_) => Json::Text(list.to_string()),
                object @ Json::Object(_) => object,
            };
            self.put(&name, value);
        }
    }
}

pub fn write(binding: &str, data: Json, metadata: Metadata) -> Vec<u8> {
    let data = Json::Object(vec![(binding.to_owned(), data)]);
    Json::object([("Data", data), ("Metadata", Json::Object(metadata.0))]).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(text: &str) -> String {
        let mut metadata = Metadata::new();
        metadata.put("Id", nested("1"));
        metadata.put("sys", Json::Null);
        metadata.merge(text);
        Json::Object(metadata.0).to_string()
    }

    #[test]
    fn a_messages_fields_overwrite_what_the_host_knows() {
        assert_eq!(
            merged(r#"{"z":1,"id":"mine","sys":true,"n":null,"f":1.5,"o":{"b":1,"a":2},"myTrigger":1,"l":[1, 2]}"#),
            r#"{"Id":"\"mine\"","sys":"\"True\"","z":"\"1\"","f":"\"1.5\"","o":{"b":1,"a":2},"l":"[1,2]"}"#
        );
    }

    #[test]
    fn what_is_no_object_adds_nothing() {
        for text in ["[1,2]", "\"text\"", "not json!", ""] {
            assert_eq!(merged(text), r#"{"Id":"\"1\"","sys":null}"#);
        }
    }

    #[test]
    fn base64_is_asked_for_only_where_it_is_set() {
        assert_eq!(decode("abc!", Encoding::Plain), Ok("abc!".to_owned()));
        assert_eq!(decode("YWJj", Encoding::Base64), Ok("abc".to_owned()));
        assert_eq!(decode("abc!", Encoding::Base64), Err(Undecodable::NotBase64));
        assert_eq!(decode("abcd", Encoding::Base64), Err(Undecodable::NotText));
    }
}
