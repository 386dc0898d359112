//! A finding: the result of one check of one subject, with its remedy.

use serde::Serialize;

/// The result of one check of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub check: CheckName,
    /// Its subject: a vault, a secret, an application, or rekeyd itself.
    pub subject: String,
    /// The severity.
    pub verdict: Verdict,
    /// The observation.
    pub detail: String,
    /// The fix; `None` if all is well.
    pub remedy: Option<String>,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Rotations work, but an operator should know.
    Warning,
    /// A rotation would fail.
    Error,
}

impl Verdict {
    /// Returns the name in tables and JSON.
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
        /// The name of a check. Each variant's text is what holds if all is well.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum CheckName {
            $($(#[$doc])* #[serde(rename = $label)] $variant,)+
        }

        impl CheckName {
            /// Returns the name in tables and JSON.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

checks! {
    /// rekeyd gets a token for Graph.
    GraphToken = "graph_token";
    /// That token may write applications.
    GraphPermission = "graph_permission";
    /// rekeyd gets a token for Key Vault.
    KeyVaultToken = "key_vault_token";
    /// A vault answers at all.
    VaultReachable = "vault_reachable";
    /// A vault's network lets this machine in.
    VaultNetwork = "vault_network";
    /// Secrets may be listed.
    ListPermission = "list_permission";
    /// A secret may be read.
    GetPermission = "get_permission";
    /// A secret may be written.
    SetPermission = "set_permission";
    /// A secret is there and enabled.
    SecretState = "secret_state";
    /// A secret's tags can be used.
    Tags = "tags";
    /// An application is there and may be read.
    Application = "application";
    /// rekeyd owns an application.
    Ownership = "ownership";
    /// An application's credentials may be changed.
    WritePermission = "application_write_permission";
    /// An application can sign in at all.
    ServicePrincipal = "service_principal";
    /// An application has a use for a secret.
    PublicClient = "public_client";
    /// An application is not rekeyd's own.
    OwnApplication = "own_application";
    /// The configuration's lists let an application through.
    ApplicationRules = "application_rules";
    /// An application consents to be rotated into a secret.
    Consent = "consent";
    /// The tenant's policy allows credentials of the wanted lifetime.
    TenantPolicy = "tenant_policy";
    /// There is room for one more credential.
    PasswordRoom = "password_room";
    /// There is a report on sign-ins, where a policy relies on it.
    SignInReport = "sign_in_report";
    /// An application trusts no identity provider that could replace its secret.
    Secretless = "secretless";
    /// Events reach the daemon.
    EventGrid = "event_grid";
    /// This machine's clock is right.
    Clock = "clock";
}

impl Finding {
    /// Returns a finding that all is well.
    pub(super) fn ok(check: CheckName, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { check, subject: subject.into(), verdict: Verdict::Ok, detail: detail.into(), remedy: None }
    }

    /// Returns a finding that an operator should know.
    pub(super) fn warning(
        check: CheckName,
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let ok = Self::ok(check, subject, detail);
        Self { verdict: Verdict::Warning, remedy: Some(remedy.into()), ..ok }
    }

    /// Returns a finding that would make a rotation fail.
    pub(super) fn error(
        check: CheckName,
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Error, ..Self::warning(check, subject, detail, remedy) }
    }
}
