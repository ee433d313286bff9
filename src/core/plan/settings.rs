//! A service as a flat list of settings, so that two definitions can be compared and the difference
//! told: one table says of each what a change of it does to a process that runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Change, TakesEffect};
use crate::model::{EnvValue, Port, Service, Text};

/// Where a setting is in the definition as JSON (RFC 6901), what the stack file calls it, and when
/// a change of it takes effect.
type Row = (&'static str, &'static str, TakesEffect);

/// The settings of a service, but for its variables and ports. What a row names is no part of the
/// rows below it.
const SETTINGS: &[Row] = &[
    ("/command/run", "run", TakesEffect::Restart),
    ("/command/shell/script", "shell", TakesEffect::Restart),
    ("/command/shell/with", "shell.with", TakesEffect::Restart),
    ("/dir", "dir", TakesEffect::Restart),
    ("/limits", "limit", TakesEffect::Restart),
    ("/log/split", "log.split", TakesEffect::Restart),
    ("/stdin_open", "stdin", TakesEffect::Restart),
    ("/user", "user", TakesEffect::Restart),
    ("/tty", "tty", TakesEffect::Restart),
    ("/color", "color", TakesEffect::Restart),
    ("/ready", "ready", TakesEffect::NextStart),
    ("/hooks/before_start", "before-start", TakesEffect::NextStart),
    ("/tools", "tool", TakesEffect::NextStart),
    ("/autostart", "autostart", TakesEffect::Live),
    ("/needs", "needs", TakesEffect::Live),
    ("/after", "after", TakesEffect::Live),
    ("/alive", "alive", TakesEffect::Live),
    ("/restart", "restart", TakesEffect::Live),
    ("/succeeds_with", "succeeds-with", TakesEffect::Live),
    ("/stop", "stop", TakesEffect::Live),
    ("/cleanup", "cleanup", TakesEffect::Live),
    ("/memory_max", "memory", TakesEffect::Live),
    ("/log", "log", TakesEffect::Live),
    ("/watch", "watch", TakesEffect::Live),
    ("/hooks/after_ready", "after-ready", TakesEffect::Live),
    ("/hooks/after_stop", "after-stop", TakesEffect::Live),
    ("/hooks/on_failure", "on-failure", TakesEffect::Live),
    ("/replicas", "replicas", TakesEffect::Live),
    ("/describe", "describe", TakesEffect::Live),
    ("/url", "url", TakesEffect::Live),
    ("/url_open", "url.open", TakesEffect::Live),
];

/// The settings of one port, below its key.
const OF_PORTS: &[Row] = &[
    ("/number/fixed", "", TakesEffect::Restart),
    ("/number", "", TakesEffect::Restart),
    ("/share", ".share", TakesEffect::Restart),
    ("/host", ".host", TakesEffect::Live),
    ("/busy", ".busy", TakesEffect::Live),
    ("/any_owner", ".owner", TakesEffect::Live),
];

/// One setting.
#[derive(PartialEq)]
struct Setting {
    value: Value,
    takes_effect: TakesEffect,
    /// Whether its value may be shown: not that of a secret, and not the inner form of what is
    /// more than a value.
    shown: bool,
}

/// Every setting in which two definitions differ, in the order of the settings' names.
pub(super) fn differences(old: &Service, new: &Service) -> Vec<Change> {
    let as_declared = |service: &Service| {
        let mut service = service.clone();
        service.for_each_text(&mut |text| *text = text.as_declared());
        settings(&service)
    };
    let (old, new) = (as_declared(old), as_declared(new));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |setting: Option<&Setting>| setting.map(|setting| setting.value.clone());
    let change = |key: &String| {
        let (old, new) = (old.get(key), new.get(key));
        let any = old.or(new).filter(|_| value(old) != value(new))?;
        let [from, to] = match any.takes_effect {
            TakesEffect::Restart => [old, new].map(|setting| Some(show(setting?))),
            // Told by its name, as one that was always there.
            TakesEffect::NextStart | TakesEffect::Live => [const { Some(String::new()) }; 2],
        };
        Some(Change { key: key.clone(), from, to, takes_effect: any.takes_effect })
    };
    keys.into_iter().filter_map(change).collect()
}

fn settings(service: &Service) -> BTreeMap<String, Setting> {
    let mut all = BTreeMap::new();
    let mut whole = json!(service);
    // Left out where it is the default, a part of which is a setting by itself.
    whole["log"] = json!(service.log);
    collect(&mut all, "", whole, SETTINGS);
    for (place, port) in service.ports.iter().enumerate() {
        collect(&mut all, &port_key(place, port), json!(port), OF_PORTS);
    }
    for (name, EnvValue { value, secret, file: _ }) in &service.env {
        // Whether it is masked does not concern the process.
        let setting =
            Setting { value: json!(value), takes_effect: TakesEffect::Restart, shown: !secret };
        all.insert(format!("env.{name}"), setting);
    }
    all
}

