//! The sandbox: a simulated Azure behind real HTTPS.

pub mod clock;
