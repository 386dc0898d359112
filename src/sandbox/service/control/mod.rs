//! The sandbox's own controls, for tests and rehearsals. They need no token, and no response holds a secret's text.
//!
//! | below `/_sandbox/` | does |
//! |---|---|
//! | `GET state` | shows every credential, version, deleted secret and dead letter |
//! | `GET clock`, `POST clock {"advance": "25d"}` | returns the time, advances it by this much at once |
//! | `POST faults {"level", "script": [...]}` | makes requests fail at random or as scripted |
//! | `POST events/{vault}/{secret}` | sends a `SecretNearExpiry` now |
//! | `GET subscriptions`, `PUT`, `DELETE subscriptions/{name}` | event subscriptions, with the members of Azure's |
//! | `PUT vaults/{vault}` | a vault's network, access model and days of retention |
//! | `PUT`, `DELETE roles {"principal", "scope", "role"}` | Azure roles on vaults and health services |
//! | `PUT app-roles {"principal", "resource", "roles"}` | app roles, which are in tokens from then on |
//! | `POST applications`, `PATCH applications/{id}` | applications, with what Graph can't set |
//! | `PUT reports {"lag", "available"}` | the lag of the report on sign-ins, and whether there is one |
//! | `POST keys/rollover {"retire"}` | adds a new signing key, or removes the older ones |
//! | `PUT federated-credentials` | trusts an issuer's keys |
//! | `POST managed-identity/troubles {"statuses"}` | the next responses of the metadata service |

mod access;
mod applications;
mod entra;
mod subscriptions;
mod vaults;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::oneshot;

use crate::ports::Clock;
use crate::sandbox::event_grid::Notice;
use crate::sandbox::faults::{FaultLevel, ScriptedFault};
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{TimelineEvent, TimelineEventKind};
use crate::sandbox::service::azure::Azure;

pub(crate) async fn handle_request(azure: &Azure, request: &Request) -> Response {
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["_sandbox", "state"]) => state(azure),
        (&Method::GET, ["_sandbox", "clock"]) => time(azure),
        (&Method::POST, ["_sandbox", "clock"]) => advance(azure, request).await,
        (&Method::POST, ["_sandbox", "faults"]) => faults(azure, request),
        (&Method::PUT | &Method::DELETE, ["_sandbox", "roles"]) => access::role(azure, request),
        (&Method::PUT, ["_sandbox", "app-roles"]) => access::app_roles(azure, request),
        (&Method::PUT, ["_sandbox", "vaults", vault]) => vaults::set(azure, vault, request),
        (&Method::POST, ["_sandbox", "keys", "rollover"]) => entra::roll_over(azure, request),
        (&Method::PUT, ["_sandbox", "federated-credentials"]) => entra::trust(azure, request),
        (&Method::POST, ["_sandbox", "managed-identity", "troubles"]) => {
            entra::fail_metadata_service(azure, request)
        }
        (&Method::POST, ["_sandbox", "applications"]) => applications::create(azure, request),
        (&Method::PATCH, ["_sandbox", "applications", id]) => applications::change(azure, request, id),
        (&Method::PUT, ["_sandbox", "reports"]) => applications::report(azure, request),
        (&Method::POST, ["_sandbox", "events", vault, secret]) => event(azure, vault, secret).await,
        (_, ["_sandbox", "subscriptions" | "eventsubscriptions", ..]) => {
            subscriptions::handle_request(azure, request).await
        }
        _ => Response::not_modelled(request),
    }
}

fn state(azure: &Azure) -> Response {
    Response::ok(json!(azure.model.view(azure.clock.now())))
}

fn time(azure: &Azure) -> Response {
    Response::ok(json!({"now": rfc3339(azure.clock.now())}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance: String,
}

/// Advances the clock. Responds once it has arrived, and completes the move even if the client goes away.
async fn advance(azure: &Azure, request: &Request) -> Response {
    let wanted = request.json::<Advance>();
    let by = wanted.as_ref().and_then(|body| duration(&body.advance));
    let (Some(Advance { advance }), Some(by)) = (wanted, by) else {
        return bad_request("\"advance\" must be a duration such as \"25d\" or \"90m\"");
    };
    let (clock, moving) = (azure.clock.clone(), Arc::clone(&azure.moving_clock));
    let model = Arc::clone(&azure.model);
    let moved = azure.tasks.spawn(async move {
        let _alone = moving.lock().await;
        model.report(&clock_event(TimelineEventKind::ClockMoving, clock.now(), &advance));
        clock.advance(by).await;
        model.report(&clock_event(TimelineEventKind::ClockMoved, clock.now(), &advance));
    });
    match moved.await {
        Ok(()) => time(azure),
        Err(_) => Response::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"error": "the clock could not be advanced"}),
        ),
    }
}

fn clock_event(kind: TimelineEventKind, at: OffsetDateTime, by: &str) -> TimelineEvent {
    TimelineEvent { at, kind, secret: String::new(), detail: by.to_owned() }
}

fn duration(text: &str) -> Option<time::Duration> {
    let duration: Duration = humantime::parse_duration(text).ok()?;
    // Far beyond any test, and far from the end of the calendar.
    let limit = Duration::from_secs(100 * 366 * 24 * 60 * 60);
    (duration <= limit).then(|| duration.try_into().ok()).flatten()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedFaults {
    level: Option<FaultLevel>,
    #[serde(default)]
    script: Vec<ScriptedFault>,
}

fn faults(azure: &Azure, request: &Request) -> Response {
    let Some(wanted) = request.json::<WantedFaults>() else {
        return bad_request("expected {\"level\": ..., \"script\": [...]}");
    };
    if let Some(level) = wanted.level {
        azure.faults.set_level(level);
    }
    azure.faults.script(wanted.script);
    Response::no_content()
}

/// Sends an event. Responds once it was delivered or could not be.
async fn event(azure: &Azure, vault: &str, secret: &str) -> Response {
    let found = azure.model.names(vault, secret).zip(azure.model.current_version(vault, secret));
    let Some(((vault, secret), version)) = found else {
        let error = format!("secret {vault}/{secret} not found");
        return Response::json(StatusCode::NOT_FOUND, json!({"error": error}));
    };
    let (reply, delivered) = oneshot::channel();
    let notice = Notice::Wanted { vault, secret, version: Box::new(version), reply };
    // Without Event Grid there is no reply either.
    let _ = azure.notices.send(notice);
    match delivered.await {
        Ok(true) => Response::ok(json!({"delivered": true})),
        Ok(false) | Err(_) => Response::json(StatusCode::BAD_GATEWAY, json!({"delivered": false})),
    }
}

fn bad_request(message: &str) -> Response {
    Response::json(StatusCode::BAD_REQUEST, json!({"error": message}))
}

fn rfc3339(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_default()
}
