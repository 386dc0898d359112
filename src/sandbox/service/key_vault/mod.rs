//! Key Vault's data plane for secrets: the 401 challenge first, then set, get, update and the two lists.

mod wire;

use axum::http::{HeaderName, Method, StatusCode, header};
use serde_json::{Value, json};

use self::wire::{SetSecret, UpdateSecret, bad_parameter, bundle, error, item, refusal};
use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::https::{Answer, Request};
use crate::sandbox::model::{VaultRefusal, Version};
use crate::sandbox::tokens::{Caller, TokenProblem};

const AUDIENCES: [&str; 2] = ["https://vault.azure.net", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"];

const API_VERSIONS: [&str; 7] = ["7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];

const LARGEST_PAGE: usize = 25;

pub(crate) fn answer(azure: &Azure, vault: &str, request: &Request) -> Answer {
    let answer = match authorised(azure, vault, request) {
        Ok(_) => known_version(azure, vault, request),
        Err(answer) => answer,
    };
    answer
        .with(HeaderName::from_static("x-ms-keyvault-region"), "sandbox".to_owned())
        .with(HeaderName::from_static("x-ms-keyvault-service-version"), "1.9.0.0".to_owned())
}

fn known_version(azure: &Azure, vault: &str, request: &Request) -> Answer {
    let Some(version) = request.query("api-version") else {
        return bad_parameter("The api-version query parameter is required.");
    };
    if !API_VERSIONS.contains(&version) {
        return bad_parameter(&format!("The specified version ({version}) is not recognized."));
    }
    Call { azure, vault, request }.answer().unwrap_or_else(|problem| refusal(&problem))
}

fn authorised(azure: &Azure, vault: &str, request: &Request) -> Result<Caller, Answer> {
    let caller = azure.caller(request, &AUDIENCES).map_err(|problem| challenge(azure, &problem))?;
    if caller.is_service { Ok(caller) } else { Err(forbidden(azure, vault, request, &caller)) }
}

fn challenge(azure: &Azure, problem: &TokenProblem) -> Answer {
    let message = match problem {
        TokenProblem::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        TokenProblem::Invalid => {
            "AKV10046: Unable to resolve the key used for signature validation.".to_owned()
        }
        TokenProblem::Expired => "AKV10018: The token is expired or not yet valid.".to_owned(),
        TokenProblem::WrongAudience(found) => format!(
            "AKV10022: Invalid audience. Expected https://vault.azure.net or cfa8b339-82a2-471a-a3c9-0fc0be7a4093, found: {found}."
        ),
    };
    let (authority, tenant) = (&azure.addresses.challenge_authority, azure.model.tenant().id);
    let challenge =
        format!("Bearer authorization=\"{authority}/{tenant}\", resource=\"https://vault.azure.net\"");
    error(StatusCode::UNAUTHORIZED, "Unauthorized", &message, None).with(header::WWW_AUTHENTICATE, challenge)
}

fn forbidden(azure: &Azure, vault: &str, request: &Request, caller: &Caller) -> Answer {
    let action = if request.method == Method::GET { "getSecret" } else { "setSecret" };
    let secret = request.segments.get(1).map_or("", String::as_str);
    let message = format!(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid={};oid={};iss=https://sts.windows.net/{}/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/{action}/action'\r\nResource: '/subscriptions/sandbox/resourcegroups/sandbox/providers/microsoft.keyvault/vaults/{vault}/secrets/{secret}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault};location=sandbox\r\n",
        caller.client_id,
        caller.object_id,
        azure.model.tenant().id,
    );
    error(StatusCode::FORBIDDEN, "Forbidden", &message, Some("ForbiddenByRbac"))
}

/// An authorised request to a vault.
struct Call<'a> {
    azure: &'a Azure,
    vault: &'a str,
    request: &'a Request,
}

impl Call<'_> {
    fn answer(&self) -> Result<Answer, VaultRefusal> {
        match (&self.request.method, self.request.path().as_slice()) {
            (&Method::GET, ["secrets"]) => self.list_secrets(),
            (&Method::GET, ["secrets", name]) => self.get(name, None),
            (&Method::GET, ["secrets", name, "versions"]) => self.list_versions(name),
            (&Method::GET, ["secrets", name, version]) => self.get(name, Some(version)),
            (&Method::PUT, ["secrets", name]) => self.set(name),
            (&Method::PATCH, ["secrets", name, version]) => self.update(name, version),
            _ => Ok(Answer::not_modelled(self.request)),
        }
    }

    fn get(&self, name: &str, version: Option<&str>) -> Result<Answer, VaultRefusal> {
        let version = self.azure.model.get_secret(self.vault, name, version, self.azure.clock.now())?;
        Ok(Answer::ok(bundle(&self.id(name, Some(&version)), &version)))
    }

    fn set(&self, name: &str) -> Result<Answer, VaultRefusal> {
        let Some(body) = self.request.json::<SetSecret>() else { return Ok(unreadable()) };
        let version = self.azure.model.put_secret(self.vault, name, body.into(), self.azure.clock.now())?;
        Ok(Answer::ok(bundle(&self.id(name, Some(&version)), &version)))
    }

    fn update(&self, name: &str, version: &str) -> Result<Answer, VaultRefusal> {
        let Some(body) = self.request.json::<UpdateSecret>() else { return Ok(unreadable()) };
        let now = self.azure.clock.now();
        let version = self.azure.model.patch(self.vault, name, version, body.into(), now)?;
        Ok(Answer::ok(item(&self.id(name, Some(&version)), &version)))
    }

    fn list_secrets(&self) -> Result<Answer, VaultRefusal> {
        let secrets = self.azure.model.list_secrets(self.vault, self.azure.clock.now())?;
        let items = secrets.iter().map(|(name, version)| item(&self.id(name, None), version)).collect();
        Ok(self.page(items))
    }

    fn list_versions(&self, name: &str) -> Result<Answer, VaultRefusal> {
        let versions = self.azure.model.list_versions(self.vault, name, self.azure.clock.now())?;
        let items = versions.iter().map(|version| item(&self.id(name, Some(version)), version)).collect();
        Ok(self.page(items))
    }

    fn page(&self, items: Vec<Value>) -> Answer {
        let size = self.request.query("maxresults").map_or(Some(LARGEST_PAGE), |size| size.parse().ok());
        let Some(size) = size.filter(|size| (1..=LARGEST_PAGE).contains(size)) else {
            return bad_parameter("maxresults must be between 1 and 25.");
        };
        let from = self.request.query("$skiptoken").map_or(Some(0), |token| token.parse::<usize>().ok());
        let Some(from) = from else { return bad_parameter("The skip token is invalid.") };
        let next = (items.len() > from.saturating_add(size)).then(|| self.next_link(from + size));
        let here: Vec<_> = items.into_iter().skip(from).take(size).collect();
        Answer::ok(json!({"value": here, "nextLink": next}))
    }

    fn next_link(&self, from: usize) -> String {
        let path = self.request.segments.join("/");
        let address = format!("{}/{path}", self.azure.addresses.vault_with_port(self.vault));
        self.request.next_page(&address, &from.to_string())
    }

    fn id(&self, name: &str, version: Option<&Version>) -> String {
        let base = format!("{}/secrets/{name}", self.azure.addresses.vault(self.vault));
        version.map_or_else(|| base.clone(), |version| format!("{base}/{}", version.version))
    }
}

fn unreadable() -> Answer {
    bad_parameter("The request body is not valid JSON, or a property has the wrong type.")
}
