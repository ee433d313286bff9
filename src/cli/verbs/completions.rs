//! `completions`: what a shell needs to complete commands and names.

use clap_complete::{Shell, engine::CompletionCandidate, env::Shells};

use crate::{
    cli::{
        caller,
        context::{Context, write_out},
        error::{Error, status},
    },
    language,
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

/// The names of the stack here, for a shell that completes one.
pub(in crate::cli) fn stack_names() -> Vec<CompletionCandidate> {
    candidates(declared().names)
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
fn declared() -> language::Declared {
    let named = caller::path_variable("STACKRUN_FILE").filter(|file| file.is_file());
    let above = || {
        let here = std::env::current_dir().ok()?;
        let mut files = here.ancestors().map(|folder| folder.join("stack.kdl"));
        files.find(|file| file.is_file())
    };
    named.or_else(above).map(|file| language::declared(&file)).unwrap_or_default()
}
