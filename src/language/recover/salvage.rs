//! What no fix makes KDL: left out, the smallest node around it, and told in the parser's words.

use std::ops::Range;

use kdl::{KdlDiagnostic, KdlDocument};

use super::{Missing, Parsed, space_for};
use crate::language::{
    bounded::{self, Allowance},
    explain,
    problem::{FileProblem, MOST},
    scan::{self, Kind, Token},
    schema,
    source::Span,
};

/// This many nodes of one top-level node are left out one by one; then it is left out.
const ATTEMPTS: usize = 8;
/// Nodes that declare names, or bring files that do.
const NAMING: [&str; 7] =
    ["service", "task", "group", "template", "profile", "include", "env-file"];

/// Reads what can be read. `problems` are those that are known, and are added to.
pub(super) fn read(
    text: &str,
    file: usize,
    problems: Vec<FileProblem>,
    missing: Missing,
    mut allowance: Allowance,
) -> Parsed {
    if let Ok(document) = bounded::document(text, &mut allowance) {
        return Parsed { document, problems, missing };
    }
    let tokens = scan::tokens(text);
    let mut reader = Reader { text: text.to_owned(), file, tokens, problems, missing, allowance };
    for node in reader.top_level() {
        reader.top_node(&node);
    }
    let Reader { text, mut problems, mut missing, mut allowance, .. } = reader;
    let document = bounded::document(&text, &mut allowance).unwrap_or_else(|_| {
        missing.names = true;
        KdlDocument::new()
    });
    problems.sort_by_key(|problem| match problem {
        FileProblem::Syntax { at, .. } => Some(*at),
        _ => None,
    });
    Parsed { document, problems, missing }
}

struct Reader {
    /// What is left out becomes space in it.
    text: String,
    file: usize,
    tokens: Vec<Token>,
    problems: Vec<FileProblem>,
    missing: Missing,
    allowance: Allowance,
}

impl Reader {
    /// The tokens of each node at the top, by their indexes.
    fn top_level(&self) -> Vec<Range<usize>> {
        let unclosed = self.tokens.iter().any(|token| matches!(token.kind, Kind::UnclosedString));
        let mut nodes = Vec::new();
        let (mut start, mut depth) = (0, 0_usize);
        for (at, token) in self.tokens.iter().enumerate() {
            let of_line =
                token.range.start == 0 || self.text[..token.range.start].ends_with(['\n', '\r']);
            // A string that is never closed may have swallowed the brace.
            if unclosed && of_line && at > start && self.is_top_level(token) {
                nodes.push(start..at);
                (start, depth) = (at, 0);
            }
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::Newline | Kind::Semicolon if depth == 0 => {
                    nodes.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
        }
        nodes.push(start..self.tokens.len());
        nodes.retain(|node| !node.is_empty());
        nodes
    }

    fn is_top_level(&self, token: &Token) -> bool {
        let word = &self.text[token.range.clone()];
        token.kind == Kind::Word && schema::document().child(word).is_some()
    }

    fn bytes(&self, tokens: &Range<usize>) -> Range<usize> {
        self.tokens[tokens.start].range.start..self.tokens[tokens.end - 1].range.end
    }

    /// Leaves out of a node at the top what is no KDL.
    fn top_node(&mut self, node: &Range<usize>) {
        let bytes = self.bytes(node);
        for _ in 0..ATTEMPTS {
            let Err(diagnostics) = self.read(bytes.clone()) else { return };
            let Some(first) = first(diagnostics) else { break };
            let at = bytes.start + stopped(&first);
            let inner = self.node_around(node, at);
            self.tell(&first, bytes.start, &self.bytes(&inner));
            if inner.start == node.start {
                break;
            }
            self.leave_out(&inner);
        }
        if self.read(bytes.clone()).is_ok() {
            return;
        }
        // Its name at least, if that can be read.
        let head = self.tokens[node.clone()].to_vec();
        let named = match head.as_slice() {
            [first, second, ..] if NAMING.contains(&&self.text[first.range.clone()]) => {
                let is_name = !self.text[second.range.clone()].starts_with(['#', '-', '+'])
                    || second.kind == Kind::Raw;
                let digit = |c: char| c.is_ascii_digit();
                let head = first.range.start..second.range.end;
                is_name
                    && !self.text[second.range.clone()].starts_with(digit)
                    && self.read(head).is_ok()
            }
            _ => false,
        };
        let kept = if named { node.start + 2 } else { node.start };
        let whole = self.missing.original(bytes.clone());
        self.missing.holes.push(whole);
        self.missing.names |= !named || self.text[head[0].range.clone()] == *"profile";
        if kept < node.end {
            self.blank(self.tokens[kept].range.start..bytes.end);
        }
    }

    /// Reads a part of it.
    fn read(&mut self, bytes: Range<usize>) -> Result<KdlDocument, Vec<KdlDiagnostic>> {
        bounded::document(&self.text[bytes], &mut self.allowance)
    }

    /// The innermost node around a byte, by its tokens.
    fn node_around(&self, top: &Range<usize>, at: usize) -> Range<usize> {
        let tokens = &self.tokens[top.clone()];
        let ends = |token: &Token| matches!(token.kind, Kind::Newline | Kind::Semicolon);
        let mut here = tokens.partition_point(|token| token.range.end <= at);
        // Between two nodes the one before is meant: it has not ended as it should.
        while here > 0 && tokens.get(here).is_none_or(|t| ends(t) || t.kind == Kind::Close) {
            here -= 1;
        }
        let mut depth = 0_usize;
        let mut start = here;
        while let Some(before) = start.checked_sub(1) {
            match tokens[before].kind {
                Kind::Close => depth += 1,
                Kind::Open if depth == 0 => break,
                Kind::Open => depth -= 1,
                Kind::Newline | Kind::Semicolon if depth == 0 => break,
                _ => {}
            }
            start = before;
        }
        let (mut depth, mut end) = (0_usize, start);
        while let Some(token) = tokens.get(end) {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => break,
                Kind::Close => depth -= 1,
                Kind::Newline | Kind::Semicolon if depth == 0 => break,
                _ => {}
            }
            end += 1;
        }
        top.start + start..top.start + end.max(start + 1)
    }

