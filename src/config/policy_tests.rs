//! The keys of a credential's whole life: policy, bounds, proof, replicas, applications and rollout.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;

use time::Duration;
use time::macros::datetime;

use super::Config;
use super::tests::{GUID, file, parse, refusal, with_variable};
use crate::domain::tags::{OVERLAP_DAYS, Tags};
use crate::domain::{Adopt, ForeignExpired, ProbeKind, Requirement, UsageGate, VerifyPolicy};

/// Returns the verification of a configuration's only secret.
fn verify(tables: &str, entry: &str) -> VerifyPolicy {
    parse(&file("", tables, entry)).unwrap().secrets.first().unwrap().verify.clone()
}

fn rollout(text: &str) -> super::RolloutConfig {
    parse(&file("", &format!("[rollout]\n{text}"), "")).unwrap().rollout
}

/// A secret's entry overrides each key of the policy, and keys that it leaves out keep the policy's value.
#[test]
fn entry_overrides_each_policy_key() {
    let entry = "max_overlap = \"9d\"\nusage_gate = \"report\"\nusage_quiet = \"5d\"\nadopt = \"rotate\"";
    let tables = "[policy]\nforeign_expired = \"remove\"\nadopt = \"report\"\nmax_overlap = \"20d\"";
    let config = parse(&file("", tables, entry)).unwrap();
    let policy = &config.secrets.first().unwrap().policy;
    assert_eq!((policy.max_overlap(), policy.usage_quiet()), (Duration::days(9), Duration::days(5)));
    assert_eq!((policy.usage_gate(), policy.adopt()), (UsageGate::Report, Adopt::Rotate));
    assert_eq!(policy.foreign_expired(), ForeignExpired::Remove);
    let discovered = &config.discovery.policy;
    assert_eq!((discovered.adopt(), discovered.usage_gate()), (Adopt::Report, UsageGate::Off));
    assert_eq!(discovered.max_overlap(), Duration::days(20));
}

/// The configured bounds apply to the tags of configured and discovered secrets alike.
#[test]
fn bounds_apply_to_tags_of_every_secret() {
    let config = parse(&file("", "[bounds]\nmin_overlap = \"3d\"\nmax_overlap = \"5d\"", "")).unwrap();
    for policy in [&config.secrets.first().unwrap().policy, &config.discovery.policy] {
        let asked = |days: &str| {
            let tags: Tags = [(OVERLAP_DAYS, days)].into_iter().collect();
            policy.with_tags(&tags).0.overlap().whole_days()
        };
        assert_eq!((asked("2"), asked("3"), asked("5"), asked("6")), (7, 3, 5, 7));
    }
}

/// The verification of a secret's entry is laid over the default: its keys override, all others are kept.
#[test]
fn entry_verification_extends_the_default() {
    let tables = "[verify]\nclaims = \"advisory\"\nroles = [\"A\", \"B\"]\nlimit = \"30m\"\nreject_secret_pattern = \"\"";
    let one = verify(tables, "[secrets.verify]\nsign_ins = 5\nroles = [\"C\"]\nprobe_requirement = \"off\"");
    assert_eq!((one.sign_ins, one.limit, one.claims), (5, Duration::minutes(30), Requirement::Advisory));
    assert_eq!((one.probe_requirement, one.reject_secret_pattern), (Requirement::Off, None));
    assert_eq!(one.roles, BTreeSet::from(["C".to_owned()]));
    assert_eq!(verify(tables, "[secrets.verify]\nroles = []").roles, BTreeSet::new());
    assert!(verify("", "").reject_secret_pattern.unwrap().matches("-x"));
}

/// A FHIR probe URL gets its path exactly once, with or without a trailing slash, and gives the token scope.
#[test]
fn probe_url_gets_path_once_and_scope() {
    for base in ["https://x.fhir.org", "https://x.fhir.org/"] {
        let fhir = verify("", &format!("[secrets.verify]\nprobe = \"fhir\"\nprobe_url = \"{base}\""));
        let probe = fhir.probe.unwrap();
        assert_eq!(probe.url, "https://x.fhir.org/Patient?_count=1&_elements=id");
        assert_eq!(fhir.scope, "https://x.fhir.org/.default");
        assert_eq!(probe.expected, BTreeSet::from([200]));
    }
    let dicom = verify("[verify]\nprobe = \"dicom\"\nprobe_url = \"https://x.org/a/\"", "");
    assert_eq!(dicom.probe.unwrap().url, "https://x.org/a/v2/studies?limit=1");
    assert_eq!(dicom.scope, "https://dicom.healthcareapis.azure.com/.default");
    let text = "probe = \"https\"\nprobe_url = \"https://x.org/a?b=1\"\nprobe_status = [204, 206]";
    let https = verify("", &format!("[secrets.verify]\n{text}"));
    let probe = https.probe.unwrap();
    assert_eq!((probe.kind, probe.url.as_str()), (ProbeKind::Https, "https://x.org/a?b=1"));
    assert_eq!(probe.expected, BTreeSet::from([204, 206]));
    assert_eq!(https.scope, "https://graph.microsoft.com/.default");
}

