//! `ls`: all running stacks of this user.

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
        running::{self, Running},
    },
    reporters::{Tone, theme::pad},
};

const EXAMPLES: &str = "\
Examples:
  stackrun ls                    every running stack
  stackrun --stack shop status   one of them, from anywhere";

/// All your running stacks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// As data
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let running = running::all();
    if args.json {
        let stacks: Vec<_> = running.iter().map(Running::json).collect();
        let json = serde_json::json!({ "format": 1, "stacks": stacks });
        context.print(&format!("{json:#}\n"))?;
        return Ok(status::OK);
    }
    if running.is_empty() {
        context.say("nothing is running");
        return Ok(status::OK);
    }
    let width = running.iter().map(|stack| stack.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for stack in &running {
        let name = context.out.paint(Tone::Strong, pad(&stack.name, width));
        let ready = format!("{} of {} ready", stack.ready, stack.services);
        let tone = if stack.ready == stack.services { Tone::Good } else { Tone::Warn };
        let ready = context.out.paint(tone, pad(&ready, "100 of 100 ready".len()));
        text.push_str(&format!("{name}  {ready}  {}\n", stack.folder.display()));
    }
    context.print(&text)?;
    Ok(status::OK)
}
