//! The head of a token, read before anything of it is believed: how it claims to be signed, and with which key.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Refusal;

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
}

/// The name of the key that `token` claims to be signed with. The token does not choose the algorithm: another one than
/// RS256 is refused before any key is looked for.
pub(super) fn key_id(token: &str) -> Result<String, Refusal> {
    let mut parts = token.split('.');
    let (Some(head), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    let head = BASE64_URL_SAFE_NO_PAD.decode(head).map_err(|_| Refusal::Malformed)?;
    let head: Head = serde_json::from_slice(&head).map_err(|_| Refusal::Malformed)?;
    if head.alg != "RS256" {
        return Err(Refusal::WrongAlgorithm);
    }
    head.kid.filter(|kid| kid.len() <= MAX_KEY_ID_LENGTH).ok_or(Refusal::Malformed)
}

const MAX_KEY_ID_LENGTH: usize = 256;
