//! The guard against a confused deputy: tags get no credential of an application that did not consent to it.

use std::collections::BTreeMap;

use rekeyd::domain::SecretId;
use rekeyd::domain::tags::{CREDENTIAL_ID, PROVIDER_ADDRESS, SUPERSEDED_CREDENTIAL_ID};
use rekeyd::ports::Clock;
use rekeyd::sandbox::model::{Application, ApplicationChange, Credential, Model, NewVersion, Seed};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::managed::{FOUND, SWEEP, ask, current, fleet, options, set, set_application_tags, versions};
use crate::fleet::Fleet;

/// Adds an application that the daemon could write to, with one credential of another owner.
fn application(fleet: &Fleet, change: ApplicationChange) -> Application {
    let owners = Some([fleet.model().tenant().daemon.object_id].into());
    fleet.model().add_settled_application(ApplicationChange { owners, ..change }, fleet.sandbox.clock().now())
}

fn consent(secret: &str) -> Vec<String> {
    vec![format!("rekeyd:secret={secret}")]
}

fn credentials(fleet: &Fleet, object_id: Uuid) -> Vec<Uuid> {
    let found = fleet.model().application(object_id, fleet.sandbox.clock().now()).unwrap();
    found.credentials.iter().map(|credential| credential.key_id).collect()
}

/// Issues a credential of this application by hand, as a colleague does.
fn colleague(fleet: &Fleet, object_id: Uuid, days: i64) -> Credential {
    let now = fleet.sandbox.clock().now();
    let end = Some(now + Duration::days(days));
    fleet.model().add_password(object_id, Some("made by a colleague"), None, end, now).unwrap()
}

/// Writes a secret into the vault that is searched, as a person does.
fn write(fleet: &Fleet, name: &str, text: &str, tags: &[(&str, String)]) -> SecretId {
    let vault = fleet.secret(FOUND).vault;
    let tags: BTreeMap<_, _> = tags.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let new = NewVersion { tags, ..NewVersion::of(text.to_owned().into()) };
    fleet.model().put_secret(vault.as_str(), name, new, fleet.sandbox.clock().now()).unwrap();
    format!("{vault}/{name}").parse().unwrap()
}

fn blocked_lines(fleet: &Fleet, secret: &SecretId, reason: &str) -> Vec<String> {
    let lines = fleet.audit_lines();
    let of_secret = lines.iter().filter(|line| {
        line["event"] == "blocked" && line["secret"] == secret.to_string() && line["reason"] == reason
    });
    of_secret.map(|line| line["detail"].as_str().unwrap().to_owned()).collect()
}

/// A secret whose application does not consent to it gets no credential, and the reason is reported.
#[tokio::test]
async fn unconsenting_application_gets_nothing() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let before = current(&fleet, &secret);
    // It consents to another secret, and to the whole vault in a form that has no effect.
    let tags = Some(vec!["rekeyd:secret=vault-2/app-02".into(), format!("rekeyd:secret={}", secret.vault)]);
    let powerful = application(&fleet, ApplicationChange { tags, ..ApplicationChange::default() });
    let made = colleague(&fleet, powerful.object_id, 5);
    for address in [
        powerful.object_id.to_string(),
        powerful.client_id.to_string(),
        format!("https://graph.microsoft.com/v1.0/applications/{}", powerful.object_id),
        format!("https://graph.microsoft.com/v1.0/applications(appId='{}')", powerful.client_id),
    ] {
        set(&fleet, &secret, PROVIDER_ADDRESS, &address);
        fleet.live(SWEEP).await;
        for command in ["rotate", "rollback", "compromised", "retire"] {
            ask(&fleet, &secret, command).await;
            fleet.live(Duration::hours(1)).await;
            let status = fleet.status(&secret);
            assert_eq!(
                (status.state.label(), status.reason.label()),
                ("blocked", "no_consent"),
                "{address}, {command}"
            );
            assert!(status.needs_person && status.message.contains("rekeyd:secret="), "{status:?}");
            assert!(status.message.contains(&powerful.object_id.to_string()), "{status:?}");
        }
    }
    fleet.live(Duration::days(100)).await;
    assert_eq!(credentials(&fleet, powerful.object_id), [made.key_id], "none minted, none revoked");
    let after = current(&fleet, &secret);
    assert_eq!((&after.version, after.tags.len()), (&before.version, before.tags.len()), "nothing written");
    let metric = fleet.metrics_text();
    let count =
        metric.lines().find_map(|line| line.strip_prefix("rekeyd_blocked_total{reason=\"no_consent\"} "));
    assert!(count.unwrap().parse::<f64>().unwrap() >= 16.0, "{count:?}");
    assert!(metric.contains(&format!("rekeyd_secret_state{{secret=\"{secret}\",state=\"blocked\"}} 1")));
    let [line] = <[String; 1]>::try_from(blocked_lines(&fleet, &secret, "no_consent")).expect("one line");
    assert!(line.contains(&powerful.object_id.to_string()), "{line}");
    fleet.end().await;
}

