//! Ports that other processes hold: looked for before anything is started, asked about at a
//! terminal, and what to do about them where a start has failed for them.

use std::collections::BTreeSet;

use super::{
    ask,
    context::Context,
    error::Error,
    port_holder::{Holding, look},
};
use crate::{
    core::stack::{ItemOutcome, Outcome},
    model::{Busy, Port, Stack},
    platform::{self, Holder},
    printable,
    reporters::summary::hint,
    status::Status,
};

/// Asks what to do about each port that one of these services is to have and another process
/// holds, and stops the process where that is the answer. The services that are to use the next
/// free port.
///
/// # Errors
/// The answer was to leave it all as it is.
pub(super) fn ask_about(
    context: &Context,
    stack: &Stack,
    running: Option<&Status>,
    names: &[String],
) -> Result<BTreeSet<String>, Error> {
    let mut moved = BTreeSet::new();
    if !(context.live && ask::can_ask()) {
        return Ok(moved);
    }
    let statuses = || running.iter().flat_map(|status| &status.services);
    let up = |name: &str| statuses().any(|status| status.name == name && status.pid.is_some());
    let services = stack.services.iter().filter(|s| names.contains(&s.name) && !up(&s.name));
    for service in services {
        let asking = service.ports.iter().filter(|port| port.busy == Busy::Ask);
        let fixed = asking.filter_map(|port| Some((port.number.fixed()?, port)));
        for (port, declared) in fixed {
            let holding = look(port, declared.address(), stack)?;
            if !holding.is_in_the_way() {
                continue;
            }
            let text = format!("{} wants port {port}, {}.", service.name, holding.text());
            let text = printable::line(&text).into_owned();
            match answer(&text, &holding)? {
                Answer::Stop => stop(port, &holding)?,
                Answer::Next => {
                    moved.insert(service.name.clone());
                }
                Answer::Cancel => return Err(Error::PortHeld(text)),
            }
        }
    }
    Ok(moved)
}

/// Says what to do about the ports for which something of this outcome has failed. `names` are
/// those that were asked for; who holds a port was just to be `taken`, or not.
pub(super) fn advise(
    context: &Context,
    stack: &Stack,
    outcome: &Outcome,
    (names, taken): (&[String], bool),
) -> Result<(), Error> {
    let held = outcome.results.iter().filter_map(|settled| match &settled.how {
        ItemOutcome::Failed { reason, .. } => Some((&*settled.name, reason.port()?)),
        _ => None,
    });
    let held: Vec<(&str, u16)> = held.collect();
    if held.is_empty() {
        return Ok(());
    }
    let take = ["stackrun up --take-ports"].into_iter().chain(names.iter().map(String::as_str));
    let take = take.collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = Vec::new();
    for (name, port) in held {
        let declared = stack.service(name).and_then(|service| service.port(port));
        let host = declared.and_then(Port::address);
        let Ok(holding) = look(port, host, stack) else { continue };
        let takes = declared.is_some_and(|declared| declared.busy == Busy::Take);
        // By the file a process of no stack is stopped for the port.
        let taken = taken || takes && matches!(holding.holder, Holder::Stranger(_));
        let line = hint(&holding.advice(port, (!taken).then_some(&take)), context.err);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    context.say_all(&lines);
    Ok(())
}

enum Answer {
    Stop,
    Next,
    Cancel,
}

fn answer(text: &str, holding: &Holding) -> Result<Answer, Error> {
    let may_stop = holding.may_be_stopped();
    let question = match (may_stop, holding.stop()) {
        (true, _) => format!("{text}\n[s]top it, use the [n]ext free port, or [c]ancel?"),
        (false, Some(stop)) => {
            format!("{text}\n`{stop}` stops it. Use the [n]ext free port, or [c]ancel?")
        }
        (false, None) => {
            format!("{text}\nIt is not yours to stop. Use the [n]ext free port, or [c]ancel?")
        }
    };
    loop {
        match &*ask::line(&question)?.to_lowercase() {
            "s" | "stop" if may_stop => return Ok(Answer::Stop),
            "n" | "next" => return Ok(Answer::Next),
            "" | "c" | "cancel" => return Ok(Answer::Cancel),
            _ => {}
        }
    }
}

fn stop(port: u16, holding: &Holding) -> Result<(), Error> {
    let Some(process) = holding.holder.own_process() else { return Ok(()) };
    platform::end_tree(process.id, None).map_err(|error| {
        Error::PortHeld(format!(
            "port {port}: pid {} could not be stopped: {error}",
            process.id.pid
        ))
    })
}
