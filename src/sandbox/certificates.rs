//! A CA generated at start, and the one server certificate that it has signed.

use std::collections::BTreeSet;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::SecretString;

use super::error::SandboxError;

/// The server's TLS configuration and certificate, and the CA that clients must trust.
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    /// The server's certificate and key again, for programs that run beside the sandbox.
    pub(crate) leaf_pem: String,
    pub(crate) leaf_key_pem: SecretString,
    pub(crate) server: Arc<ServerConfig>,
}

impl Certificates {
    /// Generates a CA for this process alone, and its leaf for `localhost`, `127.0.0.1` and these names.
    pub(crate) fn generate<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, SandboxError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "rekeyd sandbox CA");
        let ca_certificate = ca.self_signed(&ca_key)?;
        let leaf_key = KeyPair::generate()?;
        let names = ["localhost", "127.0.0.1"].into_iter().chain(names).map(str::to_owned);
        let names: BTreeSet<String> = names.collect();
        let mut leaf = CertificateParams::new(Vec::from_iter(names))?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        // Without these, clients that check as strictly as Python 3.13 reject it.
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        Ok(Self {
            ca_pem: ca_certificate.pem(),
            leaf_pem: leaf.pem(),
            leaf_key_pem: leaf_key.serialize_pem().into(),
            server: Arc::new(server),
        })
    }
}
