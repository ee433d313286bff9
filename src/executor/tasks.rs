//! The runs of tasks: what their steps tell, and what they leave behind: the fingerprint of their
//! inputs, and files of earlier runs.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{
    Internal, globs,
    journal::{Entry, Head, Journal},
    state::Executor,
    watch,
};
use crate::{
    core::lifecycle::{self, StepNews},
    event::Tick,
    keeper::protocol::UnitId,
    model::{Exit, Keep, Task, TaskBody, fnv1a},
    platform::{self, Dir, Refused, StackDir},
};

/// What is known of the runs of tasks besides the core.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// The `{{now}}` of each task's run, and when that run began.
    stamps: HashMap<String, (Tick, String)>,
    /// Tells when a step has written something down.
    watcher: Option<RecommendedWatcher>,
}

impl Executor {
    /// The `{{now}}` of a task's present run: one value from its first try to its `on-failure`,
    /// whichever supervisor asks.
    pub(super) fn stamp_of_run(&mut self, name: &str) -> String {
        let began = self.core.began(name).unwrap_or_default();
        if let Some((_, stamp)) = self.runs.stamps.get(name).filter(|(of, _)| *of == began) {
            return stamp.clone();
        }
        let stamp = self
            .begin_journal(name, began)
            .unwrap_or_else(|| platform::stamp(platform::wall_clock(), self.time_zone()));
        self.runs.stamps.insert(name.to_owned(), (began, stamp.clone()));
        stamp
    }

    /// Begins the journal of a run, unless that was done already, or nothing would stand in it.
    fn begin_journal(&mut self, name: &str, began: Tick) -> Option<String> {
        let task = self.task(name)?;
        let is_plain = matches!(task.body, TaskBody::Command(_))
            && task.on_failure.is_empty()
            && task.retries == 0;
        if is_plain {
            return None;
        }
        let runs = &self.stack_dir.runs;
        let before = Journal::read(runs, name);
        if let Some(head) = before.head.as_ref().filter(|head| head.began == began) {
            self.watch_journals();
            return Some(head.stamp.clone());
        }
        before.sweep();
        let stamp = platform::stamp(platform::wall_clock(), self.time_zone());
        let head = Head { began, stamp };
        if let Err(error) = Journal::begin(runs, name, &head) {
            tracing::warn!(%error, "the steps of a run are not written down");
        }
        self.watch_journals();
        Some(head.stamp)
    }

    /// Has the loop told when a step has written something. Without that its news is read when
    /// the run ends.
    pub(super) fn watch_journals(&mut self) {
        let internal = self.internal.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // That one is read, by us of all people, is no news.
            if let Ok(event) = event
                && watch::counts(event.kind)
            {
                let _ = internal.send(Internal::Stepped { journals: event.paths });
            }
        });
        let folder = self.stack_dir.runs.path();
        // Anew each time: the folder may be another one by now.
        self.runs.watcher = watcher.ok().and_then(|mut watcher| {
            watcher.watch(&folder, RecursiveMode::NonRecursive).ok().map(|()| watcher)
        });
    }

    /// Tells the core what the steps of these tasks have written down.
    pub(super) fn hear_steps(&mut self, is_meant: impl Fn(&str) -> bool) {
        for (name, generation) in self.core.running_tasks() {
            if !is_meant(&name) {
                continue;
            }
            let journal = Journal::read(&self.stack_dir.runs, &name);
            if journal.head.as_ref().map(|head| head.began) != self.core.began(&name) {
                continue;
            }
            for (number, line) in journal.of(generation) {
                let (step, news) = match &line.entry {
                    Entry::Began { step } => (step.clone(), StepNews::Began),
                    Entry::Ended { step, exit, after_ms, failed } => {
                        let (exit, after_ms, failed) = (*exit, *after_ms, failed.clone());
                        (step.clone(), StepNews::Ended { exit, after_ms, failed })
                    }
                    Entry::Aside { .. } | Entry::Over { .. } => continue,
                };
                let on_failure = line.on_failure;
                let input = lifecycle::Input::Stepped { line: number, step, on_failure, news };
                self.feed(crate::core::stack::Input::Unit {
                    name: name.clone(),
                    generation,
                    input,
                });
            }
        }
    }

    /// How a run, or its `on-failure`, ended: where nobody saw it, what it wrote down itself.
    pub(super) fn end_of_run(&self, unit: &UnitId, seen: Exit) -> Exit {
        match seen {
            Exit::Unknown(_) if self.task(&unit.owner).is_some() => {
                let journal = Journal::read(&self.stack_dir.runs, &unit.owner);
                journal.end(unit.generation, !unit.is_main()).unwrap_or(seen)
            }
            Exit::Unknown(_) | Exit::Code(_) | Exit::Signal(_) => seen,
        }
    }

    /// Deletes what a run that was killed left half written.
    pub(super) fn sweep_after_run(&self, name: &str) {
        Journal::read(&self.stack_dir.runs, name).sweep();
    }

    /// Compares a task's inputs with those of its last success; the answer comes later.
    pub(super) fn check_inputs(&mut self, name: &str, generation: u64) {
        let Some(task) = self.task(name).cloned() else { return };
        let inputs = self.stack_dir.inputs.clone();
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let looking = tokio::task::spawn_blocking(move || {
                let fingerprint = fingerprint(&task).ok();
                let before = inputs.read(&task.name).ok();
                let unchanged = fingerprint.is_some()
                    && fingerprint.as_deref().map(str::as_bytes) == before.as_deref()
                    && task.outputs.iter().all(|output| exists(output));
                (fingerprint, unchanged)
            });
            // A panic in there counts as a change: the task runs.
            let (fingerprint, unchanged) = looking.await.unwrap_or((None, false));
            let _ = internal.send(Internal::Inputs { name, generation, fingerprint, unchanged });
        });
    }

    /// Stores the fingerprint of the inputs that a task has just succeeded with, and tidies; the
    /// answer comes later: a disk may take its time, and everybody else's ends are heard meanwhile.
    pub(super) fn task_succeeded(&mut self, name: &str, generation: u64) {
        let Some(task) = self.task(name).cloned() else {
            return self.tell(name, generation, lifecycle::Input::Recorded);
        };
        let known = self.inputs.remove(name);
        let (stack, dir) = (self.stack_dir.clone(), self.core.stack().dir.clone());
        let (internal, name) = (self.internal.clone(), name.to_owned());
        tokio::task::spawn_local(async move {
            let writing = move || write_down(&task, known, &stack, &dir);
            let troubles = tokio::task::spawn_blocking(writing).await;
            let troubles = troubles.unwrap_or_else(|error| vec![error.to_string()]);
            let _ = internal.send(Internal::Recorded { name, generation, troubles });
        });
    }
}

