//! Why Key Vault refuses, in its own words and codes. It knows no HTTP but the statuses' numbers.

use thiserror::Error;

/// Key Vault says no.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum VaultRefusal {
    /// There is no such secret or version; holds what was asked for.
    #[error(
        "A secret with (name/id) {0} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )]
    NotFound(String),
    /// No secret of this name is deleted, or not quite yet.
    #[error("Deleted Secret not found: {0}")]
    DeletedNotFound(String),
    /// The version exists and is disabled.
    #[error("Operation get is not allowed on a disabled secret.")]
    Disabled,
    /// The secret is deleted and keeps its name until it is recovered or purged.
    #[error(
        "Secret {0} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."
    )]
    DeletedButRecoverable(String),
    /// A deletion has begun and takes a few seconds more.
    #[error("Secret {0} is currently being deleted and cannot be re-created; retry later.")]
    BeingDeleted(String),
    /// A recovery has begun and takes a few seconds more.
    #[error("Secret {0} is currently being recovered, retry later.")]
    BeingRecovered(String),
    /// A backup can't be restored over a secret of the same name.
    #[error("There was a conflict restoring the secret: a secret named {0} already exists.")]
    AlreadyExists(String),
    /// The request breaks a rule.
    #[error("{0}")]
    BadParameter(String),
}

/// How a refusal stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefusalCodes {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// The `innererror`, if there is one: it tells most.
    pub(crate) inner: Option<&'static str>,
}

impl VaultRefusal {
    pub(crate) fn codes(&self) -> RefusalCodes {
        let (status, code, inner) = match self {
            Self::NotFound(_) | Self::DeletedNotFound(_) => (404, "SecretNotFound", None),
            Self::Disabled => (403, "Forbidden", Some("SecretDisabled")),
            Self::DeletedButRecoverable(_) => (409, "Conflict", Some("ObjectIsDeletedButRecoverable")),
            Self::BeingDeleted(_) => (409, "Conflict", Some("ObjectIsBeingDeleted")),
            Self::BeingRecovered(_) => (409, "Conflict", Some("ObjectIsBeingRecovered")),
            Self::AlreadyExists(_) => (409, "Conflict", None),
            Self::BadParameter(_) => (400, "BadParameter", None),
        };
        RefusalCodes { status, code, inner }
    }
}
