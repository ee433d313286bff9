//! The life of one service or one task, pure: a state, an input and the time give a new state
//! and effects.

pub mod effect;
pub mod input;

pub use effect::{Effect, Hook};
pub use input::{Input, PortsAnswer, ProbeAnswer};
