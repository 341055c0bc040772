//! Records, secrets, decisions and ports: pure, no I/O, no clock.

pub mod audit;
pub mod client;
pub mod decide;
pub mod flow;
pub mod ids;
pub mod ports;
pub mod records;
pub mod secrets;
pub mod shown;
pub mod time;
pub mod transaction;
