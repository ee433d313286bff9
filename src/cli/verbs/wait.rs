//! `wait`: for scripts and CI.

use std::time::Duration;

use clap::ValueEnum;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        caller,
        context::{Context, status_of, unexpected},
        conversation::Ended,
        doing::Doing,
        error::{Error, status},
        names, outcome,
        verbs::completions::stack_names,
        when,
    },
    control::{Client, Reply, Request},
    model::Stack,
    reporters::{
        board::{Board, Goal},
        summary, words,
    },
    status::{ServiceState, TaskState},
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
    let mut board = Board::of_status(&now, goal);
    board.join(&now);
    let mut reporter = context.reporter(board, caller::now());
    let doing = Doing::new(Command::Wait { names: args.names.clone(), until }, args.timeout);
    match doing.carry_out(&mut client, &mut reporter) {
        Ok(Ended::Outcome { outcome, .. }) => {
            let status = outcome::exit_status(&outcome)?;
            context.say_all(&summary::unmet(&outcome, context.err));
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

/// What does not hold yet: `api is starting`.
fn unmet(client: &mut Client, args: &Args) -> Result<String, Error> {
    let now = status_of(client)?;
    let asked = asked(client, args)?;
    let is_asked = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let down = args.state == State::Down;
    let services = now.services.iter().filter(|service| {
        let up = matches!(service.state, ServiceState::Ready | ServiceState::Exited);
        let is_idle = service.state == ServiceState::Idle;
        if down { service.pid.is_some() } else { !(up || is_idle && asked.is_empty()) }
    });
    let tasks = now.tasks.iter().filter(|task| {
        let done = matches!(task.state, TaskState::Done | TaskState::Skipped);
        let is_idle = task.state == TaskState::Idle;
        if down { task.state == TaskState::Running } else { !(done || is_idle && asked.is_empty()) }
    });
    let services = services.map(|service| (&service.name, service.state.word()));
    let all = services.chain(tasks.map(|task| (&task.name, task.state.word())));
    let unmet: Vec<String> = all
        .filter(|(name, _)| is_asked(name))
        .map(|(name, state)| format!("{name} is {state}"))
        .collect();
    Ok(words::list(&unmet))
}

fn asked(client: &mut Client, args: &Args) -> Result<Vec<String>, Error> {
    if args.names.is_empty() {
        return Ok(Vec::new());
    }
    Ok(names::resolve(&stack_of(client)?, &args.names))
}

fn stack_of(client: &mut Client) -> Result<Stack, Error> {
    match client.call(Request::Stack)? {
        Reply::Stack { stack } => Ok(*stack),
        other => Err(unexpected(&other)),
    }
}

impl Args {
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
