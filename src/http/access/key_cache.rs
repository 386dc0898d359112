//! The issuer's signing keys, kept for an hour. They are read again for an unknown key, so that a rollover needs no
//! restart.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::AuthRejection;
use crate::ports::{IssuerKeys, PortError, TokenKeys, chain};

/// Keys by name, shared by all checks of tokens.
#[derive(Debug)]
pub struct KeyCache {
    source: Arc<dyn TokenKeys>,
    /// Rate limit of reads: tokens with invented key names must not cause a flood of requests to the issuer.
    looks: DefaultDirectRateLimiter,
    /// Lock of the one caller that reads keys; callers whose key is known don't wait for it.
    looking: Mutex<()>,
    known: RwLock<Option<CachedKeys>>,
    kept_for: Duration,
}

struct CachedKeys {
    issuer: String,
    keys: BTreeMap<String, Arc<DecodingKey>>,
    read_at: Instant,
    /// Names that were not among the keys read.
    absent: BTreeSet<String>,
}

/// A key and its issuer.
#[derive(Debug)]
pub(super) struct IssuerKey {
    pub(super) issuer: String,
    pub(super) key: Arc<DecodingKey>,
}

impl KeyCache {
    /// Makes an empty cache: nothing is read before the first token comes.
    #[must_use]
    pub fn new(source: Arc<dyn TokenKeys>) -> Self {
        Self::keeping(source, KEPT_FOR)
    }

    fn keeping(source: Arc<dyn TokenKeys>, kept_for: Duration) -> Self {
        let quota = Quota::with_period(REFILL).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        let looks = RateLimiter::direct(quota.allow_burst(BURST));
        Self { source, looks, looking: Mutex::new(()), known: RwLock::new(None), kept_for }
    }

    /// Returns the key of that name.
    ///
    /// # Errors
    /// There is no such key, or that can't be known now.
    pub(super) async fn find(&self, kid: &str) -> Result<IssuerKey, AuthRejection> {
        if let Some(answer) = self.known(kid) {
            return answer;
        }
        let _looking = self.looking.lock().await;
        // Another caller may have read the keys meanwhile.
        if let Some(answer) = self.known(kid) {
            return answer;
        }
        if self.looks.check().is_ok() && self.look(kid).await {
            return self.aged(kid, Duration::MAX).ok_or(AuthRejection::UnknownKey);
        }
        // Keys that were read earlier stay valid for a while.
        self.aged(kid, TRUSTED_FOR).ok_or(AuthRejection::CannotJudge)
    }

    /// Returns the answer of a fresh cache; `None` if the keys have to be read.
    fn known(&self, kid: &str) -> Option<Result<IssuerKey, AuthRejection>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|known| known.read_at.elapsed() < self.kept_for)?;
        known
            .get(kid)
            .map(Ok)
            .or_else(|| known.absent.contains(kid).then_some(Err(AuthRejection::UnknownKey)))
    }

    fn aged(&self, kid: &str, most: Duration) -> Option<IssuerKey> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.read_at.elapsed() < most)?.get(kid)
    }

    /// Reads all keys again. Returns true if that succeeded.
    async fn look(&self, kid: &str) -> bool {
        let slow = |source| PortError::OutcomeUnknown { operation: "read keys", source: Box::new(source) };
        let fetched = match tokio::time::timeout(MAX_FETCH, self.source.fetch()).await.map_err(slow) {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(error)) | Err(error) => {
                warn!(error = chain(&error), "the keys that tokens are signed with can't be read");
                return false;
            }
        };
        let known = CachedKeys::new(fetched, kid);
        info!(
            issuer = known.issuer,
            keys = known.keys.len(),
            "the keys that tokens are signed with were read"
        );
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        true
    }
}

impl CachedKeys {
    fn new(IssuerKeys { issuer, keys }: IssuerKeys, wanted: &str) -> Self {
        let keys = usable(&keys);
        let absent = Some(wanted.to_owned()).filter(|kid| !keys.contains_key(kid)).into_iter().collect();
        Self { issuer, keys, read_at: Instant::now(), absent }
    }

    fn get(&self, kid: &str) -> Option<IssuerKey> {
        let key = self.keys.get(kid)?;
        Some(IssuerKey { issuer: self.issuer.clone(), key: Arc::clone(key) })
    }
}

impl std::fmt::Debug for CachedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Returns the RSA keys that have a name. Other keys can't have signed a token that is accepted here.
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

/// Time for which keys are trusted while the issuer does not answer.
const TRUSTED_FOR: Duration = Duration::from_secs(24 * 3_600);

/// Time limit of a read: Event Grid waits for 30 s.
const MAX_FETCH: Duration = Duration::from_secs(8);

/// Reads allowed in a row, and the time until another one is allowed.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const REFILL: Duration = Duration::from_secs(30);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;

    /// An issuer with one key, which can be out of reach.
    #[derive(Debug, Default)]
    struct Issuer {
        is_down: AtomicBool,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl TokenKeys for Issuer {
        async fn fetch(&self) -> Result<IssuerKeys, PortError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_down.load(Ordering::Relaxed) {
                return Err(PortError::NotSent { operation: "read keys", source: "down".into() });
            }
            let key = json!({"kty": "RSA", "kid": "known", "use": "sig", "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1", "e": "AQAB"});
            let keys = serde_json::from_value(json!({"keys": [key]})).unwrap();
            Ok(IssuerKeys { issuer: "https://issuer".to_owned(), keys })
        }
    }

    async fn found(cache: &KeyCache, kid: &str) -> Result<String, AuthRejection> {
        cache.find(kid).await.map(|found| found.issuer)
    }

    /// Signing keys are fetched once, and requests with invented key ids cause only a few fetches.
    #[tokio::test]
    async fn known_keys_are_cached_invented_ones_throttled() {
        let issuer = Arc::new(Issuer::default());
        let cache = KeyCache::new(Arc::clone(&issuer) as Arc<dyn TokenKeys>);
        for _ in 0..10 {
            assert!(found(&cache, "known").await.is_ok());
        }
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
        for _ in 0..3 {
            assert_eq!(found(&cache, "invented").await, Err(AuthRejection::UnknownKey));
        }
        assert_eq!(issuer.asked.load(Ordering::Relaxed), 2, "it is looked for once");
        for number in 0..50 {
            assert!(found(&cache, &format!("invented-{number}")).await.is_err());
            assert!(found(&cache, "known").await.is_ok());
        }
        assert!(issuer.asked.load(Ordering::Relaxed) <= 6, "{issuer:?}");
    }

    /// While the issuer is down, known keys stay valid and unknown ones are not judged, regardless of the number of
    /// requests.
    #[tokio::test]
    async fn issuer_outage_keeps_known_keys() {
        let issuer = Arc::new(Issuer::default());
        let cache = KeyCache::keeping(Arc::clone(&issuer) as Arc<dyn TokenKeys>, Duration::ZERO);
        assert!(found(&cache, "known").await.is_ok());
        issuer.is_down.store(true, Ordering::Relaxed);
        for _ in 0..20 {
            assert!(found(&cache, "known").await.is_ok());
            assert_eq!(found(&cache, "new").await, Err(AuthRejection::CannotJudge));
        }
    }
}
