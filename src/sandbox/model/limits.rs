//! Key Vault's limits: names, sizes, numbers of tags.

use std::collections::BTreeMap;

use super::refusal::VaultRefusal;

const MAX_TAGS: usize = 15;
const MAX_TAG_LENGTH: usize = 256;
const MAX_VALUE_BYTES: usize = 25 * 1024;
const MAX_CONTENT_TYPE_LENGTH: usize = 255;

/// Checks that a name is valid for a secret: 1 to 127 letters, digits and dashes.
///
/// # Errors
/// `BadParameter` if it is not.
pub(crate) fn check_secret_name(name: &str) -> Result<(), VaultRefusal> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=127).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(VaultRefusal::BadParameter(format!("The request URI contains an invalid name: {name}")))
}

pub(super) fn check_value(value: &str) -> Result<(), VaultRefusal> {
    refuse_if(value.len() > MAX_VALUE_BYTES, "The secret value is too long: it has more than 25 KB.")
}

pub(super) fn check_content_type(content_type: Option<&str>) -> Result<(), VaultRefusal> {
    let is_too_long = content_type.is_some_and(|text| text.chars().count() > MAX_CONTENT_TYPE_LENGTH);
    refuse_if(is_too_long, "The content type is too long: it has more than 255 characters.")
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), VaultRefusal> {
    refuse_if(tags.len() > MAX_TAGS, "There are more than 15 tags.")?;
    let is_too_long = |text: &String| text.chars().count() > MAX_TAG_LENGTH;
    let any = tags.iter().any(|(name, value)| is_too_long(name) || is_too_long(value));
    refuse_if(any, "A tag's name or value has more than 256 characters.")
}

fn refuse_if(is_wrong: bool, message: &str) -> Result<(), VaultRefusal> {
    if is_wrong { Err(VaultRefusal::BadParameter(message.to_owned())) } else { Ok(()) }
}
