//! A world of its own, the stack in it, and what may happen to both.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
};
use serde_json::Value;

use super::truth::{self, Sentinel};
use crate::{
    support::{Process, Ran, Running, Stack, eventually},
    torture::Chance,
};

/// The ordinary user whose stack it is: one without any rights, on every Linux.
const USER: u32 = 65534;
/// Where that user's session has its folder while it lasts.
const SESSION: &str = "/run/user/65534";
/// Locks that services hold, apart from everything of the stack.
const LOCKS: &str = "/tmp/locks";
/// Where the stack's folder is moved to.
const ELSEWHERE: &str = "/tmp/elsewhere";
/// How long status and truth may differ: something may be on its way.
const SETTLES: Duration = Duration::from_secs(60);

/// Each holds a lock that a second one would break; the job has a child that has left it.
const STACK: &str = r#"
    stack "world"
    service "db"  { run "@testbed lock /tmp/locks/db slow-stop 20 listen {{port}}"; port @0 }
    service "api" { needs "db"; run "@testbed lock /tmp/locks/api tick 200" }
    service "job" { run "@testbed" "lock" "/tmp/locks/job" "daemon" "lock /tmp/locks/child" }
    task "seed"   { needs "db"; run "@testbed print seeded exit 0" }
"#;
const SERVICES: [&str; 3] = ["db", "api", "job"];

/// What may happen, all of it to and fro.
#[derive(Debug, Clone, Copy)]
enum Move {
    Log,
    LoseRuntime,
    LoseState,
    Fill,
    Folder,
    Freeze,
    Kill,
    Umask,
}

const MOVES: [Move; 8] = [
    Move::Log,
    Move::LoseRuntime,
    Move::LoseState,
    Move::Fill,
    Move::Folder,
    Move::Freeze,
    Move::Kill,
    Move::Umask,
];

/// A world of its own, and the stack in it.
#[derive(Debug)]
pub(super) struct World {
    stack: Stack,
    /// Where the stack's folder is now.
    folder: PathBuf,
    logged_in: bool,
    frozen: Vec<Process>,
    /// What takes the room of a file system.
    filler: Option<PathBuf>,
    /// The mask of files' modes that the next command has.
    umask: u32,
    /// What lived when the stack was last seen at rest; `None` once a command was typed since.
    settled: Option<BTreeMap<String, Vec<u32>>>,
    sentinel: Sentinel,
}

impl World {
    /// A world in which nothing runs and the user is not logged in.
    pub(super) fn new() -> Self {
        for (at, options) in [
            ("/run", c"mode=755"),
            ("/dev/shm", c"mode=1777,size=4M,nr_inodes=200"),
            ("/tmp", c"mode=1777,size=256M,nr_inodes=2000"),
        ] {
            mount("stackrun-test", at, "tmpfs", MountFlags::empty(), options).expect("a mount");
        }
        fs::create_dir("/run/user").expect("a folder");
        fs::create_dir(LOCKS).expect("a folder");
        let sentinel = Sentinel::plant(Path::new("/tmp/home"), USER);
        for name in SERVICES.iter().chain(&["child"]) {
            // Made now: there may be no room for them later.
            for file in [format!("{LOCKS}/{name}"), violations_of(name)] {
                fs::write(&file, "").expect("a file");
                chown(&file, Some(USER), Some(USER)).expect("another owner");
            }
        }
        let stack = Stack::of_user(USER, STACK);
        Self {
            folder: stack.folder().to_owned(),
            stack,
            logged_in: false,
            frozen: Vec::new(),
            filler: None,
            umask: 0o022,
            settled: None,
            sentinel,
        }
    }

    /// Runs `stackrun LINE` as the user, wherever the folder is.
    #[track_caller]
    pub(super) fn types(&mut self, line: &str) -> Ran {
        let ran = self.asks(line);
        self.settled = None;
        self.umask = 0o022;
        ran
    }

    #[track_caller]
    fn asks(&self, line: &str) -> Ran {
        let mut command = self.stack.command(line);
        command.current_dir(&self.folder).env("HOME", "/tmp/home");
        if self.logged_in {
            command.env("XDG_RUNTIME_DIR", SESSION);
        }
        let umask = self.umask;
        // SAFETY: it neither allocates nor locks.
        unsafe {
            command.pre_exec(move || {
                libc::umask(umask);
                Ok(())
            });
        }
        let ran = Running::start(format!("stackrun {line}"), command).ends();
        let mut living = truth::instances(Path::new(LOCKS));
        // What is said of one service is said of that one alone.
        if line == "down api" {
            living.retain(|name, _| name == "api");
        }
        // Exit status 3 alone may also mean that not all is ready.
        let none = ["0 processes", "nothing is running", "\"supervisor\": null"];
        let says_none = none.iter().any(|none| ran.out.contains(none) || ran.err.contains(none));
        assert!(
            !says_none || living.is_empty(),
            "nothing is said to run, but {living:?}: {ran:#?}"
        );
        ran
    }

