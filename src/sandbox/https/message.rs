//! Requests and responses as the simulated services see them: read whole, with decoded path and query.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::form_urlencoded;

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A request, read to its end.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path's segments, decoded, without empty ones: `//` and a trailing slash make no difference.
    pub(crate) segments: Vec<String>,
    /// The query's parameters, with names in lower case.
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A response that has no date yet.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, String)>,
    body: Option<Value>,
}

impl Request {
    /// Reads a request to its end. `Err` holds the response to a body that is too large or breaks off.
    pub(crate) async fn read(request: http::Request<Body>) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            let error = json!({"error": {"code": "RequestTooLarge", "message": "The request body is larger than 1 MiB."}});
            return Err(Response::json(StatusCode::PAYLOAD_TOO_LARGE, error));
        };
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self {
            segments: segments(parts.uri.path()),
            query: query.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect(),
            method: parts.method,
            headers: parts.headers,
            body,
        })
    }

    /// Returns the path's segments, to match on.
    pub(crate) fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn bearer_token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// Returns the URL of the same query at this address, one page further on.
    pub(crate) fn next_page(&self, address: &str, skip_token: &str) -> String {
        let same = self.pairs().filter(|(name, _)| name != "$skiptoken");
        joined(address, same.chain([("$skiptoken".to_owned(), encoded(skip_token))]))
    }

    /// Returns the URL of the same query at this address.
    pub(crate) fn same_query(&self, address: &str) -> String {
        joined(address, self.pairs())
    }

    /// Returns the query's pairs, encoded again. Azure leaves its `$` unencoded.
    fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.query.iter().map(|(name, value)| (encoded(name).replace("%24", "$"), encoded(value)))
    }

    pub(crate) fn user_agent(&self) -> &str {
        self.header("user-agent").unwrap_or_default()
    }

    /// Returns a client's id and secret from HTTP Basic, each percent-decoded.
    pub(crate) fn basic_credentials(&self) -> Option<(String, String)> {
        let (scheme, encoded) = self.header("authorization")?.split_once(' ')?;
        let is_basic = scheme.eq_ignore_ascii_case("basic");
        let decoded = BASE64_STANDARD.decode(encoded.trim()).ok().filter(|_| is_basic)?;
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((percent_decoded(id), percent_decoded(secret)))
    }

    /// Parses the body as JSON; `None` if it is not as expected. A missing body counts as `{}`.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).ok()
    }

    /// Parses the body as a form.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

impl Response {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// Returns a response with a status and no body; headers may be added.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// Returns the 501 for a request that the sandbox doesn't model, with a clear message.
    pub(crate) fn not_modelled(request: &Request) -> Self {
        let path = request.segments.join("/");
        let message = format!("The rekeyd sandbox does not implement {} /{path}.", request.method);
        Self::json(
            StatusCode::NOT_IMPLEMENTED,
            json!({"error": {"code": "NotModelledBySandbox", "message": message}}),
        )
    }

    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds the header, unless the response has it already.
    pub(crate) fn with_default(self, name: HeaderName, value: &str) -> Self {
        let has_it = self.headers.iter().any(|(had, _)| *had == name);
        if has_it { self } else { self.with(name, value.to_owned()) }
    }

    pub(crate) fn into_response(self) -> http::Response<Body> {
        let is_json = self.body.is_some();
        let body = self.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut response = http::Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if is_json {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn joined(address: &str, pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if pairs.is_empty() { "" } else { "?" };
    format!("{address}{mark}{}", pairs.join("&"))
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => bytes.extend(format!("%{part}").bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splitting a path decodes its segments and drops the empty ones, and keeps invalid percent escapes as they are.
    #[test]
    fn paths_are_decoded_without_empty_segments() {
        let path = "/v1.0//applications(appId=%27a%20b%27)/";
        assert_eq!(segments(path), ["v1.0", "applications(appId='a b')"]);
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%41"), "%zzA");
    }
}
