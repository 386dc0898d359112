//! Why Graph says no, with the code and the status it says it with.

use thiserror::Error;
use uuid::Uuid;

/// Graph says no.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum GraphRefusal {
    /// There is no such object, or the server asked doesn't know it yet.
    #[error(
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present."
    )]
    NotFound(Uuid),
    /// The application has no such password, or the server asked doesn't know it yet.
    #[error("No password credential found with keyId '{0}' in the application.")]
    UnknownCredential(Uuid),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// The token's roles don't allow it.
    #[error("Insufficient privileges to complete the operation.")]
    Forbidden,
    /// Another write to the same application is under way.
    #[error("Unable to complete the request due to a concurrency violation. Please retry.")]
    Concurrent,
    /// The application has as many passwords as it may have.
    #[error(
        "The size of the object has exceeded its limit. Please reduce the number of values and retry your request."
    )]
    TooManyPasswords,
    /// The policy wants an earlier end.
    #[error("Credential lifetime exceeds the max value allowed as per assigned policy '{0}'.")]
    LifetimeTooLong(Uuid),
    /// The policy wants no passwords at all.
    #[error("Credential type not allowed as per assigned policy '{0}'.")]
    PasswordsNotAllowed(Uuid),
    /// A service principal needs an application.
    #[error("The appId '{0}' of the service principal does not reference a valid application object.")]
    NoBackingApplication(Uuid),
    /// The application has its service principal already.
    #[error(
        "The service principal cannot be created, updated, or restored because the service principal name {0} is already in use."
    )]
    PrincipalExists(Uuid),
    /// The reports need a licence that the tenant doesn't have.
    #[error("Neither tenant is B2C or tenant doesn't have premium license")]
    NoPremiumLicence,
}

impl GraphRefusal {
    /// A request that makes no sense, for this reason.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest(message.into())
    }

    /// `error.code`. That of `Concurrent` is not documented.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "Request_ResourceNotFound",
            Self::UnknownCredential(_) | Self::BadRequest(_) => "Request_BadRequest",
            Self::Forbidden => "Authorization_RequestDenied",
            Self::Concurrent => "Directory_ConcurrencyViolation",
            Self::TooManyPasswords => "Directory_ResourceSizeExceeded",
            Self::LifetimeTooLong(_) => "CredentialInvalidLifetimeAsPerAppPolicy",
            Self::PasswordsNotAllowed(_) => "CredentialTypeNotAllowedAsPerAppPolicy",
            Self::NoBackingApplication(_) => "NoBackingApplicationObject",
            Self::PrincipalExists(_) => "Request_MultipleObjectsWithSameKeyValue",
            Self::NoPremiumLicence => "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::UnknownCredential(_)
            | Self::BadRequest(_)
            | Self::LifetimeTooLong(_)
            | Self::PasswordsNotAllowed(_)
            | Self::NoBackingApplication(_) => 400,
            Self::Forbidden | Self::TooManyPasswords | Self::NoPremiumLicence => 403,
            Self::Concurrent | Self::PrincipalExists(_) => 409,
        }
    }
}
