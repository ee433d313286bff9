//! Errors of KDL itself, and what can be read in spite of them.
//!
//! KDL's parser gives a document or none, and says what it expected, often several times over.
//! So what people write by habit is told by its cause, and mended as the help says; what is still
//! no KDL is told in the parser's words and left out, the smallest node around it. The rest of the
//! file is read as if nothing were wrong.

mod braces;
mod edits;
mod holes;
mod templates;
mod words;

use std::ops::Range;

use kdl::KdlDocument;

use self::edits::Edit;
pub(super) use self::edits::Offsets;
use super::{
    plain,
    problem::FileProblem,
    scan::{self, Kind, Token},
    source::Span,
};

/// Deeper than any stack, and not too deep for a recursive parser.
const MAX_DEPTH: usize = 100;

/// What could be read of a file.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Its nodes; the offsets in it are those of the mended text.
    pub(super) document: KdlDocument,
    /// What is wrong with its syntax.
    pub(super) problems: Vec<FileProblem>,
    /// What of it is missing.
    pub(super) missing: Missing,
}

/// What of a file is missing in its document, and how to find places again.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// From the mended text to the one that was written. Two mends: of words, then of braces.
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
        self.holes
            .iter()
            .any(|hole| hole.start < range.end && range.start < hole.end.max(hole.start + 1))
    }
}

/// Reads a file as KDL.
pub(super) fn parse(text: &str, file: usize) -> Parsed {
    let tokens = scan::tokens(text);
    let first = Hints { text, file, tokens: &tokens, missing: &Missing::default() };
    if let Some(deep) = first.too_deep() {
        let missing = Missing { names: true, ..Missing::default() };
        return Parsed { problems: vec![deep.problem], missing, ..Parsed::default() };
    }
    let version = first.version_one();
    let document = plain::document(text, &tokens).or_else(|| {
        let slashed = without_slashed(text, &tokens);
        slashed.as_deref().unwrap_or(text).parse().ok()
    });
    if let Some(document) = document {
        let problems = version.map(|hint| hint.problem).into_iter().collect();
        return Parsed { document, problems, ..Parsed::default() };
    }
    let mut hints: Vec<Hint> = version.into_iter().chain(first.words()).collect();
    let mut missing = Missing::default();
    let (text, offsets) = edits::apply(text, mends(&hints));
    missing.offsets[0] = offsets;

    let tokens = scan::tokens(&text);
    let unclosed =
        |token: &Token| matches!(token.kind, Kind::UnclosedString | Kind::UnclosedComment);
    let hints_of = Hints { text: &text, file, tokens: &tokens, missing: &missing };
    // What swallows a brace is told; not the brace that it swallowed.
    let of_braces = match tokens.iter().any(unclosed) {
        true => hints_of.braces_on_their_own(),
        false => hints_of.braces(),
    };
    let (text, offsets) = edits::apply(&text, mends(&of_braces));
    missing.offsets[1] = offsets;
    hints.extend(of_braces);

    missing.names = hints.iter().any(|hint| hint.loses_names);
    missing.holes = hints.iter().filter_map(|hint| hint.hole.clone()).collect();
    let problems = hints.into_iter().map(|hint| hint.problem).collect();
    holes::read(&text, file, problems, missing)
}

/// The text with nodes that `/-` takes out made space, if a `;` follows them: KDL allows it, its
/// parser does not.
fn without_slashed(text: &str, tokens: &[Token]) -> Option<String> {
    let mut out: Option<String> = None;
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Slashdash) {
        let begins = at.checked_sub(1).is_none_or(|before| {
            let kind = tokens[before].kind;
            matches!(kind, Kind::Newline | Kind::Semicolon | Kind::Open | Kind::Close)
        });
        let mut depth = 0_usize;
        let end = tokens[at..].iter().find(|token| match token.kind {
            Kind::Open => {
                depth += 1;
                false
            }
            Kind::Close if depth == 0 => true,
            Kind::Close => {
                depth -= 1;
                false
            }
            Kind::Newline | Kind::Semicolon => depth == 0,
            _ => false,
        });
        if let Some(end) = end.filter(|end| begins && end.kind == Kind::Semicolon) {
            let range = tokens[at].range.start..end.range.end;
            let space = space_for(&text[range.clone()]);
            out.get_or_insert_with(|| text.to_owned()).replace_range(range, &space);
        }
    }
    out
}

/// Space of the same length; lines stay lines.
fn space_for(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn mends(hints: &[Hint]) -> Vec<Edit> {
    hints.iter().flat_map(|hint| hint.mends.clone()).collect()
}

/// A mistake that is known, and how to read on.
#[derive(Debug)]
struct Hint {
    problem: FileProblem,
    /// What would have been right; nothing if that cannot be known.
    mends: Vec<Edit>,
    /// The bytes (of the text that was written) around which things may be missing.
    hole: Option<Range<usize>>,
    /// Whether names may have been declared there.
    loses_names: bool,
}

impl Hint {
    /// With a mend.
    fn mend(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.mends.push(Edit::new(range, text));
        self
    }
}

struct Hints<'a> {
    text: &'a str,
    file: usize,
    tokens: &'a [Token],
    /// From this text to the one that was written.
    missing: &'a Missing,
}

impl Hints<'_> {
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
        Hint { problem, mends: Vec::new(), hole: None, loses_names: false }
    }

    /// The place in the text that was written.
    fn span(&self, range: Range<usize>) -> Span {
        let range = self.missing.original(range);
        Span { file: self.file, start: range.start, end: range.end }
    }

    fn of(&self, token: &Token) -> &str {
        &self.text[token.range.clone()]
    }

    fn too_deep(&self) -> Option<Hint> {
        let mut depth = 0_usize;
        for token in self.tokens {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                let message = "braces nested too deeply";
                let help = "no node of a stack lies deeper than five others";
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
                 take this line out once the file does",
            )
        })
    }
}
