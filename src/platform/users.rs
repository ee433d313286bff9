//! Users and groups, as the system's name service knows them (nsswitch.conf(5)): those of files,
//! of a directory server, or of whatever else the machine is set up for.

use std::{
    ffi::{CStr, CString},
    io,
};

use nix::unistd::{Gid, Group, Uid, User};
use serde::{Deserialize, Serialize};

/// The name of a user (getpwuid_r(3)); the number where it has none.
pub fn user_name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => uid.to_string(),
    }
}

/// Our own user.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whom a process is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The numbers of all groups, that one included.
    pub groups: Vec<u32>,
    /// The user's name.
    pub name: String,
    /// The user's folder.
    pub home: String,
}

impl RunAs {
    /// Has a command run as this person, who it may be already.
    pub fn runs(self, command: &mut std::process::Command) {
        use std::os::unix::process::CommandExt;
        let become_it = move || self.become_it();
        // SAFETY: it runs in the child between fork and exec, and makes system calls alone, on
        // memory that the closure has brought along.
        unsafe { command.pre_exec(become_it) };
    }

    /// What a login sets.
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        [("USER", &self.name), ("LOGNAME", &self.name), ("HOME", &self.home)]
    }

    /// Groups first, the user last. For a process that is about to execute its program.
    #[cfg_attr(
        target_os = "linux",
        expect(clippy::useless_conversion, reason = "elsewhere it counts in another type")
    )]
    pub(super) fn become_it(&self) -> io::Result<()> {
        let Self { uid, gid, groups, .. } = self;
        // SAFETY: system calls; the groups outlive them.
        let became = unsafe {
            (libc::geteuid() == *uid && libc::getegid() == *gid)
                || (libc::setgroups(groups.len().try_into().unwrap_or(0), groups.as_ptr()) == 0
                    && libc::setgid(*gid) == 0
                    && libc::setuid(*uid) == 0)
        };
        if became { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// A user by name or number (getpwnam_r(3)), with every group that has it as a member
/// (getgrouplist(3)); in this group, by name or number, or in its own. A number without a name is
/// no user: nothing would say which groups and folder it has.
///
/// # Errors
///
/// Which of them is not known, or what the name service said, in one line.
pub fn find_user(user: &str, group: Option<&str>) -> Result<RunAs, String> {
    let found = match User::from_name(user) {
        Ok(None) => user.parse().map_or(Ok(None), |uid| User::from_uid(Uid::from_raw(uid))),
        by_name => by_name,
    };
    let found = found.map_err(|error| format!("the user `{user}` cannot be looked up: {error}"))?;
    let found = found.ok_or_else(|| format!("there is no user `{user}`"))?;
    let gid = group.map_or(Ok(found.gid), find_group)?;
    let name = CString::new(&*found.name).map_err(|error| error.to_string())?;
    let groups = groups_of(&name, gid.as_raw())
        .map_err(|error| format!("the groups of `{user}` cannot be looked up: {error}"))?;
    Ok(RunAs {
        uid: found.uid.as_raw(),
        gid: gid.as_raw(),
        groups,
        name: found.name,
        home: found.dir.to_string_lossy().into_owned(),
    })
}

/// How many groups a user may have at most (NGROUPS_MAX of Linux: there is no larger one).
const GROUPS_MAX: usize = 1 << 16;

/// The numbers of all groups that a user is a member of, `gid` first (getgrouplist(3)).
fn groups_of(user: &CStr, gid: u32) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; 32];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).map_err(io::Error::other)?;
        // SAFETY: there is room for as many groups as `count` says; it says how many there are.
        let found = unsafe {
            libc::getgrouplist(user.as_ptr(), gid as _, groups.as_mut_ptr(), &raw mut count)
        };
        if found >= 0 {
            groups.truncate(usize::try_from(count).map_err(io::Error::other)?);
            let numbers = groups.into_iter().map(TryInto::try_into);
            return numbers.collect::<Result<_, _>>().map_err(io::Error::other);
        }
        if groups.len() >= GROUPS_MAX {
            return Err(io::Error::other("too many groups"));
        }
        groups.resize(groups.len() * 2, 0);
    }
}

fn find_group(group: &str) -> Result<Gid, String> {
    match Group::from_name(group) {
        Ok(Some(found)) => Ok(found.gid),
        Ok(None) => {
            let number = group.parse().map(Gid::from_raw);
            number.map_err(|_| format!("there is no group `{group}`"))
        }
        Err(error) => Err(format!("the group `{group}` cannot be looked up: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = find_user("root", None).unwrap();
        assert_eq!((root.uid, root.gid, root.groups.first()), (0, 0, Some(&0)));
        assert_eq!((&*root.name, &*root.home), ("root", "/root"));
        assert_eq!(find_user("0", Some("root")).unwrap(), root);
        assert_eq!(user_name(0), "root");
        assert!(find_user("no-such-user", None).unwrap_err().contains("`no-such-user`"));
        assert!(find_user("root", Some("no-such-group")).unwrap_err().contains("group"));
    }
}
