//! Tells the host's own invocations from requests that the host merely forwards.
//!
//! An invocation is chunked, names the handler's loopback address as its host, and has the host's product as its whole
//! User-Agent. A forwarded request is never chunked, names the client's host and has the client's User-Agent first; a
//! proxied one may be chunked and name us, but always says for whom it was forwarded, which no invocation does.

use axum::http::{HeaderMap, header};

pub fn is_invocation(headers: &HeaderMap, port: u16) -> bool {
    let only = |name: header::HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
    };
    let chunked = only(header::TRANSFER_ENCODING).is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let to_us = only(header::HOST).is_some_and(|host| host == format!("127.0.0.1:{port}"));
    let by_host = only(header::USER_AGENT).is_some_and(is_host_product);
    let forwarded = headers.keys().any(|name| name.as_str().starts_with("x-forwarded-"));
    chunked && to_us && by_host && !forwarded
}

/// `Azure-Functions-Host/<version>` and nothing else.
fn is_host_product(agent: &str) -> bool {
    agent.strip_prefix("Azure-Functions-Host/").is_some_and(|version| {
        !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    const AGENT: (&str, &str) = ("user-agent", "Azure-Functions-Host/4.1037.0.0");
    const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");
    const HOST: (&str, &str) = ("host", "127.0.0.1:4000");

    #[test]
    fn an_invocation_has_all_three_marks() {
        assert!(is_invocation(&headers(&[AGENT, CHUNKED, HOST]), 4000));
    }

    #[test]
    fn anything_less_is_no_invocation() {
        for forged in [
            vec![AGENT, HOST],
            vec![AGENT, CHUNKED],
            vec![CHUNKED, HOST],
            vec![CHUNKED, HOST, ("user-agent", "curl/8 Azure-Functions-Host/4.1037.0.0")],
            vec![CHUNKED, HOST, ("user-agent", "Azure-Functions-Host/")],
            vec![CHUNKED, HOST, ("user-agent", "Azure-Functions-Host/4 x")],
            vec![AGENT, CHUNKED, ("host", "example.test:4000")],
            vec![AGENT, CHUNKED, ("host", "127.0.0.1:4001")],
            vec![AGENT, CHUNKED, HOST, ("x-forwarded-for", "127.0.0.1")],
        ] {
            assert!(!is_invocation(&headers(&forged), 4000), "{forged:?}");
        }
    }
}
