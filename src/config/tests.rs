#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{PolicyDuration, PolicyValues, VerifyPolicy, human};

const REFERENCE: &str = include_str!("../../config/rekeyd.toml");
pub(super) const GUID: &str = "6f0c9d0e-3c1a-4c58-9c5e-6a1d0a7f7d11";

/// Returns a whole configuration: `top` in front, `tables` after `[azure]`, `entry` within the only secret.
pub(super) fn file(top: &str, tables: &str, entry: &str) -> String {
    format!(
        "{top}\n[azure]\ntenant_id = \"example.org\"\n{tables}\n[[vaults]]\nname = \"kv\"\n\
         [[secrets]]\nvault = \"kv\"\nname = \"app\"\nclient_id = \"{GUID}\"\n{entry}\n"
    )
}

pub(super) fn parse(text: &str) -> Result<Config, InvalidConfig> {
    Config::parse(text, "rekeyd.toml", &[])
}

pub(super) fn with_variable(name: &str, value: &str) -> Result<Config, InvalidConfig> {
    Config::parse(&file("", "", ""), "rekeyd.toml", &[(name.to_owned(), value.to_owned())])
}

pub(super) fn refusal(result: Result<Config, InvalidConfig>) -> String {
    result.unwrap_err().to_string()
}

fn secret_file(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

/// The host of a vault's URL must begin with the vault's name, in any letter case.
#[test]
fn vault_host_must_begin_with_its_name() {
    let text =
        file("", "", "").replace("name = \"kv\"", "name = \"kv\"\nurl = \"https://other.vault.azure.net\"");
    assert!(refusal(parse(&text)).contains("its host must begin with that name"));
    let text = text.replace("other.vault", "KV.vault");
    assert!(parse(&text).is_ok());
}

/// All problems of a configuration are reported together, each with its file and line.
#[test]
fn every_problem_is_reported_with_its_place() {
    let text = r#"
listen = "127.0.0.1:99999"
[azure]
tenant_id = "example.org"
[policy]
validty = "90d"
overlap = "12 parsecs"
[schedule]
cron = "0 25 * * *"
[[vaults]]
name = "kv"
[[secrets]]
vault = "kw"
name = "app"
client_id = "12345"
"#;
    insta::assert_snapshot!(refusal(parse(text)), @r#"
    6 problems in the configuration:
      rekeyd.toml:2: listen is "127.0.0.1:99999", which is not an IP address with a port (for example "127.0.0.1:8080")
      rekeyd.toml:6: policy.validty is not a known key; did you mean "validity"?
      rekeyd.toml:7: policy.overlap is "12 parsecs", which is not a duration (for example "90d")
      rekeyd.toml:9: schedule.cron is "0 25 * * *", which is not a cron expression: Component error: Number out of bounds.
      rekeyd.toml:13: secrets[1].vault is "kw", which is not one of [[vaults]]
      rekeyd.toml:15: secrets[1].client_id is "12345", which is not a client id (a GUID)
    "#);
}

#[test]
fn the_reference_parses_and_names_every_key() {
    assert!(parse(REFERENCE).is_ok());
    let mut table = String::new();
    let mut arrays: Vec<String> = Vec::new();
    let mut named = Vec::new();
    for line in REFERENCE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            table = format!("{name}[].");
            arrays.push(name.to_owned());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let array = arrays.iter().find(|array| name.starts_with(&format!("{array}.")));
            table = array.map_or_else(
                || format!("{name}."),
                |array| name.replacen(array, &format!("{array}[]"), 1) + ".",
            );
        } else if let Some((key, value)) = line.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            named.push((format!("{table}{key}"), value.trim_matches('"').to_owned()));
        }
    }
    for key in KEYS.iter() {
        let found = named.iter().find(|(path, _)| *path == key.path);
        assert!(found.is_some(), "{} is not in the reference", key.path);
        let value = &found.unwrap().1;
        assert!(key.default.as_ref().is_none_or(|default| default == value), "{}: {value}", key.path);
    }
    assert_eq!(named.len(), KEYS.len(), "the reference names a key that does not exist");
}

/// The reference configuration states the bounds of each duration of the policy.
#[test]
fn reference_states_bounds_of_policy_durations() {
    for PolicyDuration { key, bounds, .. } in PolicyValues::DURATIONS {
        let (before, _) = REFERENCE.split_once(&format!("\n# {key} = ")).unwrap();
        let comment = before.rsplit("\n\n").next().unwrap();
        let range = format!("{} to {}", human(*bounds.start()), human(*bounds.end()));
        assert!(comment.contains(&range), "{key} is {range}: {comment}");
    }
}

