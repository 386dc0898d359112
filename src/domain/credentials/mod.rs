//! What a credential is to its secret: protected, orphaned, superseded, or compromised. Facts only: nothing here decides.

mod compromised;
mod orphaned;
mod protected;
mod superseded;
