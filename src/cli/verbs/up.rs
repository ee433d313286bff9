//! `up`: brings the stack to what its file says.

use std::{collections::BTreeSet, time::Duration};

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        browser, busy, caller,
        context::{Context, status_of, unexpected},
        conversation::{Ended, OnInterrupt, carry_out},
        error::{Error, status},
        foreground, names, outcome, programs,
        verbs::{self, completions::stack_names},
        when,
    },
    control::{Client, Reply, Request},
    event::Tick,
    language,
    model::Stack,
    plan::Plan,
    reporters::{
        self, Symbol,
        board::{Board, Goal},
        summary,
    },
    supervisor::{Command, Outcome, Supervisor},
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
    /// Return in the background (this is the default)
    #[arg(short = 'd', long, hide = true)]
    detach: bool,
    /// Give up waiting after this long; the start goes on
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    timeout: Option<Duration>,
    /// Show what would be done and why, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave out what the named ones need
    #[arg(long)]
    no_deps: bool,
    /// Stop whoever holds a port, if it is your own process
    #[arg(long)]
    take_ports: bool,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let mut stack = context.load(&args.profiles)?.stack;
    names::check(&stack, &args.names)?;
    if args.dry_run {
        let plan = plan(args, &stack)?;
        context.print(&reporters::plan::show(&plan, context.out))?;
        return Ok(status::OK);
    }
    check_programs(args, &stack)?;
    context.say_all(&without_effect(context, &stack));
    let giving_way = giving_way(args, context, &stack)?;
    if !giving_way.is_empty() {
        stack = context.load_giving_way(&args.profiles, giving_way)?.stack;
    }
    let began = caller::now();
    let mut client = Client::connect_or_launch(&stack.dir)?;
    let before = status_of(&mut client)?;
    let mut board = Board::of_stack(&stack, Goal::Up);
    board.add_undeclared(&before);
    let mut reporter = context.reporter(board, began);
    // What is written during the start belongs to what is followed.
    let follows = args.foreground || args.attach;
    let logs = follows.then(|| foreground::logs_of(context, &stack)).transpose()?;
    let request = Request::Do {
        command: command(args, &stack),
        line: caller::command_line(),
        env: Some(caller::environment()),
        follow: true,
        foreground: args.foreground,
        take_ports: args.take_ports,
    };
    let ended =
        carry_out(&mut client, request, (args.timeout, OnInterrupt::Leave), &mut reporter, |_| {
            Ok(())
        });
    reporter.finish();
    let took = reporters::words::between(began, caller::now());
    let result = match ended? {
        Ended::Outcome { outcome, .. } => {
            let status = outcome::exit_status(&outcome)?;
            let board = reporter.board();
            context.say_all(&summary::up(
                &names::shown(&stack.name, &args.names),
                &outcome,
                board,
                took,
                context.err,
            ));
            if context.live && stack.services.iter().any(|service| service.url_open) {
                browser::open(&stack, &outcome, &status_of(&mut client)?);
            }
            if args.foreground && status != status::OK {
                return foreground::fail(context, &mut client, &stack, &outcome);
            }
            status
        }
        Ended::Timeout if args.foreground => {
            context.say_all(&[headline(context, "the time is up: it is stopped")]);
            foreground::stop(context, &mut client, &stack)?;
            status::TIMEOUT
        }
        Ended::Timeout => {
            let text = "the time is up: the start goes on (`stackrun status` shows it)";
            context.say_all(&[headline(context, text)]);
            status::TIMEOUT
        }
        Ended::Interrupted if args.foreground => {
            return foreground::stop(context, &mut client, &stack);
        }
        Ended::Interrupted => {
            let text = "the start goes on without you: `stackrun status` shows it, \
                        `stackrun down` stops it";
            context.say_all(&[headline(context, text)]);
            status::INTERRUPTED
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

fn command(args: &Args, stack: &Stack) -> Command {
    let stack = Box::new(stack.clone());
    Command::Up { stack, names: args.names.clone(), no_deps: args.no_deps }
}

/// What would be done. With nothing running a supervisor of one moment says so: it is pure.
fn plan(args: &Args, stack: &Stack) -> Result<Plan, Error> {
    let command = command(args, stack);
    match Client::connect(&stack.dir)? {
        Some(mut client) => match client.call(Request::Plan { command })? {
            Reply::Plan { plan } => Ok(plan),
            Reply::Outcome { outcome: Outcome { refused: Some(refusal), .. }, .. } => {
                Err(refusal.into())
            }
            other => Err(unexpected(&other)),
        },
        None => Ok(Supervisor::new(stack.clone(), 0).plan(&command, Tick::default())?),
    }
}

/// The services whose ports are to give way, because somebody else holds them: as they were
/// started, and as is answered now.
fn giving_way(args: &Args, context: &Context, stack: &Stack) -> Result<BTreeSet<String>, Error> {
    let mut giving_way = BTreeSet::new();
    let now = match context.connect_to_change()? {
        Some(mut client) => {
            let now = status_of(&mut client)?;
            giving_way = busy::given_way(&context.known_stack(Some(&mut client))?, stack, &now);
            now
        }
        None => verbs::status::idle(stack),
    };
    if !args.take_ports {
        giving_way.extend(busy::ask_about(context, stack, &now, &started(args, stack))?);
    }
    Ok(giving_way)
}

/// The services and tasks that are to be up.
fn started(args: &Args, stack: &Stack) -> Vec<String> {
    let named = names::resolve(stack, &args.names);
    if args.no_deps { named } else { names::with_needs(stack, &named) }
}

fn check_programs(args: &Args, stack: &Stack) -> Result<(), Error> {
    let names = started(args, stack);
    let missing = programs::missing_programs(stack, &caller::environment(), &names);
    if missing.is_empty() { Ok(()) } else { Err(Error::MissingPrograms(missing)) }
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
