//! `up`: brings the stack to what its file says.

use std::{collections::BTreeSet, time::Duration};

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient, ask, browser,
        candidates::{profile_names, stack_names},
        connect::{ask_running, places_of, status_of, unexpected},
        context::Context,
        error::{Error, status},
        failure_advice, foreground, interrupt, names, operation, outcome, port_prompt, programs,
        request_loop::{Early, Ended},
        time_args,
    },
    control::{Client, Job, Reply, Request},
    core::plan::{Action, Plan},
    core::stack::{Command, Outcome, Supervisor},
    event::Tick,
    language,
    model::Stack,
    reporters::{self, Symbol, summary},
};

const EXAMPLES: &str = "\
Examples:
  stackrun up                  everything; again after an edit: exactly what it changed
  stackrun up api              one service and what it needs
  stackrun up --dry-run        what would be done, and why
  stackrun up -a               then follow the logs; Ctrl-C leaves the stack running
  stackrun up --foreground     for CI: Ctrl-C stops the stack";

/// Start what is missing, restart what an edit changed, return when all is ready
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services, tasks or groups [default: every service with `autostart`]
    #[arg(add = ArgValueCandidates::new(stack_names))]
    names: Vec<String>,
    /// Follow the logs once all is ready; Ctrl-C leaves the stack running
    #[arg(short, long, conflicts_with = "foreground")]
    attach: bool,
    /// Follow the logs; Ctrl-C stops the stack, twice at once
    #[arg(long)]
    foreground: bool,
    /// Leave it running in the background (this is the default)
    #[arg(short = 'd', long, hide = true)]
    detach: bool,
    /// Give up waiting after this long; the start continues
    #[arg(long, value_name = "TIME", value_parser = time_args::duration)]
    timeout: Option<Duration>,
    /// Show what would be done and why, without doing it
    #[arg(long)]
    dry_run: bool,
    /// Leave out what the named ones need
    #[arg(long)]
    no_deps: bool,
    /// Stop what holds a port, if it is a process of your own and of no stack
    #[arg(long)]
    take_ports: bool,
    /// Answer the questions of tasks with yes
    #[arg(short, long)]
    yes: bool,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME", add = ArgValueCandidates::new(profile_names))]
    profiles: Vec<String>,
}

impl Args {
    /// Everything, nothing asked for by name.
    pub(in crate::cli) fn all() -> Self {
        Self {
            names: Vec::new(),
            attach: false,
            foreground: false,
            detach: false,
            timeout: None,
            dry_run: false,
            no_deps: false,
            take_ports: false,
            yes: false,
            profiles: Vec::new(),
        }
    }
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let stack = context.load(&args.profiles)?.stack;
    names::check(&stack, &args.names)?;
    if args.dry_run {
        let mut running = context.connect_if_running()?;
        let plan = plan(args, &stack, running.as_mut())?;
        context.print(&reporters::plan::show(&plan, context.out))?;
        return Ok(status::OK);
    }
    check_programs(args, context, &stack)?;
    let with_status = |mut client: Client| status_of(&mut client).map(|status| (client, status));
    let running = ask_running(|| context.connect_to_change(), with_status)?;
    let (mut running, before) = running.unzip();
    confirm(args, &stack, running.as_mut())?;
    context.say_all(&without_effect(context, &stack));
    let moved_ports = match args.take_ports {
        true => BTreeSet::new(),
        false => port_prompt::ask_about(context, &stack, before.as_ref(), &started(args, &stack))?,
    };
    let began = ambient::now();
    if args.foreground {
        // From here on Ctrl-C is an orderly stop.
        interrupt::watch();
    }
    let mut client = match running {
        Some(client) => client,
        None => Client::connect_or_launch(&places_of(&stack)?)?,
    };
    let before = before.map_or_else(|| status_of(&mut client), Ok)?;
    let mut reporter = context.reporter_of(&stack, &before, began);
    // What is written during the start belongs to what is followed.
    let follows = args.foreground || args.attach;
    let logs = follows.then(|| foreground::logs_of(context, &stack)).transpose()?;
    let job = operation::starting(command(args, &stack, moved_ports));
    let job = Job { foreground: args.foreground, take_ports: args.take_ports, ..job };
    let ended = operation::carry_out(job, args.timeout, &mut client, &mut reporter);
    let took = reporters::wording::between(began, ambient::now());
    let result = match ended? {
        Ended::Outcome { outcome, status: after, .. } => {
            let status = outcome::exit_status(&outcome)?;
            let board = reporter.board();
            context.say_all(&summary::up(
                summary::What { stack: &stack.name, names: &args.names },
                &outcome,
                board,
                took,
                context.err,
            ));
            failure_advice::advise(context, &mut client, &outcome);
            let asked = (&*args.names, args.take_ports);
            port_prompt::advise(context, &stack, &outcome, asked)?;
            if let Some(after) = after.as_deref().filter(|_| context.live) {
                browser::open(&stack, &outcome, after);
            }
            if args.foreground && status != status::OK {
                return foreground::fail(context, &mut client, &stack, &outcome, after.as_deref());
            }
            status
        }
        Ended::Early(Early::Interrupted) if args.foreground => {
            return foreground::stop(context, &mut client, &stack);
        }
        Ended::Early(early) if args.foreground => {
            let status = early.say(context, "the stack is stopped");
            foreground::stop(context, &mut client, &stack)?;
            status
        }
        Ended::Early(early) => {
            let then = "the start continues (`stackrun status` shows it, `stackrun down` stops it)";
            early.say(context, then)
        }
    };
    match (logs, args.foreground, result) {
        (Some(logs), true, status::OK) => {
            foreground::follow(context, &mut client, &stack, began, logs)
        }
        (Some(logs), false, status::OK | status::FAILED | status::PORT) => {
            foreground::attach(context, &mut client, &stack, logs)?;
            Ok(result)
        }
        _ => Ok(result),
    }
}

