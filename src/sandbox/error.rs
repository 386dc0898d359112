//! The reasons for which a sandbox, or a clock that follows one, can't be started.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The reason for which a sandbox, or its clock, can't be started.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// No key or certificate could be generated.
    #[error("can't generate the sandbox's certificates")]
    Certificate(#[from] rcgen::Error),
    /// TLS rejects the generated certificate or key.
    #[error("can't set up TLS for the sandbox")]
    Tls(#[from] rustls::Error),
    /// The token key is unusable.
    #[error("can't set up the key that signs the sandbox's tokens")]
    TokenKey(#[from] jsonwebtoken::errors::Error),
    /// No port is free on loopback.
    #[error("can't open a port on 127.0.0.1")]
    Bind(#[source] io::Error),
    /// The port for production names is in use or not open to this user.
    #[error(
        "can't open port {port} on 127.0.0.1: run as root, in a separate network namespace (unshare --net), or choose another --https-port"
    )]
    BindProduction {
        /// The port.
        port: u16,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The HTTP client of the consumers or of Event Grid can't be created.
    #[error("can't create the sandbox's HTTP client")]
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
