//! The daemon's identity: the credentials of Microsoft's identity crate, and our own certificate assertion.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertion, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::SystemClock;
use crate::config::{AzureConfig, IdentityConfig};
use crate::domain::ClientId;
use crate::ports::Clock;

/// The reason why the daemon has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The SDK refuses the settings, or a file or variable that it needs is missing.
    #[error("can't set up identity.kind = {kind:?}")]
    Sdk {
        /// The kind, as configured.
        kind: &'static str,
        /// The cause.
        #[source]
        source: azure_core::Error,
    },
    /// A file of the certificate can't be read.
    #[error("can't read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The certificate file holds no PEM certificate.
    #[error("{} does not contain a PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// The key file holds no RSA key.
    #[error("{} does not contain an RSA private key in PEM", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: jsonwebtoken::errors::Error,
    },
}

/// Returns a credential for one resource. Make one for each: the SDK has a single lock for all that a credential
/// caches.
pub(super) fn credential(
    azure: &AzureConfig,
    identity: &IdentityConfig,
    remote: ClientOptions,
    local: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, IdentityError> {
    match identity {
        IdentityConfig::ManagedIdentity { client_id } => managed(*client_id, local),
        IdentityConfig::WorkloadIdentity { client_id, token_file } => {
            workload(azure, *client_id, token_file.clone(), remote)
        }
        IdentityConfig::ClientCertificate { client_id, certificate_file, private_key_file } => {
            let assertion =
                CertificateAssertion::read(azure, *client_id, certificate_file, private_key_file)?;
            certificate(azure, *client_id, assertion, remote)
        }
        IdentityConfig::AzureCli => {
            let options =
                AzureCliCredentialOptions { tenant_id: Some(azure.tenant_id.clone()), ..Default::default() };
            Ok(AzureCliCredential::new(Some(options)).map_err(sdk("azure-cli"))?)
        }
        IdentityConfig::ClientSecret { client_id, secret } => {
            let options = ClientSecretCredentialOptions { client_options: remote };
            let secret = Secret::new(secret.expose_secret().to_owned());
            let made =
                ClientSecretCredential::new(&azure.tenant_id, client_id.to_string(), secret, Some(options));
            Ok(made.map_err(sdk("client-secret"))?)
        }
    }
}

fn managed(
    client_id: Option<ClientId>,
    local: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, IdentityError> {
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_string())),
        client_options: local,
    };
    Ok(ManagedIdentityCredential::new(Some(options)).map_err(sdk("managed-identity"))?)
}

fn workload(
    azure: &AzureConfig,
    client_id: Option<ClientId>,
    token_file: Option<PathBuf>,
    remote: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, IdentityError> {
    let options = WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options: remote },
        client_id: client_id.map(|id| id.to_string()),
        tenant_id: Some(azure.tenant_id.clone()),
        token_file_path: token_file,
    };
    Ok(WorkloadIdentityCredential::new(Some(options)).map_err(sdk("workload-identity"))?)
}

fn certificate(
    azure: &AzureConfig,
    client_id: ClientId,
    assertion: CertificateAssertion,
    remote: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, IdentityError> {
    let options = ClientAssertionCredentialOptions { client_options: remote };
    let made = ClientAssertionCredential::new(
        azure.tenant_id.clone(),
        client_id.to_string(),
        assertion,
        Some(options),
    );
    Ok(made.map_err(sdk("client-certificate"))?)
}

fn sdk(kind: &'static str) -> impl FnOnce(azure_core::Error) -> IdentityError {
    move |source| IdentityError::Sdk { kind, source }
}

/// A signer of assertions with a certificate's key (PS256). The SDK's own way needs OpenSSL and PKCS#12.
struct CertificateAssertion {
    key: jsonwebtoken::EncodingKey,
    /// The certificate's SHA-256 thumbprint, as the header requires it.
    thumbprint: String,
    audience: String,
    client_id: ClientId,
}

impl CertificateAssertion {
    fn read(
        azure: &AzureConfig,
        client_id: ClientId,
        certificate_file: &Path,
        private_key_file: &Path,
    ) -> Result<Self, IdentityError> {
        let certificate = read_file(certificate_file)?;
        let thumbprint =
            thumbprint(&certificate).ok_or_else(|| IdentityError::NoCertificate(certificate_file.into()))?;
        let key = Zeroizing::new(read_file(private_key_file)?);
        let key = jsonwebtoken::EncodingKey::from_rsa_pem(&key)
            .map_err(|source| IdentityError::NoKey { path: private_key_file.into(), source })?;
        let audience = format!(
            "{}/{}/oauth2/v2.0/token",
            azure.authority_url.as_str().trim_end_matches('/'),
            azure.tenant_id
        );
        Ok(Self { key, thumbprint, audience, client_id })
    }
}

#[async_trait::async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        // The SDK keeps the daemon's own tokens by the system's time, so they are requested in that time.
        let now = SystemClock.now().unix_timestamp();
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::PS256);
        header.x5t_s256 = Some(self.thumbprint.clone());
        let claims = json!({
            "aud": self.audience, "iss": self.client_id, "sub": self.client_id,
            "jti": uuid::Uuid::new_v4(), "nbf": now - 60, "iat": now, "exp": now + 300,
        });
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map_err(|error| azure_core::Error::new(ErrorKind::Credential, error))
    }
}

impl fmt::Debug for CertificateAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAssertion").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(path).map_err(|source| IdentityError::Unreadable { path: path.into(), source })
}

/// Returns the SHA-256 thumbprint of the first certificate in a PEM file.
fn thumbprint(pem: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, after) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = after.split_once("-----END CERTIFICATE-----")?;
    let base64: String = body.split_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(der)))
}
