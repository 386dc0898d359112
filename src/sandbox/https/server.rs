//! The accept loop: TLS if configured, then HTTP/1.1 with connections kept open, one task for each connection.

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
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The part of a server that handles its requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Handles one request. Called from the connection's task; several requests may be handled at once.
    fn handle(
        &self,
        request: http::Request<Body>,
    ) -> impl Future<Output = Result<http::Response<Body>, Dropped>> + Send;
}

/// The signal to close the connection without a response.
#[derive(Debug, Error)]
#[error("the connection was closed without a response")]
pub(crate) struct Dropped;

/// A bound port that is not served yet.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// Binds this port of loopback; 0 binds any free port.
    pub(crate) async fn bind(number: u16) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Serves until `stop` is cancelled; open connections end after the request they are in. Without `tls` it serves
    /// plain HTTP.
    pub(crate) async fn serve(
        self,
        handler: impl Handler,
        tls: Option<Arc<ServerConfig>>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) {
        let (acceptor, handler) = (tls.map(TlsAcceptor::from), Arc::new(handler));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let handler = Arc::clone(&handler);
                    tasks.spawn(serve_connection(stream, acceptor.clone(), handler, stop.clone()));
                }
                // The usual cause is too many open files: the next connection may find one free.
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    handler: Arc<impl Handler>,
    stop: CancellationToken,
) {
    // Without it small responses may wait for an acknowledgement; a failure only costs time.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else { return serve_requests(stream, handler, stop).await };
    let tls = tokio::select! {
        () = stop.cancelled() => return,
        tls = acceptor.accept(stream) => tls,
    };
    match tls {
        Ok(tls) => serve_requests(tls, handler, stop).await,
        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
    }
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    handler: Arc<impl Handler>,
    stop: CancellationToken,
) {
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let handler = Arc::clone(&handler);
        async move { handler.handle(request.map(Body::new)).await }
    });
    let mut http = http1::Builder::new();
    http.auto_date_header(false).keep_alive(true);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
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
        tracing::trace!(%error, "connection closed early");
    }
}

/// The time that a request in progress may take once the sandbox is stopping, in real time.
const LAST_REQUEST: Duration = Duration::from_secs(2);
