//! `completions`: what a shell needs to complete commands and names.

use clap_complete::{Shell, engine::CompletionCandidate, env::Shells};

use crate::{
    cli::{
        caller,
        context::{Context, write_out},
        error::{Error, status},
        names,
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
    let Ok(here) = std::env::current_dir() else { return Vec::new() };
    let mut files = here.ancestors().map(|folder| folder.join("stack.kdl"));
    let Some(file) = files.find(|file| file.is_file()) else { return Vec::new() };
    let options = language::Options { env: caller::environment(), ..language::Options::default() };
    match language::load(&file, &options) {
        Ok(loaded) => names::all(&loaded.stack).map(CompletionCandidate::new).collect(),
        Err(_) => Vec::new(),
    }
}
