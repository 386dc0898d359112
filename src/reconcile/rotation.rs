//! One rotation: intent, issue, verify, publish. The text of the new credential lives only here, in memory.
//!
//! This is the only place with more than one effect. A `CRASH` comment stands between each two of them and says
//! what the next pass sees if the process ends there.

use secrecy::ExposeSecret;
use time::{Duration, OffsetDateTime};
use tracing::{info, warn};
use uuid::Uuid;

use super::edit::{TagEdit, with_pending};
use super::execute::Execution;
use super::failure::Failure;
use super::observe::Observation;
use crate::domain::tags::{self, PendingRotation, SupersededIndex, Tags};
use crate::domain::{BlockReason, KeyId, Marker, RotationId};
use crate::ports::{CurrentVersion, IssuedCredential, NewVersion, PortError, Revocation, chain, sleep};

/// One rotation, and what it is executed with.
pub(super) struct Rotation<'a> {
    pub(super) with: &'a Execution<'a>,
    /// Our note of it, as it is written before the first effect.
    pending: PendingRotation,
}

impl<'a> Rotation<'a> {
    /// A rotation from what `with` looked at; it `began` with that look.
    pub(super) const fn new(
        with: &'a Execution<'a>,
        rotation: RotationId,
        began: OffsetDateTime,
        attempt: u32,
    ) -> Self {
        Self { with, pending: PendingRotation { rotation, began, attempt, failed: false } }
    }

    /// Makes, proves and publishes a credential.
    ///
    /// # Errors
    /// Why nothing was published, or why that is not known. What can be cleared up at once has been.
    pub(super) async fn run(self) -> Result<KeyId, Failure> {
        if self.with.stop.is_cancelled() {
            return Err(Failure::stopped());
        }
        let end = self.with.preflight().await?;
        // What has nothing in its way is counted, so that what has can't use up the limit of an hour.
        if !(self.with.may_begin)() {
            return Err(Failure::held());
        }
        self.write_intent().await?;
        // CRASH: the tag says that a rotation began; no credential exists. Seen as in flight, then as due again.
        let issued = match self.issue_usable(end).await {
            Ok(issued) => issued,
            Err(failure) => return Err(self.give_up(failure, None).await),
        };
        // CRASH: the credential exists, its text is only here. Seen as an orphan.
        match self.verify_and_publish(&issued).await {
            Ok(()) => Ok(issued.key_id),
            Err(failure) => Err(self.give_up(failure, Some(issued.key_id)).await),
        }
    }

    /// Proves that the vault can be written, tells others, and leaves word for after a crash.
    async fn write_intent(&self) -> Result<(), Failure> {
        let intent = |tags: &Tags| {
            if self.is_other_under_way(tags) {
                return Err(Failure::conflict());
            }
            self.publication_tags(tags, KeyId(Uuid::nil())).check_limits()?;
            Ok(with_pending(tags, &self.pending))
        };
        match self.with.edit_tags(intent).await? {
            TagEdit::Done => Ok(()),
            TagEdit::NoVersion => self.write_placeholder().await,
            TagEdit::Conflict => Err(Failure::conflict()),
        }
    }

    /// Whether another instance noted its own rotation since this one looked.
    fn is_other_under_way(&self, tags: &Tags) -> bool {
        let noted = tags.pending_rotation().ok().flatten();
        let other = noted.filter(|noted| noted.rotation != self.pending.rotation);
        let now = self.with.ports.clock.now();
        other.is_some_and(|other| {
            other.under_way_until(self.with.observation.policy.deadline(), now).is_some()
        })
    }

    /// A secret without any version gets a disabled one, so that a soft-deleted name is noticed before minting.
    async fn write_placeholder(&self) -> Result<(), Failure> {
        let placeholder = NewVersion {
            value: "pending".into(),
            enabled: false,
            expires: None,
            content_type: None,
            tags: with_pending(&Tags::default(), &self.pending),
        };
        self.with.ports.store.put(self.with.secret, placeholder).await?;
        Ok(())
    }

