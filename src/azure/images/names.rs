//! Names of repositories, tags and digests, and the paths made from them. A name that would need encoding is no name: the
//! registry knows slashes, and never `%2F`.

use crate::azure::error::{AzureError, ErrorKind};

const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

pub(super) fn manifest(operation: &'static str, repository: &str, reference: &str) -> Result<String, AzureError> {
    let fits = is_tag(reference) || is_digest(reference);
    checked(operation, repository, fits, || format!("/v2/{repository}/manifests/{reference}"))
}

pub(super) fn manifest_of(operation: &'static str, repository: &str, digest: &str) -> Result<String, AzureError> {
    checked(operation, repository, is_digest(digest), || format!("/v2/{repository}/manifests/{digest}"))
}

pub(super) fn tags(operation: &'static str, repository: &str) -> Result<String, AzureError> {
    checked(operation, repository, true, || format!("/acr/v1/{repository}/_tags"))
}

pub(super) fn tag(operation: &'static str, repository: &str, tag: &str) -> Result<String, AzureError> {
    checked(operation, repository, is_tag(tag), || format!("/acr/v1/{repository}/_tags/{tag}"))
}

fn checked(
    operation: &'static str,
    repository: &str,
    reference_fits: bool,
    path: impl Fn() -> String,
) -> Result<String, AzureError> {
    let refused = |what: &str| Err(AzureError::new(ErrorKind::Invalid, operation, what));
    match (is_repository(repository), reference_fits) {
        (true, true) => Ok(path()),
        (false, _) => refused("the repository's name is none that a registry can have"),
        (_, false) => refused("the image's tag or digest is none that a registry can have"),
    }
}

fn is_repository(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST_REPOSITORY
        && name.split('/').all(|part| {
            part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || "._-".contains(c))
        })
}

fn is_tag(tag: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= LONGEST_TAG && tag.starts_with(plain) && tag.chars().all(|c| plain(c) || c == '.' || c == '-')
}

/// `sha256:…`, or another algorithm's.
pub(super) fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hash)) = digest.split_once(':') else { return false };
    let named = algorithm.starts_with(|c: char| c.is_ascii_lowercase())
        && algorithm.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    named && (32..=256).contains(&hash.len()) && hash.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:110d2b6c84592561338aa040b1b14b7ab81c2f9edbd564c2285dd7d70d777086";

    #[test]
    fn slashes_stay_slashes_and_a_digest_stays_as_it_is() {
        let path = manifest("testing", "team/sub-a/elb_api.v2", DIGEST).unwrap();
        assert_eq!(path, format!("/v2/team/sub-a/elb_api.v2/manifests/{DIGEST}"));
        assert_eq!(tag("testing", "test/bash", "v1.2.3").unwrap(), "/acr/v1/test/bash/_tags/v1.2.3");
    }

    #[test]
    fn odd_names_are_refused() {
        let long = "a".repeat(256);
        for name in
            ["", "/", "a/", "/a", "a//b", "..", "a/../b", "a%2Fb", "Api", "a b", "a?b", "a#b", "a:b", "ä", &long]
        {
            assert_eq!(tags("testing", name).unwrap_err().kind, ErrorKind::Invalid, "{name}");
        }
        let long = "a".repeat(129);
        for reference in ["", "..", ".a", "-a", "a/b", "a b", "a%2Fb", "a?n=1", "sha256:xyz", "sha256:", &long] {
            assert!(manifest("testing", "a", reference).is_err(), "{reference}");
            assert!(tag("testing", "a", reference).is_err(), "{reference}");
        }
        // A tag is never taken for the manifest behind it.
        assert!(manifest_of("testing", "a", "v1").is_err());
        assert!(tag("testing", "a", DIGEST).is_err());
    }
}