#[test]
fn the_defaults_are_those_of_the_domain() {
    let config = parse(&file("", "", "")).unwrap();
    let secret = config.secrets.first().unwrap();
    assert_eq!(secret.policy, crate::domain::RotationPolicy::try_new(PolicyValues::default()).unwrap());
    let reject_secret_pattern = Some("^-".parse().unwrap());
    assert_eq!(
        config.verify,
        VerifyPolicy {
            reject_secret_pattern,
            ..VerifyPolicy::for_scope("https://graph.microsoft.com/.default")
        }
    );
    assert_eq!(secret.verify, config.verify);
    assert!(secret.replicas.is_empty() && config.discovery.vaults.is_empty());
    assert_eq!(config.applications, crate::domain::ApplicationRules::default());
    assert_eq!((config.rollout.max_per_sweep, config.rollout.max_per_hour), (None, Some(30)));
    assert!(config.log.audit_file.is_none());
    assert_eq!(config.verify.scope, "https://graph.microsoft.com/.default");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.reconcile.shutdown_grace, Duration::from_secs(25));
    assert_eq!(config.vaults.first().unwrap().url.as_str(), "https://kv.vault.azure.net/");
    assert!(matches!(config.identity, IdentityConfig::ManagedIdentity { client_id: None }));
    assert!(config.schedule.at_start && config.azure.verify_challenge_resource && config.sandbox.is_none());
}

