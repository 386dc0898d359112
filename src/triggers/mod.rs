//! Triggers of the reconcile loop. A trigger puts names into the queue and does nothing else: it carries no facts.

pub mod event_grid;
pub mod functions;
pub mod ingest;
pub mod schedule;
pub mod storage_queue;
