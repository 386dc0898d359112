//! Asking whether superseded credentials are still in use, where the policy wants to know and it matters now.

use time::OffsetDateTime;

use super::Observer;
use crate::domain::{Observed, RotationPolicy, UsageFacts, UsageGate, VersionFacts};
use crate::ports::{Usage, chain};

impl Observer<'_> {
    /// Only once an overlap is over: the report takes few questions. A failure leaves it unknown, and is told.
    pub(super) async fn ask_for_usage(
        &self,
        seen: &mut Observed,
        policy: &RotationPolicy,
        warnings: &mut Vec<String>,
        now: OffsetDateTime,
    ) {
        if policy.usage_gate() == UsageGate::Off || !is_asked_for(seen, policy, now) {
            return;
        }
        match self.subject.ports.usage.last_sign_ins(self.application.client_id).await {
            Ok(Usage::Known(last)) => seen.usage = UsageFacts::Seen(last),
            Ok(Usage::Unavailable(why)) => {
                warnings.push(format!(
                    "no report on sign-ins ({why}): superseded credentials are retired by time alone"
                ));
                seen.usage = UsageFacts::Unavailable(why);
            }
            Err(error) => warnings.push(format!("the report on sign-ins can't be read: {}", chain(&error))),
        }
    }
}

/// Whether a credential may be retired now: one that is superseded by its marker, or one that its version's text may
/// yet prove.
fn is_asked_for(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
    let over = |at: OffsetDateTime| at.saturating_add(policy.overlap()) <= now;
    let untried = |version: &VersionFacts| {
        version.enabled && version.named().is_some() && seen.followed_at(version.created).is_some_and(over)
    };
    seen.superseded().iter().any(|(_, at)| over(*at)) || seen.older_versions().any(untried)
}
