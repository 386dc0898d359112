//! The common parts of all reads: `$filter`, `$select`, `$top`, pages and counts, on objects that are JSON already.

use std::borrow::Cow;

use axum::http::{StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::filter::{self, Condition, Problem};
use super::wire::{in_context, unsupported_filter};
use super::{Call, Outcome};
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::GraphRefusal;

/// The options that are not supported but would change the response.
const NOT_MODELLED: [&str; 4] = ["$expand", "$orderby", "$search", "$skip"];

/// A collection that may be read in pages.
pub(super) struct Collection {
    /// The name in its context.
    pub(super) name: Cow<'static, str>,
    /// The type of its objects in messages.
    pub(super) resource: &'static str,
    /// The properties that `$filter` may contain.
    pub(super) filterable: &'static [&'static str],
    /// `v1.0` or `beta`.
    pub(super) version: &'static str,
}

pub(super) fn has_unknown_options(request: &Request) -> bool {
    NOT_MODELLED.iter().any(|option| request.query(option).is_some())
}

impl Collection {
    /// Returns one page of the objects that match the filter.
    pub(super) fn filtered_page(&self, call: &Call<'_>, objects: Vec<Value>) -> Outcome {
        self.list(call, false, |_| objects)
    }

    /// Returns one page of the objects that match the filter or, for a count, their number. `find` may leave out
    /// objects that the filter excludes.
    pub(super) fn list(
        &self,
        call: &Call<'_>,
        is_count: bool,
        find: impl FnOnce(&[Condition]) -> Vec<Value>,
    ) -> Outcome {
        let conditions = match self.conditions(call) {
            Ok(conditions) => conditions,
            Err(response) => return Ok(response),
        };
        let objects = find(&conditions);
        if is_count { count(call, &objects, &conditions) } else { self.page(call, objects, &conditions) }
    }

    /// Returns the filter's conditions, or the response that names the unsupported part.
    fn conditions(&self, call: &Call<'_>) -> Result<Vec<Condition>, Response> {
        let Some(filter) = call.request.query("$filter") else { return Ok(Vec::new()) };
        filter::parse(filter, self.filterable).map_err(|problem| match problem {
            Problem::Unsupported(property) => unsupported_filter(call, &property, self.resource),
            Problem::NotModelled => Response::not_modelled(call.request),
        })
    }

    /// Returns one page of the objects that meet all conditions, in the order of their ids.
    pub(super) fn page(&self, call: &Call<'_>, mut objects: Vec<Value>, conditions: &[Condition]) -> Outcome {
        objects.retain(|object| conditions.iter().all(|condition| condition.holds(object)));
        let count = objects.len();
        let after = skip_token(call.request)?;
        let from = objects.iter().position(|object| id(object) > after.as_str()).unwrap_or(count);
        let top = top(call.request)?;
        let here = objects.get(from..).unwrap_or_default();
        let is_last = here.len() <= top;
        let here: Vec<_> = here.iter().take(top).collect();
        let mut body = Map::new();
        if wants_count(call.request) {
            body.insert("@odata.count".to_owned(), json!(count));
        }
        if let (false, Some(last)) = (is_last, here.last()) {
            body.insert("@odata.nextLink".to_owned(), json!(next_link(call, last)));
        }
        let here: Vec<_> = here.into_iter().map(|object| selected(object.clone(), call.request)).collect();
        body.insert("value".to_owned(), json!(here));
        let context = format!("{}{}", self.name, selection(call.request));
        Ok(Response::ok(in_context(Value::Object(body), call.azure, self.version, &context)))
    }

    /// Returns the response with one object, or with its selected members.
    pub(super) fn entity(&self, call: &Call<'_>, object: Value) -> Response {
        let context = format!("{}{}/$entity", self.name, selection(call.request));
        Response::ok(in_context(selected(object, call.request), call.azure, self.version, &context))
    }

    /// Returns the response with an object that was just created.
    pub(super) fn created(&self, call: &Call<'_>, object: Value) -> Response {
        let mut response = self.entity(call, object);
        response.status = StatusCode::CREATED;
        response
    }
}

/// Returns the URL of the same request, one page further on. The content of paths here needs no encoding.
fn next_link(call: &Call<'_>, last: &Value) -> String {
    let address = format!("{}/{}", call.azure.addresses.graph, call.request.segments.join("/"));
    call.request.next_page(&address, &encoded(id(last)))
}

/// Returns the number of objects that meet all conditions, as a bare number.
fn count(call: &Call<'_>, objects: &[Value], conditions: &[Condition]) -> Outcome {
    if !is_eventual(call.request) {
        return Err(GraphRefusal::bad_request("$count is not currently supported."));
    }
    let holds = |object: &&Value| conditions.iter().all(|condition| condition.holds(object));
    let count = objects.iter().filter(holds).count();
    Ok(Response::ok(json!(count)).with(header::CONTENT_TYPE, "text/plain".to_owned()))
}

fn id(object: &Value) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn wants_count(request: &Request) -> bool {
    request.query("$count") == Some("true") && is_eventual(request)
}

fn is_eventual(request: &Request) -> bool {
    request.header("consistencylevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"))
}

fn top(request: &Request) -> Result<usize, GraphRefusal> {
    let top = request.query("$top").map_or(Some(100), |top| top.parse().ok());
    top.filter(|top| (1..=999).contains(top)).ok_or_else(|| {
        GraphRefusal::bad_request("Invalid page size specified: it must be between 1 and 999 inclusive.")
    })
}

/// Returns the last id of the previous page, so that pages stay complete while objects are added and removed.
fn skip_token(request: &Request) -> Result<String, GraphRefusal> {
    let Some(token) = request.query("$skiptoken") else { return Ok(String::new()) };
    decoded(token).ok_or_else(|| GraphRefusal::bad_request("The skip token is invalid."))
}

fn encoded(id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id)
}

fn decoded(token: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

/// Keeps only the members that `$select` names, if it is present.
fn selected(mut value: Value, request: &Request) -> Value {
    if let (Value::Object(members), Some(wanted)) = (&mut value, request.query("$select")) {
        let wanted: Vec<_> = wanted.split(',').map(str::trim).collect();
        members.retain(|name, _| wanted.contains(&name.as_str()));
    }
    value
}

/// Returns the selection as a context shows it.
fn selection(request: &Request) -> String {
    request.query("$select").map_or(String::new(), |names| format!("({})", names.replace(' ', "")))
}
