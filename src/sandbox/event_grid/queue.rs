//! Delivery to a Storage Queue: one event per message, in base64, never in an array.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, RequestBuilder, header};
use secrecy::{ExposeSecret, SecretString};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::endpoint::{DeliveryRequest, Endpoint};
use super::outcome::Outcome;
use super::subscription::Address;
use crate::sandbox::real_time;

impl Endpoint {
    /// Sends `Put Message`, authorized by the URL's own signature, otherwise by Entra's token. The only success status
    /// of the service is 201, which is among the successful codes.
    pub(super) async fn put_message(
        &self,
        queue: &Address,
        time_to_live: Duration,
        delivery: &DeliveryRequest,
    ) -> Outcome {
        let (Some(url), Some(event)) = (messages_url(queue.full(), time_to_live), delivery.events.first())
        else {
            return Outcome::Unreachable;
        };
        let text = BASE64_STANDARD.encode(event.to_string());
        let mut request =
            versioned(self.http.post(url.as_str())).header(header::CONTENT_TYPE, "application/xml");
        if let Some(token) = delivery.token.as_ref().filter(|_| !is_signed(&url)) {
            request = request.bearer_auth(token.expose_secret());
        }
        let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        // 401 isn't final for Azure's own resources.
        Outcome::of(request.body(body).send().await, &[400, 403, 413])
    }
}

/// Sends `Create Queue`, which leaves an existing queue unchanged. Returns true if the queue exists now.
pub(crate) async fn create(http: &Client, queue: &Url, token: &SecretString) -> bool {
    let request = versioned(http.put(queue.as_str())).header(header::CONTENT_LENGTH, 0);
    request.bearer_auth(token.expose_secret()).send().await.is_ok_and(|answer| answer.status().is_success())
}

/// Adds the headers that Storage requires of every request.
fn versioned(request: RequestBuilder) -> RequestBuilder {
    request.header("x-ms-version", API_VERSION).header("x-ms-date", http_date(real_time::now()))
}

fn messages_url(queue: &str, time_to_live: Duration) -> Option<Url> {
    let mut url = Url::parse(queue).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().push("messages");
    url.query_pairs_mut().append_pair("messagettl", &time_to_live.whole_seconds().to_string());
    Some(url)
}

/// Returns true if the URL has a shared access signature.
fn is_signed(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == "sig")
}

fn http_date(moment: OffsetDateTime) -> String {
    moment.format(HTTP_DATE).unwrap_or_default()
}

const HTTP_DATE: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

const API_VERSION: &str = "2021-12-02";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop here")]
mod tests {
    use super::*;

    /// The message URL appends `messages` to the queue's path and keeps the SAS signature of its query.
    #[test]
    fn message_url_keeps_queue_signature() {
        let url = messages_url("https://a.queue.core.windows.net/q/?sig=a%2Bb", Duration::days(7)).unwrap();
        assert_eq!(url.as_str(), "https://a.queue.core.windows.net/q/messages?sig=a%2Bb&messagettl=604800");
        assert!(is_signed(&url));
        assert!(!is_signed(&messages_url("http://127.0.0.1:1/account/q", Duration::days(7)).unwrap()));
    }
}
