//! The keys that Entra signs its tokens with: the newest signs, older ones are published until they are retired. It
//! knows nothing of the content that it signs.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode, decode_header};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::SandboxError;

/// All keys that are valid, the newest last.
pub(crate) struct TokenSigner(RwLock<Vec<SigningKey>>);

struct SigningKey {
    pair: KeyPair,
    public: DecodingKey,
    jwk: Jwk,
    /// The SHA-1 thumbprint of its certificate, as Entra names its keys.
    key_id: String,
}

impl TokenSigner {
    /// Creates a signer with one new key.
    pub(crate) fn generate() -> Result<Self, SandboxError> {
        Ok(Self(RwLock::new(vec![SigningKey::generate()?])))
    }

    /// Adds a new key, which signs from now on. Tokens that the others have signed stay valid.
    pub(crate) fn roll_over(&self) -> Result<(), SandboxError> {
        let key = SigningKey::generate()?;
        self.write().push(key);
        Ok(())
    }

    /// Removes all keys except the newest; tokens that they have signed are no longer valid.
    pub(crate) fn retire_old(&self) {
        let mut keys = self.write();
        let old = keys.len().saturating_sub(1);
        keys.drain(..old);
    }

    /// Returns the keys as Entra publishes them, with their certificates; v1 names no issuer.
    pub(crate) fn documents(&self, issuer: Option<&str>) -> Vec<Value> {
        self.read().iter().map(|key| key.document(issuer)).collect()
    }

    /// Signs a token. Implemented here because `jsonwebtoken` parses and checks the key again for each token, which
    /// takes half as long again.
    pub(super) fn sign(&self, claims: &Value, with_thumbprint: bool) -> Result<String, rcgen::Error> {
        let keys = self.read();
        let key = keys.last().ok_or(rcgen::Error::CouldNotParseKeyPair)?;
        let mut header = json!({"typ": "JWT", "alg": "RS256", "kid": key.key_id});
        if let (true, Value::Object(header)) = (with_thumbprint, &mut header) {
            header.insert("x5t".to_owned(), json!(key.key_id));
        }
        let encoded = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(key.pair.sign(message.as_bytes())?);
        Ok(format!("{message}.{signature}"))
    }

    /// Returns the claims of a token that one of the keys has signed. Times and audience are not checked.
    pub(super) fn verify<Claims: DeserializeOwned>(&self, token: &str) -> Option<Claims> {
        let key_id = decode_header(token).ok()?.kid?;
        let keys = self.read();
        let key = keys.iter().find(|key| key.key_id == key_id)?;
        decode(token, &key.public, &signature_only()).ok().map(|token| token.claims)
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<SigningKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<SigningKey>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SigningKey {
    /// Generates an RSA key of 2048 bits with a self-signed certificate.
    fn generate() -> Result<Self, SandboxError> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut certificate = CertificateParams::new(Vec::new())?;
        certificate.distinguished_name.push(DnType::CommonName, "accounts.accesscontrol.windows.net");
        let certificate = certificate.self_signed(&pair)?;
        let key_id = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der()));
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256)?;
        jwk.common.key_id = Some(key_id.clone());
        // Entra's own keys don't name the algorithm that they are for.
        jwk.common.key_algorithm = None;
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.x509_sha1_fingerprint = Some(key_id.clone());
        jwk.common.x509_chain = Some(vec![BASE64_STANDARD.encode(certificate.der())]);
        let public = DecodingKey::from_jwk(&jwk)?;
        Ok(Self { pair, public, jwk, key_id })
    }

    fn document(&self, issuer: Option<&str>) -> Value {
        let mut document = json!(self.jwk);
        if let (Value::Object(members), Some(issuer)) = (&mut document, issuer) {
            members.insert("issuer".to_owned(), json!(issuer));
        }
        document
    }
}

/// Returns a validation of the signature only. The crate would compare times with the system's clock, which may not be
/// the one that counts.
pub(crate) fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}
