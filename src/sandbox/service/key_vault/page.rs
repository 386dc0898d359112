//! Lists in pages: their page sizes, and the link to the next page, which contains its first item.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::wire::bad_parameter;
use crate::sandbox::https::{Request, Response};

const PAGE_SIZES: RangeInclusive<usize> = 1..=25;

/// The API version in links, independent of the request's: a client must follow links as they are.
const VERSION_IN_LINKS: &str = "7.2";

/// An item, and its key: lists are in the order of the keys.
pub(super) type Item = (String, Value);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SkipToken {
    next_marker: String,
    target_location: u8,
}

/// Returns the page that a request asks for; `address` is the vault's.
pub(super) fn page(request: &Request, address: &str, mut items: Vec<Item>) -> Response {
    let size = request.query("maxresults").map_or(Some(*PAGE_SIZES.end()), |size| size.parse().ok());
    let Some(size) = size.filter(|size| PAGE_SIZES.contains(size)) else {
        return bad_parameter("maxresults must be between 1 and 25.");
    };
    let Some(first) = request.query("$skiptoken").map_or(Some(String::new()), marker) else {
        return bad_parameter("The skip token is invalid.");
    };
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut rest = items.into_iter().skip_while(|(key, _)| *key < first);
    let here: Vec<_> = rest.by_ref().take(size).map(|(_, item)| item).collect();
    let next = rest.next().map(|(key, _)| next_link(request, address, key));
    Response::ok(json!({"value": here, "nextLink": next}))
}

/// Returns the link to the next page: always with the port, and with `maxresults` only if the request has it.
fn next_link(request: &Request, address: &str, marker: String) -> String {
    let token = SkipToken { next_marker: BASE64_URL_SAFE_NO_PAD.encode(marker), target_location: 0 };
    let token = BASE64_URL_SAFE_NO_PAD.encode(json!(token).to_string());
    let size = request.query("maxresults").map(|size| format!("&maxresults={size}")).unwrap_or_default();
    let (host, path) = (with_port(address), request.segments.join("/"));
    format!("{host}/{path}?api-version={VERSION_IN_LINKS}&$skiptoken={token}{size}")
}

fn with_port(address: &str) -> String {
    let url = Url::parse(address).ok();
    let parts = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    parts.map_or_else(|| address.to_owned(), |(host, port)| format!("https://{host}:{port}"))
}

fn marker(token: &str) -> Option<String> {
    let token: SkipToken = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token.next_marker).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A next link always contains a port, with 443 added where the vault's address has none.
    #[test]
    fn next_link_always_has_a_port() {
        assert_eq!(with_port("https://vault-1.vault.azure.net"), "https://vault-1.vault.azure.net:443");
        assert_eq!(with_port("https://localhost:40000"), "https://localhost:40000");
    }
}
