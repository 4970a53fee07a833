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
    if given.next().is_none() && is_idempotency_key(key) {
        return Ok(Some(key.to_owned()));
    }
    Err(ApiError::bad_request(
        "invalid_idempotency_key",
        format!(
            "Give the header Idempotency-Key once, with 1 to {LIMIT} visible ASCII characters, for example a UUID."
        ),
    ))
}

/// Whether a text may serve as a key; also for keys that come in a body.
pub fn is_idempotency_key(text: &str) -> bool {
    (1..=LIMIT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
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
}
