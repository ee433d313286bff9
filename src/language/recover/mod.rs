//! Errors of KDL itself, and what can be read in spite of them.
//!
//! KDL's parser gives a document or none, and says what it expected, often several times over.
//! So what people write by habit is told by its cause, and fixed as the help says; what is still
//! no KDL is told in the parser's words and left out, the smallest node around it. The rest of the
//! file is read as if nothing were wrong.

mod braces;
mod edits;
mod salvage;
mod strings;
mod templates;
mod words;

use std::ops::Range;

use kdl::KdlDocument;

use self::edits::Edit;
pub(super) use self::edits::Offsets;
use super::{
    bounded::{self, Allowance},
    fast_parser::MAX_DEPTH,
    problem::FileProblem,
    scan::{self, Kind, Token},
    source::Span,
};

/// Comments within comments deeper than this are a mistake.
const MAX_COMMENTS: usize = 100;

/// What could be read of a file.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Its nodes; the offsets in it are those of the fixed text.
    pub(super) document: KdlDocument,
    /// What is wrong with its syntax.
    pub(super) problems: Vec<FileProblem>,
    /// What of it is missing.
    pub(super) missing: Missing,
}

/// What of a file is missing in its document, and how to find places again.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// From the fixed text to the one that was written. Two fixes: of words, then of braces.
    offsets: [Offsets; 2],
    /// The bytes that were left out, of the text that was written.
    holes: Vec<Range<usize>>,
    /// Whether names may have been declared there.
    pub(super) names: bool,
}

impl Missing {
    /// The bytes of the text that was written.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        self.offsets[0].range(self.offsets[1].range(range))
    }

    /// Whether something was left out there.
    pub(super) fn is_within(&self, range: &Range<usize>) -> bool {
        let before = self.holes.partition_point(|hole| hole.start < range.end);
        before > 0 && range.start < self.holes[before - 1].end
    }

    /// Puts what was left out in order, so that it is found quickly.
    fn settle(&mut self) {
        self.holes.sort_unstable_by_key(|hole| hole.start);
        let mut settled: Vec<Range<usize>> = Vec::with_capacity(self.holes.len());
        for hole in self.holes.drain(..) {
            let end = hole.end.max(hole.start + 1);
            match settled.last_mut() {
                Some(last) if hole.start <= last.end => last.end = last.end.max(end),
                _ => settled.push(hole.start..end),
            }
        }
        self.holes = settled;
    }
}

/// Reads a file as KDL.
pub(super) fn parse(text: &str, file: usize) -> Parsed {
    let tokens = scan::tokens(text);
    let nothing = Missing::default();
    let first = Hints::new(text, file, &tokens, &nothing);
    if let Some(deep) = first.too_deep() {
        let missing = Missing { names: true, ..Missing::default() };
        return Parsed { problems: vec![deep.problem], missing, ..Parsed::default() };
    }
    let version = first.version_one();
    let mut allowance = Allowance::default();
    if let Ok(document) = bounded::document(text, &mut allowance) {
        let problems = version.map(|hint| hint.problem).into_iter().collect();
        return Parsed { document, problems, ..Parsed::default() };
    }
    let mut hints: Vec<Hint> = version.into_iter().chain(first.words()).collect();
    let mut missing = Missing::default();
    let (text, offsets) = edits::apply(text, fixes(&hints));
    missing.offsets[0] = offsets;

    let tokens = scan::tokens(&text);
    let unclosed =
        |token: &Token| matches!(token.kind, Kind::UnclosedString | Kind::UnclosedComment);
    let hints_of = Hints::new(&text, file, &tokens, &missing);
    // What swallows a brace is told; not the brace that it swallowed.
    let of_braces = match tokens.iter().any(unclosed) {
        true => hints_of.braces_on_their_own(),
        false => hints_of.braces(),
    };
    let (text, offsets) = edits::apply(&text, fixes(&of_braces));
    missing.offsets[1] = offsets;
    hints.extend(of_braces);

    missing.names = hints.iter().any(|hint| hint.loses_names);
    missing.holes = hints.iter().filter_map(|hint| hint.hole.clone()).collect();
    let problems = hints.into_iter().map(|hint| hint.problem).collect();
    let mut parsed = salvage::read(&text, file, problems, missing, allowance);
    parsed.missing.settle();
    parsed
}

