//! What the forwarding host makes of a request's address: it decodes it, and builds a new one.

use percent_encoding::percent_decode;

/// The path as the web server shows it: percent-encoding undone except `%2F`, dot segments removed.
/// None for a path that the web server refuses (raw bytes beyond ASCII, a zero byte, no leading slash).
pub fn decode_path(raw: &[u8]) -> Option<String> {
    if raw.first() != Some(&b'/') || !raw.is_ascii() {
        return None;
    }
    if !raw.contains(&b'%') && !raw.windows(2).any(|pair| pair == b"/.") {
        return String::from_utf8(raw.to_vec()).ok();
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, after)) = rest.split_first() {
        match (first, hex_pair(after)) {
            (b'%', Some(0)) => return None,
            (b'%', Some(b'/')) | (b'%', None) => bytes.push(b'%'),
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            _ => bytes.push(first),
        }
        rest = after;
    }
    // Bytes that are no UTF-8 stay percent-encoded.
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(remove_dots(&text))
}

/// The path that the handler gets for a decoded one.
pub fn encode_path(decoded: &str) -> String {
    // A decoded '?' or '#' ends the path: the host puts a new address together as text and parses it again.
    let path = decoded.split(['?', '#']).next().unwrap_or_default();
    let mut encoded = String::with_capacity(path.len() + 8);
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => match hex_pair(after) {
                Some(unreserved) if is_unreserved(unreserved) => {
                    encoded.push(char::from(unreserved));
                    rest = after.get(2..).unwrap_or_default();
                }
                Some(_) => encoded.push('%'),
                None => encoded.push_str("%25"),
            },
            byte if is_unreserved(byte) || b"/;:@&=+$,!*'()[]".contains(&byte) => encoded.push(char::from(byte)),
            b'\\' => encoded.push('/'),
            byte => push_encoded(&mut encoded, byte),
        }
    }
    if encoded.contains("/.") { remove_dots(&encoded) } else { encoded }
}

fn hex_pair(after: &[u8]) -> Option<u8> {
    let [high, low, ..] = after else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn push_encoded(text: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(HEX[usize::from(byte >> 4)]));
    text.push(char::from(HEX[usize::from(byte & 15)]));
}

fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// The parameters of a query as the web server shows them: names compared without case, in order of first appearance.
pub fn parse_query(query: &str) -> Vec<(String, Vec<String>)> {
    let mut parsed: Vec<(String, Vec<String>)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (decode_query(name), decode_query(value));
        match parsed.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, values)) => values.push(value),
            None => parsed.push((name, vec![value])),
        }
    }
    parsed
}

fn decode_query(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().map_or_else(|_| spaced.clone(), std::borrow::Cow::into_owned)
}

/// The query that the handler gets, with its question mark; empty for none.
pub fn rebuild_query(query: &str) -> String {
    let mut rebuilt = String::with_capacity(query.len() + 8);
    for (name, values) in parse_query(query) {
        rebuilt.push(if rebuilt.is_empty() { '?' } else { '&' });
        encode_query(&mut rebuilt, &name);
        rebuilt.push('=');
        encode_query(&mut rebuilt, &values.join(","));
    }
    rebuilt
}

fn encode_query(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_unreserved(byte) || b"!$()*,;@".contains(&byte) {
            into.push(char::from(byte));
        } else {
            push_encoded(into, byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(raw: &str) -> String {
        encode_path(&decode_path(raw.as_bytes()).unwrap())
    }

    #[test]
    fn a_path_arrives_as_the_measured_host_rebuilds_it() {
        for (sent, arrives) in [
            ("/a%20b/%C3%A9/x%2Fy/%252e", "/a%20b/%C3%A9/x%2Fy/"),
            ("/a/../b/./c", "/b/c"),
            ("/a/%2e%2e/b", "/b"),
            ("/a;b=c/@:!$&'()*+,=~-_.x", "/a;b=c/@:!$&'()*+,=~-_.x"),
            ("/Foo/BAR/", "/Foo/BAR/"),
            ("/lower%c3%a9", "/lower%C3%A9"),
            ("/100%", "/100%25"),
            ("/%ff", "/%FF"),
        ] {
            assert_eq!(forwarded(sent), arrives, "{sent}");
        }
    }

    #[test]
    fn raw_bytes_beyond_ascii_are_refused() {
        assert_eq!(decode_path("/é".as_bytes()), None);
    }

    #[test]
    fn a_query_is_decoded_folded_and_encoded_again() {
        assert_eq!(
            rebuild_query("q=1&q=2&e=%C3%A9&plus=a+b&sp=%20&empty=&novalue&amp=%26&br=[x]"),
            "?q=1,2&e=%C3%A9&plus=a%20b&sp=%20&empty=&novalue=&amp=%26&br=%5Bx%5D"
        );
        assert_eq!(rebuild_query(""), "");
    }
}
