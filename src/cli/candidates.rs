//! Words that a shell offers to complete an argument with.

use clap_complete::engine::CompletionCandidate;

use super::{ambient, running_stacks};
use crate::{
    language::{self, Declared},
    model::Signal,
};

/// Everything of the stack here that has a name, for a shell that completes one.
pub(super) fn stack_names() -> Vec<CompletionCandidate> {
    let Declared { services, tasks, groups, .. } = declared();
    candidates([services, tasks, groups].concat())
}

/// The services and groups of the stack here.
pub(super) fn names_of_services() -> Vec<CompletionCandidate> {
    let Declared { services, groups, .. } = declared();
    candidates([services, groups].concat())
}

/// The services of the stack here.
pub(super) fn service_names() -> Vec<CompletionCandidate> {
    candidates(declared().services)
}

/// The tasks of the stack here.
pub(super) fn task_names() -> Vec<CompletionCandidate> {
    candidates(declared().tasks)
}

/// The signals by name.
pub(super) fn signal_names() -> Vec<CompletionCandidate> {
    Signal::names().map(CompletionCandidate::new).collect()
}

/// The stacks that run.
pub(super) fn running_stacks() -> Vec<CompletionCandidate> {
    candidates(running_stacks::all().into_iter().map(|stack| stack.name).collect())
}

/// The profiles of the stack here.
pub(super) fn profile_names() -> Vec<CompletionCandidate> {
    candidates(declared().profiles)
}

/// Everything that `explain` knows.
pub(super) fn keys() -> Vec<CompletionCandidate> {
    candidates(language::keys())
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// What the nearest stack file declares. What is not complete yet, or wrong, is no hindrance.
fn declared() -> Declared {
    let named = ambient::path_variable("STACKRUN_FILE").filter(|file| file.is_file());
    let above = || {
        let here = std::env::current_dir().ok()?;
        let mut files = here.ancestors().map(|folder| folder.join("stack.kdl"));
        files.find(|file| file.is_file())
    };
    named.or_else(above).map(|file| language::declared(&file)).unwrap_or_default()
}
