//! A handler's life: an invocation's budget, and the remains of a process that is stopped or killed.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::host::{Answer, Handler};
use super::{ALONE, configured, due, is_under_way, message, near_expiry, parts, timer};
use crate::support::{Azure, PATIENCE, eventually, within};

/// Work beyond its invocation's budget goes on, and a later timer run finds everything done.
#[tokio::test]
async fn unfinished_work_outlives_its_invocation() {
    let azure = Azure::start(&["--propagation", "4s..18s", "--seed", "3"]).await;
    let handler = Handler::start(&azure, &[&ALONE[..], &[BUDGET]].concat()).await;
    let due = due(&azure).await.remove(0);
    let began = Instant::now();
    let answer = handler.host.invoke("KeyVaultEvents", json!({"event": near_expiry(&due)})).await;
    let took = began.elapsed();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.log().contains("not finished yet"), "{answer:?}");
    // The sign-ins alone are further apart than that.
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(azure.state().await.versions_of(&due), 1);

    eventually("a timer run finds everything done", PATIENCE, async || {
        azure.advance("30s").await;
        let answer = swept(&handler).await;
        answer.log().contains("all done").then_some(())
    })
    .await;
    let state = azure.state().await;
    assert_eq!((state.versions_of(&due), state.unpublished().count()), (2, 0));
    assert_eq!(state.consumers.failures, 0, "{}", azure.printed());
}

/// An invocation may use its whole budget. A rotation takes longer than any other request may, because the sign-ins
/// that prove it are spaced.
#[tokio::test]
async fn invocation_may_use_its_whole_budget() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--seed", "3"]).await;
    let handler = Handler::start(&azure, &[&ALONE[..], &[("REKEYD_VERIFY__SPACING", "12s")]].concat()).await;
    let due = due(&azure).await.remove(0);
    let began = Instant::now();
    let answer = handler.host.invoke("KeyVaultEvents", json!({"event": near_expiry(&due)})).await;
    let took = began.elapsed();
    assert_eq!(answer.status, StatusCode::OK, "after {took:?}: {answer:?}");
    assert!(took > Duration::from_secs(20), "{took:?}: {answer:?}");
    assert!(!answer.log().contains("not finished"), "{answer:?}");
    assert_eq!(azure.state().await.versions_of(&due), 2);
}

