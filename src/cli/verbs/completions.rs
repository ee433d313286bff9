//! `completions`: what a shell needs to complete commands and names.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{args::Cli, context::write_out, error::Error};

const EXAMPLES: &str = "\
Examples:
  source <(stackrun completions bash)
  stackrun completions fish > ~/.config/fish/completions/stackrun.fish";

/// Completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Which shell
    shell: Shell,
}

pub(in crate::cli) fn run(args: &Args) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stackrun", &mut script);
    write_out(&script)?;
    Ok(crate::cli::error::status::OK)
}