fn command(args: &Args, stack: &Stack, moved_ports: BTreeSet<String>) -> Command {
    let stack = Box::new(stack.clone());
    Command::Up { stack, names: args.names.clone(), no_deps: args.no_deps, moved_ports }
}

/// What would be done. With nothing running a supervisor of one moment says so: it is pure.
fn plan(args: &Args, stack: &Stack, running: Option<&mut Client>) -> Result<Plan, Error> {
    let command = command(args, stack, BTreeSet::new());
    match running {
        Some(client) => match client.call(Request::Plan { command })? {
            Reply::Plan { plan } => Ok(plan),
            Reply::Outcome { outcome: Outcome { refused: Some(refusal), .. }, .. } => {
                Err(refusal.into())
            }
            other => Err(unexpected(&other)),
        },
        None => Ok(Supervisor::new(stack.clone(), 0).plan(&command, Tick::default())?),
    }
}

/// Asks the questions of the tasks that would run.
fn confirm(args: &Args, stack: &Stack, running: Option<&mut Client>) -> Result<(), Error> {
    if args.yes || stack.tasks.iter().all(|task| task.confirm.is_none()) {
        return Ok(());
    }
    let plan = plan(args, stack, running)?;
    let runs =
        plan.steps.iter().filter(|step| matches!(step.action, Action::Run | Action::RunIfChanged));
    for question in runs.filter_map(|step| stack.task(&step.name)?.confirm.as_ref()) {
        if !ask::yes(&question.to_string())? {
            return Err(Error::Declined);
        }
    }
    Ok(())
}

/// The services and tasks that are to be up.
fn started(args: &Args, stack: &Stack) -> Vec<String> {
    let named = names::resolve(stack, &args.names);
    if args.no_deps { named } else { names::with_needs(stack, &named) }
}

fn check_programs(args: &Args, context: &Context, stack: &Stack) -> Result<(), Error> {
    programs::check(context, stack, &started(args, stack))
}

/// What the file says and nothing carries out yet.
fn without_effect(context: &Context, stack: &Stack) -> Vec<String> {
    let nodes = language::unsupported(stack).into_iter().map(|node| {
        let place = node.origin.map(|at| format!(" ({}:{})", at.file.display(), at.line));
        let text = format!("`{}` has no effect yet{}", node.path, place.unwrap_or_default());
        headline(context, &text)
    });
    nodes.collect()
}

fn headline(context: &Context, text: &str) -> String {
    reporters::headline(Symbol::Warn, text, context.err)
}
