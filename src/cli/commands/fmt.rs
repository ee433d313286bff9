//! `fmt`: indents the stack file.

use std::path::Path;

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
    },
    language,
    platform::UserPath,
    printable,
    reporters::{Symbol, headline, wording},
};

const EXAMPLES: &str = "\
Examples:
  stackrun fmt            rewrites the file
  stackrun fmt --check    names the lines that would change; exit 1 if there are any";

/// More lines than this are counted, not shown.
const LINES: usize = 20;

/// Indent the stack file; comments and values stay as they are
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Only say whether it would change
    #[arg(long)]
    check: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<u8, Error> {
    let file = context.file()?;
    let io = |error| Error::Io { path: file.clone(), error };
    let before = language::read_text(&file).map_err(io)?;
    // Whose braces are which is a guess in a file that is no KDL.
    let problems = language::syntax_problems(&file, &before);
    if !problems.is_empty() {
        return Err(Error::Problems(problems));
    }
    let after = language::fmt(&before);
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    if before == after {
        context.say(&headline(Symbol::Good, &format!("{name} is formatted"), context.err));
        return Ok(status::OK);
    }
    if args.check {
        let lines = language::unformatted(&before);
        for line in lines.iter().take(LINES) {
            let text = before.lines().nth(line - 1).unwrap_or_default().trim();
            let text = format!("{name}:{line}: {text}");
            context.print(&format!("{}\n", printable::line(text.trim_end())))?;
        }
        let more = match lines.len().saturating_sub(LINES) {
            0 => String::new(),
            more => format!(", {more} more than are shown"),
        };
        let count = wording::count(lines.len(), "line");
        let text = format!("{name} is not formatted ({count}{more}): `stackrun fmt` formats it");
        context.say(&headline(Symbol::Bad, &text, context.err));
        return Ok(status::FAILED);
    }
    replace(&file, &after).map_err(io)?;
    context.say(&headline(Symbol::Good, &format!("{name} is formatted"), context.err));
    Ok(status::OK)
}

/// Written aside and renamed into place, with the permissions it had: whole at every moment. A link
/// stays a link.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    UserPath::find(file, folder)?.replace(text.as_bytes())
}
