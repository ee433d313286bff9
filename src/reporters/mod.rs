//! Everything that is shown.
//!
//! A command that takes time feeds a [`Reporter`] with records; it folds them into a
//! [`live_model::LiveModel`] and shows that as bars on a terminal and as plain lines elsewhere. What is
//! asked for at one moment (`status`, `why`, `graph`) is rendered to a string by one function
//! each. Nothing here starts, stops or decides anything.

mod address;
pub mod events;
pub mod graph;
pub mod json;
mod lines;
pub mod live_model;
pub mod logs;
pub mod plan;
pub mod progress;
mod reporter;
mod row;
mod row_state;
mod sanitize;
pub mod show;
mod steps;
mod structured;
pub mod summary;
pub mod table;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod timeline;
pub mod view;
pub mod why;
pub mod wording;

pub use reporter::{Reporter, headline};
pub use theme::{Symbol, Theme, Tone};
