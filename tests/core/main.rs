//! The pure core on a virtual clock: named scenarios, and histories at random.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod machine;
mod scenarios;
mod shapes;
mod world;
