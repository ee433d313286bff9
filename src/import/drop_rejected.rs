//! Has the language read what was written, and takes out what it refuses.

use std::{io::Write, path::Path};

use super::{Draft, Report};
use crate::language;

/// A stack of this many nodes that is refused is refused for good.
const ROUNDS: usize = 400;

/// Why a draft could not be settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RejectedError {
    /// It could not be written for a trial.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What is refused cannot be taken out.
    #[error("what was written for it is not valid: {0}")]
    Refused(String),
}

/// Takes out of a draft whatever [`language::load`] refuses as a stack file of this folder, and
/// says so in the report. The file that is written for the trial is in that folder, and gone
/// afterwards.
///
/// # Errors
/// Nothing can be written there.
pub(crate) fn drop_rejected(
    draft: &mut Draft,
    report: &mut Report,
    folder: &Path,
    options: &language::Options,
) -> Result<(), RejectedError> {
    let mut last = String::new();
    for _ in 0..ROUNDS {
        let written = draft.write();
        let mut trial =
            tempfile::Builder::new().prefix(".stack-").suffix(".kdl").tempfile_in(folder)?;
        trial.write_all(written.text.as_bytes())?;
        let Err(problems) = language::load(trial.path(), options) else { return Ok(()) };
        let Some(error) = problems.iter().find(|problem| !problem.is_warning()) else {
            return Ok(());
        };
        let error = error.data();
        // Of two that do not go together, the later one goes.
        let lines = error.labels.iter().map(|label| label.line);
        let at = lines.max().and_then(|line| written.node_at(line)).map(<[usize]>::to_vec);
        let Some(mut path) = at else {
            return Err(RejectedError::Refused(error.message));
        };
        if draft.is_essential(&path) {
            path.truncate(1);
        }
        let owner = draft.owner(&path).map(str::to_owned);
        let Some(node) = draft.remove(&path) else {
            return Err(RejectedError::Refused(error.message));
        };
        let what = match (owner, path.len()) {
            (Some(owner), 2..) => format!("{owner}.{}", node.name),
            (Some(owner), _) => owner,
            (None, _) => node.name.clone(),
        };
        report.note(node.from, what, format!("left out: {}", error.message), true);
        last = error.message;
    }
    Err(RejectedError::Refused(last))
}
