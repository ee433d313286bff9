//! What an import has carried over, and what it has not.

use serde::Serialize;

/// Something that was not carried over as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    /// The line of the file that was imported, from 1.
    pub(crate) line: Option<usize>,
    /// What stands there: `api.volumes`.
    pub(crate) what: String,
    /// What became of it.
    pub(crate) text: String,
    /// Whether something of it is lost; else it is only said otherwise.
    pub(crate) lost: bool,
}

/// What an import has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Of each service and task what was carried over.
    pub(crate) carried: Vec<(String, Vec<String>)>,
    /// What was not, or not as it stood.
    pub(crate) notes: Vec<Note>,
}

impl Report {
    /// A setting of a service was carried over.
    pub(super) fn carried(&mut self, owner: &str, what: &str) {
        let at = self.carried.iter().position(|(name, _)| name == owner);
        let at = at.unwrap_or_else(|| {
            self.carried.push((owner.to_owned(), Vec::new()));
            self.carried.len() - 1
        });
        let settings = &mut self.carried[at].1;
        if !settings.iter().any(|known| known == what) {
            settings.push(what.to_owned());
        }
    }

    /// Something was left out.
    pub(super) fn left(&mut self, line: usize, what: impl Into<String>, text: impl Into<String>) {
        self.note(Some(line), what.into(), text.into(), true);
    }

    /// Something is said otherwise than it was.
    pub(super) fn changed(
        &mut self,
        line: usize,
        what: impl Into<String>,
        text: impl Into<String>,
    ) {
        self.note(Some(line), what.into(), text.into(), false);
    }

    pub(super) fn note(&mut self, line: Option<usize>, what: String, text: String, lost: bool) {
        let note = Note { line, what, text, lost };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The notes in the order of the file that was imported.
    pub(crate) fn sorted(&self) -> Vec<&Note> {
        let mut notes: Vec<&Note> = self.notes.iter().collect();
        notes.sort_by_key(|note| note.line.unwrap_or(usize::MAX));
        notes
    }
}
