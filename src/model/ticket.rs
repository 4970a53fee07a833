//! The queue message that lets a phase run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunId;

/// Sent as a JSON object. No field bears a name that the Functions host uses in an invocation's metadata
/// (`Id`, `DequeueCount`, `sys`, …), because the host would overwrite its own values with ours.
///
/// `schema` says which form the object has; without it, it is the first. Whatever a later form looks like, it keeps
/// `schema` and `run` as they are, so that a version which cannot read the rest knows that it is a ticket, and whose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Form")]
pub struct Ticket {
    pub run: RunId,
    pub phase: String,
    pub seq: u64,
}

/// Why a message is not a ticket that can be worked on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misread {
    /// A ticket, in the form of a later version.
    #[error("a ticket of run {run} in schema {schema}, and the newest known here is {}", Ticket::SCHEMA)]
    Newer { run: RunId, schema: u64 },
    #[error("no ticket")]
    NoTicket,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    run: RunId,
    phase: String,
    seq: u64,
    #[serde(default = "first")]
    schema: u64,
}

fn first() -> u64 {
    1
}

impl TryFrom<Form> for Ticket {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        match form.schema {
            Self::SCHEMA => Ok(Self { run: form.run, phase: form.phase, seq: form.seq }),
            _ => Err("a ticket of another schema"),
        }
    }
}

impl Ticket {
    /// The form that this version writes, and the newest that it reads.
    pub const SCHEMA: u64 = 1;

    pub fn to_json(&self) -> String {
        let Self { run, phase, seq } = self;
        format!(r#"{{"run":"{run}","phase":"{phase}","seq":{seq},"schema":{}}}"#, Self::SCHEMA)
    }

    /// What a message says, if it is a ticket.
    pub fn read(message: &str) -> Result<Self, Misread> {
        serde_json::from_str(message).map_err(|_| Self::misread(message))
    }

    fn misread(message: &str) -> Misread {
        let value: Value = serde_json::from_str(message).unwrap_or_default();
        let schema = value.get("schema").and_then(Value::as_u64).filter(|schema| *schema > Self::SCHEMA);
        let run = value.get("run").and_then(Value::as_str).and_then(|run| run.parse().ok());
        match schema.zip(run) {
            Some((schema, run)) => Misread::Newer { run, schema },
            None => Misread::NoTicket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn ticket() -> Ticket {
        Ticket { run: RunId::new(&Scope::new("platform"), 1, 2), phase: "fetching".into(), seq: 3 }
    }

    #[test]
    fn a_ticket_reads_back_what_it_wrote_and_says_its_schema() {
        let text = ticket().to_json();
        assert_eq!(Ticket::read(&text), Ok(ticket()));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["schema"], Ticket::SCHEMA);
    }

    #[test]
    fn a_ticket_that_says_no_schema_is_of_the_first() {
        let text = format!(r#"{{"run":"{}","phase":"fetching","seq":3}}"#, ticket().run);
        assert_eq!(Ticket::read(&text), Ok(ticket()));
    }

    #[test]
    fn a_ticket_of_a_later_version_is_known_by_its_schema_and_its_run_alone() {
        let run = ticket().run;
        for rest in ["", r#","phase":"fetching","seq":3"#, r#","seq":{"of":3}"#, r#","phase":["a"],"force":true"#] {
            let text = format!(r#"{{"schema":2,"run":"{run}"{rest}}}"#);
            assert_eq!(Ticket::read(&text), Err(Misread::Newer { run: run.clone(), schema: 2 }), "{text}");
        }
    }

    #[test]
    fn no_field_of_a_ticket_bears_a_name_of_the_hosts_metadata() {
        let hosts = ["DequeueCount", "ExpirationTime", "Id", "InsertionTime", "NextVisibleTime", "PopReceipt", "sys"];
        let Ok(Value::Object(fields)) = serde_json::from_str(&ticket().to_json()) else { panic!("no object") };
        assert!(fields.keys().all(|field| hosts.iter().all(|host| !host.eq_ignore_ascii_case(field))), "{fields:?}");
    }

    #[test]
    fn what_names_no_run_or_no_schema_that_there_could_be_is_no_ticket() {
        let run = ticket().run;
        for text in [
            r#"{"schema":2}"#.to_owned(),
            r#"{"schema":2,"run":"platform"}"#.to_owned(),
            format!(r#"{{"schema":0,"run":"{run}","phase":"fetching","seq":3}}"#),
            format!(r#"{{"schema":"2","run":"{run}","phase":"fetching","seq":3}}"#),
            format!(r#"{{"schema":1,"run":"{run}","phase":"fetching","seq":3,"force":true}}"#),
            format!(r#"[2,"{run}"]"#),
            "2".to_owned(),
        ] {
            assert_eq!(Ticket::read(&text), Err(Misread::NoTicket), "{text}");
        }
    }
}
