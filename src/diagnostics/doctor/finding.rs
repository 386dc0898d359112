//! A finding: the result of one check of one subject, with its remedy.

use serde::Serialize;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: CheckName,
    /// Of what: a vault, a secret, an application, or rekeyd itself.
    pub subject: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do about it; `None` where all is well.
    pub remedy: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Rotations work, and somebody should know.
    Warning,
    /// A rotation would fail.
    Error,
}

impl Verdict {
    /// Its name in tables and JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $label:literal;)+) => {
        /// The name of a check.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum CheckName {
            $($(#[$doc])* #[serde(rename = $label)] $variant,)+
        }

        impl CheckName {
            /// Its name in tables and JSON.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

checks! {
    /// Whether rekeyd gets a token for Graph.
    GraphToken = "graph_token";
    /// Whether that token may write applications.
    GraphPermission = "graph_permission";
    /// Whether rekeyd gets a token for Key Vault.
    KeyVaultToken = "key_vault_token";
    /// Whether a vault answers at all.
    VaultReachable = "vault_reachable";
    /// Whether a vault's network lets this machine in.
    VaultNetwork = "vault_network";
    /// Whether secrets may be listed.
    ListPermission = "list_permission";
    /// Whether a secret may be read.
    GetPermission = "get_permission";
    /// Whether a secret may be written.
    SetPermission = "set_permission";
    /// Whether a secret is there and enabled.
    SecretState = "secret_state";
    /// Whether a secret's tags can be used.
    Tags = "tags";
    /// Whether an application is there and may be read.
    Application = "application";
    /// Whether rekeyd owns an application.
    Ownership = "ownership";
    /// Whether an application's credentials may be changed.
    WritePermission = "application_write_permission";
    /// Whether an application can sign in at all.
    ServicePrincipal = "service_principal";
    /// Whether an application has a use for a secret.
    PublicClient = "public_client";
    /// Whether an application is rekeyd's own.
    OwnApplication = "own_application";
    /// Whether the configuration's lists let an application through.
    ApplicationRules = "application_rules";
    /// Whether an application consents to be rotated into a secret.
    Consent = "consent";
    /// What the tenant's policy allows.
    TenantPolicy = "tenant_policy";
    /// Whether there is room for one more credential.
    PasswordRoom = "password_room";
    /// Whether there is a report on sign-ins, where a policy relies on it.
    SignInReport = "sign_in_report";
    /// Whether an application could do without a secret.
    Secretless = "secretless";
    /// Whether events reach the daemon.
    EventGrid = "event_grid";
    /// Whether this machine's clock is right.
    Clock = "clock";
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: CheckName, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), verdict: Verdict::Ok, detail: detail.into(), remedy: None }
    }

    /// Somebody should know.
    pub(super) fn warning(
        check: CheckName,
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let ok = Self::ok(check, subject, detail);
        Self { verdict: Verdict::Warning, remedy: Some(remedy.into()), ..ok }
    }

    /// A rotation would fail.
    pub(super) fn error(
        check: CheckName,
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Error, ..Self::warning(check, subject, detail, remedy) }
    }
}
