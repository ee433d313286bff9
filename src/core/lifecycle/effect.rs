//! What the life of one service or task asks of the world.

use crate::{
    event::{Cause, Event},
    model::{Hook, Signal},
};

/// Effects in the order in which they are to be carried out, each with the generation that it
/// belongs to (one step may end a generation and begin the next).
pub type Effects = Vec<(u64, Effect)>;

/// Something to be done for one service or task, in its present generation.
#[must_use = "an effect that is not carried out stalls the service"]
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look whether the declared ports are free → [`super::Input::Ports`].
    CheckPorts,
    /// See, once, whether the ports of the generation that has just ended are free again →
    /// [`super::Input::Released`].
    CheckReleased,
    /// Delete the `cleanup` paths → [`super::Input::Cleaned`].
    Cleanup,
    /// Run a hook → [`super::Input::HookEnded`].
    RunHook(Hook),
    /// Send the stop signal to a hook that is still running, and its tree (its answer still
    /// comes).
    EndHook(Hook),
    /// Kill a hook that is still running, with its tree (its answer still comes).
    KillHook(Hook),
    /// Start the process → `Spawned` or `SpawnFailed`, later `Exited`, at last `TreeGone`.
    Spawn {
        /// Arguments to append (a task's, after `--`).
        args: Vec<String>,
    },
    /// See whether the process that a supervisor before asked for has come to be →
    /// [`super::Input::SpawnFailed`] if it has not. It is not started any more.
    CheckSpawned,
    /// See whether a task's inputs changed → [`super::Input::Unchanged`].
    CheckInputs,
    /// A task succeeded: remember its inputs, tidy what `keep` names → [`super::Input::Recorded`].
    TaskSucceeded,
    /// Ask the readiness checks until told otherwise → many [`super::Input::Probed`].
    StartReady,
    /// Ask the liveness checks until told otherwise → many [`super::Input::Alive`].
    StartAlive,
    /// No more answers of either, please.
    StopProbes,
    /// Send the stop signal. Asked for again, in the same generation, it is not sent again.
    SignalStop {
        /// Which signal.
        signal: Signal,
        /// Whether every process of the tree gets it, or the main one alone.
        tree: bool,
    },
    /// Kill every process of the tree → `Exited` if still to come, then `TreeGone`, or `Stuck`.
    /// Also asked for after each unexpected end, where nothing may be left.
    KillTree,
    /// Write to the ledger.
    Publish(Event, Cause),
}
