//! The one loop with I/O: carries out the effects of the pure core, and tells it what happened.
//!
//! The loop runs on one thread (tokio's current-thread runtime) and owns the core; whatever takes
//! time (a deletion, a look for a port) is a local task that reports back as [`Internal`]. So do
//! the checks, from the one other thread: nothing that they do keeps the loop from an exit.
//! The core decides, the keeper holds the processes; this module is the wiring between them:
//!
//! - [`event_loop`]: the loop, and what each message means; [`state`]: what it works with;
//! - [`takeover`]: a supervisor that comes after another one; [`pulse`]: whether the keeper answers;
//! - [`effects`]: what each effect of the core means in the world;
//! - [`requests`]: what each request of a client means;
//! - [`launch`], [`step`], [`output_file`], [`journal`]: from the stack to a process, and what the
//!   steps of a task do there;
//! - [`probe_spec`], [`probe`], [`checks`], [`http`], [`tls`], [`check_command`], [`listener_owner`], [`foreground`]: readiness and
//!   liveness; [`prober`], [`probe_queue`]: when they are asked;
//! - [`ports`], [`port_takeover`], [`cleanup`], [`data`], [`tasks`], [`log_tail`]: what is looked at around
//!   a start;
//! - [`ledger`], [`checkpoint`]: what is kept, and where;
//! - [`words`]: what leaves in words, and without secrets;
//! - [`watch`], [`memory`], [`schedule`]: what restarts a service or runs a task by itself;
//! - [`terminals`]: the second master of each terminal;
//! - [`view`]: what `status` shows.

mod check_command;
mod checkpoint;
mod checks;
mod cleanup;
mod clients;
mod data;
mod effects;
mod event_loop;
mod foreground;
#[cfg(fuzzing)]
pub mod fuzzing;
mod globs;
mod http;
mod io_errors;
mod journal;
mod keeper_link;
mod launch;
mod ledger;
mod listener_owner;
mod log_search;
mod log_tail;
mod memory;
mod output_file;
mod port_takeover;
mod ports;
mod probe;
mod probe_queue;
mod probe_spec;
mod prober;
mod pulse;
mod relocate;
mod requests;
mod schedule;
mod state;
pub mod step;
mod takeover;
mod tasks;
mod terminals;
mod tls;
mod view;
mod watch;
mod words;

pub use event_loop::run;

use std::os::fd::OwnedFd;

use crate::{core::lifecycle, keeper::protocol::UnitId};

/// What the loop's own tasks report back to it.
#[derive(Debug)]
enum Internal {
    /// Something happened to a service or task.
    Unit {
        /// Its name.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// What.
        input: lifecycle::Input,
    },
    /// A port that a service is to have was claimed.
    Claimed {
        /// The service.
        name: String,
        /// The start that it is for.
        generation: u64,
        /// The ports that were claimed for it before.
        claimed: Vec<u16>,
        /// What became of it.
        result: port_takeover::Claimed,
    },
    /// The terminal of a service, to be held as long as that lives.
    Terminal {
        /// Which service's.
        unit: UnitId,
        /// The side that whoever shows it holds.
        master: OwnedFd,
    },
    /// It is time to look at the clock, for tasks that run by themselves.
    Clock,
    /// It is time to look at the memory of services that have a limit.
    Sample,
    /// It is time to look again at the ports of a service that is about to start.
    FindPorts {
        /// Which.
        name: String,
        /// Which start of it.
        generation: u64,
        /// The ports that somebody was stopped for already.
        claimed: Vec<u16>,
    },
    /// Files have changed, as the system tells.
    Changed(watch::Change),
    /// The steps of these tasks have something to tell.
    Stepped {
        /// Their journals.
        journals: Vec<std::path::PathBuf>,
    },
    /// The files of a `watch` have changed, and been quiet since.
    Quiet {
        /// Which `watch`.
        watch: usize,
        /// The file that changed last.
        path: std::path::PathBuf,
    },
    /// What a task's success leaves was written down.
    Recorded {
        /// The task.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// What could not be done.
        troubles: Vec<String>,
    },
    /// The inputs of a task had this fingerprint when its run was about to begin.
    Inputs {
        /// The task.
        name: String,
        /// The generation that it belongs to.
        generation: u64,
        /// The fingerprint; `None` where it could not be made.
        fingerprint: Option<String>,
        /// Whether they are the ones of the last success, and the outputs exist.
        unchanged: bool,
    },
}
