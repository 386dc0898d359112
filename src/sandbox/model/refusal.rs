//! Key Vault's refusals, with its messages and codes. Knows nothing about HTTP except status codes.

use thiserror::Error;

/// A request that Key Vault refuses.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum VaultRefusal {
    /// The secret or version doesn't exist; contains the requested name or id.
    #[error(
        "A secret with (name/id) {0} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )]
    NotFound(String),
    /// No secret of this name is deleted, or its deletion is not complete yet.
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
    /// A deletion is in progress and takes a few seconds.
    #[error("Secret {0} is currently being deleted and cannot be re-created; retry later.")]
    BeingDeleted(String),
    /// A recovery is in progress and takes a few seconds.
    #[error("Secret {0} is currently being recovered, retry later.")]
    BeingRecovered(String),
    /// A backup can't be restored over a secret of the same name.
    #[error("There was a conflict restoring the secret: a secret named {0} already exists.")]
    AlreadyExists(String),
    /// The request breaks a rule.
    #[error("{0}")]
    BadParameter(String),
}

/// The codes of a refusal in a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefusalCodes {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// The `innererror`, if there is one: the most specific code.
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
