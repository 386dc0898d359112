//! What a request to Graph is about, by its path. Objects are named by object id or by `appId`.

use uuid::Uuid;

use crate::sandbox::azure::Azure;
use crate::sandbox::https::Request;

/// With what is left of the path. An object id that can't be one is the nil id, which nobody has.
pub(super) enum Target<'a> {
    Applications(Vec<&'a str>),
    Application(Uuid, Vec<&'a str>),
    Principals(Vec<&'a str>),
    Principal(Uuid, Vec<&'a str>),
    Policies(Vec<&'a str>),
    SignInReport,
    Unknown,
}

impl<'a> Target<'a> {
    pub(super) fn of(azure: &Azure, request: &'a Request) -> Self {
        match request.path().as_slice() {
            ["beta", "reports", "appCredentialSignInActivities"] => Self::SignInReport,
            ["v1.0", "policies", more @ ..] => Self::Policies(more.to_vec()),
            ["v1.0", "applications"] => Self::Applications(Vec::new()),
            ["v1.0", "applications", "$count"] => Self::Applications(vec!["$count"]),
            ["v1.0", "applications", id, more @ ..] => Self::Application(parsed(id), more.to_vec()),
            ["v1.0", "servicePrincipals"] => Self::Principals(Vec::new()),
            ["v1.0", "servicePrincipals", "$count"] => Self::Principals(vec!["$count"]),
            ["v1.0", "servicePrincipals", id, more @ ..] => Self::Principal(parsed(id), more.to_vec()),
            ["v1.0", key, more @ ..] => Self::by_app_id(azure, key, more.to_vec()),
            _ => Self::Unknown,
        }
    }

    /// `applications(appId='...')`, and the same of service principals.
    fn by_app_id(azure: &Azure, key: &str, more: Vec<&'a str>) -> Self {
        if let Some(client_id) = app_id(key, "applications") {
            return Self::Application(azure.model.object_id(client_id).unwrap_or_default(), more);
        }
        match app_id(key, "servicePrincipals") {
            Some(client_id) => {
                let id = azure.model.principal_by_client_id(client_id).unwrap_or_default();
                Self::Principal(id, more)
            }
            None => Self::Unknown,
        }
    }

    /// The application that a write goes to.
    pub(super) fn written(&self, azure: &Azure) -> Option<Uuid> {
        match self {
            Self::Application(id, _) => Some(*id),
            Self::Principal(id, _) => azure.model.application_of_principal(*id),
            Self::Applications(_)
            | Self::Principals(_)
            | Self::Policies(_)
            | Self::SignInReport
            | Self::Unknown => None,
        }
    }
}

fn parsed(id: &str) -> Uuid {
    Uuid::try_parse(id).unwrap_or_default()
}

fn app_id(key: &str, collection: &str) -> Option<Uuid> {
    let id = key.strip_prefix(collection)?.strip_prefix("(appId='")?.strip_suffix("')")?;
    Some(parsed(id))
}
