//! Reading: the stack file and everything it includes → top-level declarations.

use std::path::{Path, PathBuf};

use super::{
    decl::{Decl, declares},
    encoding,
    problem::{FileProblem, Problems},
    recover,
    regular::read_file,
    schema,
    source::{self, Sources, Span},
    syntax::Syntax,
};
use crate::model::io_error_text;

/// So many files make up a stack, each as often as it is included, …
const MOST_FILES: usize = 1000;
/// … so many of which are included by one another, …
const DEEPEST: usize = 50;
/// … and so many bytes.
const MOST_BYTES: u64 = 64 << 20;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The files.
    pub(super) sources: Sources,
    /// Their top-level nodes in order, each `include` replaced by what it includes.
    pub(super) decls: Vec<Decl>,
    /// Whether a file could not be read or parsed, so that names may be missing.
    pub(super) incomplete: bool,
}

/// Reads a stack file.
pub(super) fn read(file: &Path, problems: &mut Problems) -> Read {
    let mut reader = Reader { read: Read::default(), open: Vec::new(), room: MOST_BYTES, problems };
    reader.file(file, None);
    reader.read
}

struct Reader<'a> {
    read: Read,
    /// The files being read, each with the place that includes the next one.
    open: Vec<(PathBuf, Option<Span>)>,
    /// How many bytes may still be read.
    room: u64,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, at: Option<Span>) {
        match self.read_text(path, at) {
            Ok(text) => self.text(path, &text),
            Err(problem) => {
                self.problems.add(*problem);
                self.read.incomplete = true;
            }
        }
    }

    fn read_text(&mut self, path: &Path, at: Option<Span>) -> Result<String, Box<FileProblem>> {
        let owned = || path.to_path_buf();
        let length = path.metadata().map_or(0, |metadata| metadata.len());
        let files = self.read.sources.files.len();
        if length > self.room || files >= MOST_FILES || self.open.len() >= DEEPEST {
            return Err(Box::new(FileProblem::TooMuch { path: owned(), at }));
        }
        self.room -= length;
        let text = match read_file(path) {
            Ok(bytes) => encoding::text(bytes).map_err(|error| FileProblem::Encoding {
                path: owned(),
                error,
                at,
            }),
            Err(error) => Err(match at {
                Some(at) if !path.exists() => {
                    FileProblem::NotThere { what: "file", path: owned(), at }
                }
                _ => {
                    let reason = io_error_text(&error);
                    FileProblem::Unreadable { path: owned(), reason, at }
                }
            }),
        };
        text.map_err(Box::new)
    }

    fn text(&mut self, path: &Path, text: &str) {
        let root = self.open.first().map_or(path, |(path, _)| path).parent();
        let name = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        let name = name.display().to_string();
        let file = self.read.sources.add(path.to_path_buf(), name, text.to_owned());
        let recover::Parsed { document, problems, missing } = recover::parse(text, file);
        problems.into_iter().for_each(|problem| self.problems.add(problem));
        self.read.incomplete |= missing.names;
        let place = Span { file, start: 0, end: 0 };
        let mut syntax = Syntax { file, missing: &missing, problems: self.problems };
        let (decls, _) = syntax.children(&document, schema::document(), place, false);
        self.open.push((path.to_path_buf(), None));
        for decl in decls {
            // A name that is none may be the one that others speak of.
            self.read.incomplete |= decl.damaged && declares(decl.spec) && decl.text().is_none();
            if decl.name.value == "include" {
                self.include(path, &decl);
            } else {
                self.read.decls.push(decl);
            }
        }
        self.open.pop();
    }

    fn include(&mut self, from: &Path, decl: &Decl) {
        let Some(target) = decl.text() else { return };
        let joined = from.parent().unwrap_or(Path::new("/")).join(target.value);
        let path = source::canonical(&joined);
        if let Some((_, at)) = self.open.last_mut() {
            *at = Some(target.span);
        }
        let Some(first) = self.open.iter().position(|(open, _)| *open == path) else {
            return self.file(&path, Some(target.span));
        };
        let edges = self.open[first..].iter().filter_map(|(_, at)| *at);
        let name = |at: Span| self.read.sources.text(at).trim_matches(['"', '#']).to_owned();
        let edges = edges.map(|at| (at, name(at))).collect();
        self.problems.add(FileProblem::IncludeLoop { edges });
    }
}
