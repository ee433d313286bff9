//! `{{…}}` that stands without quotes.

use super::{Hint, Hints, Kind, words::quote};

impl Hints<'_> {
    /// `{{…}}` without quotes, with the words that touch it: braces within braces to KDL.
    pub(super) fn bare_template(&self, at: usize) -> Option<Hint> {
        let first = &self.tokens[at];
        let before = self.tokens[..at].last().map(|token| token.kind);
        if matches!(before, None | Some(Kind::Newline | Kind::Semicolon | Kind::Close)) {
            return None;
        }
        let touch = |one: usize, kind: Kind| match (self.tokens.get(one), self.tokens.get(one + 1))
        {
            (Some(one), Some(next)) => {
                one.kind == kind && next.kind == kind && self.touches(one, next)
            }
            _ => false,
        };
        let (mut next, mut found) = (at, false);
        while let Some(token) = self.tokens.get(next) {
            if next > at && !self.touches(&self.tokens[next - 1], token) {
                break;
            }
            if touch(next, Kind::Open) {
                let word = self.tokens.get(next + 2).is_some_and(|token| token.kind == Kind::Word);
                if !word || !touch(next + 3, Kind::Close) {
                    break;
                }
                next += 5;
                found = true;
            } else if token.kind == Kind::Word {
                next += 1;
            } else {
                break;
            }
        }
        if !found {
            return None;
        }
        let range = first.range.start..self.tokens[next - 1].range.end;
        let value = &self.text[range.clone()];
        let message = format!("`{value}` must be quoted");
        let help = format!("`{}`", quote(value));
        let hint = self.hint(range.clone(), message, "write it in quotes", help);
        Some(hint.fix(range, quote(value)))
    }
}
