//! The one place where the sandbox reads the outside world's time.

use time::OffsetDateTime;

/// Now, outside. For tokens that Microsoft's client libraries cache by the system's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "those tokens are cached in real time, whatever the sandbox's time is"
)]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
