//! The calendar of near-expiry and expiry events. Each is checked again when its time comes.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::event::{Event, EventKind};
use crate::sandbox::model::VersionCreated;

/// The time before its end at which a version is "near expiry". Fixed, as in Key Vault.
const NEAR_EXPIRY: Duration = Duration::days(30);

/// The delay after which a version is reported that is created, or patched to be, near its end.
const BORN_NEAR_EXPIRY: Duration = Duration::minutes(15);

/// Events whose time has not come yet.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    planned: BTreeMap<(OffsetDateTime, u64), Event>,
    next_id: u64,
    /// The current version of each secret (by vault and name), and the end that was last planned for it.
    ends: BTreeMap<(String, String), (String, Option<OffsetDateTime>)>,
}

impl Calendar {
    /// Plans both events of a new version.
    pub(super) fn created(&mut self, created: &VersionCreated, now: OffsetDateTime) {
        self.remember(created);
        self.plan(created, created.at, now);
    }

    /// Plans again if the end of a secret's current version has really changed, or another version is now current.
    /// Azure's behaviour is not documented; code that works here also works if Azure doesn't plan again.
    pub(super) fn patched(&mut self, patched: &VersionCreated, now: OffsetDateTime) {
        let known = self.ends.get(&key(patched));
        let is_news =
            known.is_none_or(|(version, expires)| *version != patched.version || *expires != patched.expires);
        if is_news {
            self.remember(patched);
            // A restored secret has the same versions in its new vault as in the old one.
            self.planned.retain(|_, event| !event.is_about(patched));
            self.plan(patched, now, now);
        }
    }

    pub(super) fn next_moment(&self) -> Option<OffsetDateTime> {
        self.planned.first_key_value().map(|((at, _), _)| *at)
    }

    /// Removes and returns the events whose time has come, in order.
    pub(super) fn take_due(&mut self, now: OffsetDateTime) -> Vec<Event> {
        let mut due = Vec::new();
        while let Some(entry) = self.planned.first_entry() {
            if entry.key().0 > now {
                break;
            }
            due.push(entry.remove());
        }
        due
    }

    fn remember(&mut self, of: &VersionCreated) {
        self.ends.insert(key(of), (of.version.clone(), of.expires));
    }

    /// Plans a version's events. `from` is the time its present end was set. A version that has already ended is not
    /// near its end.
    fn plan(&mut self, of: &VersionCreated, from: OffsetDateTime, now: OffsetDateTime) {
        let Some(expires) = of.expires else { return };
        if expires > now {
            let near = (expires - NEAR_EXPIRY).max(from + BORN_NEAR_EXPIRY).min(expires);
            self.add(near.max(now), Event::of(EventKind::NearExpiry, of));
        }
        self.add(expires, Event::of(EventKind::Expired, of));
    }

    fn add(&mut self, at: OffsetDateTime, event: Event) {
        self.planned.insert((at, self.next_id), event);
        self.next_id += 1;
    }
}

fn key(of: &VersionCreated) -> (String, String) {
    (of.vault.clone(), of.secret.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn version(id: &str, days: i64) -> VersionCreated {
        VersionCreated {
            vault: "v".into(),
            secret: "s".into(),
            version: id.into(),
            at: NOW,
            not_before: None,
            expires: Some(NOW + Duration::days(days)),
        }
    }

    /// Returns the planned events, with their times in minutes after `NOW`.
    fn planned(calendar: &mut Calendar) -> Vec<(i64, EventKind)> {
        let mut found = Vec::new();
        while let Some(at) = calendar.next_moment() {
            found.extend(
                calendar.take_due(at).into_iter().map(|event| ((at - NOW).whole_minutes(), event.kind)),
            );
        }
        found
    }

    const DAY: i64 = 24 * 60;

    /// Near expiry is planned 30 days before the end, or 15 minutes after creation if the version ends sooner.
    #[test]
    fn near_expiry_comes_thirty_days_ahead() {
        for (days, near) in [(90, 60 * DAY), (31, DAY), (30, 15), (7, 15)] {
            let mut calendar = Calendar::default();
            calendar.created(&version("1", days), NOW);
            let expected = [(near, EventKind::NearExpiry), (days * DAY, EventKind::Expired)];
            assert_eq!(planned(&mut calendar), expected);
        }
    }

    /// A version that has already expired when it is created gets `SecretExpired` at once and no `SecretNearExpiry`.
    #[test]
    fn expired_new_version_skips_near_expiry() {
        let mut calendar = Calendar::default();
        calendar.created(&version("1", -1), NOW);
        assert_eq!(planned(&mut calendar), [(-DAY, EventKind::Expired)]);
    }

    /// A changed expiry date replaces the planned events, and setting the same date again plans nothing.
    #[test]
    fn changed_expiry_replaces_the_plan() {
        let mut calendar = Calendar::default();
        calendar.created(&version("1", 90), NOW);
        calendar.patched(&version("1", 50), NOW);
        let expected = [(20 * DAY, EventKind::NearExpiry), (50 * DAY, EventKind::Expired)];
        assert_eq!(planned(&mut calendar), expected);
        calendar.patched(&version("1", 50), NOW);
        assert_eq!(planned(&mut calendar), []);
        calendar.patched(&version("1", 7), NOW + Duration::days(1));
        let expected = [(DAY + 15, EventKind::NearExpiry), (7 * DAY, EventKind::Expired)];
        assert_eq!(planned(&mut calendar), expected);
    }

    /// The same version id in another vault or under another secret name has its own plan of events.
    #[test]
    fn same_version_elsewhere_has_own_plan() {
        for (vault, secret) in [("w", "s"), ("v", "t")] {
            let mut calendar = Calendar::default();
            calendar.created(&version("1", 90), NOW);
            let restored = VersionCreated { vault: vault.into(), secret: secret.into(), ..version("1", 200) };
            calendar.patched(&restored, NOW);
            let days: Vec<_> = planned(&mut calendar).into_iter().map(|(minutes, _)| minutes / DAY).collect();
            assert_eq!(days, [60, 90, 170, 200], "{vault}/{secret}");
        }
    }
}
