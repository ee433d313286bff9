//! The control socket: what clients and supervisor say to each other, and both ends of it.

pub mod client;
mod outbox;
pub mod protocol;
pub mod server;
mod wire;

pub use client::{Client, ClientError};
pub use protocol::{Answer, Ask, Left, Reply, Request};
