//! What is the case, as the kernel and the file system tell.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::support::Process;

/// The processes that hold, or want to hold, each lock: of a service there may be one.
pub(super) fn instances(locks: &Path) -> BTreeMap<String, Vec<u32>> {
    let mut instances: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (pid, words) in processes() {
        let lock = words.get(2).filter(|_| words.get(1).is_some_and(|word| word == "lock"));
        let Some(lock) = lock.map(Path::new) else { continue };
        if lock.parent() == Some(locks) && Process::get(pid).is_some() {
            let name = lock.file_name().expect("a name").to_string_lossy().into_owned();
            instances.entry(name).or_default().push(pid);
        }
    }
    instances
}

/// The process of the stack that has this role: `keeper`, `supervisor`.
pub(super) fn with_role(role: &str) -> Option<Process> {
    let mut found = processes().into_iter().filter(|(_, words)| {
        words.first().is_some_and(|program| program.contains("stackrun"))
            && words.get(1).is_some_and(|word| word == role)
    });
    found.find_map(|(pid, _)| Process::get(pid))
}

/// Every process of a user.
pub(super) fn of_user(user: u32) -> Vec<Process> {
    let theirs =
        |pid: &u32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|process| process.uid() == user);
    pids().filter(theirs).filter_map(Process::get).collect()
}

/// Every process and its command line.
fn processes() -> Vec<(u32, Vec<String>)> {
    let words = |pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line.split(|byte| *byte == 0);
        Some((pid, words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()))
    };
    pids().filter_map(words).collect()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A tree of files that must not change, and its state at the beginning.
#[derive(Debug)]
pub(super) struct Sentinel {
    root: PathBuf,
    was: BTreeMap<PathBuf, Kept>,
}

/// What is kept in mind of a file: its mode, its time of change, what is in it.
type Kept = (u32, i64, i64, Vec<u8>);

impl Sentinel {
    /// Makes the tree, which its user might change.
    pub(super) fn plant(root: &Path, user: u32) -> Self {
        for (name, text) in
            [("notes.txt", "kept"), (".config/x", "1"), (".stackrun/logs/x.log", "")]
        {
            let file = root.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            fs::write(&file, text).expect("a file");
        }
        let was = snapshot(root);
        for path in was.keys() {
            std::os::unix::fs::chown(path, Some(user), Some(user)).expect("another owner");
        }
        Self { root: root.to_owned(), was: snapshot(root) }
    }

    /// Demands that nothing has changed.
    #[track_caller]
    pub(super) fn is_untouched(&self) {
        assert_eq!(snapshot(&self.root), self.was, "outside of the stack's folder");
    }
}

fn snapshot(path: &Path) -> BTreeMap<PathBuf, Kept> {
    let data = fs::symlink_metadata(path).expect("what was planted");
    let mut content = Vec::new();
    let mut below = BTreeMap::new();
    if data.is_dir() {
        for entry in fs::read_dir(path).expect("a folder").flatten() {
            below.append(&mut snapshot(&entry.path()));
        }
    } else {
        content = fs::read(path).expect("a file");
    }
    below.insert(path.to_owned(), (data.mode(), data.ctime(), data.ctime_nsec(), content));
    below
}
