//! Where the signing keys come from, and what happens when they cannot be had.

use std::time::Duration;

use serde_json::json;

use crate::issuer::{FIRST, Issuer, Mood, SECOND, STRANGER};
use crate::world::World;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A token that does not end before the test does.
fn lasting(world: &World) -> serde_json::Value {
    let mut claims = world.v2();
    claims["exp"] = json!(crate::world::NOW + 1_000_000);
    claims
}

#[tokio::test]
async fn keys_are_asked_for_once_and_again_after_half_a_day() {
    let world = World::entra().await;
    let token = FIRST.sign(&lasting(&world));
    for _ in 0..5 {
        assert_eq!(world.call(&token).await.status, 200);
    }
    world.clock.advance(11 * HOUR);
    assert_eq!(world.call(&token).await.status, 200);
    assert_eq!(world.issuer.asked(), 1);
    world.clock.advance(HOUR);
    assert_eq!(world.call(&token).await.status, 200);
    assert_eq!(world.issuer.asked(), 2);
}

#[tokio::test]
async fn callers_that_come_together_ask_once() {
    let world = World::entra().await;
    let token = FIRST.sign(&world.v2());
    let answers = futures::future::join_all((0..20).map(|_| world.call(&token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(world.issuer.asked(), 1);
}

#[tokio::test]
async fn a_rotated_key_is_found_and_the_withdrawn_one_forgotten() {
    let world = World::entra().await;
    assert_eq!(world.call(&FIRST.sign(&world.v2())).await.status, 200);
    world.issuer.publishes(&[SECOND.jwk()]);
    assert_eq!(world.call(&SECOND.sign(&world.v2())).await.status, 200);
    assert_eq!(world.issuer.asked(), 2);
    assert_eq!(world.call(&FIRST.sign(&world.v2())).await.code(), (401, "invalid_token"));
}

#[tokio::test]
async fn unknown_keys_cannot_make_us_ask_more_than_once_in_five_minutes() {
    let world = World::entra().await;
    assert_eq!(world.call(&FIRST.sign(&world.v2())).await.status, 200);
    let strange = STRANGER.sign(&world.v2());
    for _ in 0..5 {
        let answer = world.call(&strange).await;
        assert_eq!(answer.code(), (401, "invalid_token"));
        assert!(answer.message().contains("signing key"), "{}", answer.message());
    }
    assert_eq!(world.issuer.asked(), 2);

    // Too early for a rotation to be noticed, and known keys are not held up by it.
    world.issuer.publishes(&[FIRST.jwk(), SECOND.jwk()]);
    world.clock.advance(4 * MINUTE);
    assert_eq!(world.call(&SECOND.sign(&world.v2())).await.status, 401);
    assert_eq!(world.call(&FIRST.sign(&world.v2())).await.status, 200);
    assert_eq!(world.issuer.asked(), 2);
    world.clock.advance(MINUTE);
    assert_eq!(world.call(&SECOND.sign(&world.v2())).await.status, 200);
    assert_eq!(world.issuer.asked(), 3);
}

#[tokio::test]
async fn an_authority_that_fails_is_a_503_and_not_the_callers_fault() {
    let world = World::entra().await;
    let token = FIRST.sign(&world.v2());
    for mood in [Mood::Down, Mood::Garbage, Mood::Huge] {
        world.issuer.is(mood);
        let answer = world.call(&token).await;
        assert_eq!(answer.code(), (503, "identity_provider_unavailable"));
        assert_eq!(answer.header("retry-after"), "10");
        world.clock.advance(Duration::from_secs(10));
    }
    world.issuer.is(Mood::Well);
    assert_eq!(world.call(&token).await.status, 200);
}

#[tokio::test]
async fn a_failing_authority_is_left_in_peace_for_ten_seconds() {
    let world = World::entra().await;
    world.issuer.is(Mood::Down);
    let token = FIRST.sign(&world.v2());
    for _ in 0..5 {
        assert_eq!(world.call(&token).await.status, 503);
    }
    assert_eq!(world.issuer.asked(), 1);
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.call(&token).await.status, 503);
    assert_eq!(world.issuer.asked(), 2);
}

#[tokio::test]
async fn known_keys_outlive_an_outage_but_not_their_day() {
    let world = World::entra().await;
    let token = FIRST.sign(&lasting(&world));
    assert_eq!(world.call(&token).await.status, 200);
    world.issuer.is(Mood::Down);
    world.clock.advance(23 * HOUR);
    assert_eq!(world.call(&token).await.status, 200);
    assert_eq!(world.call(&SECOND.sign(&world.v2())).await.status, 503, "nobody can tell whether this key is new");
    world.clock.advance(HOUR);
    assert_eq!(world.call(&token).await.status, 503);
}

#[tokio::test]
async fn a_key_set_on_another_host_is_not_taken() {
    let stranger = Issuer::start().await;
    for mood in [Mood::Elsewhere, Mood::Redirecting] {
        let world = World::entra().await;
        world.issuer.is(mood(format!("{}keys", stranger.address())));
        assert_eq!(world.call(&FIRST.sign(&world.v2())).await.code(), (503, "identity_provider_unavailable"));
    }
}

#[tokio::test]
async fn only_keys_that_are_meant_for_the_tenants_signatures_count() {
    let world = World::entra().await;
    let with = |name: &str, value: &str| {
        let mut key = SECOND.jwk();
        key[name] = json!(value);
        key
    };
    let token = SECOND.sign(&world.v2());
    for odd in [
        with("use", "enc"),
        with("alg", "RS384"),
        with("kty", "EC"),
        with("n", "%%%"),
        with("issuer", "https://login.sovereign.example/other/v2.0"),
        json!({"kid": "second"}),
    ] {
        world.issuer.publishes(&[FIRST.jwk(), odd.clone()]);
        assert_eq!(world.call(&token).await.code(), (401, "invalid_token"), "{odd}");
        world.clock.advance(5 * MINUTE);
    }
    world.issuer.publishes(&[with("issuer", "https://login.sovereign.example/{tenantid}/v2.0")]);
    assert_eq!(world.call(&token).await.status, 200);
}
