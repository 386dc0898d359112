//! Microsoft Graph, as far as applications need it. It checks permissions and words responses as Graph does; the model
//! holds the data.

mod applications;
mod batch;
mod federated;
mod filter;
mod owners;
mod passwords;
mod policies;
mod principals;
mod read;
mod report;
pub(in crate::sandbox) mod rights;
mod target;
mod throttle;
pub(in crate::sandbox) mod wire;

use std::time::Duration;

use axum::http::{HeaderName, Method, StatusCode};
use time::OffsetDateTime;
use uuid::Uuid;

use self::target::Target;
use self::wire::{error, refusal};
use crate::ports::Clock;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::GraphRefusal;
use crate::sandbox::service::azure::Azure;
use crate::sandbox::tokens::{Caller, TokenProblem};

const AUDIENCES: [&str; 3] =
    ["https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"];

/// The time for which a write blocks other writes to the same application. It is real time: sandbox time stands still
/// during a request. A client that waits for each response never notices.
const WRITING: Duration = Duration::from_millis(2);

/// A request with a valid token.
struct Call<'a> {
    azure: &'a Azure,
    request: &'a Request,
    caller: &'a Caller,
    now: OffsetDateTime,
}

/// The result of a call that its token and quotas permit.
type Outcome = Result<Response, GraphRefusal>;

pub(crate) async fn handle_request(azure: &Azure, request: &Request) -> Response {
    let response = match (&request.method, request.path().as_slice()) {
        (&Method::POST, ["v1.0" | "beta", "$batch"]) => batch::handle_batch(azure, request).await,
        _ => handle_one(azure, request).await,
    };
    response.with(HeaderName::from_static("x-ms-ags-diagnostic"), SERVER.to_owned())
}

/// Returns an injected 429 or 503 as Graph words it.
pub(crate) fn failure_response(azure: &Azure, request: &Request, status: StatusCode) -> Response {
    throttle::failure_response(azure, request, status)
        .with(HeaderName::from_static("x-ms-ags-diagnostic"), SERVER.to_owned())
}

/// Handles any request except a batch.
async fn handle_one(azure: &Azure, request: &Request) -> Response {
    let caller = match authenticated(azure, request) {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    let call = Call { azure, request, caller: &caller, now: azure.clock.now() };
    let target = Target::of(azure, request);
    let spent = match throttle::spend(&call, &target) {
        Ok(spent) => spent,
        Err(response) => return response,
    };
    let outcome = call.handle_alone(&target).await;
    let response = outcome.unwrap_or_else(|problem| refusal(azure, request, &problem));
    throttle::with_spent(response, spent)
}

fn authenticated(azure: &Azure, request: &Request) -> Result<Caller, Response> {
    let unauthorized = |message: &str| {
        error(azure, request, StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    };
    azure.tokens.caller(request.bearer_token(), &AUDIENCES).map_err(|problem| match problem {
        TokenProblem::Missing => unauthorized("Access token is empty."),
        TokenProblem::Invalid => unauthorized("Access token validation failure. Invalid signature."),
        TokenProblem::Expired => unauthorized("Lifetime validation failed, the token is expired."),
        TokenProblem::WrongAudience(_) => unauthorized("Access token validation failure. Invalid audience."),
    })
}

impl Call<'_> {
    /// Handles the request while no other request may write to the same application.
    async fn handle_alone(&self, target: &Target<'_>) -> Outcome {
        let Some(id) = self.admitted_to_write(target)? else { return self.handle(target) };
        let _writing = self.azure.model.begin_write(id).ok_or(GraphRefusal::Concurrent)?;
        let deadline = tokio::time::Instant::now() + WRITING;
        tokio::time::sleep_until(deadline).await;
        self.handle(target)
    }

    fn handle(&self, target: &Target<'_>) -> Outcome {
        if read::has_unknown_options(self.request) {
            return Ok(Response::not_modelled(self.request));
        }
        match target {
            Target::Applications(more) => applications::all(self, more),
            Target::Application(id, more) => applications::one(self, *id, more),
            Target::Principals(more) => principals::all(self, more),
            Target::Principal(id, more) => principals::one(self, *id, more),
            Target::Policies(more) => policies::handle(self, more),
            Target::SignInReport => report::handle(self),
            Target::Missing(client_id, _) => self.missing(*client_id, target),
            Target::Malformed(refusal) => Err(refusal.clone()),
            Target::Unknown => Ok(Response::not_modelled(self.request)),
        }
    }
}

impl Call<'_> {
    /// Returns the error for a missing object. A caller without permission to ask gets 403 instead.
    fn missing(&self, client_id: Uuid, target: &Target<'_>) -> Outcome {
        match (target.part(), &self.request.method) {
            (Some("appManagementPolicies"), _) => self.may_use_policies()?,
            (_, &Method::GET) => self.may_read_applications()?,
            (_, _) => self.may_create_applications()?,
        }
        Err(GraphRefusal::NotFound(client_id))
    }
}

/// The server that answered, as Graph describes it.
const SERVER: &str = r#"{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"5","ScaleUnit":"000","RoleInstance":"SANDBOX0001"}}"#;

#[cfg(test)]
mod tests;
