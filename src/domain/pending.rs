//! The record of a rotation on the current version: written before its first effect, read after a crash.

use std::fmt;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::names::RotationId;

/// The intent of a rotation, written before its first effect.
///
/// As text: `<RotationId> <RFC 3339 time> attempt=<n>`, then ` failed` once it is known to have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRotation {
    /// The rotation's id; also in the `displayName` of its credential.
    pub rotation: RotationId,
    /// Time when it began.
    pub began: OffsetDateTime,
    /// Attempt number since the last published version, starting at 1.
    pub attempt: u32,
    /// True if it is known to have ended without a new version.
    pub failed: bool,
}

impl PendingRotation {
    /// Returns the time until which other processes leave the secret to this rotation; `None` if it is not under way at
    /// `now`.
    ///
    /// It is under way from its start, with a tolerance for the clock of another instance, until its `deadline`, unless
    /// it is known to have failed.
    #[must_use]
    pub fn under_way_until(&self, deadline: Duration, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let end = self.began.saturating_add(deadline);
        (!self.failed && self.is_plausible(now) && now < end).then_some(end)
    }

    /// Returns true if it began by `now`, with a tolerance for clocks: a record from the future must not delay
    /// anything.
    #[must_use]
    pub(super) fn is_plausible(&self, now: OffsetDateTime) -> bool {
        self.began <= now + MAX_CLOCK_LEAD
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let rotation = words.next()?.parse().ok()?;
        let began = OffsetDateTime::parse(words.next()?, &Rfc3339).ok()?;
        let attempt = words.next()?.strip_prefix("attempt=")?.parse().ok().filter(|attempt| *attempt > 0)?;
        let failed = match words.next() {
            None => false,
            Some("failed") => true,
            Some(_) => return None,
        };
        Some(Self { rotation, began, attempt, failed })
    }
}

impl fmt::Display for PendingRotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let began = self.began.replace_nanosecond(0).unwrap_or(self.began);
        let began = began.format(&Rfc3339).map_err(|_| fmt::Error)?;
        write!(f, "{} {began} attempt={}", self.rotation, self.attempt)?;
        if self.failed { f.write_str(" failed") } else { Ok(()) }
    }
}

/// Maximum lead of another instance's clock over ours.
const MAX_CLOCK_LEAD: Duration = Duration::minutes(5);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// A pending rotation is under way from shortly before its start until its deadline, unless it has failed.
    #[test]
    fn rotation_is_under_way_until_its_deadline() {
        let began = datetime!(2026-11-22 10:00 UTC);
        let (deadline, lead, second) = (Duration::HOUR, Duration::minutes(5), Duration::SECOND);
        let rotation = "0123456789ab".parse().unwrap();
        let noted = PendingRotation { rotation, began, attempt: 1, failed: false };
        let until = |now| noted.under_way_until(deadline, now);
        assert_eq!(until(began - lead - second), None, "no clock is that far ahead");
        assert_eq!(until(began - lead), Some(began + deadline));
        assert_eq!(until(began + deadline - second), Some(began + deadline));
        assert_eq!(until(began + deadline), None, "its time is over");
        let failed = PendingRotation { failed: true, ..noted.clone() };
        assert_eq!(failed.under_way_until(deadline, began), None, "it is known to have ended");
    }
}
