//! Entity-group transactions: several requests in one multipart text, answered in the same form.
//!
//! Source: "Performing entity group transactions" of the Azure Storage reference.

use azure_core::http::Url;

use super::{ACCEPT, Change, Failed, is_conflict, problem};
use crate::storage::azure::wire::Problem;

/// A body is one line of JSON, so that no part can hold a boundary.
pub(super) const CONTENT_TYPE: &str = "multipart/mixed; boundary=batch_windlass";

pub(super) fn write(changes: &[Change], url: impl Fn(&Change) -> Url) -> String {
    let mut text =
        String::from("--batch_windlass\r\nContent-Type: multipart/mixed; boundary=changeset_windlass\r\n\r\n");
    for (index, change) in changes.iter().enumerate() {
        let (method, version, body) = match change {
            Change::Insert { body } => ("POST", None, Some(body)),
            Change::Replace { version, body, .. } => ("PUT", Some(version), Some(body)),
            Change::Delete { version, .. } => ("DELETE", Some(version), None),
        };
        text += "--changeset_windlass\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n";
        text += &format!("Content-ID: {index}\r\n\r\n{method} {} HTTP/1.1\r\n", url(change));
        text += &format!("Accept: {ACCEPT}\r\nDataServiceVersion: 3.0\r\n");
        if let Some(version) = version {
            text += &format!("If-Match: {version}\r\n");
        }
        if let Some(body) = body {
            text += "Content-Type: application/json\r\nPrefer: return-no-content\r\n";
            text += &format!("\r\n{body}");
        } else {
            text += "\r\n";
        }
        text += "\r\n";
    }
    text += "--changeset_windlass--\r\n--batch_windlass--\r\n";
    text
}

/// The versions in the order of the changes, or what became of the first that failed.
pub(super) fn read(text: &str, changes: usize) -> Result<Vec<String>, Failed> {
    let parts: Vec<Part<'_>> = text.split("HTTP/1.1 ").skip(1).filter_map(Part::read).collect();
    if let Some(failed) = parts.iter().find(|part| part.status >= 300) {
        return Err(failed.failure(changes));
    }
    if parts.len() != changes {
        let seen = parts.len();
        return Err(Problem::silent(format!("{changes} writes were answered by {seen} answers")).into());
    }
    Ok(parts.iter().map(|part| part.header("etag").unwrap_or_default().to_owned()).collect())
}

/// One answer within the answer.
struct Part<'a> {
    status: u16,
    head: &'a str,
    body: &'a str,
}

impl<'a> Part<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let status = text.get(..3)?.parse().ok()?;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let body = body.split("\r\n--").next().unwrap_or_default().trim();
        Some(Self { status, head, body })
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn failure(&self, changes: usize) -> Failed {
        let problem = problem(self.status, "", self.body.as_bytes());
        if !is_conflict(&problem) {
            return problem.into();
        }
        match self.index().filter(|index| *index < changes) {
            Some(index) => Failed::Conflict(index),
            // Nothing was written, but it is not known whose fault that is: the caller has to look again.
            None => Problem::silent("a write lost a race, but it was not told which").into(),
        }
    }

    /// The message of an error begins with the index of the failing change: `1:The update condition …`.
    fn index(&self) -> Option<usize> {
        let body: serde_json::Value = serde_json::from_str(self.body).ok()?;
        let message = body.pointer("/odata.error/message/value")?.as_str()?;
        message.split_once(':')?.0.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the service writes it.
    fn refusal(status: &str, code: &str, message: &str) -> String {
        format!(
            "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n\
             --changesetresponse_2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             HTTP/1.1 {status}\r\nX-Content-Type-Options: nosniff\r\nDataServiceVersion: 3.0;\r\n\
             Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8\r\n\r\n\
             {{\"odata.error\":{{\"code\":\"{code}\",\"message\":{{\"lang\":\"en-US\",\"value\":\"{message}\\nRequestId:1\"}}}}}}\r\n\
             --changesetresponse_2--\r\n--batchresponse_1--\r\n"
        )
    }

    #[test]
    fn the_failing_index_is_read_from_the_errors_message() {
        let text = refusal(
            "412 Precondition Failed",
            "UpdateConditionNotSatisfied",
            "2:The update condition specified in the request was not satisfied.",
        );
        assert!(matches!(read(&text, 3), Err(Failed::Conflict(2))));
    }

    #[test]
    fn a_conflict_of_an_unknown_write_asks_to_look_again() {
        for message in ["7:beyond the changes", "no index"] {
            let text = refusal("409 Conflict", "EntityAlreadyExists", message);
            assert!(matches!(read(&text, 3), Err(Failed::Problem(problem)) if problem.status() == 0));
        }
    }

    #[test]
    fn a_refusal_that_is_no_conflict_stays_one() {
        let text = refusal("400 Bad Request", "InvalidInput", "0:Bad Request - Error in query syntax.");
        assert!(matches!(read(&text, 1), Err(Failed::Problem(problem)) if problem.is(400, "InvalidInput")));
    }

    #[test]
    fn an_answer_that_is_cut_short_is_no_success() {
        let part = "--changesetresponse_2\r\n\r\nHTTP/1.1 204 No Content\r\nETag: W/\"a\"\r\n\r\n";
        assert!(matches!(read(part, 1), Ok(versions) if versions == ["W/\"a\""]));
        assert!(matches!(read(part, 2), Err(Failed::Problem(_))));
        assert!(matches!(read("", 2), Err(Failed::Problem(_))));
    }
}
