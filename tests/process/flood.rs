//! A flood of events in a Storage Queue, duplicated and shuffled, while the daemon is killed.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use serde_json::json;

use crate::event_paths::{publish, trust, with_queue};
use crate::support::{Azure, Azurite, eventually, pause, variable};

const SECRETS: usize = 50;

/// Each event is in the queue four times.
const COPIES: usize = 4;

/// The limit for each part: Azurite searches its whole queue for each message, so ten thousand take minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// With thousands of events and two kills, each secret rotates exactly once and the queue ends empty.
#[tokio::test]
#[ignore = "needs azurite"]
async fn flood_with_kills_rotates_each_secret_once() {
    let began = Instant::now();
    let azure =
        Azure::start(&["--propagation", "0s..1s", "--secrets", &(SECRETS + 1).to_string(), "--seed", "8"])
            .await;
    for number in 0..SECRETS {
        publish(&azure, number).await;
    }
    let before = azure.state().await;
    let azurite = Azurite::start(azure.token("https://storage.azure.com/.default").await).await;
    azurite.create("events").await;
    let messages = put_flood(&azure, &azurite).await;
    println!("{messages} messages are in the queue after {:?}", began.elapsed());

    let (trusted, url) = (trust(&azure, &azurite), azurite.url("events"));
    let mut settings = with_queue(&trusted, &url);
    settings.extend([
        ("REKEYD_QUEUE__VISIBILITY_TIMEOUT", "30s"),
        ("REKEYD_SCHEDULE__AT_START", "false"),
        ("REKEYD_POLICY__JITTER", "0s"),
        ("REKEYD_ROLLOUT__CANARIES", ""),
        ("REKEYD_ROLLOUT__MAX_PER_HOUR", "0"),
    ]);
    for (kill, left) in [(1, messages * 9 / 10), (2, messages * 6 / 10)] {
        let mut daemon = azure.daemon(&settings).await;
        eventually("some of the queue is done", LIMIT, async || {
            breathe(&azure).await;
            azurite.count("events").await.is_ok_and(|count| count < left).then_some(())
        })
        .await;
        daemon.process.kill();
        println!("kill {kill} with fewer than {left} messages left, after {:?}", began.elapsed());
    }
    let daemon = azure.daemon(&settings).await;
    eventually("the queue is empty", LIMIT, async || {
        breathe(&azure).await;
        azurite.count("events").await.is_ok_and(|count| count == 0).then_some(())
    })
    .await;
    azure.settle(&daemon).await;
    let after = azure.state().await;
    let rotated = |secret: &String| after.versions_of(secret) - before.versions_of(secret);
    let secrets: Vec<_> = (0..SECRETS).map(|number| name_of(&azure, number)).collect();
    let wrong: Vec<_> = secrets.iter().filter(|secret| rotated(secret) != 1).collect();
    assert!(wrong.is_empty(), "not rotated exactly once: {wrong:?}\n{}", daemon.printed());
    assert_eq!(azurite.count("events-poison").await.unwrap(), 0);
    assert_eq!(after.consumers.failures, 0, "{}", azure.printed());
    println!("{} rotations, the queue is empty, after {:?}", secrets.len(), began.elapsed());
}

/// Lets time pass. Azurite counts ten thousand messages slowly, so it is not asked all the time.
async fn breathe(azure: &Azure) {
    azure.advance("30s").await;
    pause(Duration::from_millis(500)).await;
}

/// Returns the name of a secret; the last one is left to discovery and not among these.
fn name_of(azure: &Azure, number: usize) -> String {
    let of = |key: &str| azure.endpoint(&format!("/secrets/{number}/{key}")).to_owned();
    format!("{}/{}", of("vault"), of("name"))
}

/// Puts `REKEYD_EVENTS` events for each secret into the queue, in any order, half of the copies in base64. Returns the
/// number of messages.
async fn put_flood(azure: &Azure, azurite: &Azurite) -> u64 {
    let events = variable("REKEYD_EVENTS").map_or(10, |events| events.parse().unwrap());
    let mut messages = Vec::new();
    for number in 0..SECRETS {
        let of = |key: &str| azure.endpoint(&format!("/secrets/{number}/{key}")).to_owned();
        for event in 0..events {
            let id = format!("https://{}.vault.azure.net/secrets/{}/{event:032x}", of("vault"), of("name"));
            let event = json!({"id": format!("{number}-{event}"), "subject": of("name"),
                "eventType": "Microsoft.KeyVault.SecretNearExpiry", "data": {"Id": id, "EXP": "1798000000"}});
            messages.extend([event.to_string(), event.to_string()]);
            messages.extend([
                BASE64_STANDARD.encode(event.to_string()),
                BASE64_STANDARD.encode(event.to_string()),
            ]);
        }
    }
    assert_eq!(messages.len(), SECRETS * events * COPIES);
    fastrand::Rng::with_seed(8).shuffle(&mut messages);
    let puts = messages.iter().map(|message| azurite.put("events", message));
    futures::stream::iter(puts).buffer_unordered(32).collect::<Vec<()>>().await.len() as u64
}