/// Each application that a secret's tags point at without consent has its own line in the audit trail.
#[tokio::test]
async fn each_targeted_application_is_audited() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let targets = [(); 2].map(|()| application(&fleet, ApplicationChange::default()).object_id);
    for target in targets {
        set(&fleet, &secret, PROVIDER_ADDRESS, target);
        fleet.live(SWEEP * 2).await;
    }
    let lines = blocked_lines(&fleet, &secret, "no_consent");
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, target) in lines.iter().zip(targets) {
        assert!(line.contains(&target.to_string()), "{line}");
    }
    fleet.end().await;
}

/// A foreign credential is never revoked, even if the tags of a version name it.
#[tokio::test]
async fn named_foreign_credential_is_not_revoked() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(0);
    let object_id = fleet.managed(&secret).object_id;
    let theirs = colleague(&fleet, object_id, 300);
    let good = current(&fleet, &secret);
    let put = |text: String, names: String| {
        let mut tags = good.tags.clone();
        tags.insert(CREDENTIAL_ID.to_owned(), names);
        tags.insert(SUPERSEDED_CREDENTIAL_ID.to_owned(), theirs.key_id.to_string());
        let new = NewVersion { tags, expires: Some(theirs.end), ..NewVersion::of(text.into()) };
        let now = fleet.sandbox.clock().now();
        fleet.model().put_secret(secret.vault.as_str(), secret.name.as_str(), new, now).unwrap();
    };
    put(format!("{}-and-so-on", theirs.hint()), theirs.key_id.to_string());
    for command in ["retire", "compromised", "rollback"] {
        ask(&fleet, &secret, command).await;
        fleet.live(Duration::hours(3)).await;
        assert!(credentials(&fleet, object_id).contains(&theirs.key_id), "{command}");
    }
    // Now the good text, and the colleague's id in the index and on an older version.
    put(good.value.expose_secret().to_owned(), good.tags[CREDENTIAL_ID].clone());
    set(&fleet, &secret, SUPERSEDED_CREDENTIAL_ID, theirs.key_id);
    for command in ["retire", "rotate", "compromised", "retire"] {
        ask(&fleet, &secret, command).await;
        fleet.live(Duration::days(8)).await;
        assert!(credentials(&fleet, object_id).contains(&theirs.key_id), "{command}");
    }
    fleet.live(Duration::days(150)).await;
    assert!(credentials(&fleet, object_id).contains(&theirs.key_id));
    assert_eq!(fleet.sign_in(&secret), Ok(()));
    fleet.end().await;
}

/// An application that withdraws its consent is left alone at once, and is rotated again once it consents.
#[tokio::test]
async fn withdrawn_consent_stops_rotation_at_once() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    set_application_tags(&fleet, &secret, &["something else"]);
    ask(&fleet, &secret, "rotate").await;
    fleet.live(Duration::hours(1)).await;
    assert_eq!(fleet.status(&secret).reason.label(), "no_consent");
    assert_eq!(versions(&fleet, &secret).len(), 1);
    set_application_tags(&fleet, &secret, &[&format!("rekeyd:secret={}", secret.to_string().to_uppercase())]);
    fleet.until(Duration::days(3), |fleet| versions(fleet, &secret).len() == 2).await;
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// Applications that cannot or must not have a secret are refused with advice and get no credential.
#[tokio::test]
async fn unsuitable_applications_are_refused() {
    let fleet = fleet(|text| text).await;
    let vault = fleet.secret(FOUND).vault;
    let now = fleet.sandbox.clock().now();
    let own = fleet.model().tenant().daemon.client_id;
    let own_object = fleet.model().object_id(own).unwrap();
    let willing = |name: &str| ApplicationChange {
        tags: Some(consent(&format!("{vault}/{name}"))),
        ..ApplicationChange::default()
    };
    fleet.model().change_application(own_object, willing("own"), now).unwrap();
    let public = ApplicationChange { is_fallback_public_client: Some(true), ..willing("public") };
    let public = application(&fleet, public).object_id;
    let homeless = application(&fleet, willing("homeless"));
    fleet.model().delete_service_principal(homeless.service_principal).unwrap();
    let before = fleet.summary().issued;
    for (name, address, reason, advice) in [
        ("own", own, "own_application", "which it never rotates"),
        ("public", public, "public_client", "confidential client"),
        ("homeless", homeless.object_id, "no_service_principal", "az ad sp create"),
        ("missing", Uuid::from_u128(7), "application_missing", "does not exist in the tenant"),
    ] {
        let secret = write(&fleet, name, "some text", &[(PROVIDER_ADDRESS, address.to_string())]);
        fleet.live(SWEEP).await;
        ask(&fleet, &secret, "rotate").await;
        fleet.live(Duration::hours(2)).await;
        let status = fleet.status(&secret);
        assert_eq!(
            (status.state.label(), status.reason.label(), status.origin.label()),
            ("blocked", reason, "discovered")
        );
        assert!(status.needs_person && status.message.contains(advice), "{}", status.message);
        assert_eq!(versions(&fleet, &secret).len(), 1);
    }
    let others: Vec<_> = [own_object, public, homeless.object_id].map(|id| credentials(&fleet, id)).concat();
    assert!(others.is_empty(), "nothing was minted");
    assert!(fleet.summary().issued - before <= 1, "only what was due anyway");
    fleet.end().await;
}

