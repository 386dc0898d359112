//! The siblings of a secret: the other managed secrets of its application, and what they have to know of each other.

use std::collections::BTreeSet;

use super::Reconciler;
use crate::domain::{BlockReason, Command, CommandKind, KeyId, Observed, SecretId, StatusReason};
use crate::ports::Application;

impl Reconciler {
    /// Lists the other managed secrets of this application, whichever of its GUIDs they name it by.
    pub(super) fn siblings(&self, secret: &SecretId, application: &Application) -> Vec<SecretId> {
        let Application { object_id, client_id, .. } = *application;
        self.catalogue
            .list()
            .iter()
            .filter(|other| other.id != *secret && other.application.is_of(object_id, client_id))
            .filter(|other| !self.lacks_consent(&other.id))
            .map(|sibling| sibling.id.clone())
            .collect()
    }

    /// Returns true if only a tag binds a secret to its application: then it has no part in the application's changes.
    fn lacks_consent(&self, secret: &SecretId) -> bool {
        self.board
            .show(secret)
            .is_some_and(|status| status.reason == StatusReason::Blocked(BlockReason::NoConsent))
    }

    /// Returns the credentials that the siblings were last seen to hold; `None` if one of them is not known yet.
    pub(super) fn held_elsewhere(&self, siblings: &[SecretId]) -> Option<BTreeSet<KeyId>> {
        let mut held = BTreeSet::new();
        for status in siblings.iter().map(|sibling| self.board.show(sibling)) {
            let status = status.filter(|status| status.last_reconciled.is_some())?;
            held.extend(status.held.filter(|_| !status.is_denied));
        }
        Some(held)
    }

    /// Passes a command about a compromise on to the siblings that it concerns, once: all of them if every credential
    /// is compromised, otherwise those that hold a compromised one.
    pub(super) fn pass_on_compromise(&self, command: Command, seen: &Observed, siblings: &[SecretId]) {
        if !matches!(command.kind, CommandKind::Compromised { .. }) || seen.denied_reason.is_some() {
            return;
        }
        let is_for_all = seen.wants_all_credentials_gone();
        let compromised = seen.compromised_credentials();
        let compromised: BTreeSet<_> = compromised.iter().map(|credential| credential.key_id).collect();
        for sibling in siblings.iter().filter(|sibling| is_for_all || self.holds_any(sibling, &compromised)) {
            if self.reported_once.is_news(sibling, &format!("compromised at {}", command.at)) {
                self.queue.enqueue_command(sibling, command, |replaced| {
                    self.board.replace_command(sibling, replaced);
                });
            }
        }
    }

    fn holds_any(&self, secret: &SecretId, credentials: &BTreeSet<KeyId>) -> bool {
        let held = self.board.show(secret).and_then(|status| status.held);
        held.is_some_and(|held| credentials.contains(&held))
    }
}
