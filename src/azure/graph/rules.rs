//! App management policies: the tenant's rules for an application's passwords.

use jiff::{Span, SpanRelativeTo, civil};
use serde::Deserialize;
use serde::de::IgnoredAny;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::Graph;
use crate::domain::AppObjectId;
use crate::ports::{CredentialRules, PortError};

/// A policy. The default one applies to all applications, any other to the objects that it is assigned to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyJson {
    #[serde(default)]
    is_enabled: bool,
    #[serde(default, alias = "applicationRestrictions")]
    restrictions: Option<RestrictionsJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestrictionsJson {
    #[serde(default)]
    password_credentials: Vec<RestrictionJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestrictionJson {
    #[serde(default)]
    restriction_type: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    max_lifetime: Option<String>,
    #[serde(default)]
    restrict_for_apps_created_after_date_time: Option<String>,
    /// The exempt callers. They are chosen by attributes that we can't see, so we can't know if we are one of them.
    #[serde(default)]
    exclude_actors: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedJson {
    #[serde(default)]
    created_date_time: Option<String>,
}

impl Graph {
    /// Returns the rules of the policy that applies to an application: the assigned one, even if it has no rules,
    /// otherwise the default one. The rules are unknown if the policies may not be read.
    pub(super) async fn credential_rules(
        &self,
        application: AppObjectId,
    ) -> Result<CredentialRules, PortError> {
        match self.restrictions(application).await {
            Ok(restrictions) => {
                let is_dated = restrictions.iter().any(RestrictionJson::is_dated);
                let created = if is_dated { self.created(application).await? } else { None };
                Ok(rules(&restrictions, created))
            }
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(CredentialRules::default()),
            Err(error) => Err(error),
        }
    }

    async fn restrictions(&self, application: AppObjectId) -> Result<Vec<RestrictionJson>, PortError> {
        const OPERATION: &str = "read app management policies";
        let url = self.url(OPERATION, &format!("applications/{application}/appManagementPolicies"))?;
        let assigned: Vec<PolicyJson> = self.list(OPERATION, url).await?;
        let policies = if assigned.is_empty() {
            let url = self.url(OPERATION, "policies/defaultAppManagementPolicy")?;
            vec![self.read(OPERATION, &url).await?]
        } else {
            assigned
        };
        let holding = policies.into_iter().filter(|policy| policy.is_enabled);
        let restrictions = holding.filter_map(|policy| policy.restrictions);
        let all = restrictions.flat_map(|restrictions| restrictions.password_credentials);
        Ok(all.filter(RestrictionJson::is_in_force).collect())
    }

    async fn created(&self, application: AppObjectId) -> Result<Option<OffsetDateTime>, PortError> {
        const OPERATION: &str = "get application";
        let url = self.url(OPERATION, &format!("applications/{application}?$select=createdDateTime"))?;
        let found: CreatedJson = self.read(OPERATION, &url).await?;
        Ok(found.created_date_time.as_deref().and_then(moment))
    }
}

impl RestrictionJson {
    fn is_in_force(&self) -> bool {
        self.state.as_deref() != Some("disabled")
    }

    fn is_dated(&self) -> bool {
        self.restrict_for_apps_created_after_date_time.is_some()
    }

    /// Returns true if the restriction applies to an application created at this time. Older applications are exempt;
    /// an unknown time counts as younger.
    fn is_for(&self, created: Option<OffsetDateTime>) -> bool {
        let from = self.restrict_for_apps_created_after_date_time.as_deref().and_then(moment);
        from.zip(created).is_none_or(|(from, created)| created > from)
    }
}

/// Combines the restrictions. A ban with exemptions is ignored, because we may be exempt: then only a refusal shows it.
/// An unreadable lifetime makes all rules unknown.
fn rules(restrictions: &[RestrictionJson], created: Option<OffsetDateTime>) -> CredentialRules {
    let mut rules = CredentialRules { is_known: true, ..CredentialRules::default() };
    for restriction in restrictions.iter().filter(|restriction| restriction.is_for(created)) {
        match restriction.restriction_type.as_deref() {
            Some("passwordAddition") => rules.passwords_forbidden |= restriction.exclude_actors.is_none(),
            Some("passwordLifetime") => {
                let Some(longest) = restriction.max_lifetime.as_deref().and_then(length) else {
                    return CredentialRules::default();
                };
                let shortest = rules.longest_lifetime.map_or(longest, |known| known.min(longest));
                rules.longest_lifetime = Some(shortest);
            }
            Some(_) | None => {}
        }
    }
    rules
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Parses an ISO 8601 duration. Months and years count as from February of a non-leap year, where they are shortest.
fn length(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::from(civil::date(2026, 2, 1))).ok()?;
    Some(Duration::new(length.as_secs(), length.subsec_nanos()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const CREATED: Option<OffsetDateTime> = Some(datetime!(2026-01-01 0:00 UTC));

    fn told(restrictions: Value) -> CredentialRules {
        rules(&serde_json::from_value::<Vec<RestrictionJson>>(restrictions).unwrap(), CREATED)
    }

    fn lifetime(text: &str) -> Value {
        json!({"restrictionType": "passwordLifetime", "maxLifetime": text})
    }

    fn is_forbidden_from(moment: &str) -> bool {
        let ban = json!({"restrictionType": "passwordAddition",
            "restrictForAppsCreatedAfterDateTime": moment, "maxLifetime": null});
        told(json!([ban])).passwords_forbidden
    }

    /// The shortest of several lifetime rules applies, a month counts as 28 days, and an unreadable lifetime is
    /// ignored.
    #[test]
    fn shortest_lifetime_rule_applies() {
        for (texts, days) in
            [(vec!["P90D"], 90), (vec!["P1Y", "P90D"], 90), (vec!["P1M"], 28), (vec!["P4DT12H"], 4)]
        {
            let rules = told(texts.into_iter().map(lifetime).collect());
            assert_eq!(rules.longest_lifetime.unwrap().whole_days(), days);
        }
        assert_eq!(told(json!([lifetime("long")])), CredentialRules::default());
    }

    /// A password ban applies to applications created after its start date, and not if it has exemptions.
    #[test]
    fn ban_covers_newer_applications_without_exemptions() {
        assert!(is_forbidden_from("2025-12-31T00:00:00Z"));
        assert!(!is_forbidden_from("2026-01-02T00:00:00Z"));
        let exempt =
            json!({"restrictionType": "passwordAddition", "excludeActors": {"customSecurityAttributes": []}});
        assert!(!told(json!([exempt])).passwords_forbidden);
        assert!(told(json!([{"restrictionType": "symmetricKeyAddition"}])).is_known);
    }
}
