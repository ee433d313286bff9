//! `check`: the problems of the stack file.

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        candidates::profile_names,
        context::Context,
        error::{Error, status},
    },
    language::Finding,
    printable,
    reporters::{Symbol, headline, wording},
};

const EXAMPLES: &str = "\
Examples:
  stackrun check            every problem at its place; exit 2 if there is an error
  stackrun check --json     the same as data";

/// Check the stack file: every problem at its place
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME", add = ArgValueCandidates::new(profile_names))]
    profiles: Vec<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let file = context.file()?;
    let (problems, loaded) = match context.load(&args.profiles) {
        Ok(loaded) => (loaded.warnings, Some(loaded.stack)),
        Err(Error::Problems(problems)) => (problems, None),
        Err(error) => return Err(error),
    };
    let exit = if loaded.is_some() { status::OK } else { status::WRONG };
    if args.json {
        let data: Vec<_> = problems.iter().map(Finding::data).collect();
        let ok = exit == status::OK;
        let json = serde_json::json!({ "format": 1, "file": file, "ok": ok, "problems": data });
        context.print_json(&format!("{json:#}\n"))?;
        return Ok(exit);
    }
    let Some(stack) = loaded else { return Err(Error::Problems(problems)) };
    context.say_problems(&problems);
    let mut facts = vec![wording::count(stack.services.len(), "service")];
    if !stack.tasks.is_empty() {
        facts.push(wording::count(stack.tasks.len(), "task"));
    }
    if !problems.is_empty() {
        facts.push(wording::count(problems.len(), "warning"));
    }
    if context.global.quiet {
        return Ok(exit);
    }
    let text = format!("{} is fine: {}", printable::line(&stack.name), facts.join(", "));
    context.print(&format!("{}\n", headline(Symbol::Good, &text, context.out)))?;
    Ok(exit)
}
