//! The tag `Quarantined`: it marks a version that must never be published again, with the reason and the time.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The reason for a version's quarantine, and its time.
///
/// As text: `rollback <RFC 3339 time>` or `compromised <RFC 3339 time>`. The tag does not record that credentials of
/// others have to be revoked too: otherwise anyone who may write tags could have them revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// Reason for the quarantine.
    pub reason: QuarantineReason,
    /// Time since when it is quarantined.
    pub at: OffsetDateTime,
}

/// The reason why a version must never be published again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineReason {
    /// An operator rolled back to the version before it.
    Rollback,
    /// An operator reported its credential as compromised.
    Compromised,
}

impl Quarantine {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let reason = words.next()?;
        let at = OffsetDateTime::parse(words.next()?, &Rfc3339).ok()?;
        let reason = match (reason, words.next()) {
            ("rollback", None) => QuarantineReason::Rollback,
            ("compromised", None) => QuarantineReason::Compromised,
            _ => return None,
        };
        Some(Self { reason, at })
    }

    /// Returns true if its credential has to be revoked as soon as a later one is published.
    #[must_use]
    pub const fn is_compromised(&self) -> bool {
        matches!(self.reason, QuarantineReason::Compromised)
    }
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.replace_nanosecond(0).unwrap_or(self.at);
        let at = at.format(&Rfc3339).map_err(|_| fmt::Error)?;
        let reason = match self.reason {
            QuarantineReason::Rollback => "rollback",
            QuarantineReason::Compromised => "compromised",
        };
        write!(f, "{reason} {at}")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_quarantine_reads_back_as_written() {
        for reason in [QuarantineReason::Rollback, QuarantineReason::Compromised] {
            let quarantine = Quarantine { reason, at: datetime!(2026-11-22 10:00:05 UTC) };
            assert_eq!(Quarantine::parse(&quarantine.to_string()).unwrap(), quarantine);
        }
        for nonsense in ["", "rollback", "rollback soon", "compromised 2026-11-22T10:00:05Z some", "x y"] {
            assert_eq!(Quarantine::parse(nonsense), None, "{nonsense:?}");
        }
    }
}
