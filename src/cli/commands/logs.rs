//! `logs`: what the services wrote.

use std::{collections::BTreeMap, sync::mpsc::sync_channel};

use bytes::BytesMut;
use jiff::tz::TimeZone;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        ambient,
        candidates::stack_names,
        context::Context,
        error::{Error, status},
        following::{self, Following, wanted},
        interrupt, names,
        output::write_out,
        time_args,
    },
    control::{Client, ClientError},
    logs::{Finder, Item, Log, Marks, Place, Select, select},
    platform::{Refused, StackPaths, Subfolder},
    reporters::logs::{LogPrinter, Style},
};

const EXAMPLES: &str = "\
Examples:
  stackrun logs                         everything, merged by time
  stackrun logs -f api                  follow one service, across its restarts
  stackrun logs -n 50 -t                the last 50 lines, with times
  stackrun logs --since 10m --grep ERR  what matches, of the last ten minutes
  stackrun logs --since last-start      since the latest start";

/// So many items are handed on at once, and so often before they are printed.
const BATCH: usize = 512;
const AHEAD: usize = 4;
/// The bytes of lines are kept together in so many.
const HELD: usize = 64 << 10;

/// Lines that are shown before following, without -n.
const BEFORE_FOLLOWING: usize = 50;

/// What the services wrote, merged by time
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Services, tasks or groups [default: all]
    #[arg(add = ArgValueCandidates::new(stack_names))]
    names: Vec<String>,
    /// Follow new ones, across restarts
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long = "tail", value_name = "LINES")]
    tail: Option<usize>,
    /// Since then: `10m` ago, `09:30`, a date and time, `last-start`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Until then
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Lines that match a regular expression; one beyond 1 MiB is searched in pieces
    #[arg(long, value_name = "REGEX")]
    grep: Option<String>,
    /// Lines around each match, groups of them set apart by `--`
    #[arg(short = 'C', long, value_name = "LINES", default_value_t = 0, requires = "grep")]
    context: usize,
    /// With the time at which each line arrived
    #[arg(short, long)]
    timestamps: bool,
    /// The bytes as they came, no names, no times
    #[arg(long, conflicts_with_all = ["timestamps", "json"])]
    raw: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let folder = context.stack_dir()?.logs;
    let owners = owners(args, context, &folder)?;
    let mut choice = choice(args, context)?;
    let mut client = None;
    if args.follow {
        client = Some(context.connect()?);
        choice.last = choice.last.or(choice.since.is_none().then_some(BEFORE_FOLLOWING));
    }
    let mut printer = printer(args, context, &folder, &owners, &choice)?;
    let marks = marks(args, context, &owners)?;
    let Some(client) = client else {
        let logs = wanted(&folder, &owners)?;
        tell_refused(&logs, context);
        print_past(&logs, |_| None, marks.as_ref(), &choice, &mut printer)?;
        return Ok(status::OK);
    };
    // Followed from here on, before the past is read up to here: nothing is lost between the two.
    let (own, choices) = (printer.clone(), choice.clone());
    let mut following =
        Following::new(folder.clone(), owners.clone(), choices, marks.clone(), own)?;
    let logs = wanted(&folder, &owners)?;
    tell_refused(&logs, context);
    print_past(&logs, |log| following.begin(log), marks.as_ref(), &choice, &mut printer)?;
    following.continue_with(printer);
    follow(context, &mut following, client)
}

/// Says which logs are no files of their own: what is behind a link belongs to others.
fn tell_refused(logs: &[Log], context: &Context) {
    for log in logs {
        if let Some(refused) = log.folder.open_read(&log.file).err().as_ref().and_then(Refused::of)
        {
            context.say(&format!("{refused}: it is not read"));
        }
    }
}

