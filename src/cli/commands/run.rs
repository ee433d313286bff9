//! `run`: a task with its needs, its output on the terminal.

mod lost;
mod output;

use std::ffi::OsString;

use clap_complete::engine::ArgValueCandidates;
use lost::Lost;
use output::Output;

use crate::{
    cli::{
        ambient, ask,
        candidates::{profile_names, task_names},
        connect::{places_of, status_of},
        context::Context,
        error::{Error, status},
        interrupt, names, operation, programs,
        request_loop::{Ended, OnInterrupt, carry_out},
    },
    control::{Client, Request},
    core::stack::{Command, ItemOutcome, Outcome, Refusal},
    model::{Stack, Task, TaskBody, path_text},
    reporters::{Symbol, headline, live_model::RowState, summary::hint, wording},
    status::{Asked, Status, TaskState},
};

const EXAMPLES: &str = "\
Examples:
  stackrun run migrate               with its needs; its exit status is passed on
  stackrun run test -- --verbose     with arguments
  stackrun run deploy --yes          answers its question

Exit status: that of the step that failed, 0 when all went well. Where none could be run: 2 for a
wrong name, file or argument, 127 for a program that is not there, 125 for anything else.";

/// Run a task with its needs; its exit status is passed on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The task
    #[arg(add = ArgValueCandidates::new(task_names))]
    task: String,
    /// Arguments to append to its command
    #[arg(value_name = "ARG")]
    arguments: Vec<OsString>,
    /// Answer its question with yes
    #[arg(short, long)]
    yes: bool,
    /// Run it even if its inputs have not changed
    #[arg(long)]
    force: bool,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME", add = ArgValueCandidates::new(profile_names))]
    profiles: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let stack = context.load_as_in_force(&args.profiles)?.stack;
    names::check(&stack, std::slice::from_ref(&args.task))?;
    let Some(task) = stack.task(&args.task) else {
        let is = if stack.service(&args.task).is_some() { "service" } else { "group" };
        return Err(Refusal::WrongKind { name: args.task.clone(), is: is.into() }.into());
    };
    if !args.arguments.is_empty() && matches!(task.body, TaskBody::Steps(_)) {
        let message = format!("{} is a task of steps: it takes no arguments", task.name);
        return Err(Error::Argument(message));
    }
    confirm(task, args.yes)?;
    if let Some(status) = missing_programs(&stack, task, context) {
        return Ok(status);
    }
    let began = ambient::now();
    let mut client = Client::connect_or_launch(&places_of(&stack)?)?;
    let before = status_of(&mut client)?;
    let mut reporter = context.reporter_of(&stack, &before, began);
    let mut output = Output::of(&places_of(&stack)?, task)?;
    reporter.expand(&task.name, output.is_seen());
    if before.tasks.iter().any(|known| known.name == task.name && known.state == TaskState::Running)
    {
        let text = format!("{} runs already; this run follows that one", task.name);
        reporter.print(&[headline(Symbol::Warn, &text, context.err)]);
    }
    let request = |again| {
        Request::Do(operation::starting(Command::Run {
            task: task.name.clone(),
            args: args.arguments.iter().map(|word| path_text::encode_text(word)).collect(),
            force: args.force,
            stack: Box::new(stack.clone()),
            again,
        }))
    };
    let ended = carry_out(
        &mut client,
        request(false),
        (None, OnInterrupt::Cancel),
        &mut reporter,
        |reporter, record| output.show(reporter, record),
    );
    let ended = match ended {
        Err(Error::Client(_)) => {
            let mut lost = Lost::new(&task.name, request(true), &before, &mut output);
            lost.rejoin(&places_of(&stack)?, &mut reporter)
        }
        ended => ended,
    };
    reporter.finish();
    match ended? {
        Ended::Outcome { outcome, .. } => {
            output.finish(&reporter)?;
            if let Some(text) = output.why_unseen() {
                context.say(&headline(Symbol::Warn, &text, context.err));
            }
            if let Some(refusal) = outcome.refused {
                return Err(refusal.into());
            }
            let row = reporter.board().row(&task.name);
            let told = row.is_some_and(|row| matches!(row.state, RowState::Ended(_)));
            let passed_on = passed_on(&task.name, &outcome, &before, told, context);
            Ok(if interrupt::count() > 0 { status::INTERRUPTED } else { passed_on })
        }
        Ended::Early(_) => {
            let text = format!(
                "{} keeps running in the background: `stackrun status` shows it",
                task.name
            );
            context.say(&headline(Symbol::Warn, &text, context.err));
            Ok(status::INTERRUPTED)
        }
    }
}

/// The exit status of the task itself; `before` is how all was before the run.
fn passed_on(task: &str, outcome: &Outcome, before: &Status, told: bool, context: &Context) -> u8 {
    let of_task = outcome.results.iter().find(|settled| settled.name == task);
    let (text, status) = match of_task.map(|settled| &settled.how) {
        Some(
            ItemOutcome::Ready { .. }
            | ItemOutcome::Unchanged
            | ItemOutcome::Skipped
            | ItemOutcome::Stopped,
        ) => {
            // What its window stopped must be ready again.
            let was_up = |name: &str| {
                before.services.iter().any(|service| service.name == name && service.pid.is_some())
            };
            let mut others = outcome.results.iter().filter(|settled| was_up(&settled.name));
            return match others.find(|settled| settled.how.is_bad(Asked::AsPartOfAll)) {
                None => status::OK,
                Some(other) => {
                    let text = format!("{task} is done, but {} is not ready again", other.name);
                    context.say(&headline(Symbol::Bad, &text, context.err));
                    context.say(&hint(&format!("stackrun why {}", other.name), context.err));
                    status::FAILED
                }
            };
        }
        Some(ItemOutcome::Failed { exit: Some(exit), reason, .. }) => {
            let text = (!told).then(|| format!("{task} failed: {}", wording::reason(reason)));
            (text, exit.failure_code())
        }
        Some(ItemOutcome::Failed { reason, .. }) => (Some(wording::reason(reason)), status::OWN),
        Some(ItemOutcome::Blocked { by }) => {
            (Some(format!("{task} was not run: it needs {by}")), status::OWN)
        }
        Some(ItemOutcome::Superseded | ItemOutcome::Ended { .. }) | None => {
            (Some(format!("{task} was ended by another command")), status::OWN)
        }
        Some(ItemOutcome::Stuck { processes }) => {
            let count = wording::count(processes.len(), "process");
            (Some(format!("{task}: {count} could not be ended")), status::OWN)
        }
    };
    if let Some(text) = text {
        context.say(&headline(Symbol::Bad, &text, context.err));
    }
    status
}

/// Asks the task's question.
fn confirm(task: &Task, yes: bool) -> Result<(), Error> {
    match &task.confirm {
        Some(question) if !yes && !ask::yes(&question.to_string())? => Err(Error::Declined),
        _ => Ok(()),
    }
}

/// Looks for what it and its needs run; the exit status if something is not there.
fn missing_programs(stack: &Stack, task: &Task, context: &Context) -> Option<u8> {
    let names = names::with_needs(stack, std::slice::from_ref(&task.name));
    let error = programs::check(context, stack, &names).err()?;
    context.complain(&error);
    let own = matches!(&error, Error::MissingPrograms(missing)
        if missing.iter().any(|missing| missing.owner == task.name));
    Some(if own { status::NOT_FOUND } else { status::OWN })
}
