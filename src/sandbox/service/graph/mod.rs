//! Microsoft Graph: applications read one by one or in pages, passwords added and removed.

mod wire;

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use self::wire::{application, error, new_credential, refusal};
use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::https::{Answer, Request};
use crate::sandbox::model::{Application, GraphRefusal};
use crate::sandbox::tokens::{Caller, TokenProblem};

const AUDIENCES: [&str; 3] =
    ["https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"];

/// Options that would change the answer if they were understood.
const NOT_MODELLED: [&str; 5] = ["$expand", "$orderby", "$search", "$count", "$skip"];

pub(crate) fn answer(azure: &Azure, request: &Request) -> Answer {
    if let Err(answer) = authorised(azure, request) {
        return answer;
    }
    if NOT_MODELLED.iter().any(|option| request.query(option).is_some()) {
        return Answer::not_modelled(request);
    }
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["v1.0", "applications"]) => list(azure, request),
        (&Method::GET, ["v1.0", "applications", id]) => one(azure, request, Uuid::try_parse(id).ok()),
        (&Method::POST, ["v1.0", "applications", id, action]) => {
            act(azure, request, Uuid::try_parse(id).ok(), action)
        }
        (&Method::GET, ["v1.0", key]) if by_app_id(key).is_some() => one(azure, request, keyed(azure, key)),
        (&Method::POST, ["v1.0", key, action]) if by_app_id(key).is_some() => {
            act(azure, request, keyed(azure, key), action)
        }
        _ => Answer::not_modelled(request),
    }
}

