//! `completions`: what a shell needs to complete commands and names.

use clap_complete::{Shell, engine::CompletionCandidate, env::Shells};

use crate::{
    cli::{
        ambient,
        context::{Context, write_out},
        error::{Error, status},
        running_stacks,
    },
    language::{self, Declared},
    model::Signal,
};

const EXAMPLES: &str = "\
Examples:
  source <(stackrun completions bash)
  stackrun completions fish > ~/.config/fish/completions/stackrun.fish";

/// The variable by which a shell asks for completions.
pub(in crate::cli) const VARIABLE: &str = "STACKRUN_COMPLETE";

/// Completions for a shell, names of services included
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Which shell
    shell: Shell,
}

pub(in crate::cli) fn run(args: &Args, _: &Context) -> Result<u8, Error> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell.to_string());
    let shell =
        shell.ok_or_else(|| Error::Argument(format!("no completions for {}", args.shell)))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "stackrun", "stackrun", "stackrun", &mut script)
        .map_err(|error| Error::Other(error.to_string()))?;
    write_out(&script)?;
    Ok(status::OK)
}

/// Everything of the stack here that has a name, for a shell that completes one.
pub(in crate::cli) fn stack_names() -> Vec<CompletionCandidate> {
    let Declared { services, tasks, groups, .. } = declared();
    candidates([services, tasks, groups].concat())
}

/// The services and groups of the stack here.
pub(in crate::cli) fn names_of_services() -> Vec<CompletionCandidate> {
    let Declared { services, groups, .. } = declared();
    candidates([services, groups].concat())
}

/// The services of the stack here.
pub(in crate::cli) fn service_names() -> Vec<CompletionCandidate> {
    candidates(declared().services)
}

/// The tasks of the stack here.
pub(in crate::cli) fn task_names() -> Vec<CompletionCandidate> {
    candidates(declared().tasks)
}

/// The signals by name.
pub(in crate::cli) fn signal_names() -> Vec<CompletionCandidate> {
    Signal::names().map(CompletionCandidate::new).collect()
}

/// The stacks that run.
pub(in crate::cli) fn running_stacks() -> Vec<CompletionCandidate> {
    candidates(running_stacks::all().into_iter().map(|stack| stack.name).collect())
}

/// The profiles of the stack here.
pub(in crate::cli) fn profile_names() -> Vec<CompletionCandidate> {
    candidates(declared().profiles)
}

/// Everything that `explain` knows.
pub(in crate::cli) fn keys() -> Vec<CompletionCandidate> {
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
