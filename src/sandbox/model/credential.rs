//! A password credential, and the slow spread of its addition or removal.

use std::ops::RangeInclusive;

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::sign_in_report::SignIns;

/// One client secret of an application.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its id in Entra.
    pub key_id: Uuid,
    /// The name that its creator gave it.
    pub display_name: Option<String>,
    /// The start of its validity.
    pub start: OffsetDateTime,
    /// The end of its validity.
    pub end: OffsetDateTime,
    /// The text itself; Graph returns it only once.
    pub text: SecretString,
    /// The spread of its addition; `None` if it has long been known everywhere.
    pub(super) added: Option<Change>,
    pub(super) removed: Option<Change>,
    /// Its sign-ins, as the report needs them.
    pub(super) sign_ins: SignIns,
}

/// A change that spreads: known on no server until `reaches`, on some until `settles`, then on all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    reaches: OffsetDateTime,
    settles: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    Unknown,
    Flickering,
    Settled,
}

/// The time that changes take to spread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Propagation {
    min_ms: u64,
    max_ms: u64,
}

impl Credential {
    /// Returns the first three characters of the text, which Graph shows permanently.
    #[must_use]
    pub fn hint(&self) -> String {
        self.text.expose_secret().chars().take(3).collect()
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        self.text.expose_secret() == text
    }

    pub(super) fn is_removed(&self) -> bool {
        self.removed.is_some()
    }

    pub(super) fn is_live(&self, now: OffsetDateTime) -> bool {
        !self.is_removed() && self.end > now
    }

    /// Returns true if its removal is known everywhere.
    pub(super) fn is_forgotten(&self, now: OffsetDateTime) -> bool {
        self.removed.is_some_and(|change| change.spread(now) == Spread::Settled)
    }

    /// Returns true if the server that handles the request accepts it for a sign-in.
    pub(super) fn is_accepted(&self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> bool {
        let added = match self.added.map(|change| change.spread(now)) {
            Some(Spread::Unknown) => false,
            Some(Spread::Flickering) => rng.u8(0..3) > 0,
            Some(Spread::Settled) | None => true,
        };
        let removed = match self.removed.map(|change| change.spread(now)) {
            Some(Spread::Unknown) => rng.bool(),
            Some(Spread::Flickering) => rng.u8(0..3) > 0,
            Some(Spread::Settled) => true,
            None => false,
        };
        added && !removed
    }

    /// Returns true if the server that handles the request shows it in a read.
    pub(super) fn is_shown(&self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> bool {
        let added = self.added.is_none_or(|change| change.is_noticed(now, rng));
        let removed = self.removed.is_some_and(|change| change.is_noticed(now, rng));
        added && !removed
    }

    /// Returns true if the server that handles the request finds it for removal.
    pub(super) fn is_removable(&self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> bool {
        let is_unknown = self.added.is_some_and(|change| change.spread(now) == Spread::Unknown);
        !self.is_removed() && (!is_unknown || rng.u8(0..3) > 0)
    }
}

impl Change {
    /// Returns true if the server that handles the request knows this change.
    pub(super) fn is_noticed(self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> bool {
        self.spread(now) != Spread::Unknown || rng.bool()
    }

    fn spread(self, now: OffsetDateTime) -> Spread {
        if now < self.reaches {
            Spread::Unknown
        } else if now < self.settles {
            Spread::Flickering
        } else {
            Spread::Settled
        }
    }
}

impl Propagation {
    pub(super) fn new(range: &RangeInclusive<Duration>) -> Self {
        let milliseconds = |duration: &Duration| u64::try_from(duration.whole_milliseconds()).unwrap_or(0);
        let min_ms = milliseconds(range.start());
        Self { min_ms, max_ms: milliseconds(range.end()).max(min_ms) }
    }

    /// Returns a change made at `now`, with its own random delay.
    pub(super) fn change(self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> Change {
        let after =
            |ms: u64| now.saturating_add(Duration::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX)));
        Change {
            reaches: after(rng.u64(self.min_ms..=self.max_ms)),
            settles: after(self.max_ms.saturating_mul(2)),
        }
    }
}

/// Generates a text in Entra's format: 40 characters, never beginning with a dash.
pub(super) fn random_text(rng: &mut fastrand::Rng) -> SecretString {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~._-";
    let mut one = |_| char::from(*rng.choice(alphabet).unwrap_or(&b'A'));
    let rest: String = (0..34).map(&mut one).collect();
    let start: String = (0..3).map(|_| rng.alphanumeric()).collect();
    SecretString::from(format!("{start}8Q~{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn accepted(credential: &Credential, after: Duration) -> usize {
        let mut rng = fastrand::Rng::with_seed(1);
        (0..300).filter(|_| credential.is_accepted(NOW + after, &mut rng)).count()
    }

    fn credential(added: Option<Change>, removed: Option<Change>) -> Credential {
        let text = random_text(&mut fastrand::Rng::with_seed(2));
        Credential {
            key_id: Uuid::nil(),
            display_name: None,
            start: NOW,
            end: NOW + Duration::days(1),
            text,
            added,
            removed,
            sign_ins: SignIns::default(),
        }
    }

    /// A new credential is unknown at first, then accepted some of the time, and then always.
    #[test]
    fn new_credential_flickers_before_it_stays() {
        let propagation = Propagation::new(&(Duration::seconds(4)..=Duration::seconds(18)));
        let change = propagation.change(NOW, &mut fastrand::Rng::with_seed(3));
        let new = credential(Some(change), None);
        assert_eq!(accepted(&new, Duration::seconds(3)), 0);
        let flickering = accepted(&new, Duration::seconds(30));
        assert!((150..250).contains(&flickering), "{flickering}");
        assert_eq!(accepted(&new, Duration::seconds(36)), 300);
    }

    /// A removed credential is still accepted for a while, and is never accepted once the removal has propagated.
    #[test]
    fn removed_credential_lingers_then_ends() {
        let propagation = Propagation::new(&(Duration::seconds(4)..=Duration::seconds(18)));
        let change = propagation.change(NOW, &mut fastrand::Rng::with_seed(3));
        let old = credential(None, Some(change));
        assert!(accepted(&old, Duration::ZERO) > 0);
        assert_eq!(accepted(&old, Duration::seconds(36)), 0);
        assert!(old.is_forgotten(NOW + Duration::seconds(36)));
    }

    #[test]
    fn without_propagation_everything_is_known_at_once() {
        let propagation = Propagation::new(&(Duration::ZERO..=Duration::ZERO));
        let change = propagation.change(NOW, &mut fastrand::Rng::with_seed(3));
        assert_eq!(accepted(&credential(Some(change), None), Duration::ZERO), 300);
        assert_eq!(accepted(&credential(None, Some(change)), Duration::ZERO), 0);
    }

    /// A random secret text has 40 characters and does not start with a dash.
    #[test]
    fn random_text_has_no_leading_dash() {
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..200 {
            let text = random_text(&mut rng);
            assert_eq!(text.expose_secret().len(), 40);
            assert!(!text.expose_secret().starts_with('-'));
        }
    }
}
