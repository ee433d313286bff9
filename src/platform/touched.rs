//! Whether a file was touched, or only its mode, owner or attributes changed.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Duration};

/// The two times of one touch(1) are no further apart than a clock's coarse tick.
const TOGETHER: Duration = Duration::from_millis(100);

/// Whether the last change of what is told of a file was one of its modification time to now, as
/// touch(1) makes it. Another change of what is told (chmod(1), chown(1), a link more or less) sets
/// the time of that change (`st_ctime`, inode(7)) and leaves the time of modification as it was.
pub fn was_touched(path: &Path) -> bool {
    let Ok(facts) = fs::symlink_metadata(path) else { return false };
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let modified = nanoseconds(facts.mtime(), facts.mtime_nsec());
    let changed = nanoseconds(facts.ctime(), facts.ctime_nsec());
    modified.abs_diff(changed) <= TOGETHER.as_nanos()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_touch_is_told_from_a_change_of_the_mode() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let made = file.as_file().metadata().unwrap().modified().unwrap();
        file.as_file().set_modified(made - Duration::from_secs(60)).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(!was_touched(file.path()));
        fs::write(file.path(), "touched").unwrap();
        assert!(was_touched(file.path()));
        assert!(!was_touched(Path::new("/nowhere")));
    }
}
