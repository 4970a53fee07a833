//! What a handler's answer to an invocation means.
//!
//! Where the real host hangs on an answer, ignores a part of it or changes it, the invocation fails here with a text
//! that says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::endpoint::Reply;
use super::functions::{Function, OutputKind};
use super::heads::field;
use super::ordered::Json;

const EXAMPLE: &str = r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#;

/// An answer that counts as success.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer {
    pub logs: Vec<String>,
    /// Messages to enqueue, as queue and text.
    pub messages: Vec<(String, String)>,
    /// What is meant for the client of an HTTP function.
    pub http: Option<Json>,
    /// Things that the real host ignores in silence.
    pub remarks: Vec<String>,
}

/// Reads the answer to an invocation of `function`. The error says why the invocation failed and what to do.
pub fn read(function: &Function, reply: &Reply) -> Result<Answer, String> {
    let status = reply.status;
    if status == 204 || ((200..300).contains(&status) && matches!(reply.body.trim_ascii(), b"" | b"null")) {
        return Err(format!(
            "answered {status} without an object. The real host never ends such an invocation: it hides the message until \
             functionTimeout and then kills the handler. Answer 200 with application/json and {EXAMPLE}"
        ));
    }
    if !matches!(status, 200..=202) {
        return Err(format!("answered {status}, which counts as a failure; only 200, 201 and 202 are a success"));
    }
    let kind = field(&reply.fields, "content-type").map(String::from_utf8_lossy).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let sent = if media.is_empty() { "no Content-Type" } else { media };
        return Err(format!(
            "answered with {sent}, which counts as a failure; answer with Content-Type: application/json"
        ));
    }
    let body = match Json::parse(&reply.body) {
        Ok(body @ Json::Object(_)) => body,
        Ok(_) => {
            return Err(format!("answered with JSON that is no object, which counts as a failure; answer {EXAMPLE}"));
        }
        Err(error) => {
            return Err(format!("answered with broken JSON ({error}), which counts as a failure; answer {EXAMPLE}"));
        }
    };
    let mut answer = Answer::default();
    if let Some(Json::List(lines)) = body.get("Logs") {
        answer.logs = lines.iter().map(|line| line.as_text().map_or_else(|| line.to_string(), str::to_owned)).collect();
    }
    match body.get("Outputs") {
        None | Some(Json::Null) => {}
        Some(Json::Object(outputs)) => {
            for (name, value) in outputs {
                answer.output(function, name, value)?;
            }
        }
        Some(_) => return Err(format!("answered with Outputs that is no object; answer {EXAMPLE}")),
    }
    match body.get("ReturnValue") {
        None | Some(Json::Null) => {}
        Some(value) if function.outputs.iter().any(|output| output.name == "$return") => {
            answer.output(function, "$return", value)?;
        }
        Some(_) => answer
            .remarks
            .push("answered with a ReturnValue, but has no output binding $return: it is ignored".to_owned()),
    }
    Ok(answer)
}

impl Answer {
    fn output(&mut self, function: &Function, name: &str, value: &Json) -> Result<(), String> {
        let Some(output) = function.outputs.iter().find(|output| output.name.eq_ignore_ascii_case(name)) else {
            let known: Vec<&str> = function.outputs.iter().map(|output| output.name.as_str()).collect();
            return Err(format!(
                "answered with an output '{name}' that its function.json does not have (it has [{}]). The real host drops it \
                 in silence; name it as the binding is named",
                known.join(", ")
            ));
        };
        let OutputKind::Queue { queue } = &output.kind else {
            self.http = Some(value.clone());
            return Ok(());
        };
        if value.as_text().is_some_and(is_base64) {
            return Err(format!(
                "answered with a text for the output '{name}' that happens to be base64. The real host decodes it and enqueues \
                 the bytes; send an object, or a text with a brace in it"
            ));
        }
        let texts = match value {
            Json::Null => Vec::new(),
            Json::List(items) => items.iter().map(text_of).collect(),
            other => vec![text_of(other)],
        };
        self.messages.extend(texts.into_iter().map(|text| (queue.clone(), text)));
        Ok(())
    }
}

/// The text of one message.
fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::Text(text) => text.clone(),
        Json::List(_) | Json::Object(_) => value.indented(),
    }
}

/// Whether the real host takes a text for base64: blanks do not count, and the empty text decodes to itself.
fn is_base64(text: &str) -> bool {
    let compact: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    !compact.is_empty() && STANDARD.decode(compact).is_ok()
}
