//! The observation of replicas: compares each with the primary. A replica that can't be read is a fact, not a failure.

use secrecy::ExposeSecret;

use super::{Observer, facts, sorted};
use crate::domain::{
    CurrentSignIn, ManagedSecret, Observed, ReplicaFacts, ReplicaState, SecretId, VersionFacts,
};
use crate::ports::{CurrentVersion, PortError, ReadVersion, chain};
use crate::reconcile::Ports;

/// Reads each replica once.
pub(super) async fn read(
    ports: &Ports,
    managed: &ManagedSecret,
    primary: &CurrentVersion,
) -> Vec<ReplicaFacts> {
    let mut seen = Vec::new();
    for replica in &managed.replicas {
        seen.push(read_one(ports, replica, primary).await.unwrap_or_else(|error| ReplicaFacts {
            secret: replica.clone(),
            state: ReplicaState::Unreadable(chain(&error)),
            versions: Vec::new(),
        }));
    }
    seen
}

async fn read_one(
    ports: &Ports,
    replica: &SecretId,
    primary: &CurrentVersion,
) -> Result<ReplicaFacts, PortError> {
    let versions = sorted(&ports.store.list_versions(replica).await?);
    let state = match (ports.store.read_current(replica).await?, primary) {
        (CurrentVersion::Disabled, _) => ReplicaState::Disabled,
        (CurrentVersion::Readable(copy), CurrentVersion::Readable(primary)) if is_same(&copy, primary) => {
            ReplicaState::InSync(copy.properties.created)
        }
        (CurrentVersion::Readable(_) | CurrentVersion::Missing, _) => ReplicaState::OutOfSync,
    };
    Ok(ReplicaFacts { secret: replica.clone(), state, versions })
}

/// Returns true if the credential and the text are the same: a tag alone proves nothing.
fn is_same(copy: &ReadVersion, primary: &ReadVersion) -> bool {
    let (one, other) = (facts(&copy.properties), facts(&primary.properties));
    one.named() == other.named() && copy.value.expose_secret() == primary.value.expose_secret()
}

impl Observer<'_> {
    /// Tries the texts of replicas' older versions whose credential is gone from Entra: notes whether each is refused.
    ///
    /// A version that can't be read now is left for another pass: it must not hold the primary up.
    pub(super) async fn try_replicas(&self, seen: &mut Observed) {
        if seen.sign_in != CurrentSignIn::Accepted || seen.current_credential().is_none() {
            return;
        }
        let suspects = seen.replicas.iter().flat_map(|replica| {
            replica
                .older()
                .filter(|version| is_credential_gone(version, seen))
                .map(|version| (replica.secret.clone(), version.version.clone()))
        });
        for (replica, version) in suspects.collect::<Vec<_>>() {
            let Ok(Some(read)) = self.subject.ports.store.read_version(&replica, &version).await else {
                continue;
            };
            let is_refused = self.sign_in(&read.value).await == CurrentSignIn::Refused;
            let facts = seen.replicas.iter_mut().filter(|facts| facts.secret == replica);
            for facts in facts.flat_map(|facts| &mut facts.versions).filter(|facts| facts.version == version)
            {
                facts.refused = is_refused;
            }
        }
    }
}

/// Returns true for an enabled version whose credential Entra no longer lists.
fn is_credential_gone(version: &VersionFacts, seen: &Observed) -> bool {
    version.enabled && version.named().is_some_and(|key_id| seen.credential(key_id).is_none())
}
