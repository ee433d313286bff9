//! The thread that looks after rotated logs: it compresses them, and removes those that are too
//! old or, all together, too many.
//!
//! It is a thread of its own, of the lowest priority, so that none of that holds up a byte. A
//! file is compressed once it has rested a while: in a flood it is gone before that. Whatever
//! happens, the lines are there: the compressed file is complete on the disk before it gets its
//! name, and only then the plain one goes.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, UNIX_EPOCH},
};

use crate::{
    logs::{
        files::{self, compressed, index_path, numbered},
        pack,
    },
    model::LogPolicy,
    platform::{self, Dir, FileFacts, Subfolder, wall_nanos},
};

/// A rotated file is left alone for so long after its last byte.
const REST: Duration = Duration::from_secs(5);

/// Logs that begin within so long are looked at together.
const TOGETHER: Duration = Duration::from_millis(100);

/// The rotated logs of a stack take no more than this, unless one of them may do so alone.
const TOTAL: u64 = 2 << 30;

/// What to look after: the name of a log, and how it is kept.
pub(super) type Tidy = (PathBuf, LogPolicy);

/// Starts the thread for the logs in that folder; what is sent is looked after from then on, and looked at at once.
pub(super) fn start(folder: Subfolder) -> io::Result<Sender<Tidy>> {
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("old logs".to_owned()).spawn(move || {
        platform::lower_own_priority();
        look_after(&folder, &receiver);
    })?;
    Ok(sender)
}

fn look_after(folder: &Subfolder, asked: &Receiver<Tidy>) {
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
        tidy_all(folder, &mut logs, wall_time());
    }
}

/// Looks after all logs that are due, and sets when they are due again.
fn tidy_all(
    folder: &Subfolder,
    logs: &mut BTreeMap<PathBuf, (LogPolicy, Option<Duration>)>,
    now: Duration,
) {
    // One that was removed is made for a log, and not for this.
    let folder = folder.here().and_then(|_| folder.make());
    let names = folder.as_ref().map_or_else(|_| Vec::new(), |dir| dir.names().unwrap_or_default());
    let rotated = files::all_numbers(names);
    for (log, (policy, due)) in logs.iter_mut() {
        if due.is_some_and(|due| due <= now) {
            let numbers = rotated.get(log.as_os_str()).map_or(&[][..], Vec::as_slice);
            *due = folder.as_ref().ok().and_then(|folder| tidy(folder, log, numbers, policy, now));
        }
    }
    let own = |policy: &LogPolicy| policy.max_size.saturating_mul(u64::from(policy.keep) + 1);
    let total = logs.values().map(|(policy, _)| own(policy)).max().unwrap_or(0).max(TOTAL);
    let _is_not_there = folder.map(|folder| bound(&folder, total));
}

/// Looks after the rotated files of one log, which have these numbers; when to do so again.
fn tidy(
    folder: &Dir,
    log: &Path,
    numbers: &[u64],
    policy: &LogPolicy,
    now: Duration,
) -> Option<Duration> {
    let mut due = None;
    let surplus = numbers.len().saturating_sub(usize::try_from(policy.keep).unwrap_or(usize::MAX));
    numbers[..surplus].iter().for_each(|number| files::remove(folder, log, *number));
    for &number in &numbers[surplus..] {
        let file = numbered(log, number);
        let plain = folder.stat(&file).ok();
        let is_plain = plain.is_some();
        let Some(facts) = plain.or_else(|| folder.stat(compressed(&file)).ok()) else {
            continue;
        };
        let written = facts.modified;
        let expires = written + policy.max_age;
        if expires <= now {
            files::remove(folder, log, number);
            continue;
        }
        let mut next = expires;
        if is_plain && policy.compress {
            // If it cannot be done now, the next rotation is soon enough.
            match written + REST {
                rested if rested <= now => drop(compress(folder, &file)),
                rested => next = next.min(rested),
            }
        }
        due = Some(due.map_or(next, |due: Duration| due.min(next)));
    }
    due
}

/// Puts a compressed file in the place of a plain one.
fn compress(folder: &Dir, file: &Path) -> io::Result<()> {
    let target = compressed(file);
    let mut new = target.clone().into_os_string();
    new.push(".new");
    // One that was not finished is in the way.
    let _there_was_none = folder.remove(&new);
    let done = write(folder, file, Path::new(&new)).and_then(|()| folder.rename(&new, &target));
    if done.is_err() {
        let _was_not_made = folder.remove(&new);
        return done;
    }
    match folder.remove(file) {
        // Meanwhile it has become too old to be kept.
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder.remove(&target),
        removed => removed,
    }
}

fn write(folder: &Dir, file: &Path, new: &Path) -> io::Result<()> {
    let plain = folder.open_read(file)?;
    let facts = FileFacts::of(&plain)?;
    let packed = folder.create(new)?;
    if pack(&plain, &packed)? < facts.length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    packed.set_modified(UNIX_EPOCH + facts.modified)?;
    packed.sync_all()
}

/// Removes the oldest rotated files of all logs of a folder, until the rest is no more than that.
fn bound(folder: &Dir, most: u64) {
    let rotated = folder.names().unwrap_or_default().into_iter().filter_map(|name| {
        let facts = files::is_rotated(name.to_str()?).then(|| folder.stat(&name).ok())??;
        Some((facts.modified, facts.length, PathBuf::from(name)))
    });
    let mut rotated: Vec<(Duration, u64, PathBuf)> = rotated.collect();
    rotated.sort();
    let mut total: u64 = rotated.iter().map(|(_, length, _)| length).sum();
    for (_, length, file) in rotated {
        if total <= most {
            return;
        }
        total -= length;
        let _gone_already = folder.remove(&file);
        let is_packed = file.extension().is_some_and(|extension| extension == "gz");
        let plain = if is_packed { file.with_extension("") } else { file };
        let _had_none = folder.remove(index_path(&plain));
    }
}

fn wall_time() -> Duration {
    Duration::from_nanos(wall_nanos())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

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
        let (folder, name) = parts(log);
        super::tidy(&folder, &name, &numbers(log), policy, now)
    }

    fn parts(log: &Path) -> (Dir, PathBuf) {
        (Dir::open(log.parent().unwrap()).unwrap(), log.file_name().unwrap().into())
    }

    fn numbers(log: &Path) -> Vec<u64> {
        let (folder, name) = parts(log);
        files::all_numbers(folder.names().unwrap()).remove(name.as_os_str()).unwrap_or_default()
    }

    fn changed(file: &Path) -> Duration {
        fs::metadata(file).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap()
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
        assert_eq!(changed(&packed), at(100), "its age stays");
        assert_eq!(tidy(&log, &policy, at(110)), Some(at(1100)));
        assert_eq!(tidy(&log, &policy, at(1100)), Some(at(1103)), "compressed ones age too");
        assert!(!packed.exists());
        let policy = LogPolicy { keep: 0, ..policy };
        tidy(&log, &policy, at(1100));
        assert_eq!(numbers(&log), [0; 0]);
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
        bound(&Dir::open(folder.path()).unwrap(), 10);
        assert_eq!((numbers(&log), numbers(&other)), (vec![2], vec![7]));
        bound(&Dir::open(folder.path()).unwrap(), 9);
        assert_eq!((numbers(&log), numbers(&other)), (vec![2], vec![]));
        assert!(log.exists());
    }
}
