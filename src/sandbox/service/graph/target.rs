//! The object that a request to Graph is about, by its path. Objects are named by object id or by `appId`.

use uuid::Uuid;

use crate::sandbox::https::Request;
use crate::sandbox::model::GraphRefusal;
use crate::sandbox::service::azure::Azure;

/// The names that may occur in place of an object's id: functions and actions of a collection, none of them modelled.
const FUNCTIONS: [&str; 5] =
    ["delta", "delta()", "getByIds", "validateProperties", "getAvailableExtensionProperties"];

/// The target of a request, with the rest of the path.
pub(super) enum Target<'a> {
    Applications(Vec<&'a str>),
    Application(Uuid, Vec<&'a str>),
    Principals(Vec<&'a str>),
    Principal(Uuid, Vec<&'a str>),
    Policies(Vec<&'a str>),
    SignInReport,
    /// A missing object with this client id.
    Missing(Uuid, Vec<&'a str>),
    /// An id that can't be valid.
    Malformed(GraphRefusal),
    Unknown,
}

impl<'a> Target<'a> {
    pub(super) fn of(azure: &Azure, request: &'a Request) -> Self {
        match request.path().as_slice() {
            ["beta", "reports", "appCredentialSignInActivities"] => Self::SignInReport,
            ["v1.0", "policies", more @ ..] => Self::Policies(more.to_vec()),
            ["v1.0", "applications"] => Self::Applications(Vec::new()),
            ["v1.0", "applications", "$count"] => Self::Applications(vec!["$count"]),
            ["v1.0", "applications" | "servicePrincipals", function, ..] if FUNCTIONS.contains(function) => {
                Self::Unknown
            }
            ["v1.0", "applications", id, more @ ..] => {
                Self::by_id(id, |id| Self::Application(id, more.to_vec()))
            }
            ["v1.0", "servicePrincipals"] => Self::Principals(Vec::new()),
            ["v1.0", "servicePrincipals", "$count"] => Self::Principals(vec!["$count"]),
            ["v1.0", "servicePrincipals", id, more @ ..] => {
                Self::by_id(id, |id| Self::Principal(id, more.to_vec()))
            }
            ["v1.0", key, more @ ..] => Self::by_app_id(azure, key, more.to_vec()),
            _ => Self::Unknown,
        }
    }

    /// Finds the target of `applications(appId='...')`, or the same for service principals.
    fn by_app_id(azure: &Azure, key: &str, more: Vec<&'a str>) -> Self {
        let Some((collection, client_id)) = app_id(key) else { return Self::Unknown };
        let is_application = collection == "applications";
        let Ok(client_id) = Uuid::try_parse(client_id) else {
            let resource = if is_application { "Application" } else { "ServicePrincipal" };
            let message = format!("Invalid value specified for property 'appId' of resource '{resource}'.");
            return Self::Malformed(GraphRefusal::bad_request(message));
        };
        let found = if is_application {
            azure.model.object_id(client_id).map(|id| Self::Application(id, more.clone()))
        } else {
            azure.model.principal_by_client_id(client_id).map(|id| Self::Principal(id, more.clone()))
        };
        found.unwrap_or(Self::Missing(client_id, more))
    }

    fn by_id(id: &str, target: impl FnOnce(Uuid) -> Self) -> Self {
        object_id(id).map_or_else(Self::Malformed, target)
    }

    /// Returns the part of an application that it is about: the first segment after the application.
    pub(super) fn part(&self) -> Option<&'a str> {
        match self {
            Self::Application(_, more) | Self::Missing(_, more) => more.first().copied(),
            Self::Applications(_)
            | Self::Principals(_)
            | Self::Principal(..)
            | Self::Policies(_)
            | Self::SignInReport
            | Self::Malformed(_)
            | Self::Unknown => None,
        }
    }

    /// Returns the application that a write goes to.
    pub(super) fn written(&self, azure: &Azure) -> Option<Uuid> {
        match self {
            Self::Application(id, _) => Some(*id),
            Self::Principal(id, _) => azure.model.application_of_principal(*id),
            Self::Applications(_)
            | Self::Principals(_)
            | Self::Policies(_)
            | Self::SignInReport
            | Self::Missing(..)
            | Self::Malformed(_)
            | Self::Unknown => None,
        }
    }
}

/// Parses an id in a path.
///
/// # Errors
/// Graph's error for an id that can't be valid.
pub(super) fn object_id(id: &str) -> Result<Uuid, GraphRefusal> {
    Uuid::try_parse(id).map_err(|_| GraphRefusal::bad_request(format!("Invalid object identifier '{id}'.")))
}

/// Splits a key into the collection and the text of the client id.
fn app_id(key: &str) -> Option<(&str, &str)> {
    let (collection, id) = key.strip_suffix("')")?.split_once("(appId='")?;
    ["applications", "servicePrincipals"].contains(&collection).then_some((collection, id))
}
