//! Classification of credentials and secrets for an inventory: their owner, and their notable properties.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::marker::Marker;
use super::names::{AppObjectId, KeyId};

/// The classes of a credential or a secret. Several may apply at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// rekeyd rotates it.
    Managed,
    /// A credential of ours that no version holds, or a secret whose credential is gone.
    Orphaned,
    /// A credential on an application that rekeyd rotates, made by others.
    Foreign,
    /// Not managed by rekeyd.
    Unmanaged,
    /// Its end is less than [`NEAR_EXPIRY`] away.
    NearExpiry,
    /// It is past its end.
    Expired,
    /// The report on sign-ins has never seen it.
    NeverUsed,
    /// Its application trusts another identity provider already.
    CouldBeSecretless,
}

impl Class {
    /// Every class, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Managed,
        Self::Orphaned,
        Self::Foreign,
        Self::Unmanaged,
        Self::NearExpiry,
        Self::Expired,
        Self::NeverUsed,
        Self::CouldBeSecretless,
    ];

    /// Returns the name in tables, JSON and CSV.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Orphaned => "orphaned",
            Self::Foreign => "foreign",
            Self::Unmanaged => "unmanaged",
            Self::NearExpiry => "near_expiry",
            Self::Expired => "expired",
            Self::NeverUsed => "never_used",
            Self::CouldBeSecretless => "could_be_secretless",
        }
    }
}

/// The facts about the managed secrets that determine the owner of a credential.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// The credentials that versions of managed secrets name, by the application that the secret is bound to.
    pub held: BTreeMap<AppObjectId, BTreeSet<KeyId>>,
    /// The markers of the managed secrets.
    pub markers: Vec<Marker>,
}

impl Holdings {
    /// Returns the owner of a credential of this application. A version counts only for the application that its secret
    /// is bound to: a tag can't claim a credential of another one.
    #[must_use]
    pub fn owner(&self, application: AppObjectId, key_id: KeyId, display_name: Option<&str>) -> Class {
        match self.held.get(&application) {
            Some(held) if held.contains(&key_id) => Class::Managed,
            Some(_) if display_name.is_some_and(|name| self.is_marked(name)) => Class::Orphaned,
            Some(_) => Class::Foreign,
            None => Class::Unmanaged,
        }
    }

    /// Returns true if a credential's `displayName` bears the marker of a managed secret.
    fn is_marked(&self, display_name: &str) -> bool {
        self.markers.iter().any(|marker| marker.rotation_of(display_name).is_some())
    }
}

/// The facts about a credential that an inventory needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSeen {
    /// Its owner: [`Holdings::owner`].
    pub owner: Class,
    /// Start of its validity.
    pub start: OffsetDateTime,
    /// End of its validity.
    pub end: OffsetDateTime,
    /// Time of its last use.
    pub last_use: LastUse,
    /// True if its application trusts another identity provider already.
    pub has_federation: bool,
}

/// The time when a credential was last used, from a report that lags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastUse {
    /// There is no report.
    Unknown,
    /// The report has never seen it.
    Never,
    /// Last used at this time.
    At(OffsetDateTime),
}

