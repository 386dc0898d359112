//! The start of a sandbox: keys, ports, the model, then the servers, the consumers and Event Grid.

mod running;

pub use self::running::Sandbox;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use secrecy::SecretString;
use time::UtcOffset;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use uuid::Uuid;

use super::addresses::Addresses;
use super::certificates::Certificates;
use super::clock::SandboxClock;
use super::consumers::{Consumer, HttpsSignIn};
use super::directory::DaemonSettings;
use super::error::SandboxError;
use super::event_grid::{EventGrid, EventGridDeps, Notice};
use super::faults::Faults;
use super::hosts::{Port, VirtualHost};
use super::https::Listener;
use super::model::{ManagedSecret, Model, Seed};
use super::options::Options;
use super::service::{Azure, InjectedFailures, Pipeline};
use super::signing_keys::TokenSigner;
use super::task_group::TaskGroup;
use super::tokens::TokenIssuer;
use crate::ports::Clock;

impl Sandbox {
    /// Starts a simulated Azure on free ports of loopback. Its clock stands still; consumers wait for it.
    ///
    /// # Errors
    /// If keys, ports or HTTP clients can't be created.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let listeners = bind(&options).await?;
        let addresses = addresses(&options, &listeners);
        let names = addresses.production.iter().flat_map(|production| production.hosts.names());
        let certificates = Certificates::generate(names)?;
        let model = Arc::new(Model::new(&seed(&options)));
        let (clients, servers) = (TaskGroup::default(), TaskGroup::default());
        let (azure, notices) = azure(&options, model, addresses, &servers)?;
        let daemon = daemon_settings(&options);
        let https = https_sign_in(&certificates, &azure)?;
        let event_grid = event_grid(&azure, &daemon, notices, options.seed)?;
        start_servers(&servers, &azure, &certificates.server, listeners);
        start_consumers(&clients, &azure, https, &options);
        clients.tasks.spawn(event_grid.run(azure.clock.hold(), clients.stop.clone()));
        Ok(Self { azure, certificates, daemon, clients, servers })
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

/// Returns the vaults' names as the model names them.
fn vault_names(options: &Options) -> Vec<String> {
    (1..=options.vaults.max(1)).map(|number| format!("vault-{number}")).collect()
}

/// Binds one port for each service or, with production names, one for all but managed identities, which speak plain
/// HTTP.
async fn bind(options: &Options) -> Result<Vec<(Port, Listener)>, SandboxError> {
    let identity = bind_one(Port::Only(VirtualHost::ManagedIdentity)).await?;
    if let Some(number) = options.production_names {
        let failed = |source| SandboxError::BindProduction { port: number, source };
        return Ok(vec![(Port::Production, Listener::bind(number).await.map_err(failed)?), identity]);
    }
    let vaults = vault_names(options).into_iter().map(VirtualHost::Vault);
    let services = vaults.chain([VirtualHost::Fhir, VirtualHost::Dicom]).map(Port::Only);
    let mut listeners = vec![identity];
    for port in [Port::Authority].into_iter().chain(services) {
        listeners.push(bind_one(port).await?);
    }
    Ok(listeners)
}

/// Binds any free port of loopback.
async fn bind_one(port: Port) -> Result<(Port, Listener), SandboxError> {
    let listener = Listener::bind(0).await.map_err(SandboxError::Bind)?;
    Ok((port, listener))
}

fn addresses(options: &Options, listeners: &[(Port, Listener)]) -> Addresses {
    let bound: Vec<(Port, SocketAddr)> =
        listeners.iter().map(|(port, listener)| (port.clone(), listener.address)).collect();
    match options.production_names {
        Some(_) => Addresses::in_production(&bound, &vault_names(options)),
        None => Addresses::on_loopback(&bound),
    }
}

fn azure(
    options: &Options,
    model: Arc<Model>,
    addresses: Addresses,
    servers: &TaskGroup,
) -> Result<(Arc<Azure>, UnboundedReceiver<Notice>), SandboxError> {
    let (notices, inbox) = mpsc::unbounded_channel();
    let clock = SandboxClock::new(options.start.to_offset(UtcOffset::UTC));
    let (signer, authority) = (TokenSigner::generate()?, addresses.authority.clone());
    let azure = Azure {
        tokens: Arc::new(TokenIssuer::new(signer, clock.clone(), Arc::clone(&model), authority)),
        clock,
        model,
        faults: Faults::new(options.faults, options.seed),
        metadata_failures: InjectedFailures::default(),
        addresses,
        notices,
        moving_clock: Arc::default(),
        tasks: servers.tasks.clone(),
    };
    notify_event_grid(&azure);
    Ok((Arc::new(azure), inbox))
}

/// Makes the model send new and patched versions to Event Grid, each with a hold on the clock until it is processed.
fn notify_event_grid(azure: &Azure) {
    let (clock, notices) = (azure.clock.clone(), azure.notices.clone());
    azure.model.on_new_version(move |created| {
        // Event Grid is gone only while the sandbox is stopping too.
        let _ = notices.send(Notice::Created(created, clock.hold()));
    });
    let (clock, notices) = (azure.clock.clone(), azure.notices.clone());
    azure.model.on_patched_version(move |patched| {
        let _ = notices.send(Notice::Patched(patched, clock.hold()));
    });
}

/// Makes the daemon's keys.
fn daemon_settings(options: &Options) -> DaemonSettings {
    DaemonSettings {
        address: options.daemon_address,
        api_token: SecretString::from(Uuid::new_v4().simple().to_string()),
        webhook_key: SecretString::from(Uuid::new_v4().simple().to_string()),
        queue: None,
        max_propagation: *options.propagation.end(),
    }
}

fn https_sign_in(certificates: &Certificates, azure: &Azure) -> Result<HttpsSignIn, SandboxError> {
    HttpsSignIn::new(&certificates.ca_pem, Arc::clone(&azure.model), azure.addresses.clone())
        .map_err(SandboxError::HttpClient)
}

fn event_grid(
    azure: &Azure,
    daemon: &DaemonSettings,
    notices: UnboundedReceiver<Notice>,
    seed: u64,
) -> Result<EventGrid, SandboxError> {
    let deps = EventGridDeps {
        clock: azure.clock.clone(),
        model: Arc::clone(&azure.model),
        tokens: Arc::clone(&azure.tokens),
        addresses: azure.addresses.clone(),
    };
    EventGrid::new(deps, daemon.address, &daemon.webhook_key, notices, seed).map_err(SandboxError::HttpClient)
}

fn start_servers(
    servers: &TaskGroup,
    azure: &Arc<Azure>,
    tls: &Arc<ServerConfig>,
    listeners: Vec<(Port, Listener)>,
) {
    for (port, listener) in listeners {
        let is_plain = port == Port::Only(VirtualHost::ManagedIdentity);
        let tls = (!is_plain).then(|| Arc::clone(tls));
        let pipeline = Pipeline::new(Arc::clone(azure), port);
        let (tasks, stop) = (servers.tasks.clone(), servers.stop.clone());
        servers.tasks.spawn(listener.serve(pipeline, tls, tasks, stop));
    }
    let (clock, stop) = (azure.clock.clone(), servers.stop.clone());
    servers.tasks.spawn(async move { stop.run_until_cancelled(clock.tick()).await });
}

fn start_consumers(clients: &TaskGroup, azure: &Azure, https: HttpsSignIn, options: &Options) {
    let https = Arc::new(https);
    for (number, secret) in (0..).zip(azure.model.managed()) {
        let seed = options.seed.wrapping_add(number);
        start_consumer(clients, azure, consumer(azure, &https, secret, seed));
        if let Some(long_cache) = options.long_cache {
            let second = consumer(azure, &https, secret, !seed);
            start_consumer(clients, azure, second.caching_for(long_cache));
        }
    }
}

fn consumer(azure: &Azure, https: &Arc<HttpsSignIn>, secret: &ManagedSecret, seed: u64) -> Consumer {
    let (clock, model) = (azure.clock.clone(), Arc::clone(&azure.model));
    Consumer::new(clock, model, Arc::clone(https), secret.clone(), seed)
}

fn start_consumer(clients: &TaskGroup, azure: &Azure, consumer: Consumer) {
    clients.tasks.spawn(consumer.run(azure.clock.hold(), clients.stop.clone()));
}