/// Space of the same length; lines stay lines.
fn space_for(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn fixes(hints: &[Hint]) -> Vec<Edit> {
    hints.iter().flat_map(|hint| hint.fixes.clone()).collect()
}

/// A mistake that is known, and how to read on.
#[derive(Debug)]
struct Hint {
    problem: FileProblem,
    /// What would have been right; nothing if that cannot be known.
    fixes: Vec<Edit>,
    /// The bytes (of the text that was written) around which things may be missing.
    hole: Option<Range<usize>>,
    /// Whether names may have been declared there.
    loses_names: bool,
}

impl Hint {
    /// With a fix.
    fn fix(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.fixes.push(Edit::new(range, text));
        self
    }
}

struct Hints<'a> {
    text: &'a str,
    file: usize,
    tokens: &'a [Token],
    /// From this text to the one that was written.
    missing: &'a Missing,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Hints<'a> {
    fn new(text: &'a str, file: usize, tokens: &'a [Token], missing: &'a Missing) -> Self {
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes());
        let lines = std::iter::once(0).chain(newlines.map(|newline| newline + 1)).collect();
        Self { text, file, tokens, missing, lines }
    }

    /// Where the line of a byte begins.
    fn line_start(&self, at: usize) -> usize {
        self.lines[self.lines.partition_point(|start| *start <= at).saturating_sub(1)]
    }

    fn hint(
        &self,
        range: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Hint {
        let problem = FileProblem::Syntax {
            at: self.span(range),
            also: None,
            message: message.into(),
            label: label.into(),
            help: help.into(),
        };
        Hint { problem, fixes: Vec::new(), hole: None, loses_names: false }
    }

    /// The place in the text that was written.
    fn span(&self, range: Range<usize>) -> Span {
        let range = self.missing.original(range);
        Span { file: self.file, start: range.start, end: range.end }
    }

    fn of(&self, token: &Token) -> &str {
        &self.text[token.range.clone()]
    }

    /// Braces or comments in one another that no stack has.
    fn too_deep(&self) -> Option<Hint> {
        let mut depth = 0_usize;
        for token in self.tokens {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::BlockComment | Kind::UnclosedComment => {
                    let deep = scan::comment_deeper_than(self.of(token), MAX_COMMENTS);
                    let Some(at) = deep.map(|at| token.range.start + at) else { continue };
                    let message = "comments nested too deeply";
                    let help = format!("at most {MAX_COMMENTS} levels are allowed");
                    return Some(self.hint(at..at + 2, message, "too deep", help));
                }
                _ => {}
            }
            if depth > MAX_DEPTH {
                let help = format!(
                    "at most {MAX_DEPTH} levels are allowed, and no node of a stack needs more than \
                 six"
                );
                let message = "braces nested too deeply";
                return Some(self.hint(token.range.clone(), message, "too deep", help));
            }
        }
        None
    }

    /// `/- kdl-version 1`.
    fn version_one(&self) -> Option<Hint> {
        let [dash, word, number, ..] = self.tokens else { return None };
        let is_marker = dash.kind == Kind::Slashdash && self.of(word) == "kdl-version";
        (is_marker && self.of(number) == "1").then(|| {
            self.hint(
                dash.range.start..number.range.end,
                "a stack file is written in KDL 2",
                "says that it is KDL 1",
                "KDL 2 writes `#true` and `#null` with a `#`, and raw strings as `#\"…\"#`; \
                 remove this line once the file does",
            )
        })
    }
}