/// An application that the allow and deny lists forbid is not rotated, by whichever GUID they name it.
#[tokio::test]
async fn forbidden_application_is_not_rotated() {
    let seed =
        Seed { secrets: 3, vaults: 2, propagation: options().propagation, seed: 1, start: options().start };
    let ids = Model::new(&seed).managed().to_vec();
    // The first secret is configured by its object id and denied by its client id; the last is not on the list.
    let lists = format!(
        "[applications]\nallow = [\"{}\", \"{}\"]\ndeny = [\"{}\"]\n\n[policy]",
        ids[0].object_id, ids[1].client_id, ids[0].client_id
    );
    let fleet = fleet(|text| text.replace("[policy]", &lists)).await;
    for (index, is_allowed) in [(0, false), (1, true), (FOUND, false)] {
        let secret = fleet.secret(index);
        let before = versions(&fleet, &secret).len();
        ask(&fleet, &secret, "rotate").await;
        fleet.live(Duration::hours(2)).await;
        let is_refused = fleet.status(&secret).reason.label() == "not_allowed";
        let is_rotated = versions(&fleet, &secret).len() > before;
        assert_eq!((is_refused, is_rotated), (!is_allowed, is_allowed), "{secret}");
        assert_eq!(blocked_lines(&fleet, &secret, "not_allowed").len(), usize::from(!is_allowed));
    }
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

async fn all_compromised(fleet: &Fleet, secret: &SecretId) {
    let body = json!({"all_credentials": true});
    let (status, answer) = fleet.post(&format!("/api/v1/secrets/{secret}/compromised"), &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
}

/// Starts a fleet with a secret that only its tags bind to the application of the first secret, and a colleague's
/// credential of that.
async fn with_intruder() -> (Fleet, SecretId, SecretId, Uuid) {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(0);
    let object_id = fleet.managed(&secret).object_id;
    let theirs = colleague(&fleet, object_id, 300).key_id;
    let intruder = write(&fleet, "intruder", "some text", &[(PROVIDER_ADDRESS, object_id.to_string())]);
    fleet.live(SWEEP).await;
    assert_eq!(fleet.status(&intruder).reason.label(), "no_consent");
    (fleet, secret, intruder, theirs)
}

/// A secret without consent does not delay a compromise of the application's own secret.
#[tokio::test]
async fn unconsenting_secret_delays_no_compromise() {
    let (fleet, secret, intruder, theirs) = with_intruder().await;
    let object_id = fleet.managed(&secret).object_id;
    // Its tags also claim that it holds the credential that is to be revoked.
    set(&fleet, &intruder, CREDENTIAL_ID, theirs);
    all_compromised(&fleet, &secret).await;
    fleet.live(Duration::hours(3)).await;
    let left = credentials(&fleet, object_id);
    assert!(!left.contains(&theirs) && left.len() == 1, "{left:?}");
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    assert_eq!(versions(&fleet, &intruder).len(), 1);
    fleet.end().await;
}

/// A compromise of a secret without consent changes no other secret and revokes no credential.
#[tokio::test]
async fn unconsenting_compromise_affects_no_other() {
    let (fleet, secret, intruder, theirs) = with_intruder().await;
    let before = (versions(&fleet, &secret).len(), credentials(&fleet, fleet.managed(&secret).object_id));
    all_compromised(&fleet, &intruder).await;
    fleet.live(Duration::hours(5)).await;
    let after = (versions(&fleet, &secret).len(), credentials(&fleet, fleet.managed(&secret).object_id));
    assert_eq!(after, before);
    assert!(after.1.contains(&theirs));
    fleet.end().await;
}