/// The nearest table decides on probe and scope: the entry's settings override those of `[verify]`.
#[test]
fn nearest_table_decides_probe_and_scope() {
    let fhir = "[verify]\nprobe = \"fhir\"\nprobe_url = \"https://f.org\"";
    assert_eq!(verify(fhir, "").scope, "https://f.org/.default");
    let other = verify(fhir, "[secrets.verify]\nprobe_url = \"https://g.org\"");
    assert_eq!(other.probe.unwrap().url, "https://g.org/Patient?_count=1&_elements=id");
    assert_eq!(other.scope, "https://g.org/.default");
    let none = verify(fhir, "[secrets.verify]\nprobe = \"none\"");
    assert_eq!((none.probe, none.scope.as_str()), (None, "https://graph.microsoft.com/.default"));
    let scoped = format!("{fhir}\nscope = \"api://s/.default\"");
    assert_eq!(verify(&scoped, "").scope, "api://s/.default");
    let own = "[secrets.verify]\nprobe = \"dicom\"\nprobe_url = \"https://d.org\"";
    assert_eq!(verify(&scoped, own).scope, "https://dicom.healthcareapis.azure.com/.default");
    let all = format!("{own}\nscope = \"api://t/.default\"");
    assert_eq!(verify(&scoped, &all).scope, "api://t/.default");
}

/// A verification limit must lie below the deadline of each secret it applies to, and a violation is reported once.
#[test]
fn limit_is_checked_against_applicable_deadlines() {
    assert!(parse(&file("", "", "deadline = \"30m\"\n[secrets.verify]\nlimit = \"20m\"")).is_ok());
    let own = refusal(parse(&file("", "", "[secrets.verify]\nlimit = \"60m\"")));
    assert!(own.contains("secrets[1].verify.limit is \"60m\", which is not below the deadline of"), "{own}");
    let two =
        "deadline = \"40m\"\n[[secrets]]\nvault = \"kv\"\nname = \"b\"\ndeadline = \"30m\"\nclient_id =";
    let once = refusal(parse(&file("", "", &format!("{two} \"{GUID}\""))));
    assert!(once.contains("1 problem") && once.contains("deadline of secret kv/b (30m)"), "{once}");
}

/// A vault with discovery needs no secret entries, and the policy for its discovered secrets is checked.
#[test]
fn discovery_vault_needs_no_secret_entries() {
    let text = |tables: &str| {
        let whole = file("", tables, "").replace("name = \"kv\"", "name = \"kv\"\ndiscover = true");
        whole.split("[[secrets]]").next().unwrap().to_owned()
    };
    let config = parse(&text("")).unwrap();
    assert!(config.secrets.is_empty());
    assert_eq!(config.discovery.vaults, ["kv".parse().unwrap()]);
    assert_eq!(config.discovery.verify, config.verify);
    let late = refusal(parse(&text("[policy]\ndeadline = \"30m\"")));
    assert!(
        late.contains("verify.limit is \"45m\" (the default), which is not below policy.deadline"),
        "{late}"
    );
    assert!(parse(&text("[rollout]\ncanaries = [\"kv/any\"]")).is_ok());
    assert!(refusal(parse(&text("").replace("true", "false"))).contains("no secret is configured"));
}

/// Lists are read from the file or, separated by commas, from an environment variable, and a bad element is reported.
#[test]
fn lists_come_from_file_or_environment() {
    let config = with_variable("REKEYD_VERIFY__PROBE_STATUS", "200, 204").unwrap();
    assert!(config.verify.probe.is_none());
    let config = with_variable("REKEYD_VERIFY__ROLES", "A,B").unwrap();
    assert_eq!(config.verify.roles, BTreeSet::from(["A".to_owned(), "B".to_owned()]));
    assert!(with_variable("REKEYD_VERIFY__ROLES", "").unwrap().verify.roles.is_empty());
    let config = with_variable("REKEYD_ROLLOUT__CANARIES", "KV/App").unwrap();
    assert_eq!(config.rollout.canaries, BTreeSet::from(["kv/app".parse().unwrap()]));
    let bad = refusal(with_variable("REKEYD_VERIFY__PROBE_STATUS", "200,ok"));
    assert!(bad.contains("REKEYD_VERIFY__PROBE_STATUS: verify.probe_status[2] is \"ok\""), "{bad}");
}

