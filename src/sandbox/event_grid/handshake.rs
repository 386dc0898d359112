//! The handshakes: whether a webhook wants events, asked as its schema has it.

use std::time::Duration as RealDuration;

use secrecy::SecretString;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::endpoint::{Endpoint, ORIGIN};
use super::event::{Schema, event_time};

/// How long somebody has to open the validation URL by hand.
pub(super) const MANUAL_VALIDATION: Duration = Duration::minutes(10);

/// The built-in subscription's handshake is tried for as long as it takes, since the daemon may come up late.
const PATIENT_DELAYS: [Duration; 4] =
    [Duration::seconds(10), Duration::seconds(30), Duration::minutes(1), Duration::minutes(5)];

/// How a webhook has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    /// It took the code and didn't give it back: somebody has to open the validation URL.
    Awaited,
    Refused(String),
}

/// What a handshake is made with.
pub(super) struct Invitation {
    pub(super) validation_url: String,
    pub(super) now: OffsetDateTime,
    pub(super) token: Option<SecretString>,
}

impl Endpoint {
    /// Asks the other side whether it wants the events. A queue isn't asked.
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
            Some(_) => Consent::Refused("the validation code that came back is another one".to_owned()),
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
            None => Consent::Refused("the answer has no WebHook-Allowed-Origin".to_owned()),
        }
    }
}

fn refused(sent: Result<reqwest::Response, reqwest::Error>) -> Consent {
    let reason = match sent {
        Ok(response) => format!("the webhook answered {} and not 200", response.status().as_u16()),
        Err(error) if error.is_timeout() => "the webhook didn't answer in time".to_owned(),
        Err(_) => "the webhook can't be reached".to_owned(),
    };
    Consent::Refused(reason)
}

/// Where a subscription that was answered without its code can be validated by hand.
pub(super) fn validation_url(controls: &str, name: &str, token: &str, now: OffsetDateTime) -> String {
    let (id, at) = (Uuid::new_v4(), event_time(now));
    format!(
        "{controls}/_sandbox/eventsubscriptions/{name}/validate?id={id}&t={at}&apiVersion=2018-05-01-preview&token={token}"
    )
}

/// How long the patient handshake waits after so many attempts.
pub(super) fn patient_delay(attempts: usize) -> Duration {
    PATIENT_DELAYS.get(attempts).or(PATIENT_DELAYS.last()).copied().unwrap_or(Duration::MINUTE)
}

/// How long a webhook has to answer, in real time.
pub(super) const RESPONSE_TIMEOUT: RealDuration = RealDuration::from_secs(30);
