//! Users: their names, and how to be one.

use serde::{Deserialize, Serialize};

/// The name of a user as `/etc/passwd` has it (passwd(5)); the number where it has none.
pub fn user_name(uid: u32) -> String {
    let number = uid.to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.split(':').nth(2) == Some(&number));
    line.and_then(|line| line.split(':').next()).map_or(number.clone(), str::to_owned)
}

/// Our own user.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whom a process is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
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

impl Person {
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
    fn become_it(&self) -> std::io::Result<()> {
        let Self { uid, gid, groups, .. } = self;
        // SAFETY: system calls; the groups outlive them.
        let became = unsafe {
            (libc::geteuid() == *uid && libc::getegid() == *gid)
                || (libc::setgroups(groups.len().try_into().unwrap_or(0), groups.as_ptr()) == 0
                    && libc::setgid(*gid) == 0
                    && libc::setuid(*uid) == 0)
        };
        if became { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    }
}

/// A user as `/etc/passwd` and `/etc/group` have it (passwd(5), group(5)), with every group that
/// has it as a member; in this group, or in its own. Numbers stand for themselves.
///
/// # Errors
///
/// Which of them is not known, in one line.
pub fn find_user(user: &str, group: Option<&str>) -> Result<Person, String> {
    let users = rows("/etc/passwd");
    let is_it =
        |row: &&Vec<String>| [0, 2].iter().any(|&at| row.get(at).is_some_and(|f| f == user));
    let row = users.iter().find(is_it).ok_or_else(|| format!("there is no user `{user}`"))?;
    let number = |row: &[String], at: usize| row.get(at).and_then(|field| field.parse().ok());
    let (Some(uid), Some(own)) = (number(row, 2), number(row, 3)) else {
        return Err(format!("`{user}` has no numbers in /etc/passwd"));
    };
    let known = rows("/etc/group");
    let gid = match group {
        None => own,
        Some(group) => {
            let row = known.iter().find(|row| row.first().is_some_and(|name| name == group));
            let gid = row.and_then(|row| number(row, 2)).or_else(|| group.parse().ok());
            gid.ok_or_else(|| format!("there is no group `{group}`"))?
        }
    };
    let name = row.first().cloned().unwrap_or_default();
    let is_member = |row: &&Vec<String>| {
        row.get(3).is_some_and(|members| members.split(',').any(|member| member == name))
    };
    let mut groups = vec![gid];
    groups.extend(known.iter().filter(is_member).filter_map(|row| number(row, 2)));
    groups.dedup();
    let home = row.get(5).cloned().unwrap_or_else(|| "/".to_owned());
    Ok(Person { uid, gid, groups, name, home })
}

/// The lines of such a file, taken apart at the colons.
fn rows(path: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect()
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
