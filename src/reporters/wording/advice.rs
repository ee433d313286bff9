//! What would help.

use super::{mib, setting};
use crate::status::Advice;

/// What would help, in a sentence.
pub fn advice(advice: &Advice) -> String {
    match advice {
        Advice::RaiseMemoryMax { max_bytes } => format!(
            "find out what grows in it, or raise `memory max` ({} MiB) if it needs more",
            mib(*max_bytes)
        ),
        Advice::FreeMemory => "the machine, or its container, is out of memory: end what is not \
                               needed, or give it more"
            .to_owned(),
        Advice::SetMemoryMax => {
            "`memory max` has it restarted before the kernel kills it".to_owned()
        }
        Advice::MakeTask => "if it is done when it ends, make it a `task`".to_owned(),
        Advice::OpenStdin => {
            "if it stops where its input ends, as many watchers do: `stdin \"open\"`".to_owned()
        }
        Advice::StayInForeground => "if it puts itself into the background, run it in the \
                                     foreground: a service is the process that is started for it"
            .to_owned(),
        Advice::ReadLog => "its log shows what it did before it stopped answering".to_owned(),
        Advice::RelaxAlive { timeout_ms, failures } => format!(
            "if it is slow and not frozen, raise the `timeout` ({}) or the `failures` ({failures}) \
             of `alive`",
            setting(*timeout_ms)
        ),
        Advice::CheckPath => "it answers: is the path right?".to_owned(),
        Advice::UseTty => "many programs hold their output back where there is no terminal: \
                           `tty #true` gives it one"
            .to_owned(),
        Advice::Text(text) => text.clone(),
    }
}
