//! The accept loop: TLS (but for managed identities), then HTTP/1.1 with connections kept open, one task for each connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate;
use super::sites::{Port, Site};
use crate::sandbox::azure::Azure;

/// A bound port that nobody answers yet.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) port: Port,
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// This port on loopback; with 0 any that is free.
    pub(crate) async fn bind(port: Port, number: u16) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, port, address })
    }

    /// Serves until told to stop; open connections end after the request they are in.
    pub(crate) async fn serve(
        self,
        azure: Arc<Azure>,
        tls: Arc<ServerConfig>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) {
        let is_plain = self.port == Port::Only(Site::ManagedIdentity);
        let (acceptor, port) = ((!is_plain).then(|| TlsAcceptor::from(tls)), Arc::new(self.port));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (azure, port) = (Arc::clone(&azure), Arc::clone(&port));
                    tasks.spawn(converse(stream, acceptor.clone(), azure, port, stop.clone()));
                }
                // As a rule too many open files: the next connection may find one free.
                Err(error) => {
                    tracing::warn!(%error, "the sandbox can't accept a connection");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    azure: Arc<Azure>,
    port: Arc<Port>,
    stop: CancellationToken,
) {
    // Without it small answers may wait for an acknowledgement; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else { return serve_requests(stream, azure, port, stop).await };
    let tls = tokio::select! {
        () = stop.cancelled() => return,
        tls = acceptor.accept(stream) => tls,
    };
    match tls {
        Ok(tls) => serve_requests(tls, azure, port, stop).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    azure: Arc<Azure>,
    port: Arc<Port>,
    stop: CancellationToken,
) {
    let response = |request: http::Request<hyper::body::Incoming>| {
        let (azure, port) = (Arc::clone(&azure), Arc::clone(&port));
        async move { gate::pass(&azure, &port, request.map(Body::new)).await }
    };
    let mut http = http1::Builder::new();
    http.auto_date_header(false).keep_alive(true);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service_fn(response)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // A client that never ends its request must not keep the sandbox from stopping.
            let Ok(ended) = tokio::time::timeout(LAST_REQUEST, connection).await else { return };
            ended
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

/// How long a request in hand may take once the sandbox is stopping, in real time.
const LAST_REQUEST: Duration = Duration::from_secs(2);
