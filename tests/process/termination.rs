//! SIGTERM: the work in hand stops at a safe point, and the next daemon takes it up.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::support::{Azure, PATIENCE, eventually};

/// A daemon that is stopped during rotations exits at a safe
/// point within its grace, and the next one finishes the work.
#[tokio::test]
async fn stopped_daemon_leaves_at_safe_point() {
    let azure = Azure::start(&["--propagation", "4s..18s", "--secrets", "4"]).await;
    let mut daemon = azure.daemon(&[]).await;
    let secrets: Vec<String> = azure.state().await.secrets().into_keys().collect();
    eventually("the secret that only its tags name is found", PATIENCE, async || {
        (daemon.secrets().await.len() == secrets.len()).then_some(())
    })
    .await;
    for secret in &secrets {
        daemon.rotate(secret).await;
    }
    eventually("every rotation is under way", PATIENCE, async || {
        (azure.state().await.unpublished().count() == secrets.len()).then_some(())
    })
    .await;
    // These wait behind the passes in hand, and could only begin after them.
    for secret in &secrets {
        daemon.rotate(secret).await;
    }
    let began = Instant::now();
    daemon.process.terminate();

    let mut refused = false;
    let status = eventually("the daemon ends", GRACE, async || {
        let ready = daemon.try_get("/readyz").await == Some(StatusCode::OK);
        assert!(!(ready && refused), "ready again while it drains");
        refused |= !ready;
        daemon.process.ended()
    })
    .await;
    println!("left after {:?}", began.elapsed());
    assert_eq!(status.code(), Some(0), "{}", daemon.printed());
    assert!(refused, "{}", daemon.printed());
    let state = azure.state().await;
    assert!(secrets.iter().all(|secret| state.versions_of(secret) == 1), "{}", daemon.printed());
    let printed = daemon.printed();
    let issued = printed
        .lines()
        .filter(|line| line.contains("started action") && line.contains("\"action\":\"issue\""));
    assert_eq!(issued.count(), secrets.len(), "a new pass has begun");
    assert_eq!((state.in_flight().len(), state.unpublished().count()), (0, 0), "{}", daemon.printed());

    let due = state.due_at_first();
    let daemon = azure.daemon(&[]).await;
    eventually("the next daemon rotates what is due", PATIENCE, async || {
        azure.advance("5s").await;
        let state = azure.state().await;
        due.iter().all(|secret| state.versions_of(secret) == 2).then_some(())
    })
    .await;
    azure.settle(&daemon).await;
    let state = azure.state().await;
    assert_eq!((state.consumers.failures, state.unpublished().count()), (0, 0), "{}", azure.printed());
}

/// The default of `reconcile.shutdown_grace`.
const GRACE: Duration = Duration::from_secs(25);