    /// Says in the parser's words what is wrong with a node, unless that is known.
    fn tell(&mut self, diagnostic: &KdlDiagnostic, base: usize, node: &Range<usize>) {
        // More than these are not told anyway.
        if self.problems.len() >= MOST {
            return;
        }
        let place = self.missing.original(node.clone());
        let known = self.problems.iter().any(|problem| {
            matches!(problem, FileProblem::Syntax { at, .. }
                if at.start < place.end.max(place.start + 1) && place.start <= at.start)
        });
        if !known {
            let problem = self.plain(diagnostic, base);
            self.problems.push(problem);
        }
    }

    fn plain(&self, diagnostic: &KdlDiagnostic, base: usize) -> FileProblem {
        let start = (base + stopped(diagnostic)).min(self.text.len());
        let end = (base + diagnostic.span.offset() + diagnostic.span.len()).min(self.text.len());
        let range = if self.text.is_char_boundary(start) { start..end } else { end..end };
        let message = match diagnostic.message.as_deref() {
            Some("Expected end of document") | None => "KDL does not allow this here",
            Some(message) => message,
        };
        let label = match diagnostic.label.as_deref().and_then(|label| label.strip_prefix("not ")) {
            Some("EOF") | None => "cannot be read from here on".to_owned(),
            Some(expected) => format!("expected: {expected}"),
        };
        let help = diagnostic.help.clone().unwrap_or_else(|| HELP.to_owned());
        let range = self.missing.original(range);
        let at = Span { file: self.file, start: range.start, end: range.end };
        FileProblem::Syntax { at, also: None, message: message.to_owned(), label, help }
    }

    fn leave_out(&mut self, node: &Range<usize>) {
        let mut bytes = self.bytes(node);
        if let Some(next) = self.tokens.get(node.end).filter(|next| next.kind == Kind::Semicolon) {
            bytes.end = next.range.end;
        }
        let name = self.text[self.tokens[node.start].range.clone()].to_owned();
        self.missing.names |= NAMING.contains(&name.as_str()) || explain::homes(&name).is_empty();
        self.missing.holes.push(self.missing.original(bytes.clone()));
        self.blank(bytes);
    }

    /// Space in the place of bytes; lines stay lines.
    fn blank(&mut self, bytes: Range<usize>) {
        let space = space_for(&self.text[bytes.clone()]);
        self.text.replace_range(bytes, &space);
    }
}

/// The diagnostic of what came first. The braces have been looked at: where the parser misses one,
/// it lost its way before.
fn first(diagnostics: Vec<KdlDiagnostic>) -> Option<KdlDiagnostic> {
    let of_braces = |diagnostic: &KdlDiagnostic| {
        diagnostic
            .message
            .as_deref()
            .is_some_and(|message| message.to_lowercase().contains("losing '}'"))
    };
    diagnostics.into_iter().min_by_key(|diagnostic| (of_braces(diagnostic), stopped(diagnostic)))
}

/// The byte that the parser did not understand: a long span ends there.
fn stopped(diagnostic: &KdlDiagnostic) -> usize {
    let (start, length) = (diagnostic.span.offset(), diagnostic.span.len());
    match diagnostic.message.as_deref() {
        Some("Expected property value") => start + length.saturating_sub(1),
        _ => start,
    }
}

/// What to do about what only the parser knows.
const HELP: &str = "a node is a name, then values and `key=value` properties, then an optional `{ … }`; strings \
                    are written in double quotes";
