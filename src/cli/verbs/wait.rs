//! `wait`: for scripts and CI.

use std::time::Duration;

use clap::ValueEnum;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        caller,
        context::{Context, status_of},
        conversation::{Ended, OnInterrupt, carry_out},
        error::{Error, status},
        names, outcome,
        verbs::completions::stack_names,
        when,
    },
    control::Request,
    reporters::{
        Symbol,
        board::{Board, Goal},
        headline,
    },
    supervisor::{Command, Until},
};

const EXAMPLES: &str = "\
Examples:
  stackrun wait                            until everything is ready
  stackrun wait api --timeout 60s          exit 124 when the time is up
  stackrun wait --for down                 until nothing runs any more";

/// Wait until services are ready, tasks done, or everything down
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services, tasks or groups [default: all]
    #[arg(add = ArgValueCandidates::new(stack_names))]
    names: Vec<String>,
    /// For what
    #[arg(long = "for", value_name = "STATE", default_value = "ready", value_enum)]
    state: State,
    /// Give up after this long, with exit status 124
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Services are ready, tasks done
    Ready,
    /// Tasks are done, services ready
    Done,
    /// Nothing of them runs
    Down,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let Some(mut client) = context.connect_if_running()? else {
        if let Ok(loaded) = context.load(&[]) {
            names::check(&loaded.stack, &args.names)?;
        }
        return match args.state {
            State::Down => Ok(status::OK),
            State::Ready | State::Done => Err(Error::NotRunning { stack: None }),
        };
    };
    let (until, goal) = match args.state {
        State::Ready => (Until::Ready, Goal::Up),
        State::Done => (Until::Done, Goal::Up),
        State::Down => (Until::Down, Goal::Down),
    };
    let board = Board::of_status(&status_of(&mut client)?, goal);
    let mut reporter = context.reporter(board, caller::now());
    let request = Request::Do {
        command: Command::Wait { names: args.names.clone(), until },
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
    match ended {
        Ok(Ended::Outcome { outcome, .. }) => outcome::exit_status(&outcome),
        Ok(Ended::Timeout) => {
            context.say(&headline(Symbol::Bad, "the time is up", context.err));
            Ok(status::TIMEOUT)
        }
        Ok(Ended::Interrupted) => Ok(status::INTERRUPTED),
        // It ended while we waited for just that.
        Err(Error::Client(crate::control::ClientError::Gone)) if until == Until::Down => {
            match context.connect_if_running()? {
                None => Ok(status::OK),
                Some(_) => run(args, context),
            }
        }
        Err(error) => Err(error),
    }
}
