//! `down`: stops, and says that nothing is left.

use std::time::Duration;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient,
        candidates::names_of_services,
        connect::{ask_running, status_of},
        context::Context,
        error::{Error, status},
        names, operation, outcome,
        request_loop::Ended,
        time_args,
    },
    control::Client,
    core::stack::Command,
    reporters::{
        Symbol, headline,
        live_model::{Goal, LiveModel},
        summary, wording,
    },
};

const EXAMPLES: &str = "\
Examples:
  stackrun down          everything
  stackrun down api      one service, and first whatever needs it";

/// How long a keeper that has nothing left to hold may take to end.
const KEEPER: Duration = Duration::from_secs(5);

/// What to do about what is left.
const REMAINS_KNOWN: &str =
    "it stays known until it has ended: `stackrun status` shows it, `stackrun down` tries again";

/// Stop, dependents first; succeeds only when nothing is left
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services or groups [default: the whole stack]
    #[arg(add = ArgValueCandidates::new(names_of_services))]
    names: Vec<String>,
    /// Give up waiting after this long; the stop continues
    #[arg(long, value_name = "TIME", value_parser = time_args::duration)]
    timeout: Option<Duration>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let with_status = |mut client: Client| status_of(&mut client).map(|status| (client, status));
    let running = match ask_running(|| context.connect_to_end(), with_status) {
        // Where there is no stack nothing of it runs.
        Err(Error::NoFile { .. }) => None,
        other => other?,
    };
    let Some((mut client, before)) = running else { return nothing_runs(args, context) };
    let began = ambient::now();
    let mut reporter = context.reporter(LiveModel::of_status(&before, Goal::Down), began);
    let job = operation::job(Command::Down { names: args.names.clone() });
    match operation::carry_out(job, args.timeout, &mut client, &mut reporter)? {
        Ended::Outcome { outcome, left, .. } => {
            let status = outcome::exit_status(&outcome)?;
            let what = summary::What { stack: &before.stack, names: &args.names };
            let took = wording::between(began, ambient::now());
            let left = left.as_ref().map(outcome::left);
            let is_left = left.is_some_and(|left| left.is_any());
            // The keeper is the last to go: an `up` right after this starts from nothing. As long as
            // anything is left it stays.
            if left.is_some() && !is_left {
                let _ = client.wait_down(KEEPER);
            }
            context.say_all(&summary::down(what, &outcome, left, took, context.err));
            if is_left {
                context.say(&summary::hint(REMAINS_KNOWN, context.err));
            }
            Ok(if is_left { status.max(status::FAILED) } else { status })
        }
        Ended::Early(early) => {
            Ok(early.say(context, "the stop continues (`stackrun status` shows it)"))
        }
    }
}

/// Nothing of the stack was found.
fn nothing_runs(args: &Args, context: &Context) -> Result<u8, Error> {
    // The file may be broken by now; if it is not, it knows its names.
    if let Ok(loaded) = context.load(&[]) {
        names::check(&loaded.stack, &args.names)?;
    }
    let text = "nothing is running: 0 processes, 0 ports";
    context.say(&headline(Symbol::Good, text, context.err));
    context.say_all(&summary::unproved_lines(&context.stale_state().1, context.err));
    Ok(status::OK)
}
