//! The bounded sets of reasons for each answer, with their labels and texts. Nothing here decides.

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every reason, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name in logs, metrics and the API.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// Returns the meaning and, if a person has to act, what to do.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Returns the reason of this label; none if a newer daemon has labels that are not known here.
            #[must_use]
            pub fn from_label(label: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.label() == label)
            }
        }
    };
}

reasons! {
    /// The reasons to make a credential.
    IssueReason {
        /// A configured secret has no version yet.
        FirstCredential = "first_credential", "the secret has no version yet";
        /// The current credential is near its end.
        NearExpiry = "near_expiry", "the current credential expires soon";
        /// An operator commanded it.
        Command = "command", "requested by a command";
        /// The current credential is gone from Entra and refused.
        CurrentLost = "current_lost", "the current credential no longer exists in Entra and is refused";
        /// The current credential is past its end.
        CurrentExpired = "current_expired", "the current credential has expired";
        /// The current credential is compromised.
        Compromised = "compromised", "the current credential is compromised";
        /// No credential is known to be the current one, and the policy asks to make one.
        Unadopted = "unadopted", "no credential matches the current version";
    }
}

reasons! {
    /// The reasons to publish an older version's text again.
    RepublishReason {
        /// The current credential is gone.
        CurrentLost = "current_lost", "the current credential is lost";
        /// An operator commanded it.
        Rollback = "rollback", "requested by a rollback";
    }
}

reasons! {
    /// The reasons to remove a credential from Entra.
    RevokeReason {
        /// Another one is published in its place, and the overlap is over.
        Superseded = "superseded", "its successor is published and the overlap has ended";
        /// It was made and never published.
        Orphaned = "orphaned", "it was issued but never published";
        /// It is past its end.
        Expired = "expired", "it has expired";
        /// It is past its end, rekeyd did not make it, and the policy asks to remove it.
        ForeignExpired = "foreign_expired", "it was not issued by rekeyd and has expired";
        /// Another one is published in its place, and the longest overlap is over although it is in use.
        MaxOverlap = "max_overlap", "its successor is published and max_overlap has passed, although it is still in use";
        /// An operator commanded its end.
        Retired = "retired", "its successor is published and a retire command was given";
        /// It is compromised.
        Compromised = "compromised", "it is compromised and its successor is published";
        /// There has to be room for a successor.
        Room = "room", "a successor needs its place";
    }
}

reasons! {
    /// The reasons to do nothing now.
    WaitReason {
        /// The current credential is good, and its successor not due.
        NotDue = "not_due", "the current credential is valid and its rotation is not due";
        /// A superseded credential is still in its overlap.
        Overlap = "overlap", "consumers are switching to the new credential";
        /// A rotation began a short while ago and may be under way.
        InFlight = "in_flight", "a rotation is in progress or was interrupted recently";
        /// An attempt failed; the next one waits.
        BackOff = "back_off", "the last attempt failed: waiting before the next one";
        /// Too many credentials were made and never published.
        TooManyOrphans = "too_many_orphans", "earlier attempts left unpublished credentials: waiting until they are revoked";
        /// The current credential looks lost; that has to be seen for a while.
        ConfirmingLoss = "confirming_loss", "the current credential appears to be lost: waiting to confirm it";
        /// The current credential was published a short while ago, and Entra's list does not show it yet.
        Propagating = "propagating", "Entra does not list the published credential yet";
        /// `RotationDisabled` is set.
        RotationDisabled = "rotation_disabled", "tag RotationDisabled is set: run `rekeyd resume VAULT/NAME` to continue";
        /// An operator rolled back to an older version.
        RolledBack = "rolled_back", "rolled back by an operator: waiting until urgent_before or for `rekeyd rotate VAULT/NAME`";
        /// A superseded credential still signs in.
        InUse = "in_use", "a superseded credential is still in use: it is retired once unused, or at max_overlap";
        /// A replica is behind, or not known.
        ReplicaBehind = "replica_behind", "a replica is out of sync or can't be read: nothing is retired until it is in sync";
        /// A freeze is in effect.
        Frozen = "frozen", "a freeze is active: due rotations wait until it ends";
        /// No maintenance window is open.
        OutsideWindow = "outside_window", "rotation is due: waiting for the next maintenance window";
        /// The canaries go first.
        Canary = "canary", "rotation is due: waiting until the canaries have passed their first hour";
        /// The rollout limit is reached for now.
        RolloutLimit = "rollout_limit", "rotation is due: waiting because the rollout limit is reached";
        /// A compromised credential was revoked, and its text is not refused everywhere yet.
        ProvingRevocation = "proving_revocation", "a revoked credential may still be accepted: checking again";
    }
}

