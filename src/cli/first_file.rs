//! A stack file that is written for the first time: by `init` and by `import`.

use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::{ambient, context::Context, error::Error};
use crate::{
    import::{self, Draft, Note, Report},
    language,
    reporters::{Symbol, Tone, headline, summary, theme::pad, wording},
};

/// Where a first stack file goes: as named, else `stack.kdl` here.
pub(super) fn target(context: &Context, output: Option<&Path>) -> Result<PathBuf, Error> {
    let named = output.map(Path::to_owned).or_else(|| context.global.file.clone());
    let file = named.unwrap_or_else(|| "stack.kdl".into());
    let file = if file.is_dir() { file.join("stack.kdl") } else { file };
    std::path::absolute(&file).map_err(|error| Error::Io { path: file, error })
}

/// The folder that it goes to.
pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// The name of a stack in a folder.
pub(super) fn name_of(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.file_name().map_or_else(|| "stack".into(), |name| name.to_string_lossy().into_owned())
}

/// Reads a file of another tool and makes of it what is right as a stack file of that folder.
pub(super) fn import(file: &Path, folder: &Path) -> Result<(import::Format, Draft, Report), Error> {
    let wrong = |text: String| Error::Argument(format!("{}: {text}", file.display()));
    // What a shell hands over (`<(…)`) has no name, and is written to.
    let read = match file.canonicalize() {
        Ok(_) => language::read_file(file),
        Err(_) => std::fs::File::open(file).and_then(language::read_stream),
    };
    let bytes = read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::Argument(format!("there is no file {}", file.display())),
        _ => wrong(error.to_string()),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text".into()))?;
    let source = std::path::absolute(file).map_err(|error| wrong(error.to_string()))?;
    let source = folder_of(&source).to_owned();
    let beside = |path: &Path| language::read_text(&source.join(path)).ok();
    let imported = import::import(file, &text, &name_of(folder), &beside);
    let import::Imported { format, mut draft, mut report } =
        imported.map_err(|error| wrong(error.to_string()))?;
    if let Some(path) = path_between(folder, &source) {
        draft.relocate(&path);
    }
    drop_rejected(&mut draft, &mut report, folder)?;
    Ok((format, draft, report))
}

/// Takes out what `check` would refuse.
pub(super) fn drop_rejected(
    draft: &mut Draft,
    report: &mut Report,
    folder: &Path,
) -> Result<(), Error> {
    let options = language::Options { env: ambient::environment(), ..language::Options::default() };
    import::drop_rejected(draft, report, folder, &options)
        .map_err(|error| Error::Other(format!("{}: {error}", folder.display())))
}

/// Writes it; never over one that is there.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Error> {
    let io = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Error::Exists(file.to_owned()),
        _ => Error::Io { path: file.to_owned(), error },
    };
    let mut new = std::fs::File::create_new(file).map_err(io)?;
    new.write_all(text.as_bytes()).map_err(io)
}

/// Refuses one that is there before anything is read.
pub(super) fn must_be_new(file: &Path) -> Result<(), Error> {
    if file.symlink_metadata().is_ok() { Err(Error::Exists(file.to_owned())) } else { Ok(()) }
}

/// What it holds: `3 services, 1 task`.
pub(super) fn counts(draft: &Draft) -> String {
    let mut facts = vec![wording::count(draft.services(), "service")];
    if draft.tasks() > 0 {
        facts.push(wording::count(draft.tasks(), "task"));
    }
    facts.join(", ")
}

/// Says what was carried over, and what was not: a line for each, with its place.
pub(super) fn tell(context: &Context, source: &Path, report: &Report) {
    let theme = context.err;
    let width = report.carried.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, settings) in &report.carried {
        let name = theme.paint(Tone::Strong, pad(name, width));
        context.say(&format!("  {name}  {}", settings.join(", ")));
    }
    let file = source.file_name().unwrap_or(source.as_os_str()).to_string_lossy();
    let notes = report.sorted();
    let (lost, changed): (Vec<&Note>, Vec<&Note>) = notes.into_iter().partition(|note| note.lost);
    let parts =
        [(changed, Symbol::Dot, "otherwise than it was"), (lost, Symbol::Warn, "not carried over")];
    for (notes, symbol, title) in parts {
        if notes.is_empty() {
            continue;
        }
        context.say(&headline(symbol, &format!("{title}:"), theme));
        for Note { line, what, text, .. } in notes {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            let place = theme.paint(Tone::Faint, format!("{file}{line}"));
            context.say(&format!("  {place}  {what}: {text}"));
        }
    }
    context.say(&summary::hint("stackrun check, then stackrun up", theme));
}

/// The way from one folder to another; none where they are the same.
fn path_between(from: &Path, to: &Path) -> Option<String> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (from, to) = (real(from), real(to));
    if from == to {
        return None;
    }
    let same = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    // With nothing but the root in common the whole path says more.
    if same <= 1 {
        return Some(to.to_string_lossy().into_owned());
    }
    let up = std::iter::repeat_n("..".into(), from.components().count() - same);
    let down = to.components().skip(same).map(|part| part.as_os_str().to_owned());
    let path: PathBuf = up.chain(down).collect();
    Some(path.to_string_lossy().into_owned())
}
