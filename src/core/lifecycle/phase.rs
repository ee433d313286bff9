//! What a service is doing.

use serde::{Deserialize, Serialize};

use super::Stopping;
use crate::{
    event::Tick,
    reason::{FailedCheck, Reason},
};

/// What a service is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing.
    Idle,
    /// On its way to ready.
    Starting(StartStage),
    /// Ready.
    Ready,
    /// Was ready and fails its liveness checks.
    Unhealthy {
        /// The one that fails.
        check: FailedCheck,
        /// When it is restarted for it; never by itself without one.
        until: Option<Tick>,
    },
    /// On its way down.
    Stopping(Stopping),
    /// Failed, and to be started again.
    Backoff {
        /// When.
        until: Tick,
        /// What failed.
        reason: Reason,
    },
    /// Was ready and has ended by itself, which is no failure. (With braces, because the notes of
    /// earlier versions have a field here.)
    Exited {},
    /// Failed for good.
    Failed {
        /// Why.
        reason: Reason,
    },
}

/// How far a start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartStage {
    /// Looking at its ports.
    Ports,
    /// Deleting what earlier runs left.
    Cleanup,
    /// `before-start`.
    Hook,
    /// Asked for its process.
    Spawn,
    /// Asking its checks.
    Check {
        /// Until when they must hold.
        until: Tick,
    },
}
