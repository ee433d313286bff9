//! `upgrade`: this program replaces another version that runs.

use crate::{
    cli::{
        connect::status_of,
        context::Context,
        error::{Error, status},
    },
    control::Client,
    reporters::{Symbol, headline},
};

const EXAMPLES: &str = "\
Examples:
  stackrun upgrade      after a new version was installed; `up` does it by itself";

/// Have this version take over the running stack, without restarting anything
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(_: &Args, context: &Context) -> Result<u8, Error> {
    let client = Client::upgrade(&context.places()?)?;
    let mut client = client.ok_or(Error::NotRunning { stack: None })?;
    let stack = status_of(&mut client)?.stack;
    let text = format!("{stack} is held by {} now; nothing was restarted", client.version());
    context.say(&headline(Symbol::Good, &text, context.err));
    Ok(status::OK)
}
