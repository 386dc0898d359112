//! The classes of credentials of a secret: protected, orphaned, superseded, compromised. Facts only: nothing here
//! decides.

mod compromised;
mod orphaned;
mod protected;
mod superseded;
