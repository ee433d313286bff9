//! Deletes what `cleanup` names, inside the stack's folder only: below its descriptor, and behind no
//! link.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::globs;
use crate::{
    model::STATE_FOLDER,
    platform::{Dir, Refusal, Refused},
};

/// Deletes every match of the patterns (absolute, for the stack in `stack_dir`, which is held as
/// `root`; a folder ends with `/`). Nothing at all, if what makes the stack is among them: a glob may
/// be wider than it was meant to be. What cannot be deleted keeps nothing else.
///
/// # Errors
/// What could not be deleted, and why, in one line.
pub(super) fn delete(root: &Dir, stack_dir: &Path, patterns: &[String]) -> Result<(), String> {
    let mut matches: Vec<(PathBuf, bool)> = Vec::new();
    for pattern in patterns {
        let folder = pattern.ends_with('/');
        let below = globs::below(stack_dir, pattern);
        let below = below.ok_or_else(|| format!("{pattern}: {OUTSIDE}"))?;
        let found = globs::matches_beneath(root, &below)?;
        matches.extend(found.into_iter().map(|path| (path, folder)));
    }
    if let Some((path, _)) = matches.iter().find(|(path, _)| makes_the_stack(path)) {
        let path = stack_dir.join(path);
        return Err(format!("{}: `cleanup` never deletes what makes the stack", path.display()));
    }
    let failed = matches.into_iter().filter_map(|(path, folder)| {
        let error = delete_one(root, &path, folder).err()?;
        Some(format!("{}: {error}", stack_dir.join(path).display()))
    });
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

const OUTSIDE: &str = "it is outside the stack's folder";
const BEHIND_A_LINK: &str = "it is behind a link, which may lead outside the stack's folder";

/// Whether it is a stack file beside the folder's other ones, stackrun's own state (the services'
/// data apart), or the history of the source.
fn makes_the_stack(below: &Path) -> bool {
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    match parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
        [STATE_FOLDER, "data", _, ..] => false,
        [STATE_FOLDER | ".git", ..] => true,
        [file] => Path::new(file).extension().is_some_and(|extension| extension == "kdl"),
        _ => false,
    }
}

fn delete_one(root: &Dir, path: &Path, folder: bool) -> Result<(), String> {
    let deleted = globs::parent_of(root, path).and_then(|(dir, name)| {
        let facts = dir.stat(name)?;
        match (facts.is_folder, folder) {
            (true, true) => dir.remove_all(name),
            (true, false) => {
                Err(io::Error::other("it is a folder; write it with a `/` at the end"))
            }
            (false, true) if !facts.is_file => {
                Err(io::Error::other("it is a link, and what it points to is left alone"))
            }
            (false, _) => dir.remove(name),
        }
    });
    let Err(error) = deleted else { return Ok(()) };
    match Refused::of(&error).map(|refused| refused.why) {
        Some(Refusal::Link) => Err(BEHIND_A_LINK.into()),
        Some(why) => Err(format!("it {why}")),
        None if error.kind() == io::ErrorKind::NotFound => Ok(()),
        None => Err(super::io_errors::os_error(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
        (folder, path)
    }

    #[test]
    fn deletes_files_globs_and_folders() {
        let (_guard, dir) = folder();
        fs::create_dir_all(format!("{dir}/a/b")).unwrap();
        for file in ["one.lock", "two.lock", "kept", "a/b/deep.lock"] {
            fs::write(format!("{dir}/{file}"), "").unwrap();
        }
        delete(
            &Dir::open(Path::new(&dir)).unwrap(),
            Path::new(&dir),
            &[format!("{dir}/*.lock"), format!("{dir}/a/")],
        )
        .unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["kept"]);
    }

    #[test]
    fn what_makes_the_stack_stays_and_all_else_with_it() {
        let (_guard, dir) = folder();
        let files = ["stack.kdl", "kept.lock", ".stackrun/ledger", ".git/HEAD"];
        let data = ".stackrun/data/api/lock";
        for file in files.into_iter().chain([data]) {
            let path = Path::new(&dir).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        for pattern in
            ["*", "stack.kdl", ".git/../stack.kdl", ".stackrun/", ".git/", ".stackrun/ledger"]
        {
            let patterns = [format!("{dir}/*.lock"), format!("{dir}/{pattern}")];
            let error = delete(&Dir::open(Path::new(&dir)).unwrap(), Path::new(&dir), &patterns)
                .unwrap_err();
            assert!(error.contains("never deletes what makes the stack"), "{error}");
        }
        for file in files {
            assert!(Path::new(&dir).join(file).exists(), "{file}");
        }
        assert_eq!(
            delete(
                &Dir::open(Path::new(&dir)).unwrap(),
                Path::new(&dir),
                &[format!("{dir}/{data}")]
            ),
            Ok(())
        );
        assert!(!Path::new(&dir).join(data).exists());
    }

    #[test]
    fn what_is_not_there_is_no_error() {
        let (_guard, dir) = folder();
        assert_eq!(
            delete(
                &Dir::open(Path::new(&dir)).unwrap(),
                Path::new(&dir),
                &[format!("{dir}/no/such/file")]
            ),
            Ok(())
        );
    }

    #[test]
    fn a_folder_needs_its_slash() {
        let (_guard, dir) = folder();
        fs::create_dir(format!("{dir}/cache")).unwrap();
        let error = delete(
            &Dir::open(Path::new(&dir)).unwrap(),
            Path::new(&dir),
            &[format!("{dir}/cache")],
        )
        .unwrap_err();
        assert!(error.contains("with a `/` at the end"), "{error}");
        assert!(Path::new(&dir).join("cache").exists());
    }

    #[test]
    fn a_link_out_of_the_stack_is_refused() {
        let (_guard, dir) = folder();
        let (_outside_guard, outside) = folder();
        fs::write(format!("{outside}/precious"), "").unwrap();
        symlink(&outside, format!("{dir}/link")).unwrap();
        fs::write(format!("{dir}/own.lock"), "").unwrap();
        let patterns = ["link/precious", "link/", "own.lock"].map(|name| format!("{dir}/{name}"));
        let error =
            delete(&Dir::open(Path::new(&dir)).unwrap(), Path::new(&dir), &patterns).unwrap_err();
        assert!(!Path::new(&dir).join("own.lock").exists(), "what is refused keeps nothing else");
        assert!(error.contains("it is a link"), "{error}");
        assert!(error.contains("outside the stack's folder"), "{error}");
        assert!(Path::new(&outside).join("precious").exists());
        // The link itself may go.
        assert_eq!(
            delete(&Dir::open(Path::new(&dir)).unwrap(), Path::new(&dir), &[format!("{dir}/link")]),
            Ok(())
        );
        assert!(Path::new(&outside).join("precious").exists());
    }
}
