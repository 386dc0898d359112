//! The store that consumers read: vault secrets and their versions.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::PortError;
use crate::domain::tags::Tags;
use crate::domain::{SecretId, SecretName, VaultName, VersionId};

/// Reads and writes vault secrets. Reads may be repeated by the adapter; writes are sent once.
#[async_trait]
pub trait SecretStore: fmt::Debug + Send + Sync {
    /// Reads the version that consumers get if they ask for no particular one.
    async fn read_current(&self, secret: &SecretId) -> Result<CurrentVersion, PortError>;

    /// Returns the text and properties of one version; `None` if it is disabled or unknown.
    async fn read_version(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<ReadVersion>, PortError>;

    /// Returns every secret of a vault, without texts and versions, in no particular order.
    async fn list_secrets(&self, vault: &VaultName) -> Result<Vec<ListedSecret>, PortError>;

    /// Returns every version, without texts, in no particular order. Empty if there is no such secret.
    async fn list_versions(&self, secret: &SecretId) -> Result<Vec<Version>, PortError>;

    /// Writes a new version: the single commit point of a rotation. Never repeated by the adapter.
    async fn put(&self, secret: &SecretId, new: NewVersion) -> Result<VersionId, PortError>;

    /// Replaces the tags of one version. Its other properties stay unchanged.
    async fn replace_tags(
        &self,
        secret: &SecretId,
        version: &VersionId,
        tags: &Tags,
    ) -> Result<(), PortError>;

    /// Disables one version, so that it can no longer be read.
    async fn disable(&self, secret: &SecretId, version: &VersionId) -> Result<(), PortError>;
}

/// The result of `GET` without a version.
#[derive(Debug)]
pub enum CurrentVersion {
    /// There is no such secret.
    Missing,
    /// The newest version is disabled.
    Disabled,
    /// The newest version is readable.
    Readable(ReadVersion),
}

/// A version with its text.
#[derive(Debug, Clone)]
pub struct ReadVersion {
    /// Its properties.
    pub properties: Version,
    /// The credential's text, with which consumers sign in.
    pub value: SecretString,
}

/// The properties of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub version: VersionId,
    /// True if it can be read.
    pub enabled: bool,
    /// The time at which it was written, in whole seconds.
    pub created: OffsetDateTime,
    /// The expiry date that is written on it; for information only.
    pub expires: Option<OffsetDateTime>,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A secret as the list of its vault shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSecret {
    /// Its name.
    pub name: SecretName,
    /// True if its newest version can be read.
    pub enabled: bool,
    /// The expiry date that is written on its newest version.
    pub expires: Option<OffsetDateTime>,
    /// The time at which its newest version was changed.
    pub updated: Option<OffsetDateTime>,
    /// The content type of its newest version.
    pub content_type: Option<String>,
    /// True if it belongs to a certificate, so that Key Vault manages it.
    pub is_managed_by_key_vault: bool,
    /// The tags of its newest version.
    pub tags: Tags,
}

/// A version to be written.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The credential's text, with which consumers will sign in.
    pub value: SecretString,
    /// True if it can be read at once.
    pub enabled: bool,
    /// The end of the credential.
    pub expires: Option<OffsetDateTime>,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its tags: Key Vault does not copy any from an earlier version.
    pub tags: Tags,
}
