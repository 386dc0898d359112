//! The base of all process tests: children that are killed with their test, and polls with a limit.

mod azure;
mod azurite;
mod daemon;
mod process;
mod provider;
mod state;

use std::time::{Duration, Instant};

pub(crate) use azure::Azure;
pub(crate) use azurite::{Azurite, free_port};
pub(crate) use daemon::Daemon;
pub(crate) use process::{Process, finish, program, rekeyd, variable};
pub(crate) use provider::Provider;
pub(crate) use state::State;

/// Returns the first answer of `probe`. The test fails if there is none within `limit`.
pub(crate) async fn eventually<T>(what: &str, limit: Duration, probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(limit, probe).await.unwrap_or_else(|| panic!("not within {limit:?}: {what}"))
}

/// Returns the first answer of `probe` within `limit`.
pub(crate) async fn within<T>(limit: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return Some(answer);
        }
        if began.elapsed() > limit {
            return None;
        }
        pause(Duration::from_millis(50)).await;
    }
}

/// Sleeps between two polls, or before a kill at a random moment. Not for waiting until something has happened.
#[expect(clippy::disallowed_methods, reason = "processes live in real time")]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// The limit of a wait: a machine that builds something else at the same time is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
