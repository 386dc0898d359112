//! The world's ports: the sandbox's model, with a point before and after the effect of every call.
//!
//! At one chosen point something happens: the process ends, the call fails, its answer is lost, or another instance
//! makes its passes. After every call the promise is checked: the text that consumers read signs in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration as StdDuration;

use async_trait::async_trait;
use rekeyd::domain::tags::{
    CREDENTIAL_ID, PENDING_ROTATION, PendingRotation, QUARANTINED, Quarantine, QuarantineReason, Tags,
};
use rekeyd::domain::{
    AppObjectId, ApplicationRef, ClientId, KeyId, Probe, ProbeAnswer, SecretId, VaultName, VersionId,
};
use rekeyd::ports::{
    Application, Clock, CredentialIssuer, CredentialRules, CurrentVersion, IssuedCredential, ListedSecret,
    NewVersion, OwnIdentity, PortError, ReadVersion, ResourceProbe, Revocation, SecretStore,
    ServicePrincipal, SignIn, SignInVerifier, Token, Usage, UsageReport, Version, sleep, while_released,
};
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::{Daemon, World};

/// The interference at the chosen point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interference {
    /// The process ends for good; another one is started an hour later.
    Stop,
    /// The process sleeps for 26 hours, in which another instance works. Only between two calls.
    Stall,
    /// Another instance makes its passes.
    OtherInstance,
    /// Another instance notes that it begins to rotate, unless a rotation is noted already, and is slow.
    OtherNotes,
    /// The call fails before it is sent.
    NotSent,
    /// The service refuses: too many requests.
    Throttled,
    /// The call has its effect, but its reply is lost.
    LostReply,
    /// A person makes a credential and publishes it.
    PersonPublishes,
    /// A person publishes the oldest version's text again.
    PersonGoesBack,
    /// A person marks the current version: its credential is compromised.
    PersonMarks,
}

impl World {
    /// Stops checking the promise, because the test itself locks consumers out.
    pub(crate) fn lock_consumers_out(&self) {
        self.promised.store(false, Ordering::SeqCst);
    }

    /// Checks the promise: the text of the current version signs in.
    ///
    /// A broken promise is recorded, not asserted, since the loop
    /// survives a panic of its pass; [`Self::live_until`] asserts.
    pub(crate) async fn check_promise(&self) {
        if !self.promised.load(Ordering::SeqCst) {
            return;
        }
        let answers =
            [self.answer_to_consumer_of(&self.secret).await].into_iter().chain(self.replica_answer().await);
        for answer in answers.filter(|answer| answer != "Accepted") {
            self.broken.lock().unwrap().push(format!("{answer} at {}", self.now()));
        }
    }

    async fn answer_to_consumer_of(&self, secret: &SecretId) -> String {
        match self.direct.read_current(secret).await.unwrap() {
            CurrentVersion::Readable(read) => {
                format!("{:?}", self.direct.sign_in(self.client_id, &read.value).await)
            }
            CurrentVersion::Missing | CurrentVersion::Disabled => "nothing to read".to_owned(),
        }
    }

    /// Returns Entra's answer to the replica's consumers. A replica has no consumers before it has a version.
    async fn replica_answer(&self) -> Option<String> {
        let replica = self.replicas.first()?;
        let is_there = !matches!(self.direct.read_current(replica).await.unwrap(), CurrentVersion::Missing);
        if is_there { Some(self.answer_to_consumer_of(replica).await) } else { None }
    }

    /// Counts a call, and interferes with it if it is the chosen one.
    async fn call<T>(
        &self,
        effect: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let before = self.calls.fetch_add(2, Ordering::SeqCst);
        self.interfere(before).await?;
        let result = effect.await;
        self.check_promise().await;
        self.interfere(before + 1).await?;
        result
    }

