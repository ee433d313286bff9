//! `show`: a definition as resolved.

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        candidates::{profile_names, stack_names},
        connect::status_of,
        context::Context,
        error::{Error, status},
        names,
    },
    reporters::{self, show::Defined},
};

const EXAMPLES: &str = "\
Examples:
  stackrun show api                every value and where it was set; secrets are masked
  stackrun show api --secrets      their values, too
  stackrun show api --profile dev  as it would be with that profile
  stackrun show api --json         as data

Of a stack that runs: as it was last applied, with the ports that it has now. With a profile, and with
nothing running: as the file has it.";

/// A service or task as resolved: every value, and where it was set; the members of a group
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The service, task or group
    #[arg(add = ArgValueCandidates::new(stack_names))]
    name: String,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME", add = ArgValueCandidates::new(profile_names))]
    profiles: Vec<String>,
    /// Show the values of secrets
    #[arg(long)]
    secrets: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let (stack, now) = if args.profiles.is_empty() {
        let mut client = context.connect_if_running()?;
        let now = client.as_mut().map(status_of).transpose()?;
        (context.known_stack(client.as_mut())?, now)
    } else {
        (context.load(&args.profiles)?.stack, None)
    };
    names::check(&stack, std::slice::from_ref(&args.name))?;
    let defined = Defined { stack: &stack, status: now.as_ref(), secrets: args.secrets };
    let text = match args.json {
        true => reporters::show::json(defined, &args.name),
        false => reporters::show::show(defined, &args.name, context.columns(), context.out),
    };
    // There is nothing that has a known name and is none of them. What is secret in it is masked,
    // and what is shown whatever it is stays.
    context.print_with_secrets(&text.unwrap_or_default())?;
    Ok(status::OK)
}
