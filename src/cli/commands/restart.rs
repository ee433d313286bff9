//! `restart`: stops, waits until nothing is left, starts, waits until ready.

use std::time::Duration;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient,
        candidates::{names_of_services, profile_names},
        connect::{places_of, status_of},
        context::Context,
        error::Error,
        failure_advice, names, operation, outcome, port_prompt,
        request_loop::Ended,
        time_args,
    },
    control::Client,
    core::stack::Command,
    platform,
    reporters::{Symbol, headline, summary, wording},
};

const EXAMPLES: &str = "\
Examples:
  stackrun restart                         everything that is up
  stackrun restart api                     one service; what needs it stays up
  stackrun restart db --with-dependents    and whatever needs it";

/// Stop, wait until it is gone and its ports are free, start, wait until it is ready
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services or groups [default: everything that is up]
    #[arg(add = ArgValueCandidates::new(names_of_services))]
    names: Vec<String>,
    /// Also restart whatever needs them
    #[arg(long)]
    with_dependents: bool,
    /// Give up waiting after this long; the restart continues
    #[arg(long, value_name = "TIME", value_parser = time_args::duration)]
    timeout: Option<Duration>,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME", add = ArgValueCandidates::new(profile_names))]
    profiles: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    // Before the file is read: who starts a service after this has read no older one.
    let asked = platform::now();
    let stack = context.load_as_in_force(&args.profiles)?.stack;
    names::check(&stack, &args.names)?;
    let began = ambient::now();
    let mut client = Client::connect_or_launch(&places_of(&stack)?)?;
    let before = status_of(&mut client)?;
    let mut reporter = context.reporter_of(&stack, &before, began);
    let command = Command::Restart {
        stack: Some(Box::new(stack.clone())),
        names: args.names.clone(),
        with_dependents: args.with_dependents,
        asked: Some(asked),
    };
    let job = operation::starting(command);
    match operation::carry_out(job, args.timeout, &mut client, &mut reporter)? {
        Ended::Outcome { outcome, .. } => {
            let status = outcome::exit_status(&outcome)?;
            let took = wording::between(began, ambient::now());
            if outcome.results.is_empty() && !outcome.superseded {
                let text = format!("nothing of {} is up: nothing was restarted", stack.name);
                context.say(&headline(Symbol::Warn, &text, context.err));
                context.say(&summary::hint("stackrun up", context.err));
                return Ok(status);
            }
            context.say_all(&summary::up(
                summary::What { stack: &stack.name, names: &args.names },
                &outcome,
                reporter.board(),
                took,
                context.err,
            ));
            failure_advice::advise(context, &mut client, &outcome);
            port_prompt::advise(context, &stack, &outcome, (&args.names, false))?;
            Ok(status)
        }
        Ended::Early(early) => {
            Ok(early.say(context, "the restart continues (`stackrun status` shows it)"))
        }
    }
}
