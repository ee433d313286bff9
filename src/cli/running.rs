//! The running stacks of this user.

use std::path::PathBuf;

use super::error::Error;

/// The folder of the running stack of that name.
pub(super) fn find(name: &str) -> Result<Option<PathBuf>, Error> {
    let _ = name;
    Ok(None)
}
