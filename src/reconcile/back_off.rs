//! The pause before a blocked secret is reconciled again: growing, capped, and spread.

use time::Duration;

/// Returns the pause after `troubles` passes in a row (from 1) that were blocked.
///
/// From 5 s to 15 min for a block that passes by itself, from 1 min to 1 h for one that waits for a person; each
/// between half of that and all of it, so that secrets blocked together don't come back together.
pub(super) fn pause(troubles: u32, needs_person: bool, random: &mut fastrand::Rng) -> Duration {
    let (first, most) = if needs_person { (60.0, 3_600.0) } else { (5.0, 900.0) };
    let exponent = i32::try_from(troubles.saturating_sub(1).min(16)).unwrap_or(16);
    let longest = (first * 2_f64.powi(exponent)).min(most);
    Duration::seconds_f64(longest * (0.5 + random.f64() / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Back-off pauses grow up to their cap and never fall below their minimum.
    #[test]
    fn pauses_grow_to_cap_and_never_vanish() {
        let mut random = fastrand::Rng::with_seed(1);
        for troubles in [0, 1, 2, 5, 100, u32::MAX] {
            for (needs_person, least, most) in [(false, 2.5, 900.0), (true, 30.0, 3_600.0)] {
                let pause = pause(troubles, needs_person, &mut random).as_seconds_f64();
                assert!((least..=most).contains(&pause), "{troubles} {needs_person}: {pause}");
            }
        }
    }
}
