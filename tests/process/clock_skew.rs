//! A daemon whose clock is wrong, and one whose clock follows a sandbox that jumps.

use crate::support::{Azure, PATIENCE, eventually};

/// A daemon with its clock an hour off blocks secrets that are due with `clock_skew` and changes nothing.
#[tokio::test]
async fn daemon_with_skewed_clock_changes_nothing() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--no-clock-url"]).await;
    azure.advance("1h").await;
    let before = azure.state().await;
    let due = before.due_at_first();
    let daemon = azure.daemon(&[]).await;
    eventually("what is due is blocked, again and again", PATIENCE, async || {
        let secrets = daemon.secrets().await;
        let of_due = secrets.iter().filter(|secret| due.contains(&secret.name));
        let blocked =
            of_due.filter(|secret| secret.state == "blocked" && secret.reason == "clock_skew").count();
        let tries = daemon.metric("rekeyd_actions_total{action=\"issue\",outcome=\"failed\"}").await;
        (blocked == due.len() && tries >= 2.0).then_some(())
    })
    .await;
    let skew = daemon.metric("rekeyd_clock_skew_seconds").await;
    assert!((skew - 3_600.0).abs() < 60.0, "{skew}");

    let after = azure.state().await;
    assert_eq!(after.ours().count(), 0);
    let tags = |state: &crate::support::State| {
        let secrets = state.secrets().into_iter();
        secrets
            .map(|(name, versions)| (name, versions.iter().map(|v| v.tags.clone()).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tags(&before), tags(&after));
    assert_eq!(after.consumers.failures, 0, "{}", azure.printed());
}

/// A daemon of its own process follows a jump of the sandbox's clock and never reports a wrong clock.
#[tokio::test]
async fn daemon_follows_jump_of_sandbox_clock() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    daemon.is_ready().await;
    // Passes are running while the clock jumps.
    azure.advance("25d").await;
    azure.settle(&daemon).await;
    azure.advance("3d").await;
    azure.settle(&daemon).await;
    let skew = daemon.metric("rekeyd_clock_skew_seconds").await;
    assert!(skew.abs() < 60.0, "{skew}");
    let printed = daemon.printed();
    assert!(!printed.contains("clock_skew") && !printed.contains("set the clock"), "{printed}");
    assert_eq!(azure.state().await.consumers.failures, 0, "{}", azure.printed());
}
