//! What is kept on the disk of the stack last applied.

use std::{collections::BTreeMap, io, path::Path};

use serde::{Deserialize, Serialize};

use super::files;
use crate::model::Stack;

/// The version of the file.
const FORMAT: u32 = 1;

/// The stack last applied, and the environment of who applied it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Intent {
    format: u32,
    /// The stack.
    pub(super) stack: Stack,
    /// The caller's environment at the latest `up` or `restart`.
    pub(super) env: BTreeMap<String, String>,
}

impl Intent {
    pub(super) fn new(stack: Stack, env: BTreeMap<String, String>) -> Self {
        Self { format: FORMAT, stack, env }
    }

    /// Reads the file; `None` if there is none, or none of this format.
    pub(super) fn load(path: &Path) -> Option<Self> {
        let intent: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (intent.format == FORMAT).then_some(intent)
    }

    /// Stores the file.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        files::replace(path, &serde_json::to_vec(self)?)
    }
}