/// Replicas of a secret and the allowed applications are read from the configuration.
#[test]
fn replicas_and_allowed_applications_are_read() {
    let entry = "replicas = [\"KV/copy\", \"other/app\"]\n[[vaults]]\nname = \"other\"";
    let config = parse(&file("", &format!("[applications]\nallow = [\"{GUID}\"]"), entry)).unwrap();
    let replicas: Vec<_> = config.secrets.first().unwrap().replicas.iter().map(ToString::to_string).collect();
    assert_eq!(replicas, ["kv/copy", "other/app"]);
    assert_eq!(config.applications.allow, BTreeSet::from([GUID.parse().unwrap()]));
}

/// Every bad element of a list is reported with its own line number.
#[test]
fn each_bad_element_has_its_own_line() {
    let text = file("", "[verify]\nprobe_status = [\n  200,\n  99,\n  \"x\",\n]", "");
    insta::assert_snapshot!(refusal(parse(&text)), @r#"
    2 problems in the configuration:
      rekeyd.toml:7: verify.probe_status[2] is 99, which is not a whole number from 100 to 599
      rekeyd.toml:8: verify.probe_status[3] is "x", which is not a whole number
    "#);
}

/// Each broken rule, as (tables, entry, what is reported).
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "[policy]\nmax_overlap = \"800d\"",
        "",
        "policy.max_overlap is \"800d\": max_overlap is 800d and must be",
    ),
    ("", "usage_quiet = \"1m\"", "secrets[1].usage_quiet is \"1m\": usage_quiet is"),
    ("", "jitter = \"91d\"", "secrets[1].jitter is \"91d\""),
    ("[policy]\nusage_gate = \"on\"", "", "policy.usage_gate is \"on\", which is not one of off, report"),
    ("", "adopt = \"steal\"", "secrets[1].adopt is \"steal\", which is not one of match, rotate, report"),
    ("", "foreign_expired = true", "secrets[1].foreign_expired is true, which is not a string"),
    (
        "[bounds]\nmin_validity = \"800d\"",
        "",
        "bounds.min_validity is \"800d\", which is more than bounds.max_validity",
    ),
    ("[bounds]\nmax_overlap = \"1h\"", "", "which is more than bounds.max_overlap, \"1h\""),
    ("[verify]\nclaims = \"maybe\"", "", "which is not one of required, advisory, off"),
    ("[verify]\nroles = \"A\"", "", "verify.roles is \"A\", which is not an array"),
    ("[verify]\nroles = [\" \"]", "", "verify.roles[1] is \" \", which is blank"),
    (
        "[verify]\nprobe = \"ftp\"\nprobe_url = \"https://x.org\"",
        "",
        "which is not one of none, fhir, dicom, https",
    ),
    ("[verify]\nprobe = \"fhir\"", "", "verify.probe_url is missing: it is required for the probe \"fhir\""),
    (
        "[verify]\nprobe_url = \"https://x.org\"",
        "",
        "verify.probe_url is \"https://x.org\", but verify.probe is \"none\"",
    ),
    ("[verify]\nprobe = \"fhir\"\nprobe_url = \"https://x.org?a\"", "", "a URL with a query"),
    ("[verify]\nprobe = \"https\"\nprobe_url = \"http://x.org\"", "", "not an https URL"),
    ("[verify]\nprobe = \"https\"\nprobe_url = \"https://u:hunter2@x.org\"", "", "a URL with a user"),
    (
        "[verify]\nprobe = \"fhir\"\nprobe_url = \"https://x.org\"",
        "[secrets.verify]\nprobe = \"dicom\"",
        "secrets[1].verify.probe_url is missing",
    ),
    ("[verify]\nprobe_status = []", "", "verify.probe_status is empty"),
    (
        "[verify]\nprobe_status = [600]",
        "",
        "verify.probe_status[1] is 600, which is not a whole number from 100 to 599",
    ),
    ("[verify]\nreject_secret_pattern = \"(\"", "", "which is not a regular expression: unclosed group"),
    ("", "[secrets.verify]\nspacing = \"30m\"", "is inherited and leaves no time for 3 sign-ins"),
    ("", "[secrets.verify]\nlimit = \"1s\"", "secrets[1].verify.limit is \"1s\", which leaves no time"),
    ("", "[secrets.verify]\nrole = []", "secrets[1].verify.role is not a known key; did you mean \"roles\"?"),
    ("", "replicas = [\"app\"]", "secrets[1].replicas[1] is \"app\", which is not of the form VAULT/NAME"),
    ("", "replicas = [\"kw/a\"]", "secrets[1].replicas[1] is \"kw/a\", which is not in one of [[vaults]]"),
    (
        "",
        "replicas = [\"kv/a\", \"KV/A\"]",
        "secrets[1].replicas[2] is \"KV/A\", which is listed as a replica twice",
    ),
    ("", "replicas = [\"kv/app\"]", "which is itself one of [[secrets]]"),
    ("[applications]\ndeny = [\"x\"]", "", "applications.deny[1] is \"x\", which is not a GUID"),
    (
        "[applications]\ndeny = [\"6f0c9d0e-3c1a-4c58-9c5e-6a1d0a7f7d11\"]",
        "",
        "secrets[1].client_id is \"6f0c9d0e-3c1a-4c58-9c5e-6a1d0a7f7d11\", which applications.deny lists",
    ),
    (
        "[applications]\nallow = [\"00000000-3c1a-4c58-9c5e-6a1d0a7f7d11\"]",
        "",
        "which applications.allow does not list",
    ),
    ("[rollout]\nmax_per_hour = -1", "", "rollout.max_per_hour is -1, which is not a whole number from 0"),
    (
        "[rollout]\ncanaries = [\"kv/b\"]",
        "",
        "rollout.canaries[1] is \"kv/b\", which is neither one of [[secrets]] nor",
    ),
    ("[rollout]\ntime_zone = \"Mars\"", "", "rollout.time_zone is \"Mars\", which is not an IANA time zone"),
    ("[[rollout.windows]]\ncron = \"0 3 * * *\"", "", "rollout.windows[1].duration is missing"),
    ("[[rollout.windows]]\nduration = \"8d\"", "", "which is out of range (1m to 7days)"),
    ("[[rollout.freezes]]\nuntil = \"2026-12-20T00:00\"", "", "rollout.freezes[1].from is missing"),
    ("[[rollout.freezes]]\nfrom = \"2026-12-20T00:00Z\"", "", "which is not a date and time without a zone"),
    (
        "[[rollout.freezes]]\nfrom = \"2026-12-20T00:00+01:00\"",
        "",
        "which is not a date and time without a zone",
    ),
    ("[[rollout.freezes]]\nfrom = 2026-12-20T00:00:00", "", "which is not a string"),
    (
        "[[rollout.freezes]]\nfrom = \"2026-12-20T00:00\"\nuntil = \"2026-12-20T00:00\"",
        "",
        "rollout.freezes[1].until is \"2026-12-20T00:00\", which is not after from",
    ),
    (
        "",
        "[[vaults]]\nname = \"b\"\ndiscover = \"yes\"",
        "vaults[2].discover is \"yes\", which is neither true",
    ),
];