    /// One thing happens; which one.
    #[track_caller]
    pub(super) fn moves(&mut self, chance: &mut Chance) -> String {
        let what = chance.one_of(&MOVES);
        let how = match what {
            Move::Log => self.logs_in_or_out(),
            Move::LoseRuntime => self.loses_runtime(chance),
            Move::LoseState => remove(&self.folder.join(".stackrun")),
            Move::Fill => self.fills_or_frees(chance),
            Move::Folder => self.moves_folder(),
            Move::Freeze => self.freezes_or_thaws(chance),
            Move::Kill => self.kills(chance),
            Move::Umask => {
                self.umask = chance.one_of(&[0, 0o002, 0o077, 0o777]);
                format!("{:03o}", self.umask)
            }
        };
        format!("{what:?}: {how}")
    }

    fn logs_in_or_out(&mut self) -> String {
        self.logged_in = !self.logged_in;
        if !self.logged_in {
            // As systemd does at the end of a session without lingering: open files stay usable,
            // but have no name any more.
            unmount(SESSION, UnmountFlags::DETACH).expect("it is mounted");
            self.filler.take_if(|filler| filler.starts_with(SESSION));
            fs::remove_dir(SESSION).expect("the mount point");
            return "out".to_owned();
        }
        fs::create_dir(SESSION).expect("a folder");
        let options = c"mode=700,uid=65534,gid=65534,size=4M,nr_inodes=200";
        mount("stackrun-test", SESSION, "tmpfs", MountFlags::empty(), options).expect("a mount");
        "in".to_owned()
    }

    fn loses_runtime(&self, chance: &mut Chance) -> String {
        // All places where it may be.
        let shared = ["/dev/shm", "/tmp"].map(|base| format!("{base}/stackrun-{USER}"));
        let all = [format!("{SESSION}/stackrun")].into_iter().chain(shared);
        let everything = chance.below(2) == 0;
        let mut lost = Vec::new();
        for folder in all.map(PathBuf::from) {
            if everything {
                lost.push(remove(&folder));
                continue;
            }
            for stack in entries(&folder) {
                let files = entries(&stack);
                if !files.is_empty() {
                    lost.push(remove(&chance.one_of(&files.iter().collect::<Vec<_>>()).clone()));
                }
            }
        }
        lost.join(", ")
    }

    fn fills_or_frees(&mut self, chance: &mut Chance) -> String {
        if let Some(filler) = self.filler.take() {
            fs::remove_dir_all(&filler).expect("it is removed");
            return format!("{} has room again", filler.display());
        }
        let at = chance.one_of(&["/dev/shm", "/tmp", SESSION]);
        let filler = Path::new(at).join("filler");
        if fs::create_dir(&filler).is_err() {
            return format!("there is no {at}");
        }
        let bytes = chance.below(2) == 0 && at != "/tmp";
        for number in 0.. {
            let text = if bytes { vec![1; 1 << 20] } else { Vec::new() };
            if fs::write(filler.join(number.to_string()), text).is_err() {
                break;
            }
        }
        self.filler = Some(filler);
        format!("{at} has no {}", if bytes { "room" } else { "inode" })
    }

    fn moves_folder(&mut self) -> String {
        let home = self.stack.folder();
        let to = if self.folder == home { Path::new(ELSEWHERE) } else { home };
        fs::rename(&self.folder, to).expect("it is moved: nothing is in its place");
        self.folder = to.to_owned();
        to.display().to_string()
    }

    fn freezes_or_thaws(&mut self, chance: &mut Chance) -> String {
        if self.thaws() {
            return "thawed".to_owned();
        }
        let role = chance.one_of(&["keeper", "supervisor"]);
        let Some(process) = truth::with_role(role) else { return format!("no {role}") };
        process.signal(Signal::STOP);
        let frozen = process.to_string();
        self.frozen.push(process);
        frozen
    }

