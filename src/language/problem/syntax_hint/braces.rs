//! Braces on the wrong line, never closed, or one too many; nodes without a `;` between them.

use super::{FileProblem, Hints, Kind, Token};
use crate::language::source::Span;

/// A `{` and where the block that it opens seems to have ended without a `}`.
struct Open {
    at: usize,
    /// How far the line of the brace is indented.
    indent: usize,
    /// The first node behind it that is indented no further than its line.
    suspect: Option<usize>,
}

impl Hints<'_> {
    /// What is wrong with braces.
    pub(super) fn braces(&self) -> Vec<FileProblem> {
        let mut problems = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        let mut fresh = true;
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => {
                    if fresh && at > 0 {
                        problems.push(self.brace_on_its_own(token));
                    }
                    let indent = self.indent(token.range.start);
                    open.push(Open { at: token.range.start, indent, suspect: None });
                }
                Kind::Close => {
                    if open.pop().is_none() {
                        let (message, label) = ("a `}` too many", "closes nothing");
                        problems.push(self.problem(token.range.clone(), message, label, ""));
                    }
                    problems.extend(self.glued_node(at));
                }
                Kind::Word | Kind::Quoted if fresh => self.suspect(&mut open, token),
                _ => {}
            }
            fresh = match token.kind {
                Kind::Newline | Kind::Semicolon | Kind::Open | Kind::Close => true,
                Kind::LineComment | Kind::BlockComment => fresh,
                _ => false,
            };
        }
        // The block that a node at its own indentation follows is the one; else the innermost.
        let unclosed = open.iter().find(|open| open.suspect.is_some()).or(open.last());
        problems.extend(unclosed.map(|open| self.never_closed(open)));
        problems
    }

    /// A line that begins no further in than the block it is in.
    fn suspect(&self, open: &mut [Open], token: &Token) {
        let line_start = self.line_start(token.range.start);
        let indent = token.range.start - line_start;
        let first = self.text[line_start..token.range.start].trim().is_empty();
        for block in open.iter_mut().filter(|open| open.at < line_start) {
            if first && indent <= block.indent {
                block.suspect.get_or_insert(token.range.start);
            }
        }
    }

    fn never_closed(&self, open: &Open) -> FileProblem {
        let span = |start| Span { file: self.file, start, end: start + 1 };
        FileProblem::Syntax {
            at: span(open.at),
            also: open.suspect.map(|at| (span(at), "a `}` is missing before this".to_owned())),
            message: "`{` is never closed".to_owned(),
            label: "opened here".to_owned(),
            help: None,
        }
    }

    fn brace_on_its_own(&self, token: &Token) -> FileProblem {
        let before = self.text[..token.range.start].trim_end();
        let line = before[self.line_start(before.len())..].trim();
        self.problem(
            token.range.clone(),
            "a `{` stands without its node",
            "on a line of its own",
            format!("write it at the end of the line before: `{line} {{`"),
        )
    }

    /// `} x`: a node ends with its line or a `;`.
    fn glued_node(&self, close: usize) -> Option<FileProblem> {
        let next = self.tokens.get(close + 1)?;
        matches!(next.kind, Kind::Word | Kind::Quoted | Kind::Raw).then(|| {
            let message = format!("a `;` is missing before `{}`", self.of(next));
            self.problem(
                next.range.clone(),
                message,
                "two nodes on one line",
                "write `;` between them, or a line each",
            )
        })
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn indent(&self, at: usize) -> usize {
        let line = &self.text[self.line_start(at)..];
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }
}
