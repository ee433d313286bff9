//! `help`: what `--help` says, for those who ask the other way round.

use clap::Parser;

use crate::cli::{
    args::Cli,
    error::{Error, status},
    grammar,
};

const EXAMPLES: &str = "\
Examples:
  stackrun help        every command
  stackrun help up     one command, with examples";

/// The help of a command
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Which command
    command: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args) -> Result<u8, Error> {
    let program = ["stackrun"].into_iter();
    let words = program.chain(args.command.iter().map(String::as_str)).chain(["--help"]);
    let Err(answer) = Cli::try_parse_from(words) else { return Ok(status::OK) };
    match grammar::wrong(&answer) {
        Some(wrong) => Err(wrong),
        None => answer.print().map(|()| status::OK).map_err(|_| Error::OutputClosed),
    }
}