fn collect(all: &mut BTreeMap<String, Setting>, prefix: &str, mut whole: Value, rows: &[Row]) {
    for (pointer, key, takes_effect) in rows {
        let Some(value) = whole.pointer_mut(pointer).map(Value::take) else { continue };
        if !is_empty(&value) {
            let setting = Setting { value, takes_effect: *takes_effect, shown: true };
            all.insert(format!("{prefix}{key}"), setting);
        }
    }
}

/// Whether a value says no more than that the setting is not there.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

fn port_key(place: usize, port: &Port) -> String {
    match &port.name {
        Some(name) => format!("port.{name}"),
        None if place == 0 => "port".to_owned(),
        None => format!("port.{}", place + 1),
    }
}

/// The value as the stack file would have it; nothing of one that is not to be seen.
fn show(setting: &Setting) -> String {
    if setting.shown { value_text(&setting.value) } else { String::new() }
}

fn value_text(value: &Value) -> String {
    if let Ok(text) = Text::deserialize(value) {
        return format!("\"{text}\"");
    }
    if let Ok(words) = Vec::<Text>::deserialize(value) {
        let words: Vec<String> = words.iter().map(Text::to_string).collect();
        return format!("\"{}\"", words.join(" "));
    }
    match value {
        Value::Null | Value::Bool(_) => format!("#{value}"),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !is_empty(value));
            let fields = fields
                .map(|(name, value)| format!("{}={}", name.replace('_', "-"), value_text(value)));
            fields.collect::<Vec<_>>().join(" ")
        }
        Value::String(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{Deserializer, Visitor, value::Error};

    use super::*;
    use crate::model::{Hooks, Limits, PortNumber};

    /// A source of data that learns which fields a type has, and fails.
    struct FieldNames<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for FieldNames<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("only the names of the fields are asked for"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
        let mut fields: &[&str] = &[];
        assert!(T::deserialize(FieldNames(&mut fields)).is_err());
        assert!(!fields.is_empty());
        fields
    }

    #[test]
    fn every_field_of_a_service_is_a_setting() {
        let has = |rows: &[Row], at: &str| {
            rows.iter()
                .any(|(pointer, ..)| *pointer == at || pointer.starts_with(&format!("{at}/")))
        };
        // A name and a loss are no settings, variables and ports are listed one by one.
        let others = ["name", "env", "ports", "is_lost"];
        for field in fields::<Service>().iter().filter(|field| !others.contains(field)) {
            assert!(has(SETTINGS, &format!("/{field}")), "{field}");
        }
        for field in fields::<Hooks>() {
            assert!(has(SETTINGS, &format!("/hooks/{field}")), "{field}");
        }
        for field in fields::<Port>().iter().filter(|field| **field != "name") {
            assert!(has(OF_PORTS, &format!("/{field}")), "{field}");
        }
    }

    #[test]
    fn what_differs_is_told_as_the_file_has_it() {
        let old = Service::new("api", "/shop");
        let mut new = old.clone();
        // `key: from → to`, with `-` for what is not there.
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let text = |change: &Change| {
            format!("{}: {} → {}", change.key, side(&change.from), side(&change.to))
        };
        let told =
            |new: &Service| -> Vec<String> { differences(&old, new).iter().map(text).collect() };
        assert!(told(&new).is_empty());
        new.log.split = true;
        new.tty = true;
        new.limits = Limits { open_files: Some(4096), ..Limits::default() };
        new.dir = "/shop/api".into();
        assert_eq!(
            told(&new),
            [
                "dir: \"/shop\" → \"/shop/api\"",
                "limit: - → open-files=4096",
                "log.split: - → #true",
                "tty: - → #true",
            ]
        );
        new = old.clone();
        new.ready.checks.push(crate::model::Check::Notify);
        new.log.keep = 9;
        new.url_open = true;
        assert_eq!(told(&new), ["log:  → ", "ready:  → ", "url.open:  → "]);
        new = old.clone();
        new.env.insert("DEBUG".into(), EnvValue { value: None, secret: false, file: None });
        new.env.insert("KEY".into(), EnvValue { secret: true, ..EnvValue::open("hunter2") });
        new.ports.push(Port {
            name: None,
            number: PortNumber::Fixed(8000),
            host: Some("localhost".into()),
            busy: crate::model::Busy::Ask,
            share: false,
            any_owner: false,
        });
        assert_eq!(
            told(&new),
            [
                "env.DEBUG: - → #null",
                "env.KEY: - → ",
                "port: - → 8000",
                "port.busy:  → ",
                "port.host:  → ",
            ]
        );
    }
}
