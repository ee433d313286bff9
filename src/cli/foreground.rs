//! What comes after the start: following the logs, and in the foreground stopping the stack.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    caller,
    context::{Context, status_of},
    conversation::Ended,
    doing::Doing,
    error::{Error, status},
    following::Following,
    interrupt, outcome,
};
use crate::{
    control::{Client, ClientError, Reply, Request},
    event::{Event, Record},
    logs::{Marks, Select},
    model::{Exit, Stack},
    reporters::{
        Symbol,
        board::{Board, Goal},
        headline,
        logs::{LogPrinter, Style},
        summary,
        terminal::NoEcho,
        words,
    },
    status::ServiceState,
    supervisor::{Command, How, Outcome, Until},
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
    let text = format!("{} goes on: `stackrun down` stops it", stack.name);
    context.say(&headline(Symbol::Warn, &text, context.err));
    Ok(())
}

/// The supervisor after one that went away: none if it was not just replaced.
fn successor(stack: &Stack) -> Result<Option<Client>, Error> {
    std::thread::sleep(Duration::from_millis(500));
    Ok(Client::connect(&stack.dir)?)
}

fn stopped_by_others(context: &Context, stack: &Stack) -> Result<u8, Error> {
    let text = format!("{} was stopped by another command", stack.name);
    context.say(&headline(Symbol::Good, &text, context.err));
    Ok(status::OK)
}

/// Has a supervisor stop everything when this client goes away.
fn hold(client: &mut Client) -> Result<(), Error> {
    let command = Command::Wait { names: Vec::new(), until: Until::Ready };
    let line = caller::command_line();
    let (env, follow, foreground, take_ports) = (None, false, true, false);
    client.ask(Request::Do { command, line, env, follow, foreground, take_ports })?;
    Ok(())
}

