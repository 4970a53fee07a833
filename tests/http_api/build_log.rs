//! Build logs: whole, in parts, and while they grow.

use serde_json::json;
use tokio::time::{Duration, Instant};
use windlass::model::Verdict;

use crate::api::{ADA, ADMIN, Act, Answer, Api, LISTED};

fn path(id: &str, component: &str) -> String {
    format!("/api/upgrade/jobs/{id}/build-log/{component}")
}

async fn log(api: &Api, id: &str, query: &str) -> Answer {
    api.get(&format!("{}{query}", path(id, "api"))).by(ADMIN).send().await
}

async fn range(api: &Api, id: &str, range: &str) -> Answer {
    api.get(&path(id, "api")).by(ADMIN).header("Range", range).send().await
}

fn told(answer: &Answer) -> (u16, &str, &str, &str) {
    (answer.status, answer.text(), answer.header("x-windlass-log-length"), answer.header("x-windlass-log-complete"))
}

/// An upgrade that has said these lines and goes on.
async fn said(lines: &[&str]) -> (Api, String) {
    let api = Api::new();
    let act = lines.iter().fold(Act::wait(json!({})), |act, line| act.saying("build-api", *line));
    let id = api.upgrade([act]).await;
    api.step().await;
    (api, id)
}

#[tokio::test(start_paused = true)]
async fn there_is_an_empty_log_before_the_first_line() {
    let api = Api::new();
    let id = api.upgrade([]).await;
    let answer = log(&api, &id, "").await;
    assert_eq!(told(&answer), (200, "", "0", "false"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test(start_paused = true)]
async fn a_log_is_the_lines_of_its_component() {
    let (api, id) = said(&["Step 1/2", "Step 2/2"]).await;
    let answer = log(&api, &id, "").await;
    assert_eq!(told(&answer), (200, "Step 1/2\nStep 2/2\n", "18", "false"));
    for (header, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-range", ""),
    ] {
        assert_eq!(answer.header(header), value, "{header}");
    }
    assert_eq!(api.get(&path(&id, "frontend")).by(LISTED).send().await.text(), "");
    assert_eq!(log(&api, &id, "?offset=9").await.text(), "Step 2/2\n");
    for offset in ["18", "19", "18446744073709551615"] {
        assert_eq!(told(&log(&api, &id, &format!("?offset={offset}")).await), (200, "", "18", "false"), "{offset}");
    }

    api.will([Act::done(Verdict::Succeeded, json!({})).saying("build-api", "done")]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    api.step().await;
    assert_eq!(told(&log(&api, &id, "?offset=18").await), (200, "done\n", "23", "true"));
}

#[tokio::test(start_paused = true)]
async fn a_log_is_for_admins() {
    let (api, id) = said(&["secret plans"]).await;
    let answer = api.get(&path(&id, "api")).by(ADA).send().await;
    assert_eq!(answer.code(), (403, "not_an_admin".into()));
}

#[tokio::test(start_paused = true)]
async fn components_and_jobs_that_do_not_exist_are_told_apart() {
    let (api, id) = said(&["x"]).await;
    for component in ["other", "API", "..%2Fapi", "%FF"] {
        let answer = api.get(&path(&id, component)).by(ADMIN).send().await;
        assert_eq!(answer.code(), (400, "unknown_component".into()), "{component}");
        assert!(answer.message().contains("api, frontend, terminal"), "{}", answer.message());
    }
    let probe = api.probe(json!(null)).await;
    for job in [probe.as_str(), "0123456789-01234567890123456789", "x", "..%2F.."] {
        let answer = api.get(&path(job, "api")).by(ADMIN).send().await;
        assert_eq!(answer.code(), (404, "unknown_job".into()), "{job}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_is_answered_with_its_part() {
    let (api, id) = said(&["0123456789"]).await;
    for (asked, text, content_range) in [
        ("bytes=0-3", "0123", "bytes 0-3/11"),
        ("bytes=4-4", "4", "bytes 4-4/11"),
        ("bytes=8-", "89\n", "bytes 8-10/11"),
        ("bytes=8-99", "89\n", "bytes 8-10/11"),
        ("bytes=-3", "89\n", "bytes 8-10/11"),
        ("bytes=-99", "0123456789\n", "bytes 0-10/11"),
    ] {
        let answer = range(&api, &id, asked).await;
        assert_eq!(told(&answer), (206, text, "11", "false"), "{asked}");
        assert_eq!(answer.header("content-range"), content_range, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_beyond_the_end_is_refused_with_the_length() {
    let (api, id) = said(&["0123456789"]).await;
    for asked in ["bytes=11-", "bytes=11-12", "bytes=-0", "bytes=99999999999999999999-"] {
        let answer = range(&api, &id, asked).await;
        assert_eq!(answer.code(), (416, "range_not_satisfiable".into()), "{asked}");
        assert_eq!(answer.header("content-range"), "bytes */11", "{asked}");
        assert_eq!(answer.header("x-windlass-log-length"), "11", "{asked}");
        assert!(!answer.header("x-request-id").is_empty() && answer.body()["request_id"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_that_is_none_we_know_counts_for_nothing() {
    let (api, id) = said(&["0123456789"]).await;
    for asked in ["lines=0-1", "bytes=0-1,3-4", "bytes=3-1", "bytes=x"] {
        assert_eq!(told(&range(&api, &id, asked).await), (200, "0123456789\n", "11", "false"), "{asked}");
    }
    let conditional = api.get(&path(&id, "api")).by(ADMIN).header("Range", "bytes=0-1").header("If-Range", "\"x\"");
    assert_eq!(conditional.send().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_offset_is_a_number_and_stands_alone() {
    let (api, id) = said(&["x"]).await;
    for offset in ["", "-1", "1.5", "one", "0x1", "18446744073709551616"] {
        let answer = log(&api, &id, &format!("?offset={offset}")).await;
        assert_eq!(answer.code(), (400, "invalid_offset".into()), "{offset}");
    }
    let both = api.get(&format!("{}?offset=1", path(&id, "api"))).by(ADMIN).header("Range", "bytes=0-1").send().await;
    assert_eq!(both.code(), (400, "offset_and_range".into()));
}

#[tokio::test(start_paused = true)]
async fn a_long_log_comes_in_parts_that_never_cut_a_character() {
    const CHUNK: usize = 4 << 20;
    let line = format!("x{}", "é".repeat(CHUNK / 2 + 10));
    let (api, id) = said(&[&line]).await;
    let whole = format!("{line}\n");
    let first = log(&api, &id, "").await;
    assert_eq!(first.text().len(), CHUNK - 1);
    let rest = log(&api, &id, &format!("?offset={}", first.bytes.len())).await;
    assert!(format!("{}{}", first.text(), rest.text()) == whole);
    assert_eq!(first.header("x-windlass-log-length"), whole.len().to_string());

    let exact = range(&api, &id, "bytes=0-").await;
    assert_eq!((exact.status, exact.bytes.len()), (206, CHUNK));
    assert_eq!(exact.header("content-range"), format!("bytes 0-{}/{}", CHUNK - 1, whole.len()));
    assert_eq!(range(&api, &id, "bytes=2-2").await.bytes.as_ref(), &"é".as_bytes()[1..]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_first_new_byte() {
    let (api, id) = said(&["one"]).await;
    api.will([Act::wait(json!({})).saying("build-api", "two")]);
    tokio::time::sleep(Duration::from_secs(55)).await;
    let began = Instant::now();
    let waiting = log(&api, &id, "?offset=4&wait=25");
    let worker = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        api.step().await;
    };
    let (answer, ()) = tokio::join!(waiting, worker);
    assert_eq!(told(&answer), (200, "two\n", "8", "false"));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_wait_by_range_ends_with_the_byte_that_it_asks_for() {
    let (api, id) = said(&["one"]).await;
    api.will([Act::wait(json!({})).saying("build-api", "two")]);
    tokio::time::sleep(Duration::from_secs(55)).await;
    let request = api.get(&format!("{}?wait=25", path(&id, "api"))).by(ADMIN).header("Range", "bytes=4-");
    let worker = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        api.step().await;
    };
    let (answer, ()) = tokio::join!(request.send(), worker);
    assert_eq!((answer.status, answer.text()), (206, "two\n"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_in_vain_with_its_time_or_with_the_run() {
    let (api, id) = said(&["one"]).await;
    let began = Instant::now();
    assert_eq!(log(&api, &id, "?offset=4&wait=10").await.text(), "");
    assert_eq!(began.elapsed().as_secs(), 10);

    api.will([Act::fatal("x", "y")]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    api.step().await;
    let began = Instant::now();
    assert_eq!(told(&log(&api, &id, "?offset=4&wait=25").await), (200, "", "4", "true"));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_lost_committed_bytes_is_a_fault_and_not_a_short_answer() {
    let (api, id) = said(&["0123456789"]).await;
    for segment in api.world.tables.lock().unwrap().segments.values_mut() {
        segment.truncate(3);
    }
    assert_eq!(log(&api, &id, "").await.code(), (500, "internal".into()));
}