/// Prints what there is by now. The search continues while it is being printed.
fn print_past(
    logs: &[Log],
    ends: impl Fn(&Log) -> Option<Place> + Send,
    marks: Option<&Marks>,
    choice: &Select,
    printer: &mut LogPrinter,
) -> Result<(), Error> {
    let (sender, receiver) = sync_channel(AHEAD);
    let look = move || {
        let mut items = select(logs, ends, marks, choice);
        let mut held = BytesMut::with_capacity(HELD);
        // The first ones are shown as soon as they are found.
        let sizes = std::iter::successors(Some(1), |size| Some((size * 2).min(BATCH)));
        for size in sizes {
            let batch: Vec<Item> =
                items.by_ref().take(size).map(|item| item.apart(&mut held)).collect();
            // A reader that has gone wants no more.
            if batch.is_empty() || sender.send(batch).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(look);
        let mut bytes = Vec::new();
        // It is dropped when printing fails, which ends the search.
        let receiver = receiver;
        loop {
            let at_hand = receiver.try_recv().ok();
            if at_hand.is_none() || bytes.len() > 64 << 10 {
                write_out(&bytes)?;
                bytes.clear();
            }
            let Some(batch) = at_hand.or_else(|| receiver.recv().ok()) else { break };
            batch.iter().for_each(|item| following::print(printer, &mut bytes, item));
        }
        printer.finish(&mut bytes);
        write_out(&bytes)
    })
}

/// What happened between the lines. It is no part of the bytes, nor of what is searched.
fn marks(args: &Args, context: &Context, owners: &[String]) -> Result<Option<Marks>, Error> {
    let wanted = !args.raw && args.grep.is_none();
    Ok(wanted.then_some(Marks::new(&context.stack_dir()?.state, owners)))
}

fn follow(context: &Context, following: &mut Following, client: Client) -> Result<u8, Error> {
    let places = context.places()?;
    let mut client = client;
    interrupt::watch();
    while interrupt::count() == 0 {
        let came = following.print_new()?;
        match client.next(Some(following.pause(came))) {
            Ok(_) => {}
            Err(ClientError::Gone) => match reconnect(&places)? {
                Some(next) => client = next,
                None => {
                    following.print_new()?;
                    following.finish()?;
                    context.say("the stack is down");
                    return Ok(status::OK);
                }
            },
            Err(error) => return Err(error.into()),
        }
    }
    following.finish()?;
    Ok(status::INTERRUPTED)
}

/// Its supervisor may just be being replaced.
pub(super) fn reconnect(places: &StackPaths) -> Result<Option<Client>, Error> {
    for _ in 0..20 {
        if let Some(client) = Client::connect(places)? {
            return Ok(Some(client));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Ok(None)
}

/// The services and tasks whose logs are wanted; none: all.
fn owners(args: &Args, context: &Context, folder: &Subfolder) -> Result<Vec<String>, Error> {
    if args.names.is_empty() {
        return Ok(Vec::new());
    }
    // Logs outlive supervisor and file: a name that has one is a name.
    let there = wanted(folder, &[])?;
    let has_log = |name: &String| there.iter().any(|log| log.name == *name || log.owner() == name);
    if args.names.iter().all(has_log) {
        return Ok(args.names.clone());
    }
    let mut client = context.connect_if_running()?;
    let stack = context.known_stack(client.as_mut())?;
    names::check(&stack, &args.names)?;
    Ok(names::resolve(&stack, &args.names))
}

fn choice(args: &Args, context: &Context) -> Result<Select, Error> {
    let now = ambient::now();
    let zone = TimeZone::system();
    let moment = |text: &String| time_args::moment(text, now, &zone).map_err(Error::Argument);
    let (since, starts) = match args.since.as_deref() {
        Some("last-start") => (None, Marks::new(&context.stack_dir()?.state, &[]).last_starts()),
        _ => (args.since.as_ref().map(moment).transpose()?, BTreeMap::new()),
    };
    let until = args.until.as_ref().map(moment).transpose()?;
    let grep = args.grep.as_deref().map(Finder::new).transpose();
    let grep = grep.map_err(|error| Error::Argument(error.to_string()))?;
    Ok(Select { last: args.tail, since, starts, until, grep, context: args.context })
}

fn printer(
    args: &Args,
    context: &Context,
    folder: &Subfolder,
    owners: &[String],
    choice: &Select,
) -> Result<LogPrinter, Error> {
    let logs = wanted(folder, owners)?;
    let style = match (args.raw, args.json) {
        (true, _) => Style::Raw,
        (_, true) => Style::Json,
        // The lines of one log need no name.
        _ => {
            let names = owners.len() != 1 || logs.len() > 1;
            Style::Prefixed { names, times: args.timestamps }
        }
    };
    let names = logs.iter().map(|log| log.name.as_str());
    let highlight = choice.grep.as_ref().map(|grep| grep.regex().clone());
    let printer = LogPrinter::new(style, context.out, TimeZone::system(), names);
    Ok(printer.highlighting(highlight).within(context.columns()))
}
