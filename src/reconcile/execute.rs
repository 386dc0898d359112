//! Executing: one action, after one last look at what must not be harmed.

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Ports;
use super::edit::{TagEdit, edit_current_tags, removed};
use super::failure::Failure;
use super::observe::Look;
use super::rotation::Rotation;
use crate::clock::ClockSkew;
use crate::domain::tags::{self, SupersededIndex, Tags};
use crate::domain::{Action, BlockReason, KeyId, RotationId, SecretId, VerifyPolicy, VersionId};
use crate::ports::{CurrentVersion, NewVersion, ReadVersion};

/// What an action is executed with.
#[derive(Debug)]
pub(super) struct Execution<'a> {
    pub(super) ports: &'a Ports,
    pub(super) skew: &'a ClockSkew,
    pub(super) verify: &'a VerifyPolicy,
    /// One of which this pass has.
    pub(super) permits: &'a Semaphore,
    pub(super) secret: &'a SecretId,
    pub(super) look: &'a Look,
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
            Action::Rescue { from, .. } => self.rescue(from, now).await,
            Action::Revoke { key_id, .. } => self.revoke(*key_id, now).await,
            Action::Disable { version, .. } => self.disable(version, now).await,
            Action::ClearIndex => self.clear_index().await,
            Action::Adopt { .. } | Action::Copy { .. } | Action::Quarantine { .. } | Action::Pause { .. } => {
                Err(Failure::blocked(BlockReason::InternalError))
            }
        }
    }

    /// Publishes the text of `from` again, in the place of a credential that is lost.
    async fn rescue(&self, from: &VersionId, now: OffsetDateTime) -> Result<(), Failure> {
        let read = self.ports.store.read_version(self.secret, from).await.map_err(Failure::of_read)?;
        let older = read.ok_or_else(Failure::overtaken)?;
        let current = self.unchanged_current(now).await?.ok_or_else(Failure::overtaken)?;
        let new = self.rescue_version(from, &older, &current)?;
        if new.expires.is_none_or(|end| end <= self.ports.clock.now()) {
            return Err(Failure::too_late());
        }
        self.ports.store.put(self.secret, new).await?;
        Ok(())
    }

    fn rescue_version(
        &self,
        from: &VersionId,
        older: &ReadVersion,
        current: &ReadVersion,
    ) -> Result<NewVersion, Failure> {
        let seen = &self.look.seen;
        let proven = seen.versions.iter().find(|version| version.version == *from).and_then(|v| v.proven);
        let credential = proven.and_then(|key_id| seen.credential(key_id)).ok_or_else(Failure::overtaken)?;
        let mut after = current.properties.tags.carried_over();
        after.set(tags::CREDENTIAL_ID, credential.key_id);
        // No rotation made this version, so it meets nobody's wish to rotate.
        after.remove(tags::ROTATION_ID);
        let index = after.superseded().unwrap_or(SupersededIndex::Many);
        let lost = seen.current_version().and_then(crate::domain::VersionFacts::named);
        after.set(tags::SUPERSEDED_CREDENTIAL_ID, lost.into_iter().fold(index, SupersededIndex::with));
        after.check_limits()?;
        let text: SecretString = older.text.clone();
        let content_type = current.properties.content_type.clone();
        Ok(NewVersion { text, enabled: true, expires: Some(credential.end), content_type, tags: after })
    }

    /// Revokes, unless consumers turn out to read another version than was looked at.
    async fn revoke(&self, key_id: KeyId, now: OffsetDateTime) -> Result<(), Failure> {
        self.unchanged_current(now).await?;
        self.ports.issuer.revoke(self.look.application.object_id, key_id).await?;
        Ok(())
    }

    /// Disables an older version, unless consumers turn out to read another one than was looked at.
    async fn disable(&self, version: &VersionId, now: OffsetDateTime) -> Result<(), Failure> {
        self.unchanged_current(now).await?;
        self.ports.store.disable(self.secret, version).await?;
        Ok(())
    }

    async fn clear_index(&self) -> Result<(), Failure> {
        let clear = |before: &Tags| Ok(removed(before, tags::SUPERSEDED_CREDENTIAL_ID));
        self.edit_tags(clear).await.map(drop)
    }

    /// Changes the tags of the version that was looked at, if that is still the current one.
    pub(super) async fn edit_tags(
        &self,
        change: impl Fn(&Tags) -> Result<Tags, Failure>,
    ) -> Result<TagEdit, Failure> {
        edit_current_tags(self.ports, self.secret, self.looked_at(), change).await
    }

    /// The current version, read immediately before an effect: still the one that was looked at, a moment ago.
    async fn unchanged_current(&self, now: OffsetDateTime) -> Result<Option<ReadVersion>, Failure> {
        let current = match self.ports.store.read_current(self.secret).await.map_err(Failure::of_read)? {
            CurrentVersion::Readable(read) => Some(read),
            CurrentVersion::Disabled if self.look.seen.is_placeholder() => None,
            CurrentVersion::Missing | CurrentVersion::Disabled => return Err(Failure::overtaken()),
        };
        if current.as_ref().map(|read| &read.properties.version) != self.looked_at() {
            return Err(Failure::overtaken());
        }
        self.check_clock()?;
        if self.ports.clock.now() - now > LONGEST_LOOK {
            return Err(Failure::too_late());
        }
        Ok(current)
    }

    /// The version that was current at the look; `None` if none could be read.
    pub(super) fn looked_at(&self) -> Option<&VersionId> {
        self.look.seen.current_version().map(|version| &version.version)
    }

    pub(super) fn check_clock(&self) -> Result<(), Failure> {
        if self.skew.is_tolerable() { Ok(()) } else { Err(Failure::blocked(BlockReason::ClockSkew)) }
    }
}

/// From a look to the effect that rests on it. A process that stalls longer than this has to look again.
const LONGEST_LOOK: Duration = Duration::minutes(5);
