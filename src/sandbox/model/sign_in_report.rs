//! The report on credentials' sign-ins, as Graph's beta returns it, and its delay.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Model, State, guid};

/// The default delay of the report. The real one's is not documented: hours to a day.
const USUAL_LAG: Duration = Duration::hours(2);

/// A credential and its last sign-in that is in the report.
#[derive(Debug, Clone)]
pub struct ReportedSignIn {
    /// The credential.
    pub key_id: Uuid,
    /// The start of its validity.
    pub start: OffsetDateTime,
    /// The end of its validity.
    pub end: OffsetDateTime,
    /// The application's client id.
    pub client_id: Uuid,
    /// The application's object id.
    pub object_id: Uuid,
    /// Its service principal.
    pub service_principal: Uuid,
    /// The service principal of the resource that the token was for, if it has one here.
    pub resource: Option<Uuid>,
    /// The time of the sign-in.
    pub at: OffsetDateTime,
    /// The request id of the sign-in.
    pub request_id: Uuid,
}

/// The settings of the report: its delay and its availability.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReportSettings {
    lag: Duration,
    is_available: bool,
}

/// The last sign-in with one credential that is in the report, and the later ones that are not in it yet.
#[derive(Debug, Clone, Default)]
pub(super) struct SignIns(Vec<SignIn>);

#[derive(Debug, Clone, Copy)]
struct SignIn {
    at: OffsetDateTime,
    resource: Option<Uuid>,
    request_id: Uuid,
}

impl Model {
    /// Returns one row for each credential that has signed in; `None` if the tenant has no licence for the report.
    pub fn sign_in_report(&self, now: OffsetDateTime) -> Option<Vec<ReportedSignIn>> {
        let state = self.lock();
        let State { applications, report, .. } = &*state;
        let rows = applications.values().flat_map(|application| {
            let credentials = application.credentials.iter().filter(|credential| !credential.is_removed());
            credentials.filter_map(move |credential| {
                let last = credential.sign_ins.last_known(now - report.lag)?;
                Some(ReportedSignIn {
                    key_id: credential.key_id,
                    start: credential.start,
                    end: credential.end,
                    client_id: application.client_id,
                    object_id: application.object_id,
                    service_principal: application.service_principal,
                    resource: last.resource,
                    at: last.at,
                    request_id: last.request_id,
                })
            })
        });
        report.is_available.then(|| rows.collect())
    }

    /// Sets the report's delay, and if the tenant has a licence for it. A longer delay applies from now on.
    pub fn set_sign_in_report(&self, lag: Option<Duration>, is_available: Option<bool>) {
        let report = &mut self.lock().report;
        report.lag = lag.unwrap_or(report.lag);
        report.is_available = is_available.unwrap_or(report.is_available);
    }
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self { lag: USUAL_LAG, is_available: true }
    }
}

impl SignIns {
    /// Records a sign-in. Keeps one for each minute, and none older than the latest one that the report shows.
    pub(super) fn record(
        &mut self,
        resource: Option<Uuid>,
        at: OffsetDateTime,
        report: &ReportSettings,
        rng: &mut fastrand::Rng,
    ) {
        let known = at - report.lag;
        let obsolete = self.0.partition_point(|sign_in| sign_in.at <= known).saturating_sub(1);
        self.0.drain(..obsolete);
        if let [.., before, last] = self.0.as_slice()
            && last.at - before.at < Duration::MINUTE
        {
            self.0.pop();
        }
        self.0.push(SignIn { at, resource, request_id: guid(rng) });
    }

    fn last_known(&self, known: OffsetDateTime) -> Option<SignIn> {
        let count = self.0.partition_point(|sign_in| sign_in.at <= known);
        self.0.get(count.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::model::seed::tests::START;

    /// The stored history stays short but still contains the last sign-in before the report's lag.
    #[test]
    fn sign_in_history_is_short_but_sufficient() {
        let (mut rng, report) = (fastrand::Rng::with_seed(1), ReportSettings::default());
        let mut sign_ins = SignIns::default();
        for second in 0..36_000 {
            sign_ins.record(None, START + Duration::seconds(second), &report, &mut rng);
        }
        assert!(sign_ins.0.len() <= 122, "{}", sign_ins.0.len());
        let now = START + Duration::hours(10);
        let last = sign_ins.last_known(now - USUAL_LAG).map(|last| now - last.at);
        assert!(last.is_some_and(|age| (USUAL_LAG..USUAL_LAG + Duration::minutes(2)).contains(&age)));
        assert!(sign_ins.last_known(START - Duration::SECOND).is_none());
    }
}