    async fn interfere(&self, point: usize) -> Result<(), PortError> {
        let Some((chosen, how)) = *self.interference.lock().unwrap() else { return Ok(()) };
        let is_before = point.is_multiple_of(2);
        if point != chosen || self.interfered.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        match how {
            Interference::Stop => {
                self.clock().freeze();
                self.ended.notify_one();
                std::future::pending::<()>().await;
            }
            Interference::Stall if !is_before => self.other_instance(Duration::hours(26)).await,
            Interference::PersonPublishes => self.publish_by_hand().await,
            Interference::PersonGoesBack => self.go_back_by_hand().await,
            Interference::PersonMarks => self.mark_by_hand().await,
            Interference::OtherInstance => self.other_instance(Duration::minutes(10)).await,
            Interference::OtherNotes => {
                let is_first = self.note_of_other().await;
                self.interfered.store(is_first, Ordering::SeqCst);
            }
            Interference::NotSent if is_before => {
                return Err(PortError::NotSent { operation: "test", source: "no route".into() });
            }
            Interference::Throttled if is_before => {
                return Err(rekeyd::azure::refused("test", 429, "TooManyRequests"));
            }
            Interference::LostReply if !is_before => {
                return Err(PortError::OutcomeUnknown { operation: "test", source: "no answer".into() });
            }
            Interference::Stall
            | Interference::NotSent
            | Interference::Throttled
            | Interference::LostReply => {
                self.interfered.store(false, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    pub(crate) fn has_interfered(&self) -> bool {
        self.interfered.load(Ordering::SeqCst)
    }

    /// Notes another rotation on the current version, unless one is noted there. Returns true if it did.
    async fn note_of_other(&self) -> bool {
        let Version { version, mut tags, .. } = self.current().await.properties;
        if tags.value(PENDING_ROTATION).is_some() {
            return false;
        }
        let rotation = "0123456789abcdef".parse().unwrap();
        let note = PendingRotation { rotation, began: self.now(), attempt: 1, failed: false };
        tags.set(PENDING_ROTATION, note);
        self.direct.replace_tags(&self.secret, &version, &tags).await.unwrap();
        true
    }

    /// Does as a person does in the portal: issues a new credential and publishes a new version.
    pub(crate) async fn publish_by_hand(&self) {
        let application = self.application().await;
        let end = self.now() + Duration::days(180);
        let made = self.direct.issue(application.object_id, "made by hand", end).await.unwrap();
        let tags = [(CREDENTIAL_ID, made.key_id.to_string())].into_iter().collect();
        let new = NewVersion {
            value: made.secret_text,
            enabled: true,
            expires: Some(end),
            content_type: None,
            tags,
        };
        self.direct.put(&self.secret, new).await.unwrap();
    }

    /// Publishes the oldest version again, with its tags, if its credential is still good.
    pub(crate) async fn go_back_by_hand(&self) {
        let versions = self.versions().await;
        let oldest = versions.iter().min_by_key(|version| version.created).unwrap();
        let Some(read) = self.direct.read_version(&self.secret, &oldest.version).await.unwrap() else {
            return;
        };
        if self.direct.sign_in(self.client_id, &read.value).await != SignIn::Accepted {
            return;
        }
        let Version { expires, content_type, tags, .. } = read.properties;
        let again = NewVersion { value: read.value, enabled: true, expires, content_type, tags };
        self.direct.put(&self.secret, again).await.unwrap();
    }

    /// Marks the current version as compromised, now.
    async fn mark_by_hand(&self) {
        let Version { version, mut tags, .. } = self.current().await.properties;
        tags.set(QUARANTINED, Quarantine { reason: QuarantineReason::Compromised, at: self.now() });
        self.direct.replace_tags(&self.secret, &version, &tags).await.unwrap();
    }

    /// Loses the reply to the next `PUT`; then no call reaches the vault for `then_blind`.
    pub(crate) fn lose_next_put(&self, then_blind: Duration) {
        *self.lost_put.lock().unwrap() = Some(then_blind);
    }

    /// Records a write to the application by a rotation, and whether another one is under way.
    fn note_writer(&self, display_name: &str) {
        let before = self.issuing.lock().unwrap().replace(display_name.to_owned());
        if let Some(before) = before {
            self.broken
                .lock()
                .unwrap()
                .push(format!("{display_name} was issued while {before} was under way"));
        }
    }

    /// Returns an error while the vault can't be reached.
    fn reach_vault(&self) -> Result<(), PortError> {
        if self.now() < *self.blind_until.lock().unwrap() {
            return Err(PortError::NotSent {
                operation: "test",
                source: "the vault can't be reached".into(),
            });
        }
        Ok(())
    }

    /// Runs another instance for a while, which sees what this one has done so far.
    async fn other_instance(&self, duration: Duration) {
        let daemon = Daemon::start(&self.undisturbed(), 2);
        daemon.queue.enqueue(&self.secret);
        let clock = self.clock();
        let end = clock.now() + duration;
        while clock.now() < end {
            sleep(&clock, Duration::minutes(10)).await;
            daemon.queue.enqueue(&self.secret);
        }
        while_released(&clock, daemon.shutdown.drain(StdDuration::from_secs(5))).await;
    }

    /// Returns the same world for an instance without interference.
    fn undisturbed(&self) -> Arc<Self> {
        Arc::new(Self {
            direct: self.direct.clone(),
            secret: self.secret.clone(),
            skew: Arc::clone(&self.skew),
            replicas: self.replicas.clone(),
            policy: self.policy.clone(),
            ..Self::make(None, Duration::ZERO, 1)
        })
    }
}

#[async_trait]
impl SecretStore for World {
    async fn read_current(&self, secret: &SecretId) -> Result<CurrentVersion, PortError> {
        self.reach_vault()?;
        self.call(self.direct.read_current(secret)).await
    }

    async fn read_version(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<ReadVersion>, PortError> {
        self.call(self.direct.read_version(secret, version)).await
    }

    async fn list_versions(&self, secret: &SecretId) -> Result<Vec<Version>, PortError> {
        self.call(self.direct.list_versions(secret)).await
    }

    async fn list_secrets(&self, vault: &VaultName) -> Result<Vec<ListedSecret>, PortError> {
        self.call(self.direct.list_secrets(vault)).await
    }

    async fn put(&self, secret: &SecretId, new: NewVersion) -> Result<VersionId, PortError> {
        self.reach_vault()?;
        if new.enabled && self.sibling.is_some() {
            *self.issuing.lock().unwrap() = None;
        }
        let result = self.call(self.direct.put(secret, new)).await;
        if let Some(blind) = self.lost_put.lock().unwrap().take() {
            *self.blind_until.lock().unwrap() = self.now() + blind;
            return Err(PortError::OutcomeUnknown { operation: "test", source: "no answer".into() });
        }
        result
    }

    async fn replace_tags(
        &self,
        secret: &SecretId,
        version: &VersionId,
        tags: &Tags,
    ) -> Result<(), PortError> {
        self.call(self.direct.replace_tags(secret, version, tags)).await
    }

    async fn disable(&self, secret: &SecretId, version: &VersionId) -> Result<(), PortError> {
        self.call(self.direct.disable(secret, version)).await
    }
}

#[async_trait]
impl CredentialIssuer for World {
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError> {
        let mut found = self.call(self.direct.read_application(application)).await?;
        if let Some(hint) = &*self.hint.lock().unwrap() {
            let shown = found.iter_mut().flat_map(|found| &mut found.credentials);
            shown.for_each(|credential| credential.hint = Some(hint.clone()));
        }
        Ok(found)
    }

    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError> {
        if self.sibling.is_some() {
            self.note_writer(display_name);
        }
        self.call(self.direct.issue(application, display_name, end)).await
    }

    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<Revocation, PortError> {
        self.call(self.direct.revoke(application, key_id)).await
    }

    async fn read_service_principal(
        &self,
        client_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, PortError> {
        self.call(self.direct.read_service_principal(client_id)).await
    }

    async fn read_credential_rules(&self, application: AppObjectId) -> Result<CredentialRules, PortError> {
        self.call(self.direct.read_credential_rules(application)).await
    }

    async fn read_own_identity(&self) -> Result<OwnIdentity, PortError> {
        self.direct.read_own_identity().await
    }
}

#[async_trait]
impl UsageReport for World {
    async fn last_sign_ins(&self, client_id: ClientId) -> Result<Usage, PortError> {
        self.call(self.direct.last_sign_ins(client_id)).await
    }
}

#[async_trait]
impl ResourceProbe for World {
    async fn probe(&self, probe: &Probe, token: &SecretString) -> ProbeAnswer {
        self.direct.probe(probe, token).await
    }
}

#[async_trait]
impl SignInVerifier for World {
    async fn sign_in(&self, client_id: ClientId, text: &SecretString) -> SignIn {
        let text = SecretString::from(text.expose_secret().to_owned());
        match self.call(async { Ok(self.direct.sign_in(client_id, &text).await) }).await {
            Ok(answer) => answer,
            Err(error) => SignIn::Unclear(error.to_string()),
        }
    }

    async fn token(&self, client_id: ClientId, text: &SecretString, scope: &str) -> Result<Token, SignIn> {
        let text = SecretString::from(text.expose_secret().to_owned());
        match self.call(async { Ok(self.direct.token(client_id, &text, scope).await) }).await {
            Ok(answer) => answer,
            Err(error) => Err(SignIn::Unclear(error.to_string())),
        }
    }
}
