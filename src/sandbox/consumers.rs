//! The simulated consumers: one a secret, signing in every hour, with a cache of an hour.
//!
//! Every hour against the model, once a day over real HTTPS. They must never be refused: each failure counts.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use super::azure::Azure;
use super::consumer_https::Https;
use super::model::{Happening, HappeningKind, ManagedSecret, SignInRefusal};
use crate::ports::{Clock, Hold};

/// What they call themselves; they never meet injected faults.
pub(crate) const USER_AGENT: &str = "sandbox-consumer";

const HOUR: Duration = Duration::hours(1);

/// The consumer of one secret.
pub(crate) struct Consumer {
    azure: Arc<Azure>,
    https: Arc<Https>,
    secret: ManagedSecret,
    cached: Option<Cached>,
    /// When within the hour it wakes, so that not all do at once.
    offset: Duration,
    /// At which hour of each day it goes over HTTPS.
    daily_hour: u32,
}

struct Cached {
    text: SecretString,
    credential: Option<String>,
    read_at: OffsetDateTime,
}

impl Consumer {
    pub(crate) fn new(azure: Arc<Azure>, https: Arc<Https>, secret: ManagedSecret, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let offset = Duration::seconds(rng.i64(1..3600));
        Self { azure, https, secret, cached: None, offset, daily_hour: rng.u32(0..24) }
    }

    /// Lives until told to stop. `hold` is its own and only hold on the clock.
    pub(crate) async fn run(mut self, hold: Hold, stop: CancellationToken) {
        let (_hold, clock) = (hold, self.azure.clock.clone());
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

    /// With the cached text if it is young enough; refused, it re-reads once.
    fn every_hour(&mut self, now: OffsetDateTime) {
        let cached = self.cached.take().filter(|cached| now - cached.read_at <= HOUR);
        if let Some(cached) = cached {
            match self.sign_in(&cached.text, now) {
                Ok(()) => {
                    self.cached = Some(cached);
                    return;
                }
                Err(_) if self.is_compromised(&cached) => {}
                Err(refusal) => self.fail(&format!("the cached text: AADSTS{}", refusal.code()), now),
            }
        }
        self.cached = self.read(now);
        if let Some(current) = &self.cached
            && let Err(refusal) = self.sign_in(&current.text, now)
        {
            self.fail(&format!("the current text: AADSTS{}", refusal.code()), now);
        }
    }

    async fn every_day(&self, now: OffsetDateTime) {
        self.azure.model.count_consumer_sign_in();
        if let Err(problem) = self.https.sign_in(&self.azure, &self.secret).await {
            self.fail(&format!("the current text over HTTPS: {problem}"), now);
        }
    }

    fn read(&self, now: OffsetDateTime) -> Option<Cached> {
        let (vault, name) = (&self.secret.vault, &self.secret.name);
        match self.azure.model.get_secret(vault, name, None, now) {
            Ok(version) => {
                let credential = version.credential().map(str::to_owned);
                Some(Cached { text: version.value, credential, read_at: now })
            }
            Err(refusal) => {
                self.fail(&format!("the current version can't be read: {refusal}"), now);
                None
            }
        }
    }

    fn sign_in(&self, text: &SecretString, now: OffsetDateTime) -> Result<(), SignInRefusal> {
        self.azure.model.count_consumer_sign_in();
        self.azure.model.sign_in(self.secret.client_id, text.expose_secret(), now)
    }

    /// Whether a version says that this credential had to be revoked at once.
    fn is_compromised(&self, cached: &Cached) -> bool {
        let now = self.azure.clock.now();
        let versions = self.azure.model.list_versions(&self.secret.vault, &self.secret.name, now);
        let is_quarantined = |tag: Option<&String>| tag.is_some_and(|tag| tag.starts_with("compromised"));
        cached.credential.is_some()
            && versions.unwrap_or_default().iter().any(|version| {
                version.credential() == cached.credential.as_deref()
                    && is_quarantined(version.tags.get("Quarantined"))
            })
    }

    fn fail(&self, detail: &str, now: OffsetDateTime) {
        self.azure.model.count_consumer_failure();
        let (secret, detail) = (format!("{}/{}", self.secret.vault, self.secret.name), detail.to_owned());
        self.azure.model.report(&Happening { at: now, kind: HappeningKind::ConsumerFailed, secret, detail });
    }
}
