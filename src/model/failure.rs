//! Why something ended badly, in words that a person can act on.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A cause with one stable code, a message that says what to do next, and facts for a program to read.
/// Its texts are redacted when it is made, so that it may be shown, stored and logged.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

impl Failure {
    pub fn new(code: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self { code: code.into(), message: redact(message.as_ref()), detail: Value::Null }
    }

    pub fn with_detail(mut self, detail: Value) -> Self {
        self.detail = redact_value(detail);
        self
    }

    /// The failure, with the one that led to it in `detail.cause`.
    pub fn because(mut self, cause: &Self) -> Self {
        let cause = serde_json::to_value(cause).unwrap_or_default();
        match &mut self.detail {
            Value::Object(facts) => drop(facts.insert("cause".into(), cause)),
            Value::Null => self.detail = json!({"cause": cause}),
            other => self.detail = json!({"detail": other.take(), "cause": cause}),
        }
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

const MASK: &str = "***";

/// Forms in which a secret shows up in a text. Each has the part before the secret as group `keep`.
#[expect(clippy::expect_used, reason = "a form that is none fails every test that redacts")]
static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // The user part of a URL: https://user:password@host
        r"(?i)(?P<keep>\b[a-z][a-z0-9+.-]*://)[^/\s@]+@",
        // An authorization header with whatever scheme, or a scheme alone
        r#"(?i)(?P<keep>\bauthorization["']?\s*[:=]\s*["']?)[^\r\n"']{3,}"#,
        r"(?i)(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
        // A function key or a signature in a query, encoded or not
        r#"(?i)(?P<keep>(?:[?&;]code|(?:\b|%26)sig)(?:=|%3D))[^\s&;"'<>]+"#,
        // A name that speaks of a secret, and its value: in a connection string, a header, an assignment, JSON
        r#"(?i)(?P<keep>\b[\w-]*(?:account_?key|access_?key|storage_?key|sharedaccesssignature|functions-key|api[_-]?key|private[_-]?key|password|passwd|pwd|secret|token)[\w-]*\\?["']?\s*[=:]\s*)(?:\\"[^"\\]*\\"|"[^"]*"|'[^']*'|[^\s&;"'<>]{3,})"#,
        // The same as an option of a command or an ENV of a Dockerfile, with a blank between
        r#"(?i)(?P<keep>(?:--?|\b(?:env|arg)\s+)[\w-]*(?:password|passwd|secret|token|api-?key)[\w-]*\s+)[^\s"'-][^\s"']{2,}"#,
        // Tokens of code hosts, known by how they begin
        r"(?P<keep>)\b(?:gh[pousr]_|github_pat_|glpat-)[A-Za-z0-9_-]{10,}",
        // A compact JSON web token standing alone
        r"(?P<keep>)\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*",
    ]
    .into_iter()
    .map(|form| Regex::new(form).expect("the forms above are valid"))
    .collect()
});

/// The text with everything that looks like a credential masked.
pub fn redact(text: &str) -> String {
    FORMS.iter().fold(text.to_owned(), |text, form| {
        let userinfo = form.as_str().ends_with('@');
        form.replace_all(&text, |found: &Captures<'_>| {
            format!("{}{MASK}{}", &found["keep"], if userinfo { "@" } else { "" })
        })
        .into_owned()
    })
}

fn redact_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact(&text)),
        Value::Array(items) => items.into_iter().map(redact_value).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, redact_value(v))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANTED: &str = "pl4nted-s3cret";

    #[test]
    fn a_planted_secret_is_masked_in_every_form_it_takes() {
        for text in [
            format!("cannot reach https://user:{PLANTED}@git.example/repo.git"),
            format!("https://{PLANTED}@git.example/repo.git"),
            format!("Authorization: Bearer {PLANTED}"),
            format!("https://a.blob.core.windows.net/c/b?sv=2015&sp=rw&sig={PLANTED}&x=1"),
            format!("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={PLANTED};EndpointSuffix=x"),
            format!("GET /fn?code={PLANTED}"),
            format!("{{\"client_secret\": \"{PLANTED}\"}}"),
            format!("x-functions-key: {PLANTED}"),
            format!("npm_password={PLANTED}"),
            format!("?sv=2015&sig={PLANTED}"),
            format!("?sv%3D2015%26sig%3D{PLANTED}"),
            format!("AWS_SECRET_ACCESS_KEY={PLANTED}"),
            format!("AZURE_STORAGE_KEY={PLANTED},{PLANTED}"),
            format!("SECRET_KEY_BASE: {PLANTED}"),
            format!("password=\"two {PLANTED} words\""),
            format!(r#"{{\"client_secret\":\"{PLANTED}\"}}"#),
            format!("Authorization: token {PLANTED}"),
            format!("login --password {PLANTED}"),
            format!("ENV DB_PASSWORD {PLANTED}"),
            "ghp_pl4nted-s3cret0123456789".to_owned(),
        ] {
            let shown = redact(&text);
            assert!(!shown.contains(PLANTED), "{shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
        assert!(!redact("got eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxIn0.c2ln back").contains("eyJ"));
    }

    #[test]
    fn ordinary_words_stay_readable() {
        for text in
            ["Step 3/7 : RUN npm ci", "the token endpoint answered 503", "exit code: 137", "secret rotation done"]
        {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_failure_keeps_its_own_facts_beside_the_cause_that_led_to_it() {
        let cause = Failure::new("sick", "it is sick");
        let of = |detail| Failure::new("stuck", "it is stuck").with_detail(detail).because(&cause).detail;
        assert_eq!(of(Value::Null), json!({"cause": cause}));
        assert_eq!(of(json!({"at": 1})), json!({"at": 1, "cause": cause}));
        assert_eq!(of(json!([1])), json!({"detail": [1], "cause": cause}));
    }

    #[test]
    fn a_failures_detail_is_redacted_too() {
        let failure = Failure::new("x", "y").with_detail(serde_json::json!({"lines": [format!("/log?sig={PLANTED}")]}));
        assert!(!failure.detail.to_string().contains(PLANTED));
    }
}
