//! Versions of programs: which are wanted.

use std::str::FromStr;

use semver::{Version, VersionReq};

/// The versions of a program that are wanted: `>=18`, `>=18 <21`, `^3.11`, `~2.4`, `18` (any 18).
///
/// The signs mean what they mean to npm and Cargo (<https://docs.rs/semver>); a number without a
/// sign stands for every version that begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(VersionReq);

/// Not a range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadVersionRange;

impl FromStr for VersionRange {
    type Err = BadVersionRange;

    fn from_str(text: &str) -> Result<Self, BadVersionRange> {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let comparators: Option<Vec<String>> = parts.map(comparator).collect();
        let comparators = comparators.filter(|all| !all.is_empty()).ok_or(BadVersionRange)?;
        VersionReq::parse(&comparators.join(",")).map(Self).map_err(|_| BadVersionRange)
    }
}

/// One condition as semver writes it.
fn comparator(part: &str) -> Option<String> {
    let number = part.trim_start_matches(['>', '<', '=', '^', '~']);
    let sign = &part[..part.len() - number.len()];
    let sign = if sign.is_empty() { "=" } else { sign };
    let numbers = numbers(number)?;
    // semver knows no number of four parts; the fourth is hardly ever more than a build's.
    let numbers: Vec<String> = numbers.iter().take(3).map(u64::to_string).collect();
    Some(format!("{sign}{}", numbers.join(".")))
}

impl VersionRange {
    /// Whether a version of any number of parts is in it. What is no number is in none.
    pub fn contains(&self, version: &str) -> bool {
        let Some(numbers) = numbers(version) else { return false };
        let part = |at: usize| numbers.get(at).copied().unwrap_or(0);
        self.0.matches(&Version::new(part(0), part(1), part(2)))
    }
}

/// The parts of a version; leading zeros, as in `24.04`, count for nothing.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.strip_prefix('v').unwrap_or(version);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    version.split('.').map(|part| part.parse().ok().filter(|_| digits(part))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (version, wanted, is_in) in [
            ("20.11.1", ">=18", true),
            ("18.0", "18", true),
            ("18.3.1", "v18", true),
            ("19", "18", false),
            ("3.12", "3.11", false),
            ("3.11.9", "3.11", true),
            ("18", ">=18.0", true),
            ("3.12.1", "^3.11", true),
            ("4.0", "^3.11", false),
            ("0.3.0", "^0.2", false),
            ("0.2.9", "^0.2", true),
            ("20.1", ">=18 <21", true),
            ("21.0", ">=18, <21", false),
            ("3.11.9", "~3.11.2", true),
            ("18.3.1", "~18", true),
            ("2.1", ">2", false),
            ("3", ">2", true),
            ("24.04", ">=24.4", true),
            ("10.0.19041.1", "10", true),
            ("nightly", "1", false),
        ] {
            let range: VersionRange = wanted.parse().unwrap();
            assert_eq!(range.contains(version), is_in, "{version} in {wanted}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", " ", ">=", "a", "1.", ".1", "=>1", "1.x", ">=18 || <3", "1.+2"] {
            assert_eq!(text.parse::<VersionRange>(), Err(BadVersionRange), "{text}");
        }
        assert!("99999999999999999999".parse::<VersionRange>().is_err());
    }
}
