//! Events whose time, or whose subscription, ends before they are sent.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use serde_json::{Value, json};
use time::Duration;

use super::tests_world::World;

/// An event that expires while its endpoint is backed off is dead-lettered without a single attempt.
#[tokio::test]
async fn event_expired_during_backoff_is_unsent() {
    let world = World::start().await;
    let retry = json!({"eventTimeToLiveInMinutes": 1});
    world.subscribed(json!({}), json!({"deadLetter": true, "retryPolicy": retry})).await;
    world.receiver.will_answer([500; 10]);
    (0..10).for_each(|number| _ = world.put(&format!("it-{number}"), None));
    world.until(Duration::seconds(40)).await;
    let failed = world.receiver.deliveries().len();
    world.put("late", None);
    world.until(Duration::minutes(90)).await;
    assert_eq!(world.receiver.deliveries().len(), failed);
    let letters = world.state().await["dead_letters"].clone();
    let letters = letters.as_array().unwrap();
    assert!(letters.iter().all(|letter| letter["deadLetterReason"] == "TimeToLiveExceeded"), "{letters:?}");
    let late = letters.iter().find(|letter| letter["subject"] == "late").unwrap();
    assert_eq!(late["deliveryAttempts"], 0);
    assert_eq!((late.get("lastDeliveryOutcome"), late.get("lastDeliveryAttemptTime")), (None, None));
    world.sandbox.shutdown().await;
}

/// An event that the daemon does not accept within one day is dropped and counted.
#[tokio::test]
async fn event_refused_for_a_day_is_dropped() {
    let world = World::with_daemon((503, "")).await;
    world.put("early", None);
    world.until(Duration::hours(22)).await;
    world.put("late", None);
    world.until(Duration::hours(26)).await;
    *world.receiver.handshake.lock().unwrap() = None;
    world.until(Duration::hours(40)).await;
    let deliveries = world.receiver.deliveries();
    let subjects: Vec<_> = deliveries.iter().map(|seen| seen.json()[0]["subject"].clone()).collect();
    assert!(!subjects.is_empty() && subjects.iter().all(|subject| subject == "late"), "{subjects:?}");
    assert_eq!(world.state().await["dropped"], 1);
    world.sandbox.shutdown().await;
}

/// A new subscription gets none of the events still in flight to a deleted subscription of the same name.
#[tokio::test]
async fn new_subscription_inherits_no_events() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let answer = world.receiver.will_wait();
    world.put("old", None);
    let later = async {
        while world.receiver.deliveries().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.control("DELETE", "subscriptions/it-is", Value::Null).await.0, 204);
        world.subscribed(json!({}), json!({})).await;
        answer.send(500).unwrap();
    };
    tokio::join!(world.until(Duration::minutes(10)), later);
    let subjects: Vec<_> =
        world.receiver.deliveries().iter().map(|seen| seen.json()[0]["subject"].clone()).collect();
    assert_eq!(subjects, ["old", ""], "then only the goodbye");
    world.sandbox.shutdown().await;
}

/// An event in flight when its subscription changes is retried with the new settings.
#[tokio::test]
async fn changed_subscription_retries_event_in_flight() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let answer = world.receiver.will_wait();
    world.put("it", None);
    let later = async {
        while world.receiver.deliveries().is_empty() {
            tokio::task::yield_now().await;
        }
        world.subscribed(json!({"headers": {"x-key": "new"}}), json!({})).await;
        answer.send(500).unwrap();
    };
    tokio::join!(world.until(Duration::minutes(10)), later);
    let seen = world.receiver.deliveries();
    let keys: Vec<_> = seen.iter().map(|seen| seen.header("x-key")).collect();
    assert_eq!(keys[..2], ["", "new"]);
    assert_eq!(seen[0].text, seen[1].text);
    world.sandbox.shutdown().await;
}
