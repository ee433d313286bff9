//! Lines of logs that are JSON objects, made readable: the level, the message, then the rest.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::theme::{Theme, Tone};

/// Names before numbers: Monolog writes both.
const LEVELS: [&str; 10] = [
    "levelname",
    "level_name",
    "level",
    "lvl",
    "severity",
    "log.level",
    "loglevel",
    "log_level",
    "@l",
    "s",
];
const MESSAGES: [&str; 6] = ["msg", "message", "short_message", "@m", "@mt", "event"];
/// When it was written: as good as when it came.
const TIMES: [&str; 8] =
    ["time", "ts", "timestamp", "@timestamp", "t", "@t", "asctime", "datetime"];

/// The line readable; `None` if it is no JSON object with a level or a message.
pub(super) fn readable(line: &str, theme: Theme) -> Option<String> {
    let line = line.trim();
    if !line.starts_with('{') || !line.ends_with('}') {
        return None;
    }
    let Fields(mut fields) = serde_json::from_str(line).ok()?;
    unfold(&mut fields);
    let is_syslog = fields.iter().any(|(key, _)| key == "short_message");
    let level = take(&mut fields, &LEVELS).map(|level| name_of(&level, is_syslog));
    let message = take(&mut fields, &MESSAGES);
    if level.is_none() && message.is_none() {
        return None;
    }
    let _when = take(&mut fields, &TIMES);
    let level = level.map(|level| theme.paint(tone_of(&level), format!("{level:<5}")));
    let message = message.map(|message| match message {
        Value::String(text) => shown(&text),
        other => other.to_string(),
    });
    let rest: Vec<String> =
        fields.iter().map(|(key, value)| format!("{}={}", shown(key), value_of(value))).collect();
    let rest = (!rest.is_empty()).then(|| theme.paint(Tone::Faint, rest.join(" ")));
    let parts: Vec<String> = level.into_iter().chain(message).chain(rest).collect();
    Some(parts.join(" "))
}

/// The fields of `fields`, where a message is among them (as tracing writes it), come first.
fn unfold(fields: &mut Vec<(String, Value)>) {
    let has_message = |value: &Value| MESSAGES.iter().any(|key| value.get(key).is_some());
    let place = fields.iter().position(|(key, value)| key == "fields" && has_message(value));
    if let Some(place) = place
        && let Value::Object(inner) = fields.remove(place).1
    {
        let rest = std::mem::take(fields);
        *fields = inner.into_iter().chain(rest).collect();
    }
}

/// Takes out the first of these that is there.
fn take(fields: &mut Vec<(String, Value)>, keys: &[&str]) -> Option<Value> {
    let place = keys.iter().find_map(|key| fields.iter().position(|(name, _)| name == key))?;
    Some(fields.remove(place).1)
}

/// The level's name; some write numbers instead: of syslog (RFC 5424, 6.2.1) or of Bunyan.
fn name_of(level: &Value, is_syslog: bool) -> String {
    const SYSLOG: [&str; 8] =
        ["EMERG", "ALERT", "CRIT", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG"];
    match level {
        // MongoDB's.
        Value::String(name) if name.len() <= 2 => match name.as_bytes() {
            b"F" => "FATAL".to_owned(),
            b"E" => "ERROR".to_owned(),
            b"W" => "WARN".to_owned(),
            b"I" => "INFO".to_owned(),
            [b'D', ..] => "DEBUG".to_owned(),
            _ => shown(name).to_uppercase(),
        },
        Value::String(name) => shown(name).to_uppercase(),
        Value::Number(number) if is_syslog => {
            let name = number.as_u64().and_then(|level| SYSLOG.get(usize::try_from(level).ok()?));
            name.map_or_else(|| number.to_string(), ToString::to_string)
        }
        Value::Number(number) => match number.as_u64() {
            Some(..20) => "TRACE".to_owned(),
            Some(20..30) => "DEBUG".to_owned(),
            Some(30..40) => "INFO".to_owned(),
            Some(40..50) => "WARN".to_owned(),
            Some(50..60) => "ERROR".to_owned(),
            Some(60) => "FATAL".to_owned(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn tone_of(level: &str) -> Tone {
    match level {
        "ERROR" | "ERR" | "FATAL" | "PANIC" | "CRITICAL" | "CRIT" | "ALERT" | "EMERG"
        | "EMERGENCY" => Tone::Bad,
        "WARN" | "WARNING" => Tone::Warn,
        "DEBUG" | "TRACE" => Tone::Faint,
        _ => Tone::Good,
    }
}

fn value_of(value: &Value) -> String {
    let is_word = |text: &str| {
        !text.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"=".contains(c))
    };
    match value {
        Value::String(text) if is_word(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text that stays in its line, and sends nothing to the terminal.
fn shown(text: &str) -> String {
    match text.contains(char::is_control) {
        false => text.to_owned(),
        true => text.chars().flat_map(letter).collect(),
    }
}

fn letter(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = escaped.is_none().then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}

/// An object's fields in the order in which they stand there.
struct Fields(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_message_and_the_rest_in_order() {
        let shown = |line| readable(line, Theme::PLAIN);
        let pino =
            r#"{"level":30,"time":1700000000000,"pid":7,"msg":"listening on 8000","port":8000}"#;
        assert_eq!(shown(pino).unwrap(), "INFO  listening on 8000 pid=7 port=8000");
        let slog = r#"{"time":"2026-01-01","level":"error","msg":"no \u001b[31mway\n","err":"a b","o":{"x":[1]}}"#;
        let expected = "ERROR no \\u{1b}[31mway\\n err=\"a b\" o={\"x\":[1]}";
        assert_eq!(shown(slog).unwrap(), expected);
        assert_eq!(shown(r#"{"message":"hello"}"#).unwrap(), "hello");
        assert_eq!(shown(r#" {"severity":"warning"} "#).unwrap(), "WARNING");
        for (line, expected) in [
            (
                r#"{"asctime":"2026","levelname":"INFO","name":"app","message":"hi"}"#,
                "INFO  hi name=app",
            ),
            (r#"{"level":"info","ts":1.5,"caller":"a.go:1","msg":"hi"}"#, "INFO  hi caller=a.go:1"),
            (
                r#"{"name":"app","hostname":"h","pid":1,"level":50,"msg":"no","time":"t","v":0}"#,
                "ERROR no name=app hostname=h pid=1 v=0",
            ),
            (
                r#"{"timestamp":"t","level":"WARN","fields":{"message":"hi","n":1},"target":"a::b"}"#,
                "WARN  hi n=1 target=a::b",
            ),
            (r#"{"t":{"$date":"x"},"s":"I","c":"NETWORK","msg":"hi"}"#, "INFO  hi c=NETWORK"),
            (
                r#"{"message":"hi","level":200,"level_name":"INFO","datetime":"x"}"#,
                "INFO  hi level=200",
            ),
            (r#"{"version":"1.1","short_message":"hi","level":3}"#, "ERROR hi version=1.1"),
            (r#"{"@t":"x","@m":"hi","@l":"Error"}"#, "ERROR hi"),
            (r#"{"event":"hi","level":"info","timestamp":"t"}"#, "INFO  hi"),
        ] {
            assert_eq!(shown(line).as_deref(), Some(expected));
        }
        for other in ["{}", "{\"a\":1}", "[1]", "{not json}", "text", "{\"msg\":1"] {
            assert_eq!(shown(other), None, "{other}");
        }
    }
}
