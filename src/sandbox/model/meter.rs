//! A quota: a number of units in a time window. Reads no clock; the caller passes the time.

use time::{Duration, OffsetDateTime};

/// A counter of units spent in windows of a fixed length, each beginning with the first request after the last one.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    limit: u32,
    window: Duration,
    began: Option<OffsetDateTime>,
    spent: u32,
}

impl Meter {
    /// Creates a meter that admits `limit` units in each `window`.
    pub(crate) const fn new(limit: u32, window: Duration) -> Self {
        Self { limit, window, began: None, spent: 0 }
    }

    /// Returns the time to wait if `cost` doesn't fit; spends nothing.
    pub(crate) fn wait(&mut self, cost: u32, now: OffsetDateTime) -> Option<Duration> {
        let began = self.current_window(now);
        (self.spent.saturating_add(cost) > self.limit).then(|| began + self.window - now)
    }

    /// Spends `cost`, whether it fits or not.
    pub(crate) fn spend(&mut self, cost: u32, now: OffsetDateTime) {
        self.current_window(now);
        self.spent = self.spent.saturating_add(cost);
    }

    /// Spends `cost` if it fits.
    ///
    /// # Errors
    /// The time to wait until the next window.
    pub(crate) fn try_spend(&mut self, cost: u32, now: OffsetDateTime) -> Result<(), Duration> {
        self.wait(cost, now).map_or(Ok(()), Err)?;
        self.spend(cost, now);
        Ok(())
    }

    /// Returns the used share of the quota, from 0 on; 1 is all of it.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.spent) / f64::from(self.limit.max(1))
    }

    fn current_window(&mut self, now: OffsetDateTime) -> OffsetDateTime {
        if let Some(began) = self.began.filter(|began| now < *began + self.window) {
            return began;
        }
        self.spent = 0;
        *self.began.insert(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    /// A window admits requests up to its limit, and refuses further ones with the time left until it ends.
    #[test]
    fn window_admits_exactly_its_limit() {
        let mut meter = Meter::new(3, Duration::seconds(10));
        let passed = (0..5).filter(|_| meter.try_spend(1, NOW).is_ok()).count();
        assert_eq!(passed, 3);
        let later = NOW + Duration::seconds(4);
        assert_eq!(meter.try_spend(1, later), Err(Duration::seconds(6)));
        assert_eq!(meter.try_spend(3, NOW + Duration::seconds(10)), Ok(()));
    }

    #[test]
    fn what_does_not_fit_costs_nothing() {
        let mut meter = Meter::new(3, Duration::seconds(10));
        assert!(meter.try_spend(4, NOW).is_err());
        assert_eq!(meter.try_spend(3, NOW), Ok(()));
        assert!((meter.share() - 1.0).abs() < f64::EPSILON);
    }
}
