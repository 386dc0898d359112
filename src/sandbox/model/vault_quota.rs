//! Request quotas per ten seconds, for each vault and for all vaults of the subscription together.

use time::{Duration, OffsetDateTime};

use super::meter::Meter;
use super::{Model, State};

/// The number of creating requests that one vault accepts in a window.
const CREATES: u32 = 300;

/// The number of all other requests that one vault accepts in a window.
const OTHERS: u32 = 4000;

/// The subscription's quota as a multiple of one vault's.
const SUBSCRIPTION: u32 = 5;

const WINDOW: Duration = Duration::seconds(10);

/// The type that a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestType {
    /// A request that creates a secret or a version of one.
    Create,
    /// Any other request.
    Other,
}

/// A request over its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// The code of the exhausted quota: the vault's or the subscription's.
    pub(crate) reason: &'static str,
    /// Whole seconds until the window ends; the service doesn't always return them.
    pub(crate) retry_after: Option<u32>,
}

/// Two meters: for creating requests and for the others.
#[derive(Debug)]
pub(super) struct VaultQuota {
    creates: Meter,
    others: Meter,
}

impl Model {
    /// Counts a request to a vault.
    ///
    /// # Errors
    /// The quota of the vault or of the subscription is used up; nothing is spent then.
    pub(crate) fn spend_vault_request(
        &self,
        vault: &str,
        kind: RequestType,
        now: OffsetDateTime,
    ) -> Result<(), Throttled> {
        let mut state = self.lock();
        let State { vaults, subscription_quota, rng, .. } = &mut *state;
        let Some(vault) = vaults.get_mut(&vault.to_ascii_lowercase()) else { return Ok(()) };
        let mut throttled =
            |reason, wait| Throttled { reason, retry_after: rng.bool().then(|| seconds(wait)) };
        let vault = vault.quota.meter(kind);
        if let Some(wait) = vault.wait(1, now) {
            return Err(throttled("VaultRequestTypeLimitReached", wait));
        }
        let subscription = subscription_quota.meter(kind);
        subscription
            .try_spend(1, now)
            .map_err(|wait| throttled("SubscriptionRequestTypeLimitReached", wait))?;
        vault.spend(1, now);
        Ok(())
    }
}

impl VaultQuota {
    pub(super) const fn of_vault() -> Self {
        Self::times(1)
    }

    pub(super) const fn of_subscription() -> Self {
        Self::times(SUBSCRIPTION)
    }

    const fn times(factor: u32) -> Self {
        Self { creates: Meter::new(CREATES * factor, WINDOW), others: Meter::new(OTHERS * factor, WINDOW) }
    }

    fn meter(&mut self, kind: RequestType) -> &mut Meter {
        match kind {
            RequestType::Create => &mut self.creates,
            RequestType::Other => &mut self.others,
        }
    }
}

/// Rounds up to whole seconds, so that a client that waits this long does find the next window.
fn seconds(wait: Duration) -> u32 {
    let whole = u32::try_from(wait.whole_seconds()).unwrap_or_default();
    (whole + u32::from(wait.subsec_nanoseconds() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::model::Seed;
    use crate::sandbox::model::seed::tests::START;

    fn six_vaults() -> Model {
        let propagation = Duration::ZERO..=Duration::ZERO;
        Model::new(&Seed { secrets: 0, vaults: 6, propagation, seed: 7, start: START })
    }

    fn refused(model: &Model, vault: &str, kind: RequestType, requests: u32) -> Vec<Throttled> {
        let spend = |_| model.spend_vault_request(vault, kind, START).err();
        (0..requests).filter_map(spend).collect()
    }

    /// Each type of request has its own quota in each vault.
    #[test]
    fn request_types_have_quotas_per_vault() {
        let model = six_vaults();
        let over = refused(&model, "vault-1", RequestType::Create, 310);
        assert_eq!(over.len(), 10);
        assert!(over.iter().all(|throttled| throttled.reason == "VaultRequestTypeLimitReached"));
        assert_eq!(refused(&model, "VAULT-1", RequestType::Other, 4003).len(), 3);
        assert_eq!(refused(&model, "vault-2", RequestType::Create, 300), []);
    }

    /// A subscription's quota for each type of request is five times the quota of one vault.
    #[test]
    fn subscription_quota_is_five_vault_quotas() {
        let model = six_vaults();
        for number in 1..=5 {
            assert_eq!(refused(&model, &format!("vault-{number}"), RequestType::Create, 300), []);
            assert_eq!(refused(&model, &format!("vault-{number}"), RequestType::Other, 4000), []);
        }
        for kind in [RequestType::Create, RequestType::Other] {
            let over = refused(&model, "vault-6", kind, 2);
            let reasons: Vec<_> = over.iter().map(|throttled| throttled.reason).collect();
            assert_eq!(reasons, ["SubscriptionRequestTypeLimitReached"; 2]);
        }
    }

    /// A throttled reply only sometimes has a retry delay, which then is the time until the window ends.
    #[test]
    fn retry_after_is_sometimes_the_window_end() {
        let model = six_vaults();
        refused(&model, "vault-1", RequestType::Create, 300);
        let later = START + Duration::milliseconds(6500);
        let spend = |now| model.spend_vault_request("vault-1", RequestType::Create, now);
        let refusals: Vec<_> =
            (0..40).map(|_| spend(later).map_err(|throttled| throttled.retry_after)).collect();
        assert!(refusals.contains(&Err(None)) && refusals.contains(&Err(Some(4))), "{refusals:?}");
        assert!(refusals.iter().all(|answer| matches!(answer, Err(None | Some(4)))));
        assert_eq!(spend(later + Duration::seconds(4)), Ok(()));
    }
}
