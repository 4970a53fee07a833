//! What the rooms call their spans and fields, and what those who watch call them.

use opentelemetry::trace::SpanKind;

use super::names;

/// A span that a room opens, by the name that it gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An HTTP request of somebody's.
    Request,
    /// A ticket that is worked on.
    Delivery,
    Sweep,
    Timer,
    /// A message that was delivered too often.
    Poison,
    /// A call to another system.
    Call,
    /// What the host started. It is no span of its own, but tells where the others come from.
    Invocation,
}

impl Kind {
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "request" => Self::Request,
            "delivery" => Self::Delivery,
            "sweep" => Self::Sweep,
            "timer" => Self::Timer,
            "poison" => Self::Poison,
            "call" => Self::Call,
            "invocation" => Self::Invocation,
            _ => return None,
        })
    }

    pub fn role(self) -> SpanKind {
        match self {
            Self::Request => SpanKind::Server,
            Self::Call => SpanKind::Client,
            _ => SpanKind::Consumer,
        }
    }

    /// The span's name, of few different ones. `field` brings a field's text.
    pub fn title(self, field: impl Fn(&str) -> Option<String>) -> String {
        let joined = |first: &str, sign: &str, second: &str| match (field(first), field(second)) {
            (Some(first), Some(second)) => Some(format!("{first}{sign}{second}")),
            (first, _) => first,
        };
        let below = |what: &str, name: &str| field(name).map(|name| format!("{what}/{name}"));
        let title = match self {
            Self::Request => joined("method", " ", "route"),
            Self::Delivery => joined("pipeline", "/", "phase"),
            Self::Timer => below("timer", "timer"),
            Self::Poison => below("poison", "queue"),
            Self::Call => field("operation").or_else(|| joined("method", " ", "server")),
            Self::Sweep | Self::Invocation => None,
        };
        title.unwrap_or_else(|| self.word().to_owned())
    }

    fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Delivery => "delivery",
            Self::Sweep => "sweep",
            Self::Timer => "timer",
            Self::Poison => "poison",
            Self::Call => "call",
            Self::Invocation => "invocation",
        }
    }

    /// Whether a span with this answer, status or error has failed.
    pub fn failed(self, field: impl Fn(&str) -> Option<String>) -> bool {
        let status = field("status").and_then(|status| status.parse::<u16>().ok()).unwrap_or_default();
        let answer = field("answer").unwrap_or_default();
        let bad = match self {
            Self::Request => status >= 500,
            // That something is not there, or asks who comes, is an answer to whoever looks.
            Self::Call => status >= 400 && !(matches!(status, 401 | 404) && looks(&field)),
            Self::Delivery => matches!(answer.as_str(), "failed" | "fallback" | "retry"),
            _ => false,
        };
        bad || field("error").is_some()
    }
}

fn looks(field: impl Fn(&str) -> Option<String>) -> bool {
    matches!(field("method").as_deref(), Some("GET" | "HEAD"))
}

/// The attribute that a field becomes; `None` for what is said in another way.
pub fn attribute(field: &str) -> Option<&'static str> {
    Some(match field {
        "run" => names::RUN,
        "pipeline" => names::PIPELINE,
        "phase" => names::PHASE,
        "attempt" => names::ATTEMPT,
        "seq" => names::SEQ,
        "invocation" => names::INVOCATION,
        "answer" => names::ANSWER,
        "queue" => names::QUEUE,
        "timer" => "windlass.timer",
        "operation" => "windlass.operation",
        "error" => "windlass.error",
        "server" => "server.address",
        "method" => "http.request.method",
        "route" => "http.route",
        "status" => "http.response.status_code",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(kind: Kind, fields: &[(&str, &str)]) -> String {
        kind.title(|name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_span_is_named_by_what_is_known_of_it() {
        assert_eq!(
            title(Kind::Request, &[("method", "POST"), ("route", "/api/upgrade/start")]),
            "POST /api/upgrade/start"
        );
        assert_eq!(title(Kind::Request, &[("method", "POST")]), "POST");
        assert_eq!(title(Kind::Delivery, &[("pipeline", "upgrade"), ("phase", "building")]), "upgrade/building");
        assert_eq!(title(Kind::Delivery, &[("phase", "building")]), "delivery");
        assert_eq!(title(Kind::Timer, &[("timer", "upgrade_check")]), "timer/upgrade_check");
        assert_eq!(title(Kind::Call, &[("method", "GET"), ("server", "git.example")]), "GET git.example");
        assert_eq!(title(Kind::Sweep, &[]), "sweep");
    }
}