#[test]
fn the_environment_overrides_the_file() {
    let config = with_variable("REKEYD_POLICY__VALIDITY", "60d").unwrap();
    assert_eq!(config.secrets.first().unwrap().policy.validity(), time::Duration::days(60));
    assert_eq!(with_variable("REKEYD_RECONCILE__CONCURRENCY", "3").unwrap().reconcile.concurrency, 3);
    assert!(!with_variable("REKEYD_SCHEDULE__AT_START", "false").unwrap().schedule.at_start);
    assert!(with_variable("REKEYD_CONFIG", "x").is_ok());
    insta::assert_snapshot!(refusal(with_variable("REKEYD_POLICY__VALIDITY", "soon")), @r#"
    1 problem in the configuration:
      environment variable REKEYD_POLICY__VALIDITY: policy.validity is "soon", which is not a duration (for example "90d")
    "#);
    insta::assert_snapshot!(refusal(with_variable("REKEYD_LISTN", "hunter2")), @r#"
    1 problem in the configuration:
      environment variable REKEYD_LISTN: it does not name a known key; did you mean REKEYD_LISTEN?
    "#);
    assert!(
        refusal(with_variable("REKEYD_SECRETS__0__NAME", "x"))
            .contains("can't be set by environment variables")
    );
}

/// Environment variables that Kubernetes sets for a service named rekeyd are not taken as configuration.
#[test]
fn kubernetes_service_variables_are_not_configuration() {
    for name in [
        "REKEYD_SERVICE_HOST",
        "REKEYD_SERVICE_PORT",
        "REKEYD_SERVICE_PORT_HTTP",
        "REKEYD_PORT",
        "REKEYD_PORT_8080_TCP",
        "REKEYD_PORT_8080_TCP_ADDR",
    ] {
        assert!(with_variable(name, "tcp://10.0.0.7:8080").is_ok(), "{name} is refused");
        assert!(KEYS.iter().all(|key| key.variable().as_deref() != Some(name)), "{name} is a key");
    }
    assert!(with_variable("REKEYD_SERVICE_HOSTS", "x").is_err());
    assert!(with_variable("REKEYD_PORTS", "x").is_err());
}

#[test]
fn an_entry_overrides_the_policy() {
    let config = parse(&file("", "[policy]\noverlap = \"2d\"", "validity = \"120d\"")).unwrap();
    let policy = &config.secrets.first().unwrap().policy;
    assert_eq!((policy.overlap(), policy.validity()), (time::Duration::days(2), time::Duration::days(120)));
}

/// Each broken rule, as (top, tables, entry, what is reported).
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("listen = \"0.0.0.0:80\"", "", "", "the API would be open to the network"),
    ("listen = 5", "", "", "rekeyd.toml:1: listen is 5, which is not a string"),
    ("policy = 5", "", "", "policy is 5, which is not a table"),
    ("x =", "", "", "rekeyd.toml:1: invalid TOML"),
    ("", "cloud = \"mars\"", "", "azure.cloud is \"mars\", which is not one of public"),
    ("", "graph_url = \"https://x.org\"", "", "azure.graph_url can be set only with"),
    ("", "cloud = \"custom\"", "", "azure.authority_url is missing"),
    ("", "cloud = \"custom\"", "", "vaults[1].url is missing"),
    ("", "ca_file = \"\"", "", "azure.ca_file is \"\", which is not a path"),
    ("", "verify_challenge_resource = false", "", "allowed on loopback only"),
    ("", "connect_timeout = \"0s\"", "", "\"0s\", which is out of range (100ms to 5m)"),
    ("", "[identity]\ntoken_file = \"x\"", "", "identity.token_file can't be set with identity.kind"),
    ("", "[identity]\nkind = \"client-secret\"", "", "identity.client_secret_file is missing"),
    ("", "[policy]\nvalidity = \"1000d\"", "", "policy.validity is \"1000d\": validity is"),
    ("", "[policy]\noverlap = \"100d\"", "", "must be less than validity"),
    ("", "", "validity = \"5d\"", "secrets[1].rotate_before: rotate_before is"),
    ("", "[verify]\nsign_ins = 21", "", "verify.sign_ins is 21, which is not a whole number from 1 to 20"),
    ("", "[verify]\nlimit = \"10s\"", "", "leaves no time for 3 sign-ins"),
    ("", "", "deadline = \"30m\"", "not below the deadline of secret kv/app (30m)"),
    ("", "[verify]\nscope = \"openid\"", "", "not a scope that ends in /.default"),
    ("", "[schedule]\ncron = \"@daily\"", "", "five or six fields"),
    ("", "[schedule]\ntime_zone = \"Mars/Base\"", "", "not an IANA time zone"),
    ("", "[schedule]\nat_start = \"yes\"", "", "\"yes\", which is neither true nor false"),
    ("", "[api]\ntoken_file = \"/no/such/file\"", "", "which can't be read"),
    ("", "[reconcile]\nconcurrency = 0", "", "a whole number from 1 to 64"),
    ("", "[reconcile]\nshutdown_grace = \"11m\"", "", "out of range (1s to 10m)"),
    ("", "[log]\nformat = \"xml\"", "", "neither \"json\" nor \"text\""),
    ("", "[log]\nfilter = \"rekeyd=loud\"", "", "not a log filter"),
    ("", "[[vaults]]\nname = \"KV\"", "", "which is listed twice"),
    ("", "", "application_object_id = \"x\"", "exactly one of them must be set"),
    ("", "", "[[secrets]]\nvault = \"kv\"\nname = \"APP\"", "secret kv/app is listed twice"),
    ("", "[log]\naudit_file = \"\"", "", "log.audit_file is \"\", which is not a path"),
];

#[test]
fn each_broken_rule_is_told() {
    for (top, tables, entry, expected) in REFUSED {
        let message = refusal(parse(&file(top, tables, entry)));
        assert!(message.contains(expected), "{message}\n  lacks {expected}");
    }
}

/// A bad vault URL is refused, and the message does not show the password in it.
#[test]
fn bad_url_is_refused_without_its_password() {
    for bad in ["http://x.org", "https://u:hunter2@x.org", "https://x.org?a", "https://x.org/a", "x"] {
        let message = refusal(parse(&file("", "", &format!("[[vaults]]\nname = \"b\"\nurl = \"{bad}\""))));
        assert!(message.contains("vaults[2].url is") && !message.contains("hunter2"), "{message}");
    }
}

/// The challenge resource check may be turned off if vaults, authority and Graph are on loopback addresses.
#[test]
fn challenge_check_may_be_off_on_loopback() {
    let text = file("", "", "").replace(
        "[[vaults]]",
        "cloud = \"custom\"\nauthority_url = \"https://localhost:1\"\ngraph_url = \"https://[::1]:1\"\n\
         verify_challenge_resource = false\n[[vaults]]\nurl = \"https://127.0.0.1:2\"",
    );
    assert!(!parse(&text).unwrap().azure.verify_challenge_resource);
}

#[test]
fn no_secret_is_ever_shown() {
    let (token, short) = (secret_file("hunter2-hunter2-hunter2\n"), secret_file("hunter2"));
    let tables = format!(
        "[api]\ntoken_file = {:?}\n[identity]\nkind = \"client-secret\"\nclient_id = \"{GUID}\"\nclient_secret_file = {:?}",
        token.path(),
        short.path()
    );
    let config = parse(&file("listen = \"0.0.0.0:80\"", &tables, "")).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let message = refusal(parse(&file("", &format!("[api]\ntoken_file = {:?}", short.path()), "")));
    assert!(message.contains("fewer than 16 characters") && !message.contains("hunter2"), "{message}");
}

#[test]
#[cfg(feature = "sandbox")]
fn a_sandbox_has_a_clock() {
    let config = parse(&file("", "[sandbox]\nclock_url = \"https://localhost:1/c\"", "")).unwrap();
    assert_eq!(config.sandbox.unwrap().clock_url.path(), "/c");
    assert!(refusal(parse(&file("", "[sandbox]", ""))).contains("sandbox.clock_url is missing"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}|[a-z\\[\\]=\"\n.0-9]{0,200}") {
        drop(parse(&text));
    }

    #[test]
    fn no_value_makes_it_panic(
        at in 0..KEYS.len(),
        text in "(?s).{0,60}|[-0-9*/,LW# A-Z]{1,30}|[0-9]{1,25}[a-z]{1,3}",
    ) {
        let path = KEYS.get(at).map_or("", |key| &*key.path);
        let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
        let header = match table.split_once("[]") {
            None if table.is_empty() => String::new(),
            None => format!("[{table}]"),
            Some((array, "")) => format!("[[{array}]]"),
            Some((array, rest)) => format!("[[{array}]]\n[{array}{rest}]"),
        };
        for value in [format!("{text:?}"), format!("[{text:?}, 7]"), text.clone()] {
            drop(parse(&format!("{header}\n{key} = {value}")));
            drop(parse(&file("", "", &format!("{header}\n{key} = {value}"))));
        }
        let variable = KEYS.get(at).and_then(ConfigKey::variable).unwrap_or_default();
        drop(with_variable(&variable, &text));
    }
}
