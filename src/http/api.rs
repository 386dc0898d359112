//! The API of secrets: their status, filtered, sorted and in pages; and the time of the next sweep.

use std::cmp::Ordering;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::HttpState;
use super::extract::{NamedSecret, Params, SecretPath};
use super::problem::{Problem, ProblemDetails};
use super::responses::{CommonResponses, LookupResponses};
use super::schema::read_state;
use super::view::SecretView;
use crate::commands::SecretRecord;
use crate::domain::SecretState;

/// Filter, order and page of a list of secrets.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SecretQuery {
    /// Only secrets in this state.
    #[serde(default, deserialize_with = "read_state")]
    state: Option<SecretState>,
    /// Only secrets of this vault.
    vault: Option<String>,
    /// Only secrets whose `vault/name` contains this text, in any letter case.
    search: Option<String>,
    /// Sort key; a leading hyphen reverses the order. Secrets without such a time come last. Default: `name`.
    #[param(inline)]
    sort: Option<SecretOrder>,
    /// Maximum number of secrets to return: 1 to 1000, default 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Number of secrets to skip; default 0.
    #[param(maximum = 4_294_967_295_u32)]
    offset: Option<u32>,
}

/// The sort key of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
enum SecretOrder {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "expires")]
    Expires,
    #[serde(rename = "-expires")]
    ExpiresDown,
    #[serde(rename = "due")]
    Due,
    #[serde(rename = "-due")]
    DueDown,
    #[serde(rename = "next_reconcile")]
    NextReconcile,
    #[serde(rename = "-next_reconcile")]
    NextReconcileDown,
}

/// A page of managed secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecretList {
    /// The secrets, in the requested order.
    secrets: Vec<SecretView>,
    /// Number of all secrets that match the filters.
    total: usize,
    /// The next page's offset, if there is one.
    #[schema(required)]
    next_offset: Option<usize>,
}

/// The schedule of sweeps over all secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(super) struct ScheduleView {
    /// The cron expression, as configured.
    cron: String,
    /// The IANA name of the time zone.
    #[schema(required)]
    time_zone: Option<String>,
    /// The next sweep, without jitter.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    next_sweep: Option<OffsetDateTime>,
}

impl SecretOrder {
    fn compare(self, one: &SecretRecord, other: &SecretRecord) -> Ordering {
        let by_name = one.status.secret.cmp(&other.status.secret);
        let (moment, is_down): (fn(&SecretRecord) -> Option<OffsetDateTime>, _) = match self {
            Self::Name => return by_name,
            Self::NameDown => return by_name.reverse(),
            Self::Expires | Self::ExpiresDown => (|s| s.status.expires, self == Self::ExpiresDown),
            Self::Due | Self::DueDown => (|s| s.status.due, self == Self::DueDown),
            Self::NextReconcile | Self::NextReconcileDown => {
                (|s| s.status.next_reconcile, self == Self::NextReconcileDown)
            }
        };
        let order = match (moment(one), moment(other)) {
            (Some(one), Some(other)) if is_down => other.cmp(&one),
            (Some(one), Some(other)) => one.cmp(&other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        order.then(by_name)
    }
}

impl SecretQuery {
    fn matches(&self, record: &SecretRecord) -> bool {
        let status = &record.status;
        self.state.is_none_or(|state| state == status.state)
            && self
                .vault
                .as_ref()
                .is_none_or(|vault| vault.eq_ignore_ascii_case(status.secret.vault.as_str()))
            && self
                .search
                .as_ref()
                .is_none_or(|text| status.secret.to_string().contains(&text.to_ascii_lowercase()))
    }

    fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::WrongQuery(format!("limit must be from 1 to {MAX_LIMIT}")))
        }
    }
}

/// Lists the managed secrets, each with its state, the reason, and the time of the next reconcile.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", params(SecretQuery), responses(
    (status = 200, description = "A page of secrets.", body = SecretList),
    (status = 400, description = "The query is not valid.", body = ProblemDetails,
        content_type = "application/problem+json"), CommonResponses))]
pub(super) async fn list_secrets(
    State(state): State<HttpState>,
    Params(query): Params<SecretQuery>,
) -> Result<Json<SecretList>, Problem> {
    let limit = query.limit()?;
    let mut secrets = state.commands.list();
    secrets.retain(|record| query.matches(record));
    let sort = query.sort.unwrap_or(SecretOrder::Name);
    secrets.sort_by(|one, other| sort.compare(one, other));
    let (total, offset) = (secrets.len(), query.offset.unwrap_or(0) as usize);
    let end = offset.saturating_add(limit);
    let secrets = secrets.into_iter().skip(offset).take(limit).map(SecretView::from).collect();
    Ok(Json(SecretList { secrets, total, next_offset: (end < total).then_some(end) }))
}

/// Returns one managed secret.
#[utoipa::path(get, path = "/api/v1/secrets/{vault}/{name}", tag = "secrets", params(SecretPath), responses(
    (status = 200, description = "The secret.", body = SecretView), LookupResponses, CommonResponses))]
pub(super) async fn show_secret(
    State(state): State<HttpState>,
    NamedSecret(secret): NamedSecret,
) -> Result<Json<SecretView>, Problem> {
    Ok(Json(state.commands.get(&secret)?.into()))
}

/// Returns the schedule of sweeps over all secrets, with the time of the next one.
#[utoipa::path(get, path = "/api/v1/schedule", tag = "secrets", responses(
    (status = 200, description = "The schedule.", body = ScheduleView), CommonResponses))]
pub(super) async fn show_schedule(State(state): State<HttpState>) -> Json<ScheduleView> {
    Json(ScheduleView {
        cron: state.schedule.expression.clone(),
        time_zone: state.schedule.time_zone.iana_name().map(str::to_owned),
        next_sweep: crate::triggers::schedule::next_run(&state.schedule, state.clock.now()),
    })
}

const DEFAULT_LIMIT: usize = 100;

const MAX_LIMIT: usize = 1_000;
