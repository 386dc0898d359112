//! The form that a token endpoint receives, with the fields that HTTP Basic adds to it.

use std::collections::BTreeMap;

use super::refusal::Refusal;
use crate::sandbox::https::Request;

/// A form's fields; an empty one counts as missing.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn of(request: &Request) -> Self {
        let mut fields = request.form();
        if let Some((client_id, secret)) = request.basic_credentials() {
            fields.entry("client_id".to_owned()).or_insert(client_id);
            fields.entry("client_secret".to_owned()).or_insert(secret);
        }
        Self(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }
}
