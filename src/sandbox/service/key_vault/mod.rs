//! Key Vault's data plane for secrets: checks permissions and quotas, then asks the model. It knows nothing of keys and
//! certificates.

mod access;
mod operation;
mod page;
mod wire;

use axum::http::{HeaderName, StatusCode, header};

pub(in crate::sandbox) use self::operation::Right;

use self::access::{LOCATION, Visit};
use self::operation::Operation;
use self::page::{Item, page};
use self::wire::{
    Restore, SetSecret, Shape, UpdateSecret, bad_parameter, deleted, error, metadata, refusal, with_value,
};
use crate::ports::Clock;
use crate::sandbox::consumers;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{DeletedSecret, Throttled, VaultRefusal, Version, check_secret_name};
use crate::sandbox::service::azure::Azure;

/// The API versions from before soft delete to the newest, without previews.
const API_VERSIONS: [&str; 11] =
    ["2015-06-01", "2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];

/// Returns a vault's response.
pub(crate) fn handle_request(azure: &Azure, vault: &str, request: &Request) -> Response {
    of_the_service(admitted(azure, vault, request).unwrap_or_else(|refused| refused))
}

/// Returns an injected 429 or 503 as Key Vault words it.
pub(crate) fn failure_response(status: StatusCode) -> Response {
    let response = if status == StatusCode::TOO_MANY_REQUESTS {
        too_many(&Throttled { reason: "VaultRequestTypeLimitReached", retry_after: None })
    } else {
        error(status, "ServiceUnavailable", "The service is unavailable.", None)
    };
    of_the_service(response)
}

/// Adds the headers that each response of Key Vault has.
fn of_the_service(response: Response) -> Response {
    let network = "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;";
    response
        .with(header::CACHE_CONTROL, "no-cache".to_owned())
        .with(HeaderName::from_static("x-ms-keyvault-region"), LOCATION.to_owned())
        .with(HeaderName::from_static("x-ms-keyvault-service-version"), "1.9.0.0".to_owned())
        .with(HeaderName::from_static("x-ms-keyvault-network-info"), network.to_owned())
}

/// Checks and handles a request in the service's own order: the token, the network, the roles, the quota, and only then
/// the request itself.
fn admitted(azure: &Azure, vault: &str, request: &Request) -> Result<Response, Response> {
    let caller = access::caller(azure, request)?;
    let Some(operation) = Operation::of(request) else { return Ok(Response::not_modelled(request)) };
    let options = azure.model.vault_options(vault).unwrap_or_default();
    Visit { azure, vault, options, caller: &caller }.check(operation)?;
    check_quota(azure, vault, request, operation)?;
    check_api_version(request)?;
    let shape = Shape { vault: azure.addresses.vault(vault), retention_days: options.retention_days };
    let call = Call { azure, vault, request, shape };
    Ok(call.handle(operation).unwrap_or_else(|problem| refusal(&problem)))
}

fn check_quota(
    azure: &Azure,
    vault: &str,
    request: &Request,
    operation: Operation<'_>,
) -> Result<(), Response> {
    // The simulated consumers must notice failures, not cause them.
    if request.user_agent().starts_with(consumers::USER_AGENT) {
        return Ok(());
    }
    let spent = azure.model.spend_vault_request(vault, operation.request_type(), azure.clock.now());
    spent.map_err(|throttled| too_many(&throttled))
}

fn too_many(throttled: &Throttled) -> Response {
    let message = format!(
        "Request was not processed because too many requests were received. Reason: {}",
        throttled.reason
    );
    let response = error(StatusCode::TOO_MANY_REQUESTS, "Throttled", &message, None);
    match throttled.retry_after {
        Some(seconds) => response.with(header::RETRY_AFTER, seconds.to_string()),
        None => response,
    }
}

fn check_api_version(request: &Request) -> Result<(), Response> {
    let Some(version) = request.query("api-version") else {
        return Err(bad_parameter("The api-version query parameter is required."));
    };
    if API_VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(bad_parameter(&format!("The specified version ({version}) is not recognized.")))
}

/// An admitted request.
struct Call<'a> {
    azure: &'a Azure,
    vault: &'a str,
    request: &'a Request,
    shape: Shape<'a>,
}