fn authorised(azure: &Azure, request: &Request) -> Result<Caller, Answer> {
    let unauthorized = |message: &str| {
        error(azure, request, StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    };
    let caller = azure.caller(request, &AUDIENCES).map_err(|problem| match problem {
        TokenProblem::Missing => unauthorized("Access token is empty."),
        TokenProblem::Invalid => unauthorized("Access token validation failure. Invalid signature."),
        TokenProblem::Expired => unauthorized("Lifetime validation failed, the token is expired."),
        TokenProblem::WrongAudience(_) => unauthorized("Access token validation failure. Invalid audience."),
    })?;
    if caller.is_service {
        return Ok(caller);
    }
    let message = "Insufficient privileges to complete the operation.";
    Err(error(azure, request, StatusCode::FORBIDDEN, "Authorization_RequestDenied", message))
}

/// The client id in `applications(appId='...')`.
fn by_app_id(key: &str) -> Option<Uuid> {
    let id = key.strip_prefix("applications(appId='")?.strip_suffix("')")?;
    // Nobody has the nil id, so that a bad one is "not found" further on.
    Some(Uuid::try_parse(id).unwrap_or_default())
}

fn keyed(azure: &Azure, key: &str) -> Option<Uuid> {
    by_app_id(key).and_then(|client_id| azure.model.object_id(client_id))
}

fn one(azure: &Azure, request: &Request, object_id: Option<Uuid>) -> Answer {
    let object_id = object_id.unwrap_or_default();
    match azure.model.application(object_id, azure.clock.now()) {
        Some(found) => Answer::ok(with_context(selected(application(&found), request), azure, "$entity")),
        None => refusal(azure, request, &GraphRefusal::NotFound(object_id)),
    }
}

fn list(azure: &Azure, request: &Request) -> Answer {
    let bad_request =
        |message: &str| error(azure, request, StatusCode::BAD_REQUEST, "Request_BadRequest", message);
    let now = azure.clock.now();
    let found = match request.query("$filter") {
        None => azure.model.applications(now),
        Some(filter) => match filtered(azure, filter, now) {
            Some(found) => found,
            None => return bad_request("The sandbox knows the filter appId eq '{guid}' only."),
        },
    };
    let top = request.query("$top").map_or(Some(100), |top| top.parse().ok());
    let Some(top) = top.filter(|top| (1..=999).contains(top)) else {
        return bad_request("Invalid page size specified: it must be between 1 and 999 inclusive.");
    };
    let from = request.query("$skiptoken").map_or(Some(0), |token| usize::from_str_radix(token, 16).ok());
    let Some(from) = from else { return bad_request("The skip token is invalid.") };
    page(azure, request, &found, from, top)
}

/// Who the filter lets through; `None` if it isn't understood.
fn filtered(azure: &Azure, filter: &str, now: OffsetDateTime) -> Option<Vec<Application>> {
    let (name, id) = filter.trim().split_once(" eq ")?;
    let id = id.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    if !name.trim().eq_ignore_ascii_case("appId") {
        return None;
    }
    let found = Uuid::try_parse(id).ok().and_then(|id| azure.model.application_by_client_id(id, now));
    Some(found.into_iter().collect())
}

fn page(azure: &Azure, request: &Request, found: &[Application], from: usize, top: usize) -> Answer {
    let rest = found.get(from..).unwrap_or_default();
    let here: Vec<_> = rest.iter().take(top).map(|found| selected(application(found), request)).collect();
    let mut body = json!({"value": here});
    if let (true, Value::Object(members)) = (rest.len() > top, &mut body) {
        members.insert("@odata.nextLink".to_owned(), json!(next_link(azure, request, from + top)));
    }
    Answer::ok(with_context(body, azure, ""))
}

fn next_link(azure: &Azure, request: &Request, from: usize) -> String {
    let address = format!("{}/v1.0/applications", azure.addresses.graph);
    request.next_page(&address, &format!("{from:08x}"))
}

fn act(azure: &Azure, request: &Request, object_id: Option<Uuid>, action: &str) -> Answer {
    let object_id = object_id.unwrap_or_default();
    match action {
        "addPassword" => add_password(azure, request, object_id),
        "removePassword" => remove_password(azure, request, object_id),
        _ => Answer::not_modelled(request),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddPassword {
    password_credential: Option<WantedCredential>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedCredential {
    display_name: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    start_date_time: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    end_date_time: Option<OffsetDateTime>,
}

fn add_password(azure: &Azure, request: &Request, object_id: Uuid) -> Answer {
    let Some(body) = request.json::<AddPassword>() else { return unreadable(azure, request) };
    let wanted = body.password_credential.unwrap_or_default();
    let name = wanted.display_name.as_deref();
    let (start, end) = (wanted.start_date_time, wanted.end_date_time);
    match azure.model.add_password(object_id, name, start, end, azure.clock.now()) {
        Ok(made) => Answer::ok(with_kind(new_credential(&made), azure)),
        Err(problem) => refusal(azure, request, &problem),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemovePassword {
    key_id: Uuid,
}

fn remove_password(azure: &Azure, request: &Request, object_id: Uuid) -> Answer {
    let Some(body) = request.json::<RemovePassword>() else { return unreadable(azure, request) };
    match azure.model.remove_password(object_id, body.key_id, azure.clock.now()) {
        Ok(()) => Answer::no_content(),
        Err(problem) => refusal(azure, request, &problem),
    }
}

fn unreadable(azure: &Azure, request: &Request) -> Answer {
    let message = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.";
    error(azure, request, StatusCode::BAD_REQUEST, "Request_BadRequest", message)
}

/// Only the members that `$select` names, if it is there.
fn selected(mut value: Value, request: &Request) -> Value {
    if let (Value::Object(members), Some(wanted)) = (&mut value, request.query("$select")) {
        let wanted: Vec<_> = wanted.split(',').map(str::trim).collect();
        members.retain(|name, _| wanted.contains(&name.as_str()));
    }
    value
}

fn with_context(value: Value, azure: &Azure, suffix: &str) -> Value {
    let slash = if suffix.is_empty() { "" } else { "/" };
    in_context(value, azure, &format!("applications{slash}{suffix}"))
}

fn with_kind(value: Value, azure: &Azure) -> Value {
    in_context(value, azure, "microsoft.graph.passwordCredential")
}

fn in_context(mut value: Value, azure: &Azure, what: &str) -> Value {
    if let Value::Object(members) = &mut value {
        let context = format!("{}/v1.0/$metadata#{what}", azure.addresses.graph);
        members.insert("@odata.context".to_owned(), json!(context));
    }
    value
}
