//! `events`: the ledger.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    cli::{
        ambient,
        commands::logs::reconnect,
        context::Context,
        error::{Error, status},
        interrupt, time_args,
    },
    control::{Client, ClientError, Reply, Request, protocol::Answer},
    event::Record,
    logs::{LEDGER, OLD_LEDGER},
    platform::Subfolder,
    reporters::{self, progress::TICK, wording::count},
};

const EXAMPLES: &str = "\
Examples:
  stackrun events --since 10m     what happened in the last ten minutes, and why
  stackrun events -f --json       every change as it happens, one JSON object a line";

/// The ledger: every change, when, why, and who asked
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Follow new ones
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Since then: `10m` ago, `09:30`, a date and time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let zone = TimeZone::system();
    let since = args.since.as_deref().map(|text| time_args::moment(text, ambient::now(), &zone));
    let since = since.transpose().map_err(Error::Argument)?;
    let show = |record: &Record| -> Result<(), Error> {
        if since.is_some_and(|since: Timestamp| record.at < since) {
            return Ok(());
        }
        if args.json {
            let json = serde_json::to_string(&reporters::json::record(record));
            let json = json.map_err(|error| Error::Other(error.to_string()))?;
            return context.print_json(&format!("{json}\n"));
        }
        context.print(&format!("{}\n", reporters::events::show(record, &zone, context.out)))
    };
    if !args.follow {
        records(context)?.iter().try_for_each(show)?;
        return Ok(status::OK);
    }
    follow(context, show)
}

/// Shows all records, and continues with the next supervisor where one ends, until the stack is down.
fn follow(context: &Context, show: impl Fn(&Record) -> Result<(), Error>) -> Result<u8, Error> {
    let places = context.places()?;
    let mut client = context.connect()?;
    interrupt::watch();
    let mut from = 0;
    let ask = |client: &mut Client, since| client.ask(Request::Events { since, follow: true });
    let mut asked = ask(&mut client, from);
    while !interrupt::take() {
        let answer = asked.and_then(|id| Ok((id, client.next(Some(TICK))?)));
        asked = match answer {
            Ok((id, Some(Answer { id: of, reply: Reply::Record { record } }))) if of == id => {
                let missing = usize::try_from(record.seq.saturating_sub(from)).unwrap_or(0);
                if from > 0 && missing > 0 {
                    context.say(&format!("({} left out here)", count(missing, "change")));
                }
                show(&record)?;
                from = record.seq + 1;
                Ok(id)
            }
            // What was left out because we were slow is in the ledger, as far as that goes back.
            Ok((id, Some(Answer { id: of, reply: Reply::Skipped { .. } }))) if of == id => {
                ask(&mut client, from)
            }
            Ok((id, _)) => Ok(id),
            Err(ClientError::Gone) => {
                let Some(next) = reconnect(&places)? else {
                    context.say("the stack is down");
                    return Ok(status::OK);
                };
                client = next;
                ask(&mut client, from)
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(status::INTERRUPTED)
}

/// The records so far: from the supervisor, and from the disk with nothing running.
pub(in crate::cli) fn records(context: &Context) -> Result<Vec<Record>, Error> {
    match context.connect_if_running()? {
        Some(client) => from_supervisor(client),
        None => Ok(from_disk(&context.stack_dir()?.state)),
    }
}

fn from_supervisor(mut client: Client) -> Result<Vec<Record>, Error> {
    let id = client.ask(Request::Events { since: 0, follow: false })?;
    let mut records = Vec::new();
    loop {
        match client.next(None)? {
            Some(answer) if answer.id == id => match answer.reply {
                Reply::Record { record } => records.push(record),
                Reply::End => return Ok(records),
                Reply::Error { message } => return Err(Error::Other(message)),
                _ => {}
            },
            Some(_) | None => {}
        }
    }
}

/// A line of the ledger is a checksum, a space, and the record; a torn one is not read.
fn from_disk(state: &Subfolder) -> Vec<Record> {
    let read = |file: &str| state.read(file).unwrap_or_default();
    let bytes = [read(OLD_LEDGER), read(LEDGER)].concat();
    let records = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let (_checksum, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        serde_json::from_str(json).ok()
    });
    records.collect()
}
