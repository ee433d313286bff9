//! Control groups, version 2 (cgroups(7), and "Control Group v2" of the kernel's documentation):
//! limits that the kernel holds a whole tree to, and what it alone knows of one.
//!
//! A group can be had where this user may write to the group that this process is in, or to one
//! above it: as root, or in what systemd has delegated to the user (`user@1000.service`). A group
//! that has processes of its own cannot hand controllers down, so that ours usually lie beside the
//! one that we are in, not below it. Controllers that version 1 has taken are not there for
//! version 2.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::platform::{CgroupLimits, Controller};

/// The time that `cpu.max` gives out each time, in microseconds.
const PERIOD: u64 = 100_000;

/// The groups of one stack: a group with no processes of its own, which holds those of the units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    folder: PathBuf,
    controllers: Vec<Controller>,
    /// Where version 2 is mounted.
    mount: PathBuf,
}

/// The group of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroups {
    /// Makes the groups of the stack `name`, with as many of these controllers as are to be had;
    /// none is needed to tell who is in a group, or to kill it.
    ///
    /// # Errors
    ///
    /// In words for a person: this system, or this login, has none to give.
    pub fn find(name: &str, wanted: &[Controller]) -> Result<Self, String> {
        let mount = Mount::find().ok_or("this system has no cgroup v2")?;
        let own = mount.own_group().ok_or("the cgroup of this process cannot be seen")?;
        let mut found: Option<Self> = None;
        let mut refusal = None;
        for folder in own.ancestors().take_while(|folder| folder.starts_with(&mount.point)) {
            match Self::make(&mount, folder, name, wanted) {
                Ok(made) => {
                    let before = found.as_ref().map_or(0, |found| found.controllers.len() + 1);
                    if made.controllers.len() + 1 > before {
                        found.replace(made).inspect(Self::remove);
                    } else {
                        made.remove();
                    }
                }
                // The nearest one says most about this login.
                Err(error) => drop(refusal.get_or_insert(error)),
            }
            if found.as_ref().is_some_and(|found| found.controllers.len() == wanted.len()) {
                break;
            }
        }
        found.ok_or_else(|| match refusal {
            Some(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "this login may not make cgroups (`systemd-run --user --scope stackrun up` may)"
                    .to_owned()
            }
            Some(error) => format!("no cgroup can be made here: {error}"),
            None => "no cgroup can be made here".to_owned(),
        })
    }

    fn make(mount: &Mount, above: &Path, name: &str, wanted: &[Controller]) -> io::Result<Self> {
        // To move a process is to write there, too.
        File::options().write(true).open(above.join("cgroup.procs"))?;
        let folder = above.join(format!("stackrun-{name}"));
        make_folder(&folder)?;
        let granted = |controller: &&Controller| {
            hand_down(above, **controller).and_then(|()| hand_down(&folder, **controller)).is_ok()
        };
        let controllers = wanted.iter().filter(granted).copied().collect();
        Ok(Self { folder, controllers, mount: mount.point.clone() })
    }

    /// The controllers that are in force.
    pub fn controllers(&self) -> &[Controller] {
        &self.controllers
    }

    /// Why a controller is not in force, in words for a person.
    pub fn why_not(&self, controller: Controller) -> String {
        let name = controller.name();
        let all = fs::read_to_string(self.mount.join("cgroup.controllers")).unwrap_or_default();
        match all.split_whitespace().any(|there| there == name) {
            true => format!("the cgroup controller `{name}` is not delegated to this login"),
            false => format!("the cgroup controller `{name}` is not there for cgroup v2"),
        }
    }

    /// Makes the group of a unit, with its limits as far as the controllers are there.
    ///
    /// # Errors
    ///
    /// Those of mkdir(2) and of writing to its files.
    pub fn create(&self, unit: &str, limits: &CgroupLimits) -> io::Result<Cgroup> {
        let group = Cgroup { folder: self.folder.join(unit) };
        make_folder(&group.folder)?;
        let set = || -> io::Result<()> {
            for controller in &self.controllers {
                let (file, value) = match controller {
                    Controller::Cpu => ("cpu.max", limits.cpu.map(cpu_max)),
                    Controller::Pids => ("pids.max", limits.processes.map(|n| n.to_string())),
                    Controller::Memory => ("memory.max", None),
                };
                if let Some(value) = value {
                    fs::write(group.folder.join(file), value)?;
                }
            }
            Ok(())
        };
        set().inspect_err(|_: &io::Error| group.remove())?;
        Ok(group)
    }

    fn remove(&self) {
        // Not empty: another unit is still in it.
        let _in_use = fs::remove_dir(&self.folder);
    }
}

