//! `init`: a first stack file from what is here.

use std::path::Path;

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
        first_file::{
            counts, drop_rejected, folder_of, import, must_be_new, name_of, target, tell, write,
        },
    },
    import::{self, Format, Report},
    language,
    reporters::{Symbol, headline, summary},
};

const EXAMPLES: &str = "\
Examples:
  stackrun init              writes stack.kdl; never over one that is there
  stackrun init --stdout     shows it, writes nothing";

/// Write a first stack.kdl from what is in this folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Print it, write nothing
    #[arg(long)]
    stdout: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let file = target(context, None)?;
    if !args.stdout {
        must_be_new(&file)?;
    }
    let folder = folder_of(&file);
    let (guessed, found) = import::guess(folder, &name_of(folder));
    let other =
        import::others(folder).and_then(|other| Some((import(&other, folder).ok()?, other)));
    let (draft, told) = match other {
        // A compose file of databases goes well with the programs beside it.
        Some(((Format::Compose, mut draft, mut report), other)) => {
            let before = (draft.clone(), report.clone());
            if !found.is_empty() && !builds(&other) {
                draft.join(guessed);
            }
            match drop_rejected(&mut draft, &mut report, folder) {
                Ok(()) => (draft, Some((report, other))),
                Err(_) => (before.0, Some((before.1, other))),
            }
        }
        Some(((_, draft, report), other)) => (draft, Some((report, other))),
        None => {
            let (mut draft, mut report) = (guessed, Report::default());
            drop_rejected(&mut draft, &mut report, folder)?;
            (draft, None)
        }
    };
    if args.stdout {
        context.print(&draft.kdl())?;
        return Ok(status::OK);
    }
    write(&file, &draft.kdl())?;
    let shown = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let (symbol, text) = match draft.is_empty() {
        true => (Symbol::Warn, format!("wrote {shown}: nothing that can be run was found here")),
        false => (Symbol::Good, format!("wrote {shown}: {}", counts(&draft))),
    };
    context.say(&headline(symbol, &text, context.err));
    context.say_all(&found.iter().map(|line| format!("  {line}")).collect::<Vec<_>>());
    match told {
        Some((report, other)) => tell(context, &other, &report),
        None if draft.is_empty() => {
            let text = format!("write in {shown} how your program is started, then stackrun check");
            context.say(&summary::hint(&text, context.err));
        }
        None => context.say(&summary::hint("stackrun check, then stackrun up", context.err)),
    }
    Ok(status::OK)
}

/// Whether a compose file has its programs built here: then they are in it already.
fn builds(file: &Path) -> bool {
    language::read_text(file).is_ok_and(|text| text.contains("build:"))
}
