//! `graph`: what needs what.

use clap::ValueEnum;

use clap_complete::engine::ArgValueCandidates;

use crate::{
    cli::{
        candidates::profile_names,
        context::Context,
        error::{Error, status},
    },
    reporters::graph,
};

const EXAMPLES: &str = "\
Examples:
  stackrun graph                                 an outline
  stackrun graph --format dot | dot -Tsvg        a picture, by Graphviz
  stackrun graph --format mermaid                for a Markdown file";

/// What needs what
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// In which format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
    format: Format,
    /// A profile of the stack file to lay over it; may repeat
    #[arg(long = "profile", value_name = "NAME", add = ArgValueCandidates::new(profile_names))]
    profiles: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An outline
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
    /// As JSON
    Json,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let stack = context.load(&args.profiles)?.stack;
    match args.format {
        Format::Text => context.print(&graph::text(&stack, context.out))?,
        Format::Dot => context.print(&graph::dot(&stack))?,
        Format::Mermaid => context.print(&graph::mermaid(&stack))?,
        Format::Json => context.print_json(&format!("{:#}\n", graph::json(&stack)))?,
    }
    Ok(status::OK)
}
