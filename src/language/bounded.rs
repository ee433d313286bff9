//! The parser of KDL, within bounds.
//!
//! It calls itself for every brace, for every sign in a comment and for every mistake, and tries
//! some things twice on every level: a few thousand bytes can exhaust any stack, or take for ever.
//! So it is asked only where [`super::fast_parser`] gives up, and that is where something is wrong, for
//! its words: of short texts, without comments and without what `/-` takes out, and with a stack
//! that is large enough for the worst of them.

use std::{sync::Arc, thread};

use kdl::{KdlDiagnostic, KdlDocument};

use super::{
    fast_parser,
    scan::{self, Kind, Token},
};

/// The longest text that the parser gets, in bytes.
const LONGEST: usize = 4 << 10;
/// More than it needs for any of that length, most of which is never touched.
const STACK: usize = 256 << 20;

/// How many bytes the parser may still get: all texts of a file together.
#[derive(Debug)]
pub(super) struct Allowance(usize);

impl Default for Allowance {
    fn default() -> Self {
        Self(64 << 10)
    }
}

/// Reads a text as KDL.
///
/// # Errors
///
/// What is wrong with it, in the parser's words or, where it was not asked, in none.
pub(super) fn document(
    text: &str,
    allowance: &mut Allowance,
) -> Result<KdlDocument, Vec<KdlDiagnostic>> {
    let tokens = scan::tokens(text);
    let stopped = match fast_parser::document(text, &tokens) {
        Ok(document) => return Ok(document),
        Err(stopped) => stopped,
    };
    let short = text.len() <= LONGEST.min(allowance.0);
    let Some(bare) = short.then(|| without_comments(text, &tokens)).flatten() else {
        return Err(vec![unworded(text, stopped)]);
    };
    allowance.0 -= text.len();
    let parser = thread::Builder::new().stack_size(STACK);
    let parsed = parser.spawn(move || bare.parse::<KdlDocument>()).map(thread::JoinHandle::join);
    match parsed {
        Ok(Ok(parsed)) => parsed.map_err(|error| error.diagnostics),
        Ok(Err(_)) | Err(_) => Err(vec![unworded(text, stopped)]),
    }
}

/// The text with space in the place of whatever is not [`scan::significant`]; `None` if something
/// would be left of it that the parser calls itself for.
fn without_comments(text: &str, tokens: &[Token]) -> Option<String> {
    let is_open_comment = |token: &Token| match token.kind {
        Kind::UnclosedComment => true,
        Kind::Word => text[token.range.clone()].contains("/*"),
        _ => false,
    };
    if tokens.iter().any(is_open_comment) {
        return None;
    }
    // A string that is never closed is for the parser to tell.
    let unclosed = |token: &Token| token.kind == Kind::UnclosedString;
    let closed: Vec<Token> = tokens.iter().filter(|token| !unclosed(token)).cloned().collect();
    let kept = scan::significant(&closed).ok()?;
    let mut bare = vec![b' '; text.len()];
    for token in kept.into_iter().chain(tokens.iter().filter(|token| unclosed(token))) {
        let range = token.range.clone();
        bare[range.clone()].copy_from_slice(&text.as_bytes()[range]);
    }
    String::from_utf8(bare).ok()
}

/// That something is wrong there.
fn unworded(text: &str, at: usize) -> KdlDiagnostic {
    KdlDiagnostic {
        input: Arc::new(String::new()),
        span: (at.min(text.len())..at.min(text.len())).into(),
        message: None,
        label: None,
        help: None,
        severity: miette::Severity::Error,
    }
}
