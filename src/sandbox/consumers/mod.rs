//! The simulated consumers: one for each secret, signing in every hour, with a cache of an hour; optionally a second one
//! with a longer cache.
//!
//! They sign in every hour against the model, once a day over real HTTPS. None may ever be refused: each failure
//! counts.

mod https;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

pub(crate) use self::https::HttpsSignIn;

use super::clock::SandboxClock;
use super::model::{ConsumerText, ManagedSecret, Model, SignInRefusal, TimelineEvent, TimelineEventKind};
use crate::ports::{Clock, Hold};

/// The consumers' user agent; requests with it are exempt from injected faults.
pub(crate) const USER_AGENT: &str = "sandbox-consumer";

const HOUR: Duration = Duration::hours(1);

/// The consumer of one secret.
pub(crate) struct Consumer {
    clock: SandboxClock,
    model: Arc<Model>,
    https: Arc<HttpsSignIn>,
    secret: ManagedSecret,
    cached: Option<Cached>,
    /// The time for which a text that was read is used.
    cache_for: Duration,
    /// The offset within the hour at which it wakes, so that not all wake at once.
    offset: Duration,
    /// The hour of each day at which it signs in over HTTPS.
    daily_hour: u32,
}

struct Cached {
    text: SecretString,
    version: String,
    read_at: OffsetDateTime,
}

impl Consumer {
    pub(crate) fn new(
        clock: SandboxClock,
        model: Arc<Model>,
        https: Arc<HttpsSignIn>,
        secret: ManagedSecret,
        seed: u64,
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let offset = Duration::seconds(rng.i64(1..3600));
        Self {
            clock,
            model,
            https,
            secret,
            cached: None,
            cache_for: HOUR,
            offset,
            daily_hour: rng.u32(0..24),
        }
    }

    /// Makes it use a text for this long after it has read it.
    pub(crate) fn caching_for(self, cache_for: Duration) -> Self {
        Self { cache_for, ..self }
    }

