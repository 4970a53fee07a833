//! The key by which a caller marks two requests as one.

use axum::http::HeaderMap;

use super::error::ApiError;

const HEADER: &str = "idempotency-key";
const LIMIT: usize = 200;

/// The value of `Idempotency-Key`, if there is one.
///
/// # Errors
/// 400 `invalid_idempotency_key` unless it is given once, as 1 to 200 visible ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(first) = given.next() else { return Ok(None) };
    let key = first.to_str().unwrap_or_default();
    match given.next().is_none() && is_idempotency_key(key) {
        true => Ok(Some(key.to_owned())),
        false => Err(invalid()),
    }
}

/// The key of a request whose body may name one too.
///
/// # Errors
/// 400 `invalid_idempotency_key` for either, and `idempotency_key_mismatch` if they differ.
pub fn idempotency_key_or(headers: &HeaderMap, body: Option<String>) -> Result<Option<String>, ApiError> {
    if body.as_deref().is_some_and(|key| !is_idempotency_key(key)) {
        return Err(invalid());
    }
    match (idempotency_key(headers)?, body) {
        (Some(header), Some(body)) if header != body => Err(ApiError::bad_request(
            "idempotency_key_mismatch",
            "The header Idempotency-Key and the field `idempotency_key` differ. Give one of them, or the same in both.",
        )),
        (header, body) => Ok(header.or(body)),
    }
}

fn is_idempotency_key(text: &str) -> bool {
    (1..=LIMIT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn invalid() -> ApiError {
    ApiError::bad_request(
        "invalid_idempotency_key",
        format!("Give Idempotency-Key once, with 1 to {LIMIT} visible ASCII characters, for example a UUID."),
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn key(values: &[&[u8]]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        idempotency_key(&headers).map_err(|e| e.code())
    }

    #[test]
    fn a_key_of_visible_characters_is_taken_as_it_is() {
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&[b"nightly/2026-11-21#1"]), Ok(Some("nightly/2026-11-21#1".to_owned())));
        assert_eq!(key(&[&[b'a'; 200]]), Ok(Some("a".repeat(200))));
    }

    #[test]
    fn any_other_key_is_refused() {
        let odd: [&[&[u8]]; 5] = [&[b""], &[b"a b"], &[&[b'a'; 201]], &[b"\xc3\xa9"], &[b"a", b"b"]];
        for values in odd {
            assert_eq!(key(values), Err("invalid_idempotency_key"), "{values:?}");
        }
    }

    #[test]
    fn header_and_body_may_both_name_the_key_but_not_two() {
        let mut headers = HeaderMap::new();
        let both = |headers: &HeaderMap, body: Option<&str>| {
            idempotency_key_or(headers, body.map(str::to_owned)).map_err(|e| e.code())
        };
        assert_eq!(both(&headers, None), Ok(None));
        assert_eq!(both(&headers, Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(both(&headers, Some("")), Err("invalid_idempotency_key"));
        headers.insert(HEADER, HeaderValue::from_static("a"));
        assert_eq!(both(&headers, None), Ok(Some("a".to_owned())));
        assert_eq!(both(&headers, Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(both(&headers, Some("b")), Err("idempotency_key_mismatch"));
    }
}
