//! The cron schedule: the guarantee behind all events. Each run is a sweep over every managed secret.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::ScheduleConfig;
use crate::metrics::{Metrics, unix_seconds};
use crate::ports::{Clock, FAR_FUTURE};
use crate::reconcile::Sweeper;

/// The schedule of sweeps, with its dependencies.
#[derive(Debug)]
pub struct Schedule {
    /// The times of the runs.
    pub config: ScheduleConfig,
    /// The sweeper that each run calls.
    pub sweeper: Sweeper,
    /// The clock that the schedule follows.
    pub clock: Arc<dyn Clock>,
    /// The metrics that show the next run.
    pub metrics: Arc<Metrics>,
}

impl Schedule {
    /// Sweeps by the schedule until `stop` is cancelled; at the start too, if so configured.
    pub async fn run(self, stop: CancellationToken) {
        let _hold = self.clock.hold();
        if self.config.at_start && stop.run_until_cancelled(self.sweeper.sweep()).await.is_none() {
            return;
        }
        loop {
            let next =
                next_run(&self.config, self.clock.now()).map(|next| next + put_off(&self.config, next));
            self.metrics.next_sweep_timestamp_seconds.set(next.map_or(0.0, unix_seconds));
            let run = async {
                self.clock.sleep_until(next.unwrap_or(FAR_FUTURE)).await;
                self.sweeper.sweep().await;
            };
            if stop.run_until_cancelled(run).await.is_none() {
                return;
            }
        }
    }
}

/// Returns the random delay of a run: never so long that the run after it would be missed.
fn put_off(config: &ScheduleConfig, run: OffsetDateTime) -> time::Duration {
    let following = next_run(config, run).unwrap_or(FAR_FUTURE);
    let most = time::Duration::try_from(config.jitter).unwrap_or_default().min((following - run) / 2);
    time::Duration::milliseconds(fastrand::i64(0..=i64::try_from(most.whole_milliseconds()).unwrap_or(0)))
}

/// Returns the first run after `now`, by the wall clock of the configured time zone.
#[must_use]
pub fn next_run(config: &ScheduleConfig, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let zoned = to_zoned(now, &config.time_zone)?;
    match config.cron.next_after(&zoned) {
        Ok(next) => OffsetDateTime::from_unix_timestamp(next.timestamp().as_second()).ok(),
        Err(error) => {
            warn!(%error, cron = config.expression, "schedule has no next run");
            None
        }
    }
}

fn to_zoned(moment: OffsetDateTime, zone: &TimeZone) -> Option<jiff::Zoned> {
    Timestamp::from_second(moment.unix_timestamp()).ok().map(|stamp| stamp.to_zoned(zone.clone()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn schedule(cron: &str, zone: &str) -> ScheduleConfig {
        ScheduleConfig {
            cron: cron.parse().unwrap(),
            expression: cron.to_owned(),
            time_zone: TimeZone::get(zone).unwrap(),
            at_start: false,
            jitter: std::time::Duration::ZERO,
        }
    }

    /// A schedule runs at the same hour of the local clock in summer and winter.
    #[test]
    fn schedule_keeps_wall_clock_hour_all_year() {
        let berlin = schedule("0 3 * * *", "Europe/Berlin");
        let next = |now| next_run(&berlin, now);
        assert_eq!(next(datetime!(2026-01-10 12:00 UTC)), Some(datetime!(2026-01-11 2:00 UTC)));
        assert_eq!(next(datetime!(2026-07-10 12:00 UTC)), Some(datetime!(2026-07-11 1:00 UTC)));
    }

    #[test]
    fn jitter_never_misses_a_run() {
        let config = ScheduleConfig {
            jitter: std::time::Duration::from_secs(12 * 3_600),
            ..schedule("0 * * * *", "UTC")
        };
        let run = datetime!(2026-01-01 1:00 UTC);
        for _ in 0..200 {
            let put_off = super::put_off(&config, run);
            assert!((time::Duration::ZERO..=time::Duration::minutes(30)).contains(&put_off), "{put_off}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_runs_once() {
        let berlin = schedule("30 2 * * *", "Europe/Berlin");
        let first = next_run(&berlin, datetime!(2026-10-24 22:30 UTC)).unwrap();
        let second = next_run(&berlin, first).unwrap();
        assert!(second - first >= time::Duration::hours(23), "{first} {second}");
    }
}
