//! One listener: plain, or with TLS whose certificate is reloaded when its files change.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::TlsConfig;

/// A running HTTP server, which answers until it is stopped.
#[derive(Debug)]
pub struct Server {
    handle: Handle<SocketAddr>,
    task: JoinHandle<()>,
}

/// The reason why a listener can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The certificate or its key can't be used.
    #[error("tls.certificate_file {} or tls.private_key_file {} can't be used", files.certificate_file.display(), files.private_key_file.display())]
    Certificate {
        /// The files, as configured.
        files: TlsConfig,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The port can't be used.
    #[error("failed to serve the port")]
    Port(#[source] std::io::Error),
}

/// A certificate that is shown to clients.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsConfig,
    /// The hashes of both files, taken before `config` was read from them: a change since then is noticed.
    seen: Option<[u64; 2]>,
    config: RustlsConfig,
}

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// The certificate or its key can't be used.
    pub async fn read(files: &TlsConfig) -> Result<Self, ServerError> {
        let files = files.clone();
        let seen = contents(&files).await;
        match RustlsConfig::from_pem_file(&files.certificate_file, &files.private_key_file).await {
            Ok(config) => Ok(Self { files, seen, config }),
            Err(source) => Err(ServerError::Certificate { files, source }),
        }
    }

    /// Reads both files at the interval `every`, and reloads the certificate when either has changed, until `stop` is
    /// cancelled. Files that can't be used change nothing.
    pub async fn keep_fresh(self, every: Duration, stop: CancellationToken) {
        let mut shown = self.seen;
        let mut ticks = tokio::time::interval(every);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let seen = contents(&self.files).await;
            if seen.is_none() || seen == shown {
                continue;
            }
            match self
                .config
                .reload_from_pem_file(&self.files.certificate_file, &self.files.private_key_file)
                .await
            {
                Ok(()) => info!("reloaded TLS certificate"),
                Err(error) => {
                    warn!(%error, "failed to reload TLS certificate: the previous one stays in use");
                }
            }
            shown = seen;
        }
    }
}

/// Returns the hashes of both files; `None` while a file is missing, as it may be for a moment when both are replaced.
async fn contents(files: &TlsConfig) -> Option<[u64; 2]> {
    let mut hashes = [0; 2];
    for (hash, path) in hashes.iter_mut().zip([&files.certificate_file, &files.private_key_file]) {
        let content = zeroize::Zeroizing::new(tokio::fs::read(path).await.ok()?);
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&*content);
        *hash = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    }
    Some(hashes)
}

impl Server {
    /// Serves `routes` on `listener`.
    ///
    /// # Errors
    /// The port can't be used.
    pub fn start(
        listener: std::net::TcpListener,
        routes: Router,
        tls: Option<&Tls>,
    ) -> Result<Self, ServerError> {
        listener.set_nonblocking(true).map_err(ServerError::Port)?;
        let handle = Handle::new();
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let plain = axum_server::from_tcp(listener).map_err(ServerError::Port)?.handle(handle.clone());
        let mut plain = plain.first_request_timeout(FIRST_REQUEST);
        let timer = hyper_util::rt::TokioTimer::new();
        plain.http_builder().http1().timer(timer).header_read_timeout(FIRST_REQUEST);
        let serving: futures::future::BoxFuture<'static, std::io::Result<()>> = match tls {
            Some(tls) => {
                let acceptor = axum_server::tls_rustls::RustlsAcceptor::new(tls.config.clone());
                Box::pin(plain.acceptor(acceptor).serve(service))
            }
            None => Box::pin(plain.serve(service)),
        };
        #[expect(clippy::disallowed_methods, reason = "it outlives the tasks that shutdown waits for")]
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                warn!(%error, "HTTP server stopped");
            }
        });
        Ok(Self { handle, task })
    }

    /// Accepts no more requests, and waits briefly for those in progress: a client that keeps its connection open must
    /// not keep the process running.
    pub async fn stop(self) {
        let begun = Instant::now();
        self.handle.graceful_shutdown(Some(GRACE));
        let _ = tokio::time::timeout(GRACE + Duration::from_secs(1), self.task).await;
        tracing::debug!(seconds = begun.elapsed().as_secs_f64(), "closed listener");
    }
}

const GRACE: Duration = Duration::from_secs(2);

/// Time limit for a client to send the head of its request.
const FIRST_REQUEST: Duration = Duration::from_secs(20);
