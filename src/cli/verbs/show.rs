//! `show`: a definition as resolved.

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
        names,
        verbs::completions::stack_names,
    },
    reporters,
};

const EXAMPLES: &str = "\
Examples:
  stackrun show api          every value and where it was set; secrets are masked
  stackrun show api --json   as data";

/// A service or task as resolved: every value, and where it was set
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service or task
    #[arg(add = ArgValueCandidates::new(stack_names))]
    name: String,
    /// As data
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let mut client = context.connect_if_running()?;
    let stack = context.known_stack(client.as_mut())?;
    names::check(&stack, std::slice::from_ref(&args.name))?;
    let text = match args.json {
        true => reporters::show::json(&stack, &args.name),
        false => reporters::show::show(&stack, &args.name, context.columns(), context.out),
    };
    let text = text.ok_or_else(|| Error::Argument(format!("`{}` is a group", args.name)))?;
    context.print(&text)?;
    Ok(status::OK)
}
