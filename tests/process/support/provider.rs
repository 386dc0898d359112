//! An identity provider that shares no code with ours: `tests/identity-provider`, in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

/// The provider's process. It is killed when it is dropped.
pub(crate) struct Provider {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) issuer: String,
    pub(crate) ca_pem: String,
}

impl Provider {
    /// Starts it with a certificate of its own, whose files go into `directory`.
    pub(crate) fn start(directory: &Path) -> Self {
        let [key, certificate] = ["provider.key", "provider.pem"].map(|name| directory.join(name));
        let (ca_pem, leaf_key, leaf) = certificates();
        std::fs::write(&key, leaf_key).unwrap();
        std::fs::write(&certificate, leaf).unwrap();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/identity-provider/provider.mjs");
        let mut command = Command::new("node");
        command.arg(program).args([key, certificate]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is there (.ci/install)");
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut provider = Self { child, commands, answers, issuer: String::new(), ca_pem };
        provider.issuer = provider.answer("issuer");
        provider
    }

    /// Returns a token with exactly these claims.
    pub(crate) fn token(&mut self, claims: &Value) -> String {
        self.ask(&json!({"claims": claims}), "token")
    }

    /// Returns a token with these claims, whose header names a key of any name.
    pub(crate) fn token_of_key(&mut self, kid: &str, claims: &Value) -> String {
        self.ask(&json!({"claims": claims, "header": {"kid": kid}}), "token")
    }

    /// Replaces its key by another one.
    pub(crate) fn rotate(&mut self) {
        self.ask::<String>(&json!({"rotate": true}), "kid");
    }

    /// Shows its keys from now on, or hides them.
    pub(crate) fn show_keys(&mut self, shown: bool) {
        self.ask::<bool>(&json!({"jwks": shown}), "jwks");
    }

    /// Returns the public key, as PEM.
    pub(crate) fn public_key(&mut self) -> String {
        self.ask(&json!({"pem": true}), "pem")
    }

    fn ask<T: serde::de::DeserializeOwned>(&mut self, command: &Value, wanted: &str) -> T {
        writeln!(self.commands, "{command}").unwrap();
        self.answer(wanted)
    }

    fn answer<T: serde::de::DeserializeOwned>(&mut self, wanted: &str) -> T {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the identity provider ended (is it installed? .ci/install)");
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        serde_json::from_value(answer.get_mut(wanted).expect("documented in provider.mjs").take()).unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a CA, and the key and the certificate of `localhost` that it has signed: rustls takes no CA for a server.
pub(crate) fn certificates() -> (String, String, String) {
    let (ca_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    ca.distinguished_name.push(DnType::CommonName, "the CA of an identity provider");
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key)).unwrap();
    (ca_pem, leaf_key.serialize_pem(), leaf.pem())
}
