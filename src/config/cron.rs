//! A schedule's expression. Each time of day in it is kept separately, so that no clock change loses or doubles a run.

use croner::errors::CronError;
use croner::parser::{CronParser, Year};
use jiff::Zoned;

/// A cron expression of five or six fields (the sixth, in front, is the seconds).
///
/// A time of day that a clock change skips runs once, at the change; one that occurs twice runs the first time. An
/// interval (`*`, a step or a range in the time of day) follows absolute time instead.
#[derive(Debug, Clone)]
pub struct Cron {
    /// One expression for each time of day: the cron library handles clock changes this way for a single time only.
    single: Vec<croner::Cron>,
}

impl Cron {
    /// Returns the first time after `now`, in local time of its zone.
    ///
    /// # Errors
    /// There is no such time.
    pub fn next_after(&self, now: &Zoned) -> Result<Zoned, CronError> {
        let mut times = self.single.iter().map(|cron| cron.find_next_occurrence(now, false));
        let first = times.next().unwrap_or(Err(CronError::EmptyPattern))?;
        Ok(times.filter_map(Result::ok).fold(first, Zoned::min))
    }
}

impl std::str::FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let whole = parser().parse(text)?;
        let single = match single_times(text) {
            Some(times) => times.iter().map(|time| parser().parse(time)).collect::<Result<_, _>>()?,
            None => vec![whole],
        };
        Ok(Self { single })
    }
}

fn parser() -> CronParser {
    CronParser::builder().year(Year::Disallowed).build()
}

/// Returns an expression for each time of day, if `text` lists times of day and not too many.
fn single_times(text: &str) -> Option<Vec<String>> {
    let fields: Vec<_> = text.split_whitespace().collect();
    let (time, day) = fields.split_at_checked(fields.len().checked_sub(3)?)?;
    let mut times = vec![String::new()];
    for field in time {
        let values: Vec<_> = field.split(',').collect();
        if !values.iter().all(|value| value.bytes().all(|byte| byte.is_ascii_digit())) {
            return None;
        }
        times =
            times.iter().flat_map(|time| values.iter().map(move |value| format!("{time}{value} "))).collect();
    }
    let day = day.join(" ");
    (times.len() <= MAX_TIMES).then(|| times.iter().map(|time| format!("{time}{day}")).collect())
}

/// The limit on times of day: more in a day are an interval by any measure.
const MAX_TIMES: usize = 48;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    /// Returns the runs from `from` on, in hours and minutes of UTC.
    fn runs(cron: &str, from: &str, count: usize) -> Vec<String> {
        let cron: Cron = cron.parse().unwrap();
        let mut now: Zoned = from.parse().unwrap();
        std::iter::repeat_with(|| {
            now = cron.next_after(&now).unwrap();
            now.timestamp().strftime("%d %H:%M").to_string()
        })
        .take(count)
        .collect()
    }

    /// Each of a schedule's times of day runs exactly once on a day when the clocks change.
    #[test]
    fn each_time_runs_once_across_clock_change() {
        let spring = "2027-03-28T00:00[Europe/Berlin]";
        assert_eq!(runs("30 2,14 * * *", spring, 3), ["28 01:00", "28 12:30", "29 00:30"]);
        let autumn = "2027-10-31T00:00[Europe/Berlin]";
        assert_eq!(runs("30 2,14 * * *", autumn, 3), ["31 00:30", "31 13:30", "01 01:30"]);
        assert_eq!(runs("0,30 2 * * *", autumn, 3), ["31 00:00", "31 00:30", "01 01:00"]);
    }

    #[test]
    fn only_lists_of_numbers_are_taken_apart() {
        assert_eq!(single_times("0 1,2 * * MON").unwrap(), ["0 1 * * MON", "0 2 * * MON"]);
        assert_eq!(single_times("0 0,30 1,2 * * *").unwrap().len(), 4);
        for interval in ["* * * * *", "*/5 2 * * *", "0 1-3 * * *", "0 2/4 * * *"] {
            assert_eq!(single_times(interval), None, "{interval}");
        }
    }
}
