//! Former names of keys. They are refused with the present name. No other file may contain a former name.

use std::fmt;

use super::keys::variable_of;

/// A key with a former name.
#[derive(Debug)]
pub(super) struct Renamed {
    former: &'static str,
    present: &'static str,
}

impl Renamed {
    /// Returns the present name, without its table.
    pub(super) fn name(&self) -> &'static str {
        self.present.rsplit_once('.').map_or(self.present, |(_, name)| name)
    }
}

/// Writes the problem of its environment variable.
impl fmt::Display for Renamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = variable_of(self.present).unwrap_or_default();
        write!(f, "`{}` has been renamed to `{}`: set {variable}", self.former, self.present)
    }
}

/// Returns the key that had the path `former`, with `[]` for each index.
pub(super) fn key(former: &str) -> Option<&'static Renamed> {
    RENAMED.iter().find(|renamed| renamed.former == former)
}

/// Returns the key that had the environment variable `former`.
pub(super) fn variable(former: &str) -> Option<&'static Renamed> {
    RENAMED.iter().find(|renamed| variable_of(renamed.former).as_deref() == Some(former))
}

const fn renamed(former: &'static str, present: &'static str) -> Renamed {
    Renamed { former, present }
}

/// The renamed keys, each within the table that it is still in.
const RENAMED: &[Renamed] = &[
    renamed("policy.critical", "policy.urgent_before"),
    renamed("secrets[].critical", "secrets[].urgent_before"),
    renamed("verify.unwanted_text", "verify.reject_secret_pattern"),
    renamed("secrets[].verify.unwanted_text", "secrets[].verify.reject_secret_pattern"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;
    use crate::config::tests::{file, parse, refusal, with_variable};

    /// A former configuration key is refused with its line and its current name.
    #[test]
    fn former_key_is_refused_with_current_name() {
        let text = file(
            "",
            "[policy]\ncritical = \"7d\"",
            "critical = \"1d\"\n[secrets.verify]\nunwanted_text = \"x\"",
        );
        insta::assert_snapshot!(refusal(parse(&text)), @"
        3 problems in the configuration:
          rekeyd.toml:5: `policy.critical` has been renamed to `policy.urgent_before`
          rekeyd.toml:12: `secrets[1].critical` has been renamed to `secrets[1].urgent_before`
          rekeyd.toml:14: `secrets[1].verify.unwanted_text` has been renamed to `secrets[1].verify.reject_secret_pattern`
        ");
    }

    /// A former environment variable is refused with the name of the current one.
    #[test]
    fn former_variable_is_refused_with_current_name() {
        insta::assert_snapshot!(refusal(with_variable("REKEYD_VERIFY__UNWANTED_TEXT", "x")), @"
        1 problem in the configuration:
          environment variable REKEYD_VERIFY__UNWANTED_TEXT: `verify.unwanted_text` has been renamed to `verify.reject_secret_pattern`: set REKEYD_VERIFY__REJECT_SECRET_PATTERN
        ");
    }

    /// No former name is a configuration key again, and every current name of a renamed key is one.
    #[test]
    fn renamed_keys_exist_only_as_current() {
        for renamed in RENAMED {
            assert!(KEYS.iter().all(|key| key.path != renamed.former), "{renamed}");
            assert!(KEYS.iter().any(|key| key.path == renamed.present), "{renamed}");
        }
    }
}
