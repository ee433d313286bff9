//! A stack whose folder has another name than the one it was read by: because it was moved since,
//! or because whoever has read it knows it by a second one, as of a bind mount.
//!
//! A definition holds absolute paths: folders, and texts in which the file's values (`{{dir}}`,
//! `{{data}}`) were filled in. Those in the stack's folder are changed to its present name, so
//! that a restart runs where the folder is now, and the same file means the same definition.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::model::{Stack, path_text};

/// What never names a file here: parts of URLs, what is read by people, names.
const NO_PATHS: [&str; 6] = ["http", "url", "describe", "confirm", "name", "schedule"];
/// What holds globs, in which some characters of a folder's name are escaped.
const GLOBS: [&str; 5] = ["cleanup", "inputs", "outputs", "glob", "watch"];
/// What holds a folder, as [`path_text`] writes it.
const FOLDER: &str = "dir";

/// From one name of a folder to another.
#[derive(Debug)]
pub(super) struct Relocation {
    from: PathBuf,
    to: PathBuf,
    /// The same in texts, and in globs.
    text: (String, String),
    glob: (String, String),
}

impl Relocation {
    /// `None` if both are the same, or the one is not known.
    pub(super) fn between(from: &Path, to: &Path) -> Option<Self> {
        if from == to || from.parent().is_none() {
            return None;
        }
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let glob = |path: &Path| globset::escape(&path.to_string_lossy());
        Some(Self {
            text: (text(from), text(to)),
            glob: (glob(from), glob(to)),
            from: from.to_owned(),
            to: to.to_owned(),
        })
    }

    /// The stack as it is in the new place.
    pub(super) fn stack(&self, stack: &mut Stack) -> serde_json::Result<()> {
        stack.dir = self.path(&stack.dir);
        stack.file = self.path(&stack.file);
        stack.sources.iter_mut().for_each(|source| source.path = self.path(&source.path));
        stack.origins.values_mut().for_each(|origin| origin.file = self.path(&origin.file));
        stack.services = self.definition(&stack.services)?;
        stack.tasks = self.definition(&stack.tasks)?;
        Ok(())
    }

    /// Services or tasks as they are in the new place.
    fn definition<T: Serialize + DeserializeOwned>(&self, definition: &T) -> serde_json::Result<T> {
        let mut value = serde_json::to_value(definition)?;
        self.value(&mut value, &self.text);
        serde_json::from_value(value)
    }

    /// The lines of a snapshot, which hold definitions as JSON.
    pub(super) fn snapshot(&self, snapshot: &str) -> serde_json::Result<String> {
        let lines = snapshot.lines().map(|line| {
            let mut value: Value = serde_json::from_str(line)?;
            match value.pointer_mut("/unit") {
                None => return Ok(format!("{line}\n")),
                Some(unit) => {
                    let definitions = unit.as_object_mut().into_iter().flat_map(|kinds| {
                        kinds.values_mut().filter_map(|kind| kind.get_mut("now"))
                    });
                    definitions.for_each(|definition| self.value(definition, &self.text));
                }
            }
            Ok(format!("{value}\n"))
        });
        lines.collect()
    }

    /// An environment: its search paths, the folder that it is of.
    pub(super) fn environment(&self, variables: &mut BTreeMap<String, String>) {
        variables.values_mut().for_each(|value| *value = replaced(value, &self.text));
    }

