//! HTTPS on loopback: accepts connections, reads requests whole and writes responses. It knows no service: a
//! [`Handler`] answers each request.

mod message;
mod server;

pub(crate) use message::{Request, Response};
pub(crate) use server::{Dropped, Handler, Listener};
