//! The tag `Quarantined`: a version that must never be published again, why, and since when.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why and since when a version is quarantined.
///
/// As text: `rollback <RFC 3339 time>` or `compromised <RFC 3339 time>`. Whether credentials of others have to go too
/// is not said here: whoever may write tags could have them revoked then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// Why.
    pub reason: QuarantineReason,
    /// Since when.
    pub at: OffsetDateTime,
}

/// Why a version must never be published again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineReason {
    /// A person went back to the version before it.
    Rollback,
    /// A person said that its credential is compromised.
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

    /// Whether its credential has to be revoked as soon as a later one is published.
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
