//! Errors of KDL itself: one for each region, with hints for what people write by habit.

use kdl::{KdlDiagnostic, KdlDocument};

use super::Problem;
use crate::language::source::Span;

/// What KDL says of a text, the follow-up errors left out.
pub(in crate::language) fn syntax_problems(text: &str, file: usize) -> Vec<Problem> {
    let Err(error) = text.parse::<KdlDocument>() else { return Vec::new() };
    let mut diagnostics = error.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.offset());
    diagnostics.into_iter().map(|d| problem(&d, text, file)).take(1).collect()
}

fn problem(diagnostic: &KdlDiagnostic, _text: &str, file: usize) -> Problem {
    let start = diagnostic.span.offset();
    Problem::Syntax {
        at: Span { file, start, end: start + diagnostic.span.len() },
        message: diagnostic.message.clone().unwrap_or_else(|| "this is not KDL".to_owned()),
        label: diagnostic.label.clone().unwrap_or_else(|| "here".to_owned()),
        help: diagnostic.help.clone(),
    }
}
