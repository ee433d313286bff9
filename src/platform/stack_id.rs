//! What makes a stack that stack: its folder, whatever that is called now, and for every user.
//!
//! A path is a name, and names change: a folder is moved, mounted at a second place, or removed
//! while its services run. The folder itself is an inode of a file system. Its number can be used
//! again once the folder is gone and no process has it open, so that the time of its birth counts,
//! too, where the file system keeps one (statx(2)).
//!
//! The birth time is left out on overlayfs, the file system of containers: there it is that of
//! the layer that the folder is in, and the first change in the folder moves that to another
//! layer, with the number of the inode staying the same.

use std::{fmt, io, os::fd::AsFd, path::Path, str::FromStr};

use super::os;
use crate::model::fnv1a;

/// The identity of a stack: sixteen hexadecimal digits, the same for everybody who looks at the
/// folder, in any namespace of mounts or users, until the machine restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(u64);

impl StackId {
    /// The identity of the stack in an open folder.
    ///
    /// # Errors
    ///
    /// Those of fstat(2).
    pub fn of(folder: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&folder)?;
        let birth = os::birth_time(&folder).unwrap_or_default();
        let numbers = [stat.st_dev as u64, stat.st_ino as u64, birth];
        Ok(Self(fnv1a(&numbers.map(u64::to_ne_bytes).concat())))
    }

    /// The identity of the stack in the folder that has this name now.
    ///
    /// # Errors
    ///
    /// Those of open(2) and fstat(2).
    pub fn at(folder: &Path) -> io::Result<Self> {
        Self::of(super::stack_paths::open_folder(folder)?)
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Not sixteen hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sixteen hexadecimal digits")]
pub struct NoStackId;

impl FromStr for StackId {
    type Err = NoStackId;

    fn from_str(text: &str) -> Result<Self, NoStackId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return Err(NoStackId);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NoStackId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_identity_when_it_is_moved_and_a_new_one_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        let id = StackId::at(&a).unwrap();
        std::fs::rename(&a, &b).unwrap();
        assert_eq!(StackId::at(&b).unwrap(), id);
        std::fs::create_dir(&a).unwrap();
        assert_ne!(StackId::at(&a).unwrap(), id);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "12", "00000000000000000", "000000000000000g", "+000000000000000"] {
            assert_eq!(text.parse::<StackId>(), Err(NoStackId), "{text}");
        }
    }
}