/// Follows the logs until Ctrl-C, which stops the stack, or until a service fails for good.
pub(super) fn follow(
    context: &Context,
    client: &mut Client,
    stack: &Stack,
    began: Timestamp,
    mut logs: Following,
) -> Result<u8, Error> {
    interrupt::watch();
    let echo = NoEcho::new();
    let mut since = 0;
    let mut events = client.ask(Request::Events { since, follow: true })?;
    let mut exits: BTreeMap<String, Exit> = BTreeMap::new();
    while !interrupt::take() {
        let came = logs.print_new()?;
        let answer = match client.next(Some(logs.pause(came))) {
            Ok(Some(answer)) => answer,
            Ok(None) => continue,
            Err(ClientError::Gone) => {
                let Some(next) = successor(stack)? else {
                    return stopped_by_others(context, stack);
                };
                *client = next;
                hold(client)?;
                events = client.ask(Request::Events { since, follow: true })?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if answer.id != events {
            continue;
        }
        let record = match answer.reply {
            Reply::Record { record } => record,
            // What was left out is in the ledger.
            Reply::Skipped { .. } => {
                events = client.ask(Request::Events { since, follow: true })?;
                continue;
            }
            _ => continue,
        };
        if record.at < began {
            continue;
        }
        since = record.seq + 1;
        if let Some(status) = ended(&record, &mut exits) {
            logs.print_new()?;
            logs.finish()?;
            let name = record.name.as_deref().unwrap_or(&stack.name);
            let text = format!("{name} has failed: the rest is stopped");
            context.say(&headline(Symbol::Bad, &text, context.err));
            stop(context, client, stack)?;
            return Ok(status);
        }
        if matches!(record.event, Event::Exited { .. }) && nothing_runs(stack)? {
            logs.print_new()?;
            logs.finish()?;
            return stop(context, client, stack);
        }
    }
    logs.finish()?;
    drop(echo);
    stop(context, client, stack)
}

/// The exit status that the failure of a service stands for.
fn ended(record: &Record, exits: &mut BTreeMap<String, Exit>) -> Option<u8> {
    let name = record.name.as_ref()?;
    match &record.event {
        Event::Exited { exit, .. } => {
            exits.insert(name.clone(), *exit);
            None
        }
        Event::Starting => {
            exits.remove(name);
            None
        }
        Event::Failed { .. } => Some(exits.get(name).map_or(status::FAILED, |exit| code(*exit))),
        _ => None,
    }
}

/// Asked on a connection of its own: the other one is in the middle of a stream.
fn nothing_runs(stack: &Stack) -> Result<bool, Error> {
    let Some(mut client) = Client::connect(&stack.dir)? else { return Ok(true) };
    let status = match status_of(&mut client) {
        // On its way down: the other connection ends, too.
        Err(Error::Client(ClientError::Gone)) => return Ok(false),
        other => other?,
    };
    Ok(status.services.iter().all(|service| match service.state {
        ServiceState::Idle | ServiceState::Exited | ServiceState::Failed => true,
        ServiceState::Waiting
        | ServiceState::Starting
        | ServiceState::Ready
        | ServiceState::Unhealthy
        | ServiceState::Stopping
        | ServiceState::Backoff => false,
    }))
}

/// The start failed: stops the stack, with the exit status of what failed first.
pub(super) fn fail(
    context: &Context,
    client: &mut Client,
    stack: &Stack,
    outcome: &Outcome,
) -> Result<u8, Error> {
    let own = outcome::exit_status(outcome)?;
    stop(context, client, stack)?;
    let first = outcome.results.iter().find_map(|settled| match settled.how {
        How::Failed { exit: Some(exit), .. } => Some(code(exit)),
        _ => None,
    });
    Ok(first.unwrap_or(own))
}

/// Stops the stack; Ctrl-C meanwhile kills what is left.
pub(super) fn stop(context: &Context, client: &mut Client, stack: &Stack) -> Result<u8, Error> {
    let began = caller::now();
    let before = match status_of(client) {
        Err(Error::Client(ClientError::Gone)) => return stopped_by_others(context, stack),
        other => other?,
    };
    let board = Board::of_status(&before, Goal::Down);
    let mut reporter = context.reporter(board, began);
    let down = || Doing::new(Command::Down { names: Vec::new() }, None);
    let mut ended = down().carry_out(client, &mut reporter);
    if let Ok(Ended::Early(_)) = ended {
        kill_all(client)?;
        ended = down().carry_out(client, &mut reporter);
    }
    let took = words::between(began, caller::now());
    match ended? {
        Ended::Outcome { outcome, left } => {
            let left = left.as_ref().map(super::verbs::down::left);
            context.say_all(&summary::down(
                summary::What { stack: &stack.name, names: &[] },
                &outcome,
                left,
                took,
                context.err,
            ));
            outcome::exit_status(&outcome)
        }
        Ended::Early(_) => Ok(status::INTERRUPTED),
    }
}

fn kill_all(client: &mut Client) -> Result<(), Error> {
    let status = status_of(client)?;
    for service in status.services.iter().filter(|service| service.state != ServiceState::Idle) {
        let (name, signal) = (service.name.clone(), "SIGKILL".to_owned());
        // One that is gone already cannot get a signal any more.
        let line = caller::command_line();
        let _ = client.call(Request::Signal { name, signal, tree: true, line });
    }
    Ok(())
}

fn code(exit: Exit) -> u8 {
    // A failure is never 0, whatever the service said.
    u8::try_from(exit.shell_status()).ok().filter(|code| *code != 0).unwrap_or(status::FAILED)
}

/// The logs of the whole stack, from now on.
pub(super) fn logs_of(context: &Context, stack: &Stack) -> Result<Following, Error> {
    let style = Style::Prefixed { names: true, times: false };
    let printer = LogPrinter::new(style, context.out, TimeZone::system(), stack.names())
        .within(context.columns());
    let state = stack.dir.join(".stackrun");
    let marks = Marks::new(&state, &[]);
    Following::new(state.join("logs"), Vec::new(), Select::default(), Some(marks), printer)
}
