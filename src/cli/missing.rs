//! A program that a command would need and that is not there.

use std::path::PathBuf;

use crate::platform::ProgramError;

/// A program that is not there, or not in the version that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// The service or task that needs it.
    pub(super) owner: String,
    /// The program, as the file has it.
    pub(super) program: String,
    /// Where it was looked for.
    pub(super) searched: Searched,
    /// A program with almost the same name.
    pub(super) similar: Option<String>,
    /// How to get it.
    pub(super) hint: Option<String>,
}

/// Where a program was looked for, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Searched {
    /// It was not found, or cannot be executed.
    NotFound(ProgramError),
    /// It is there, in another version.
    Version { found: String, wanted: String, place: PathBuf },
}

impl Missing {
    /// What is missing, and in a second line how to get it.
    pub(super) fn lines(&self) -> Vec<String> {
        let hint = self.hint.as_ref().map(|hint| format!("  to get it: {hint}"));
        [Some(self.what()), hint].into_iter().flatten().collect()
    }

    /// What is missing.
    pub(super) fn what(&self) -> String {
        let Self { owner, program, .. } = self;
        let what = match &self.searched {
            Searched::NotFound(error) => error.to_string(),
            Searched::Version { found, wanted, place } => {
                format!("{program} is {found}, but {wanted} is required ({})", place.display())
            }
        };
        let similar = self.similar.as_ref().map(|similar| format!("; did you mean `{similar}`?"));
        format!("{owner}: {what}{}", similar.unwrap_or_default())
    }

    /// How to get it.
    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}
