//! What root may do here: in a container that is often less than on a machine. Tried, because
//! capabilities, filters of system calls and security modules each have a say.

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::{note, root_for};

/// Whether this is root, who may mount file systems.
#[must_use]
pub(crate) fn may_mount() -> bool {
    root_for("it mounts a file system") && {
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        let mounted = mount("stackrun-test", folder.path(), "tmpfs", MountFlags::empty(), c"");
        let _ = unmount(folder.path(), UnmountFlags::DETACH);
        mounted.is_ok() || note("root may not mount anything here")
    }
}

/// Whether this is root, who may make a world of mounts and processes of its own.
#[must_use]
pub(crate) fn may_make_worlds() -> bool {
    may_unshare("a world of its own", &["--mount", "--pid", "--fork", "--mount-proc"])
}

/// Whether this is root, who may make namespaces of clocks (time_namespaces(7)).
#[must_use]
pub(crate) fn may_make_clocks() -> bool {
    may_unshare("a clock of its own", &["--time", "--boottime", "3600", "--fork"])
}

/// Whether this is root, who may make namespaces of networks (network_namespaces(7)).
#[must_use]
pub(crate) fn may_make_networks() -> bool {
    may_unshare("a network of its own", &["--net"])
}

/// Whether this is root, who may make such namespaces (namespaces(7)).
fn may_unshare(what: &str, options: &[&str]) -> bool {
    root_for(&format!("it makes {what}")) && {
        let made = Command::new("unshare").args(options).args(["--", "true"]).output();
        made.is_ok_and(|made| made.status.success())
            || note(&format!("root may not make {what} here"))
    }
}

/// Whether this is root, who may choose the number of a process (CAP_CHECKPOINT_RESTORE or
/// CAP_SYS_ADMIN, see clone3(2)).
#[must_use]
pub(crate) fn may_choose_numbers() -> bool {
    const CAPABILITIES: u64 = 1 << 40 | 1 << 21;
    root_for("it chooses the number of a process") && {
        let status = fs::read_to_string("/proc/self/status").expect("our status");
        let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let held = held.and_then(|held| u64::from_str_radix(held.trim(), 16).ok());
        held.is_some_and(|held| held & CAPABILITIES != 0)
            || note("root may not choose the number of a process here")
    }
}

/// Whether this is root, who makes cgroups and reads in the kernel's log whom it has killed, by
/// numbers that are right here: it does not know those of a container.
#[must_use]
pub(crate) fn may_read_the_kernel_log() -> bool {
    // The number of the first namespace of processes never changes.
    const FIRST: u64 = 0xeffffffc;
    root_for("it makes a cgroup, and reads the kernel's log") && {
        let is_first = fs::metadata("/proc/self/ns/pid").is_ok_and(|data| data.ino() == FIRST);
        let may_read = stackrun::platform::oom_killed(std::process::id()).is_some();
        is_first && may_read || note("the kernel's log cannot be read here, or says other numbers")
    }
}
