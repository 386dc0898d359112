//! Series exist as long as the secrets and vaults that they describe.

use super::*;

/// A secret has metrics before its first pass and none after it is forgotten.
#[test]
fn secret_metrics_exist_until_secret_is_forgotten() {
    let metrics = Metrics::new().unwrap();
    let at_start = own_samples(&metrics);
    let secret: SecretId = "kv-1/app-foo".parse().unwrap();
    metrics.declare_secrets([&secret]);
    let declared = own_samples(&metrics);
    for sample in [
        "rekeyd_secret_state{secret=\"kv-1/app-foo\",state=\"unknown\"} 1",
        "rekeyd_secret_state{secret=\"kv-1/app-foo\",state=\"blocked\"} 0",
        "rekeyd_secret_warnings{secret=\"kv-1/app-foo\"} 0",
        "rekeyd_credential_expiry_timestamp_seconds{secret=\"kv-1/app-foo\"} 0",
    ] {
        assert!(declared.iter().any(|line| line == sample), "{sample} is not in {declared:?}");
    }
    metrics.forget_secret(&secret);
    assert_eq!(own_samples(&metrics), at_start);
}

#[test]
fn a_vault_shows_whether_its_discovery_failed() {
    let metrics = Metrics::new().unwrap();
    let vault: VaultName = "kv-1".parse().unwrap();
    metrics.declare_vaults([&vault]);
    let sample = |value| format!("rekeyd_vault_discovery_failed{{vault=\"kv-1\"}} {value}");
    assert!(own_samples(&metrics).contains(&sample(0)));
    metrics.set_discovery_failed(&vault, true);
    assert!(own_samples(&metrics).contains(&sample(1)));
}

/// Metrics with known labels start at zero, and process metrics have their usual names.
#[test]
fn known_labels_start_at_zero() {
    let text = Metrics::new().unwrap().render().unwrap();
    for sample in [
        "rekeyd_actions_total{action=\"issue\",outcome=\"failed\"} 0",
        "rekeyd_storage_queue_poison_messages_total 0",
        "\nprocess_start_time_seconds ",
    ] {
        assert!(text.contains(sample), "{sample} is not in {text}");
    }
}

fn own_samples(metrics: &Metrics) -> Vec<String> {
    let text = metrics.render().unwrap();
    text.lines().filter(|line| line.starts_with("rekeyd_")).map(str::to_owned).collect()
}