impl Cgroup {
    /// The one that was made earlier.
    pub fn resume(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file by which processes come in: `0` is the one that writes.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub fn entrance(&self) -> io::Result<File> {
        File::options().write(true).open(self.folder.join("cgroup.procs"))
    }

    /// Kills everything in it, all at once: nothing can fork away (Linux 5.14).
    ///
    /// # Errors
    ///
    /// The kernel is older, or the group is gone.
    pub fn kill(&self) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.kill"), "1")
    }

    /// The processes in it, and in groups that they have made below it.
    pub fn pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        visit(&self.folder, &mut |folder| {
            let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(list.lines().filter_map(|pid| pid.parse::<u32>().ok()));
        });
        pids
    }

    /// Whether anything lives in it or below it.
    pub fn is_populated(&self) -> bool {
        self.count("cgroup.events", "populated ") > 0
    }

    /// How many of its processes the kernel has killed because memory ran out.
    pub fn oom_kills(&self) -> u64 {
        self.count("memory.events", "oom_kill ")
    }

    /// Removes it, once nothing lives in it; and the stack's, if this was the last.
    pub fn remove(&self) {
        let mut folders = Vec::new();
        visit(&self.folder, &mut |folder| folders.push(folder.to_owned()));
        for folder in folders.iter().rev() {
            // A process is still in it: the next start of the same name takes it as it is.
            let _in_use = fs::remove_dir(folder);
        }
        if let Some(stack) = self.folder.parent() {
            let _in_use = fs::remove_dir(stack);
        }
    }

    fn count(&self, file: &str, key: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

/// Where version 2 is mounted.
pub(super) struct Mount {
    pub(super) point: PathBuf,
    /// The group that is seen there.
    root: PathBuf,
}

impl Mount {
    /// Of version 2.
    pub(super) fn find() -> Option<Self> {
        Self::of_kind(|kind| kind.starts_with("cgroup2 "))
    }

    /// From proc_pid_mountinfo(5): `36 35 0:30 /root /mount options - cgroup2 …`.
    pub(super) fn of_kind(is_it: impl Fn(&str) -> bool) -> Option<Self> {
        let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
        text.lines().find_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            is_it(kind).then_some(())?;
            let mut fields = mount.split(' ').skip(3);
            Some(Self { root: fields.next()?.into(), point: fields.next()?.into() })
        })
    }

    /// The group that this process is in.
    fn own_group(&self) -> Option<PathBuf> {
        self.group_of("self")
    }

    /// The group of version 2 that a process is in.
    fn group_of(&self, process: &str) -> Option<PathBuf> {
        self.group_by(process, str::is_empty)
    }

    /// The group that a process is in, of the hierarchy with these controllers
    /// (`6:freezer:/path`, `0::/path`).
    pub(super) fn group_by(&self, process: &str, is_it: impl Fn(&str) -> bool) -> Option<PathBuf> {
        let text = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            is_it(controllers).then_some(path)
        })?;
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let folder = self.point.join(below);
        folder.is_dir().then_some(folder)
    }
}

/// Has a group give a controller to those below it.
fn hand_down(folder: &Path, controller: Controller) -> io::Result<()> {
    let name = controller.name();
    let file = folder.join("cgroup.subtree_control");
    let given = fs::read_to_string(&file)?;
    if given.split_whitespace().any(|given| given == name) {
        return Ok(());
    }
    fs::write(file, format!("+{name}"))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Visits a group and those below it, from above.
fn visit(folder: &Path, visitor: &mut impl FnMut(&Path)) {
    visitor(folder);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        visit(&entry.path(), visitor);
    }
}

/// `150000 100000` is one processor and a half.
fn cpu_max(processors: f64) -> String {
    // At least a millisecond: the kernel takes no less.
    let micros = std::time::Duration::from_micros(PERIOD).mul_f64(processors.clamp(0.01, 1e6));
    format!("{} {PERIOD}", micros.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_become_time_in_a_period() {
        assert_eq!(cpu_max(1.5), "150000 100000");
        assert_eq!(cpu_max(0.001), "1000 100000");
        assert_eq!(cpu_max(64.0), "6400000 100000");
    }

    #[test]
    fn a_group_holds_tells_and_kills_where_one_can_be_had() {
        let name = format!("test-{}", std::process::id());
        let Ok(groups) = Cgroups::find(&name, &[]) else { return };
        let group = groups.create("sleep.1", &CgroupLimits::default()).unwrap();
        assert!(!group.is_populated());
        #[expect(clippy::disallowed_methods, reason = "a process to be moved")]
        let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(group.folder().join("cgroup.procs"), sleeper.id().to_string()).unwrap();
        assert_eq!(group.pids(), [sleeper.id()]);
        assert!(group.is_populated());
        let killed = group.kill();
        let _older_kernel = sleeper.kill();
        sleeper.wait().unwrap();
        killed.unwrap();
        group.remove();
        assert!(!group.folder().exists() && !groups.folder.exists());
    }
}
