//! `completions`: what a shell needs to complete commands and names.

use clap_complete::{Shell, env::Shells};

use crate::cli::{
    context::Context,
    error::{Error, status},
    output::write_out,
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
