//! The daemon's own identity, and the reading of secret files.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::problems::Problems;
use super::reader::{Found, Section};
use super::values;
use crate::domain::ClientId;

/// The way in which the daemon itself signs in.
#[derive(Debug, Clone)]
pub enum IdentityConfig {
    /// The identity that Azure assigns to the machine.
    ManagedIdentity {
        /// The client id of a user-assigned identity. `None`: the system's.
        client_id: Option<ClientId>,
    },
    /// A token of the cluster, exchanged for one from Entra.
    WorkloadIdentity {
        /// The client id. `None`: from `AZURE_CLIENT_ID`.
        client_id: Option<ClientId>,
        /// The token's file. `None`: from `AZURE_FEDERATED_TOKEN_FILE`.
        token_file: Option<PathBuf>,
    },
    /// A certificate of the daemon's application.
    ClientCertificate {
        /// The daemon's application.
        client_id: ClientId,
        /// The certificate's PEM file.
        certificate_file: PathBuf,
        /// The private key's PEM file.
        private_key_file: PathBuf,
    },
    /// The user who is signed in with `az login`: for development.
    AzureCli,
    /// A secret of the daemon's application: for development.
    ClientSecret {
        /// The daemon's application.
        client_id: ClientId,
        /// The content of `client_secret_file`.
        secret: SecretString,
    },
}

impl IdentityConfig {
    /// Returns the configured client id, if there is one.
    #[must_use]
    pub const fn client_id(&self) -> Option<ClientId> {
        match self {
            Self::ManagedIdentity { client_id } | Self::WorkloadIdentity { client_id, .. } => *client_id,
            Self::ClientCertificate { client_id, .. } | Self::ClientSecret { client_id, .. } => {
                Some(*client_id)
            }
            Self::AzureCli => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum IdentityKind {
    ManagedIdentity,
    WorkloadIdentity,
    ClientCertificate,
    AzureCli,
    ClientSecret,
}

impl IdentityKind {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "managed-identity" => Ok(Self::ManagedIdentity),
            "workload-identity" => Ok(Self::WorkloadIdentity),
            "client-certificate" => Ok(Self::ClientCertificate),
            "azure-cli" => Ok(Self::AzureCli),
            "client-secret" => Ok(Self::ClientSecret),
            _ => Err("not one of managed-identity, workload-identity, client-certificate, azure-cli, client-secret"
                .to_owned()),
        }
    }

    /// Returns the allowed keys, and those of them that are required.
    const fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        const CERTIFICATE: &[&str] = &["client_id", "certificate_file", "private_key_file"];
        const SECRET: &[&str] = &["client_id", "client_secret_file"];
        match self {
            Self::ManagedIdentity => (&["client_id"], &[]),
            Self::WorkloadIdentity => (&["client_id", "token_file"], &[]),
            Self::ClientCertificate => (CERTIFICATE, CERTIFICATE),
            Self::AzureCli => (&[], &[]),
            Self::ClientSecret => (SECRET, SECRET),
        }
    }
}

/// Reads the identity. Returns `None` only if a problem was reported.
pub(super) fn identity(mut section: Section<'_>, problems: &Problems) -> Option<IdentityConfig> {
    let kind = section.text("kind", IdentityKind::parse);
    if let Some(kind) = &kind {
        check_keys(&section, kind, problems);
    }
    let client_id = section.text("client_id", values::name::<ClientId>("a client id (a GUID)"));
    let [token, certificate, private_key, secret] =
        ["token_file", "certificate_file", "private_key_file", "client_secret_file"]
            .map(|key| section.text(key, values::path));
    section.finish();
    let client_id = client_id.map(|found| found.value);
    Some(match kind?.value {
        IdentityKind::ManagedIdentity => IdentityConfig::ManagedIdentity { client_id },
        IdentityKind::WorkloadIdentity => {
            IdentityConfig::WorkloadIdentity { client_id, token_file: token.map(|found| found.value) }
        }
        IdentityKind::ClientCertificate => IdentityConfig::ClientCertificate {
            client_id: client_id?,
            certificate_file: certificate?.value,
            private_key_file: private_key?.value,
        },
        IdentityKind::AzureCli => IdentityConfig::AzureCli,
        IdentityKind::ClientSecret => {
            let secret = secret_file(&secret?, "identity.client_secret_file", 1, problems);
            IdentityConfig::ClientSecret { client_id: client_id?, secret: secret? }
        }
    })
}

fn check_keys(section: &Section<'_>, kind: &Found<IdentityKind>, problems: &Problems) {
    let (allowed, required) = kind.value.keys();
    for key in KEYS.iter().filter(|key| section.has(key) && !allowed.contains(key)) {
        let message = format!("{} can't be set with identity.kind = {}", section.path_of(key), kind.shown);
        problems.add(section.location_of(key), message);
    }
    for key in required.iter().filter(|key| !section.has(key)) {
        section.report(format!(
            "{} is missing: it is required with identity.kind = {}",
            section.path_of(key),
            kind.shown
        ));
    }
}

/// Reads the text in a file, without the newline at its end. No message shows any of it.
pub(super) fn secret_file(
    file: &Found<PathBuf>,
    key: &str,
    least: usize,
    problems: &Problems,
) -> Option<SecretString> {
    match read_secret(&file.value, least) {
        Ok(secret) => Some(secret),
        Err(complaint) => {
            problems.add(&file.location, format!("{key} is {}, which {complaint}", file.shown));
            None
        }
    }
}

fn read_secret(file: &Path, least: usize) -> Result<SecretString, String> {
    let content =
        Zeroizing::new(fs::read_to_string(file).map_err(|cause| format!("can't be read: {cause}"))?);
    let text = content.trim_end_matches(['\r', '\n']);
    if text.chars().count() < least {
        return Err(if least == 1 {
            "is empty".to_owned()
        } else {
            format!("has fewer than {least} characters")
        });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has characters that are not visible ASCII".to_owned());
    }
    Ok(SecretString::from(text.to_owned()))
}

const KEYS: [&str; 5] =
    ["client_id", "token_file", "certificate_file", "private_key_file", "client_secret_file"];
