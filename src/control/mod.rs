//! The control socket: what clients and supervisor say to each other, and both ends of it.

pub mod client;
#[cfg(fuzzing)]
pub mod fuzzing;
mod obstacle;
mod outbox;
mod owners;
pub mod protocol;
pub mod server;
mod wire;

pub use client::{Client, ClientError};
pub use obstacle::Obstacle;
pub use owners::{ProcessOwner, owners};
pub use protocol::{Answer, Ask, Job, Left, Reply, Request};
