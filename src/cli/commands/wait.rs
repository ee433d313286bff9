//! `wait`: for scripts and CI.

use std::time::Duration;

use clap::ValueEnum;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient,
        candidates::stack_names,
        connect::{status_of, unexpected},
        context::Context,
        error::{Error, status},
        names, operation, outcome,
        request_loop::Ended,
        time_args,
    },
    control::{Client, Reply, Request},
    core::stack::{Command, Until},
    model::Stack,
    reporters::{
        Symbol, headline,
        live_model::{Goal, LiveModel},
        summary, wording,
    },
    status::{Asked, Item, Verdict},
};

const EXAMPLES: &str = "\
Examples:
  stackrun wait                            until everything is ready
  stackrun wait api --timeout 60s          exit 124 when it times out
  stackrun wait --for down                 until nothing runs any more";

/// Wait until services are ready, tasks done, or everything down
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services, tasks or groups [default: all that was asked for, and what that needs]
    #[arg(add = ArgValueCandidates::new(stack_names))]
    names: Vec<String>,
    /// What to wait for
    #[arg(long = "for", value_name = "STATE", default_value = "ready", value_enum)]
    state: State,
    /// Give up after this long, with exit status 124
    #[arg(long, value_name = "TIME", value_parser = time_args::duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Services are ready, tasks done
    Ready,
    /// Tasks are done (the services of a group ready)
    Done,
    /// Nothing of them runs
    Down,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let Some(mut client) = context.connect_if_running()? else {
        if let Ok(loaded) = context.load(&[]) {
            names::check(&loaded.stack, &args.names)?;
            args.can_be(&loaded.stack)?;
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
    args.can_be(&stack_of(&mut client)?)?;
    let now = status_of(&mut client)?;
    let mut board = LiveModel::of_status(&now, goal);
    board.join(&now);
    let mut reporter = context.reporter(board, ambient::now());
    let job = operation::job(Command::Wait { names: args.names.clone(), until });
    match operation::carry_out(job, args.timeout, &mut client, &mut reporter) {
        Ok(Ended::Outcome { outcome, left, .. }) => {
            let is_all = args.names.is_empty();
            if let Some(left) = left.filter(|left| outcome::left(left).is_any()) {
                let text = format!("still running: {}", wording::list(&left.processes));
                context.say(&headline(Symbol::Bad, &text, context.err));
                return Ok(status::FAILED);
            }
            if is_all && outcome.results.is_empty() && outcome.refused.is_none() {
                return args.nothing_asked_for(context);
            }
            let asked = if is_all { Asked::AsPartOfAll } else { Asked::ByName };
            let status = outcome::exit_status_of(&outcome, asked)?;
            context.say_all(&summary::unmet(&outcome, asked, context.err));
            Ok(status)
        }
        Ok(Ended::Early(early)) => Ok(early.say(context, &unmet(&mut client, args)?)),
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

/// What is not there yet, and why: `api is starting (GET /health: 503)`.
fn unmet(client: &mut Client, args: &Args) -> Result<String, Error> {
    let names = match args.names.as_slice() {
        [] => Vec::new(),
        names => names::resolve(&stack_of(client)?, names),
    };
    let now = status_of(client)?;
    let asked: Vec<Item<'_>> = match (names.as_slice(), args.state) {
        ([], State::Down) => now.every().collect(),
        ([], State::Ready | State::Done) => now.all().collect(),
        (names, _) => now.named(names).collect(),
    };
    let unmet = asked.iter().filter(|item| match args.state {
        State::Down => item.runs,
        State::Ready | State::Done => item.verdict != Verdict::Holds,
    });
    let unmet: Vec<String> = unmet.map(told).collect();
    Ok(match unmet.as_slice() {
        [] => "it was reached a moment too late".to_owned(),
        unmet => wording::list(unmet),
    })
}

fn told(item: &Item<'_>) -> String {
    match item.because.map(wording::because) {
        Some(because) => format!("{} is {} ({because})", item.name, item.state),
        None => format!("{} is {}", item.name, item.state),
    }
}

fn stack_of(client: &mut Client) -> Result<Stack, Error> {
    match client.call(Request::Stack)? {
        Reply::Stack { stack } => Ok(*stack),
        other => Err(unexpected(&other)),
    }
}

impl Args {
    /// There is a supervisor, and nothing that was asked for: `up` is still on its way, or all of
    /// it was taken back.
    fn nothing_asked_for(&self, context: &Context) -> Result<u8, Error> {
        match self.state {
            State::Down => Ok(status::OK),
            State::Ready | State::Done => {
                context.say(&headline(Symbol::Warn, "nothing was asked for", context.err));
                context.say(&summary::hint("stackrun up", context.err));
                Ok(status::NOT_RUNNING)
            }
        }
    }

    /// Refuses to wait for a service to be done: it never is. In a group the tasks are meant.
    fn can_be(&self, stack: &Stack) -> Result<(), Error> {
        let mut names = self.names.iter().filter(|_| self.state == State::Done);
        match names.find(|name| stack.service(name).is_some()) {
            Some(name) => Err(Error::Argument(format!(
                "`{name}` is a service, and only tasks get done: `--for ready` waits until it is \
                 ready, `--for down` until it has ended"
            ))),
            None => Ok(()),
        }
    }
}
