//! Whether a process is frozen with its cgroup, of either version (cgroups(7)).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::cgroup::Mount;
use crate::platform::Standstill;

/// By which group a process is frozen: its own, or one above it.
pub(super) fn frozen(pid: u32) -> Option<Standstill> {
    by_version_2(pid).or_else(|| by_version_1(pid))
}

fn by_version_2(pid: u32) -> Option<Standstill> {
    let mount = Mount::find()?;
    let own = mount.group_by(&pid.to_string(), str::is_empty)?;
    let group = frozen_group(&own, &mount, "cgroup.freeze")?;
    Some(Standstill::Frozen { file: group.join("cgroup.freeze"), thawed: "0" })
}

/// The freezer's documentation is in the kernel's `cgroup-v1/freezer-subsystem.rst`.
fn by_version_1(pid: u32) -> Option<Standstill> {
    let is_freezer = |list: &str| list.split(',').any(|controller| controller == "freezer");
    let options = |kind: &str| kind.rsplit(' ').next().is_some_and(is_freezer);
    let mount = Mount::of_kind(|kind| kind.starts_with("cgroup ") && options(kind))?;
    let own = mount.group_by(&pid.to_string(), is_freezer)?;
    let group = frozen_group(&own, &mount, "freezer.self_freezing")?;
    Some(Standstill::Frozen { file: group.join("freezer.state"), thawed: "THAWED" })
}

/// The nearest group from `own` upwards whose file says that it was frozen.
fn frozen_group(own: &Path, mount: &Mount, file: &str) -> Option<PathBuf> {
    let mut groups = own.ancestors().take_while(|folder| folder.starts_with(&mount.point));
    let is_frozen = |group: &&Path| {
        let asked = fs::read_to_string(group.join(file));
        asked.is_ok_and(|asked| asked.trim() == "1")
    };
    groups.find(is_frozen).map(Path::to_owned)
}
