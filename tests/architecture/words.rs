//! The vocabulary: one word for one thing, and a protocol's words stay where the protocol is spoken.

use super::source::Source;

/// Synonyms of `run` that other systems use.
const SYNONYMS: &[&str] = &["job", "jobs", "build", "builds", "deployment", "deployments", "instances"];
/// `instance` alone is a process of ours; as somebody's id it is a run in another system's words.
const INSTANCE_ID: &[&str] = &["instance", "id"];

pub fn synonyms(source: &Source) -> Vec<String> {
    if !matches!(source.room(), "engine" | "model") {
        return Vec::new();
    }
    let says = |text: &str| {
        let parts = parts(text);
        parts.iter().any(|part| SYNONYMS.contains(&part.as_str())) || parts.windows(2).any(|pair| pair == INSTANCE_ID)
    };
    let words = source.words.iter().filter(|word| says(&word.text));
    words.map(|word| format!("{}:{}: {} is a run here", source.file, word.line, word.text)).collect()
}

/// To everybody but the stores and HTTP the token of a row is its version.
pub fn etags(source: &Source) -> Vec<String> {
    if matches!(source.room(), "storage" | "http" | "dev" | "bin") {
        return Vec::new();
    }
    let says = |text: &str| {
        let parts = parts(text);
        text.contains("ETag") || parts.iter().any(|part| part == "etag") || parts.windows(2).any(|p| p == ["e", "tag"])
    };
    let words = source.words.iter().filter(|word| says(&word.text));
    words.map(|word| format!("{}:{}: {} is a version here", source.file, word.line, word.text)).collect()
}

/// The words of an identifier in either case, in lower case.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut after_small = false;
    for c in identifier.chars() {
        if c == '_' || (c.is_uppercase() && after_small) {
            parts.push(String::new());
        }
        after_small = c.is_lowercase() || c.is_ascii_digit();
        if c != '_'
            && let Some(part) = parts.last_mut()
        {
            part.extend(c.to_lowercase());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::tree;

    fn source(file: &str, text: &str) -> Source {
        Source::parse(file, text, false)
    }

    #[test]
    fn a_run_is_called_a_run() {
        tree::hold(tree::production().iter().flat_map(synonyms).collect());
    }

    #[test]
    fn another_systems_word_for_a_run_is_found() {
        for text in ["fn start_job() {}", "struct BuildId;", "fn f(instance_id: u8) {}", "use a::Deployment;"] {
            assert_eq!(synonyms(&source("src/engine/x.rs", text)).len(), 1, "{text}");
        }
        for text in ["fn rebuild_index() {}", "fn f() { \"the job\" }", "struct Settings { instance: u8 }"] {
            assert!(synonyms(&source("src/engine/x.rs", text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_version_is_called_an_etag_by_storage_and_http_alone() {
        tree::hold(tree::production().iter().flat_map(etags).collect());
    }

    #[test]
    fn an_etag_elsewhere_is_found() {
        for text in ["struct ETag;", "fn f(etag: u8) {}", "const IF_ETAG: u8 = 0;", "fn f() { g(x.e_tag) }"] {
            assert_eq!(etags(&source("src/engine/x.rs", text)).len(), 1, "{text}");
            assert!(etags(&source("src/storage/x.rs", text)).is_empty(), "{text}");
        }
        assert!(etags(&source("src/model/x.rs", "struct ScopeTag;")).is_empty());
    }
}
