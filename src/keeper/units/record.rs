//! A unit as the journal has it, for a keeper that takes over.
//!
//! A record is a hint. Whether a process still is the one that was recorded is for its identity to
//! tell. A unit is recorded before it is started, so that one whose keeper died in between is
//! found by the labels that it was to get: its pipes and its mark.

use serde::{Deserialize, Serialize};

use super::{notify, origin::Origin};
use crate::{
    model::{Exit, is_default},
    platform::ProcId,
};

/// A unit as it is recorded.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::keeper) struct Record {
    #[serde(flatten)]
    pub(in crate::keeper) origin: Origin,
    /// `None`: it was about to be started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::keeper) main: Option<ProcId>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) notify: Option<notify::Record>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(in crate::keeper) known: Vec<ProcId>,
    #[serde(default)]
    pub(super) asked_to_end: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) exit: Option<Exit>,
    #[serde(default)]
    pub(super) out_of_memory: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) told: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) gone: bool,
}

impl Record {
    /// A unit that is about to be started.
    pub(super) fn before_start(origin: Origin, notify: Option<notify::Record>) -> Self {
        Self {
            origin,
            main: None,
            notify,
            known: Vec::new(),
            asked_to_end: false,
            exit: None,
            out_of_memory: false,
            told: false,
            gone: false,
        }
    }

    /// A unit that no record tells of, as it was found; the first process is the main one.
    pub(in crate::keeper) fn of_found(origin: Origin, main: ProcId, known: Vec<ProcId>) -> Self {
        Self { main: Some(main), known, ..Self::before_start(origin, None) }
    }
}
