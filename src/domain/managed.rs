//! The managed secrets, as defined by the configuration and discovery. This module reads neither.

use super::binding::Origin;
use super::names::{ApplicationRef, SecretId, VaultName};
use super::policy::RotationPolicy;
use super::verify::VerifyPolicy;

/// A vault secret, the application whose credential it holds, and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSecret {
    /// Secret and vault.
    pub id: SecretId,
    /// The application whose credential it holds. Several secrets may share one application.
    pub application: ApplicationRef,
    /// `[policy]`, overlaid with the entry's own keys.
    pub policy: RotationPolicy,
    /// `[verify]`, overlaid with the entry's own keys.
    pub verify: VerifyPolicy,
    /// Other vault secrets that hold the same credential.
    pub replicas: Vec<SecretId>,
    /// Source of the definition.
    pub origin: Origin,
}

/// The rules for secrets that are found by their tags.
#[derive(Debug, Clone)]
pub struct DiscoveryRules {
    /// The vaults that are searched; none by default.
    pub vaults: Vec<VaultName>,
    /// The policy of discovered secrets, before their tags are applied.
    pub policy: RotationPolicy,
    /// The verification of discovered secrets.
    pub verify: VerifyPolicy,
}
