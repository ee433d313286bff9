//! What git leaves out: gitignore(5), in full.
//!
//! The rules of a path are in the `.gitignore` of its folder and of those above it, up to the top of
//! the repository (without a repository, up to the stack's folder), in `.git/info/exclude`, and in
//! the user's own file (`core.excludesFile`). The nearest decides, and what is in a folder that is
//! left out is left out.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    time::SystemTime,
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::language::read_text;

/// The rules that hold in one working tree.
#[derive(Debug)]
pub(super) struct GitRules {
    /// The top of the working tree.
    top: PathBuf,
    /// Those of the repository and of the user, in this order.
    general: Vec<Gitignore>,
    /// Those of each folder, as its `.gitignore` was at that time.
    folders: RefCell<HashMap<PathBuf, (SystemTime, Rc<Gitignore>)>>,
}

impl GitRules {
    /// The rules for what is in, or below, this folder.
    pub(super) fn of(folder: &Path) -> Self {
        let has_repository = |folder: &&Path| folder.join(".git").exists();
        let top = folder.ancestors().find(has_repository).unwrap_or(folder);
        // Not there where `.git` is a file (a worktree, a submodule).
        let exclude = rules_in(top, &top.join(".git/info/exclude"));
        let general = exclude.into_iter().chain([of_user(top)]).collect();
        Self { top: top.to_owned(), general, folders: RefCell::default() }
    }

    /// Whether a path is left out. One outside of the working tree is not.
    pub(super) fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let Ok(below) = path.strip_prefix(&self.top) else { return false };
        let mut whole = self.top.clone();
        // Those of the folders above, the farthest first.
        let mut near = Vec::new();
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            near.extend(self.of_folder(&whole));
            whole.push(part);
            let is_folder = is_folder || parts.peek().is_some();
            let rules = near.iter().rev().map(Rc::as_ref).chain(&self.general);
            let found = rules.map(|rules| rules.matched(&whole, is_folder).map(|_| ()));
            if found.into_iter().find(|found| !found.is_none()).is_some_and(|it| it.is_ignore()) {
                return true;
            }
        }
        false
    }

    fn of_folder(&self, folder: &Path) -> Option<Rc<Gitignore>> {
        let file = folder.join(".gitignore");
        let changed = fs::metadata(&file).ok()?.modified().ok()?;
        let mut folders = self.folders.borrow_mut();
        match folders.get(folder) {
            Some((at, rules)) if *at == changed => Some(Rc::clone(rules)),
            _ => {
                let rules = Rc::new(rules_in(folder, &file)?);
                folders.insert(folder.to_owned(), (changed, Rc::clone(&rules)));
                Some(rules)
            }
        }
    }
}

/// The rules in a file, for what is below `folder`; none if it is no regular file: whoever may write
/// to a folder above could put a named pipe there.
fn rules_in(folder: &Path, file: &Path) -> Option<Gitignore> {
    let text = read_text(file).ok()?;
    let mut rules = GitignoreBuilder::new(folder);
    for line in text.lines() {
        // What is no pattern has no effect, as with git.
        let _no_pattern = rules.add_line(None, line);
    }
    rules.build().ok()
}

/// The user's own rules, which hold at any depth of the working tree.
fn of_user(top: &Path) -> Gitignore {
    GitignoreBuilder::new(top).build_global().0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_rules_are_those_of_the_whole_repository() {
        let folder = tree(&[
            (".git/HEAD", ""),
            (".git/info/exclude", "*.local\n"),
            (".gitignore", "*.log\nbuild/\n"),
            ("app/.gitignore", "!kept.log\n/tmp\n"),
            ("app/build/.gitignore", "!x\n"),
        ]);
        let top = folder.path();
        let rules = GitRules::of(&top.join("app"));
        for (path, ignored) in [
            ("app/a.log", true),
            ("app/kept.log", false),
            ("b.log", true),
            ("app/tmp", true),
            ("app/src/tmp", false),
            ("app/a.local", true),
            ("app/build/x", true),
            ("app/main.js", false),
        ] {
            assert_eq!(rules.ignores(&top.join(path), false), ignored, "{path}");
        }
        assert!(rules.ignores(&top.join("app/build"), true));
        assert!(!rules.ignores(&top.join("app/build"), false), "a file of that name");
        assert!(!rules.ignores(Path::new("/elsewhere/a.log"), false));
    }

    #[test]
    fn without_a_repository_those_of_the_stack_and_below_count() {
        let folder = tree(&[(".gitignore", "*.js\n"), ("app/.gitignore", "*.log\n")]);
        let app = folder.path().join("app");
        let rules = GitRules::of(&app);
        assert!(rules.ignores(&app.join("a.log"), false));
        assert!(!rules.ignores(&app.join("a.js"), false), "above the stack's folder");
        // What is written there later counts from then on.
        fs::write(app.join(".gitignore"), "*.css\n").unwrap();
        let file = fs::File::open(app.join(".gitignore")).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(5);
        file.set_modified(later).unwrap();
        assert!(rules.ignores(&app.join("a.css"), false));
        assert!(!rules.ignores(&app.join("a.log"), false));
    }
}
