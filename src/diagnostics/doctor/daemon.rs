//! The needs of rekeyd itself: a token, permissions and a right clock.

use super::finding::{CheckName, Finding};
use super::{Doctor, remedies};
use crate::config::IdentityConfig;
use crate::ports::{OwnIdentity, chain};

impl Doctor<'_> {
    /// Checks that rekeyd gets a token for Graph, and that the token may write applications. Returns who it is, too.
    pub(super) async fn token(&self) -> (Option<OwnIdentity>, Vec<Finding>) {
        let identity = match self.ports.reconcile.issuer.read_own_identity().await {
            Ok(identity) => identity,
            Err(error) => {
                let detail = format!("{}; no application was checked", chain(&error));
                let found = Finding::error(CheckName::GraphToken, REKEYD, detail, remedies::IDENTITY);
                return (None, vec![found]);
            }
        };
        let name =
            identity.client_id.map_or_else(|| "an unnamed application".to_owned(), |id| id.to_string());
        let token = Finding::ok(CheckName::GraphToken, REKEYD, format!("signs in as {name}"));
        let permission = self.permission(&identity);
        (Some(identity), vec![token, permission])
    }

    /// Checks the permissions that the token names. A person's token names none: they are not known before an attempt.
    fn permission(&self, identity: &OwnIdentity) -> Finding {
        let check = CheckName::GraphPermission;
        if may_write_all(identity) {
            return Finding::ok(check, REKEYD, "can write every application");
        }
        if identity.roles.contains(OWNED_BY) {
            return Finding::ok(check, REKEYD, "can write the applications that it owns");
        }
        let is_person = matches!(self.config.identity, IdentityConfig::AzureCli);
        if is_person && identity.roles.is_empty() {
            let detail = "the token belongs to a person (az login) and does not list its permissions";
            let remedy =
                "see application_write_permission of each application; a daemon needs its own identity";
            return Finding::warning(check, REKEYD, detail, remedy);
        }
        let detail = format!("the token has none of the permissions {OWNED_BY}, {}", WRITE_ALL.join(", "));
        Finding::error(check, REKEYD, detail, remedies::graph_permission(&self.config.azure, Some(identity)))
    }

    /// Checks this machine's clock against the `Date` of all answers so far.
    pub(super) fn time(&self) -> Finding {
        if !self.skew.is_known() {
            let remedy = "first fix what keeps Key Vault and Graph from answering";
            return Finding::warning(
                CheckName::Clock,
                REKEYD,
                "not known: no service returned its time",
                remedy,
            );
        }
        let ahead = self.skew.largest().whole_seconds();
        let detail = format!("this machine's clock differs from Azure's by {} s", ahead.abs());
        if self.skew.is_tolerable() {
            return Finding::ok(CheckName::Clock, REKEYD, detail);
        }
        let remedy = "set this machine's clock, and keep it synchronized (timedatectl set-ntp true): until then nothing is rotated";
        Finding::error(CheckName::Clock, REKEYD, detail, remedy)
    }
}

/// Returns true if ownership doesn't matter, because every application may be written.
pub(super) fn may_write_all(identity: &OwnIdentity) -> bool {
    WRITE_ALL.iter().any(|role| identity.roles.contains(*role))
}

/// The permission that goes with ownership.
pub(super) const OWNED_BY: &str = "Application.ReadWrite.OwnedBy";
const WRITE_ALL: [&str; 2] = ["Application.ReadWrite.All", "Directory.ReadWrite.All"];

const REKEYD: &str = "rekeyd";