    /// Makes a credential whose text breaks no command line; one that would is revoked and made anew.
    async fn issue_usable(&self, end: OffsetDateTime) -> Result<IssuedCredential, Failure> {
        let unwanted = self.with.observation.verify.reject_secret_pattern.as_ref();
        for _ in 0..MAX_MINTED {
            let issued = self.issue(end).await?;
            if !unwanted.is_some_and(|pattern| pattern.matches(issued.secret_text.expose_secret())) {
                return Ok(issued);
            }
            info!(secret = %self.with.secret, key_id = %issued.key_id, "the new text matches verify.reject_secret_pattern: made anew");
            // CRASH: the credential exists and nobody wants it. Seen as an orphan.
            if self.revoke(issued.key_id).await? == Revocation::NotFound {
                let told = "Entra doesn't know the unwanted credential to revoke yet: orphan_grace ends it"
                    .to_owned();
                return Err(Failure::told(BlockReason::NotProven, told));
            }
        }
        let told = format!(
            "{MAX_MINTED} texts in a row matched verify.reject_secret_pattern: does it match every text?"
        );
        Err(Failure::told(BlockReason::NotProven, told))
    }

    async fn issue(&self, end: OffsetDateTime) -> Result<IssuedCredential, Failure> {
        let Execution { ports, observation, secret, .. } = self.with;
        self.with.check_clock()?;
        let display_name = Marker::of(secret).display_name(&self.pending.rotation);
        Ok(ports.issuer.issue(observation.application.object_id, &display_name, end).await?)
    }

    async fn verify_and_publish(&self, issued: &IssuedCredential) -> Result<(), Failure> {
        self.verify(issued).await?;
        // CRASH: the credential is proven, its text is only here. Seen as an orphan.
        self.publish(issued).await
    }

