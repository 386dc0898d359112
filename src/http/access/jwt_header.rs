//! The unverified header of a JWT: algorithm and key id.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::AuthRejection;

#[derive(Deserialize)]
struct JwtHeader {
    alg: String,
    kid: Option<String>,
}

/// Returns the id of the key that `token` claims to be signed with. The token does not choose the algorithm: any other
/// than RS256 is refused before the key is searched for.
pub(super) fn key_id(token: &str) -> Result<String, AuthRejection> {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(AuthRejection::Malformed);
    };
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| AuthRejection::Malformed)?;
    let header: JwtHeader = serde_json::from_slice(&header).map_err(|_| AuthRejection::Malformed)?;
    if header.alg != "RS256" {
        return Err(AuthRejection::WrongAlgorithm);
    }
    header.kid.filter(|kid| kid.len() <= MAX_KEY_ID_LENGTH).ok_or(AuthRejection::Malformed)
}

const MAX_KEY_ID_LENGTH: usize = 256;
