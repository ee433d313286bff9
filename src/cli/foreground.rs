//! What comes after the start: following the logs, and in the foreground stopping the stack.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    ambient,
    connect::{places_of, stack_dir, status_of},
    context::Context,
    error::{Error, status},
    following::Following,
    interrupt, operation, outcome,
    request_loop::Ended,
};
use crate::{
    control::{Answer, Client, ClientError, Job, Reply, Request},
    core::stack::{Command, ItemOutcome, Outcome, Until},
    event::{Event, Record},
    logs::{Marks, Select},
    model::{Exit, Signal, Stack},
    reporters::{
        Symbol, headline,
        live_model::{Goal, LiveModel},
        logs::{LogPrinter, Style},
        summary,
        terminal::NoEcho,
        wording,
    },
    status::{ServiceState, Status, TaskState},
};

/// Follows the logs until Ctrl-C or the end of the stack; the stack stays as it is.
pub(super) fn attach(
    context: &Context,
    client: &mut Client,
    stack: &Stack,
    mut logs: Following,
) -> Result<(), Error> {
    interrupt::watch();
    let _echo = NoEcho::new();
    while !interrupt::take() {
        let came = logs.print_new()?;
        match client.next(Some(logs.pause(came))) {
            Ok(_) => {}
            Err(ClientError::Gone) => match successor(stack)? {
                Some(next) => *client = next,
                None => return Ok(()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    logs.finish()?;
    let text = format!("{} keeps running: `stackrun down` stops it", stack.name);
    context.say(&headline(Symbol::Warn, &text, context.err));
    Ok(())
}

/// The supervisor after one that went away: none if it was not just replaced.
fn successor(stack: &Stack) -> Result<Option<Client>, Error> {
    std::thread::sleep(Duration::from_millis(500));
    Ok(Client::connect(&places_of(stack)?)?)
}

fn stopped_by_others(context: &Context, stack: &Stack) -> Result<u8, Error> {
    let text = format!("{} was stopped by another command", stack.name);
    context.say(&headline(Symbol::Good, &text, context.err));
    Ok(status::OK)
}

/// Has a supervisor stop everything when this client goes away.
fn hold(client: &mut Client) -> Result<(), Error> {
    let command = Command::Wait { names: Vec::new(), until: Until::Ready };
    let job = Job { foreground: true, ..Job::new(command, ambient::command_line()) };
    client.ask(Request::Do(job))?;
    Ok(())
}

/// How often is asked whether anything still runs, while something is on its way.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Follows the logs until Ctrl-C, which stops the stack, until a service fails for good, or until
/// nothing runs any more.
pub(super) fn follow(
    context: &Context,
    client: &mut Client,
    stack: &Stack,
    began: Timestamp,
    mut logs: Following,
) -> Result<u8, Error> {
    interrupt::watch();
    let echo = NoEcho::new();
    let mut seen = Seen { stack, began, next: 0, exits: BTreeMap::new() };
    let mut events = client.ask(Request::Events { since: 0, follow: true })?;
    let mut supervisor = client.supervisor();
    // When to ask whether anything still runs: something has ended.
    let mut ask_at: Option<Instant> = None;
    while !interrupt::take() {
        let came = logs.print_new()?;
        let mut failure = None;
        match client.next(Some(logs.pause(came))) {
            Ok(Some(Answer { id, reply: Reply::Record { record } })) if id == events => {
                failure = seen.take(&record);
                if matches!(record.event, Event::Exited { .. }) {
                    ask_at = Some(ambient::instant());
                }
            }
            // What was left out is in the ledger.
            Ok(Some(Answer { id, reply: Reply::Skipped { .. } })) if id == events => {
                events = client.ask(Request::Events { since: seen.next, follow: true })?;
            }
            Ok(_) => {}
            Err(ClientError::Gone) => {
                let Some(next) = successor(stack)? else {
                    return stopped_by_others(context, stack);
                };
                *client = next;
                hold(client)?;
            }
            Err(error) => return Err(error.into()),
        }
        if client.supervisor() != supervisor {
            supervisor = client.supervisor();
            events = client.ask(Request::Events { since: seen.next, follow: true })?;
        }
        let mut is_over = false;
        if failure.is_none() && ask_at.is_some_and(|at| at <= ambient::instant()) {
            match remaining(stack)? {
                Remaining::Running => ask_at = None,
                Remaining::OnItsWay => ask_at = Some(ambient::instant() + ASK_EVERY),
                // Why that is so has been written down, and may not have come along yet.
                Remaining::Nothing => (is_over, failure) = (true, seen.catch_up(stack)?),
            }
        }
        if is_over || failure.is_some() {
            logs.print_new()?;
            logs.finish()?;
            if let Some(failure) = &failure {
                failure.say(context);
            }
            let stopped = stop(context, client, stack)?;
            return Ok(failure.map_or(stopped, |failure| failure.status));
        }
    }
    logs.finish()?;
    drop(echo);
    stop(context, client, stack)
}

/// What has failed for good, and the exit status that this means.
struct Failure {
    name: String,
    status: u8,
}

impl Failure {
    fn say(&self, context: &Context) {
        let text = format!("{} has failed: the rest is stopped", self.name);
        context.say(&headline(Symbol::Bad, &text, context.err));
    }
}

/// What has been read of the ledger since the start.
struct Seen<'a> {
    stack: &'a Stack,
    began: Timestamp,
    /// The first record that has not been.
    next: u64,
    /// How the services ended that were not asked to.
    exits: BTreeMap<String, Exit>,
}

impl Seen<'_> {
    /// Takes in a record, once; the failure that it tells of. That of a task, which another command
    /// may have run meanwhile, ends nothing.
    fn take(&mut self, record: &Record) -> Option<Failure> {
        if record.seq < self.next {
            return None;
        }
        self.next = record.seq + 1;
        let name = record.name.as_ref().filter(|name| self.stack.task(name).is_none())?;
        if record.at < self.began {
            return None;
        }
        match &record.event {
            Event::Exited { exit, expected: false, .. } => {
                self.exits.insert(name.clone(), *exit);
                None
            }
            Event::Starting => {
                self.exits.remove(name);
                None
            }
            Event::Failed { .. } => {
                let status =
                    self.exits.get(name).map_or(status::FAILED, |exit| exit.failure_code());
                Some(Failure { name: name.clone(), status })
            }
            _ => None,
        }
    }

    /// Takes in all that has been written down by now. Asked on a connection of its own: the other
    /// one is in the middle of a stream.
    fn catch_up(&mut self, stack: &Stack) -> Result<Option<Failure>, Error> {
        let Some(mut client) = Client::connect(&places_of(stack)?)? else { return Ok(None) };
        let id = client.ask(Request::Events { since: self.next, follow: false })?;
        loop {
            match client.next(None) {
                Ok(Some(Answer { id: of, reply })) if of == id => match reply {
                    Reply::Record { record } => {
                        if let Some(failure) = self.take(&record) {
                            return Ok(Some(failure));
                        }
                    }
                    _ => return Ok(None),
                },
                Ok(_) => {}
                // Another command has stopped the stack.
                Err(ClientError::Gone) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What there still is of a stack.
enum Remaining {
    /// Something that runs.
    Running,
    /// Something that stops, starts, or is about to.
    OnItsWay,
    Nothing,
}

/// Asked on a connection of its own, too.
fn remaining(stack: &Stack) -> Result<Remaining, Error> {
    let Some(mut client) = Client::connect(&places_of(stack)?)? else {
        return Ok(Remaining::Nothing);
    };
    let status = match status_of(&mut client) {
        // On its way down: the other connection ends, too.
        Err(Error::Client(ClientError::Gone)) => return Ok(Remaining::OnItsWay),
        other => other?,
    };
    let services = status.services.iter().map(|service| match service.state {
        ServiceState::Ready | ServiceState::Unhealthy => Remaining::Running,
        ServiceState::Waiting
        | ServiceState::Starting
        | ServiceState::Stopping
        | ServiceState::Backoff => Remaining::OnItsWay,
        ServiceState::Idle | ServiceState::Exited | ServiceState::Failed => Remaining::Nothing,
    });
    let tasks = status.tasks.iter().map(|task| match task.state {
        TaskState::Running | TaskState::Waiting => Remaining::OnItsWay,
        TaskState::Idle | TaskState::Done | TaskState::Failed | TaskState::Skipped => {
            Remaining::Nothing
        }
    });
    Ok(services.chain(tasks).fold(Remaining::Nothing, |so_far, one| match (so_far, one) {
        (Remaining::Running, _) | (_, Remaining::Running) => Remaining::Running,
        (Remaining::OnItsWay, _) | (_, Remaining::OnItsWay) => Remaining::OnItsWay,
        (Remaining::Nothing, Remaining::Nothing) => Remaining::Nothing,
    }))
}

/// The start failed: stops the stack, with the exit status of what failed first.
pub(super) fn fail(
    context: &Context,
    client: &mut Client,
    stack: &Stack,
    outcome: &Outcome,
    status: Option<&Status>,
) -> Result<u8, Error> {
    let own = outcome::exit_status(outcome)?;
    let first = status.and_then(|status| first_failure(outcome, status, own));
    if let Some(failure) = &first {
        failure.say(context);
    }
    stop(context, client, stack)?;
    Ok(first.map_or(own, |failure| failure.status))
}

/// What failed first; `own` is the status where its process is not what failed.
fn first_failure(outcome: &Outcome, status: &Status, own: u8) -> Option<Failure> {
    let failed = outcome.results.iter().filter_map(|settled| match &settled.how {
        ItemOutcome::Failed { exit, .. } => {
            let since = status.every().find(|item| item.name == settled.name)?.since;
            Some((
                since,
                Failure {
                    name: settled.name.clone(),
                    status: exit.map_or(own, Exit::failure_code),
                },
            ))
        }
        _ => None,
    });
    failed.min_by_key(|(since, _)| *since).map(|(_, failure)| failure)
}

/// Stops the stack; Ctrl-C meanwhile kills what is left.
pub(super) fn stop(context: &Context, client: &mut Client, stack: &Stack) -> Result<u8, Error> {
    let began = ambient::now();
    let before = match status_of(client) {
        Err(Error::Client(ClientError::Gone)) => return stopped_by_others(context, stack),
        other => other?,
    };
    let board = LiveModel::of_status(&before, Goal::Down);
    let mut reporter = context.reporter(board, began);
    let down = operation::job(Command::Down { names: Vec::new() });
    let mut ended = operation::carry_out(down.clone(), None, client, &mut reporter);
    if let Ok(Ended::Early(_)) = ended {
        kill_all(client)?;
        ended = operation::carry_out(down, None, client, &mut reporter);
    }
    let took = wording::between(began, ambient::now());
    match ended? {
        Ended::Outcome { outcome, left, .. } => {
            let left = left.as_ref().map(outcome::left);
            let is_left = left.is_some_and(|left| left.is_any());
            context.say_all(&summary::down(
                summary::What { stack: &stack.name, names: &[] },
                &outcome,
                left,
                took,
                context.err,
            ));
            let status = outcome::exit_status(&outcome)?;
            Ok(if is_left { status.max(status::FAILED) } else { status })
        }
        Ended::Early(_) => Ok(status::INTERRUPTED),
    }
}

fn kill_all(client: &mut Client) -> Result<(), Error> {
    let status = status_of(client)?;
    for service in status.services.iter().filter(|service| service.state != ServiceState::Idle) {
        let (name, signal) = (service.name.clone(), Signal::KILL);
        // One that is gone already cannot get a signal any more.
        let line = ambient::command_line();
        let _ = client.call(Request::Signal { name, signal, tree: true, line });
    }
    Ok(())
}

/// The logs of the whole stack, from now on.
pub(super) fn logs_of(context: &Context, stack: &Stack) -> Result<Following, Error> {
    let style = Style::Prefixed { names: true, times: false };
    let printer = LogPrinter::new(style, context.out, TimeZone::system(), stack.names())
        .within(context.columns());
    let dir = stack_dir(&places_of(stack)?)?;
    let marks = Marks::new(&dir.state, &[]);
    Following::new(dir.logs, Vec::new(), Select::default(), Some(marks), printer)
}
