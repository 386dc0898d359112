//! A group of tasks that are stopped, and awaited, together.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tasks that stop together. If dropped without [`Self::end`], they are asked to stop, but not awaited.
#[derive(Debug, Default)]
pub(crate) struct TaskGroup {
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl TaskGroup {
    /// Asks all tasks to stop and waits until they have.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for TaskGroup {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
