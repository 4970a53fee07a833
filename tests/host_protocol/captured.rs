//! The handler that the captures were taken with, as far as HTTP goes.

use crate::handler::{Request, Step};

/// The handler that was captured, a small Node.js server.
pub fn captured_handler(request: &Request) -> Vec<Step> {
    let closing = request.field("Connection") == Some("close");
    let connection = if closing { "Connection: close" } else { "Connection: keep-alive\r\nKeep-Alive: timeout=65" };
    let date = "Date: Sat, 21 Nov 2026 01:46:43 GMT";
    let send = |status: &str, fields: &str, body: &str| {
        let length = format!("Content-Length: {}", body.len());
        let bodiless = request.method() == "HEAD" || status.starts_with("204") || status.starts_with("304");
        let (length, body) = if bodiless { ("X-None: ", "") } else { (length.as_str(), body) };
        let head = format!("HTTP/1.1 {status}\r\n{fields}{date}\r\n{connection}\r\n{length}\r\n\r\n{body}");
        vec![Step::Write(head.replace("X-None: \r\n", ""))]
    };
    let chunks = |kind: &str, parts: &[&str]| {
        let mut steps = vec![Step::Write(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{date}\r\n{connection}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))];
        for part in parts {
            steps.extend([Step::Write(format!("{:x}\r\n{part}\r\n", part.len())), Step::Pause(20)]);
        }
        steps.push(Step::Write("0\r\n\r\n".to_owned()));
        steps
    };
    let target = request.target();
    let path = target.split('?').next().unwrap();
    if let Some(code) = path.strip_prefix("/status/") {
        let mut fields = "Content-Type: text/plain\r\nx-handler: 1\r\nETag: \"abc\"\r\n".to_owned();
        match code {
            "401" => fields += "WWW-Authenticate: Basic realm=\"x\"\r\n",
            "429" | "503" => fields += "Retry-After: 17\r\n",
            _ if code.starts_with('3') => fields += "Location: /elsewhere?a=b\r\n",
            _ => {}
        }
        return send(&format!("{code} {}", phrase(code)), &fields, &format!("status {code}"));
    }
    match path {
        "/hdrs" => vec![Step::Write(
            "HTTP/1.1 200 OK\r\nLink: <a>; rel=x\r\nx-multi: 1\r\nx-multi: 2\r\nStrict-Transport-Security: max-age=1\r\n\
             X-Powered-By: me\r\nContent-Disposition: attachment; filename=\"a.txt\"\r\nVary: Accept\r\nVary: Cookie\r\n\
             Set-Cookie: a=1; Path=/; HttpOnly\r\nSet-Cookie: b=2; Path=/\r\nRetry-After: 5\r\n\
             Location: https://example.invalid/x?y=1\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nExpires: 0\r\n\
             ETag: W/\"v1\"\r\nContent-Language: en\r\nCache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\n\
             Server: handler/1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n\
             Connection: keep-alive\r\nContent-Length: 8\r\n\r\n<p>h</p>"
                .to_owned(),
        )],
        "/bin" => send("200 OK", "Content-Type: application/octet-stream\r\n", "\0\u{1}\u{2}ÿþ")
            .into_iter()
            .map(|step| match step {
                Step::Write(text) => Step::Write(text.replace("Content-Length: 7", "Content-Length: 5")),
                other => other,
            })
            .collect(),
        "/noct" => send("200 OK", "", "no content type"),
        "/gzip" => send("200 OK", "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", &"z".repeat(30)),
        "/trailers" => vec![Step::Write(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: x-t\r\n{date}\r\n{connection}\r\n\
             Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-t: 1\r\n\r\n"
        ))],
        "/reset" => vec![Step::Reset],
        "/half" => vec![
            Step::Write(format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{date}\r\n{connection}\r\nContent-Length: 100\r\n\r\nhalf")),
            Step::Close,
        ],
        "/stream" => chunks("text/plain", &["p0\n", "p1\n", "p2\n", "p3\n"]),
        "/sse" => chunks("text/event-stream", &["data: 0\n\n", "data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]),
        "/big" => {
            let size: usize = target.split_once("n=").unwrap().1.parse().unwrap();
            vec![
                Step::Write(format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n{date}\r\n{connection}\r\nContent-Length: {size}\r\n\r\n"
                )),
                Step::Fill(size),
            ]
        }
        _ => send("200 OK", "Content-Type: text/plain\r\n", &format!("ok {} {target}", request.method())),
    }
}

fn phrase(code: &str) -> &'static str {
    match code {
        "200" => "OK",
        "201" => "Created",
        "202" => "Accepted",
        "204" => "No Content",
        "205" => "Reset Content",
        "206" => "Partial Content",
        "301" => "Moved Permanently",
        "302" => "Found",
        "303" => "See Other",
        "304" => "Not Modified",
        "307" => "Temporary Redirect",
        "400" => "Bad Request",
        "401" => "Unauthorized",
        "403" => "Forbidden",
        "404" => "Not Found",
        "405" => "Method Not Allowed",
        "409" => "Conflict",
        "410" => "Gone",
        "418" => "I'm a Teapot",
        "422" => "Unprocessable Entity",
        "429" => "Too Many Requests",
        "500" => "Internal Server Error",
        "502" => "Bad Gateway",
        "503" => "Service Unavailable",
        "504" => "Gateway Timeout",
        _ => "unknown",
    }
}
