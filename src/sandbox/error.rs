//! The reasons for which a sandbox, or a clock that follows one, can't be started.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The reason for which a sandbox, or its clock, can't be started.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// No key or certificate could be generated.
    #[error("can't make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS rejects the generated certificate or key.
    #[error("can't set up TLS")]
    Tls(#[from] rustls::Error),
    /// The token key is unusable.
    #[error("can't set up the token key")]
    TokenKey(#[from] jsonwebtoken::errors::Error),
    /// No port is free on loopback.
    #[error("can't open a port on loopback")]
    Bind(#[source] io::Error),
    /// The port for production names is in use or not open to this user.
    #[error(
        "can't open port {port} of 127.0.0.1: run as root, in a network namespace of your own (unshare --net), or with another --https-port"
    )]
    BindProduction {
        /// The port.
        port: u16,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The HTTP client of the consumers or of Event Grid can't be created.
    #[error("can't make an HTTP client")]
    HttpClient(#[source] reqwest::Error),
    /// A file of the sandbox's directory can't be written.
    #[error("can't write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A remote sandbox doesn't return its time.
    #[error("can't read the sandbox's clock")]
    RemoteClock(#[source] reqwest::Error),
}
