//! `import`: a first stack file from that of another tool.

use std::path::PathBuf;

use clap::ValueHint;

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
        first_file::{counts, folder_of, import, must_be_new, target, tell, write},
    },
    reporters::{Symbol, headline},
};

const EXAMPLES: &str = "\
Examples:
  stackrun import docker-compose.yml       writes stack.kdl, says what was not carried over
  stackrun import Procfile --stdout        shows it, writes nothing
  stackrun import ecosystem.config.js -o other.kdl

Nothing is executed: of a JavaScript file only literal values are read.";

/// Write a first stack.kdl from a Procfile, a compose, process-compose or PM2 ecosystem file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The other tool's file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    source: PathBuf,
    /// Print it, write nothing
    #[arg(long)]
    stdout: bool,
    /// Where to write it [default: stack.kdl]
    #[arg(short, long, value_name = "FILE", conflicts_with = "stdout", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// What was carried over and what was not, as data
    #[arg(long, conflicts_with = "stdout")]
    json: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let file = target(context, args.output.as_deref())?;
    if !args.stdout && args.source.exists() {
        must_be_new(&file)?;
    }
    let (format, draft, report) = import(&args.source, folder_of(&file))?;
    if args.stdout {
        context.print(&draft.kdl())?;
    } else {
        write(&file, &draft.kdl())?;
        let shown = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        let text = format!("wrote {shown}: {} from {}", counts(&draft), format.name());
        context.say(&headline(Symbol::Good, &text, context.err));
    }
    if args.json {
        let carried = report
            .carried
            .iter()
            .map(|(name, settings)| serde_json::json!({ "name": name, "settings": settings }));
        let json = serde_json::json!({
            "format": 1,
            "file": file,
            "source": args.source,
            "carried": carried.collect::<Vec<_>>(),
            "notes": report.sorted(),
        });
        context.print_json(&format!("{json:#}\n"))?;
        return Ok(status::OK);
    }
    tell(context, &args.source, &report);
    Ok(status::OK)
}
