//! How the measured host orders and spells header fields: its web server sorts those that it knows, its HTTP client
//! spells those that it knows, and everything else stays as sent.

use bytes::Bytes;

use super::heads::Field;

/// Request fields that the web server knows, in the order in which it lists them. Source: Kestrel's `KnownHeaders`.
const REQUEST_ORDER: &[&str] = &[
    "Accept",
    "Connection",
    "Host",
    "User-Agent",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Authorization",
    "baggage",
    "Cache-Control",
    "Content-Type",
    "Cookie",
    "Correlation-Context",
    "Date",
    "Expect",
    "From",
    "Grpc-Accept-Encoding",
    "Grpc-Encoding",
    "Grpc-Timeout",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Request-Id",
    "TE",
    "traceparent",
    "tracestate",
    "Transfer-Encoding",
    "Translate",
    "Upgrade",
    "Upgrade-Insecure-Requests",
    "Via",
    "Warning",
    "Content-Length",
];

/// Answer fields that the web server knows, in the order in which it writes them. Source: as above.
const RESPONSE_ORDER: &[&str] = &[
    "Content-Length",
    "Connection",
    "Content-Type",
    "Date",
    "Server",
    "Accept-Ranges",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Age",
    "Allow",
    "Alt-Svc",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "ETag",
    "Expires",
    "Grpc-Encoding",
    "Keep-Alive",
    "Last-Modified",
    "Location",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Connection",
    "Retry-After",
    "Set-Cookie",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Vary",
    "Via",
    "Warning",
    "WWW-Authenticate",
];

/// Further fields that the HTTP client spells in its own way. Source: .NET's `System.Net.Http.Headers.KnownHeaders`.
const SPELT: &[&str] = &[
    "Accept-Patch",
    "Alt-Used",
    "Content-Disposition",
    "Content-Security-Policy",
    "Cookie2",
    "Expect-CT",
    "Link",
    "P3P",
    "Proxy-Support",
    "Public-Key-Pins",
    "Referrer-Policy",
    "Refresh",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Version",
    "Server-Timing",
    "Set-Cookie2",
    "Strict-Transport-Security",
    "TSV",
    "X-AspNet-Version",
    "X-Cache",
    "X-Content-Duration",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-MSEdge-Ref",
    "X-Powered-By",
    "X-Request-ID",
    "X-UA-Compatible",
    "X-XSS-Protection",
];

/// Entity fields: the forwarding host gives a request only its Content-Type and Content-Length along, and lists
/// an answer's after all others.
const ENTITY: &[&str] = &[
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Content-Length",
    "Expires",
    "Last-Modified",
];

fn known(list: &'static [&'static str], name: &[u8]) -> Option<(usize, &'static str)> {
    list.iter().enumerate().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(at, name)| (at, *name))
}

pub fn is_entity(name: &[u8]) -> bool {
    known(ENTITY, name).is_some()
}

/// The name as the HTTP client writes it.
pub fn spelling(name: &Bytes) -> Bytes {
    known(SPELT, name).map_or_else(|| name.clone(), |(_, spelt)| Bytes::from_static(spelt.as_bytes()))
}

/// One field as the web server shows it to the application: all values of one name together.
pub struct Folded<'a> {
    pub name: Bytes,
    pub values: Vec<&'a [u8]>,
}

impl Folded<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// A request's fields as the web server lists them: known ones first, repeated ones together.
pub fn fold_request(fields: &[Field]) -> Vec<Folded<'_>> {
    let mut folded: Vec<(usize, Folded<'_>)> = Vec::with_capacity(fields.len());
    for field in fields {
        if let Some((_, same)) = folded.iter_mut().find(|(_, same)| same.name.eq_ignore_ascii_case(&field.name)) {
            same.values.push(&field.value);
            continue;
        }
        let (rank, name) = known(REQUEST_ORDER, &field.name).map_or_else(
            || (usize::MAX, spelling(&field.name)),
            |(at, name)| (at, Bytes::from_static(name.as_bytes())),
        );
        folded.push((rank, Folded { name, values: vec![&field.value] }));
    }
    folded.sort_by_key(|(rank, _)| *rank);
    folded.into_iter().map(|(_, folded)| folded).collect()
}

/// An answer's fields in the order and the spelling in which a client gets them.
pub fn order_response(fields: impl Iterator<Item = (Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
    let mut ordered: Vec<(usize, Bytes, Bytes)> = fields
        .map(|(name, value)| match known(RESPONSE_ORDER, &name) {
            Some((at, known)) => (at, Bytes::from_static(known.as_bytes()), value),
            None if is_entity(&name) => (usize::MAX, spelling(&name), value),
            None => (usize::MAX - 1, spelling(&name), value),
        })
        .collect();
    ordered.sort_by_key(|(rank, _, _)| *rank);
    ordered.into_iter().map(|(_, name, value)| (name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &'static str)]) -> Vec<Field> {
        list.iter()
            .map(|(name, value)| Field {
                name: Bytes::from_static(name.as_bytes()),
                value: Bytes::from_static(value.as_bytes()),
            })
            .collect()
    }

    #[test]
    fn repeated_fields_come_together_at_the_place_of_the_first() {
        let fields = fields(&[("x-b", "1"), ("accept", "*/*"), ("X-A", "2"), ("X-B", "3")]);
        let names: Vec<_> = fold_request(&fields)
            .into_iter()
            .map(|folded| (String::from_utf8_lossy(&folded.name).into_owned(), folded.values.len()))
            .collect();
        assert_eq!(names, [("Accept".to_owned(), 1), ("x-b".to_owned(), 2), ("X-A".to_owned(), 1)]);
    }

    #[test]
    fn an_answers_fields_are_spelt_as_the_measured_host_spells_them() {
        let given = ["x-powered-by", "etag", "content-disposition", "x-own", "www-authenticate", "content-type"];
        let ordered = order_response(given.into_iter().map(|name| (Bytes::from_static(name.as_bytes()), Bytes::new())));
        let names: Vec<_> = ordered.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
        assert_eq!(names, ["Content-Type", "ETag", "WWW-Authenticate", "X-Powered-By", "x-own", "Content-Disposition"]);
    }
}
