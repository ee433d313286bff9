//! Names of users, for people.

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

/// The numbers of a user and a group as `/etc/passwd` and `/etc/group` have them (passwd(5),
/// group(5)); the user's own group without one. Numbers stand for themselves.
///
/// # Errors
///
/// Which of them is not known, in one line.
pub fn find_user(user: &str, group: Option<&str>) -> Result<(u32, u32), String> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let found = users.lines().map(fields).find(|fields| {
        fields.first().is_some_and(|name| name == user)
            || fields.get(2).is_some_and(|number| number == user)
    });
    let number = |fields: &[String], index: usize| fields.get(index)?.parse().ok();
    let own = found.as_deref().and_then(|fields| Some((number(fields, 2)?, number(fields, 3)?)));
    let (uid, own_group) = own.ok_or_else(|| format!("there is no user `{user}`"))?;
    let Some(group) = group else { return Ok((uid, own_group)) };
    if let Ok(gid) = group.parse() {
        return Ok((uid, gid));
    }
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let found =
        groups.lines().map(fields).find(|fields| fields.first().is_some_and(|n| n == group));
    let gid = found.as_deref().and_then(|fields| number(fields, 2));
    Ok((uid, gid.ok_or_else(|| format!("there is no group `{group}`"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        assert_eq!(find_user("root", None), Ok((0, 0)));
        assert_eq!(find_user("0", Some("root")), Ok((0, 0)));
        assert_eq!(user_name(0), "root");
        assert!(find_user("no-such-user", None).unwrap_err().contains("`no-such-user`"));
        assert!(find_user("root", Some("no-such-group")).unwrap_err().contains("group"));
    }
}
