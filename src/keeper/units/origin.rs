//! What is known of a unit before it is started.

use std::{os::fd::RawFd, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{notify, record::Record};
use crate::{
    event::{Place, Tick},
    keeper::protocol::UnitId,
    model::{LogPolicy, is_default},
    platform::{Entry, FileId, ProcId, Table},
};

/// What is known of a unit before it is started, and never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::keeper) struct Origin {
    pub(in crate::keeper) unit: UnitId,
    pub(in crate::keeper) started: Tick,
    /// Where in the log its output begins.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::keeper) log: Place,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::keeper) log_policy: LogPolicy,
    pub(in crate::keeper) outputs: Vec<OutputPipe>,
    /// `STACKRUN_ID=…`, in the environment of its processes.
    pub(in crate::keeper) mark: String,
    /// The folder of the cgroup that it runs in, where it has one.
    #[serde(
        default,
        skip_serializing_if = "is_default",
        with = "crate::model::path_text::optional"
    )]
    pub(in crate::keeper) cgroup: Option<PathBuf>,
    /// It was found by its mark: no record tells of its start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::keeper) found: bool,
}

/// One of its outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::keeper) struct OutputPipe {
    pub(in crate::keeper) key: u64,
    #[serde(with = "crate::model::path_text")]
    pub(in crate::keeper) path: PathBuf,
    pub(in crate::keeper) id: FileId,
    #[serde(with = "crate::model::path_text")]
    pub(in crate::keeper) log: PathBuf,
    /// A terminal's number in this process.
    #[serde(default)]
    pub(in crate::keeper) terminal: Option<RawFd>,
}

impl Origin {
    /// How it is recorded before it is started.
    pub(in crate::keeper) fn record(&self, notify: Option<notify::Record>) -> Record {
        Record::before_start(self.clone(), notify)
    }

    /// Who was started by the keeper before in its last moment: the oldest leader of a session
    /// that has the unit's labels. The lock on the stack is held by it, too, until it executes
    /// its program: by now it has its labels, or is none.
    pub(super) fn find_main(&self) -> Option<ProcId> {
        let table = Table::read().ok()?;
        let has_label = |entry: &&Entry| {
            entry.session == entry.id.pid
                && (entry.pipes().iter().any(|pipe| self.outputs.iter().any(|out| out.id == *pipe))
                    || entry.mark().is_some_and(|mark| mark == self.mark.as_bytes()))
        };
        let living = table.entries().iter().filter(|entry| !entry.is_dead());
        living.filter(has_label).map(|entry| entry.id).min_by_key(|id| id.start)
    }
}
