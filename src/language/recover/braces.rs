//! Braces on the wrong line, never closed, or one too many; nodes without a `;` between them.

use super::{FileProblem, Hint, Hints, Kind, Token};
use crate::language::schema;

/// A `{` and where the block that it opens seems to have ended without a `}`.
struct Open {
    at: usize,
    /// How far the line of the brace is indented.
    indent: usize,
    /// The first node behind it that is indented no further than its line.
    suspect: Option<usize>,
}

/// What a walk over the braces knows.
#[derive(Default)]
struct Walk {
    hints: Vec<Hint>,
    open: Vec<Open>,
    /// A `}` that is indented further than the line of what it closes.
    odd: Option<std::ops::Range<usize>>,
    /// Where the last node that may stand at the top ended, if with a block.
    closed: usize,
    /// Where, behind it, nodes begin that may not.
    stray: Option<usize>,
}

impl Hints<'_> {
    /// What is wrong with braces.
    pub(super) fn braces(&self) -> Vec<Hint> {
        let balanced = self.are_balanced();
        let mut walk = Walk::default();
        let mut fresh = true;
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => {
                    if fresh && at > 0 {
                        walk.hints.push(self.brace_on_its_own(at, token));
                    }
                    let indent = self.indent(token.range.start);
                    walk.open.push(Open { at: token.range.start, indent, suspect: None });
                }
                Kind::Close => {
                    self.close(token, balanced, &mut walk);
                    walk.hints.extend(self.glued_node(at));
                }
                Kind::Word | Kind::Quoted if fresh => {
                    self.suspect(&mut walk.open, token);
                    if walk.open.is_empty() {
                        let is_top = schema::document().child(self.of(token)).is_some();
                        let start = token.range.start;
                        walk.stray = if is_top { None } else { walk.stray.or(Some(start)) };
                    }
                }
                _ => {}
            }
            fresh = is_fresh_after(token, fresh);
        }
        // The block that a node at its own indentation follows is the one; else the innermost.
        let told = walk.open.iter().position(|open| open.suspect.is_some());
        let told = told.or(walk.open.len().checked_sub(1));
        for (at, open) in walk.open.iter().enumerate().rev() {
            let hint = self.never_closed(open);
            match walk.hints.last_mut() {
                // Those around it end with it.
                Some(last) if Some(at) != told => last.fixes.extend(hint.fixes),
                _ => walk.hints.push(hint),
            }
        }
        walk.hints
    }

    /// The braces that stand without their node, where strings that are never closed may have
    /// swallowed others.
    pub(super) fn braces_on_their_own(&self) -> Vec<Hint> {
        let mut hints = Vec::new();
        let mut fresh = true;
        for (at, token) in self.tokens.iter().enumerate() {
            if token.kind == Kind::Open && fresh && at > 0 {
                hints.extend(self.brace_of_a_whole_node(at, token));
            }
            fresh = is_fresh_after(token, fresh);
        }
        hints
    }

    /// A brace on a line of its own, unless a string swallowed the rest of the line before.
    fn brace_of_a_whole_node(&self, at: usize, token: &Token) -> Option<Hint> {
        let before = self.tokens[..at].iter().rev().find(|token| token.kind != Kind::Newline);
        let whole = before.is_some_and(|before| before.kind != Kind::UnclosedString);
        whole.then(|| self.brace_on_its_own(at, token))
    }

    fn are_balanced(&self) -> bool {
        let mut depth = 0_i64;
        for token in self.tokens {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            if depth < 0 {
                return false;
            }
        }
        depth == 0
    }

    fn close(&self, token: &Token, balanced: bool, walk: &mut Walk) {
        let at = token.range.start;
        let first = self.text[self.line_start(at)..at].trim().is_empty();
        let indent = self.indent(at);
        // A `}` further out than its block is that of a block around it.
        while !balanced && first && walk.open.len() > 1 {
            let Some(inner) =
                walk.open.pop_if(|open| open.suspect.is_some() && indent < open.indent)
            else {
                break;
            };
            walk.hints.push(self.never_closed(&inner));
        }
        match walk.open.pop() {
            Some(block) if !balanced && first && indent > block.indent => {
                walk.odd.get_or_insert(token.range.clone());
            }
            Some(_) => {}
            None => {
                let hint = self.too_many(token, walk);
                walk.hints.push(hint);
            }
        }
        if walk.open.is_empty() && walk.stray.is_none() {
            walk.closed = at;
        }
    }

    /// A `}` that closes nothing; or an odd one before it that closed too much.
    fn too_many(&self, token: &Token, walk: &mut Walk) -> Hint {
        let help = "remove it, or an earlier `}` that closes too soon";
        if let Some(odd) = walk.odd.take() {
            let label = "its indentation is not that of the block it closes";
            return self.hint(odd.clone(), "one `}` too many", label, help).fix(odd, "");
        }
        let range = token.range.clone();
        let mut hint = self.hint(range.clone(), "one `}` too many", "closes nothing", help);
        let Some(stray) = walk.stray.take() else { return hint.fix(range, "") };
        // What stands before it belongs to the block that was closed early, or to one whose first
        // line is not there.
        hint.hole = Some(self.missing.original(walk.closed..range.end));
        hint.loses_names = true;
        hint.fix(stray..range.end, "")
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

    fn never_closed(&self, open: &Open) -> Hint {
        let help = "close every `{` with a `}` on a line of its own";
        let at = open.at..open.at + 1;
        let mut hint = self.hint(at.clone(), "`{` is never closed", "opened here", help);
        if let FileProblem::Syntax { also, .. } = &mut hint.problem {
            let missing = |at| (self.span(at..at + 1), "a `}` is missing before this".to_owned());
            *also = open.suspect.map(missing);
        }
        // What belongs to it is a guess.
        hint.hole = Some(self.missing.original(at));
        let end = open.suspect.unwrap_or(self.text.len());
        hint.fix(end..end, "}\n")
    }

    fn brace_on_its_own(&self, at: usize, token: &Token) -> Hint {
        let apart = |token: &&Token| {
            matches!(token.kind, Kind::Newline | Kind::LineComment | Kind::BlockComment)
        };
        let before = self.tokens[..at].iter().rev().find(|token| !apart(token));
        let ends =
            |token: &&Token| matches!(token.kind, Kind::Open | Kind::Close | Kind::Semicolon);
        let Some(node) = before.filter(|token| !ends(token)) else {
            let help = "write what belongs to a node in one `{ … }` after its name";
            return self.hint(
                token.range.clone(),
                "a `{` without a node",
                "belongs to no node",
                help,
            );
        };
        let line = self.text[self.line_start(node.range.end)..node.range.end].trim();
        let hint = self.hint(
            token.range.clone(),
            "a `{` on a line of its own",
            "its node ends on the line before",
            format!("write it at the end of the line before: `{line} {{`"),
        );
        hint.fix(node.range.end..token.range.start, " ")
    }

    /// `} x`: a node ends with its line or a `;`.
    fn glued_node(&self, close: usize) -> Option<Hint> {
        let next = self.tokens.get(close + 1)?;
        matches!(next.kind, Kind::Word | Kind::Quoted | Kind::Raw).then(|| {
            let message = format!("a `;` is missing before `{}`", self.of(next));
            let hint = self.hint(
                next.range.clone(),
                message,
                "two nodes on one line",
                "write `;` between them, or put each on a line of its own",
            );
            hint.fix(next.range.start..next.range.start, "; ")
        })
    }

    fn indent(&self, at: usize) -> usize {
        let line = &self.text[self.line_start(at)..];
        line.len() - line.trim_start_matches([' ', '\t']).len()
    }
}

/// Whether what follows a token begins a node.
fn is_fresh_after(token: &Token, fresh: bool) -> bool {
    match token.kind {
        Kind::Newline | Kind::Semicolon | Kind::Open | Kind::Close => true,
        Kind::LineComment | Kind::BlockComment => fresh,
        _ => false,
    }
}