impl Call<'_> {
    fn handle(&self, operation: Operation<'_>) -> Result<Response, VaultRefusal> {
        operation.secret().map_or(Ok(()), check_secret_name)?;
        let (model, vault, now) = (&self.azure.model, self.vault, self.azure.clock.now());
        match operation {
            Operation::ListSecrets => Ok(self.secrets(model.list_secrets(vault, now)?)),
            Operation::ListVersions { name } => {
                Ok(self.versions(name, model.list_versions(vault, name, now)?))
            }
            Operation::Get { name, version } => {
                let found = model.get_secret(vault, name, version, now)?;
                Ok(Response::ok(with_value(self.shape.version(name, &found), &found)))
            }
            Operation::Set { name } => self.set(name),
            Operation::Update { name, version } => self.update(name, version.unwrap_or_default()),
            Operation::Delete { name } => {
                Ok(self.deleted_bundle(name, &model.delete_secret(vault, name, now)?))
            }
            Operation::Backup { name } => Ok(Response::ok(wire::backup(&model.back_up(vault, name, now)?))),
            Operation::Restore => self.restore(),
            Operation::ListDeleted => Ok(self.deleted_items(&model.list_deleted(vault, now)?)),
            Operation::GetDeleted { name } => {
                Ok(self.deleted_bundle(name, &model.deleted_secret(vault, name, now)?))
            }
            Operation::Recover { name } => {
                let version = model.recover_secret(vault, name, now)?;
                Ok(Response::ok(metadata(self.shape.version(name, &version))))
            }
            Operation::Purge { name } => {
                model.purge_secret(vault, name, now)?;
                Ok(Response::no_content())
            }
        }
    }

    fn set(&self, name: &str) -> Result<Response, VaultRefusal> {
        let Some(body) = self.request.json::<SetSecret>() else { return Ok(unreadable()) };
        let version = self.azure.model.put_secret(self.vault, name, body.into(), self.azure.clock.now())?;
        Ok(Response::ok(with_value(self.shape.version(name, &version), &version)))
    }

    fn update(&self, name: &str, version: &str) -> Result<Response, VaultRefusal> {
        let Some(body) = self.request.json::<UpdateSecret>() else { return Ok(unreadable()) };
        let now = self.azure.clock.now();
        let version = self.azure.model.patch(self.vault, name, version, body.into(), now)?;
        Ok(Response::ok(metadata(self.shape.version(name, &version))))
    }

    fn restore(&self) -> Result<Response, VaultRefusal> {
        let Some(body) = self.request.json::<Restore>() else { return Ok(unreadable()) };
        let (name, version) = self.azure.model.restore(self.vault, &body.value, self.azure.clock.now())?;
        Ok(Response::ok(metadata(self.shape.version(&name, &version))))
    }

    fn secrets(&self, secrets: Vec<(String, Version)>) -> Response {
        let item = |(name, version): (String, Version)| {
            (name.to_ascii_lowercase(), metadata(self.shape.secret(&name, &version)))
        };
        self.page(secrets.into_iter().map(item).collect())
    }

    fn versions(&self, name: &str, versions: Vec<Version>) -> Response {
        let item = |version: Version| (version.version.clone(), metadata(self.shape.version(name, &version)));
        self.page(versions.into_iter().map(item).collect())
    }

    fn deleted_items(&self, secrets: &[DeletedSecret]) -> Response {
        let item = |found: &DeletedSecret| {
            let members = self.shape.secret(&found.name, &found.version);
            (found.name.to_ascii_lowercase(), deleted(members, &self.shape, &found.name, found))
        };
        self.page(secrets.iter().map(item).collect())
    }

    fn deleted_bundle(&self, name: &str, found: &DeletedSecret) -> Response {
        Response::ok(deleted(self.shape.version(name, &found.version), &self.shape, name, found))
    }

    fn page(&self, items: Vec<Item>) -> Response {
        page(self.request, self.shape.vault, items)
    }
}

fn unreadable() -> Response {
    bad_parameter("The request body is not valid JSON, or a property has the wrong type.")
}

#[cfg(test)]
mod tests;
