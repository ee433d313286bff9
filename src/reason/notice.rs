//! What a user should know and what ended nothing.

use serde::{Deserialize, Serialize};

use super::HookFailure;
use crate::model::{Background, Hook};

/// What a user should know, said once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// Its processes use more memory than they may.
    Memory {
        /// How much they use.
        bytes: u64,
        /// How much they may.
        max_bytes: u64,
    },
    /// The kernel killed it because memory ran out.
    OutOfMemory,
    /// Its ports are still in use though it has ended.
    PortsInUse,
    /// Something that `cleanup` names could not be deleted.
    Cleanup {
        /// What, and the system's error.
        error: String,
    },
    /// A hook failed, which ended nothing.
    HookFailed {
        /// Which.
        hook: Hook,
        /// How.
        how: HookFailure,
    },
    /// A hook took too long and was killed.
    HookTooLong {
        /// Which.
        hook: Hook,
        /// How long it may take.
        within_ms: u64,
    },
    /// A task, or a hook, put a process into the background, which is stopped with it.
    Background {
        /// The hook, where it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hook: Option<Hook>,
        /// The process.
        process: Background,
    },
    /// A task's success could not be recorded in time.
    NotRecorded,
    /// Anything else, in words.
    #[serde(untagged)]
    Text(String),
}

impl From<String> for Notice {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
