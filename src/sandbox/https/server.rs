//! The accept loop: TLS, then HTTP/1.1 with connections kept open, one task for each connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate;
use crate::sandbox::azure::Azure;

/// What is served on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Port {
    /// Entra, Graph and the sandbox's own controls.
    Authority,
    /// The vault of this name.
    Vault(String),
}

/// A bound port that nobody answers yet.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) port: Port,
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// Any free port on loopback.
    pub(crate) async fn bind(port: Port) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
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
        let (acceptor, port) = (TlsAcceptor::from(tls), Arc::new(self.port));
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
    acceptor: TlsAcceptor,
    azure: Arc<Azure>,
    port: Arc<Port>,
    stop: CancellationToken,
) {
    // Without it small answers may wait for an acknowledgement; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let tls = tokio::select! {
        () = stop.cancelled() => return,
        tls = acceptor.accept(stream) => tls,
    };
    let tls = match tls {
        Ok(tls) => tls,
        Err(error) => return tracing::debug!(%error, "a TLS handshake failed"),
    };
    let answer = |request: http::Request<hyper::body::Incoming>| {
        let (azure, port) = (Arc::clone(&azure), Arc::clone(&port));
        async move { gate::pass(&azure, &port, request.map(Body::new)).await }
    };
    let mut http = http1::Builder::new();
    http.auto_date_header(false).keep_alive(true);
    let mut connection = pin!(http.serve_connection(TokioIo::new(tls), service_fn(answer)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}
