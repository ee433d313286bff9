//! `timeline`: the last start as a waterfall.

use jiff::tz::TimeZone;

use crate::{
    cli::{
        ambient,
        commands::events,
        context::Context,
        error::{Error, status},
    },
    reporters::{
        json,
        timeline::{self, Before},
    },
    timeline::Start,
};

const EXAMPLES: &str = "\
Examples:
  stackrun timeline            where the time of the last start went, and the start before
  stackrun timeline --back 1   the one before that
  stackrun timeline -v         of what every bar is made, not only those on the critical path
  stackrun timeline --json     the same as data";

/// The last start as a waterfall, the critical path marked, against the start before
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// That many starts further back
    #[arg(long, value_name = "N", default_value_t = 0)]
    back: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let starts = Start::all(&events::records(context)?, ambient::now());
    let shown = starts.len().checked_sub(1 + args.back);
    let Some((start, before)) = shown.map(|at| (&starts[at], Before { starts: &starts[..at] }))
    else {
        if args.json {
            context.print("{\n  \"format\": 1,\n  \"start\": null\n}\n")?;
        }
        context.say(match args.back {
            0 => "nothing has been started here yet: `stackrun up` does",
            _ => "the ledger does not go back that far",
        });
        return Ok(status::NOT_RUNNING);
    };
    if args.json {
        context.print_json(&format!("{:#}\n", data(start, before)?))?;
        return Ok(status::OK);
    }
    let look = (context.columns(), context.global.verbose > 0);
    context.print(&timeline::show(start, before, look, &TimeZone::system(), context.out))?;
    Ok(status::OK)
}

fn data(start: &Start, before: Before<'_>) -> Result<serde_json::Value, Error> {
    let wrong = |error: serde_json::Error| Error::Other(error.to_string());
    let mut json = serde_json::to_value(start).map_err(wrong)?;
    json["before_ms"] = before.total_ms(start).into();
    for (row, json) in start.rows.iter().zip(json["rows"].as_array_mut().into_iter().flatten()) {
        json["took_ms"] = row.took_ms().into();
        json["before_ms"] = before.row_ms(&row.name).into();
        json["critical"] = start.critical.contains(&row.name).into();
        let parts: Vec<_> = row.parts.iter().map(json::part).collect();
        json["parts"] = serde_json::to_value(parts).map_err(wrong)?;
    }
    Ok(serde_json::json!({ "format": 1, "start": json }))
}
