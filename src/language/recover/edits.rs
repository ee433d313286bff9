//! Fixes of a text, and where each byte of the fixed text came from.

use std::ops::Range;

/// What would have been right in the place of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// The bytes that go; empty for what is only missing.
    pub(super) range: Range<usize>,
    /// What stands there instead.
    pub(super) text: String,
}

impl Edit {
    /// `text` in the place of `range`.
    pub(super) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into() }
    }
}

/// A text with fixes, and the way back to the text that was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::language) struct Offsets(Vec<Moved>);

/// Bytes of the fixed text and the ones they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moved {
    now: Range<usize>,
    was: Range<usize>,
}

impl Offsets {
    /// The byte of the text that was written.
    pub(in crate::language) fn original(&self, at: usize) -> usize {
        let after = self.0.partition_point(|moved| moved.now.start <= at);
        let Some(moved) = after.checked_sub(1).map(|index| &self.0[index]) else { return at };
        if at >= moved.now.end {
            return at - moved.now.end + moved.was.end;
        }
        (moved.was.start + (at - moved.now.start)).min(moved.was.end)
    }

    /// The bytes of the text that was written.
    pub(in crate::language) fn range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.original(range.start);
        start..self.original(range.end).max(start)
    }
}

/// `text` with `edits`, of which those that would overlap an earlier one are left out.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> (String, Offsets) {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut fixed = String::with_capacity(text.len());
    let mut moved = Vec::new();
    let mut at = 0;
    for Edit { range, text: new } in edits {
        let Some(between) = text.get(at..range.start) else { continue };
        fixed.push_str(between);
        let start = fixed.len();
        fixed.push_str(&new);
        at = range.end;
        moved.push(Moved { now: start..fixed.len(), was: range });
    }
    fixed.push_str(text.get(at..).unwrap_or_default());
    (fixed, Offsets(moved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_finds_its_way_back() {
        let edits = vec![Edit::new(7..7, "}"), Edit::new(2..6, "#true"), Edit::new(3..4, "lost")];
        let (text, offsets) = apply("a true\nb", edits);
        assert_eq!(text, "a #true\n}b");
        let back: Vec<usize> = (0..=text.len()).map(|at| offsets.original(at)).collect();
        assert_eq!(back, [0, 1, 2, 3, 4, 5, 6, 6, 7, 7, 8]);
        assert_eq!(offsets.range(2..7), 2..6);
    }

    #[test]
    fn without_edits_nothing_moves() {
        let (text, offsets) = apply("a é", Vec::new());
        assert_eq!((text.as_str(), offsets.original(2)), ("a é", 2));
    }
}
