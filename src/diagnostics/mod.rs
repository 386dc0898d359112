//! Diagnostics: the doctor's checks, the inventory, and the plan of what the reconcile loop would do.
//!
//! They only read, through the ports, and know no service's error code and no host name. They decide nothing: a plan
//! asks the reconcile loop, and a check follows its rules.

pub mod doctor;
pub mod inventory;
pub mod plan;

use std::sync::Arc;

use crate::ports::{Directory, DirectoryAccess, VaultAccess};
use crate::reconcile::Ports;

/// The ports that diagnostics read from: those of the reconcile loop, and those that only people's questions need.
#[derive(Debug, Clone)]
pub struct DiagnosticPorts {
    /// The ports of the reconcile loop.
    pub reconcile: Ports,
    /// Lists of the tenant's applications.
    pub directory: Arc<dyn Directory>,
    /// Permissions in vaults.
    pub vault_access: Arc<dyn VaultAccess>,
    /// Permissions in the directory.
    pub directory_access: Arc<dyn DirectoryAccess>,
}

/// Calls that run at a time: far below any quota.
const CONCURRENT_CALLS: usize = 8;
