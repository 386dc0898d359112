//! Retries of reads: a few, with growing pauses on our own clock. Writes are never retried here.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::future::BoxFuture;

use crate::ports::{Clock, PortError, sleep};

/// Repeats `read` while its failure is temporary: five tries, with pauses from half a second on.
///
/// `Retry-After` is followed up to a minute.
///
/// Boxed, because the compiler can't see through the generic futures inside it.
pub(super) fn retry_read<'a, T: Send + 'a>(
    clock: &Arc<dyn Clock>,
    read: impl FnMut() -> BoxFuture<'a, Result<T, PortError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, PortError>> {
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(500))
        .with_max_times(4);
    let repeated =
        read.retry(pauses).sleep(sleeper(Arc::clone(clock))).when(PortError::is_passing).adjust(adjusted);
    Box::pin(repeated)
}

/// Returns the sleep between retries, on our own clock.
fn sleeper(clock: Arc<dyn Clock>) -> impl Fn(Duration) -> BoxFuture<'static, ()> {
    move |pause| {
        let (clock, pause) = (Arc::clone(&clock), pause.try_into().unwrap_or(time::Duration::MINUTE));
        Box::pin(async move { sleep(&*clock, pause).await })
    }
}

/// Returns our pause or the service's, the longer one, up to a minute.
fn adjusted(error: &PortError, pause: Option<Duration>) -> Option<Duration> {
    let asked = error.retry_after().and_then(|asked| Duration::try_from(asked).ok());
    pause.map(|pause| pause.max(asked.unwrap_or_default()).min(MAX_PAUSE))
}

const MAX_PAUSE: Duration = Duration::from_secs(60);
