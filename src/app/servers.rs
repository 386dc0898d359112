//! The daemon's HTTP servers: the API, the webhook, health checks and the routes for a Functions host.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{AppError, Engine};
use crate::config::Config;
use crate::http::access::{ApiAuth, KeyCache, TokenRules, WebhookAuth};
use crate::http::{
    EventStreams, FunctionsParts, HttpState, Readiness, Server, Tls, describe, functions_router,
    health_router, router,
};
use crate::ports::Clock;

/// The listeners of a daemon. They answer until the last moment, so that `/readyz` can report that it is being stopped.
#[derive(Debug)]
pub(super) struct Servers {
    servers: Vec<Server>,
}

impl Servers {
    /// Opens what `config` names besides `listener`, and serves all of it.
    pub(super) async fn open(
        listener: TcpListener,
        config: &Config,
        engine: &Engine,
        readiness: &Arc<Readiness>,
    ) -> Result<Self, AppError> {
        let state = state(config, engine, readiness)?;
        let tls = match &config.tls {
            Some(files) => Some(Tls::read(files).await?),
            None => None,
        };
        let mut routes = router(state.clone());
        if let Some(functions) = &config.functions {
            let parts =
                FunctionsParts { sweeper: Arc::new(engine.sweeper(config)), budget: functions.budget };
            routes = functions_router(state.clone(), parts).fallback_service(routes);
        }
        let mut servers = Vec::new();
        match config.health {
            Some(address) => {
                let listener = bind(address)?;
                servers.push(Server::start(listener, health_router(state), None)?);
            }
            None => routes = health_router(state).fallback_service(routes),
        }
        servers.push(Server::start(listener, routes, tls.as_ref())?);
        if let Some(tls) = tls {
            engine.shutdown.spawn(tls.keep_fresh(BETWEEN_LOOKS, engine.shutdown.stop()));
        }
        Ok(Self { servers })
    }

    pub(super) async fn close(self) {
        futures::future::join_all(self.servers.into_iter().map(Server::stop)).await;
    }
}

/// Opens a port.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).map_err(|source| AppError::Listen { address, source })
}

fn state(config: &Config, engine: &Engine, readiness: &Arc<Readiness>) -> Result<HttpState, AppError> {
    let rules = token_rules(config, engine);
    let metrics = &engine.metrics;
    Ok(HttpState {
        event_sink: Arc::clone(&engine.event_sink),
        commands: Arc::clone(&engine.commands),
        event_streams: EventStreams::default(),
        metrics: Arc::clone(metrics),
        readiness: Arc::clone(readiness),
        clock: Arc::clone(&engine.clock),
        api: Arc::new(ApiAuth::new(&config.api, rules.clone(), Arc::clone(metrics))),
        webhook: Arc::new(WebhookAuth::new(&config.webhook, rules, Arc::clone(metrics))),
        schedule: Arc::new(config.schedule.clone()),
        description: describe()?.into(),
        max_concurrent: config.api.max_concurrent,
    })
}

/// Returns the rules for tokens: both servers take tokens of the same tenant.
fn token_rules(config: &Config, engine: &Engine) -> TokenRules {
    let clock: Arc<dyn Clock> = Arc::clone(&engine.clock);
    TokenRules {
        keys: Arc::new(KeyCache::new(engine.azure.token_keys.clone())),
        tenant: Uuid::try_parse(&config.azure.tenant_id).ok(),
        version_1_issuer: config.azure.cloud.version_1_issuer(),
        clock,
        skew: Arc::clone(&engine.skew),
    }
}

/// The pause between two checks of the certificate's files: anyone who replaces them keeps the old one valid for
/// longer.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);
