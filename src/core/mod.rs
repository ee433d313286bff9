//! The pure core: no I/O, no clock. Inputs and the time go in, effects come out.
//!
//! - [`lifecycle`]: one service, or one task.
//! - [`stack`]: all of them together: what is wanted, what may start, what commands do.
//! - [`plan`]: what a command would do, and the difference between two stacks.

pub mod lifecycle;
pub mod plan;
pub mod stack;
