//! The `ResourceProbe` over HTTPS: one `GET` with the application's own token, to where the configuration says.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::{Probe, ProbeAnswer};
use crate::ports::ResourceProbe;

/// Asks protected resources.
#[derive(Debug)]
pub struct HttpsProbe;

#[async_trait]
impl ResourceProbe for HttpsProbe {
    async fn probe(&self, _: &Probe, _: &SecretString) -> ProbeAnswer {
        ProbeAnswer::Unclear("not built yet".to_owned())
    }
}
