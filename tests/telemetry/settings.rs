//! Settings that cannot be meant refuse the start, all at once and without repeating a secret.

use std::process::Output;

use crate::handler::command;

fn refused(settings: &[(&str, &str)]) -> String {
    let data = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = command(7, &data, settings).output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.code().is_some_and(|code| code != 0 && code != 200), "{status}: {said}");
    said
}

#[test]
fn everything_that_is_wrong_with_them_is_told_at_once() {
    let said = refused(&[
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=pl4nted;IngestionEndpoint=https://in.example"),
        ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "ClientId=me;Authorization=AAD"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "pl4nted"),
        ("WINDLASS_TELEMETRY_FLUSH_MS", "10"),
    ]);
    for words in [
        "APPLICATIONINSIGHTS_CONNECTION_STRING names no InstrumentationKey",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING is 'ClientId=me;Authorization=***'",
        "OTEL_EXPORTER_OTLP_ENDPOINT is 'http://collector.example:4318'",
        "OTEL_EXPORTER_OTLP_HEADERS has a value that does not fit",
        "WINDLASS_TELEMETRY_FLUSH_MS is '10'",
    ] {
        assert!(said.contains(words), "no '{words}' in: {said}");
    }
    assert!(!said.contains("pl4nted"), "{said}");
}

#[test]
fn a_connection_string_that_leads_nowhere_is_refused_by_what_is_wrong_with_it() {
    const KEY: &str = "InstrumentationKey=0bdbfc0e-3c3f-4d92-a7a6-b4f0b3a5c0de";
    for (connection, words) in [
        ("nonsense".to_owned(), "is no list of name=value"),
        ("IngestionEndpoint=https://in.example".to_owned(), "names no InstrumentationKey"),
        (format!("{KEY};IngestionEndpoint=http://in.example/"), "has an ingestion endpoint that is no https address"),
        (format!("{KEY};IngestionEndpoint=https://user:pl4nted@in.example/"), "has an ingestion endpoint"),
    ] {
        let said = refused(&[("APPLICATIONINSIGHTS_CONNECTION_STRING", &connection)]);
        assert!(said.contains(words) && said.contains("Azure portal"), "{connection}: {said}");
        assert!(!said.contains("pl4nted"));
    }
}
