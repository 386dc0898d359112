//! The `UsageReport` on Graph's beta report of credentials' sign-ins. Makes no decisions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::Graph;
use crate::domain::{ClientId, KeyId};
use crate::ports::{PortError, Usage, UsageReport};

/// The path of the report, which is still in beta.
pub(super) const REPORT: &str = "/beta/reports/appCredentialSignInActivities";

/// One credential, as used for one purpose.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowJson {
    #[serde(default)]
    app_id: Option<String>,
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    sign_in_activity: Option<ActivityJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActivityJson {
    #[serde(default)]
    last_sign_in_date_time: Option<String>,
}

#[async_trait]
impl UsageReport for Graph {
    async fn last_sign_ins(&self, client_id: ClientId) -> Result<Usage, PortError> {
        const OPERATION: &str = "read the sign-in report";
        let mut url = self.url(OPERATION, REPORT)?;
        url.query_pairs_mut().append_pair("$filter", &format!("appId eq '{client_id}'"));
        match self.list::<RowJson>(OPERATION, url).await {
            Ok(rows) => Ok(Usage::Known(last_sign_ins(rows, client_id, self.clock.now()))),
            Err(PortError::Refused { status: status @ (400 | 403 | 404), code, .. }) => {
                Ok(Usage::Unavailable(format!("status {status} ({code})")))
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the latest sign-in of each credential. An unreadable time counts as a sign-in just now: it must not pass for
/// no sign-in.
fn last_sign_ins(
    rows: Vec<RowJson>,
    client_id: ClientId,
    now: OffsetDateTime,
) -> BTreeMap<KeyId, OffsetDateTime> {
    let mut last = BTreeMap::new();
    for row in rows {
        let is_anothers = row.app_id.is_some_and(|id| id.parse() != Ok(client_id));
        let key_id = row.key_id.and_then(|id| Uuid::try_parse(&id).ok());
        let at = row.sign_in_activity.and_then(|activity| activity.last_sign_in_date_time);
        let (Some(key_id), Some(at), false) = (key_id, at, is_anothers) else { continue };
        let at = moment(&at).unwrap_or(now);
        let known = last.entry(KeyId(key_id)).or_insert(at);
        *known = at.max(*known);
    }
    last
}

/// Parses RFC 3339; also with an offset of one digit (`-8:00`), as in the report's own examples, or without an offset
/// (UTC).
fn moment(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    let whole = match split_offset(text, "-8:00".len()) {
        Some((moment, offset)) => {
            let (sign, hours) = offset.split_at(1);
            format!("{moment}{sign}0{hours}")
        }
        None if split_offset(text, "-08:00".len()).is_some() || text.ends_with(['Z', 'z']) => text.to_owned(),
        None => format!("{text}Z"),
    };
    OffsetDateTime::parse(&whole, &Rfc3339).ok()
}

/// Splits an offset of this length off the end, if there is one.
fn split_offset(text: &str, length: usize) -> Option<(&str, &str)> {
    let (moment, offset) = text.split_at_checked(text.len().checked_sub(length)?)?;
    offset.starts_with(['+', '-']).then_some((moment, offset))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    /// Dates of the sign-in report are read with a short offset, with fractions or without a zone, and other text is
    /// not a date.
    #[test]
    fn unusual_report_dates_are_read() {
        for (text, read) in [
            ("2021-04-01T00:00:00-8:00", datetime!(2021-04-01 0:00 -8)),
            ("2021-04-01T00:00:00-08:00", datetime!(2021-04-01 0:00 -8)),
            ("2021-04-01T00:00:00.1234567Z", datetime!(2021-04-01 0:00:00.123_456_7 UTC)),
            ("2021-04-01T00:00:00", datetime!(2021-04-01 0:00 UTC)),
        ] {
            assert_eq!(moment(text), Some(read), "{text}");
        }
        for text in ["", "soon", "-8:00", "2021-04-01", "ä8:00"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    fn row(number: u128, app: u128, at: &str) -> Value {
        let (key, app) = (Uuid::from_u128(number), Uuid::from_u128(app));
        json!({"keyId": key, "appId": app, "signInActivity": {"lastSignInDateTime": at}})
    }

    /// The latest sign-in of each credential counts, and an unreadable date counts as a sign-in now.
    #[test]
    fn latest_sign_in_of_each_credential_counts() {
        let (client_id, key) = (ClientId(Uuid::from_u128(7)), Uuid::from_u128);
        let rows = json!([
            row(1, 7, "2026-01-02T00:00:00Z"),
            row(1, 7, "2026-01-01T00:00:00Z"),
            row(2, 7, "lately"),
            row(3, 8, "2026-01-01T00:00:00Z"),
            {"keyId": key(4), "appId": key(7), "signInActivity": {"lastSignInDateTime": null}},
            {"keyId": key(5), "appId": key(7)},
            {"keyId": "none", "signInActivity": null},
        ]);
        let rows = serde_json::from_value(rows).unwrap();
        let expected = [(KeyId(key(1)), datetime!(2026-01-02 0:00 UTC)), (KeyId(key(2)), NOW)];
        assert_eq!(last_sign_ins(rows, client_id, NOW), expected.into());
    }
}
