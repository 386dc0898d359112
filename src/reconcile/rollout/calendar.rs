//! The calendar of a rollout: evaluates maintenance windows and freezes. Reads no configuration file.

use jiff::Timestamp;
use time::OffsetDateTime;

use super::Rollout;
use crate::config::{FreezePeriod, Window};
use crate::domain::Freeze;

/// The state of the maintenance windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowState {
    /// Rotations may begin: a window is open, or there are none.
    Open,
    /// Rotations have to wait.
    Closed {
        /// When the next window opens; `None`: never.
        next: Option<OffsetDateTime>,
    },
}

impl Rollout {
    /// Returns the state of the maintenance windows at `now`.
    #[must_use]
    pub fn window(&self, now: OffsetDateTime) -> WindowState {
        let windows = &self.config.windows;
        if windows.is_empty() {
            return WindowState::Open;
        }
        match windows.iter().filter_map(|window| opening(window, now)).min() {
            Some(opening) if opening <= now => WindowState::Open,
            next => WindowState::Closed { next },
        }
    }

    /// Returns the freeze that holds at `now`. It ends with the last of those that follow each other without a gap.
    ///
    /// A hard one is followed by hard ones only: whatever waits for those alone has to know their end.
    #[must_use]
    pub fn freeze(&self, now: OffsetDateTime) -> Option<Freeze> {
        let is_hard = self.config.freezes.iter().any(|freeze| freeze.is_hard && holds_at(freeze, now));
        // Each end is later than the one before, or the search is over.
        let until =
            std::iter::successors(self.frozen_until(now, is_hard), |end| self.frozen_until(*end, is_hard));
        Some(Freeze { until: until.last()?, is_hard })
    }

    /// Returns the latest end of the freezes that hold at `moment`; of hard ones only if asked for those.
    fn frozen_until(&self, moment: OffsetDateTime, only_hard: bool) -> Option<OffsetDateTime> {
        self.config
            .freezes
            .iter()
            .filter(|freeze| (freeze.is_hard || !only_hard) && holds_at(freeze, moment))
            .map(|freeze| freeze.until)
            .max()
    }
}

/// Returns the first opening whose window is not over at `now`: before `now` if the window is open.
fn opening(window: &Window, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let since = Timestamp::from_second(now.saturating_sub(window.duration).unix_timestamp()).ok()?;
    let opening = window.cron.next_after(&since.to_zoned(window.time_zone.clone())).ok()?;
    OffsetDateTime::from_unix_timestamp(opening.timestamp().as_second()).ok()
}

fn holds_at(freeze: &FreezePeriod, moment: OffsetDateTime) -> bool {
    freeze.from <= moment && moment < freeze.until
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::config::Config;

    const SMALL_FILE: &str =
        "[azure]\ntenant_id = \"example.org\"\n[[vaults]]\nname = \"kv\"\ndiscover = true";

    fn rollout(text: &str) -> Rollout {
        let file = format!("{SMALL_FILE}\n[rollout]\n{text}");
        Rollout::new(Config::parse(&file, "rekeyd.toml", &[]).unwrap().rollout)
    }

    /// A rollout window is open for its full duration, also on days when the clocks change.
    #[test]
    fn window_lasts_its_duration_across_clock_changes() {
        let night = "[[rollout.windows]]\ncron = \"0 2 * * *\"\nduration = \"2h\"";
        let berlin = rollout(&format!("time_zone = \"Europe/Berlin\"\n{night}"));
        let closed = |next| WindowState::Closed { next: Some(next) };
        // In spring 02:00 is left out: it opens at 03:00, which is 01:00 UTC.
        assert_eq!(berlin.window(datetime!(2026-03-29 0:59 UTC)), closed(datetime!(2026-03-29 1:00 UTC)));
        assert_eq!(berlin.window(datetime!(2026-03-29 1:00 UTC)), WindowState::Open);
        assert_eq!(berlin.window(datetime!(2026-03-29 2:59:59.5 UTC)), WindowState::Open);
        assert_eq!(berlin.window(datetime!(2026-03-29 3:00 UTC)), closed(datetime!(2026-03-30 0:00 UTC)));
        // In autumn 02:00 comes twice: it opens the first time only.
        assert_eq!(berlin.window(datetime!(2026-10-24 23:59 UTC)), closed(datetime!(2026-10-25 0:00 UTC)));
        assert_eq!(berlin.window(datetime!(2026-10-25 1:30 UTC)), WindowState::Open);
        assert_eq!(berlin.window(datetime!(2026-10-25 2:00 UTC)), closed(datetime!(2026-10-26 1:00 UTC)));
    }

    /// One open rollout window suffices, and without any configured window rollouts are always open.
    #[test]
    fn any_open_window_suffices() {
        let now = datetime!(2026-11-22 12:00 UTC);
        assert_eq!(rollout("").window(now), WindowState::Open);
        let two = "[[rollout.windows]]\ncron = \"0 3 * * *\"\nduration = \"1h\"\n\
                   [[rollout.windows]]\ncron = \"30 11 * * *\"\nduration = \"1h\"";
        assert_eq!(rollout(two).window(now), WindowState::Open);
        let next = Some(datetime!(2026-11-23 3:00 UTC));
        assert_eq!(rollout(two).window(now + Duration::HOUR), WindowState::Closed { next });
        let never = rollout("[[rollout.windows]]\ncron = \"0 0 31 2 *\"\nduration = \"1h\"");
        assert_eq!(never.window(now), WindowState::Closed { next: None });
    }

    /// Freezes that overlap or adjoin end together with the last of them.
    #[test]
    fn adjoining_freezes_end_with_the_last() {
        let one = |from: u8, until: u8, hard: bool| {
            format!(
                "[[rollout.freezes]]\nfrom = \"2026-12-{from:02}T00:00\"\nuntil = \"2026-12-{until:02}T00:00\"\nhard = {hard}\n"
            )
        };
        let frozen = rollout(
            &[one(8, 12, true), one(1, 5, false), one(5, 9, false), one(12, 14, false), one(20, 21, true)]
                .concat(),
        );
        let at = |day: u8, is_hard| {
            let until = datetime!(2026-12-01 0:00 UTC).replace_day(day).unwrap();
            Some(Freeze { until, is_hard })
        };
        let freeze = |day| frozen.freeze(datetime!(2026-12-01 0:00 UTC).replace_day(day).unwrap());
        assert_eq!(freeze(1), at(14, false));
        assert_eq!(freeze(7), at(14, false));
        assert_eq!(freeze(8), at(12, true), "who waits for hard freezes only may go on then");
        assert_eq!(freeze(12), at(14, false));
        assert_eq!(freeze(14), None);
        assert_eq!(freeze(20), at(21, true));
        assert_eq!(frozen.freeze(datetime!(2026-11-30 23:59:59 UTC)), None);
    }
}
