//! stackrun: one file describes a developer's stack, one program starts it, stops it, and keeps
//! it alive.
//!
//! # Theory of operation
//!
//! Three processes, one binary:
//!
//! ```text
//! stackrun (CLI)  ── unix socket ──►  supervisor ── socketpair ──►  keeper ──► services
//!    many, short-lived                 one a stack                   one a stack, their parent
//!    renders                           decides                       holds
//! ```
//!
//! The **command line** reads `stack.kdl`, checks it, and sends the checked [`model::Stack`] to
//! the supervisor. The **supervisor** keeps *intent* (what is wanted) apart from *state* (what
//! is), and drives every service one step towards what its intent and its needs allow. The
//! **keeper** is the parent of every process: it starts, signals, reaps, moves logs, and decides
//! nothing, so that the supervisor may die at any moment without a service noticing.
//!
//! # Layers
//!
//! Each module imports only from those above it (a test holds this):
//!
//! - [`printable`]: what may go to a terminal.
//! - [`model`]: plain data, what a stack is.
//! - [`secrets`]: the values of a stack that are not for everybody's eyes, kept out of all words.
//! - [`language`]: text → `Stack`, with every problem at its place.
//! - [`import`]: a first stack file, from what other tools have been told.
//! - [`graph`]: what needs what, and the order of starts (petgraph).
//! - [`reason`], [`event`], [`status`]: what happened, and what is: the published vocabulary.
//! - [`timeline`]: the starts of a stack, as its records tell them.
//! - [`mod@core`]: the pure core, which decides everything. No I/O, no clock: inputs and the time go
//!   in, effects come out.
//! - [`platform`]: the operating system behind one small interface.
//! - [`keeper`], [`logs`]: process trees and their output.
//! - [`control`]: the socket between clients and supervisor.
//! - [`executor`]: the one loop that carries out the core's effects (tokio).
//! - [`reporters`]: everything that is shown.
//! - [`cli`]: one file a command; the only place that composes.

pub mod cli;
pub mod control;
pub mod core;
pub mod event;
pub mod executor;
pub mod graph;
mod import;
pub mod keeper;
pub mod language;
pub mod logs;
pub mod model;
pub mod platform;
mod printable;
pub mod reason;
pub mod reporters;
mod secrets;
pub mod status;
pub mod timeline;
