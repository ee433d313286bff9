//! What tasks leave behind: the fingerprint of their inputs, and files of earlier runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{Internal, files, globs, world::World};
use crate::{
    event::{Cause, Event},
    model::{Keep, Task},
    platform,
};

impl World {
    /// Compares a task's inputs with those of its last success; the answer comes later.
    pub(super) fn check_inputs(&mut self, name: &str, generation: u64) {
        let Some(task) = self.task(name).cloned() else { return };
        let record = self.inputs_record(name);
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let looking = tokio::task::spawn_blocking(move || {
                let fingerprint = fingerprint(&task).ok();
                let before = fs::read_to_string(record).ok();
                let unchanged = fingerprint.is_some()
                    && fingerprint == before
                    && task.outputs.iter().all(|output| exists(output));
                (fingerprint, unchanged)
            });
            // A panic in there counts as a change: the task runs.
            let (fingerprint, unchanged) = looking.await.unwrap_or((None, false));
            let _ = internal.send(Internal::Inputs { name, generation, fingerprint, unchanged });
        });
    }

    /// Stores the fingerprint of the inputs that a task has just succeeded with, and tidies.
    pub(super) fn task_succeeded(&mut self, name: &str) {
        let Some(task) = self.task(name).cloned() else { return };
        let mut troubles = Vec::new();
        if !task.inputs.is_empty() {
            let fingerprint = match self.inputs.remove(name) {
                Some(fingerprint) => Ok(fingerprint),
                None => fingerprint(&task),
            };
            let record = self.inputs_record(name);
            let stored = fingerprint.and_then(|text| files::replace(&record, text.as_bytes()));
            troubles
                .extend(stored.err().map(|error| format!("inputs are not remembered: {error}")));
        }
        for keep in &task.keep {
            troubles.extend(tidy(&self.places.folder, keep).err());
        }
        for text in troubles {
            self.publish(Some(name), None, Event::Notice { text }, Cause::Supervisor);
        }
    }

    fn inputs_record(&self, name: &str) -> PathBuf {
        self.places.state.join("inputs").join(name)
    }
}

/// A fingerprint of what a task is and of every file that its `inputs` name.
fn fingerprint(task: &Task) -> io::Result<String> {
    let mut sum = platform::fnv1a(&serde_json::to_vec(task)?);
    for pattern in &task.inputs {
        for path in globs::matches(pattern).map_err(io::Error::other)? {
            if path.is_file() {
                let content = platform::fnv1a(&fs::read(&path)?);
                let line = format!("{sum:016x} {} {content:016x}", path.display());
                sum = platform::fnv1a(line.as_bytes());
            }
        }
    }
    Ok(format!("{sum:016x}"))
}

fn exists(pattern: &str) -> bool {
    globs::matches(pattern).is_ok_and(|paths| paths.iter().any(|path| path.exists()))
}

/// Deletes what `keep` does not keep; the newest file always stays.
fn tidy(stack_dir: &Path, keep: &Keep) -> Result<(), String> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for path in globs::matches(&keep.glob)? {
        // A link that leads out of the stack's folder is not ours to tidy.
        let inside = path.canonicalize().is_ok_and(|real| real.starts_with(stack_dir));
        let modified = path.symlink_metadata().and_then(|metadata| metadata.modified());
        if let (true, Ok(modified)) = (inside && path.is_file(), modified) {
            found.push((modified, path));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    let now = SystemTime::from(platform::wall_clock());
    for (place, (modified, path)) in found.iter().enumerate().skip(1) {
        let beyond = keep.newest.is_some_and(|newest| place >= newest as usize);
        let age = now.duration_since(*modified).unwrap_or_default();
        if beyond || keep.max_age.is_some_and(|max_age| age > max_age) {
            fs::remove_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Command, TaskBody};

    fn task(dir: &Path) -> Task {
        let body = TaskBody::Command(Command::Run(vec!["true".into()]));
        let mut task = Task::new("build", dir, body);
        task.inputs = vec![format!("{}/src/**/*.rs", dir.display())];
        task
    }

    #[test]
    fn the_fingerprint_follows_content_names_and_the_task_itself() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("src/deep")).unwrap();
        fs::write(dir.join("src/deep/a.rs"), "one").unwrap();
        let task = task(dir);
        let first = fingerprint(&task).unwrap();
        assert_eq!(fingerprint(&task).unwrap(), first);

        fs::write(dir.join("src/deep/a.rs"), "two").unwrap();
        assert_ne!(fingerprint(&task).unwrap(), first);
        fs::write(dir.join("src/deep/a.rs"), "one").unwrap();
        assert_eq!(fingerprint(&task).unwrap(), first, "content counts, not time");

        fs::write(dir.join("src/b.rs"), "").unwrap();
        assert_ne!(fingerprint(&task).unwrap(), first);
        fs::remove_file(dir.join("src/b.rs")).unwrap();
        fs::write(dir.join("src/notes.txt"), "").unwrap();
        assert_eq!(fingerprint(&task).unwrap(), first);

        let mut other = task.clone();
        other.dir = dir.join("src");
        assert_ne!(fingerprint(&other).unwrap(), first);
    }

    #[test]
    fn tidying_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap();
        let day = std::time::Duration::from_secs(24 * 3600);
        let now = SystemTime::from(platform::wall_clock());
        for age in 1..=7_u32 {
            let file = fs::File::create(dir.join(format!("{age}.sql"))).unwrap();
            file.set_modified(now - day * age).unwrap();
        }
        let glob = format!("{}/*.sql", dir.display());
        let left = || fs::read_dir(&dir).unwrap().count();
        tidy(&dir, &Keep { glob: glob.clone(), newest: Some(5), max_age: None }).unwrap();
        assert_eq!(left(), 5);
        tidy(&dir, &Keep { glob: glob.clone(), newest: None, max_age: Some(day * 3) }).unwrap();
        assert_eq!(left(), 2);
        tidy(&dir, &Keep { glob, newest: None, max_age: Some(day / 2) }).unwrap();
        assert!(dir.join("1.sql").exists() && left() == 1, "the newest never goes");
    }
}
