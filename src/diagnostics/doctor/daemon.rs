//! What rekeyd itself needs: a token, permissions, a right clock, and a path for events.

use std::time::Duration;

use reqwest::{Certificate, Client, Url};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::finding::{Check, Finding};
use super::{Doctor, remedies};
use crate::config::IdentityConfig;
use crate::ports::{Caller, CredentialIssuer as _, chain};

impl Doctor<'_> {
    /// Who rekeyd is to Graph, and whether that may write applications.
    pub(super) async fn token(&self) -> (Option<Caller>, Vec<Finding>) {
        let caller = match self.azure.graph.read_caller().await {
            Ok(caller) => caller,
            Err(error) => {
                let detail = format!("{}; no application was looked at", chain(&error));
                let found = Finding::error(Check::GraphToken, REKEYD, detail, remedies::IDENTITY);
                return (None, vec![found]);
            }
        };
        let name = caller.client_id.map_or_else(|| "an unnamed application".to_owned(), |id| id.to_string());
        let token = Finding::ok(Check::GraphToken, REKEYD, format!("signs in as {name}"));
        let is_person = matches!(self.config.identity, IdentityConfig::AzureCli);
        let permission = permission(&caller, is_person);
        (Some(caller), vec![token, permission])
    }

    /// The `Date` of all answers so far against this machine's clock.
    pub(super) fn time(&self) -> Finding {
        if !self.skew.is_known() {
            let remedy = "see to what keeps Key Vault and Graph from answering first";
            return Finding::warning(Check::Clock, REKEYD, "not known: no service told its time", remedy);
        }
        let ahead = self.skew.largest().whole_seconds();
        let detail = format!("Azure's clock and this machine's differ by {} s", ahead.abs());
        if self.skew.is_tolerable() {
            return Finding::ok(Check::Clock, REKEYD, detail);
        }
        let remedy = "set this machine's clock, and keep it right (timedatectl set-ntp true): until then nothing is rotated";
        Finding::error(Check::Clock, REKEYD, detail, remedy)
    }

    /// The handshake of an Event Grid subscription, as Event Grid itself would begin it.
    pub(super) async fn event_grid(&self) -> Option<Finding> {
        let (base, is_guess) = match &self.server {
            Some(server) => (server.clone(), false),
            None => (self.own_address()?, true),
        };
        // What is in front of the daemon may have it below a path.
        let url = Url::parse(&format!("{}/events/key-vault", base.as_str().trim_end_matches('/'))).ok()?;
        let subject = url.to_string();
        let webhook = &self.config.webhook;
        if webhook.keys.is_empty() || webhook.subscriptions.is_empty() {
            return Some(self.untried(subject));
        }
        let found = match self.shake_hands(url).await {
            Ok(()) => Finding::ok(Check::EventGrid, subject, "the daemon answers Event Grid's handshake"),
            Err(Silence::Unreached(_)) if is_guess => Finding::warning(
                Check::EventGrid,
                subject,
                "not tried: no daemon listens there now",
                "start the daemon first (rekeyd run), or say where it is with --server",
            ),
            Err(Silence::Unreached(why)) => {
                let remedy = "look at the address, DNS, the ingress in front of it and its certificate: Event Grid needs \
                              HTTPS with a public one";
                Finding::error(Check::EventGrid, subject, format!("not reached: {why}"), remedy)
            }
            Err(Silence::Other(what)) => {
                let remedy = "whatever answers there is no rekeyd, or something in front of it keeps POST requests out";
                Finding::error(Check::EventGrid, subject, what, remedy)
            }
        };
        Some(found)
    }

    /// Why the handshake can't be tried: nobody but Event Grid has what opens the webhook, or nothing does.
    fn untried(&self, subject: String) -> Finding {
        let webhook = &self.config.webhook;
        let (detail, remedy) = if !webhook.is_open() {
            (
                "the webhook is closed: only the schedule and the queue, if there is one, wake the loop",
                "for events by webhook set webhook.key_files or webhook.audience, and webhook.subscriptions",
            )
        } else if webhook.subscriptions.is_empty() {
            ("no event subscription is agreed to", "name the event subscriptions in webhook.subscriptions")
        } else {
            (
                "not tried: it takes Event Grid's own tokens only",
                "look at the event subscription's state in Azure",
            )
        };
        Finding::warning(Check::EventGrid, subject, detail, remedy)
    }

    /// Where the daemon listens, as this machine reaches it.
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

    async fn shake_hands(&self, url: Url) -> Result<(), Silence> {
        let code = Uuid::new_v4().to_string();
        let now = self.clock.now().format(&Rfc3339).unwrap_or_default();
        let handshake = json!([{
            "id": Uuid::new_v4(),
            "topic": self.config.webhook.topics.first().cloned().unwrap_or_default(),
            "subject": "",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": now,
            "dataVersion": "1",
            "data": {"validationCode": code},
        }]);
        let builder = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        let is_local = url.scheme() == "http";
        let builder = match &self.server_ca {
            Some(pem) => {
                builder.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(Silence::unreached)?)
            }
            None => builder,
        };
        let client = if is_local { builder.no_proxy() } else { builder }.build();
        let request = client.map_err(Silence::unreached)?.post(url);
        let name = self.config.webhook.subscriptions.first().map_or("", String::as_str);
        let request = request
            .header("aeg-event-type", "SubscriptionValidation")
            .header("aeg-subscription-name", name)
            .json(&handshake);
        let key = self.config.webhook.keys.first().map_or("", |key| key.expose_secret());
        let request = request.header("x-rekeyd-key", key);
        let answer = request.send().await.map_err(Silence::unreached)?;
        let status = answer.status();
        let said: Value = answer.json().await.unwrap_or_default();
        let is_echo = said.get("validationResponse").and_then(Value::as_str) == Some(&code);
        match (status.as_u16(), is_echo) {
            (200, true) => Ok(()),
            (200, false) => Err(Silence::Other("answers without the handshake's code".to_owned())),
            (status, _) => Err(Silence::Other(format!("answers the handshake with status {status}"))),
        }
    }
}

