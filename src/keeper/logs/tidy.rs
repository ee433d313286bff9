//! The thread that looks after rotated logs: it compresses them, and removes those that are too
//! old or, all together, too many.
//!
//! It is a thread of its own, of the lowest priority, so that none of that holds up a byte. A
//! file is compressed once it has rested a while: in a flood it is gone before that. Whatever
//! happens, the lines are there: the compressed file is complete on the disk before it gets its
//! name, and only then the plain one goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    logs::{
        files::{self, compressed, index_path, numbered},
        pack,
    },
    model::LogPolicy,
    platform::{self, wall_nanos},
};

/// A rotated file is left alone for so long after its last byte.
const REST: Duration = Duration::from_secs(5);

/// Logs that begin within so long are looked at together.
const TOGETHER: Duration = Duration::from_millis(100);

/// The rotated logs of a stack take no more than this, unless one of them may do so alone.
const TOTAL: u64 = 2 << 30;

/// What to look after: a log, and how it is kept.
pub(super) type Tidy = (PathBuf, LogPolicy);

/// Starts the thread; what is sent is looked after from then on, and looked at at once.
pub(super) fn start() -> io::Result<Sender<Tidy>> {
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("old logs".to_owned()).spawn(move || {
        platform::lower_own_priority();
        look_after(&receiver);
    })?;
    Ok(sender)
}

fn look_after(asked: &Receiver<Tidy>) {
    let mut logs: BTreeMap<PathBuf, (LogPolicy, Option<Duration>)> = BTreeMap::new();
    loop {
        let due = logs.values().filter_map(|(_, due)| *due).min();
        let pause = due.map(|due| due.saturating_sub(wall_time()));
        let first = match pause {
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => asked.recv_timeout(pause),
        };
        let first = match first {
            Ok(first) => {
                // Others begin at the same time, most likely: one look serves them all.
                std::thread::sleep(TOGETHER);
                Some(first)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        for (log, policy) in first.into_iter().chain(asked.try_iter()) {
            logs.insert(log, (policy, Some(Duration::ZERO)));
        }
        tidy_all(&mut logs, wall_time());
    }
}

/// Looks after all logs that are due, and sets when they are due again.
fn tidy_all(logs: &mut BTreeMap<PathBuf, (LogPolicy, Option<Duration>)>, now: Duration) {
    let folders: BTreeSet<PathBuf> =
        logs.keys().filter_map(|log| log.parent()).map(Path::to_owned).collect();
    for folder in &folders {
        let rotated = files::all_numbers(folder);
        let here = logs.iter_mut().filter(|(log, _)| log.parent() == Some(folder));
        for (log, (policy, due)) in here.filter(|(_, (_, due))| due.is_some_and(|due| due <= now)) {
            let numbers = log.file_name().and_then(|name| rotated.get(name));
            *due = tidy(log, numbers.map_or(&[], Vec::as_slice), policy, now);
        }
    }
    let own = |policy: &LogPolicy| policy.max_size.saturating_mul(u64::from(policy.keep) + 1);
    let total = logs.values().map(|(policy, _)| own(policy)).max().unwrap_or(0).max(TOTAL);
    folders.iter().for_each(|folder| bound(folder, total));
}

/// Looks after the rotated files of one log, which have these numbers; when to do so again.
fn tidy(log: &Path, numbers: &[u64], policy: &LogPolicy, now: Duration) -> Option<Duration> {
    let mut due = None;
    let surplus = numbers.len().saturating_sub(usize::try_from(policy.keep).unwrap_or(usize::MAX));
    numbers[..surplus].iter().for_each(|number| files::remove(log, *number));
    for &number in &numbers[surplus..] {
        let file = numbered(log, number);
        let plain = fs::metadata(&file).ok();
        let is_plain = plain.is_some();
        let Some(written) = plain.or_else(|| fs::metadata(compressed(&file)).ok()) else {
            continue;
        };
        let written = changed(&written);
        let expires = written + policy.max_age;
        if expires <= now {
            files::remove(log, number);
            continue;
        }
        let mut next = expires;
        if is_plain && policy.compress {
            // If it cannot be done now, the next rotation is soon enough.
            match written + REST {
                rested if rested <= now => drop(compress(&file)),
                rested => next = next.min(rested),
            }
        }
        due = Some(due.map_or(next, |due: Duration| due.min(next)));
    }
    due
}

/// Puts a compressed file in the place of a plain one.
fn compress(file: &Path) -> io::Result<()> {
    let target = compressed(file);
    let mut new = target.clone().into_os_string();
    new.push(".new");
    let done = write(file, Path::new(&new)).and_then(|()| fs::rename(&new, &target));
    if done.is_err() {
        let _was_not_made = fs::remove_file(&new);
        return done;
    }
    match fs::remove_file(file) {
        // Meanwhile it has become too old to be kept.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_file(&target),
        removed => removed,
    }
}

fn write(file: &Path, new: &Path) -> io::Result<()> {
    let plain = File::open(file)?;
    let metadata = plain.metadata()?;
    let packed = File::create(new)?;
    if pack(&plain, &packed)? < metadata.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    packed.set_modified(metadata.modified()?)?;
    packed.sync_all()
}

/// Removes the oldest rotated files of all logs of a folder, until the rest is no more than that.
fn bound(folder: &Path, most: u64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let rotated = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let metadata = files::is_rotated(name.to_str()?).then(|| entry.metadata().ok())??;
        Some((changed(&metadata), metadata.len(), entry.path()))
    });
    let mut rotated: Vec<(Duration, u64, PathBuf)> = rotated.collect();
    rotated.sort();
    let mut total: u64 = rotated.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in rotated {
        if total <= most {
            return;
        }
        total -= length;
        let _gone_already = fs::remove_file(&path);
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        let plain = if is_packed { path.with_extension("") } else { path };
        let _had_none = fs::remove_file(index_path(&plain));
    }
}