impl CredentialSeen {
    /// Returns every class that applies at `now`.
    #[must_use]
    pub fn classes(&self, now: OffsetDateTime) -> BTreeSet<Class> {
        let is_settled = now - self.start > REPORT_LAG;
        let never_used = (self.last_use == LastUse::Never && is_settled).then_some(Class::NeverUsed);
        let secretless = (self.has_federation && self.end > now).then_some(Class::CouldBeSecretless);
        [Some(self.owner), by_end(Some(self.end), now), never_used, secretless]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The facts about a vault secret that an inventory needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretSeen {
    /// True if rekeyd writes it.
    pub is_managed: bool,
    /// True if it names a credential that no visible application has.
    pub has_lost_its_credential: bool,
    /// The expiry date set on it.
    pub expires: Option<OffsetDateTime>,
}

impl SecretSeen {
    /// Returns every class that applies at `now`.
    #[must_use]
    pub fn classes(&self, now: OffsetDateTime) -> BTreeSet<Class> {
        let owner = if self.is_managed { Class::Managed } else { Class::Unmanaged };
        let orphaned = self.has_lost_its_credential.then_some(Class::Orphaned);
        [Some(owner), orphaned, by_end(self.expires, now)].into_iter().flatten().collect()
    }
}

fn by_end(end: Option<OffsetDateTime>, now: OffsetDateTime) -> Option<Class> {
    let end = end?;
    if end <= now {
        return Some(Class::Expired);
    }
    (end - now <= NEAR_EXPIRY).then_some(Class::NearExpiry)
}

/// Time before its end at which an expiry is reported: the same as for Key Vault's own near-expiry event.
pub const NEAR_EXPIRY: Duration = Duration::days(30);

/// Lag of the report: a younger credential may have been used without appearing in it.
const REPORT_LAG: Duration = Duration::days(3);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use time::macros::datetime;
    use uuid::Uuid;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const OURS: AppObjectId = AppObjectId(Uuid::from_u128(1));
    const OTHERS: AppObjectId = AppObjectId(Uuid::from_u128(2));
    const KEY: KeyId = KeyId(Uuid::from_u128(7));

    fn holdings() -> Holdings {
        Holdings {
            held: [(OURS, [KEY].into())].into(),
            markers: vec![Marker::of(&"kv-1/app-foo".parse().unwrap())],
        }
    }

    /// A credential's owner follows from the versions and markers of its own application only.
    #[test]
    fn credential_owner_follows_versions_and_markers() {
        let other = KeyId(Uuid::from_u128(8));
        let (mine, strange) = ("rekeyd kv-1/app-foo 0123456789ab", "rekeyd kv-9/app-foo 0123456789ab");
        for (application, key_id, name, expected) in [
            (OURS, KEY, None, Class::Managed),
            (OURS, KEY, Some("by hand"), Class::Managed),
            (OURS, other, Some(mine), Class::Orphaned),
            (OURS, other, Some(strange), Class::Foreign),
            (OURS, other, None, Class::Foreign),
            (OTHERS, KEY, None, Class::Unmanaged),
            (OTHERS, other, Some(mine), Class::Unmanaged),
        ] {
            assert_eq!(holdings().owner(application, key_id, name), expected, "{application} {name:?}");
        }
    }

    /// Each class of a credential in the inventory has its own reason.
    #[test]
    fn each_credential_class_has_its_own_reason() {
        use Class::{CouldBeSecretless, Expired, Managed, NearExpiry, NeverUsed, Unmanaged};
        let usual = CredentialSeen {
            owner: Managed,
            start: NOW - Duration::days(60),
            end: NOW + Duration::days(60),
            last_use: LastUse::At(NOW),
            has_federation: false,
        };
        let is = |change: &dyn Fn(&mut CredentialSeen), expected: &[Class]| {
            let mut seen = usual.clone();
            change(&mut seen);
            assert_eq!(seen.classes(NOW).into_iter().collect::<Vec<_>>(), expected, "{seen:?}");
        };
        is(&|_| (), &[Managed]);
        is(&|seen| seen.end = NOW + NEAR_EXPIRY, &[Managed, NearExpiry]);
        is(&|seen| seen.end = NOW + NEAR_EXPIRY + Duration::SECOND, &[Managed]);
        is(&|seen| seen.end = NOW, &[Managed, Expired]);
        is(&|seen| seen.last_use = LastUse::Never, &[Managed, NeverUsed]);
        is(&|seen| seen.last_use = LastUse::Unknown, &[Managed]);
        is(&|seen| seen.has_federation = true, &[Managed, CouldBeSecretless]);
        is(
            &|seen| {
                seen.owner = Unmanaged;
                seen.end = NOW + Duration::DAY;
            },
            &[Unmanaged, NearExpiry],
        );
        is(
            &|seen| {
                seen.start = NOW - Duration::DAY;
                seen.last_use = LastUse::Never;
            },
            &[Managed],
        );
        is(
            &|seen| {
                seen.end = NOW;
                seen.has_federation = true;
            },
            &[Managed, Expired],
        );
    }

    /// Each class of a secret in the inventory has its own reason.
    #[test]
    fn each_secret_class_has_its_own_reason() {
        use Class::{Expired, Managed, NearExpiry, Orphaned, Unmanaged};
        let seen = |is_managed, has_lost_its_credential, days: Option<i64>| {
            let expires = days.map(|days| NOW + Duration::days(days));
            let seen = SecretSeen { is_managed, has_lost_its_credential, expires };
            seen.classes(NOW).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(seen(true, false, Some(60)), [Managed]);
        assert_eq!(seen(true, true, None), [Managed, Orphaned]);
        assert_eq!(seen(false, false, Some(30)), [Unmanaged, NearExpiry]);
        assert_eq!(seen(false, true, Some(0)), [Orphaned, Unmanaged, Expired]);
    }
}
