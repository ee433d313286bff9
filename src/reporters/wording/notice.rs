//! What a user should know and what ended nothing.

use super::{failure::hook_failure, mib, setting};
use crate::reason::Notice;

/// A notice, in a sentence.
pub fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Memory { bytes, max_bytes } => {
            let (bytes, max) = (mib(*bytes), mib(*max_bytes));
            format!("its processes use {bytes} MiB, {max} MiB are allowed")
        }
        Notice::OutOfMemory => "the kernel killed it, because memory ran out".to_owned(),
        Notice::PortsInUse => "its ports are still in use after it exited".to_owned(),
        Notice::Cleanup { error } => format!("cleanup: {error}"),
        Notice::HookFailed { hook, how } => format!("{} failed: {}", hook.key(), hook_failure(how)),
        Notice::HookTooLong { hook, within_ms } => {
            format!("{}: not done within {}, and killed", hook.key(), setting(*within_ms))
        }
        Notice::Background { hook, process } => {
            let hook = hook.map(|hook| format!("{}: ", hook.key())).unwrap_or_default();
            format!(
                "{hook}it put a process into the background ({process}), which is stopped with it: \
                 what must keep running is a service of its own"
            )
        }
        Notice::NotRecorded => "could not record its success in time; continuing".to_owned(),
        Notice::Text(text) => text.clone(),
    }
}
