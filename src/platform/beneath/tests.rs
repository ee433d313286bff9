use std::{
    fs,
    io::Write,
    os::{
        fd::AsRawFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
            net::UnixListener,
        },
    },
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{FileType, RenameFlags, renameat_with};

use super::{
    mode::{PRIVATE, set_mode_of_name},
    *,
};

/// A folder of stackrun's own, and a place outside of it.
fn folders() -> (tempfile::TempDir, Dir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let root = Dir::open(temporary.path()).unwrap();
    let own = root.make_dir("own").unwrap();
    let outside = temporary.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "precious").unwrap();
    (temporary, own, outside)
}

fn why<T>(result: io::Result<T>) -> Refusal {
    let error = result.err().expect("it is refused");
    Refused::of(&error).unwrap_or_else(|| panic!("no refusal: {error}")).why
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn make_pipe(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, PRIVATE, 0).unwrap();
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let (_guard, own, outside) = folders();
    let at = |name: &str| own.path().join(name);
    symlink(outside.join("precious"), at("link")).unwrap();
    symlink(outside.join("nothing"), at("dangling")).unwrap();
    make_pipe(&at("pipe"));
    fs::create_dir(at("folder")).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    for (name, expected) in [
        ("link", Refusal::Link),
        ("dangling", Refusal::Link),
        ("pipe", Refusal::Pipe),
        ("folder", Refusal::Folder),
        ("socket", Refusal::Socket),
    ] {
        assert_eq!(why(own.open_read(name)), expected, "read {name}");
        assert_eq!(why(own.open_write(name)), expected, "write {name}");
        assert_eq!(why(own.append(name)), expected, "append {name}");
        assert_eq!(own.create(name).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
    assert_eq!(why(own.make_dir("link")), Refusal::Link);
    assert_eq!(why(own.make_dir("pipe")), Refusal::NotAFolder);
    assert!(!outside.join("nothing").exists());
    assert_eq!(why(open_file(&at("pipe"))), Refusal::Pipe);
    assert_eq!(why(open_file(&at("socket"))), Refusal::Socket);
    assert_eq!(read_file(&at("link")).unwrap(), b"precious", "a link that is named is meant");
}

#[test]
fn nothing_behind_a_link_or_outside_is_reached() {
    let (_guard, own, outside) = folders();
    symlink(&outside, own.path().join("away")).unwrap();
    assert_eq!(why(own.open_read("away/precious")), Refusal::Link);
    assert_eq!(why(own.dir("away")), Refusal::Link);
    assert!(own.open_read("../outside/precious").is_err());
    assert!(own.open_read(outside.join("precious")).is_err());
    for name in ["../outside", "a/b", "..", ".", "", "a/"] {
        assert!(own.make_dir(name).is_err() && own.create(name).is_err(), "{name:?}");
        assert!(own.remove(name).is_err() && own.remove_all(name).is_err(), "{name:?}");
        assert!(own.replace(name, b"x").is_err() && own.rename("a", name).is_err(), "{name:?}");
    }
    own.remove_all("away").unwrap();
    assert!(outside.join("precious").exists());
}

#[test]
fn component_by_component_it_is_the_same() {
    let (_guard, own, outside) = folders();
    own.make_dirs("a/b").unwrap().replace("file", b"x").unwrap();
    symlink(&outside, own.path().join("a/away")).unwrap();
    let open = |path: &str| {
        let flags = OFlags::RDONLY | FILE;
        open_by_components(own.as_fd(), Path::new(path), flags, Mode::empty())
    };
    assert!(open("a/b/file").is_ok() && open("./a/./b").is_ok() && open(".").is_ok());
    for path in ["a/away", "a/away/precious", "../outside/precious", "/etc/passwd", "a/../../own"] {
        let error = open(path).unwrap_err();
        assert!([Errno::LOOP, Errno::NOTDIR, Errno::XDEV].contains(&error), "{path}: {error}");
    }
}

#[test]
fn modes_are_exact_and_what_was_open_to_others_is_closed() {
    let (_guard, own, _) = folders();
    let at = |name: &str| own.path().join(name);
    drop(own.open_write("written").unwrap());
    drop(own.replace("replaced", b"x").unwrap());
    assert_eq!(
        [mode(own.path()), mode(&at("written")), mode(&at("replaced"))],
        [0o700, 0o600, 0o600]
    );
    for (before, after) in [(0o777, 0o700), (0o755, 0o700), (0o711, 0o711), (0o550, 0o500)] {
        fs::create_dir(at("folder")).unwrap();
        fs::set_permissions(at("folder"), fs::Permissions::from_mode(before)).unwrap();
        own.make_dir("folder").unwrap();
        assert_eq!(mode(&at("folder")), after);
        fs::remove_dir(at("folder")).unwrap();
    }
    for (name, before) in [("written", 0o666), ("replaced", 0o644)] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(before)).unwrap();
        drop(own.append(name).unwrap());
        assert_eq!(mode(&at(name)), 0o600);
    }
}

