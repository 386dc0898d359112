//! The shutdown: take no more work, finish the work in progress, leave within a grace period.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// The tasks of one daemon, and the signal that ends them.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Returns the token that is cancelled when no new work may begin.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Returns the tracker that tasks are spawned on, so that [`Self::drain`] waits for them.
    #[must_use]
    pub fn tasks(&self) -> TaskTracker {
        self.tasks.clone()
    }

    /// Runs `task` until it ends. It has to watch [`Self::stop`] itself.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Asks all tasks to stop and waits for them, at most `grace`. Returns true if all of them ended.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        let drained = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        if drained {
            info!("stopped");
        } else {
            warn!(unfinished = self.tasks.len(), "shutdown_grace exceeded: unfinished work abandoned");
        }
        drained
    }
}

/// Returns when the process is asked to stop, by SIGTERM or Ctrl-C.
///
/// # Errors
/// The signals can't be listened to.
pub async fn requested() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
