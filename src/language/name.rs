//! Names of services, tasks, groups and variables.

use crate::model::nearest;

/// The names that mean something in `{{…}}`.
const RESERVED: [&str; 8] = ["port", "env", "stack", "name", "dir", "data", "now", "replica"];

/// `[a-z0-9][a-z0-9_-]*`.
pub(super) fn is_valid(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(rest)
}

/// Whether a service, task or group cannot be called that.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// What the name may have been meant to be: `My App` → `my-app`.
pub(super) fn suggestion(name: &str) -> String {
    let lower = name.to_lowercase();
    let mapped = lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' });
    mapped.collect::<String>().trim_matches(['-', '_']).to_owned()
}

/// Whether `name` may be meant for what is called `wrong`, which is no name.
pub(super) fn is_meant(name: &str, wrong: &str) -> bool {
    !is_valid(wrong) && (suggestion(wrong) == name || nearest(name, [wrong]).is_some())
}

/// A variable's name: `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What a variable's name may have been meant to be: `my-key` → `my_key`.
pub(super) fn variable(name: &str) -> String {
    let valid = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mapped: String = name.chars().map(valid).collect();
    if is_variable(&mapped) { mapped } else { format!("_{mapped}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(is_valid("api-2_x") && is_valid("2api"));
        assert!(!is_valid("") && !is_valid("Api") && !is_valid("-a") && !is_valid("a b"));
        assert_eq!(suggestion("My App"), "my-app");
        assert!(is_meant("my-app", "My App") && is_meant("my_app", "My App"));
        assert!(!is_meant("db", "My App") && !is_meant("ap", "api"));
    }
}
