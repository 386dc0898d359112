//! The shapes of Microsoft's published payloads against the answers of the sandbox.
//!
//! `shapes.json` holds, for each sample, its keys and the type of each value. Every one of them is compared with the
//! sandbox's answer to the same request; every difference is listed in [`ACCEPTED`] with the reason, or the test fails.

mod client;
mod entra;
mod event_grid;
mod graph;
mod key_vault;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::client::Bench;
use self::event_grid::Webhook;
use self::shape::differences;

/// A difference between a sample and our answer that is right, and why.
struct Accepted {
    /// The sample, or several with the same beginning.
    sample: &'static str,
    /// As [`differences`] writes it; a `*` at the end stands for anything.
    difference: &'static str,
    #[expect(dead_code, reason = "it documents the difference")]
    why: &'static str,
}

const CERTIFICATES: &str = "documented for secrets that belong to a certificate only (contract A.2)";
const CONTEXT: &str = "Graph puts `@odata.context` before every answer; the page leaves it out";
const RENAMED: &str =
    "the report's metadata calls it expirationDateTime, and has createdDateTime (contract D.10)";
const IDS: &str = "every error of Graph names its request (contract D.5); the capture was cut";
const NEWER: &str = "the contract's attributes (A.2) have it in every answer; the sample is older";

const ACCEPTED: &[Accepted] = &[
    Accepted {
        sample: "entra/openid_configuration_docs_excerpt",
        difference: "added *",
        why: "the page states that it is an excerpt; discovery documents have the rest",
    },
    Accepted { sample: "graph/addPassword_response", difference: "added /@odata.context", why: CONTEXT },
    Accepted { sample: "graph/appCredentialSignIn", difference: "added /@odata.context", why: CONTEXT },
    Accepted {
        sample: "graph/appCredentialSignIn",
        difference: "missing /value/0/expirationDate",
        why: RENAMED,
    },
    Accepted {
        sample: "graph/appCredentialSignIn",
        difference: "added /value/0/expirationDateTime",
        why: RENAMED,
    },
    Accepted {
        sample: "graph/appCredentialSignIn",
        difference: "added /value/0/createdDateTime",
        why: RENAMED,
    },
    Accepted { sample: "graph/error_4", difference: "added /error/innerError/request-id", why: IDS },
    Accepted { sample: "graph/error_4", difference: "added /error/innerError/client-request-id", why: IDS },
    Accepted { sample: "graph/error_400_app_policy", difference: "added /error/innerError", why: IDS },
    Accepted { sample: "keyvault/SetSecret", difference: "missing /previousVersion", why: CERTIFICATES },
    Accepted { sample: "keyvault/GetSecret-", difference: "missing /previousVersion", why: CERTIFICATES },
    Accepted { sample: "keyvault/", difference: "added /attributes/recoverableDays", why: NEWER },
    Accepted { sample: "keyvault/", difference: "added /value/0/attributes/recoverableDays", why: NEWER },
    Accepted { sample: "keyvault/", difference: "added /value/0/attributes/recoveryLevel", why: NEWER },
];

/// Samples that the sandbox has no answer for, and why.
const UNANSWERED: &[(&str, &str)] = &[
    (
        "eventgrid/namespace_",
        "pull delivery (contract C.6) is not modelled: nothing of ours receives from a namespace",
    ),
    (
        "eventgrid/subscription_validation_response.json",
        "a webhook answers it, not the sandbox; no event arrives here unless its `validationResponse` was right",
    ),
];

impl Accepted {
    fn covers(&self, sample: &str, difference: &str) -> bool {
        let is_it = |start: &str| difference.starts_with(start);
        let wanted = self.difference;
        sample.starts_with(self.sample) && wanted.strip_suffix('*').map_or(wanted == difference, is_it)
    }
}

/// Answers by the name of the sample they belong to.
type Answers = BTreeMap<&'static str, Value>;

/// Every recorded sample is matched in shape by an answer of the sandbox.
#[tokio::test]
async fn sandbox_answers_match_every_sample_shape() {
    let webhook = Webhook::default();
    let bench = Bench::start(webhook.serve().await).await;
    let mut answers = Answers::new();
    event_grid::collect(&bench, &webhook, &mut answers).await;
    key_vault::collect(&bench, &mut answers).await;
    graph::collect(&bench, &mut answers).await;
    entra::collect(&bench, &mut answers).await;
    bench.sandbox.shutdown().await;
    let shapes: BTreeMap<String, Value> = serde_json::from_str(include_str!("shapes.json")).unwrap();
    let unexpected: Vec<_> =
        shapes.iter().flat_map(|(sample, shape)| unexpected(sample, shape, &answers)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let stale = stale(&shapes, &answers);
    assert!(stale.is_empty(), "accepted, but no longer so: {stale:#?}");
}

/// Lists the differences of the answer to one sample that are not accepted.
fn unexpected(sample: &str, shape: &Value, answers: &Answers) -> Vec<String> {
    let is_unanswered = UNANSWERED.iter().any(|(name, _)| sample.starts_with(name));
    let Some(answer) = answers.get(sample) else {
        return if is_unanswered { Vec::new() } else { vec![format!("{sample}: no answer was collected")] };
    };
    let is_accepted =
        |difference: &String| ACCEPTED.iter().any(|accepted| accepted.covers(sample, difference));
    let found = differences(shape, answer).into_iter().filter(|difference| !is_accepted(difference));
    found.map(|difference| format!("{sample}: {difference}")).collect()
}

/// Lists the accepted differences that no sample shows any more.
fn stale(shapes: &BTreeMap<String, Value>, answers: &Answers) -> BTreeSet<String> {
    let found: BTreeSet<(String, String)> = shapes
        .iter()
        .filter_map(|(sample, shape)| Some((sample, differences(shape, answers.get(sample.as_str())?))))
        .flat_map(|(sample, found)| found.into_iter().map(|difference| (sample.clone(), difference)))
        .collect();
    let is_seen =
        |accepted: &&Accepted| found.iter().any(|(sample, difference)| accepted.covers(sample, difference));
    let stale = ACCEPTED.iter().filter(|accepted| !is_seen(accepted));
    stale.map(|accepted| format!("{}: {}", accepted.sample, accepted.difference)).collect()
}
