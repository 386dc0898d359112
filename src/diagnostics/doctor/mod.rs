//! The doctor: read-only checks of everything that a rotation needs, each with a remedy for what is missing.
//!
//! It changes nothing, and no finding keeps the other checks from running.

mod applications;
mod binding;
mod daemon;
mod finding;
mod ownership;
mod remedies;
mod secrets;
mod tenant;
mod vaults;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use time::Duration;
use url::Url;

pub use finding::{CheckName, Finding, Verdict};

use super::{CONCURRENT_CALLS, DiagnosticPorts};
use crate::clock::ClockSkew;
use crate::config::Config;
use crate::domain::{ManagedSecret, SecretId};
use crate::ports::{OwnIdentity, WebhookHandshake};
use crate::reconcile::Catalogue;
use vaults::ClosedVaults;

/// The checks of everything that a daemon with this configuration needs.
#[derive(Debug)]
pub struct Doctor<'a> {
    /// The daemon's configuration.
    pub config: &'a Config,
    /// The services, as the daemon would reach them.
    pub ports: &'a DiagnosticPorts,
    /// The difference between this machine's clock and the services'.
    pub skew: &'a ClockSkew,
    /// The handshake that Event Grid would begin.
    pub webhook: &'a dyn WebhookHandshake,
    /// The address at which the daemon takes events; `None`: the one that it is configured to listen on.
    pub server: Option<Url>,
}

impl Doctor<'_> {
    /// Runs every check. Returns all findings, good ones too, in the order of a rotation's needs.
    pub async fn run(&self) -> Vec<Finding> {
        let (identity, mut findings) = self.token().await;
        let identity = identity.as_ref();
        let catalogue = Catalogue::new(self.config.secrets.iter().cloned());
        let (closed, of_vaults) = self.vaults(&catalogue, identity).await;
        findings.extend(of_vaults);

        let managed = catalogue.list();
        let (of_secrets, validities) = self.secrets(&managed, &closed, identity).await;
        findings.extend(of_secrets);
        // Without a token every application would be reported, and none be the cause.
        if identity.is_some() {
            findings.extend(self.applications(&managed, &validities, identity).await);
        }
        findings.extend(self.event_grid().await);
        findings.push(self.time());
        findings
    }

    /// Checks the managed secrets whose vaults are open. Returns the validity that each asks for, too, where it is
    /// known.
    async fn secrets(
        &self,
        managed: &[Arc<ManagedSecret>],
        closed: &ClosedVaults,
        identity: Option<&OwnIdentity>,
    ) -> (Vec<Finding>, BTreeMap<SecretId, Duration>) {
        let open = managed.iter().filter(|managed| !closed.contains(&managed.id.vault));
        let checked: Vec<_> = futures::stream::iter(
            open.map(async |managed| (self.secret(managed, closed, identity).await, managed)),
        )
        .buffered(CONCURRENT_CALLS)
        .collect()
        .await;
        let (mut findings, mut validities) = (Vec::new(), BTreeMap::new());
        for ((found, validity), managed) in checked {
            findings.extend(found);
            validities.extend(validity.map(|validity| (managed.id.clone(), validity)));
        }
        (findings, validities)
    }
}
