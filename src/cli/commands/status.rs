//! `status`: one row for each service and task.

use std::time::Duration;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient,
        candidates::stack_names,
        connect::status_of,
        context::Context,
        error::{Error, status},
        idle_status::idle_status,
        interrupt, names, time_args,
    },
    control::{Client, ClientError, Obstacle},
    keeper::StaleState,
    reporters::{self, Symbol, headline, summary},
    status::{Item, ServiceState, Status, Verdict},
};

const EXAMPLES: &str = "\
Examples:
  stackrun status                 a table; exit 3 if not all that was asked for is ready or done
  stackrun status --json api      one service, as data
  stackrun status --watch         again every second

STATE `started`: nothing checks whether it is ready; a `port` or a `ready` check does.
RESTARTS: how often it was started again by itself, after a crash or a failed start, for its
health or its memory. Edits, watched files and restarts that you asked for do not count.";

/// What runs: state, pid, ports, uptime, memory, and why something is not ready
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services, tasks or groups [default: all]; what was not asked for counts by its name alone
    #[arg(add = ArgValueCandidates::new(stack_names))]
    names: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Repeat it, every second or as often as given
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "1s")]
    watch: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let Some(time) = &args.watch else { return once(args, context, None) };
    if let Ok(every) = time_args::duration(time) {
        return watch(args, context, every);
    }
    // `--watch api`: what is not a duration is a name, and an unknown one if a duration was meant.
    let names = std::iter::once(time).chain(&args.names).cloned().collect();
    watch(&Args { names, watch: None, json: args.json }, context, Duration::from_secs(1))
}

/// Shows it once; with `rows` as much as a terminal has room for, what is not well first.
fn once(args: &Args, context: &Context, rows: Option<usize>) -> Result<u8, Error> {
    let Seen { status: mut shown, holds, obstacle, file } = look(args, context)?;
    if args.json {
        let json = serde_json::to_string_pretty(&reporters::json::status(&shown))
            .map_err(|error| Error::Other(error.to_string()))?;
        context.print_json(&format!("{json}\n"))?;
    } else if let StackFile::HasErrors = file {
        say_nothing_runs(context);
        for text in &shown.notices {
            context.say(&headline(Symbol::Warn, text, context.err));
        }
        context.say(&summary::hint("stackrun check", context.err));
    } else {
        if rows.is_some_and(|rows| shown.services.len() + shown.tasks.len() + 2 > rows) {
            shown.services.sort_by_key(|service| is_settled(service.state));
        }
        let table = reporters::table::show(&shown, ambient::now(), context.columns(), context.out);
        context.print(&rows.map_or_else(|| table.clone(), |rows| cut(&table, rows)))?;
        if let Some(obstacle) = obstacle {
            context.say(&headline(Symbol::Warn, &obstacle.to_string(), context.err));
            context.say(&summary::hint(&obstacle.advice(), context.err));
        }
        if shown.supervisor.is_none() {
            say_nothing_runs(context);
        }
    }
    Ok(if holds { status::OK } else { status::NOT_RUNNING })
}

fn say_nothing_runs(context: &Context) {
    let (remains, unproved) = context.stale_state();
    match remains {
        StaleState::Nothing => context.say("nothing is running: `stackrun up` starts it"),
        StaleState::Dead | StaleState::Living => {
            context.say(
                "nothing is running: stackrun itself was killed, and every process known to be its \
                 own has ended; `stackrun up` brings it back",
            );
            context.say_all(&summary::unproved_lines(&unproved, context.err));
        }
    }
}

fn is_settled(state: ServiceState) -> bool {
    matches!(state, ServiceState::Ready | ServiceState::Exited | ServiceState::Idle)
}

/// The first lines of a table, and how many more there are.
fn cut(table: &str, rows: usize) -> String {
    let lines: Vec<&str> = table.lines().collect();
    if lines.len() < rows {
        return table.to_owned();
    }
    let kept = rows.saturating_sub(2).max(1);
    format!("{}\n{} more\n", lines[..kept].join("\n"), lines.len() - kept)
}

fn watch(args: &Args, context: &Context, every: Duration) -> Result<u8, Error> {
    interrupt::watch();
    let terminal = console::Term::stdout();
    loop {
        let live = terminal.is_term() && !args.json;
        if live {
            // What cannot be cleared is written below.
            let _ = terminal.clear_screen();
        }
        let rows = terminal.size_checked().map(|(rows, _)| rows.into());
        let status = once(args, context, rows.filter(|_| live))?;
        let mut left = every.max(Duration::from_millis(100));
        while !left.is_zero() {
            if interrupt::take() {
                return Ok(status);
            }
            let step = left.min(Duration::from_millis(100));
            std::thread::sleep(step);
            left -= step;
        }
    }
}

/// How the stack file is, where it is looked at: with nothing running.
enum StackFile {
    Fine,
    HasErrors,
}

/// The status of what was asked for.
struct Seen {
    status: Status,
    /// Whether all of it is ready or done.
    holds: bool,
    /// What keeps the stack from going on.
    obstacle: Option<Obstacle>,
    file: StackFile,
}

fn look(args: &Args, context: &Context) -> Result<Seen, Error> {
    match look_once(args, context) {
        // It was on its way down: the next look says so.
        Err(Error::Client(ClientError::Gone)) => look_once(args, context),
        other => other,
    }
}

fn look_once(args: &Args, context: &Context) -> Result<Seen, Error> {
    let mut client = context.connect_if_running()?;
    let (mut shown, stack) = match &mut client {
        Some(client) => {
            let status = status_of(client)?;
            let names_given = !args.names.is_empty();
            let stack = names_given.then(|| context.known_stack(Some(client))).transpose()?;
            (status, stack)
        }
        None => match context.load(&[]) {
            Ok(loaded) => (idle_status(&loaded.stack), Some(loaded.stack)),
            // What nothing runs of is not there, whatever else is wrong with its file.
            Err(Error::Problems(_)) => {
                let mut status = idle_status(&context.sketch()?);
                let file = status.file.display();
                status.notices = vec![format!("{file} has errors, and `up` would refuse it")];
                return Ok(Seen {
                    status,
                    holds: false,
                    obstacle: None,
                    file: StackFile::HasErrors,
                });
            }
            Err(error) => return Err(error),
        },
    };
    let asked = match (&stack, args.names.is_empty()) {
        (Some(stack), false) => {
            names::check(stack, &args.names)?;
            names::resolve(stack, &args.names)
        }
        _ => Vec::new(),
    };
    if !asked.is_empty() {
        shown.services.retain(|service| asked.contains(&service.name));
        shown.tasks.retain(|task| asked.contains(&task.name));
    }
    let holds = |item: Item<'_>| item.verdict == Verdict::Holds;
    let holds = match asked.as_slice() {
        // Where nothing was asked for, nothing is running.
        [] => shown.all().next().is_some() && shown.all().all(holds),
        names => shown.supervisor.is_some() && shown.named(names).all(holds),
    };
    let obstacle = client.as_ref().and_then(Client::obstacle);
    Ok(Seen { status: shown, holds, obstacle, file: StackFile::Fine })
}