    /// The commit point: one `PUT` of text, expiry and `CredentialId` together.
    ///
    /// An unknown outcome is looked at first, and then repeated with the same credential, within the deadline.
    async fn publish(&self, issued: &IssuedCredential) -> Result<(), Failure> {
        let mut trouble = Failure::blocked(BlockReason::ServiceUnavailable);
        let mut unknown = false;
        for attempt in 0..MAX_PUTS {
            if attempt > 0 {
                sleep(&*self.with.ports.clock, PUT_PAUSE * attempt).await;
            }
            let new = match self.prepare(issued).await {
                Ok(Prepared::AlreadyPublished) => return Ok(()),
                Ok(Prepared::Version(new)) => new,
                Err(failure) => return Err(failure.after(unknown)),
            };
            match self.put_in_time(new).await {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    unknown |= !failure.had_no_effect();
                    let passing = failure.is_passing();
                    trouble = failure;
                    if !passing {
                        break;
                    }
                }
            }
        }
        Err(trouble.after(unknown))
    }

    /// Reads the tags that the new version starts from, immediately before it is written.
    async fn prepare(&self, issued: &IssuedCredential) -> Result<Prepared, Failure> {
        let current = self.with.ports.store.read_current(self.with.secret).await.map_err(Failure::of_read)?;
        let (before, content_type) = match current {
            CurrentVersion::Readable(read)
                if read.properties.tags.credential_id() == Ok(Some(issued.key_id)) =>
            {
                return Ok(Prepared::AlreadyPublished);
            }
            CurrentVersion::Readable(read) if self.is_news(&read.properties.tags) => {
                return Err(Failure::conflict());
            }
            CurrentVersion::Readable(read)
                if Some(&read.properties.version) == self.with.observed_version() =>
            {
                (read.properties.tags, read.properties.content_type)
            }
            CurrentVersion::Disabled if self.with.observed_version().is_none() => (Tags::default(), None),
            CurrentVersion::Disabled => return Err(Failure::blocked(BlockReason::CurrentDisabled)),
            CurrentVersion::Readable(_) | CurrentVersion::Missing => return Err(Failure::conflict()),
        };
        let tags = self.publication_tags(&before, issued.key_id);
        tags.check_limits()?;
        let expires = Some(issued.end);
        Ok(Prepared::Version(NewVersion {
            value: issued.secret_text.clone(),
            enabled: true,
            expires,
            content_type,
            tags,
        }))
    }

    /// Whether somebody marked the current version as bad since it was looked at: what was made before does not meet that.
    fn is_news(&self, tags: &Tags) -> bool {
        let observed = self.with.observation.seen.current_version();
        let before = observed.and_then(|version| version.tags.value(tags::QUARANTINED));
        observed.is_some() && tags.value(tags::QUARANTINED) != before
    }

    /// The clock is the last thing that is looked at: a stalled process must not publish a dead credential.
    async fn put_in_time(&self, new: NewVersion) -> Result<(), Failure> {
        self.with.check_clock()?;
        self.check_deadline()?;
        self.with.ports.store.put(self.with.secret, new).await?;
        Ok(())
    }

    fn publication_tags(&self, before: &Tags, key_id: KeyId) -> Tags {
        let Observation { seen, application, .. } = self.with.observation;
        let mut after = before.carried_over();
        after.set(tags::CREDENTIAL_ID, key_id);
        after.set(tags::ROTATION_ID, &self.pending.rotation);
        after.set(tags::PROVIDER_ADDRESS, application.object_id);
        let index = before.superseded().unwrap_or(SupersededIndex::Many);
        // What Entra lists no more is retired.
        let listed = |key_id: &KeyId| application.credentials.iter().any(|listed| listed.key_id == *key_id);
        let superseded = seen.current_credential().map(|credential| credential.key_id);
        let index = superseded.into_iter().fold(index.only(listed), SupersededIndex::with);
        if !index.is_empty() {
            after.set(tags::SUPERSEDED_CREDENTIAL_ID, index);
        }
        after
    }

    fn check_deadline(&self) -> Result<(), Failure> {
        let deadline = self.pending.began + self.with.observation.policy.deadline();
        if self.with.ports.clock.now() < deadline { Ok(()) } else { Err(Failure::deadline_exceeded()) }
    }

    /// Clears up what a failed rotation left, as far as that is certain to be safe.
    ///
    /// Its credential is revoked only if no `PUT` of it can have happened; else only `orphan_grace` may.
    async fn give_up(&self, failure: Failure, issued: Option<KeyId>) -> Failure {
        if let Some(key_id) = issued.filter(|_| failure.had_no_effect()) {
            let secret = self.with.secret;
            match self.revoke(key_id).await {
                Ok(Revocation::Revoked) => {}
                Ok(Revocation::NotFound) => {
                    warn!(%secret, %key_id, "Entra doesn't know the credential to revoke; if it shows later, orphan_grace ends it");
                }
                Err(error) => {
                    warn!(%secret, %key_id, error = chain(&error), "left a credential for orphan_grace");
                }
            }
        }
        let note = |tags: &Tags| Ok(self.noted(tags));
        // CRASH: the tag still says in flight. The next pass waits for the deadline in the place of the back-off.
        if let Err(error) = self.with.edit_tags(note).await {
            warn!(secret = %self.with.secret, %error, "could not note that the rotation failed");
        }
        failure
    }

    /// The tags with our note marked as failed, if it is still there. It stays, so that a restart resets nothing.
    fn noted(&self, tags: &Tags) -> Tags {
        let ours = |pending: &PendingRotation| pending.rotation == self.pending.rotation;
        if tags.pending_rotation().is_ok_and(|pending| pending.as_ref().is_some_and(ours)) {
            return with_pending(tags, &PendingRotation { failed: true, ..self.pending.clone() });
        }
        tags.clone()
    }

    /// The credential is certain to exist: where it is not found, the news of it has not arrived yet.
    async fn revoke(&self, key_id: KeyId) -> Result<Revocation, PortError> {
        let Execution { ports, observation, .. } = self.with;
        let mut result = ports.issuer.revoke(observation.application.object_id, key_id).await;
        for _ in 1..MAX_REVOCATIONS {
            match &result {
                Ok(Revocation::NotFound) => {}
                Err(error) if error.is_passing() => {}
                Ok(Revocation::Revoked) | Err(_) => break,
            }
            sleep(&*ports.clock, REVOCATION_PAUSE).await;
            result = ports.issuer.revoke(observation.application.object_id, key_id).await;
        }
        result
    }
}

enum Prepared {
    /// A `PUT` whose outcome was unknown did happen.
    AlreadyPublished,
    Version(NewVersion),
}

/// One text in 64 begins with a hyphen.
const MAX_MINTED: u32 = 5;

const MAX_PUTS: i32 = 4;
const PUT_PAUSE: Duration = Duration::seconds(2);

/// Together well within the time that a daemon that is being stopped has.
const MAX_REVOCATIONS: i32 = 8;
const REVOCATION_PAUSE: Duration = Duration::seconds(1);
