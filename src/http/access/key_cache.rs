//! The issuer's keys, kept for an hour; one that is not among them is looked for anew, so that a rollover needs no restart.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::Refusal;
use crate::ports::{IssuerKeys, PortError, TokenKeys, chain};

/// Keys by name, shared by everybody who checks tokens.
#[derive(Debug)]
pub struct KeyCache {
    source: Arc<dyn TokenKeys>,
    /// Tokens with invented key names must not make a flood of requests to the issuer.
    looks: DefaultDirectRateLimiter,
    known: Mutex<Option<Known>>,
}

struct Known {
    issuer: String,
    keys: BTreeMap<String, Arc<DecodingKey>>,
    read_at: Instant,
    /// Names that were looked for since, in vain.
    absent: BTreeSet<String>,
}

/// A key, and whose it is.
pub(super) struct IssuerKey {
    pub(super) issuer: String,
    pub(super) key: Arc<DecodingKey>,
}

impl KeyCache {
    /// An empty cache: nothing is read before the first token comes.
    #[must_use]
    pub fn new(source: Arc<dyn TokenKeys>) -> Self {
        let quota = Quota::with_period(REFILL).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        Self { source, looks: RateLimiter::direct(quota.allow_burst(BURST)), known: Mutex::new(None) }
    }

    /// The key of that name. One caller at a time looks, the others wait for what it finds.
    ///
    /// # Errors
    /// There is none, or that can't be known now.
    pub(super) async fn find(&self, kid: &str) -> Result<IssuerKey, Refusal> {
        let mut known = self.known.lock().await;
        let is_fresh = |known: &Known| known.read_at.elapsed() < KEPT_FOR;
        if let Some(found) = known.as_ref().filter(|known| is_fresh(known)).and_then(|known| known.get(kid)) {
            return Ok(found);
        }
        let looked_for = known.as_ref().is_some_and(|known| is_fresh(known) && known.absent.contains(kid));
        if looked_for {
            return Err(Refusal::UnknownKey);
        }
        if self.looks.check().is_err() {
            return Err(Refusal::CannotJudge);
        }
        match self.fetch().await {
            Ok(fetched) => Self::found(known.insert(Known::new(fetched)), kid),
            // What was read before holds for a while longer.
            Err(error) => {
                warn!(error = chain(&error), "the keys that tokens are signed with can't be read");
                let old = known.as_ref().filter(|known| known.read_at.elapsed() < TRUSTED_FOR);
                old.and_then(|known| known.get(kid)).ok_or(Refusal::CannotJudge)
            }
        }
    }

    async fn fetch(&self) -> Result<IssuerKeys, PortError> {
        let slow = |source| PortError::OutcomeUnknown { operation: "read keys", source: Box::new(source) };
        tokio::time::timeout(LONGEST_LOOK, self.source.fetch()).await.map_err(slow)?
    }

    fn found(known: &mut Known, kid: &str) -> Result<IssuerKey, Refusal> {
        info!(
            issuer = known.issuer,
            keys = known.keys.len(),
            "the keys that tokens are signed with were read"
        );
        known.get(kid).ok_or_else(|| {
            known.absent.insert(kid.to_owned());
            Refusal::UnknownKey
        })
    }
}

impl Known {
    fn new(fetched: IssuerKeys) -> Self {
        let IssuerKeys { issuer, keys } = fetched;
        Self { issuer, keys: usable(&keys), read_at: Instant::now(), absent: BTreeSet::new() }
    }

    fn get(&self, kid: &str) -> Option<IssuerKey> {
        let key = self.keys.get(kid)?;
        Some(IssuerKey { issuer: self.issuer.clone(), key: Arc::clone(key) })
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// The RSA keys that have a name. Others can't have signed what is taken here.
fn usable(set: &JwkSet) -> BTreeMap<String, Arc<DecodingKey>> {
    let key = |jwk: &jsonwebtoken::jwk::Jwk| {
        let kid = jwk.common.key_id.clone()?;
        let is_rsa = matches!(jwk.algorithm, jsonwebtoken::jwk::AlgorithmParameters::RSA(_));
        Some((kid, Arc::new(DecodingKey::from_jwk(jwk).ok().filter(|_| is_rsa)?)))
    };
    set.keys.iter().filter_map(key).collect()
}

/// Entra rolls its keys over every few weeks, and announces new ones days ahead.
const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// Without an answer of the issuer.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Event Grid waits for 30 s.
const LONGEST_LOOK: Duration = Duration::from_secs(8);

/// Looks in a row, and after how long another one is allowed.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const REFILL: Duration = Duration::from_secs(30);
