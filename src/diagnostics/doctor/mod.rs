//! The check-up: tries the harmless half of everything that a rotation needs, and says what is missing and what to do.
//!
//! It changes nothing, and no finding stops the others from being found.

mod applications;
mod daemon;
mod finding;
mod ownership;
mod remedies;
mod secrets;
mod tenant;
mod vaults;

use std::sync::Arc;

use futures::StreamExt as _;
use reqwest::Url;

pub use finding::{Check, Finding, Verdict};

use super::fleet::Fleet;
use crate::azure::Azure;
use crate::clock::ClockSkew;
use crate::config::Config;
use crate::ports::Clock;

/// Looks at everything that a daemon with this configuration needs.
#[derive(Debug)]
pub struct Doctor<'a> {
    /// The daemon's configuration.
    pub config: &'a Config,
    /// The services, as the daemon would reach them.
    pub azure: &'a Azure,
    /// What their answers say about the time.
    pub skew: &'a ClockSkew,
    /// What time it is.
    pub clock: &'a Arc<dyn Clock>,
    /// Where the daemon takes events; `None`: where the configuration says that it listens.
    pub server: Option<Url>,
    /// The certificate authorities that the daemon is trusted by there, as PEM, in the place of the system's.
    pub server_ca: Option<Vec<u8>>,
}

impl Doctor<'_> {
    /// Every finding, good ones too, in the order of a rotation's needs.
    pub async fn examine(&self) -> Vec<Finding> {
        let (caller, mut findings) = self.token().await;
        let caller = caller.as_ref();
        let mut fleet = Fleet::configured(self.config);
        let (closed, of_vaults) = self.vaults(&mut fleet, caller).await;
        findings.extend(of_vaults);

        let open = fleet.secrets().iter().filter(|managed| !closed.contains(&managed.id.vault));
        let of_secrets = futures::stream::iter(open.map(async |managed| {
            let (found, validity) = self.secret(managed, &closed, caller).await;
            (found, validity.map(|validity| (managed.id.clone(), validity)))
        }));
        let of_secrets: Vec<_> = of_secrets.buffered(AT_A_TIME).collect().await;
        let (of_secrets, validities): (Vec<_>, Vec<_>) = of_secrets.into_iter().unzip();
        findings.extend(of_secrets.concat());

        // Without a token each application would be told of, and none be the cause.
        if caller.is_some() {
            let validities = validities.into_iter().flatten().collect();
            findings.extend(self.applications(&fleet, &validities, caller).await);
        }
        findings.extend(self.event_grid().await);
        findings.push(self.time());
        findings
    }
}

/// As many calls are under way at a time: far below any quota.
const AT_A_TIME: usize = 8;
