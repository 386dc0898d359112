//! The ports: what the rotation needs from the outside world, as small traits.
//!
//! Nothing here knows Azure, HTTP or a configuration file.

mod access;
mod clock;
mod credential_issuer;
mod directory;
mod error;
mod event_queue;
mod refusal;
mod resource_probe;
mod secret_store;
mod sign_in;
mod token_keys;
mod usage_report;
mod webhook_handshake;

pub use access::{DirectoryAccess, Permission, VaultAccess};
pub use clock::{Clock, FAR_FUTURE, Hold, sleep, while_released};
pub use credential_issuer::{
    Application, Credential, CredentialIssuer, CredentialRules, IssuedCredential, Revocation,
    ServicePrincipal,
};
pub use directory::{Directory, OwnIdentity};
pub use error::{PortError, chain};
pub use event_queue::{EventQueue, QueueMessage};
pub use refusal::RefusalKind;
pub use resource_probe::ResourceProbe;
pub use secret_store::{CurrentVersion, ListedSecret, NewVersion, ReadVersion, SecretStore, Version};
pub use sign_in::{SignIn, SignInVerifier, Token};
pub use token_keys::{IssuerKeys, TokenKeys};
pub use usage_report::{Usage, UsageReport};
pub use webhook_handshake::{HandshakeError, WebhookHandshake, WebhookTarget};
