//! What the fuzz targets try of this layer.

use std::path::Path;

use super::journal;

/// What a journal tells, in words; nothing where it cannot be read.
pub fn journal(file: &Path) -> String {
    journal::read(file).map(|told| format!("{told:?}")).unwrap_or_default()
}
