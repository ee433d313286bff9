//! The keeper: the parent of every service. It starts, signals, reaps and moves logs; it decides
//! nothing.
//!
//! # Theory of operation
//!
//! A keeper is a process of its own, one a stack, and holds the lock on the stack's folder as
//! long as it lives. Its main thread waits for everything at once: messages of its supervisor,
//! exits of processes, news of its log thread. A second thread moves what services write to their
//! logs, and a third one keeps a supervisor alive. Starts that are asked for together are made
//! side by side, by as many threads as there are processors, which live no longer than that.
//!
//! A *unit* is a process tree. Its life:
//!
//! | state | what is true | what ends it |
//! |---|---|---|
//! | runs | the main process lives | its end, seen by pidfd |
//! | ended | the main process is a zombie, which keeps its number and its group's from strangers | a scan of the process table: which are left; the log has what was written |
//! | told | `Exited` was said, with how many are left | they end, by themselves or killed; a scan finds none |
//! | gone | `Gone` was said, the zombie is reaped | the supervisor says `Forget` |
//!
//! `Kill` may come at any time before `gone`, and is repeated with each scan. Nothing waits for
//! the end of a pipe.
//!
//! A record of all that goes to a journal in the runtime folder, for a keeper that has to take over
//! ([`units`]). A journal may be lost: what carries the stack's mark and is in no record is looked
//! for ([`unrecorded`]), before it is said that nothing runs ([`StaleState`]) and at the end of the
//! stack, unless the kernel proves that nothing is left ([`shutdown`]). What cannot be ended stays known
//! until it has ([`left`]). What other stacks have below this keeper is theirs ([`others`]).

mod abandoned_checks;
mod commands;
mod connection;
pub mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod io;
mod journal;
mod launch;
mod left;
mod limits;
mod log_mover;
mod logs;
mod main_loop;
mod orphans;
mod others;
mod outbox;
mod process_scan;
pub mod protocol;
mod run;
mod runtime_dir;
mod shutdown;
mod spawn_batch;
mod stale_state;
mod stale_supervisors;
mod start;
mod supervisor;
mod supervisor_process;
mod take_over;
mod terminal;
mod unit_id;
mod units;
mod unrecorded;
mod upgrade;

pub use journal::kept;
pub use launch::{LaunchError, Launched, launch, launch_as, launch_with};
pub use run::{KeeperError, run, run_with};
pub use stale_state::StaleState;
pub use supervisor_process::Offer;
pub use upgrade::{NoResume, Resume};