#[test]
fn what_a_umask_has_locked_is_opened_again() {
    let (_guard, own, _) = folders();
    fs::create_dir(own.path().join("folder")).unwrap();
    fs::write(own.path().join("file"), "x").unwrap();
    for name in ["folder", "file"] {
        let none = fs::Permissions::from_mode(0o0);
        fs::set_permissions(own.path().join(name), none).unwrap();
        assert!(own.restore_mode(Path::new(name), Mode::RWXU).unwrap());
        assert_eq!(mode(&own.path().join(name)), 0o700);
        assert!(!own.restore_mode(Path::new(name), Mode::RWXU).unwrap());
    }
    symlink("folder", own.path().join("link")).unwrap();
    assert!(set_mode_of_name(own.as_fd(), Path::new("link"), Mode::empty()).is_err());
    assert_eq!(mode(&own.path().join("folder")), 0o700, "a link is not followed");
}

#[test]
fn a_file_with_another_name_is_not_written_to() {
    let (_guard, own, outside) = folders();
    fs::hard_link(outside.join("precious"), own.path().join("file")).unwrap();
    assert!(Refused::is_hard_link(&own.open_write("file").unwrap_err()));
    drop(own.replace("file", b"own").unwrap());
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"precious");
    assert_eq!(own.read("file").unwrap(), b"own");
}

#[test]
fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
    let (_guard, own, outside) = folders();
    symlink(outside.join("precious"), own.path().join("file")).unwrap();
    let mut file = own.replace("file", b"one").unwrap();
    file.write_all(b", two").unwrap();
    assert_eq!(own.read("file").unwrap(), b"one, two");
    assert_eq!(own.names().unwrap(), ["file"]);
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"precious");
}

#[test]
fn descriptors_are_closed_in_what_is_executed() {
    let (_guard, own, _) = folders();
    for descriptor in [own.as_raw(), own.create("file").unwrap().as_raw_fd()] {
        // SAFETY: a plain system call on a descriptor that is open.
        let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
}

impl Dir {
    fn as_raw(&self) -> i32 {
        self.descriptor.as_raw_fd()
    }
}

#[test]
fn a_tree_is_removed_however_deep_and_links_are_not_followed() {
    let (_guard, own, outside) = folders();
    let tree = own.make_dir("tree").unwrap();
    let mut deepest = tree.clone();
    for _ in 0..300 {
        deepest =
            deepest.make_dir("a-name-that-makes-the-path-longer-than-the-system-allows").unwrap();
    }
    rustix::fs::symlinkat(&outside, &deepest, "link").unwrap();
    make_pipe(&own.path().join("tree/pipe"));
    drop(deepest);
    own.remove_all("tree").unwrap();
    own.remove_all("tree").unwrap();
    assert!(own.names().unwrap().is_empty() && outside.join("precious").exists());
}

/// Exchanges two names again and again, until dropped.
struct Exchanging<'a>(&'a AtomicBool);