    fn thaws(&mut self) -> bool {
        let frozen = std::mem::take(&mut self.frozen);
        frozen.iter().for_each(|process| process.signal(Signal::CONT));
        !frozen.is_empty()
    }

    fn kills(&mut self, chance: &mut Chance) -> String {
        let roles: &[&str] =
            chance.one_of(&[&["keeper"][..], &["supervisor"], &["keeper", "supervisor"]]);
        let victims: Vec<Process> =
            roles.iter().filter_map(|role| truth::with_role(role)).collect();
        victims.iter().for_each(Process::kill);
        eventually("their end", || !victims.iter().any(Process::lives));
        self.frozen.retain(Process::lives);
        roles.join(" and ")
    }

    /// Demands that everything that is promised holds now.
    #[track_caller]
    pub(super) fn holds(&mut self) {
        let living = truth::instances(Path::new(LOCKS));
        for name in SERVICES.iter().chain(&["child"]) {
            let violations = fs::read_to_string(violations_of(name)).expect("it was made");
            assert_eq!(violations, "", "{name} was doubled");
        }
        assert!(living.values().all(|pids| pids.len() == 1), "doubled: {living:?}");
        if let Some(settled) = &self.settled {
            assert_eq!(living, *settled, "what ran runs, and nothing else");
        }
        self.sentinel.is_untouched();
        let home = self.stack.folder();
        assert!(self.folder == home || !home.exists(), "the old folder was made again");
        self.told_is_true();
    }

    /// `status` says what /proc says. While the world is broken, a command may fail, but not lie.
    #[track_caller]
    fn told_is_true(&mut self) {
        if !self.frozen.is_empty() || self.filler.is_some() {
            self.asks("status --json");
            return;
        }
        let began = Instant::now();
        loop {
            match self.differs() {
                Ok(living) => {
                    self.settled = Some(living);
                    return;
                }
                Err(how) if began.elapsed() > SETTLES => panic!("not what is so: {how}"),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// What lives, if that is what is told; otherwise how it differs.
    #[track_caller]
    fn differs(&self) -> Result<BTreeMap<String, Vec<u32>>, String> {
        let before = truth::instances(Path::new(LOCKS));
        let ran = self.asks("status --json");
        if before != truth::instances(Path::new(LOCKS)) {
            return Err("something is on its way".to_owned());
        }
        let told: Value = serde_json::from_str(&ran.out).map_err(|_| format!("{ran:#?}"))?;
        let services = told["services"].as_array().ok_or("no services")?;
        for name in SERVICES {
            let pid = before.get(name).map(|pids| u64::from(pids[0]));
            let service = services.iter().find(|service| service["name"] == name);
            let Some(service) = service else {
                // Whose record is lost, and which does not live, is known to nobody.
                if pid.is_none() {
                    continue;
                }
                return Err(format!("no {name} in {told:#}"));
            };
            if service["pid"].as_u64() != pid {
                return Err(format!("{name} is {pid:?}, but {service:#}"));
            }
            let state = service["state"].as_str().unwrap_or_default();
            if matches!(state, "starting" | "stopping" | "waiting" | "backoff") {
                return Err(format!("{name} is {state}"));
            }
        }
        let listed = self.asks("ls");
        // By its folder: whose every record is lost has no other name.
        if !before.is_empty() && !listed.out.contains(&*self.folder.to_string_lossy()) {
            return Err(format!("not listed: {listed:#?}"));
        }
        Ok(before)
    }

    /// The world is again as it was.
    #[track_caller]
    pub(super) fn calms_down(&mut self) {
        self.thaws();
        if let Some(filler) = self.filler.take() {
            fs::remove_dir_all(filler).expect("it is removed");
        }
        if self.folder != self.stack.folder() {
            self.moves_folder();
        }
        self.umask = 0o022;
        self.holds();
    }

    /// Demands that nothing is left of the stack.
    #[track_caller]
    pub(super) fn is_empty(&self) {
        eventually("the end of everything", || truth::of_user(USER).is_empty());
        assert_eq!(truth::instances(Path::new(LOCKS)), BTreeMap::new());
        self.sentinel.is_untouched();
    }
}

fn violations_of(name: &str) -> String {
    format!("{LOCKS}/{name}.violations")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Removes a file or a folder; which one, or that it is not there.
fn remove(path: &Path) -> String {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => path.display().to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => format!("no {}", path.display()),
        // Something was made in it meanwhile.
        Err(error) => format!("{}: {error}", path.display()),
    }
}
