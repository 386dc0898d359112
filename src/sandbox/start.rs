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
use super::event_grid::{EventGrid, Notice};
use super::faults::Faults;
use super::https::{Listener, Port, Site};
use super::model::{Model, Seed};
use super::service::entra::Troubles;
use super::signing_keys::TokenSigner;
use super::{Crew, Options, Sandbox, SandboxError};
use crate::ports::Clock;

impl Sandbox {
    /// Brings up a simulated Azure on free ports of loopback. Its clock stands still; consumers wait for it.
    ///
    /// # Errors
    /// If keys, ports or HTTP clients can't be had.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let listeners = bind(&options).await?;
        let addresses = addresses(&options, &listeners);
        let production = addresses.production.clone();
        let names = production.iter().flat_map(|production| production.hosts.names());
        let certificates = Certificates::generate(names)?;
        let model = Arc::new(Model::new(&seed(&options)));
        let (people, servers) = (Crew::default(), Crew::default());
        let (azure, notices) = azure(&options, model, addresses, &servers)?;
        let https =
            Https::new(&certificates.ca_pem, production.as_ref()).map_err(SandboxError::HttpClient)?;
        let daemon = options.daemon_address;
        let webhook_key = SecretString::from(Uuid::new_v4().simple().to_string());
        let event_grid = EventGrid::new(Arc::clone(&azure), daemon, &webhook_key, notices, options.seed)
            .map_err(SandboxError::HttpClient)?;
        start_servers(&servers, &azure, &certificates.server, listeners);
        start_consumers(&people, &azure, https, options.seed);
        people.tasks.spawn(event_grid.run(azure.clock.hold(), people.stop.clone()));
        Ok(Self {
            azure,
            ca_pem: certificates.ca_pem,
            leaf_pem: certificates.leaf_pem,
            leaf_key_pem: certificates.leaf_key_pem,
            queue: None,
            api_token: SecretString::from(Uuid::new_v4().simple().to_string()),
            webhook_key,
            daemon_address: daemon,
            max_propagation: *options.propagation.end(),
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

/// As the model names them.
fn vault_names(options: &Options) -> Vec<String> {
    (1..=options.vaults.max(1)).map(|number| format!("vault-{number}")).collect()
}

/// One port for each service or, with production names, one for all but managed identities, which speak plain HTTP.
async fn bind(options: &Options) -> Result<Vec<Listener>, SandboxError> {
    let identity = Listener::bind(Port::Only(Site::ManagedIdentity), 0).await.map_err(SandboxError::Bind)?;
    if let Some(number) = options.production_names {
        let failed = |source| SandboxError::BindProduction { port: number, source };
        return Ok(vec![Listener::bind(Port::Production, number).await.map_err(failed)?, identity]);
    }
    let vaults = vault_names(options).into_iter().map(Site::Vault);
    let sites = vaults.chain([Site::Fhir, Site::Dicom]).map(Port::Only);
    let mut listeners = vec![identity];
    for port in [Port::Authority].into_iter().chain(sites) {
        listeners.push(Listener::bind(port, 0).await.map_err(SandboxError::Bind)?);
    }
    Ok(listeners)
}

fn addresses(options: &Options, listeners: &[Listener]) -> Addresses {
    match options.production_names {
        Some(_) => Addresses::in_production(listeners, &vault_names(options)),
        None => Addresses::on_loopback(listeners),
    }
}

fn azure(
    options: &Options,
    model: Arc<Model>,
    addresses: Addresses,
    servers: &Crew,
) -> Result<(Arc<Azure>, UnboundedReceiver<Notice>), SandboxError> {
    let (notices, inbox) = mpsc::unbounded_channel();
    let azure = Azure {
        clock: SandboxClock::new(options.start.to_offset(UtcOffset::UTC)),
        model,
        faults: Faults::new(options.faults, options.seed),
        signer: TokenSigner::generate()?,
        troubles: Troubles::default(),
        addresses,
        notices,
        moving_clock: Arc::default(),
        tasks: servers.tasks.clone(),
    };
    let (clock, notices) = (azure.clock.clone(), azure.notices.clone());
    azure.model.on_new_version(move |created| {
        // Event Grid is gone only while the sandbox is going too.
        let _ = notices.send(Notice::Created(created, clock.hold()));
    });
    let (clock, notices) = (azure.clock.clone(), azure.notices.clone());
    azure.model.on_patched_version(move |patched| {
        let _ = notices.send(Notice::Patched(patched, clock.hold()));
    });
    Ok((Arc::new(azure), inbox))
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
