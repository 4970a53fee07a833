//! Messages: sent once, received at least once, and by one receiver at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use windlass::engine::ports::StoreError;
use windlass::model::{RunId, Scope, Ticket, Timestamp};
use windlass::storage::Message;

use super::subject::{Store, Subject};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(1);

async fn one<S: Store>(store: &S, queue: &str, hidden: Duration) -> Message {
    let mut messages = store.receive(queue, 1, hidden).await.unwrap();
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

/// Asks until there is a message, as a listener does.
async fn awaited<S: Store>(store: &S, queue: &str, hidden: Duration) -> Message {
    loop {
        if let Some(message) = store.receive(queue, 1, hidden).await.unwrap().pop() {
            return message;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as i64)
}

pub async fn a_ticket_is_received_as_it_was_sent<S: Store>(on: &Subject<S>) {
    let ticket = Ticket { run: RunId::new(&Scope::new("platform"), 1, 2), phase: "fetching".into(), seq: 3 };
    on.store.send(&on.queue, &ticket, Duration::ZERO).await.unwrap();
    let message = one(&on.other, &on.queue, LONG).await;
    assert_eq!(serde_json::from_str::<Ticket>(&message.text).unwrap(), ticket);
    assert_eq!(message.dequeue_count, 1);
    let life = message.expires_at.since(message.inserted_at);
    assert_eq!(life.as_secs(), 7 * 24 * 60 * 60);
    assert!(message.next_visible_at.since(message.inserted_at) >= LONG);
}

pub async fn a_message_keeps_its_text<S: Store>(on: &Subject<S>) {
    let long = "x".repeat(64 << 10);
    for text in ["{\"a\": \"<&>'\\\"\"}", "  blanks\tand\nlines  ", "⚓ 錨 ü", "QUJDRA==", "]]>", &long, "x"] {
        on.store.put(&on.queue, text, Duration::ZERO).await.unwrap();
        let message = one(&on.store, &on.queue, LONG).await;
        assert_eq!(message.text, text);
        assert!(on.store.delete(&on.queue, &message.id, &message.pop_receipt).await.unwrap());
    }
}

pub async fn a_delayed_message_does_not_show_early<S: Store>(on: &Subject<S>) {
    let sent_at = now();
    on.store.put(&on.queue, "late", SHORT).await.unwrap();
    assert!(on.store.receive(&on.queue, 1, LONG).await.unwrap().is_empty());
    assert!(on.store.peek(&on.queue, 1).await.unwrap().is_empty());
    on.store.put(&on.queue, "now", Duration::ZERO).await.unwrap();
    assert_eq!(one(&on.store, &on.queue, LONG).await.text, "now");
    assert_eq!(awaited(&on.store, &on.queue, LONG).await.text, "late");
    assert!(now().since(sent_at) >= SHORT);
}

pub async fn a_received_message_is_hidden_and_shows_again<S: Store>(on: &Subject<S>) {
    on.store.put(&on.queue, "x", Duration::ZERO).await.unwrap();
    let first = one(&on.store, &on.queue, SHORT).await;
    assert!(on.other.receive(&on.queue, 1, LONG).await.unwrap().is_empty());
    let second = awaited(&on.other, &on.queue, LONG).await;
    assert_eq!((&second.id, second.dequeue_count), (&first.id, 2));
    assert_ne!(second.pop_receipt, first.pop_receipt);
}

pub async fn a_receipt_is_stale_once_somebody_else_received<S: Store>(on: &Subject<S>) {
    on.store.put(&on.queue, "x", Duration::ZERO).await.unwrap();
    let first = one(&on.store, &on.queue, SHORT).await;
    let second = awaited(&on.other, &on.queue, LONG).await;
    assert_eq!(on.store.renew(&on.queue, &first, LONG).await, Ok(None));
    assert_eq!(on.store.delete(&on.queue, &first.id, &first.pop_receipt).await, Ok(false));
    assert_eq!(on.store.delete(&on.queue, &second.id, &second.pop_receipt).await, Ok(true));
}

pub async fn renewing_gives_a_new_receipt_and_ends_the_old_one<S: Store>(on: &Subject<S>) {
    on.store.put(&on.queue, "x", Duration::ZERO).await.unwrap();
    let message = one(&on.store, &on.queue, SHORT).await;
    let receipt = on.store.renew(&on.queue, &message, LONG).await.unwrap().unwrap();
    assert_ne!(receipt, message.pop_receipt);
    assert_eq!(on.store.renew(&on.queue, &message, LONG).await, Ok(None));
    assert_eq!(on.store.delete(&on.queue, &message.id, &message.pop_receipt).await, Ok(false));
    // Hidden again at once, and shown at once: a renewal sets the time anew.
    let renewed = Message { pop_receipt: receipt, ..message };
    let receipt = on.store.renew(&on.queue, &renewed, Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(awaited(&on.store, &on.queue, LONG).await.dequeue_count, 2);
    assert_eq!(on.store.delete(&on.queue, &renewed.id, &receipt).await, Ok(false));
}

pub async fn a_deleted_message_is_gone<S: Store>(on: &Subject<S>) {
    on.store.put(&on.queue, "x", Duration::ZERO).await.unwrap();
    let message = one(&on.store, &on.queue, LONG).await;
    assert_eq!(on.store.delete(&on.queue, &message.id, &message.pop_receipt).await, Ok(true));
    assert_eq!(on.store.delete(&on.queue, &message.id, &message.pop_receipt).await, Ok(false));
    assert_eq!(on.store.renew(&on.queue, &message, LONG).await, Ok(None));
    assert!(on.store.peek(&on.queue, 1).await.unwrap().is_empty());
}

pub async fn looking_at_messages_does_not_take_them<S: Store>(on: &Subject<S>) {
    for text in ["a", "b", "c"] {
        on.store.put(&on.queue, text, Duration::ZERO).await.unwrap();
    }
    let seen = on.store.peek(&on.queue, 2).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|message| message.dequeue_count == 0 && message.pop_receipt.is_empty()));
    let texts: BTreeSet<_> = on.store.receive(&on.queue, 10, LONG).await.unwrap().into_iter().map(|m| m.text).collect();
    assert_eq!(texts, BTreeSet::from(["a".into(), "b".into(), "c".into()]));
}

pub async fn every_message_is_received_by_exactly_one_of_many_receivers<S: Store>(on: &Subject<S>) {
    const MESSAGES: usize = 60;
    let texts: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    for sent in join_all(texts.iter().map(|text| on.store.put(&on.queue, text, Duration::ZERO))).await {
        sent.unwrap();
    }
    let drain = async |store: &S| {
        let mut taken = Vec::new();
        loop {
            let messages = store.receive(&on.queue, 4, LONG).await.unwrap();
            if messages.is_empty() {
                return taken;
            }
            taken.extend(messages.into_iter().map(|message| message.text));
        }
    };
    let taken = join_all((0..6).map(|n| drain(if n % 2 == 0 { &on.store } else { &on.other }))).await.concat();
    assert_eq!(taken.len(), MESSAGES);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), texts.into_iter().collect());
}

pub async fn queues_do_not_mix<S: Store>(on: &Subject<S>) {
    on.store.put(&on.queue, "x", Duration::ZERO).await.unwrap();
    assert!(on.store.receive(&on.other_queue, 1, LONG).await.unwrap().is_empty());
    let message = one(&on.store, &on.queue, LONG).await;
    assert_eq!(on.store.delete(&on.other_queue, &message.id, &message.pop_receipt).await, Ok(false));
    assert_eq!(on.store.delete(&on.queue, &message.id, &message.pop_receipt).await, Ok(true));
}

pub async fn what_a_message_cannot_be_is_refused<S: Store>(on: &Subject<S>) {
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let long = "x".repeat((64 << 10) + 1);
    for (queue, text, delay) in [
        (on.queue.as_str(), long.as_str(), Duration::ZERO),
        (&on.queue, "\u{0}", Duration::ZERO),
        (&on.queue, "x", week),
        ("No_Queue", "x", Duration::ZERO),
    ] {
        let answer = on.store.put(queue, text, delay).await;
        assert!(matches!(answer, Err(StoreError::Refused(_))), "{queue} {} {delay:?}: {answer:?}", text.len());
    }
    on.store.put(&on.queue, &long[1..], Duration::ZERO).await.unwrap();
}
