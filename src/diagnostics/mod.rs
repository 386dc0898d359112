//! Diagnostics: the doctor's checks, the inventory, and the plan of what the reconcile loop would do.
//!
//! Everything here only reads. It decides nothing: a plan asks the reconcile loop, and a check follows its rules.

pub mod doctor;
mod fleet;
pub mod inventory;
pub mod plan;
