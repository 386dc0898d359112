//! Graph's quotas for identity and access, for a small tenant. Knows nothing about requests except their cost.
//!
//! The quotas of one application over all tenants (150,000 units in 20 s, 70,000 writes in 5 min, 130,000 requests
//! in 10 s) are left out: in a single tenant the smaller ones are always reached first.

use std::collections::HashMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::meter::Meter;
use super::{Model, State};

/// The cost of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Resource units; reading keys costs more.
    Read { units: u32, selects_keys: bool },
    /// One write and one resource unit; `application` is the application written to, if any.
    Write { application: Option<Uuid> },
    /// One request to the reports.
    Report,
}

/// A request within its quotas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spent {
    /// In resource units.
    pub(crate) units: u32,
    /// The used share of the fullest quota; 1 is all of it.
    pub(crate) share: f64,
}

/// A request over one of its quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GraphThrottled {
    /// The kind of quota that was used up.
    pub(crate) quota: Quota,
    /// The time until a retry can succeed.
    pub(crate) wait: Duration,
}

/// The kind of quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Resource units.
    Units,
    /// Writes.
    Writes,
}

#[derive(Debug)]
pub(super) struct GraphQuota {
    callers: HashMap<Uuid, CallerQuota>,
    tenant_writes: Meter,
    key_reads: Meter,
    /// Writes by application; only for applications that admit personal accounts.
    personal_writes: HashMap<Uuid, Meter>,
}

#[derive(Debug)]
struct CallerQuota {
    units: Meter,
    writes: Meter,
    reports: Meter,
}

impl Model {
    /// Spends the cost of a request of this client.
    ///
    /// # Errors
    /// Nothing is spent if any quota that applies to the request is used up.
    pub(crate) fn spend_graph_quota(
        &self,
        client_id: Uuid,
        cost: Cost,
        now: OffsetDateTime,
    ) -> Result<Spent, GraphThrottled> {
        let mut state = self.lock();
        let application = match cost {
            Cost::Write { application } => application.filter(|id| state.admits_personal_accounts(*id)),
            Cost::Read { .. } | Cost::Report => None,
        };
        state.graph_quota.spend(client_id, cost, application, now)
    }
}

impl State {
    fn admits_personal_accounts(&self, object_id: Uuid) -> bool {
        let application = self.applications.get(&object_id);
        application.is_some_and(|application| application.audience.admits_personal_accounts())
    }
}

impl Default for GraphQuota {
    fn default() -> Self {
        Self {
            callers: HashMap::new(),
            tenant_writes: Meter::new(18_000, Duration::minutes(5)),
            key_reads: Meter::new(150, Duration::MINUTE),
            personal_writes: HashMap::new(),
        }
    }
}

impl Default for CallerQuota {
    fn default() -> Self {
        Self {
            units: Meter::new(3_500, Duration::seconds(10)),
            writes: Meter::new(3_000, Duration::seconds(150)),
            reports: Meter::new(5, Duration::seconds(10)),
        }
    }
}

impl GraphQuota {
    fn spend(
        &mut self,
        client_id: Uuid,
        cost: Cost,
        personal: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Result<Spent, GraphThrottled> {
        let units = cost.units();
        let mut meters = self.meters(client_id, cost, personal);
        for (meter, quota, cost) in &mut meters {
            if let Some(wait) = meter.wait(*cost, now) {
                return Err(GraphThrottled { quota: *quota, wait });
            }
        }
        let mut share: f64 = 0.0;
        for (meter, _, cost) in &mut meters {
            meter.spend(*cost, now);
            share = share.max(meter.share());
        }
        Ok(Spent { units, share })
    }

    /// Returns every quota that applies to the request, with the amount that it takes of each.
    fn meters(
        &mut self,
        client_id: Uuid,
        cost: Cost,
        personal: Option<Uuid>,
    ) -> Vec<(&mut Meter, Quota, u32)> {
        let caller = self.callers.entry(client_id).or_default();
        match cost {
            Cost::Report => vec![(&mut caller.reports, Quota::Units, 1)],
            Cost::Read { units, selects_keys } => {
                let keys = selects_keys.then_some((&mut self.key_reads, Quota::Units, 1));
                [(&mut caller.units, Quota::Units, units)].into_iter().chain(keys).collect()
            }
            Cost::Write { .. } => {
                let writes = || Meter::new(60, Duration::MINUTE);
                let personal = personal.map(|id| self.personal_writes.entry(id).or_insert_with(writes));
                [
                    (&mut caller.units, Quota::Units, 1),
                    (&mut caller.writes, Quota::Writes, 1),
                    (&mut self.tenant_writes, Quota::Writes, 1),
                ]
                .into_iter()
                .chain(personal.map(|meter| (meter, Quota::Writes, 1)))
                .collect()
            }
        }
    }
}

impl Cost {
    fn units(self) -> u32 {
        match self {
            Self::Read { units, .. } => units,
            Self::Write { .. } | Self::Report => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::model::seed::tests::{START, small_world};

    const WRITE: Cost = Cost::Write { application: None };

    fn passed(model: &Model, clients: &[Uuid], times: usize, cost: Cost, after: Duration) -> usize {
        let clients = clients.iter().cycle().take(times);
        clients.filter(|id| model.spend_graph_quota(**id, cost, START + after).is_ok()).count()
    }

    /// A tenant accepts 18,000 writes in five minutes, counted across all of its clients.
    #[test]
    fn tenant_write_quota_covers_all_clients() {
        let model = small_world();
        let clients: Vec<_> = (1..=9).map(Uuid::from_u128).collect();
        assert_eq!(passed(&model, &clients, 30_000, WRITE, Duration::ZERO), 18_000);
        assert_eq!(passed(&model, &clients, 100, WRITE, Duration::minutes(4)), 0);
        assert_eq!(passed(&model, &clients, 100, WRITE, Duration::minutes(5)), 100);
    }

    /// A client that has used up its read quota does not reduce the quota of another client.
    #[test]
    fn clients_have_separate_read_quotas() {
        let model = small_world();
        let read = Cost::Read { units: 2, selects_keys: false };
        assert_eq!(passed(&model, &[Uuid::from_u128(1)], 2_000, read, Duration::ZERO), 1_750);
        assert_eq!(passed(&model, &[Uuid::from_u128(2)], 10, read, Duration::ZERO), 10);
    }

    /// All clients together may read keys 150 times a minute.
    #[test]
    fn all_clients_share_key_read_quota() {
        let model = small_world();
        let clients = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let read = Cost::Read { units: 1, selects_keys: true };
        assert_eq!(passed(&model, &clients, 200, read, Duration::ZERO), 150);
        assert_eq!(passed(&model, &clients, 200, read, Duration::MINUTE), 150);
    }
}
