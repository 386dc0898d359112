//! `rekeyd doctor`: what is missing for rotations to work, and what to do about it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::Url;
use serde_json::json;

use super::looking::{Looking, look};
use super::table::{Listing, table};
use super::{ConfigFile, USAGE, complain, print_line};
use crate::diagnostics::doctor::{Doctor, Finding, Verdict};

/// What `rekeyd doctor` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd doctor --config rekeyd.toml\n  \
    rekeyd doctor --config rekeyd.toml --all                      show what is fine, too\n  \
    rekeyd doctor --config rekeyd.toml --server https://rekeyd.example.org\n  \
    rekeyd doctor --config rekeyd.toml --output json\n\n\
    It tries the harmless half of everything that a rotation needs, and changes nothing.\n\n\
    Exit codes: 0 no error, though there may be warnings; 1 an error was found; 64 wrong arguments or a wrong\n\
    configuration")]
pub(super) struct DoctorCommand {
    #[command(flatten)]
    config: ConfigFile,
    /// Where Event Grid reaches the daemon. Without it: where the configuration says that it listens.
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// PEM file of the certificate authorities that the daemon is trusted by there, in the place of the system's.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
    /// Show what is fine, too. JSON always does.
    #[arg(long)]
    all: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "table")]
    output: Listing,
}

impl DoctorCommand {
    pub(super) fn execute(self) -> ExitCode {
        let server_ca = match self.ca_file.as_ref().map(std::fs::read).transpose() {
            Ok(server_ca) => server_ca,
            Err(error) => {
                complain(format_args!("--ca-file can't be read: {error}"));
                return ExitCode::from(USAGE);
            }
        };
        look(&self.config, async |looking| {
            let findings = self.examine(looking, server_ca.clone()).await;
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

    async fn examine(&self, looking: &Looking, server_ca: Option<Vec<u8>>) -> Vec<Finding> {
        let doctor = Doctor {
            config: &looking.config,
            azure: &looking.azure,
            skew: &looking.skew,
            clock: &looking.clock,
            server: self.server.clone(),
            server_ca,
        };
        doctor.examine().await
    }

    /// The worst first; what to do stands below what was found.
    fn shown(&self, findings: &[Finding]) -> String {
        let mut shown: Vec<_> =
            findings.iter().filter(|finding| self.all || finding.verdict != Verdict::Ok).collect();
        shown.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        let row = |finding: &Finding| {
            let remedy = finding.remedy.as_ref().map(|remedy| format!("\n  -> {remedy}")).unwrap_or_default();
            [
                finding.verdict.label().to_owned(),
                finding.check.label().to_owned(),
                finding.subject.clone(),
                format!("{}{remedy}", finding.detail),
            ]
        };
        let count = |verdict| count(findings, verdict);
        let summary = format!(
            "errors: {}, warnings: {}, fine: {}",
            count(Verdict::Error),
            count(Verdict::Warning),
            count(Verdict::Ok)
        );
        if shown.is_empty() {
            return summary;
        }
        let table = table(["VERDICT", "CHECK", "SUBJECT", "FOUND"], shown.into_iter().map(row));
        format!("{table}\n\n{summary}")
    }
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.verdict == verdict).count()
}