reasons! {
    /// The obstacles.
    BlockReason {
        /// A person disabled the current version.
        CurrentDisabled = "current_disabled", "the current version is disabled: enable it (az keyvault secret set-attributes --vault-name VAULT --name NAME --enabled true), or write a new version";
        /// A person deleted the secret.
        SecretDeleted = "secret_deleted", "the secret is deleted and can be recovered: recover it (az keyvault secret recover --vault-name VAULT --name NAME), or purge it";
        /// The current version names no credential of the application.
        UnknownCredential = "unknown_credential", "the current version's credential is not known: set its CredentialId tag, or run `rekeyd rotate VAULT/NAME`";
        /// The current credential is in Entra and its text is refused.
        CurrentRefused = "current_refused", "Entra refuses the current text although its credential exists: correct the version's value, or run `rekeyd rotate VAULT/NAME`";
        /// The application is disabled.
        ApplicationDisabled = "application_disabled", "the application is disabled in Entra: enable it (az ad sp update --id CLIENT_ID --set accountEnabled=true)";
        /// The application does not exist.
        ApplicationMissing = "application_missing", "the application does not exist in the tenant: correct its id in the configuration or in the tag ProviderAddress";
        /// Entra can't be asked whether the current text signs in.
        SignInUnclear = "sign_in_unclear", "Entra can't confirm whether the current credential signs in";
        /// The new credential was never accepted.
        NeverVerified = "never_verified", "Entra did not accept the new credential in time: nothing was published";
        /// A permission is missing.
        Forbidden = "forbidden", "an Azure service denied access: run `rekeyd doctor`, which names the missing permission and the command that grants it";
        /// Key Vault would refuse the tags.
        TagLimit = "tag_limit", "the version's tags leave no room for those of rekeyd: remove or shorten some";
        /// Tenant policy forbids this lifetime.
        LifetimePolicy = "lifetime_policy", "the tenant's application management policy forbids this lifetime: shorten validity, or grant rekeyd Policy.Read.All to follow the policy";
        /// Tenant policy forbids passwords.
        PasswordsForbidden = "passwords_forbidden", "the tenant's application management policy forbids client secrets: request an exception, or use federation or a certificate";
        /// The application does not consent to this secret holding its credential.
        NoConsent = "no_consent", "the application does not consent: add the tag rekeyd:secret=VAULT/NAME to it in Entra, or list the secret in the configuration";
        /// The configuration's lists forbid the application.
        NotAllowed = "not_allowed", "the configuration forbids this application: change applications.allow or applications.deny";
        /// The application is the one that the daemon signs in with.
        OwnApplication = "own_application", "this is the application that rekeyd itself signs in with, which it never rotates: use a managed identity for rekeyd";
        /// A public client has no use for a secret.
        PublicClient = "public_client", "the application is a public client, which can't use a secret: stop managing the secret, or make the application a confidential client";
        /// The application can't sign in without a service principal.
        NoServicePrincipal = "no_service_principal", "the application has no service principal in the tenant: create one (az ad sp create --id CLIENT_ID)";
        /// The resource refuses the application, whatever its credential.
        RoleMissing = "role_missing", "the protected resource denies access: the application lacks a role";
        /// The resource or the token is not as the proof requires.
        NotProven = "not_proven", "the credential signs in but failed the verification that verify requires: nothing was published";
        /// The `ProviderAddress` tag no longer names the application that it named when its vault was last searched.
        NoProvider = "no_provider", "the tag ProviderAddress was removed or changed since the vault was last searched: waiting for the next sweep";
        /// A compromised version names a credential that is not provably ours.
        CompromisedCredentialRemains = "compromised_credential_remains", "a compromised version names a credential that rekeyd can't prove to be its own: revoke it by hand, or run `rekeyd compromised VAULT/NAME --all-credentials`";
        /// The clock and Azure's differ.
        ClockSkew = "clock_skew", "this machine's clock differs from Azure's by more than 5 minutes: set the clock (timedatectl set-ntp true)";
        /// The application holds as many credentials as it can.
        PasswordLimitReached = "password_limit_reached", "the application has no room for another credential: remove expired or unused ones (az ad app credential delete --id CLIENT_ID --key-id KEY_ID)";
        /// A version was written by others while an action was under way.
        Conflict = "conflict", "another writer changed the secret in the meantime: trying again";
        /// A rotation took longer than its deadline.
        DeadlineExceeded = "deadline_exceeded", "the rotation exceeded its deadline: nothing was published";
        /// A pass over the secret panicked.
        InternalError = "internal_error", "an internal error of rekeyd stopped this pass: report it with the log";
        /// A service could not be reached, or answered with an error.
        ServiceUnavailable = "service_unavailable", "an Azure service is unavailable or returned an error";
        /// A service asks for fewer requests.
        Throttled = "throttled", "throttled by an Azure service (429): trying again later";
    }
}

