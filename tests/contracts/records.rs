//! A record that comes back equals the one that went in.

use serde_json::{Value, json};
use windlass::engine::ports::{Record, Version, Write};

use super::subject::{Store, Subject, record};

async fn survives<S: Store>(on: &Subject<S>, key: &str, fields: Record) -> Version {
    let write = Write::Insert { key: key.into(), record: fields.clone() };
    let version = on.store.transact("p", vec![write]).await.unwrap().remove(0);
    // A handle that has not seen the values before.
    let stored = on.other.get("p", key).await.unwrap().unwrap();
    assert!(stored.record == fields, "{key}: {}", changed(&fields, &stored.record));
    version
}

fn changed(before: &Record, after: &Record) -> String {
    let shown = |value: Option<&Value>| format!("{value:?}").chars().take(200).collect::<String>();
    let differs = before.iter().find(|(name, value)| after.get(*name) != Some(value));
    differs.map_or("extra fields".into(), |(name, value)| {
        format!("{name} was {} and became {}", shown(Some(value)), shown(after.get(name)))
    })
}

pub async fn every_kind_of_value_comes_back<S: Store>(on: &Subject<S>) {
    let fields = json!({
        "nothing": null, "yes": true, "no": false,
        "zero": 0, "small": -1, "wide": 9_007_199_254_740_993_i64, "least": i64::MIN, "most": i64::MAX, "beyond": u64::MAX,
        "whole": 1.0, "half": 0.5, "tiny": 5e-324, "long": 0.1, "large": 1e300, "negative": -2.5,
        "empty_text": "", "empty_list": [], "empty_object": {},
        "nested": { "a": [1, 1.0, null, { "b": "" }], "with-dash": { "x__json": 1 } },
    });
    survives(on, "kinds", record(fields)).await;
    survives(on, "none", Record::new()).await;
}

pub async fn texts_of_any_script_come_back<S: Store>(on: &Subject<S>) {
    let controls: String = (0..=0x9f_u32).filter_map(char::from_u32).collect();
    let fields = json!({
        "greek": "άγκυρα", "han": "錨機", "emoji": "⚓️👩🏽‍🔧", "rtl": "עוגן‏", "combining": "e\u{301}",
        "controls": controls, "breaks": "a\r\nb\nc\rd\te", "blanks": "  a  ", "edges": "\u{feff}\u{fffe}\u{ffff}\u{10ffff}",
        "markup": "<a href=\"x\">&amp;</a>", "quotes": "'\"\\`", "separators": "\u{2028}\u{2029}",
        "nested": { "ключ": ["значение", "\u{0}"] },
    });
    survives(on, "texts", record(fields)).await;
}

pub async fn texts_that_look_like_something_else_stay_texts<S: Store>(on: &Subject<S>) {
    let fields = json!({
        "time": "2026-11-21T02:42:15.162Z", "id": "8d1f5b0e-6f2a-4c7f-9d5e-2b7c1a3e4f50", "number": "12", "big": "9223372036854775807",
        "float": "1.0", "truth": "true", "nothing": "null", "json": "{\"a\":1}", "base64": "AAECAw==",
        "reference": "text:0f", "boundary": "--changeset_windlass\r\n\r\nHTTP/1.1 412 no", "url": "http://h/x DELETE",
    });
    let write = |key: &str| Write::Insert { key: key.into(), record: record(fields.clone()) };
    on.store.transact("p", vec![write("a"), write("b")]).await.unwrap();
    assert_eq!(on.store.get("p", "b").await.unwrap().unwrap().record, record(fields.clone()));
}

pub async fn values_beyond_a_column_come_back<S: Store>(on: &Subject<S>) {
    let lines: Vec<String> = (0..20_000).map(|n| format!("line {n} ü")).collect();
    let fields = json!({
        "edge": "x".repeat(32_000), "past": "x".repeat(32_001), "wide": "錨".repeat(40_000), "pairs": "⚓👩".repeat(20_000),
        "huge": "y".repeat(3 << 20), "nested": { "lines": lines }, "small": 1,
    });
    survives(on, "big", record(fields.clone())).await;
    let rows = on.other.range("p", "", "~", 10).await.unwrap();
    assert!(rows[0].1.record == record(fields));
}

pub async fn a_value_that_grows_and_shrinks_across_the_limit_stays_itself<S: Store>(on: &Subject<S>) {
    let mut version = survives(on, "k", record(json!({ "state": null }))).await;
    for size in [40_000, 10, 50_000, 40_000, 0] {
        let fields = record(json!({ "state": { "text": "s".repeat(size) } }));
        let write = Write::Replace { key: "k".into(), version, record: fields.clone() };
        version = on.store.transact("p", vec![write]).await.unwrap().remove(0);
        assert!(on.other.get("p", "k").await.unwrap().unwrap().record == fields, "{size}");
    }
}

pub async fn unusual_keys_name_their_own_rows<S: Store>(on: &Subject<S>) {
    let keys = ["it's", "a b", "a+b", "a%20b", "a&b=c", "(x)", "run:0f", "äöü", "錨", "⚓", "~", "a;b", "{x}"];
    for key in keys {
        let fields = record(json!({ "key": key }));
        let inserted = on.store.transact(key, vec![Write::Insert { key: key.into(), record: fields.clone() }]).await;
        let version = inserted.unwrap_or_else(|error| panic!("{key}: {error}")).remove(0);
        let stored = on.store.get(key, key).await.unwrap().unwrap_or_else(|| panic!("{key} is missing"));
        assert_eq!(stored.record, fields);
        // Once alone and once in a transaction: they travel differently.
        let replace = Write::Replace { key: key.into(), version, record: fields.clone() };
        let version = on.store.transact(key, vec![replace]).await.unwrap().remove(0);
        let writes = vec![
            Write::Replace { key: key.into(), version, record: fields.clone() },
            Write::Insert { key: format!("{key}2"), record: fields },
        ];
        on.store.transact(key, writes).await.unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(on.store.range(key, "", "\u{10ffff}", 10).await.unwrap().len(), 2, "{key}");
    }
}
