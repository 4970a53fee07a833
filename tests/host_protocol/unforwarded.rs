//! HTTP functions that are invoked instead of forwarded.

use serde_json::{Value, json};

use crate::handler::{Request, Step, bytes};
use crate::rig::{Rig, Setup, answer, captures, json_answer, normal};

fn captured_answer(request: &Request) -> Vec<Step> {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let outputs = |res: &str| json_answer(&format!(r#"{{"Outputs":{res},"Logs":[],"ReturnValue":null}}"#));
    match body["Data"]["req"]["Query"]["q"].as_str().unwrap_or("") {
        "obj" => outputs(r#"{"res":{"statusCode":201,"headers":{"X-A":"1"},"body":{"a":1}}}"#),
        "str" => outputs(r#"{"res":{"statusCode":202,"headers":{"content-type":"text/html"},"body":"text"}}"#),
        "status" => outputs(r#"{"res":{"body":"nf"}}"#),
        "s500" => answer("500 Internal Server Error", ""),
        "none" => outputs("{}"),
        "ret" => json_answer(r#"{"Outputs":{},"Logs":[],"ReturnValue":{"statusCode":418,"body":"tea"}}"#),
        "retstr" => json_answer(r#"{"Outputs":{},"Logs":[],"ReturnValue":"plain"}"#),
        "both" => outputs(r#"{"res":{"body":"ok"},"out":"queued item!"}"#),
        // What a handler says that expected a forwarded request.
        _ => answer("200 OK\r\nContent-Type: text/plain", "ok"),
    }
}

async fn rig() -> Rig {
    let trigger = |route: &str| json!({"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": route});
    let mut setup = Setup::new(captured_answer)
        .function("aweb", json!([trigger("w/{id}"), {"type": "http", "direction": "out", "name": "res"}]))
        .function("ret", json!([trigger("ret"), {"type": "http", "direction": "out", "name": "$return"}]))
        .function(
            "hq",
            json!([
                trigger("hq"),
                {"type": "http", "direction": "out", "name": "res"},
                {"type": "queue", "direction": "out", "name": "out", "queueName": "results"}
            ]),
        )
        .queues(json!({"messageEncoding": "none"}));
    setup.host_json["customHandler"]["enableForwardingHttpRequest"] = json!(false);
    setup.host_json["customHandler"]["enableProxyingHttpRequest"] = json!(true);
    setup.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_become_responses_as_captured() {
    let mut rig = rig().await;
    for case in captures("others.jsonl").into_iter().filter(|case| case["kind"] == "not forwarded") {
        let (path, name) = (case["path"].as_str().unwrap(), case["answer"].as_str().unwrap());
        let mut client = rig.connect().await;
        client.send(&format!("GET {path}?q={name} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let (head, _) = client.answer().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {} ", case["status"])), "{name}: {head}");
        let lines: Vec<String> = head.lines().skip(1).filter(|line| !line.is_empty()).map(normal).collect();
        let captured: Vec<String> = case["client"]
            .as_array()
            .unwrap()
            .chunks(2)
            .map(|pair| normal(&format!("{}: {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())))
            .collect();
        assert_eq!(lines, captured, "{name}");
        // The body comes in one chunk, if any does.
        drop(client);
        let whole =
            rig.exchange(&format!("GET {path}?q={name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), false).await;
        let body = case["body"].as_str().unwrap();
        let framed = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()) };
        assert!(whole.ends_with(&format!("\r\n\r\n{framed}")), "{name}: {whole}");
        rig.next().await;
        rig.next().await;
    }
    let queued = captures("others.jsonl").into_iter().find(|case| case["kind"] == "output of hq").unwrap();
    assert_eq!(rig.store.texts("results")[..1], *queued["messages"].as_array().unwrap());
    rig.said(&["'aweb'", "HTTP output"]).await;
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envelope_holds_the_request_as_captured() {
    let mut rig = rig().await;
    let case = captures("others.jsonl").into_iter().find(|case| case["kind"] == "envelope").unwrap();
    let sent = "POST /w/7?x=1&x=2 HTTP/1.1\r\nHost: 127.0.0.1:7098\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n\
                x-a: 1\r\nx-a: 2\r\nContent-Length: 9\r\n\r\n{\"k\":\"v\"}";
    let mut client = rig.connect().await;
    client.send(sent).await;
    let request = rig.next().await;
    assert_eq!(request.line, "POST /aweb HTTP/1.1");
    let fields: Vec<String> =
        case["fields"].as_array().unwrap().iter().map(|field| normal(field.as_str().unwrap())).collect();
    assert_eq!(request.fields.iter().map(|field| normal(field)).collect::<Vec<_>>(), fields);
    let got = String::from_utf8(bytes(&request.body)).unwrap();
    assert_eq!(normal(&got), normal(case["body"].as_str().unwrap()));
    // A handler that answers as if it were forwarded fails, as captured with forwarding switched off.
    let off = captures("others.jsonl").into_iter().find(|case| case["kind"] == "forwarding off").unwrap();
    let (head, body) = client.answer().await;
    let names: Vec<&str> = head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let captured: Vec<&str> =
        off["client"].as_array().unwrap().chunks(2).map(|pair| pair[0].as_str().unwrap()).collect();
    assert!(head.starts_with(&format!("HTTP/1.1 {} ", off["status"])) && body.is_empty(), "{head}");
    assert_eq!(names, captured);
    rig.host.shutdown().await;
}