impl WaitReason {
    /// Returns true if something is due and held back, by the configuration or after a failure.
    #[must_use]
    pub const fn is_deferral(self) -> bool {
        match self {
            Self::BackOff
            | Self::TooManyOrphans
            | Self::ConfirmingLoss
            | Self::Frozen
            | Self::OutsideWindow
            | Self::Canary
            | Self::RolloutLimit => true,
            Self::NotDue
            | Self::Overlap
            | Self::InFlight
            | Self::Propagating
            | Self::RotationDisabled
            | Self::RolledBack
            | Self::InUse
            | Self::ReplicaBehind
            | Self::ProvingRevocation => false,
        }
    }
}

impl WaitReason {
    /// Returns true if the wait is a matter of minutes: a command, or a sweep, is followed through it.
    #[must_use]
    pub const fn is_short(self) -> bool {
        match self {
            Self::InFlight | Self::ConfirmingLoss | Self::Propagating | Self::ProvingRevocation => true,
            Self::NotDue
            | Self::Overlap
            | Self::BackOff
            | Self::TooManyOrphans
            | Self::RotationDisabled
            | Self::RolledBack
            | Self::InUse
            | Self::ReplicaBehind
            | Self::Frozen
            | Self::OutsideWindow
            | Self::Canary
            | Self::RolloutLimit => false,
        }
    }

    /// Returns true if a later process would have to start over: a sweep stays until the wait is over.
    #[must_use]
    pub const fn keeps_sweep_running(self) -> bool {
        match self {
            Self::ConfirmingLoss | Self::ProvingRevocation => true,
            Self::NotDue
            | Self::Overlap
            | Self::InFlight
            | Self::BackOff
            | Self::TooManyOrphans
            | Self::Propagating
            | Self::RotationDisabled
            | Self::RolledBack
            | Self::InUse
            | Self::ReplicaBehind
            | Self::Frozen
            | Self::OutsideWindow
            | Self::Canary
            | Self::RolloutLimit => false,
        }
    }

    /// Returns true if a rotation is due and the rollout configuration holds it back.
    #[must_use]
    pub const fn is_of_rollout(self) -> bool {
        match self {
            Self::Frozen | Self::OutsideWindow | Self::Canary | Self::RolloutLimit => true,
            Self::NotDue
            | Self::Overlap
            | Self::InFlight
            | Self::BackOff
            | Self::TooManyOrphans
            | Self::ConfirmingLoss
            | Self::Propagating
            | Self::RotationDisabled
            | Self::RolledBack
            | Self::InUse
            | Self::ReplicaBehind
            | Self::ProvingRevocation => false,
        }
    }
}

impl BlockReason {
    /// Returns true if the block passes within minutes: a command, or a sweep, is followed through it.
    #[must_use]
    pub const fn is_short(self) -> bool {
        match self {
            Self::SignInUnclear | Self::ServiceUnavailable | Self::Throttled | Self::Conflict => true,
            Self::CurrentDisabled
            | Self::SecretDeleted
            | Self::UnknownCredential
            | Self::CurrentRefused
            | Self::ApplicationDisabled
            | Self::ApplicationMissing
            | Self::NeverVerified
            | Self::Forbidden
            | Self::TagLimit
            | Self::LifetimePolicy
            | Self::PasswordsForbidden
            | Self::NoConsent
            | Self::NotAllowed
            | Self::OwnApplication
            | Self::PublicClient
            | Self::NoServicePrincipal
            | Self::RoleMissing
            | Self::NotProven
            | Self::NoProvider
            | Self::CompromisedCredentialRemains
            | Self::ClockSkew
            | Self::PasswordLimitReached
            | Self::DeadlineExceeded
            | Self::InternalError => false,
        }
    }

    /// Returns true if a sweep stays until the block is over: only a conflict, which the next pass resolves.
    #[must_use]
    pub const fn keeps_sweep_running(self) -> bool {
        matches!(self, Self::Conflict)
    }

    /// Returns true if it protects an application's secret from anyone who points a vault secret at the application.
    #[must_use]
    pub const fn is_of_guard(self) -> bool {
        matches!(self, Self::NoConsent | Self::NotAllowed | Self::OwnApplication | Self::PublicClient)
    }

    /// Returns true if only a person can end it. The others pass, and are retried automatically.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        match self {
            Self::CurrentDisabled
            | Self::SecretDeleted
            | Self::UnknownCredential
            | Self::CurrentRefused
            | Self::ApplicationDisabled
            | Self::ApplicationMissing
            | Self::Forbidden
            | Self::TagLimit
            | Self::LifetimePolicy
            | Self::PasswordsForbidden
            | Self::NoConsent
            | Self::NotAllowed
            | Self::OwnApplication
            | Self::PublicClient
            | Self::NoServicePrincipal
            | Self::RoleMissing
            | Self::CompromisedCredentialRemains
            | Self::PasswordLimitReached
            | Self::ClockSkew => true,
            Self::SignInUnclear
            | Self::NoProvider
            | Self::NeverVerified
            | Self::NotProven
            | Self::Conflict
            | Self::DeadlineExceeded
            | Self::InternalError
            | Self::ServiceUnavailable
            | Self::Throttled => false,
        }
    }
}
