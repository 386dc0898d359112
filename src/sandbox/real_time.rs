//! The one place that reads the real time.

use time::OffsetDateTime;

/// Returns the real time. For tokens that Microsoft's client libraries cache by the system's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "those tokens are cached in real time, whatever the sandbox's time is"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
