//! Executing: one action, after one last look at what must not be harmed.

use secrecy::SecretString;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use super::Ports;
use super::edit::{TagEdit, edit_current_tags, removed};
use super::failure::Failure;
use super::observe::Observation;
use super::permits::Permit;
use super::reported_once::ReportedOnce;
use super::rotation::Rotation;
use crate::clock::ClockSkew;
use crate::domain::tags::{self, Quarantine, SupersededIndex, Tags};
use crate::domain::{Action, BlockReason, Current, KeyId, RepublishReason, RotationId, SecretId, VersionId};
use crate::ports::{CurrentVersion, NewVersion, ReadVersion};

/// What an action is executed with.
pub(super) struct Execution<'a> {
    pub(super) ports: &'a Ports,
    pub(super) skew: &'a ClockSkew,
    /// The tenant that tokens are to be of.
    pub(super) tenant: &'a str,
    /// Whether one more rotation may begin now; it is counted then.
    pub(super) may_begin: &'a (dyn Fn() -> bool + Send + Sync),
    /// Whether consumers are, or soon will be, locked out: then signing in is proof enough.
    pub(super) emergency: bool,
    /// Reports that are not repeated.
    pub(super) reported_once: &'a ReportedOnce,
    /// This pass's permit, released while the pass waits for Entra.
    pub(super) permit: &'a Permit,
    pub(super) secret: &'a SecretId,
    pub(super) observation: &'a Observation,
    pub(super) stop: CancellationToken,
}

