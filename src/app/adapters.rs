//! The adapter behind each port. Nothing else of the wiring knows which adapter serves which port.

use std::sync::Arc;

use crate::azure::Azure;
use crate::diagnostics::DiagnosticPorts;
use crate::ports::Clock;
use crate::reconcile::Ports;

/// Returns the ports of the reconcile loop.
#[must_use]
pub fn reconcile_ports(azure: &Azure, clock: &Arc<dyn Clock>) -> Ports {
    Ports {
        store: azure.key_vault.clone(),
        issuer: azure.graph.clone(),
        verifier: azure.entra.clone(),
        usage: azure.graph.clone(),
        probe: azure.probe.clone(),
        clock: Arc::clone(clock),
    }
}

/// Returns the ports of doctor, inventory and plan.
#[must_use]
pub fn diagnostic_ports(azure: &Azure, clock: &Arc<dyn Clock>) -> DiagnosticPorts {
    DiagnosticPorts {
        reconcile: reconcile_ports(azure, clock),
        directory: azure.graph.clone(),
        vault_access: azure.key_vault.clone(),
        directory_access: azure.graph.clone(),
    }
}
