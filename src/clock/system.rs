//! The system's clock.

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::ports::{Clock, Hold};

/// The time of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where `now` comes from")]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    #[expect(clippy::disallowed_methods, reason = "this is what `Clock` sleeps with")]
    async fn sleep_until(&self, deadline: OffsetDateTime) {
        // In stretches, so that a clock that was set meanwhile is noticed.
        while let Ok(left) = std::time::Duration::try_from(deadline - self.now()) {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(MAX_STRETCH)).await;
        }
    }

    fn hold(&self) -> Hold {
        Hold::none()
    }
}

const MAX_STRETCH: std::time::Duration = std::time::Duration::from_secs(60);
