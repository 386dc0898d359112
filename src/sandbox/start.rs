//! How a sandbox comes up: keys, ports, the model, and then everybody who lives in it.

use std::sync::Arc;

use rustls::ServerConfig;
use secrecy::SecretString;
use time::UtcOffset;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use uuid::Uuid;

use super::azure::{Addresses, Azure};
use super::certificates::Certificates;
use super::clock::SandboxClock;
use super::consumer_https::Https;
use super::consumers::Consumer;
use super::event_grid::{EventGrid, Notice, Webhook};
use super::faults::Faults;
use super::https::{Listener, Port};
use super::model::{Model, Seed};
use super::tokens::TokenSigner;
use super::{Crew, Options, Sandbox, SandboxError};
use crate::ports::Clock;

impl Sandbox {
    /// Brings up a simulated Azure on free ports of loopback. Its clock stands still; consumers wait for it.
    ///
    /// # Errors
    /// If keys, ports or HTTP clients can't be had.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let certificates = Certificates::generate()?;
        let model = Arc::new(Model::new(&seed(&options)));
        let listeners = bind(options.vaults).await.map_err(SandboxError::Bind)?;
        let (people, servers) = (Crew::default(), Crew::default());
        let (azure, notices) = azure(&options, model, &listeners, &servers)?;
        let https = Https::new(&certificates.ca_pem).map_err(SandboxError::HttpClient)?;
        let webhook = Webhook::new(options.daemon_address).map_err(SandboxError::HttpClient)?;
        start_servers(&servers, &azure, &certificates.server, listeners);
        start_consumers(&people, &azure, https, options.seed);
        start_event_grid(&people, &azure, webhook, notices, options.seed);
        Ok(Self {
            azure,
            ca_pem: certificates.ca_pem,
            api_token: SecretString::from(Uuid::new_v4().simple().to_string()),
            daemon_address: options.daemon_address,
            longest_propagation: *options.propagation.end(),
            people,
            servers,
        })
    }
}

fn seed(options: &Options) -> Seed {
    Seed {
        secrets: options.secrets,
        vaults: options.vaults,
        propagation: options.propagation.clone(),
        seed: options.seed,
        start: options.start.to_offset(UtcOffset::UTC),
    }
}

/// The authority first, then the vaults as the model names them.
async fn bind(vaults: usize) -> std::io::Result<Vec<Listener>> {
    let mut listeners = vec![Listener::bind(Port::Authority).await?];
    for number in 1..=vaults.max(1) {
        listeners.push(Listener::bind(Port::Vault(format!("vault-{number}"))).await?);
    }
    Ok(listeners)
}

fn azure(
    options: &Options,
    model: Arc<Model>,
    listeners: &[Listener],
    servers: &Crew,
) -> Result<(Arc<Azure>, UnboundedReceiver<Notice>), SandboxError> {
    let (notices, inbox) = mpsc::unbounded_channel();
    let azure = Azure {
        clock: SandboxClock::new(options.start.to_offset(UtcOffset::UTC)),
        model,
        faults: Faults::new(options.faults, options.seed),
        signer: TokenSigner::generate()?,
        addresses: addresses(listeners),
        notices,
        moving_clock: Arc::default(),
        tasks: servers.tasks.clone(),
    };
    let (clock, notices) = (azure.clock.clone(), azure.notices.clone());
    azure.model.on_new_version(move |created| {
        // Event Grid is gone only while the sandbox is going too.
        let _ = notices.send(Notice::Created(created, clock.hold()));
    });
    Ok((Arc::new(azure), inbox))
}

fn addresses(listeners: &[Listener]) -> Addresses {
    let mut addresses = Addresses::default();
    for listener in listeners {
        let url = format!("https://localhost:{}", listener.address.port());
        match &listener.port {
            Port::Authority => {
                addresses.graph.clone_from(&url);
                addresses.authority = url;
            }
            Port::Vault(name) => addresses.vaults.push((name.clone(), url)),
        }
    }
    addresses
}

fn start_servers(servers: &Crew, azure: &Arc<Azure>, tls: &Arc<ServerConfig>, listeners: Vec<Listener>) {
    for listener in listeners {
        let (tasks, stop) = (servers.tasks.clone(), servers.stop.clone());
        servers.tasks.spawn(listener.serve(Arc::clone(azure), Arc::clone(tls), tasks, stop));
    }
    let (clock, stop) = (azure.clock.clone(), servers.stop.clone());
    servers.tasks.spawn(async move { stop.run_until_cancelled(clock.tick()).await });
}

fn start_consumers(people: &Crew, azure: &Arc<Azure>, https: Https, seed: u64) {
    let https = Arc::new(https);
    for (number, secret) in (0..).zip(azure.model.managed()) {
        let seed = seed.wrapping_add(number);
        let consumer = Consumer::new(Arc::clone(azure), Arc::clone(&https), secret.clone(), seed);
        people.tasks.spawn(consumer.run(azure.clock.hold(), people.stop.clone()));
    }
}

fn start_event_grid(
    people: &Crew,
    azure: &Arc<Azure>,
    webhook: Webhook,
    notices: UnboundedReceiver<Notice>,
    seed: u64,
) {
    let (clock, model) = (azure.clock.clone(), Arc::clone(&azure.model));
    let grid = EventGrid::new(clock, model, azure.addresses.clone(), webhook, notices, seed);
    people.tasks.spawn(grid.run(azure.clock.hold(), people.stop.clone()));
}
