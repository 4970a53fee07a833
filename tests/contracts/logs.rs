//! Segments: appended at a stated position, read by ranges.

use bytes::Bytes;
use windlass::engine::ports::{Appended, StoreError};

use super::subject::{Store, Subject};

async fn append<S: Store>(store: &S, segment: &str, position: u64, text: &str) -> Appended {
    store.append(segment, position, Bytes::copy_from_slice(text.as_bytes())).await.unwrap()
}

async fn text<S: Store>(store: &S, segment: &str, start: u64, end: u64) -> String {
    String::from_utf8(store.read(segment, start, end).await.unwrap().to_vec()).unwrap()
}

pub async fn an_append_at_the_end_is_written<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run 1/build-api.log");
    assert_eq!(append(&on.store, &segment, 0, "one\n").await, Appended::Written);
    assert_eq!(append(&on.other, &segment, 4, "two\n").await, Appended::Written);
    assert_eq!(append(&on.store, &segment, 8, "three\n").await, Appended::Written);
    assert_eq!(text(&on.store, &segment, 0, u64::MAX >> 1).await, "one\ntwo\nthree\n");
}

pub async fn an_append_elsewhere_tells_the_length<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run/a.log");
    append(&on.store, &segment, 0, "12345").await;
    for position in [0, 1, 4, 6, 1 << 40] {
        assert_eq!(append(&on.store, &segment, position, "x").await, Appended::Elsewhere { length: 5 }, "{position}");
    }
    assert_eq!(text(&on.store, &segment, 0, 100).await, "12345");
}

pub async fn an_append_to_a_missing_segment_tells_that_it_is_empty<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run/missing.log");
    assert_eq!(append(&on.store, &segment, 7, "x").await, Appended::Elsewhere { length: 0 });
    assert_eq!(append(&on.store, &segment, 0, "x").await, Appended::Written);
}

pub async fn ranges_are_cut_at_the_segments_end<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run/a.log");
    for (position, part) in [(0, "0123"), (4, "45"), (6, "6"), (7, "789")] {
        append(&on.store, &segment, position, part).await;
    }
    let whole = "0123456789";
    for start in 0..12 {
        for end in 0..14 {
            let expected = whole.get(start..end.min(whole.len())).unwrap_or_default();
            assert_eq!(text(&on.store, &segment, start as u64, end as u64).await, expected, "{start}..{end}");
        }
    }
}

pub async fn a_missing_segment_reads_as_empty<S: Store>(on: &Subject<S>) {
    assert_eq!(text(&on.store, &on.segment("run/missing.log"), 0, 10).await, "");
    assert_eq!(text(&on.store, "no-such-container/run/a.log", 5, 10).await, "");
}

pub async fn of_two_racing_appends_exactly_one_is_written<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run/race.log");
    let mut written = String::new();
    for _ in 0..20 {
        let position = written.len() as u64;
        let (a, b) =
            tokio::join!(append(&on.store, &segment, position, "a"), append(&on.other, &segment, position, "b"));
        let lost = Appended::Elsewhere { length: position + 1 };
        match (a, b) {
            (Appended::Written, other) if other == lost => written.push('a'),
            (other, Appended::Written) if other == lost => written.push('b'),
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(text(&on.store, &segment, 0, 100).await, written);
}

pub async fn bytes_of_every_value_come_back<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run/bytes.log");
    let bytes: Bytes = (0..=255_u8).cycle().take(4 << 20).collect();
    assert_eq!(on.store.append(&segment, 0, bytes.clone()).await, Ok(Appended::Written));
    let length = bytes.len() as u64;
    assert_eq!(on.store.append(&segment, length, bytes.slice(..1000)).await, Ok(Appended::Written));
    assert!(on.other.read(&segment, 0, length).await.unwrap() == bytes);
    assert!(on.other.read(&segment, length - 10, length + 10).await.unwrap()[..10] == bytes[bytes.len() - 10..]);
}

pub async fn appends_of_nothing_or_too_much_are_refused<S: Store>(on: &Subject<S>) {
    let segment = on.segment("run/a.log");
    for length in [0, (4 << 20) + 1] {
        let answer = on.store.append(&segment, 0, Bytes::from(vec![b'x'; length])).await;
        assert!(matches!(answer, Err(StoreError::Refused(_))), "{length}");
    }
    for name in ["segment", "Bad_Container/a.log", "logs/../other/a.log"] {
        assert!(matches!(on.store.append(name, 0, Bytes::from_static(b"x")).await, Err(StoreError::Refused(_))));
        assert!(matches!(on.store.read(name, 0, 1).await, Err(StoreError::Refused(_))));
    }
}
