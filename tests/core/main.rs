//! The pure core on a virtual clock: named scenarios, and histories at random.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod calm;
mod checker;
mod machine;
mod scenarios;
mod shapes;
mod tasks;
mod telling;
mod unchecked;
mod wishes;
mod world;
