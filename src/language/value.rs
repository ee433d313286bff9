//! Values of nodes and properties: from KDL's types to ours, as the schema's formats say.

use std::time::Duration;

use kdl::KdlValue;

use super::{name, schema::ValueSpec};
use crate::model::{BadStatusSet, Cron, Signal, StatusSet, VersionRange};

/// More copies of one service than anybody runs on one machine.
const MOST_REPLICAS: i128 = 1000;

/// A value of the right type and format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A string; `{{values}}`, globs and regular expressions are not looked into yet.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
    /// A time.
    Duration(Duration),
    /// Bytes.
    Size(u64),
    /// A signal.
    Signal(Signal),
    /// HTTP statuses.
    Statuses(StatusSet),
}

/// Why a value will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadValue {
    /// It is of another type.
    Type,
    /// None of the listed ones.
    Choice,
    /// A time without a unit or with an unknown one.
    Duration,
    /// A size without a unit or with an unknown one.
    Size,
    /// Not the name of a signal.
    Signal,
    /// Not a set of HTTP statuses.
    Statuses(BadStatusSet),
    /// Not a name of the language.
    Name,
    /// An empty string.
    Empty,
    /// A string with a NUL in it, which no argument, variable or path can hold.
    Nul,
    /// A number outside its range.
    Range(&'static str),
    /// Not five cron fields.
    Schedule(String),
    /// Not a version requirement.
    Version,
}

/// The value, if it is what `spec` asks for.
pub(super) fn parse(spec: &ValueSpec, value: &KdlValue, spelling: &str) -> Result<Value, BadValue> {
    let is = |type_: &str| spec.types.iter().any(|known| known == type_);
    match value {
        KdlValue::String(text) if is("string") => string(spec, text),
        KdlValue::Integer(number) if is("number") => integer(spec, *number, spelling),
        KdlValue::Float(number) if is("number") => float(spec, *number, spelling),
        KdlValue::Bool(yes) if is("boolean") => Ok(Value::Bool(*yes)),
        KdlValue::Null if is("null") => Ok(Value::Null),
        // A number where a time or a size belongs lacks its unit.
        KdlValue::Integer(_) | KdlValue::Float(_) => Err(match spec.format.as_deref() {
            Some("duration" | "interval") => BadValue::Duration,
            Some("size") => BadValue::Size,
            _ => BadValue::Type,
        }),
        KdlValue::String(_) | KdlValue::Bool(_) | KdlValue::Null => Err(BadValue::Type),
    }
}

fn string(spec: &ValueSpec, text: &str) -> Result<Value, BadValue> {
    if text.contains('\0') {
        return Err(BadValue::Nul);
    }
    if !spec.choices.is_empty() {
        let known = spec.choices.iter().any(|choice| choice == text);
        return if known { Ok(Value::Text(text.to_owned())) } else { Err(BadValue::Choice) };
    }
    let kept = Value::Text(text.to_owned());
    match spec.format.as_deref() {
        Some("duration") => duration(text).map(Value::Duration).ok_or(BadValue::Duration),
        Some("interval") => match duration(text) {
            Some(none) if none.is_zero() => Err(BadValue::Range("more than 0")),
            some => some.map(Value::Duration).ok_or(BadValue::Duration),
        },
        Some("size") => match size(text) {
            Some(0) => Err(BadValue::Range("more than 0")),
            some => some.map(Value::Size).ok_or(BadValue::Size),
        },
        Some("signal" | "exit") => Signal::from_name(text)
            .filter(|_| !text.starts_with(|first: char| first.is_ascii_digit()))
            .map(Value::Signal)
            .ok_or(BadValue::Signal),
        Some("name" | "statuses") if text.trim().is_empty() => Err(BadValue::Empty),
        Some("statuses") => text.parse().map(Value::Statuses).map_err(BadValue::Statuses),
        Some("name") => name::is_valid(text).then_some(kept).ok_or(BadValue::Name),
        Some("cron") => text.parse::<Cron>().map(|_| kept).map_err(BadValue::Schedule),
        Some("version") => {
            text.parse::<VersionRange>().map(|_| kept).map_err(|_| BadValue::Version)
        }
        // An empty text may be meant: a variable's value, an argument.
        Some("text") => Ok(kept),
        _ if text.trim().is_empty() => Err(BadValue::Empty),
        _ => Ok(kept),
    }
}

fn integer(spec: &ValueSpec, number: i128, spelling: &str) -> Result<Value, BadValue> {
    let (range, says) = match spec.format.as_deref() {
        Some("statuses") => {
            let one = u16::try_from(number).ok().and_then(StatusSet::of);
            return one.map(Value::Statuses).ok_or(BadValue::Range("100 to 599"));
        }
        Some("count") => (0..=i128::from(u32::MAX), "0 or more"),
        Some("positive") => (1..=i128::from(u32::MAX), "1 or more"),
        Some("replicas") => (1..=MOST_REPLICAS, "1 to 1000"),
        Some("port" | "port-ref") => (1..=65535, "1 to 65535"),
        Some("exit") => (0..=255, "0 to 255"),
        Some("amount") => (1..=i128::from(u32::MAX), "more than 0"),
        // A variable is a string in the end: as it was written.
        Some("text") => return Ok(Value::Text(spelling.to_owned())),
        _ => (i128::from(i64::MIN)..=i128::from(i64::MAX), "a number"),
    };
    let in_range = range.contains(&number).then(|| i64::try_from(number).ok()).flatten();
    in_range.map(Value::Int).ok_or(BadValue::Range(says))
}

fn float(spec: &ValueSpec, number: f64, spelling: &str) -> Result<Value, BadValue> {
    match spec.format.as_deref() {
        Some("text") => Ok(Value::Text(spelling.to_owned())),
        Some("amount") if number > 0.0 && number.is_finite() => Ok(Value::Float(number)),
        Some("amount") => Err(BadValue::Range("more than 0")),
        _ => Err(BadValue::Range("a whole number")),
    }
}

/// The units of time, in milliseconds.
const TIMES: [(&str, f64); 5] =
    [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3600e3), ("d", 86_400e3)];

/// The units of size, in bytes.
const SIZES: [(&str, f64); 9] = [
    ("B", 1.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// `1m30s`, `1.5h`: one or more numbers with a unit each.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis = 0.0;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        millis += number * TIMES.iter().find(|(name, _)| *name == unit)?.1;
        rest = next.trim_start();
    }
    // A century is enough, and keeps every sum of times in range.
    (!text.trim().is_empty() && millis <= 3.2e12).then(|| Duration::from_secs_f64(millis / 1e3))
}

/// `500MiB`, `1.5 GB`.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text.trim())?;
    let unit = unit.trim();
    let (_, factor) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let bytes = number * factor;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    (bytes < 9e18).then_some(bytes as u64)
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        for bad in ["", "5", "s", "5 parsecs", "-1s", "1.2.3s", "99999999d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("500MiB"), Some(500 << 20));
        assert_eq!(size("1.5kb"), Some(1500));
        for bad in ["", "5", "5 XB", "MiB", "99999999TB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