impl Execution<'_> {
    /// Executes `action`. `rotation` names it if it makes a credential; `now` is the time of the look.
    ///
    /// # Errors
    /// What was not done, and whether that is certain.
    pub(super) async fn run(
        &self,
        action: &Action,
        rotation: RotationId,
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        self.check_clock()?;
        match action {
            Action::Issue { attempt, .. } => {
                Rotation::new(self, rotation, now, *attempt).run().await.map(drop)
            }
            Action::Republish { from, reason } => self.republish(from, *reason, now).await,
            Action::Revoke { key_id, .. } => self.revoke(*key_id, now).await,
            Action::Disable { version, replica } => self.disable(version, replica.as_ref(), now).await,
            Action::Copy { to } => self.copy(to, now).await,
            Action::ClearIndex => self.set_tag(tags::SUPERSEDED_CREDENTIAL_ID, None).await,
            Action::Adopt { key_id } => self.set_tag(tags::CREDENTIAL_ID, Some(key_id.to_string())).await,
            Action::Pause => self.set_tag(tags::ROTATION_DISABLED, Some("true".to_owned())).await,
            Action::Resume => self.set_tag(tags::ROTATION_DISABLED, None).await,
            Action::Quarantine { reason } => {
                let at = self.observation.seen.command.map_or(now, |command| command.at);
                self.set_tag(tags::QUARANTINED, Some(Quarantine { reason: *reason, at }.to_string())).await
            }
        }
    }

    /// Publishes the text of `from` again, in the place of a credential that is lost or not wanted any more.
    async fn republish(
        &self,
        from: &VersionId,
        reason: RepublishReason,
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        let read = self.ports.store.read_version(self.secret, from).await.map_err(Failure::of_read)?;
        let older = read.ok_or_else(Failure::conflict)?;
        let current = self.unchanged_current(now).await?.ok_or_else(Failure::conflict)?;
        let mut new = self.republished_version(from, &older, &current)?;
        if reason == RepublishReason::Rollback {
            let at = now.replace_nanosecond(0).unwrap_or(now);
            new.tags.set(tags::ROLLED_BACK, at.format(&Rfc3339).unwrap_or_default());
            new.tags.check_limits()?;
        }
        if new.expires.is_none_or(|end| end <= self.ports.clock.now()) {
            return Err(Failure::deadline_exceeded());
        }
        self.ports.store.put(self.secret, new).await?;
        Ok(())
    }

    fn republished_version(
        &self,
        from: &VersionId,
        older: &ReadVersion,
        current: &ReadVersion,
    ) -> Result<NewVersion, Failure> {
        let seen = &self.observation.seen;
        let proven = seen.versions.iter().find(|version| version.version == *from).and_then(|v| v.proven);
        let credential = proven.and_then(|key_id| seen.credential(key_id)).ok_or_else(Failure::conflict)?;
        let mut after = current.properties.tags.carried_over();
        after.set(tags::CREDENTIAL_ID, credential.key_id);
        // No rotation made this version, so it meets nobody's command to rotate.
        after.remove(tags::ROTATION_ID);
        let index = after.superseded().unwrap_or(SupersededIndex::Many);
        let lost = seen.current_version().and_then(crate::domain::VersionFacts::named);
        after.set(tags::SUPERSEDED_CREDENTIAL_ID, lost.into_iter().fold(index, SupersededIndex::with));
        after.check_limits()?;
        let value: SecretString = older.value.clone();
        let content_type = current.properties.content_type.clone();
        Ok(NewVersion { value, enabled: true, expires: Some(credential.end), content_type, tags: after })
    }

    /// Revokes, unless consumers turn out to read another version than was looked at.
    async fn revoke(&self, key_id: KeyId, now: OffsetDateTime) -> Result<(), Failure> {
        self.unchanged_current(now).await?;
        self.ports.issuer.revoke(self.observation.application.object_id, key_id).await?;
        Ok(())
    }

    /// Disables an older version, unless consumers turn out to read another one than was looked at.
    async fn disable(
        &self,
        version: &VersionId,
        replica: Option<&SecretId>,
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        self.unchanged_current(now).await?;
        self.ports.store.disable(replica.unwrap_or(self.secret), version).await?;
        Ok(())
    }

    /// Writes what the primary holds now into a replica, which keeps its own other tags.
    async fn copy(&self, to: &SecretId, now: OffsetDateTime) -> Result<(), Failure> {
        let primary = self.unchanged_current(now).await?.ok_or_else(Failure::conflict)?;
        let before = match self.ports.store.read_current(to).await.map_err(Failure::of_read)? {
            CurrentVersion::Readable(read) => Some(read.properties),
            CurrentVersion::Missing => None,
            CurrentVersion::Disabled => return Err(Failure::blocked(BlockReason::CurrentDisabled)),
        };
        let (before, content_type) = before.map(|found| (found.tags, found.content_type)).unwrap_or_default();
        let mut after = before.carried_over();
        for name in [tags::CREDENTIAL_ID, tags::ROTATION_ID, tags::PROVIDER_ADDRESS] {
            if let Some(value) = primary.properties.tags.value(name) {
                after.set(name, value);
            }
        }
        after.check_limits()?;
        let new = NewVersion {
            value: primary.value,
            enabled: true,
            expires: primary.properties.expires,
            content_type: content_type.or(primary.properties.content_type),
            tags: after,
        };
        self.check_fresh(now)?;
        self.ports.store.put(to, new).await?;
        Ok(())
    }

    /// Sets or removes one tag of the version that was looked at.
    async fn set_tag(&self, name: &str, value: Option<String>) -> Result<(), Failure> {
        let change = |before: &Tags| {
            let mut after = removed(before, name);
            if let Some(value) = &value {
                after.set(name, value);
            }
            Ok(after)
        };
        match self.edit_tags(change).await? {
            TagEdit::Done => Ok(()),
            TagEdit::NoVersion | TagEdit::Conflict => Err(Failure::conflict()),
        }
    }

    /// Changes the tags of the version that was looked at, if that is still the current one.
    pub(super) async fn edit_tags(
        &self,
        change: impl Fn(&Tags) -> Result<Tags, Failure>,
    ) -> Result<TagEdit, Failure> {
        edit_current_tags(self.ports, self.secret, self.observed_version(), change).await
    }

    /// The current version, read immediately before an effect: still the one that was looked at, a moment ago.
    async fn unchanged_current(&self, now: OffsetDateTime) -> Result<Option<ReadVersion>, Failure> {
        let current = match self.ports.store.read_current(self.secret).await.map_err(Failure::of_read)? {
            CurrentVersion::Readable(read) => Some(read),
            CurrentVersion::Disabled if self.observation.seen.is_placeholder() => None,
            CurrentVersion::Missing if self.observation.seen.current == Current::Missing => None,
            CurrentVersion::Missing | CurrentVersion::Disabled => return Err(Failure::conflict()),
        };
        if current.as_ref().map(|read| &read.properties.version) != self.observed_version() {
            return Err(Failure::conflict());
        }
        self.check_fresh(now)?;
        Ok(current)
    }

    /// The last thing before an effect: a stalled process must not act on what it saw long ago.
    fn check_fresh(&self, now: OffsetDateTime) -> Result<(), Failure> {
        self.check_clock()?;
        if self.ports.clock.now() - now > MAX_OBSERVATION_AGE {
            Err(Failure::deadline_exceeded())
        } else {
            Ok(())
        }
    }

    /// The version that was current at the look; `None` if none could be read.
    pub(super) fn observed_version(&self) -> Option<&VersionId> {
        self.observation.seen.current_version().map(|version| &version.version)
    }

    pub(super) fn check_clock(&self) -> Result<(), Failure> {
        if self.skew.is_tolerable() { Ok(()) } else { Err(Failure::blocked(BlockReason::ClockSkew)) }
    }
}

/// From a look to the effect that rests on it. A process that stalls longer than this has to look again.
const MAX_OBSERVATION_AGE: Duration = Duration::minutes(5);
