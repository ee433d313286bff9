//! Files of stackrun's own, written so that a crash leaves the old one or the new one.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use crate::platform;

/// Writes a file aside, flushes it to the disk, and renames it into place. Readable by its
/// owner alone.
///
/// # Errors
/// The system's; the old file is still there then.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    platform::make_folders(folder)?;
    // Created 0600, which is what a caller's environment wants.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename itself is safe once the folder is on the disk.
    File::open(folder)?.sync_data()
}
