//! HTTPS on loopback: accepting connections, reading requests, and what each request goes through.

mod gate;
mod message;
mod server;

pub(crate) use message::{Answer, Request};
pub(crate) use server::{Listener, Port};
