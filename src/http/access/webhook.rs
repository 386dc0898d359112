//! Webhook access: Event Grid, by its own token or by a shared key; and the subscriptions that are allowed.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::{AuthRejection, TokenRules, bearer};
use crate::config::WebhookConfig;
use crate::metrics::Metrics;

/// The authentication of webhook deliveries.
pub struct WebhookAuth {
    /// The hashes of the shared keys: the keys themselves are not kept.
    keys: Vec<[u8; 32]>,
    config: WebhookConfig,
    rules: TokenRules,
    metrics: Arc<Metrics>,
}

impl WebhookAuth {
    /// Makes the authentication that `config` describes.
    #[must_use]
    pub fn new(config: &WebhookConfig, rules: TokenRules, metrics: Arc<Metrics>) -> Self {
        AuthRejection::declare("webhook", &metrics);
        let keys =
            config.keys.iter().map(|key| Sha256::digest(key.expose_secret().as_bytes()).into()).collect();
        let config = WebhookConfig { keys: Vec::new(), ..config.clone() };
        Self { keys, config, rules, metrics }
    }

    /// Checks that a delivery comes from Event Grid, by its token or by a key in the header [`KEY_HEADER`] or the query.
    ///
    /// # Errors
    /// The delivery is not Event Grid's, or that can't be known now.
    pub(in crate::http) async fn admit(
        &self,
        headers: &HeaderMap,
        key: Option<&str>,
    ) -> Result<(), AuthRejection> {
        self.check(headers, key).await.map_err(|rejection| self.refused(rejection, None))
    }

    /// Checks that the CloudEvents handshake may be answered: it carries no topic, and perhaps no token.
    ///
    /// # Errors
    /// The handshake may not be answered.
    pub(in crate::http) async fn admit_origin(
        &self,
        headers: &HeaderMap,
        key: Option<&str>,
        origin: &str,
    ) -> Result<(), AuthRejection> {
        let checked = match self.check(headers, key).await {
            // Consent alone gives no access: each delivery must bring its token.
            Err(AuthRejection::Missing) if self.config.audience.is_some() => Ok(()),
            checked => checked,
        };
        let allowed = has(&self.config.origins, "*") || has(&self.config.origins, origin);
        let checked = checked.and(if allowed { Ok(()) } else { Err(AuthRejection::UnknownOrigin) });
        checked.map_err(|rejection| self.refused(rejection, None))
    }

    /// Checks that the subscription of this name on this topic is allowed.
    ///
    /// # Errors
    /// The subscription is not allowed.
    pub(in crate::http) fn admit_subscription(&self, name: &str, topic: &str) -> Result<(), AuthRejection> {
        let (subscriptions, topics) = (&self.config.subscriptions, &self.config.topics);
        let allowed = has(subscriptions, name) && (topics.is_empty() || has(topics, topic));
        if allowed {
            return Ok(());
        }
        Err(self.refused(AuthRejection::UnknownSubscription, Some((name, topic))))
    }

    async fn check(&self, headers: &HeaderMap, key: Option<&str>) -> Result<(), AuthRejection> {
        if self.keys.is_empty() && self.config.audience.is_none() {
            return Err(AuthRejection::Closed);
        }
        match (bearer(headers), &self.config.audience) {
            (Some(token), Some(audience)) => self.check_token(token, audience).await,
            _ => self.check_key(key.or_else(|| headers.get(KEY_HEADER)?.to_str().ok())),
        }
    }

    async fn check_token(&self, token: &str, audience: &str) -> Result<(), AuthRejection> {
        let claims = self.rules.check(token, audience).await?;
        if claims.client_id() != Some(self.config.client_id) {
            return Err(AuthRejection::WrongClient);
        }
        let has_role = self.config.role.as_ref().is_none_or(|role| claims.roles.contains(role));
        if has_role { Ok(()) } else { Err(AuthRejection::NoRole) }
    }

    /// Compares with both keys, in a time that reveals nothing about either.
    fn check_key(&self, given: Option<&str>) -> Result<(), AuthRejection> {
        let given: [u8; 32] = Sha256::digest(given.ok_or(AuthRejection::Missing)?.as_bytes()).into();
        let matching = self.keys.iter().fold(subtle::Choice::from(0), |found, key| found | key.ct_eq(&given));
        if bool::from(matching) { Ok(()) } else { Err(AuthRejection::Unknown) }
    }

    /// Logs and counts a rejection; the subscription and its topic, if it is a handshake.
    fn refused(&self, rejection: AuthRejection, handshake: Option<(&str, &str)>) -> AuthRejection {
        let (subscription, topic) = handshake.unzip();
        let (reason, detail) = (rejection.label(), rejection.text());
        warn!(endpoint = "webhook", reason, subscription, topic, detail, "refused request");
        self.metrics.refused_requests_total.with_label_values(&["webhook", reason]).inc();
        rejection
    }
}

impl fmt::Debug for WebhookAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookAuth").field("audience", &self.config.audience).finish_non_exhaustive()
    }
}

/// Returns true if `list` has `wanted` in any letter case.
fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(wanted))
}

/// Not a well-known name: Event Grid drops those from deliveries if their value is unusual (contract C.4).
pub(in crate::http) const KEY_HEADER: &str = "x-rekeyd-key";