#[test]
fn each_broken_rule_is_told() {
    for (tables, entry, expected) in REFUSED {
        let message = refusal(parse(&file("", tables, entry)));
        assert!(message.contains(expected), "{message}\n  lacks {expected}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_limit_of_zero_is_none() {
    let limits = |text| (rollout(text).max_per_sweep, rollout(text).max_per_hour);
    assert_eq!(limits("max_per_hour = 0\nmax_per_sweep = 4"), (Some(4), None));
}

/// A freeze in the hour that repeats when the clocks go back covers both occurrences of that hour.
#[test]
fn repeated_hour_is_frozen_both_times() {
    let one = |from: &str, until: &str| {
        let text = format!("[[rollout.freezes]]\nfrom = \"{from}\"\nuntil = \"{until}\"");
        let frozen = rollout(&format!("time_zone = \"Europe/Berlin\"\n{text}"));
        let only = *frozen.freezes.first().unwrap();
        (only.from, only.until)
    };
    assert_eq!(
        one("2026-10-25T02:30", "2026-10-25T02:31"),
        (datetime!(2026-10-25 0:30 UTC), datetime!(2026-10-25 1:31 UTC))
    );
    assert_eq!(
        one("2026-03-29T02:30", "2026-03-29T02:31"),
        (datetime!(2026-03-29 0:30 UTC), datetime!(2026-03-29 1:31 UTC))
    );
    assert_eq!(
        one("2026-07-01T00:00", "2026-12-01T00:00"),
        (datetime!(2026-06-30 22:00 UTC), datetime!(2026-11-30 23:00 UTC))
    );
}

#[test]
fn the_audit_file_is_a_path() {
    let config: Config = parse(&file("", "[log]\naudit_file = \"/x/audit.jsonl\"", "")).unwrap();
    assert_eq!(config.log.audit_file.unwrap(), std::path::Path::new("/x/audit.jsonl"));
}