    fn value(&self, value: &mut Value, names: &(String, String)) {
        match value {
            Value::String(text) => *text = replaced(text, names),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value, names)),
            Value::Object(values) => {
                for (key, value) in values {
                    match value {
                        Value::String(path) if key == FOLDER => {
                            let moved = path_text::decode(path).map(|path| self.path(&path));
                            moved.inspect(|moved| *path = path_text::encode(moved));
                        }
                        _ if NO_PATHS.contains(&key.as_str()) => {}
                        _ if GLOBS.contains(&key.as_str()) => self.value(value, &self.glob),
                        _ => self.value(value, names),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.from) {
            Ok(rest) if rest.as_os_str().is_empty() => self.to.clone(),
            Ok(rest) => self.to.join(rest),
            Err(_) => path.to_owned(),
        }
    }
}

/// A text with the name of the folder changed in every path that begins with it.
fn replaced(text: &str, (from, to): &(String, String)) -> String {
    let mut moved = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices(from.as_str()) {
        let after = at + from.len();
        if at >= copied && begins_path(&text[..at]) && ends_name(&text[after..]) {
            moved.push_str(&text[copied..at]);
            moved.push_str(to);
            copied = after;
        }
    }
    moved.push_str(&text[copied..]);
    moved
}

/// Whether a path may begin behind this: not in the middle of another one, or of a word, but for
/// an option such as `-I`.
fn begins_path(before: &str) -> bool {
    let Some(last) = before.chars().next_back() else { return true };
    if last.is_ascii_alphabetic() {
        let option = before[..before.len() - 1].strip_suffix('-');
        return option
            .is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t', '\n']));
    }
    !(last.is_alphanumeric() || "_.~%+@})$".contains(last))
}

/// Whether the name of a folder is at its end before this.
fn ends_name(after: &str) -> bool {
    let next = after.chars().next();
    next.is_none_or(|next| !next.is_alphanumeric() && !"_-.~+@%".contains(next))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;
    use crate::model::{
        Check, Command, EnvValue, HttpCheck, HttpTarget, Service, StatusSet, Task, TaskBody, Text,
    };

    fn moved(text: &str) -> String {
        replaced(text, &("/old/a".to_owned(), "/new/b".to_owned()))
    }

    #[test]
    fn paths_in_the_folder_are_changed_and_others_are_not() {
        for (text, expected) in [
            ("/old/a", "/new/b"),
            ("/old/a/bin:/usr/bin:/old/a/x", "/new/b/bin:/usr/bin:/new/b/x"),
            ("--config=/old/a/conf -I/old/a/include", "--config=/new/b/conf -I/new/b/include"),
            ("sqlite:////old/a/db file:///old/a", "sqlite:////new/b/db file:///new/b"),
            ("cd '/old/a'; cat <\"/old/a\"", "cd '/new/b'; cat <\"/new/b\""),
            ("/old/a-b /old/ab /old/a.d /old/a_1", "/old/a-b /old/ab /old/a.d /old/a_1"),
            ("/host/old/a $HOME/old/a ./old/a ~/old/a", "/host/old/a $HOME/old/a ./old/a ~/old/a"),
        ] {
            assert_eq!(moved(text), expected);
        }
    }

    #[test]
    fn a_stack_is_moved_as_a_whole() {
        let stack = |dir: &str| {
            let mut service = Service::new("a", format!("{dir}/web"));
            let run = vec![Text::literal(format!("{dir}/bin/a")), Text::literal("x")];
            service.command = Some(Command::Run(run));
            let value = Some(Text::literal(format!("{dir}/.stackrun/data/a")));
            service.env.insert("DATA".to_owned(), EnvValue { value, secret: false, file: None });
            let path = Text::literal("/old/health");
            let target = HttpTarget::Path { path, port: None };
            let (status, headers) = (None::<StatusSet>, Vec::new());
            let http = HttpCheck { target, status, headers, insecure: false };
            service.ready.checks.push(Check::Http(http));
            service.cleanup = vec![format!("{}/*.pid", globset::escape(dir))];
            let task = Task::new("t", dir, TaskBody::Steps(Vec::new()));
            let (services, tasks) = (vec![service], vec![task]);
            Stack {
                dir: dir.into(),
                file: format!("{dir}/s.kdl").into(),
                services,
                tasks,
                ..Stack::default()
            }
        };
        for (from, to) in [("/old", "/new/x"), ("/old", "/ne[w]"), ("/[o]ld/x", "/old")] {
            let relocation = Relocation::between(Path::new(from), Path::new(to)).unwrap();
            let mut moved = stack(from);
            relocation.stack(&mut moved).unwrap();
            assert_eq!(moved, stack(to));
        }
        assert!(Relocation::between(Path::new("/old"), Path::new("/old")).is_none());
    }

    #[test]
    fn folders_that_are_not_utf_8_are_moved() {
        let path = |bytes: &'static [u8]| Path::new(OsStr::from_bytes(bytes));
        let relocation = Relocation::between(path(b"/caf\xe9"), path(b"/th\xe9")).unwrap();
        let services = vec![Service::new("a", path(b"/caf\xe9/x"))];
        let moved = relocation.definition(&services).unwrap();
        assert_eq!(moved[0].dir, path(b"/th\xe9/x"));
    }
}
