//! `rekeyd doctor`: runs the checks of `diagnostics` and prints their findings.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use reqwest::Url;
use serde_json::json;

use super::read_only::{ReadOnly, run_read_only};
use super::table::{Listing, table};
use super::{ConfigFile, USAGE, print_error, print_line};
use crate::azure::EventGridHandshake;
use crate::diagnostics::doctor::{Doctor, Finding, Verdict};

/// The arguments of `rekeyd doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd doctor --config rekeyd.toml\n  \
    rekeyd doctor --config rekeyd.toml --all                      show findings that are ok, too\n  \
    rekeyd doctor --config rekeyd.toml --server https://rekeyd.example.org\n  \
    rekeyd doctor --config rekeyd.toml --output json\n\n\
    Runs read-only checks of everything that a rotation needs.\n\n\
    Exit codes: 0 no error (there may be warnings); 1 an error was found; 64 invalid\n\
    arguments or an invalid configuration")]
pub(super) struct DoctorCommand {
    #[command(flatten)]
    config: ConfigFile,
    /// URL at which Event Grid reaches the daemon. Default: the address that the configuration listens on.
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// PEM file with the certificate authorities to trust at --server, instead of the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
    /// Show findings that are ok, too. JSON always includes them.
    #[arg(long)]
    all: bool,
    /// Output format.
    #[arg(long, value_enum, default_value = "table")]
    output: Listing,
}

impl DoctorCommand {
    pub(super) fn execute(self) -> ExitCode {
        let server_ca = match self.ca_file.as_ref().map(std::fs::read).transpose() {
            Ok(server_ca) => server_ca,
            Err(error) => {
                print_error(format_args!("--ca-file can't be read: {error}"));
                return ExitCode::from(USAGE);
            }
        };
        run_read_only(&self.config, async |services| {
            let findings = self.findings(services, server_ca).await;
            match self.output {
                Listing::Table => print_line(self.shown(&findings)),
                Listing::Json => print_line(json!({
                    "errors": count(&findings, Verdict::Error),
                    "warnings": count(&findings, Verdict::Warning),
                    "findings": findings,
                })),
            }
            if count(&findings, Verdict::Error) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        })
    }

    async fn findings(&self, services: &ReadOnly, server_ca: Option<Vec<u8>>) -> Vec<Finding> {
        let doctor = Doctor {
            config: &services.config,
            ports: &services.ports,
            skew: &services.skew,
            webhook: &EventGridHandshake::new(server_ca, Arc::clone(&services.clock)),
            server: self.server.clone(),
        };
        doctor.run().await
    }

    /// Returns the table of findings, the worst first.
    fn shown(&self, findings: &[Finding]) -> String {
        let mut shown: Vec<_> =
            findings.iter().filter(|finding| self.all || finding.verdict != Verdict::Ok).collect();
        shown.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        let summary = format!(
            "errors: {}, warnings: {}, ok: {}",
            count(findings, Verdict::Error),
            count(findings, Verdict::Warning),
            count(findings, Verdict::Ok)
        );
        if shown.is_empty() {
            return summary;
        }
        let table = table(["VERDICT", "CHECK", "SUBJECT", "FOUND"], shown.into_iter().map(row));
        format!("{table}\n\n{summary}")
    }
}

/// Returns the cells of a finding, with its remedy below its detail.
fn row(finding: &Finding) -> [String; 4] {
    let remedy = finding.remedy.as_ref().map(|remedy| format!("\n  -> {remedy}")).unwrap_or_default();
    [
        finding.verdict.label().to_owned(),
        finding.check.label().to_owned(),
        finding.subject.clone(),
        format!("{}{remedy}", finding.detail),
    ]
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.verdict == verdict).count()
}
