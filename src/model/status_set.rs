//! HTTP statuses that will do.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The statuses there are (RFC 9110, section 15).
const ALL: RangeInclusive<u16> = 100..=599;

/// A set of HTTP statuses, as it is written: `204`, `200-299,404`, `2xx,3xx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<RangeInclusive<u16>>);

/// Why a text is no set of statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadStatusSet {
    /// This part is neither a status nor a range of them.
    Part(String),
    /// This part begins with a larger status than it ends with.
    Backwards(String),
    /// No answer has the statuses of this part.
    OutOfRange(String),
}

impl StatusSet {
    /// The set of this status alone, if there is such a status.
    pub fn of(status: u16) -> Option<Self> {
        ALL.contains(&status).then(|| Self(vec![status..=status]))
    }

    /// Whether an answer of this status will do.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl FromStr for StatusSet {
    type Err = BadStatusSet;

    fn from_str(text: &str) -> Result<Self, BadStatusSet> {
        text.split(',').map(|part| range(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn range(part: &str) -> Result<RangeInclusive<u16>, BadStatusSet> {
    let bad = || BadStatusSet::Part(part.to_owned());
    let number = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten().ok_or_else(bad)
    };
    let range = if let Some(class) = part.strip_suffix("xx").or_else(|| part.strip_suffix("XX")) {
        let class = number(&format!("{class}00"))?;
        class..=class + 99
    } else if let Some((first, last)) = part.split_once('-') {
        number(first.trim())?..=number(last.trim())?
    } else {
        let status = number(part)?;
        status..=status
    };
    if range.is_empty() {
        return Err(BadStatusSet::Backwards(part.to_owned()));
    }
    if !ALL.contains(range.start()) || !ALL.contains(range.end()) {
        return Err(BadStatusSet::OutOfRange(part.to_owned()));
    }
    Ok(range)
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{first}")?,
                (first, last) => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for StatusSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A stack that was applied by an earlier version has a number.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Kept {
            One(u16),
            Text(String),
        }
        let set = match Kept::deserialize(deserializer)? {
            Kept::One(status) => Self::of(status),
            Kept::Text(text) => text.parse().ok(),
        };
        set.ok_or_else(|| serde::de::Error::custom("not a set of HTTP statuses"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_several_and_ranges() {
        for (text, shown, has, has_not) in [
            ("204", "204", vec![204], vec![200, 205]),
            ("200-299,404", "200-299,404", vec![200, 299, 404], vec![199, 300, 403]),
            (" 2xx , 3XX ", "200-299,300-399", vec![200, 399], vec![400]),
            ("100 - 599", "100-599", vec![100, 599], vec![600]),
        ] {
            let set: StatusSet = text.parse().unwrap();
            assert_eq!(set.to_string(), shown);
            assert!(has.into_iter().all(|status| set.contains(status)), "{text}");
            assert!(!has_not.into_iter().any(|status| set.contains(status)), "{text}");
            let json = serde_json::to_string(&set).unwrap();
            assert_eq!(serde_json::from_str::<StatusSet>(&json).unwrap(), set);
        }
        assert_eq!(serde_json::from_str::<StatusSet>("204").unwrap().to_string(), "204");
    }

    #[test]
    fn what_is_no_set_says_which_part() {
        for (text, bad) in [
            ("", BadStatusSet::Part(String::new())),
            ("200,", BadStatusSet::Part(String::new())),
            ("200;404", BadStatusSet::Part("200;404".into())),
            ("200,ok", BadStatusSet::Part("ok".into())),
            ("20", BadStatusSet::Part("20".into())),
            ("+20", BadStatusSet::Part("+20".into())),
            ("200-", BadStatusSet::Part("200-".into())),
            ("xx", BadStatusSet::Part("xx".into())),
            ("299-200", BadStatusSet::Backwards("299-200".into())),
            ("200, 6xx", BadStatusSet::OutOfRange("6xx".into())),
            ("099", BadStatusSet::OutOfRange("099".into())),
            ("500-600", BadStatusSet::OutOfRange("500-600".into())),
        ] {
            assert_eq!(text.parse::<StatusSet>(), Err(bad), "{text}");
        }
    }
}