/// A second instance takes over while the first one drains and refuses new invocations, and no work is lost.
#[tokio::test]
async fn second_start_takes_over_from_draining_first() {
    let azure = Azure::start(&["--propagation", "4s..18s", "--seed", "3"]).await;
    let mut first = Handler::start(&azure, &[&ALONE[..], &[BUDGET]].concat()).await;
    let all_due = due(&azure).await;
    let (due, other) =
        (all_due.first().unwrap(), configured(&azure).into_iter().find(|secret| !all_due.contains(secret)));
    assert_eq!(first.host.invoke("KeyVaultQueue", message(due)).await.status, StatusCode::OK);
    is_under_way(&azure).await;

    let second = Handler::start(&azure, &[&ALONE[..], &[BUDGET]].concat()).await;
    assert_ne!(first.port, second.port);
    let quiet = json!({"event": near_expiry(&other.unwrap())});
    for handler in [&first, &second] {
        let answer = handler.host.invoke("KeyVaultEvents", quiet.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "both answer: {answer:?}");
    }
    hold_up_revocation(&azure).await;
    first.process.terminate();
    let refused = eventually("the first one drains", PATIENCE, async || {
        assert_eq!(first.process.ended(), None, "{}", first.process.printed());
        let answer = first.host.invoke("KeyVaultQueue", message(due)).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await;
    assert!(refused.log().contains("retry"), "{refused:?}");
    for (function, data) in [("KeyVaultEvents", json!({})), ("Sweep", json!({})), ("Rotate", json!({}))] {
        let answer = first.host.invoke(function, data).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{function}: {answer:?}");
    }
    let (status, _) = first.host.forward("/api/Rotate?vault=vault-1&name=app-01", "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let status = eventually("the first one ends", PATIENCE, async || first.process.ended()).await;
    assert_eq!(status.code(), Some(0), "{}", first.process.printed());

    assert_eq!(azure.state().await.unpublished().count(), 0, "{}", first.process.printed());
    is_finished_by(&second, &azure, due).await;
}

/// An invocation that is interrupted fails. The host takes an
/// answer of 200 for the end of the matter: it deletes the message.
#[tokio::test]
async fn interrupted_invocation_fails_for_redelivery() {
    let azure = Azure::start(&["--propagation", "4s..18s", "--seed", "3"]).await;
    let handler = Handler::start(&azure, &ALONE).await;
    let due = due(&azure).await.remove(0);
    let stopped = async {
        is_under_way(&azure).await;
        handler.process.terminate();
    };
    let (answer, ()) = tokio::join!(handler.host.invoke("KeyVaultQueue", message(&due)), stopped);
    assert_eq!(azure.state().await.versions_of(&due), 1);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
}

/// The timer of another instance finishes the rotation of a killed instance and revokes the credential left behind.
#[tokio::test]
async fn another_timer_finishes_a_killed_instance() {
    let azure = Azure::start(&["--propagation", "4s..18s", "--seed", "3"]).await;
    let mut first = Handler::start(&azure, &[&ALONE[..], &[BUDGET]].concat()).await;
    let due = due(&azure).await.remove(0);
    assert_eq!(first.host.invoke("KeyVaultQueue", message(&due)).await.status, StatusCode::OK);
    is_under_way(&azure).await;
    first.process.kill();
    assert_eq!(azure.state().await.unpublished().count(), 1, "a credential is left behind");

    let second = Handler::start(&azure, &[&ALONE[..], &[BUDGET]].concat()).await;
    is_finished_by(&second, &azure, &due).await;
    azure.advance("25h").await;
    let cleared = eventually("remaining credentials are revoked", PATIENCE, async || {
        swept(&second).await;
        azure.advance("30s").await;
        let state = azure.state().await;
        (state.unpublished().count() == 0).then_some(state)
    })
    .await;
    assert_eq!(cleared.consumers.failures, 0, "{}", azure.printed());
}

/// A fresh instance discovers tagged secrets. A host starts it for a single request, and its timer may be an hour away.
#[tokio::test]
async fn fresh_instance_discovers_tagged_secrets() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &[&ALONE[..], &[BUDGET]].concat()).await;
    let configured = configured(&azure);
    let tagged =
        azure.state().await.secrets().into_keys().find(|secret| !configured.contains(secret)).unwrap();
    let [vault, name] = parts(&tagged);
    let wanted = json!({"req": {"Method": "POST", "Query": {"vault": vault, "name": name}}});
    let known = within(Duration::from_secs(20), async || {
        let answer = handler.host.invoke("Rotate", wanted.clone()).await;
        (answer.http_status() == "202").then_some(())
    });
    assert!(known.await.is_some(), "{tagged} is not known before the first timer run");
}

async fn swept(handler: &Handler) -> Answer {
    let answer = handler.host.invoke("Sweep", timer(&Value::Null, false)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer
}

/// Makes Graph unavailable for a while, so that an instance that is stopped can't revoke its credential at once.
async fn hold_up_revocation(azure: &Azure) {
    let fault =
        json!({"service": "graph", "path_contains": "removePassword", "kind": "unavailable", "count": 3});
    azure.fail(json!([fault])).await;
}

/// Waits until timer runs alone have finished the rotation.
async fn is_finished_by(handler: &Handler, azure: &Azure, secret: &str) {
    eventually("the timer finishes it", PATIENCE, async || {
        swept(handler).await;
        azure.advance("5m").await;
        (azure.state().await.versions_of(secret) == 2).then_some(())
    })
    .await;
    let state = azure.state().await;
    assert_eq!(state.consumers.failures, 0, "{}", azure.printed());
}

const BUDGET: (&str, &str) = ("REKEYD_FUNCTIONS__BUDGET", "1s");