impl Drop for Exchanging<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn whoever_exchanges_names_meanwhile_leads_nobody_outside() {
    let (_guard, own, outside) = folders();
    let at = |name: &str| own.path().join(name);
    symlink(&outside, at("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // There may be no folder at the moment.
                let _ = renameat_with(&own, "w", &own, "link", RenameFlags::EXCHANGE);
            }
        });
        let _until_the_end = Exchanging(&done);
        let mut removed = 0;
        while removed < 200 {
            if let Ok(w) = own.make_dir("w") {
                // Below what is held, wherever that is by now.
                drop(w.replace("precious", b"own").unwrap());
                let _ = w.append("log").unwrap().write_all(b"line\n");
            }
            let _ = own.dir("w").and_then(|w| w.remove("precious"));
            match own.remove_all("w") {
                Ok(()) => removed += 1,
                Err(error) => assert!(Refused::of(&error).is_none(), "{error}"),
            }
            if own.stat("link").is_err() {
                symlink(&outside, at("link")).unwrap();
            }
        }
    });
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"precious");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_subfolder_is_found_again_and_a_growing_file_goes_on() {
    let (guard, own, _) = folders();
    let folder = Subfolder::own(&own, "state/logs");
    let mut file = GrowingFile::new(folder.clone(), "a.log");
    let mut write = |text: &str| {
        let (open, _, is_other) = file.current().unwrap();
        (&open.file).write_all(text.as_bytes()).unwrap();
        is_other
    };
    assert!(write("one\n") && !write("two\n"));
    assert_eq!(folder.read("a.log").unwrap(), b"one\ntwo\n");
    // Removed, it is made again.
    fs::remove_dir_all(own.path().join("state")).unwrap();
    assert!(write("three\n"));
    assert_eq!(folder.read("a.log").unwrap(), b"three\n");
    // Replaced by what is not ours to use, it continues in the one that was there.
    fs::rename(own.path().join("state"), guard.path().join("moved")).unwrap();
    symlink("/", own.path().join("state")).unwrap();
    assert!(!write("four\n") && !write("five\n"));
    let moved = guard.path().join("moved/logs/a.log");
    assert_eq!(fs::read(&moved).unwrap(), b"three\nfour\nfive\n");
    assert_eq!(folder.refused().unwrap().why, Refusal::Link);
    assert_eq!(folder.refused(), None, "it is told once");
    // What is new goes there, too.
    drop(folder.make().unwrap().append("b.log").unwrap());
    assert!(guard.path().join("moved/logs/b.log").exists());
    fs::remove_file(own.path().join("state")).unwrap();
    assert!(write("six\n"));
    assert_eq!(folder.read("a.log").unwrap(), b"six\n");
    assert_eq!(folder.refused(), None);
    // The same where the folder is ours and the file in it is not.
    fs::rename(own.path().join("state"), own.path().join("before")).unwrap();
    fs::create_dir_all(own.path().join("state/logs")).unwrap();
    symlink("/", own.path().join("state/logs/a.log")).unwrap();
    assert!(!write("and\n"));
    fs::remove_dir_all(own.path().join("state")).unwrap();
    fs::rename(own.path().join("before"), own.path().join("state")).unwrap();
    assert_eq!(folder.read("a.log").unwrap(), b"six\nand\n");
    // Moved as a whole, it goes with its root.
    fs::rename(own.path(), guard.path().join("elsewhere")).unwrap();
    assert!(!write("seven\n"));
    let log = guard.path().join("elsewhere/state/logs/a.log");
    assert_eq!(fs::read(log).unwrap(), b"six\nand\nseven\n");
}

#[test]
fn the_links_of_a_user_lead_where_the_user_wants() {
    let (guard, own, outside) = folders();
    let stack = own.path();
    let find = |path: &str| UserPath::find(&stack.join(path), stack);
    own.make_dir("in").unwrap().replace("file", b"inner").unwrap();
    symlink(&outside, stack.join("away")).unwrap();
    symlink("in/../in", stack.join("inner")).unwrap();
    symlink(stack.join("in/file"), stack.join("file")).unwrap();
    symlink("round", stack.join("round")).unwrap();
    assert_eq!(
        find("away/precious").unwrap().path(),
        outside.canonicalize().unwrap().join("precious")
    );
    for path in ["inner/file", "file", "in/file"] {
        let found = find(path).unwrap();
        assert_eq!(
            (found.folder.id().unwrap(), &*found.name),
            (own.dir("in").unwrap().id().unwrap(), OsStr::new("file"))
        );
        let mut text = String::new();
        found.open_read().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "inner");
        assert!(found.open_special().unwrap().is_none());
    }
    assert!(find("round").is_err() && find("in/no/file").is_err() && find("").is_err());
    let made = UserPath::make(&stack.join("in/new/deep/file"), stack).unwrap();
    assert!(made.folder.path().ends_with("new/deep") && made.open_special().unwrap().is_none());
    make_pipe(&stack.join("pipe"));
    assert_eq!(why(find("pipe").unwrap().open_read()), Refusal::Pipe);
    assert_eq!(why(find("pipe").unwrap().open_special()), Refusal::Pipe, "no process reads it");
    let null = UserPath::find(Path::new("/dev/null"), stack).unwrap();
    assert!(null.open_special().unwrap().unwrap().metadata().unwrap().file_type().is_char_device());
    null.open_read().unwrap();
    drop(guard);
}

#[test]
fn as_root_what_others_have_made_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let (_guard, own, outside) = folders();
    let give = |path: &Path| std::os::unix::fs::lchown(path, Some(65534), None).unwrap();
    fs::write(own.path().join("file"), "x").unwrap();
    fs::create_dir(own.path().join("folder")).unwrap();
    symlink(&outside, own.path().join("link")).unwrap();
    for name in ["file", "folder", "link"] {
        give(&own.path().join(name));
    }
    assert_eq!(why(own.open_read("file")), Refusal::Foreign);
    assert_eq!(why(own.append("file")), Refusal::Foreign);
    assert_eq!(why(own.make_dir("folder")), Refusal::Foreign);
    assert_eq!(fs::metadata(own.path().join("file")).unwrap().uid(), 65534);
    let path = own.path().join("link/precious");
    assert_eq!(why(UserPath::find(&path, own.path())), Refusal::ForeignLink);
    assert_eq!(why(UserPath::make(&own.path().join("link"), own.path())), Refusal::ForeignLink);
}
