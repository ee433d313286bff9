//! `ls`: all running stacks of this user.

use crate::{
    cli::{
        ambient,
        context::Context,
        error::{Error, status},
        running_stacks::{self, Running, State},
    },
    printable,
    reporters::{Tone, summary, theme::pad, wording},
};

const EXAMPLES: &str = "\
Examples:
  stackrun ls                    every running stack
  stackrun --stack shop status   one of them, from anywhere";

/// All your running stacks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let running = running_stacks::all();
    if args.json {
        let stacks: Vec<_> = running.iter().map(Running::json).collect();
        let json = serde_json::json!({ "format": 1, "stacks": stacks });
        context.print_json(&format!("{json:#}\n"))?;
        return Ok(status::OK);
    }
    if running.is_empty() {
        context.say("nothing is running");
        return Ok(status::OK);
    }
    let now = ambient::now();
    let rows: Vec<[String; 4]> = running
        .iter()
        .map(|stack| {
            let since = stack.since.map(|since| wording::duration(wording::between(since, now)));
            [
                context.out.paint(Tone::Strong, called(stack)),
                context.out.paint(stack.state.tone(), stack.state.word()),
                match stack.state {
                    State::NotAnswering => String::new(),
                    State::Stopping => format!("{} left", wording::count(stack.left, "process")),
                    _ => format!("{} of {} ready", stack.ready, stack.services),
                },
                since.unwrap_or_default(),
            ]
        })
        .collect();
    let width = |column: usize| {
        rows.iter().map(|row| console::measure_text_width(&row[column])).max().unwrap_or(0)
    };
    let widths: [usize; 4] = std::array::from_fn(width);
    let mut text = String::new();
    for (row, stack) in rows.iter().zip(&running) {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| pad(cell, width)).collect();
        let folder = stack.places.folder.to_string_lossy();
        text.push_str(&format!("{}  {}\n", cells.join("  "), printable::line(&folder)));
        for notice in &stack.notices {
            text.push_str(&format!("  {}\n", notice.text));
            if let Some(advice) = &notice.advice {
                text.push_str(&format!("{}\n", summary::hint(advice, context.out)));
            }
        }
    }
    context.print(&text)?;
    Ok(status::OK)
}

/// Its name, and where that cannot be typed its identity, which `--stack` takes as well.
fn called(stack: &Running) -> String {
    let shown = printable::line(&stack.name);
    match *shown == *stack.name && !shown.contains(char::REPLACEMENT_CHARACTER) {
        true => shown.into_owned(),
        false => format!("{shown} (--stack {})", stack.places.id),
    }
}
