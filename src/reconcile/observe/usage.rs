//! The check whether superseded credentials are still in use, if the policy wants to know and it matters now.

use time::OffsetDateTime;

use super::Observer;
use crate::domain::{Observed, RotationPolicy, UsageFacts, UsageGate};
use crate::ports::{Usage, chain};

impl Observer<'_> {
    /// Reads the report on sign-ins, only once an overlap is over: the report takes few requests. A failure leaves the
    /// usage unknown and adds a warning.
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
                    "sign-in report unavailable ({why}): superseded credentials are retired by time alone"
                ));
                seen.usage = UsageFacts::Unavailable(why);
            }
            Err(error) => warnings.push(format!("can't read the sign-in report: {}", chain(&error))),
        }
    }
}

/// Returns true if a credential may be retired now: one that is superseded by its marker, or one that its version's
/// text may yet prove.
fn is_asked_for(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
    seen.superseded().iter().any(|(_, since)| is_overlap_over(*since, policy, now))
        || seen
            .older_versions()
            .filter(|version| version.enabled && version.named().is_some())
            .filter_map(|version| seen.followed_at(version.created))
            .any(|since| is_overlap_over(since, policy, now))
}

fn is_overlap_over(since: OffsetDateTime, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
    since.saturating_add(policy.overlap()) <= now
}
