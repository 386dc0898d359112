//! The report on credentials' sign-ins.

use rekeyd::ports::{SignIn, SignInVerifier, Usage, UsageReport};
use rekeyd::sandbox::{FaultKind, Service};
use time::Duration;

use super::Bench;
use crate::world::START;

/// The usage report contains each credential's last sign-in, once it has caught up, and omits unused credentials.
#[tokio::test]
async fn report_lists_last_sign_ins() {
    let bench = Bench::new().await;
    let (used, unused) = (bench.issued().await, bench.issued().await);
    let client_id = bench.client_id();
    assert_eq!(bench.azure.entra.sign_in(client_id, &used.secret_text).await, SignIn::Accepted);
    let Usage::Known(early) = bench.azure.graph.last_sign_ins(client_id).await.unwrap() else {
        panic!("there is a report")
    };
    assert!(!early.contains_key(&used.key_id), "the report lags");
    bench.sandbox.clock().run_until(START + Duration::hours(3)).await;
    let Usage::Known(known) = bench.azure.graph.last_sign_ins(client_id).await.unwrap() else {
        panic!("there is a report")
    };
    let signed_in = known[&used.key_id];
    assert!((START..START + Duration::minutes(1)).contains(&signed_in), "{signed_in}");
    assert!(!known.contains_key(&unused.key_id), "a credential without a record has no sign-in");
}

/// A report that is refused for lack of a licence or a right is unavailable, and the reason is given.
#[tokio::test]
async fn unavailable_report_gives_the_reason() {
    let unlicensed = Bench::new().await;
    unlicensed.sandbox.model().set_sign_in_report(None, Some(false));
    let forbidden = Bench::new().await;
    forbidden.permit(&["Application.ReadWrite.OwnedBy"]);
    for (bench, code) in [
        (unlicensed, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"),
        (forbidden, "Authorization_RequestDenied"),
    ] {
        let usage = bench.azure.graph.last_sign_ins(bench.client_id()).await.unwrap();
        assert_eq!(usage, Usage::Unavailable(format!("status 403 ({code})")));
    }
}

/// A report that is only busy is requested again; if it stays busy, that is an error and not unavailable.
#[tokio::test]
async fn busy_report_is_not_unavailable() {
    let bench = Bench::new().await;
    let report = "/reports/";
    for kind in [FaultKind::Throttled, FaultKind::Unavailable, FaultKind::Timeout] {
        bench.fail(Service::Graph, "GET", report, kind, 2);
        let usage = bench.azure.graph.last_sign_ins(bench.client_id()).await;
        assert!(matches!(usage, Ok(Usage::Known(_))), "{kind:?}: {usage:?}");
        bench.fail(Service::Graph, "GET", report, kind, 5);
        let usage = bench.azure.graph.last_sign_ins(bench.client_id()).await;
        assert!(usage.is_err(), "{kind:?}: {usage:?}");
    }
}
