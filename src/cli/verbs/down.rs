//! `down`: stops, and says that nothing is left.

use std::time::Duration;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        caller,
        context::{Context, ask_running, status_of},
        conversation::{Ended, OnInterrupt, carry_out},
        error::{Error, status},
        names, outcome,
        verbs::completions::stack_names,
        when,
    },
    control::{self, Client, Request},
    reporters::{
        Symbol,
        board::{Board, Goal},
        headline, summary, words,
    },
    supervisor::Command,
};

const EXAMPLES: &str = "\
Examples:
  stackrun down          everything
  stackrun down api      one service, and first whatever needs it";

/// How long a keeper that has nothing left to hold may take to end.
const KEEPER: Duration = Duration::from_secs(5);

/// Stop, dependents first; succeeds only when nothing is left
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services or groups [default: the whole stack]
    #[arg(add = ArgValueCandidates::new(stack_names))]
    names: Vec<String>,
    /// Give up waiting after this long; the stop goes on
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    timeout: Option<Duration>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let with_status = |mut client: Client| status_of(&mut client).map(|status| (client, status));
    let running = match ask_running(|| context.connect_if_running(), with_status) {
        // Where there is no stack nothing of it runs.
        Err(Error::NoFile { .. }) => None,
        other => other?,
    };
    let Some((mut client, before)) = running else {
        // The file may be broken by now; if it is not, it knows its names.
        if let Ok(loaded) = context.load(&[]) {
            names::check(&loaded.stack, &args.names)?;
        }
        let text = "nothing is running: 0 processes, 0 ports";
        context.say(&headline(Symbol::Good, text, context.err));
        return Ok(status::OK);
    };
    let began = caller::now();
    let mut reporter = context.reporter(Board::of_status(&before, Goal::Down), began);
    let request = Request::Do {
        command: Command::Down { names: args.names.clone() },
        line: caller::command_line(),
        env: None,
        follow: true,
        foreground: false,
        take_ports: false,
    };
    let ended = carry_out(
        &mut client,
        request,
        (args.timeout, OnInterrupt::Leave),
        &mut reporter,
        |_, _| Ok(()),
    );
    reporter.finish();
    match ended? {
        Ended::Outcome { outcome, left } => {
            let status = outcome::exit_status(&outcome)?;
            let what = names::shown(&before.stack, &args.names);
            let took = words::between(began, caller::now());
            let is_left = left
                .as_ref()
                .is_some_and(|left| !left.processes.is_empty() || !left.ports.is_empty());
            let left = left.as_ref().map(self::left);
            // The keeper is the last to go: an `up` right after this starts from nothing.
            if left.is_some() {
                let _ = client.wait_down(KEEPER);
            }
            context.say_all(&summary::down(&what, &outcome, left, took, context.err));
            Ok(if is_left { status.max(status::FAILED) } else { status })
        }
        Ended::Timeout => {
            context.say(&headline(Symbol::Warn, "the time is up: the stop goes on", context.err));
            Ok(status::TIMEOUT)
        }
        Ended::Interrupted => {
            context.say(&headline(Symbol::Warn, "the stop goes on without you", context.err));
            Ok(status::INTERRUPTED)
        }
    }
}

/// What is left, for the summary.
pub(in crate::cli) fn left(left: &control::Left) -> summary::Left<'_> {
    summary::Left { processes: &left.processes, ports: &left.ports, proved: left.proved }
}