fn changed(file: &Metadata) -> Duration {
    let time: io::Result<SystemTime> = file.modified();
    time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

fn wall_time() -> Duration {
    Duration::from_nanos(wall_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("api.log");
        (folder, log)
    }

    fn old(log: &Path, number: u64, seconds: u64, text: &str) {
        let file = File::create(numbered(log, number)).unwrap();
        fs::write(numbered(log, number), text).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    fn tidy(log: &Path, policy: &LogPolicy, now: Duration) -> Option<Duration> {
        super::tidy(log, &files::numbers(log), policy, now)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_has_rested_is_compressed() {
        let (_folder, log) = log();
        old(&log, 1, 100, "one\n");
        old(&log, 2, 103, "two\n");
        let policy = LogPolicy { max_age: at(1000), ..LogPolicy::default() };
        assert_eq!(tidy(&log, &policy, at(105)), Some(at(103) + REST));
        assert!(!numbered(&log, 1).exists() && numbered(&log, 2).exists());
        let packed = compressed(&numbered(&log, 1));
        assert_eq!(changed(&fs::metadata(&packed).unwrap()), at(100), "its age stays");
        assert_eq!(tidy(&log, &policy, at(110)), Some(at(1100)));
        assert_eq!(tidy(&log, &policy, at(1100)), Some(at(1103)), "compressed ones age too");
        assert!(!packed.exists());
        let policy = LogPolicy { keep: 0, ..policy };
        tidy(&log, &policy, at(1100));
        assert_eq!(files::numbers(&log), [0; 0]);
    }

    #[test]
    fn a_crash_at_any_point_loses_nothing() {
        let (_folder, log) = log();
        let file = numbered(&log, 1);
        old(&log, 1, 100, "one\n");
        fs::write(compressed(&file), "half of i").unwrap();
        fs::write(numbered(&log, 1).with_extension("1.gz.new"), "ha").unwrap();
        tidy(&log, &LogPolicy { max_age: at(1 << 30), ..LogPolicy::default() }, at(200));
        assert!(!file.exists());
        let mut text = String::new();
        let packed = File::open(compressed(&file)).unwrap();
        io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(packed), &mut text)
            .unwrap();
        assert_eq!(text, "one\n");
        assert_eq!(fs::read_dir(log.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn all_together_are_bounded() {
        let (folder, log) = log();
        let other = folder.path().join("db.log");
        old(&log, 1, 1, "12345");
        old(&other, 7, 2, "12345");
        old(&log, 2, 3, "12345");
        fs::write(&log, "12345").unwrap();
        bound(folder.path(), 10);
        assert_eq!((files::numbers(&log), files::numbers(&other)), (vec![2], vec![7]));
        bound(folder.path(), 9);
        assert_eq!((files::numbers(&log), files::numbers(&other)), (vec![2], vec![]));
        assert!(log.exists());
    }
}
