//! Errors of KDL itself. Its parser says what it expected, often several times over; what people
//! write by habit is told by its cause instead.

use kdl::{KdlDiagnostic, KdlDocument};

use super::FileProblem;
use crate::language::{
    plain,
    scan::{self, Kind, Token},
    source::Span,
};

mod braces;
mod words;

/// Deeper than any stack, and not too deep for a recursive parser.
const MAX_DEPTH: usize = 100;

/// A file's document; what is wrong with its syntax if there is none.
pub(in crate::language) fn parse(text: &str, file: usize) -> Result<KdlDocument, Vec<FileProblem>> {
    let tokens = scan::tokens(text);
    let hints = Hints { text, file, tokens: &tokens };
    if let Some(deep) = hints.too_deep() {
        return Err(vec![deep]);
    }
    let first = hints.version_one();
    let plain = plain::document(text, &tokens);
    match plain.map_or_else(|| text.parse::<KdlDocument>(), Ok) {
        Ok(document) if first.is_none() => Ok(document),
        Ok(_) => Err(first.into_iter().collect()),
        Err(error) => {
            let mut problems: Vec<FileProblem> = first.into_iter().collect();
            problems.extend(hints.words());
            let unclosed =
                |token: &Token| matches!(token.kind, Kind::UnclosedString | Kind::UnclosedComment);
            // What swallows a brace is told; not the brace that it swallowed.
            if !tokens.iter().any(unclosed) {
                problems.extend(hints.braces());
            }
            if problems.is_empty() {
                problems = hints.regions(error.diagnostics);
            }
            Err(problems)
        }
    }
}

struct Hints<'a> {
    text: &'a str,
    file: usize,
    tokens: &'a [Token],
}

impl Hints<'_> {
    fn problem(
        &self,
        range: std::ops::Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> FileProblem {
        let help: String = help.into();
        FileProblem::Syntax {
            at: Span { file: self.file, start: range.start, end: range.end },
            also: None,
            message: message.into(),
            label: label.into(),
            help: (!help.is_empty()).then_some(help),
        }
    }

    fn of(&self, token: &Token) -> &str {
        &self.text[token.range.clone()]
    }

    fn too_deep(&self) -> Option<FileProblem> {
        let mut depth = 0_usize;
        for token in self.tokens {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                let message = "braces nested too deeply";
                return Some(self.problem(token.range.clone(), message, "too deep", ""));
            }
        }
        None
    }

    /// `/- kdl-version 1`.
    fn version_one(&self) -> Option<FileProblem> {
        let [dash, word, number, ..] = self.tokens else { return None };
        let is_marker = dash.kind == Kind::Slashdash && self.of(word) == "kdl-version";
        (is_marker && self.of(number) == "1").then(|| {
            self.problem(
                dash.range.start..number.range.end,
                "a stack file is written in KDL 2",
                "says that it is KDL 1",
                "KDL 2 writes `#true` and `#null` with a `#`, and raw strings as `#\"…\"#`",
            )
        })
    }

    /// What the parser says, the first of each top-level node: the rest follows from it.
    fn regions(&self, mut diagnostics: Vec<KdlDiagnostic>) -> Vec<FileProblem> {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.offset());
        // The braces have been looked at: where the parser misses one, it lost its way before.
        let of_braces = |diagnostic: &KdlDiagnostic| {
            diagnostic.message.as_deref().is_some_and(|message| message.contains("losing '}'"))
        };
        if !diagnostics.iter().all(of_braces) {
            diagnostics.retain(|diagnostic| !of_braces(diagnostic));
        }
        let mut problems = Vec::new();
        let mut skip_to = 0;
        for diagnostic in diagnostics {
            let problem = self.plain(&diagnostic);
            let FileProblem::Syntax { at, .. } = &problem else { continue };
            if problems.is_empty() || at.start >= skip_to {
                skip_to = self.next_top_level(at.end);
                problems.push(problem);
            }
        }
        problems
    }

    fn plain(&self, diagnostic: &KdlDiagnostic) -> FileProblem {
        let start = diagnostic.span.offset().min(self.text.len());
        let end = (start + diagnostic.span.len()).min(self.text.len());
        // A span of many lines ends where the parser stopped.
        let range = match self.text.get(start..end) {
            Some(text) if text.contains('\n') => end.saturating_sub(1)..end,
            Some(_) => start..end,
            None => 0..0,
        };
        let message = match diagnostic.message.as_deref() {
            Some("Expected end of document") | None => "KDL does not allow this here",
            Some(message) => message,
        };
        let label = match diagnostic.label.as_deref().and_then(|label| label.strip_prefix("not ")) {
            Some("EOF") | None => "not understood from here on".to_owned(),
            Some(expected) => format!("expected: {expected}"),
        };
        self.problem(range, message, label, diagnostic.help.clone().unwrap_or_default())
    }

    /// Where the next line without indentation begins that is no closing brace.
    fn next_top_level(&self, from: usize) -> usize {
        let after = self.text.get(from..).unwrap_or_default();
        let starts = after.match_indices('\n').map(|(at, _)| from + at + 1);
        let is_top = |at: &usize| {
            self.text[*at..].chars().next().is_some_and(|c| !c.is_whitespace() && c != '}')
        };
        starts.into_iter().find(is_top).unwrap_or(self.text.len())
    }
}
