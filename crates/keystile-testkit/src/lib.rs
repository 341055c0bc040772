//! For tests only: fakes of the ports with the same semantics, and the issuer in one process.

pub mod assertion;
pub mod audit;
pub mod browser;
pub mod clock;
pub mod hostile;
pub mod issuer;
pub mod memory;
pub mod reading;
pub mod rng;