/// Writes down what a success leaves; what could not be done.
fn write_down(task: &Task, known: Option<String>, stack: &StackDir, dir: &Path) -> Vec<String> {
    let mut troubles = Vec::new();
    if !task.inputs.is_empty() {
        let fingerprint = known.map_or_else(|| fingerprint(task), Ok);
        let stored =
            fingerprint.and_then(|text| stack.inputs.make()?.replace(&task.name, text.as_bytes()));
        troubles.extend(stored.err().map(|error| format!("inputs are not remembered: {error}")));
    }
    troubles.extend(task.keep.iter().filter_map(|keep| tidy(stack.root(), dir, keep).err()));
    troubles
}

/// A fingerprint of what a task is and of every file that its `inputs` name.
fn fingerprint(task: &Task) -> io::Result<String> {
    let mut sum = fnv1a(&serde_json::to_vec(task)?);
    for pattern in &task.inputs {
        for path in globs::matches(pattern).map_err(io::Error::other)? {
            if path.is_file() {
                let content = fnv1a(&platform::read_file(&path)?);
                let line = format!("{sum:016x} {} {content:016x}", path.display());
                sum = fnv1a(line.as_bytes());
            }
        }
    }
    Ok(format!("{sum:016x}"))
}

fn exists(pattern: &str) -> bool {
    globs::matches(pattern).is_ok_and(|paths| paths.iter().any(|path| path.exists()))
}

/// Deletes what `keep` does not keep; the newest file always stays. Links, and what is behind one,
/// are not ours to tidy.
fn tidy(root: &Dir, stack_dir: &Path, keep: &Keep) -> Result<(), String> {
    let Some(pattern) = globs::below(stack_dir, &keep.glob) else { return Ok(()) };
    let mut found: Vec<(Duration, PathBuf)> = Vec::new();
    for path in globs::matches_beneath(root, &pattern)? {
        let facts = globs::parent_of(root, &path).and_then(|(dir, name)| dir.stat(name));
        if let Some(facts) = facts.ok().filter(|facts| facts.is_file) {
            found.push((facts.modified, path));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    let now = Duration::from_nanos(platform::wall_nanos());
    for (place, (modified, path)) in found.iter().enumerate().skip(1) {
        let beyond = keep.newest.is_some_and(|newest| place >= newest as usize);
        let age = now.saturating_sub(*modified);
        if beyond || keep.max_age.is_some_and(|max_age| age > max_age) {
            let removed = globs::parent_of(root, path).and_then(|(dir, name)| dir.remove(name));
            removed.map_err(|error| Refused::describe(&stack_dir.join(path), &error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, time::SystemTime};

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
        let day = Duration::from_secs(24 * 3600);
        let now = SystemTime::from(platform::wall_clock());
        for age in 1..=7_u32 {
            let file = fs::File::create(dir.join(format!("{age}.sql"))).unwrap();
            file.set_modified(now - day * age).unwrap();
        }
        let glob = format!("{}/*.sql", dir.display());
        let root = Dir::open(&dir).unwrap();
        let left = || fs::read_dir(&dir).unwrap().count();
        tidy(&root, &dir, &Keep { glob: glob.clone(), newest: Some(5), max_age: None }).unwrap();
        assert_eq!(left(), 5);
        tidy(&root, &dir, &Keep { glob: glob.clone(), newest: None, max_age: Some(day * 3) })
            .unwrap();
        assert_eq!(left(), 2);
        tidy(&root, &dir, &Keep { glob, newest: None, max_age: Some(day / 2) }).unwrap();
        assert!(dir.join("1.sql").exists() && left() == 1, "the newest never goes");
    }
}
