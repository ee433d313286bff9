//! `boot`: starts a stack when the machine starts.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;

use crate::{
    cli::{
        ambient,
        boot::{self, Job},
        commands::{events, up},
        connect::status_of,
        context::Context,
        error::{Error, status},
        operation, outcome,
        request_loop::Ended,
        time_args,
    },
    core::stack::Command,
    event::{Cause, Event},
    platform, printable,
    reporters::{
        Symbol, headline,
        live_model::{Goal, LiveModel},
        summary,
    },
    status::{ServiceState, TaskState},
};

const EXAMPLES: &str = "\
Examples:
  stackrun boot enable               start this stack when the machine starts
  stackrun boot enable --every 5m    and start again what has failed meanwhile
  stackrun boot status               whether it is enabled, and how; exit 3 if not
  stackrun boot disable              not any more; what runs keeps running";

/// Start this stack when the machine starts
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// From now on: a systemd user unit, a line of your crontab where there is no systemd
    #[command(after_help = EXAMPLES)]
    Enable {
        /// Also check that often, and start again what has failed
        #[arg(long, value_name = "TIME", value_parser = time_args::duration)]
        every: Option<Duration>,
    },
    /// No longer start it
    #[command(after_help = EXAMPLES)]
    Disable,
    /// Whether it is enabled, and how
    #[command(after_help = EXAMPLES)]
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Looks in: starts what has failed, or everything if nothing runs and nobody stopped it
    #[command(hide = true)]
    Mend,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    match args.action {
        Action::Enable { every } => enable(every, context),
        Action::Disable => disable(context),
        Action::Status { json } => show(json, context),
        Action::Mend => mend(context),
    }
}

fn enable(every: Option<Duration>, context: &Context) -> Result<u8, Error> {
    // A file that is wrong would fail at every start, with no user to see it.
    let stack = context.load(&[])?.stack;
    let job = Job::new(&stack.name, &stack.file, &stack.dir, every)?;
    let done = boot::enable(&job)?;
    let text = format!("{} starts with the machine", stack.name);
    context.say(&headline(Symbol::Good, &text, context.err));
    context.say_all(&done.said.iter().map(|line| format!("  {line}")).collect::<Vec<_>>());
    context.say("  with PATH and LANG as they are here; other variables belong in an `env-file`");
    for (text, mend) in &done.warnings {
        context.say(&headline(Symbol::Warn, text, context.err));
        context
            .say_all(&mend.iter().map(|mend| summary::hint(mend, context.err)).collect::<Vec<_>>());
    }
    Ok(status::OK)
}

fn disable(context: &Context) -> Result<u8, Error> {
    let had = boot::disable(&context.folder()?)?;
    let text = if had { "does not start with the machine any more" } else { "was not enabled" };
    context.say(&headline(Symbol::Good, text, context.err));
    Ok(status::OK)
}

fn show(json: bool, context: &Context) -> Result<u8, Error> {
    let known = boot::known(&context.folder()?)?;
    let gone = |program: &PathBuf| !program.exists();
    let exit = if known.is_some() { status::OK } else { status::NOT_RUNNING };
    if json {
        let json = serde_json::json!({ "format": 1, "enabled": known.is_some(), "by": known });
        context.print_json(&format!("{json:#}\n"))?;
        return Ok(exit);
    }
    let Some(known) = known else {
        context
            .print("not enabled: `stackrun boot enable` starts this stack with the machine\n")?;
        return Ok(exit);
    };
    let every = known.every.map(|every| format!(", checks: {every}")).unwrap_or_default();
    let text = format!("enabled, by {} ({}){every}", known.by, known.place);
    let text = printable::line(&text).into_owned();
    context.print(&format!("{}\n", headline(Symbol::Good, &text, context.out)))?;
    if let Some(program) = known.program.filter(gone) {
        let text = format!("it starts {}, which no longer exists", program.display());
        let text = printable::line(&text).into_owned();
        context.print(&format!("{}\n", headline(Symbol::Bad, &text, context.out)))?;
        context.print(&format!("{}\n", summary::hint("stackrun boot enable", context.out)))?;
    }
    Ok(exit)
}

/// Leaves what runs alone, edits of the file too: it is about what has failed.
fn mend(context: &Context) -> Result<u8, Error> {
    let Some(mut client) = context.connect_if_running()? else {
        if was_stopped(context)? {
            context.say("it was stopped by a command: it stays down");
            return Ok(status::OK);
        }
        return up::run(&up::Args::all(), context);
    };
    let before = status_of(&mut client)?;
    let failed = before.services.iter().filter(|service| service.state == ServiceState::Failed);
    let names: Vec<String> = failed.map(|service| service.name.clone()).collect();
    let busy = before.tasks.iter().any(|task| task.state == TaskState::Running);
    if names.is_empty() || busy {
        return Ok(status::OK);
    }
    let board = LiveModel::of_status(&before, Goal::Up);
    let mut reporter = context.reporter(board, ambient::now());
    let command = Command::Restart { stack: None, names, with_dependents: false, asked: None };
    let job = operation::job(command);
    match operation::carry_out(job, None, &mut client, &mut reporter)? {
        Ended::Outcome { outcome, .. } => outcome::exit_status(&outcome),
        Ended::Early(early) => Ok(early.say(context, "it continues in the background")),
    }
}

/// Whether a command has brought the stack down since the machine started.
fn was_stopped(context: &Context) -> Result<bool, Error> {
    let records = events::records(context)?;
    let last = records.iter().rev().find(|record| {
        matches!(record.event, Event::Down | Event::Applied { .. } | Event::Starting)
    });
    let Some(last) = last.filter(|record| matches!(record.event, Event::Down)) else {
        return Ok(false);
    };
    let booted = ambient::now().checked_sub(platform::now().0);
    let since_boot = booted.is_ok_and(|booted| last.at > booted);
    Ok(since_boot && matches!(last.cause, Cause::Command { .. }))
}
