//! Values of nodes and properties: from KDL's types to ours, as the schema's formats say.

use std::time::Duration;

use kdl::KdlValue;

use super::{name, schema::ValueSpec};
use crate::model::{
    BadStatusSet, Cron, Signal, StatusSet, VersionRange,
    duration::{self, BadDuration},
};

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
        Some("duration") => duration(text).map(Value::Duration),
        Some("interval") => match duration(text) {
            Ok(none) if none.is_zero() => Err(BadValue::Range("more than 0")),
            some => some.map(Value::Duration),
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

fn duration(text: &str) -> Result<Duration, BadValue> {
    duration::parse(text).map_err(|bad| match bad {
        BadDuration::Form => BadValue::Duration,
        BadDuration::TooLong => BadValue::Range("a hundred years or less"),
    })
}

/// `500MiB`, `1.5 GB`.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = duration::leading_number(text.trim())?;
    let unit = unit.trim();
    let (_, factor) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let bytes = number * factor;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    (bytes < 9e18).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::language::schema;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("500MiB"), Some(500 << 20));
        assert_eq!(size("1.5kb"), Some(1500));
        for bad in ["", "5", "5 XB", "MiB", "99999999TB", "999999999TiB", &"9".repeat(400)] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_and_any_number_has_an_answer(text: String, number: i128, float: f64) {
            for name in ["restart", "memory", "log", "port", "ready", "alive", "replicas", "tool"] {
                let Some(node) = schema::document().child("service").and_then(|of| of.child(name))
                else {
                    continue;
                };
                let values = node.value.iter().chain(node.props.iter().map(|prop| &prop.value));
                for spec in values {
                    let _ = parse(spec, &KdlValue::String(text.clone()), &text);
                    let _ = parse(spec, &KdlValue::Integer(number), &text);
                    let _ = parse(spec, &KdlValue::Float(float), &text);
                }
            }
        }

        #[test]
        fn any_text_is_a_size_or_none(text in "[0-9.]{0,40} ?[KMGTB]?i?B?") {
            let _ = size(&text);
        }
    }
}
