//! What an upgrade is asked for, in the terms of the pipeline.

use crate::http::error::ApiError;
use crate::pipelines::upgrade::{BadVersion, Sha, Version};

/// A version becomes part of a tag of git and of an image, so nothing else may get through.
pub fn version(text: &str) -> Result<String, ApiError> {
    let parsed = Version::parse(text);
    let refused =
        |_| ApiError::bad_request("invalid_version", format!("Give `target_version` as 1.2.3: {BadVersion}."));
    parsed.map(|version| version.as_str().to_owned()).map_err(refused)
}

/// In lower case.
pub fn sha(text: String) -> Result<String, ApiError> {
    Sha::parse(&text)
        .map(|sha| sha.as_str().to_owned())
        .ok_or_else(|| ApiError::bad_request("invalid_sha", "Give `target_sha` as 7 to 64 hexadecimal digits."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers_and_a_suffix() {
        for text in ["0.0.1", "1.2.3", "10.20.30-rc.1", "1.2.3-commit.0a1b2c3", "1.2.3-alpha-2"] {
            assert_eq!(version(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn nothing_that_is_more_than_a_version_gets_through() {
        let long = format!("1.0.0-{}", "a".repeat(59));
        for text in [
            "",
            "1",
            "1.0",
            "v1.0.0",
            "1.0; rm -rf /",
            "1.0.0; rm -rf /",
            "../../etc",
            "1.0.0-../../etc",
            "1.0.0-..",
            "1.0.0-",
            "1.0.0-a.",
            "1.0.0+b",
            "1.0.0\n",
            "\n1.0.0",
            "1.0.0 ",
            "١.٢.٣",
            "1.0.0-é",
            "$(id)",
            "1.0.0-$(id)",
            &long,
        ] {
            assert_eq!(version(text).map_err(|e| e.code()), Err("invalid_version"), "{text:?}");
        }
    }

    #[test]
    fn a_sha_is_hexadecimal_and_of_a_sensible_length() {
        assert_eq!(sha("0A1b2c3".to_owned()).as_deref(), Ok("0a1b2c3"));
        assert!(sha("a".repeat(64)).is_ok());
        for text in ["", "abcdef", "abcdefg", &"a".repeat(65), "HEAD", "0a1b2c3 "] {
            assert_eq!(sha(text.to_owned()).map_err(|e| e.code()), Err("invalid_sha"), "{text:?}");
        }
    }
}
