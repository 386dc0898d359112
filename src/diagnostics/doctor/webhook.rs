//! The path by which events reach the daemon.

use url::Url;

use super::Doctor;
use super::finding::{CheckName, Finding};
use crate::config::WebhookConfig;
use crate::ports::{HandshakeError, WebhookTarget};

impl Doctor<'_> {
    /// Begins the handshake of an Event Grid subscription. Returns `None` if no address can be made to send it to.
    pub(super) async fn event_grid(&self) -> Option<Finding> {
        let (base, is_guess) = match &self.server {
            Some(server) => (server.clone(), false),
            None => (self.own_address()?, true),
        };
        // A proxy in front of the daemon may have it below a path.
        let url = Url::parse(&format!("{}/events/key-vault", base.as_str().trim_end_matches('/'))).ok()?;
        let subject = url.to_string();
        let Some(target) = target(&self.config.webhook, url) else { return Some(self.untried(subject)) };
        Some(match self.webhook.try_handshake(&target).await {
            Ok(()) => Finding::ok(CheckName::EventGrid, subject, "the daemon answers Event Grid's handshake"),
            Err(error) => failed(subject, &error, is_guess),
        })
    }

    /// Returns the reason why no handshake is tried: only Event Grid has what opens the webhook, or nothing opens it.
    fn untried(&self, subject: String) -> Finding {
        let webhook = &self.config.webhook;
        let (detail, remedy) = if !webhook.is_open() {
            (
                "the webhook is closed: only the schedule and the queue, if configured, trigger passes",
                "to receive events by webhook, set webhook.key_files or webhook.audience, and webhook.subscriptions",
            )
        } else if webhook.subscriptions.is_empty() {
            ("no event subscription is allowed", "list the event subscriptions in webhook.subscriptions")
        } else {
            (
                "not tried: it accepts only Event Grid's own tokens",
                "check the event subscription's state in Azure (az eventgrid system-topic event-subscription show)",
            )
        };
        Finding::warning(CheckName::EventGrid, subject, detail, remedy)
    }

    /// Returns the address that the daemon listens on, as this machine reaches it.
    fn own_address(&self) -> Option<Url> {
        let mut address = self.config.listen;
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                std::net::Ipv4Addr::LOCALHOST.into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        Url::parse(&format!("http://{address}")).ok()
    }
}

/// Returns what a handshake with the webhook at `url` needs; `None` if no key or no subscription is configured.
fn target(webhook: &WebhookConfig, url: Url) -> Option<WebhookTarget> {
    Some(WebhookTarget {
        url,
        key: webhook.keys.first()?.clone(),
        subscription: webhook.subscriptions.first()?.clone(),
        topic: webhook.topics.first().cloned().unwrap_or_default(),
    })
}

fn failed(subject: String, error: &HandshakeError, is_guess: bool) -> Finding {
    let check = CheckName::EventGrid;
    match error {
        HandshakeError::Unreachable(_) if is_guess => Finding::warning(
            check,
            subject,
            "not tried: no daemon is listening there",
            "start the daemon first (rekeyd run), or give its URL with --server",
        ),
        HandshakeError::Unreachable(_) => {
            let remedy = "check the address, DNS, the ingress in front of it and its certificate: Event Grid needs \
                          HTTPS with a publicly trusted one";
            Finding::error(check, subject, error.to_string(), remedy)
        }
        HandshakeError::Unexpected(_) => {
            let remedy = "check the address: the server there is not rekeyd, or a proxy in front of it blocks POST requests";
            Finding::error(check, subject, error.to_string(), remedy)
        }
    }
}
