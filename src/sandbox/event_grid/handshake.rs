//! The handshakes: ask a webhook for its consent to events, as its schema requires.

use std::time::Duration as RealDuration;

use secrecy::SecretString;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::endpoint::{Endpoint, ORIGIN};
use super::event::{Schema, event_time};

/// The time limit for opening the validation URL by hand.
pub(super) const MANUAL_VALIDATION: Duration = Duration::minutes(10);

/// The retry delays of the built-in subscription's handshake, which has no end because the daemon may start late.
const PATIENT_DELAYS: [Duration; 4] =
    [Duration::seconds(10), Duration::seconds(30), Duration::minutes(1), Duration::minutes(5)];

/// A webhook's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    /// It accepted the code but didn't return it: the validation URL has to be opened.
    Awaited,
    Refused(String),
}

/// The values that a handshake needs.
pub(super) struct Invitation {
    pub(super) validation_url: String,
    pub(super) now: OffsetDateTime,
    pub(super) token: Option<SecretString>,
}

impl Endpoint {
    /// Asks the endpoint for its consent to events. A queue isn't asked.
    pub(super) async fn handshake(&self, invitation: &Invitation) -> Consent {
        match self.schema {
            Schema::EventGrid => self.by_code(invitation).await,
            Schema::CloudEvents => self.by_options(invitation).await,
        }
    }

    async fn by_code(&self, invitation: &Invitation) -> Consent {
        let code = Uuid::new_v4().to_string();
        let data = json!({"validationCode": code, "validationUrl": invitation.validation_url});
        let Some(sent) = self.ask_for_code(&data, invitation.now, invitation.token.as_ref()).await else {
            return Consent::Given;
        };
        let response = match sent {
            Ok(response) if response.status() == reqwest::StatusCode::OK => response,
            sent => return refused(sent),
        };
        let answer: Value = response.json().await.unwrap_or_default();
        match answer.get("validationResponse").and_then(Value::as_str) {
            Some(echo) if echo == code => Consent::Given,
            Some(_) => Consent::Refused("the webhook returned a different validation code".to_owned()),
            None => Consent::Awaited,
        }
    }

    async fn by_options(&self, invitation: &Invitation) -> Consent {
        let Some(sent) = self.ask_for_consent(invitation.token.as_ref()).await else { return Consent::Given };
        let response = match sent {
            Ok(response) if response.status() == reqwest::StatusCode::OK => response,
            sent => return refused(sent),
        };
        let allowed =
            response.headers().get("webhook-allowed-origin").and_then(|origin| origin.to_str().ok());
        match allowed.map(str::trim) {
            Some(origin) if origin == "*" || origin.eq_ignore_ascii_case(ORIGIN) => Consent::Given,
            Some(_) => Consent::Refused(format!("WebHook-Allowed-Origin is neither {ORIGIN} nor *")),
            None => Consent::Refused("the response has no header WebHook-Allowed-Origin".to_owned()),
        }
    }
}

fn refused(sent: Result<reqwest::Response, reqwest::Error>) -> Consent {
    let reason = match sent {
        Ok(response) => format!("the webhook returned {}, expected 200", response.status().as_u16()),
        Err(error) if error.is_timeout() => "the webhook did not respond in time".to_owned(),
        Err(_) => "the webhook can't be reached".to_owned(),
    };
    Consent::Refused(reason)
}

/// Returns the URL to validate a subscription by hand if its code was not returned.
pub(super) fn validation_url(controls: &str, name: &str, token: &str, now: OffsetDateTime) -> String {
    let (id, at) = (Uuid::new_v4(), event_time(now));
    format!(
        "{controls}/_sandbox/eventsubscriptions/{name}/validate?id={id}&t={at}&apiVersion=2018-05-01-preview&token={token}"
    )
}

/// Returns the delay of the patient handshake after this many attempts.
pub(super) fn patient_delay(attempts: usize) -> Duration {
    PATIENT_DELAYS.get(attempts).or(PATIENT_DELAYS.last()).copied().unwrap_or(Duration::MINUTE)
}

/// The time limit for a webhook's response, in real time.
pub(super) const RESPONSE_TIMEOUT: RealDuration = RealDuration::from_secs(30);
