//! The wording of values that will not do.

use kdl::KdlValue;

use super::{
    Description,
    description::{near, or},
};
use crate::{
    language::{name, schema::ValueSpec, source::Span, value::BadValue},
    model::{BadStatusSet, Signal},
};

/// A value that will not do, in words.
pub(super) fn describe(
    of: &str,
    spec: &ValueSpec,
    value: &KdlValue,
    bad: &BadValue,
    at: Span,
) -> Description {
    let text = value.as_string().unwrap_or_default();
    match bad {
        BadValue::Type => wrong_type(of, spec, value, at),
        BadValue::Choice => {
            let all: Vec<String> = spec.choices.iter().map(|c| format!("`\"{c}\"`")).collect();
            Description::new("bad-value", format!("`{of}` cannot be `{text}`"))
                .at(at, format!("expected {}", or(&all)))
                .maybe_help(near(text, &spec.choices))
                .help(format!("write {}", or(&all)))
        }
        BadValue::Duration => {
            Description::new("bad-time", format!("`{}` is not a duration", shown(value)))
                .at(at, "a number and a unit: ms, s, m, h or d")
                .help(example(value, "s"))
        }
        BadValue::Size => Description::new("bad-size", format!("`{}` is not a size", shown(value)))
            .at(at, "a number and a unit: KiB, MiB, GiB, KB, MB or GB")
            .help(example(value, "MiB")),
        BadValue::Signal => {
            let names: Vec<&str> = Signal::names().collect();
            Description::new("bad-signal", format!("there is no signal `{text}`"))
                .at(at, "a name such as `SIGTERM`")
                .maybe_help(near(text, &names))
                .help("names are those of `kill -l`: `SIGTERM`, `SIGINT`, `SIGHUP`")
        }
        BadValue::Statuses(bad) => statuses(bad, text, at),
        BadValue::Name => {
            let suggestion = name::suggestion(text);
            let help = name::is_valid(&suggestion).then(|| format!("for example `{suggestion}`"));
            Description::new("bad-name", format!("`{text}` cannot be a name"))
                .at(at, "use lower-case letters, digits, `-` and `_`")
                .maybe_help(help)
                .help("for example `api-2`")
        }
        BadValue::Empty => Description::new("bad-value", format!("`{of}` cannot be empty"))
            .at(at, "empty")
            .help("give it a value, or remove it"),
        BadValue::Nul => Description::new("bad-value", format!("`{of}` cannot contain a NUL"))
            .at(at, "a NUL character: `\\u{0}`")
            .help("no argument, variable or path can contain one: remove it"),
        BadValue::Range(range) => {
            let shown = shown(value);
            Description::new("bad-value", format!("`{of}` cannot be {shown}"))
                .at(at, format!("expected {range}"))
                .help(match value {
                    KdlValue::String(_) => "leave it out for its default".to_owned(),
                    _ => format!("write a number: {range}"),
                })
        }
        BadValue::Schedule(reason) => Description::new("bad-schedule", "this is not a schedule")
            .at(at, reason)
            .help("minute, hour, day of month, month, day of week: `*/5 * * * *`"),
        BadValue::Version => {
            Description::new("bad-version", format!("`{text}` is not a version requirement"))
                .at(at, "no number to compare with")
                .help("for example `>=18` or `>=1.2, <2`")
        }
    }
}

fn statuses(bad: &BadStatusSet, text: &str, at: Span) -> Description {
    let (part, why) = match bad {
        BadStatusSet::Part(part) if part.is_empty() => (part, "a status is missing".to_owned()),
        BadStatusSet::Part(part) => (part, format!("`{part}` is neither a status nor a range")),
        BadStatusSet::Backwards(part) => (part, format!("`{part}` ends before it begins")),
        BadStatusSet::OutOfRange(part) => (part, format!("`{part}` is not within 100 to 599")),
    };
    let turned = part.split_once('-').filter(|_| matches!(bad, BadStatusSet::Backwards(_)));
    let turned =
        turned.map(|(first, last)| format!("for example `{}-{}`", last.trim(), first.trim()));
    Description::new("bad-status", format!("`{text}` is not a set of HTTP statuses"))
        .at(at, why)
        .maybe_help(turned)
        .help("one or more, separated by commas: `204`, `200-299,404`, `2xx,3xx`")
}

fn wrong_type(of: &str, spec: &ValueSpec, value: &KdlValue, at: Span) -> Description {
    let is = match value {
        KdlValue::String(_) => "a string",
        KdlValue::Integer(_) | KdlValue::Float(_) => "a number",
        KdlValue::Bool(_) => "a boolean",
        KdlValue::Null => "null",
    };
    let name = |type_: &String| match type_.as_str() {
        "string" => "a string".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "`#true` or `#false`".to_owned(),
        _ => "`#null`".to_owned(),
    };
    let wanted: Vec<String> = spec.types.iter().map(name).collect();
    let takes = |type_: &str| spec.types.iter().any(|known| known == type_);
    let help = match value {
        KdlValue::String(text) if takes("boolean") && is_boolean(text) => {
            Some(format!("write `#{text}`"))
        }
        KdlValue::String(text) if takes("number") && text.parse::<f64>().is_ok() => {
            Some(format!("without the quotes: `{text}`"))
        }
        KdlValue::Bool(_) if spec.format.as_deref() == Some("statuses") => None,
        KdlValue::Integer(_) | KdlValue::Float(_) | KdlValue::Bool(_) if takes("string") => {
            Some(format!("in quotes: `\"{}\"`", shown(value).trim_start_matches('#')))
        }
        KdlValue::Integer(number @ (0 | 1)) if takes("boolean") => {
            Some(format!("write `{}`", if *number == 1 { "#true" } else { "#false" }))
        }
        _ => None,
    };
    Description::new("wrong-type", format!("`{of}` takes {}, not {is}", or(&wanted)))
        .at(at, is)
        .maybe_help(help)
        .help(format!("write {}", or(&wanted)))
}

fn is_boolean(text: &str) -> bool {
    matches!(text, "true" | "false")
}

/// The value as a message shows it.
fn shown(value: &KdlValue) -> String {
    match value {
        KdlValue::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What may have been meant: the number with a unit, in quotes.
fn example(value: &KdlValue, unit: &str) -> String {
    let digits = |c: &char| c.is_ascii_digit() || *c == '.';
    let number: String = shown(value).chars().take_while(digits).collect();
    let number = if number.is_empty() { "10" } else { number.as_str() };
    format!("for example `\"{number}{unit}\"`")
}
