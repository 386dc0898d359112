//! The verification of new credentials: `[verify]`, overlaid with each entry's own table.

use std::collections::BTreeSet;

use time::Duration;
use url::Url;

use super::cloud::DICOM_SCOPE;
use super::problems::Problems;
use super::reader::{Found, Section};
use super::values;
use crate::domain::{Probe, ProbeKind, Requirement, SecretId, TextPattern, VerifyPolicy};

/// One table of verification with its inherited values, as far as it could be read.
#[derive(Debug, Clone)]
pub(super) struct Verify {
    /// The resulting policy.
    pub(super) policy: VerifyPolicy,
    /// The limit, if this table sets it (for `[verify]` also the default).
    limit: Option<Found<Duration>>,
    limit_path: String,
    target: Option<Target>,
    statuses: BTreeSet<u16>,
    /// The scope, if it is set explicitly, here or in the table above.
    scope: Option<String>,
    graph_scope: String,
}

/// The target of a probe.
#[derive(Debug, Clone)]
struct Target {
    kind: ProbeKind,
    url: Url,
}

impl Verify {
    /// Reads the table `[verify]`; `graph_scope` is the scope if no other is set.
    pub(super) fn read(section: Section<'_>, graph_scope: &str, problems: &Problems) -> Self {
        let nothing = Self {
            policy: VerifyPolicy::for_scope(graph_scope),
            limit: None,
            limit_path: String::new(),
            target: None,
            statuses: BTreeSet::new(),
            scope: None,
            graph_scope: graph_scope.to_owned(),
        };
        nothing.overlaid(section, problems)
    }

    /// Returns this table with the keys of `section` laid over it.
    pub(super) fn overlaid(&self, mut section: Section<'_>, problems: &Problems) -> Self {
        let known = problems.len();
        let has_times = ["sign_ins", "spacing", "limit"].into_iter().any(|key| section.has(key));
        let mut policy = self.policy.clone();
        Found::put(section.number("sign_ins", values::number_within(1..=20_u32)), &mut policy.sign_ins);
        Found::put(section.text("spacing", values::span), &mut policy.spacing);
        let limit = section.text("limit", values::span);
        Found::put(limit.clone(), &mut policy.limit);
        if has_times && problems.len() == known {
            check_times(&policy, limit.as_ref(), &section, problems);
        }
        proof(&mut section, &mut policy);
        let limit_path = section.path_of("limit");
        let verify = self.asking(section, policy, problems);
        Self { limit, limit_path, ..verify }
    }

    /// Reads the target of the probe and the scope to sign in for. Ends the section.
    fn asking(&self, mut section: Section<'_>, mut policy: VerifyPolicy, problems: &Problems) -> Self {
        let is_own = section.has("probe") || section.has("probe_url");
        let target = target(&mut section, self.target.as_ref(), problems);
        let statuses = statuses(&mut section, problems).unwrap_or_else(|| self.statuses.clone());
        let given = section.text("scope", values::scope).map(|found| found.value);
        section.finish();
        let needed = target.as_ref().and_then(Target::scope);
        // A probe in this table takes precedence over a scope from above.
        let own = given.clone().or_else(|| needed.clone().filter(|_| is_own));
        let scope = given.or_else(|| self.scope.clone());
        let scopes = own.or_else(|| scope.clone()).or(needed);
        policy.scope = scopes.unwrap_or_else(|| self.graph_scope.clone());
        policy.probe = target.as_ref().map(|target| target.probe(&statuses));
        Self { policy, target, statuses, scope, ..self.clone() }
    }

    /// Reports a problem if a limit that is set here is too long for `deadline`.
    ///
    /// `whose` completes "… is not below".
    pub(super) fn check_deadline(&self, deadline: Duration, whose: &str, problems: &Problems) {
        let Some(limit) = self.limit.as_ref().filter(|limit| limit.value >= deadline) else { return };
        let deadline = humantime::format_duration(deadline.unsigned_abs());
        let message =
            format!("{} is {}, which is not below {whose} ({deadline})", self.limit_path, limit.shown);
        problems.add(&limit.location, message);
    }

    /// Returns true if the limit is set in this table.
    pub(super) const fn has_own_limit(&self) -> bool {
        self.limit.is_some()
    }
}

/// Names a secret's deadline to [`Verify::check_deadline`].
pub(super) fn deadline_of(secret: &SecretId) -> String {
    format!("the deadline of secret {secret}")
}

