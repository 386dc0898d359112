//! The managed secrets: what the configuration and discovery say of each. Nothing here reads either.

use super::binding::Origin;
use super::names::{ApplicationRef, SecretId, VaultName};
use super::policy::RotationPolicy;
use super::verify::VerifyPolicy;

/// A vault secret, the application whose credential it holds, and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSecret {
    /// Which secret of which vault.
    pub id: SecretId,
    /// Whose credential. Several secrets may share one application.
    pub application: ApplicationRef,
    /// `[policy]`, overlaid with the entry's own keys.
    pub policy: RotationPolicy,
    /// `[verify]`, overlaid with the entry's own keys.
    pub verify: VerifyPolicy,
    /// Other vault secrets that hold the same credential.
    pub replicas: Vec<SecretId>,
    /// Who says so.
    pub origin: Origin,
}

/// Secrets that are found by their tags.
#[derive(Debug, Clone)]
pub struct DiscoveryRules {
    /// The vaults that are searched; none by default.
    pub vaults: Vec<VaultName>,
    /// The policy of what is found there, before its tags.
    pub policy: RotationPolicy,
    /// How what is found there is proven.
    pub verify: VerifyPolicy,
}
