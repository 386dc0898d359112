//! HTTPS on loopback: accepting connections, reading requests, and what each request goes through.

mod gate;
mod message;
mod server;
mod sites;

pub(in crate::sandbox) use gate::report_fault;
pub(crate) use message::{Request, Response};
pub(crate) use server::Listener;
pub(crate) use sites::{DICOM, ENTRA, FHIR, GRAPH, Hosts, Port, Site, vault_host};