    /// Runs until stopped. `hold` is its own and only hold on the clock.
    pub(crate) async fn run(mut self, hold: Hold, stop: CancellationToken) {
        let (_hold, clock) = (hold, self.clock.clone());
        let first = clock.now() + self.offset;
        self.every_hour(clock.now());
        let mut hours: u32 = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep_until(first + HOUR * hours) => {}
            }
            self.every_hour(clock.now());
            if hours % 24 == self.daily_hour {
                self.every_day(clock.now()).await;
            }
            hours += 1;
        }
    }

    /// Signs in with the cached text if it is young enough; if refused, reads the secret again once.
    fn every_hour(&mut self, now: OffsetDateTime) {
        let cached = self.cached.take().filter(|cached| now - cached.read_at <= self.cache_for);
        if let Some(cached) = cached {
            match self.sign_in(&cached, now) {
                Ok(()) => {
                    self.cached = Some(cached);
                    return;
                }
                Err(_) if self.is_compromised(&cached.version) => {}
                Err(refusal) => self
                    .fail(&format!("sign-in with the cached secret failed: AADSTS{}", refusal.code()), now),
            }
        }
        self.cached = self.read_and_sign_in(now);
    }

    /// Reads the secret and signs in. Retries once if the text was compromised and may have been replaced since.
    fn read_and_sign_in(&self, now: OffsetDateTime) -> Option<Cached> {
        let mut current = self.read(now)?;
        let mut signed_in = self.sign_in(&current, now);
        if signed_in.is_err() && self.is_compromised(&current.version) {
            current = self.read(now)?;
            signed_in = self.sign_in(&current, now);
        }
        if let Err(refusal) = signed_in {
            self.fail(&format!("sign-in with the current secret failed: AADSTS{}", refusal.code()), now);
        }
        Some(current)
    }

    /// Does the same over HTTPS. A compromised text may be replaced between the two requests.
    async fn every_day(&self, now: OffsetDateTime) {
        self.model.count_consumer_sign_in(ConsumerText::Current);
        let before = self.model.current_version(&self.secret.vault, &self.secret.name);
        let mut signed_in = self.https.sign_in(&self.secret).await;
        if signed_in.is_err() && before.is_some_and(|before| self.is_compromised(&before.version)) {
            signed_in = self.https.sign_in(&self.secret).await;
        }
        if let Err(problem) = signed_in {
            self.fail(&format!("sign-in with the current secret over HTTPS failed: {problem}"), now);
        }
    }

    fn read(&self, now: OffsetDateTime) -> Option<Cached> {
        let (vault, name) = (&self.secret.vault, &self.secret.name);
        match self.model.get_secret(vault, name, None, now) {
            Ok(found) => Some(Cached { text: found.value, version: found.version, read_at: now }),
            Err(refusal) => {
                self.fail(&format!("the current version can't be read: {refusal}"), now);
                None
            }
        }
    }

    fn sign_in(&self, cached: &Cached, now: OffsetDateTime) -> Result<(), SignInRefusal> {
        let current = self.model.current_version(&self.secret.vault, &self.secret.name);
        let is_current = current.is_some_and(|current| current.version == cached.version);
        let text = if is_current { ConsumerText::Current } else { ConsumerText::Superseded };
        self.model.count_consumer_sign_in(text);
        self.model.sign_in(self.secret.client_id, cached.text.expose_secret(), now)
    }

    /// Returns true if this version or a later one is quarantined as compromised, so that its credential had to be
    /// revoked at once. A disabled version keeps the tag.
    fn is_compromised(&self, version: &str) -> bool {
        let now = self.clock.now();
        let versions = self.model.list_versions(&self.secret.vault, &self.secret.name, now);
        let versions = versions.unwrap_or_default();
        let is_quarantined = |tag: &String| tag.starts_with("compromised");
        versions
            .iter()
            .skip_while(|found| found.version != version)
            .any(|found| found.tags.get("Quarantined").is_some_and(is_quarantined))
    }

    fn fail(&self, detail: &str, now: OffsetDateTime) {
        self.model.count_consumer_failure();
        let (secret, detail) = (format!("{}/{}", self.secret.vault, self.secret.name), detail.to_owned());
        self.model.report(&TimelineEvent {
            at: now,
            kind: TimelineEventKind::ConsumerFailed,
            secret,
            detail,
        });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop here")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sandbox::model::{NewVersion, VersionChange};
    use crate::sandbox::tests::{START, World};

    /// Returns the number of the consumers' failures after each secret got a new credential while all consumers had the
    /// previous text in their cache, and the previous credential was revoked and its version disabled at once.
    async fn failures_after(revoked_because: Option<&str>) -> u64 {
        let world = World::start().await;
        let (clock, model) = (world.sandbox.clock(), world.sandbox.model());
        clock.run_until(START + HOUR * 2).await;
        let now = clock.now();
        for secret in model.managed() {
            let (vault, name, id) = (&secret.vault, &secret.name, secret.object_id);
            let old = model.get_secret(vault, name, None, now).unwrap();
            let end = Some(START + Duration::days(300));
            let made = model.add_password(id, Some("new"), None, end, now - HOUR).unwrap();
            let tags = revoked_because.map(|why| [("Quarantined".to_owned(), why.to_owned())].into());
            let change = VersionChange { tags, ..VersionChange::default() };
            model.patch(vault, name, &old.version, change, now).unwrap();
            model.put_secret(vault, name, NewVersion::of(made.text), now).unwrap();
            let credential = old.credential().unwrap().parse().unwrap();
            model.remove_password(id, credential, now - HOUR).unwrap();
            let disabled = VersionChange { enabled: Some(false), ..VersionChange::default() };
            model.patch(vault, name, &old.version, disabled, now).unwrap();
        }
        clock.run_until(START + Duration::days(2)).await;
        let failures = world.sandbox.summary().consumer_sign_in_failures;
        world.sandbox.shutdown().await;
        failures
    }

    /// A consumer whose secret was revoked as compromised reads the new version, and no sign-in counts as failed.
    #[tokio::test]
    async fn consumer_survives_replaced_compromised_secret() {
        assert_eq!(failures_after(Some("compromised 2026-01-01T02:00:00Z")).await, 0);
        assert_eq!(failures_after(Some("compromised 2026-01-01T02:00:00Z all")).await, 0);
    }

    /// Revoking a secret that a consumer still uses counts as a failure unless it is marked as compromised.
    #[tokio::test]
    async fn uncompromised_revocation_counts_as_failure() {
        assert_eq!(failures_after(None).await, 3);
        assert_eq!(failures_after(Some("rollback 2026-01-01T02:00:00Z")).await, 3);
    }

    /// A compromised secret that is revoked without a replacement counts as a failure at each sign-in.
    #[tokio::test]
    async fn unreplaced_compromised_secret_counts_as_failure() {
        let world = World::start().await;
        let (clock, model) = (world.sandbox.clock(), world.sandbox.model());
        for secret in model.managed() {
            let current = model.get_secret(&secret.vault, &secret.name, None, START).unwrap();
            let tags: BTreeMap<_, _> =
                [("Quarantined".to_owned(), "compromised 2026-01-01T00:00:00Z".to_owned())].into();
            let change = VersionChange { tags: Some(tags), ..VersionChange::default() };
            model.patch(&secret.vault, &secret.name, &current.version, change, START).unwrap();
            let credential = current.credential().unwrap().parse().unwrap();
            model.remove_password(secret.object_id, credential, START).unwrap();
        }
        clock.run_until(START + Duration::days(1) + HOUR).await;
        let failures = world.sandbox.summary().consumer_sign_in_failures;
        assert!(failures >= 3 * 25, "{failures}: each hour, and once over HTTPS");
        world.sandbox.shutdown().await;
    }
}
