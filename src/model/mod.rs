//! Plain data: what a stack *is* once its file has been read and checked.
//!
//! Nothing here does anything: no I/O, no clocks, no spans. A [`Stack`] travels as JSON from the
//! command line to the supervisor and to the disk (the stack last applied), so every type is
//! `serde`. Where a value came from is kept apart, in [`Stack::origins`], so that two services
//! compare equal exactly when they would run the same way.

mod background;
mod check;
mod command;
mod cron;
pub mod duration;
mod exit;
mod fingerprint;
pub mod glob;
mod hook;
mod io_error;
mod origin;
pub mod path_text;
mod policy;
mod port;
mod service;
mod stack;
mod state;
mod status_set;
mod suggest;
mod task;
mod text;
mod texts;
pub mod time;
mod version;

pub use background::{Background, foreground};
pub use check::{Alive, Check, HttpCheck, HttpTarget, PortRef, Ready};
pub use command::{Command, EnvValue, Hooks, Tool, shell_word};
pub use cron::Cron;
pub use exit::{Exit, ExitPattern};
pub use fingerprint::{fingerprint, fnv1a};
pub use hook::Hook;
pub use io_error::io_error_text;
pub use origin::Origin;
pub use policy::{
    Limits, LogPolicy, Restart, RestartWhen, Signal, Stop, StopTo, User, Watch, WatchThen,
};
pub use port::{Busy, Port, PortNumber};
pub use service::Service;
pub use stack::{Group, Need, NeedUntil, STATE_FOLDER, Source, Stack};
pub use state::{ServiceState, State, TaskState};
pub use status_set::{BadStatusSet, StatusSet};
pub use suggest::nearest;
pub use task::{Keep, Step, StepCommand, Task, TaskBody};
pub use text::{Part, Text, Values};
pub use version::{BadVersionRange, VersionRange};

/// Whether a value is what it is by default, and need not be written down.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
