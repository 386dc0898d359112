//! The `ResourceProbe` over HTTPS: one `GET` with the application's own token, to the configured address.
//!
//! Only the status of the answer is read, never its content: health data must not get in here.

use async_trait::async_trait;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::observer::RequestObserver;
use crate::domain::{Probe, ProbeAnswer, ProbeKind};
use crate::ports::{ResourceProbe, chain};

/// A client that probes protected resources.
#[derive(Debug)]
pub struct HttpsProbe {
    /// The HTTP client, which follows no redirects.
    http: reqwest::Client,
    observer: RequestObserver,
}

impl HttpsProbe {
    pub(super) const fn new(http: reqwest::Client, observer: RequestObserver) -> Self {
        Self { http, observer }
    }
}

#[async_trait]
impl ResourceProbe for HttpsProbe {
    async fn probe(&self, probe: &Probe, token: &SecretString) -> ProbeAnswer {
        let Some(url) = Url::parse(&probe.url).ok().filter(|url| url.scheme() == "https") else {
            return ProbeAnswer::Unclear("the URL is not an HTTPS URL".to_owned());
        };
        let request = self.http.get(url).header("accept", accepted(probe.kind));
        match self.observer.send_once(request.bearer_auth(token.expose_secret())).await {
            Ok(response) => interpret(probe, response.status().as_u16()),
            Err(error) => ProbeAnswer::Unclear(chain(&error.without_url())),
        }
    }
}

/// Returns the media type (`Accept`) that a service of this kind is asked for.
const fn accepted(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Fhir => "application/fhir+json",
        ProbeKind::Dicom => "application/dicom+json",
        ProbeKind::Https => "*/*",
    }
}

fn interpret(probe: &Probe, status: u16) -> ProbeAnswer {
    match status {
        _ if probe.expected.contains(&status) => ProbeAnswer::AsExpected,
        401 => ProbeAnswer::Unauthenticated,
        403 => ProbeAnswer::Forbidden,
        408 | 429 | 500.. => ProbeAnswer::Unclear(format!("status {status}")),
        _ => ProbeAnswer::Unexpected(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A status that the probe expects is a good answer, even if it otherwise means a refusal.
    #[test]
    fn expected_status_outweighs_its_usual_meaning() {
        let probe = Probe { kind: ProbeKind::Https, url: String::new(), expected: [200, 403].into() };
        for (status, answer) in [
            (200, ProbeAnswer::AsExpected),
            (403, ProbeAnswer::AsExpected),
            (401, ProbeAnswer::Unauthenticated),
            (302, ProbeAnswer::Unexpected(302)),
            (404, ProbeAnswer::Unexpected(404)),
            (429, ProbeAnswer::Unclear("status 429".to_owned())),
            (503, ProbeAnswer::Unclear("status 503".to_owned())),
        ] {
            assert_eq!(interpret(&probe, status), answer);
        }
        let strict = Probe { expected: [200].into(), ..probe };
        assert_eq!(interpret(&strict, 403), ProbeAnswer::Forbidden);
    }
}