/// Reads the requirements on a token and on a secret's text.
fn proof(section: &mut Section<'_>, policy: &mut VerifyPolicy) {
    Found::put(section.text("claims", values::one_of(&REQUIREMENTS)), &mut policy.claims);
    let requirement = section.text("probe_requirement", values::one_of(&REQUIREMENTS));
    Found::put(requirement, &mut policy.probe_requirement);
    Found::put(section.text("reject_secret_pattern", pattern), &mut policy.reject_secret_pattern);
    if let Some(roles) = section.texts("roles", values::some_text) {
        policy.roles = roles.into_iter().map(|role| role.value).collect();
    }
}

fn check_times(
    policy: &VerifyPolicy,
    limit: Option<&Found<Duration>>,
    section: &Section<'_>,
    problems: &Problems,
) {
    let gaps = i32::try_from(policy.sign_ins).unwrap_or(i32::MAX) - 1;
    if policy.spacing.checked_mul(gaps).is_some_and(|least| least < policy.limit) {
        return;
    }
    let path = section.path_of("limit");
    let sign_ins = policy.sign_ins;
    match limit {
        Some(limit) => problems.add(
            &limit.location,
            format!("{path} is {}, which leaves no time for {sign_ins} sign-ins", limit.shown),
        ),
        None => section.report(format!("{path} is inherited and leaves no time for {sign_ins} sign-ins")),
    }
}

/// Reads the target of the probe. An inherited address applies to the inherited kind only.
fn target(section: &mut Section<'_>, inherited: Option<&Target>, problems: &Problems) -> Option<Target> {
    let has_kind = section.has("probe");
    let kind = section.text("probe", values::one_of(&PROBES));
    let is_unreadable = has_kind && kind.is_none();
    let effective = kind.as_ref().map_or(inherited.map(|target| target.kind), |found| found.value);
    let has_url = section.has("probe_url");
    let may_ask = is_unreadable || effective == Some(ProbeKind::Https);
    let url = section.text("probe_url", if may_ask { values::https_address } else { values::https_url });
    if is_unreadable || has_url != url.is_some() {
        return None;
    }
    match (effective, url) {
        (Some(kind), Some(url)) => Some(Target { kind, url: url.value }),
        (Some(kind), None) => {
            let same = inherited.filter(|target| target.kind == kind);
            if same.is_none() {
                let path = section.path_of("probe_url");
                let shown = kind_shown(kind);
                section.report(format!("{path} is missing: it is required for the probe {shown:?}"));
            }
            same.cloned()
        }
        (None, Some(url)) => {
            let (path, probe) = (section.path_of("probe_url"), section.path_of("probe"));
            problems.add(&url.location, format!("{path} is {}, but {probe} is \"none\"", url.shown));
            None
        }
        (None, None) => None,
    }
}

fn kind_shown(kind: ProbeKind) -> &'static str {
    PROBES.iter().find(|(_, known)| *known == Some(kind)).map_or("none", |(text, _)| text)
}

/// Reads the statuses that this table sets (for `[verify]` also the default).
fn statuses(section: &mut Section<'_>, problems: &Problems) -> Option<BTreeSet<u16>> {
    let location = section.location_of("probe_status").clone();
    let given = section.numbers("probe_status", values::number_within(100..=599_u16))?;
    if given.is_empty() {
        let path = section.path_of("probe_status");
        problems.add(&location, format!("{path} is empty: list at least one status"));
    }
    Some(given.into_iter().map(|status| status.value).collect())
}

impl Target {
    /// Returns the scope of the service's tokens, if it follows from the kind.
    fn scope(&self) -> Option<String> {
        match self.kind {
            ProbeKind::Fhir => Some(format!("{}/.default", self.base())),
            ProbeKind::Dicom => Some(DICOM_SCOPE.to_owned()),
            ProbeKind::Https => None,
        }
    }

    fn probe(&self, statuses: &BTreeSet<u16>) -> Probe {
        let url = match self.kind {
            ProbeKind::Fhir | ProbeKind::Dicom => format!("{}{}", self.base(), self.kind.path()),
            ProbeKind::Https => self.url.to_string(),
        };
        Probe { kind: self.kind, url, expected: statuses.clone() }
    }

    fn base(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

fn pattern(text: &str) -> Result<Option<TextPattern>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = text.parse().map(Some);
    read.map_err(|cause: regex::Error| {
        // Its other lines draw where in the text.
        let cause = cause.to_string();
        let last = cause.lines().last().unwrap_or_default();
        format!("not a regular expression: {}", last.trim_start_matches("error: "))
    })
}

const REQUIREMENTS: [(&str, Requirement); 3] =
    [("required", Requirement::Required), ("advisory", Requirement::Advisory), ("off", Requirement::Off)];

const PROBES: [(&str, Option<ProbeKind>); 4] = [
    ("none", None),
    ("fhir", Some(ProbeKind::Fhir)),
    ("dicom", Some(ProbeKind::Dicom)),
    ("https", Some(ProbeKind::Https)),
];