/// Why there is no handshake.
enum Silence {
    Unreached(String),
    Other(String),
}

impl Silence {
    fn unreached(error: reqwest::Error) -> Self {
        Self::Unreached(chain(&error.without_url()))
    }
}

/// A person's token tells no roles, and what the person may do is not known before it is tried.
fn permission(caller: &Caller, is_person: bool) -> Finding {
    if may_write_all(caller) {
        return Finding::ok(Check::GraphPermission, REKEYD, "may write every application");
    }
    if caller.roles.contains(OWNED_BY) {
        return Finding::ok(Check::GraphPermission, REKEYD, "may write the applications that it owns");
    }
    if is_person && caller.roles.is_empty() {
        let detail = "the token is one of a person (az login), which tells nothing of what it may do";
        let remedy =
            "look at application_write_right of each application; a daemon needs an identity of its own";
        return Finding::warning(Check::GraphPermission, REKEYD, detail, remedy);
    }
    let detail = format!("the token has none of {OWNED_BY} and {}", WRITE_ALL.join(", "));
    Finding::error(Check::GraphPermission, REKEYD, detail, remedies::graph_permission(Some(caller)))
}

/// Whether ownership doesn't matter.
pub(super) fn may_write_all(caller: &Caller) -> bool {
    WRITE_ALL.iter().any(|role| caller.roles.contains(*role))
}

/// The permission that goes with ownership.
pub(super) const OWNED_BY: &str = "Application.ReadWrite.OwnedBy";
const WRITE_ALL: [&str; 2] = ["Application.ReadWrite.All", "Directory.ReadWrite.All"];

const REKEYD: &str = "rekeyd";
const PATIENCE: Duration = Duration::from_secs(15);
