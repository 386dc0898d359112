//! The clock skew: how far our clock is from Azure's. A wrong clock must not rotate a fleet.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Beyond this distance nothing with an effect is done.
pub const MAX_SKEW: Duration = Duration::minutes(5);

/// The distance between our clock and the `Date` of each service's latest answer.
#[derive(Debug, Default)]
pub struct ClockSkew(Mutex<BTreeMap<&'static str, Duration>>);

impl ClockSkew {
    /// Notes the `date` of a service's answer. `sent` and `received` are by our clock.
    ///
    /// A date between the two is not a skew: only the distance from that interval counts.
    pub fn note(
        &self,
        service: &'static str,
        sent: OffsetDateTime,
        received: OffsetDateTime,
        date: OffsetDateTime,
    ) {
        let distance = if date < sent {
            date - sent
        } else if date > received {
            date - received
        } else {
            Duration::ZERO
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(service, distance);
    }

    /// Returns true if any service's time is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Returns the largest distance among the services' latest answers; positive if Azure is ahead of us.
    #[must_use]
    pub fn largest(&self) -> Duration {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.values().copied().max_by_key(|distance| distance.abs()).unwrap_or_default()
    }

    /// Returns true if our clock can be trusted with effects.
    #[must_use]
    pub fn is_tolerable(&self) -> bool {
        self.largest().abs() <= MAX_SKEW
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// Clock skew is the distance of the server's date from the interval of the call; a date within it is not a skew.
    #[test]
    fn skew_is_distance_from_call_interval() {
        let skew = ClockSkew::default();
        assert!(!skew.is_known(), "no service has answered");
        let (sent, received) = (datetime!(2026-01-01 10:00 UTC), datetime!(2026-01-01 10:01 UTC));
        for (date, expected, tolerable) in [
            (datetime!(2026-01-01 10:00:30 UTC), Duration::ZERO, true),
            (datetime!(2026-01-01 10:06:00 UTC), Duration::minutes(5), true),
            (datetime!(2026-01-01 10:06:01 UTC), Duration::seconds(301), false),
            (datetime!(2026-01-01 9:50 UTC), Duration::minutes(-10), false),
        ] {
            skew.note("graph", sent, received, date);
            assert_eq!((skew.largest(), skew.is_tolerable()), (expected, tolerable));
            assert!(skew.is_known());
        }
    }
}
