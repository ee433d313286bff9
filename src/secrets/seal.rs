//! Secrets out of what is written down, and back.
//!
//! The next supervisor needs the stack as it is, and what it is left lies in a file. So a
//! placeholder takes the place of each secret there, and the values are kept apart, in the memory
//! of the keeper. A placeholder names its variable and its env file: where the values are lost,
//! those of files can be read again.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, path::PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Masker, Source, rule};

/// A placeholder begins and ends with characters that mean nothing and are for a program's own use
/// (Unicode, 23.7: noncharacters).
const OPEN: char = '\u{fdd0}';
const CLOSE: char = '\u{fdd1}';
/// Between its parts.
const BETWEEN: char = '\u{fdd2}';

/// The members of a definition that hold texts in which a secret may stand. Everything else (names,
/// folders, words of a setting) is needed even where the secrets are lost.
const TEXTS: [&str; 3] = ["literal", "prints", "hint"];

/// The members that hold steps, whose names are any text.
const STEPS: [&str; 2] = ["steps", "on_failure"];

/// Values by the placeholders that stand for them.
pub(crate) type Sealed = BTreeMap<String, String>;

/// Puts placeholders in the place of secrets, the same one for the same secret.
#[derive(Debug, Default)]
pub(crate) struct Sealer {
    placeholders: BTreeMap<(String, Source), String>,
    last: u64,
}

/// A secret whose value is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown(Source);

impl Sealer {
    /// One that goes on with what another one has sealed.
    pub(crate) fn resume(sealed: &Sealed) -> Self {
        let mut sealer = Self::default();
        for (placeholder, value) in sealed {
            let Some((number, source)) = parse(placeholder) else { continue };
            sealer.last = sealer.last.max(number);
            sealer.placeholders.insert((value.clone(), source), placeholder.clone());
        }
        sealer
    }

    /// Takes the secrets out of a definition: the values of its secret variables and of those that
    /// come from env files, and what is masked wherever it turns up. They go to `sealed`.
    pub(crate) fn seal(&mut self, json: &mut Value, masker: &Masker, sealed: &mut Sealed) {
        Sealing { sealer: self, masker, sealed }.visit("", json);
    }

    /// Takes secrets out of a variable of an environment: one that is a secret, or has a distinct
    /// one in it. Short ones may stand in any variable by chance.
    pub(crate) fn seal_variable(
        &mut self,
        value: &mut String,
        masker: &Masker,
        sealed: &mut Sealed,
    ) {
        let is_secret = masker.source_of(value).is_some();
        let places = masker.find(value);
        if is_secret || places.into_iter().any(|place| rule::is_distinct(&value[place])) {
            Sealing { sealer: self, masker, sealed }.text(value);
        }
    }

    fn placeholder(&mut self, value: &str, source: Source) -> String {
        let Self { placeholders, last } = self;
        let known = placeholders.entry((value.to_owned(), source));
        known
            .or_insert_with_key(|(_, Source { key, file })| {
                *last += 1;
                let file = file.as_deref().map(|file| file.to_string_lossy()).unwrap_or_default();
                format!("{OPEN}{last}{BETWEEN}{key}{BETWEEN}{file}{CLOSE}")
            })
            .clone()
    }
}

/// A definition that is being sealed.
struct Sealing<'a> {
    sealer: &'a mut Sealer,
    masker: &'a Masker,
    sealed: &'a mut Sealed,
}

impl Sealing<'_> {
    fn visit(&mut self, key: &str, json: &mut Value) {
        match json {
            Value::String(text) if TEXTS.contains(&key) => self.text(text),
            Value::Object(members) => match variable(members) {
                Some((file, parts)) => self.variable(key, file.as_deref(), parts),
                None => members.iter_mut().for_each(|(key, member)| self.visit(key, member)),
            },
            // A variable beside its name: `["KEY", { "value": … }]`.
            Value::Array(elements) => match elements.as_mut_slice() {
                [Value::String(name), value @ Value::Object(_)] => {
                    let name = name.clone();
                    self.visit(&name, value);
                }
                elements => elements.iter_mut().for_each(|element| {
                    if STEPS.contains(&key)
                        && let Some(Value::String(name)) = element.get_mut("name")
                    {
                        self.text(name);
                    }
                    self.visit(key, element);
                }),
            },
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Every text of a variable that is secret or comes from a file.
    fn variable(&mut self, key: &str, file: Option<&str>, parts: &mut [Value]) {
        for part in parts {
            let Some(Value::String(text)) = part.get_mut("literal") else { continue };
            if !text.is_empty() {
                let source = Source { key: key.to_owned(), file: file.map(PathBuf::from) };
                *text = self.put_away(text, source);
            }
        }
    }

    fn text(&mut self, text: &mut String) {
        let places = self.masker.find(text);
        for place in places.into_iter().rev() {
            let value = &text[place.clone()];
            let source = self.masker.source_of(value).cloned().unwrap_or_default();
            let placeholder = self.put_away(value, source);
            text.replace_range(place, &placeholder);
        }
    }

    fn put_away(&mut self, value: &str, source: Source) -> String {
        let placeholder = self.sealer.placeholder(value, source);
        self.sealed.insert(placeholder.clone(), value.to_owned());
        placeholder
    }
}

/// The file and the value of what is a variable, if that is secret or comes from a file.
fn variable(members: &mut Map<String, Value>) -> Option<(Option<String>, &mut [Value])> {
    let file = members.get("env-file").and_then(Value::as_str).map(str::to_owned);
    let is_secret = members.get("secret") == Some(&Value::Bool(true));
    let parts = members.get_mut("value").and_then(Value::as_array_mut);
    let parts = parts.filter(|_| is_secret || file.is_some())?;
    Some((file, parts.as_mut_slice()))
}

/// Puts the values back in the place of their placeholders. What is not known stays sealed.
pub(crate) fn unseal(json: &mut Value, sealed: &Sealed) {
    match json {
        Value::String(text) => {
            if let Cow::Owned(whole) = unsealed(text, sealed) {
                *text = whole;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|one| unseal(one, sealed)),
        Value::Object(members) => members.values_mut().for_each(|one| unseal(one, sealed)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with the values in the place of their placeholders.
fn unsealed<'t>(text: &'t str, sealed: &Sealed) -> Cow<'t, str> {
    if !is_sealed(text) {
        return Cow::Borrowed(text);
    }
    let mut whole = text.to_owned();
    for place in placeholders(text).into_iter().rev() {
        if let Some(value) = sealed.get(&text[place.clone()]) {
            whole.replace_range(place, value);
        }
    }
    Cow::Owned(whole)
}

/// Whether there may be placeholders in a text.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.contains(OPEN)
}

/// Where placeholders stand in a text.
pub(super) fn placeholders(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(OPEN).map(|start| from + start) {
        let Some(end) = text[start..].find(CLOSE).map(|end| start + end + CLOSE.len_utf8()) else {
            break;
        };
        places.push(start..end);
        from = end;
    }
    places
}

/// The number and the source of a placeholder.
fn parse(placeholder: &str) -> Option<(u64, Source)> {
    let inner = placeholder.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
    let mut parts = inner.splitn(3, BETWEEN);
    let (number, key, file) = (parts.next()?, parts.next()?, parts.next()?);
    let file = (!file.is_empty()).then(|| PathBuf::from(file));
    Some((number.parse().ok()?, Source { key: key.to_owned(), file }))
}

/// The first secret in a definition, or in anything else, whose value is lost.
pub(crate) fn unknown_in(definition: &impl Serialize) -> Option<Unknown> {
    let json = serde_json::to_value(definition).unwrap_or_default();
    unknown(&json).into_iter().next().map(|(_, source)| Unknown(source))
}

/// What is lost: each placeholder, and where its value came from.
pub(crate) fn unknown(json: &Value) -> Vec<(String, Source)> {
    match json {
        Value::String(text) => {
            let places = placeholders(text).into_iter().map(|place| &text[place]);
            places.filter_map(|one| Some((one.to_owned(), parse(one)?.1))).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(unknown).collect(),
        Value::Object(members) => members.values().flat_map(unknown).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Source { key, file } = &self.0;
        match (key.is_empty(), file) {
            (_, Some(file)) => write!(
                f,
                "its secret {key} is not known any more: {} no longer has it, and who knew it was \
                 killed; `stackrun up` reads it again",
                file.display()
            ),
            (false, None) => write!(
                f,
                "its secret {key} is not known any more: it was never written down, and who knew \
                 it was killed; `stackrun up` brings it"
            ),
            (true, None) => write!(
                f,
                "a secret of it is not known any more: it was never written down, and who knew it \
                 was killed; `stackrun up` brings it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::*;
    use crate::{
        model::{Command, EnvValue, Service, Stack},
        secrets::Secrets,
    };

    fn variable(value: &str, secret: bool, file: Option<&str>) -> EnvValue {
        EnvValue { value: Some(value.into()), secret, file: file.map(PathBuf::from) }
    }

    fn stack() -> Stack {
        let mut service = Service::new("api", "/srv");
        service.command = Some(Command::Run(vec!["curl".into(), "-HX: hunter2!-1".into()]));
        service.describe = Some("with token-1234 and hunter2!-1".into());
        service.env.insert("TOKEN".into(), variable("hunter2!-1", true, None));
        service.env.insert("FROM_FILE".into(), variable("token-1234", true, Some("/srv/.env")));
        service.env.insert("PORT".into(), variable("80", false, Some("/srv/.env")));
        service.env.insert("LOG_LEVEL".into(), variable("info", false, None));
        service.env.insert("OLD".into(), EnvValue { value: None, secret: true, file: None });
        Stack { services: vec![service], ..Stack::default() }
    }

    #[test]
    fn secrets_go_and_come_back() {
        let stack = stack();
        let masker = Masker::of(&Secrets::of(&stack));
        let mut sealer = Sealer::default();
        let mut sealed = Sealed::new();
        let mut json = serde_json::to_value(&stack).unwrap();
        sealer.seal(&mut json, &masker, &mut sealed);
        let written = json.to_string();
        for gone in ["hunter2", "token-1234", "\"80\""] {
            assert!(!written.contains(gone), "{gone}: {written}");
        }
        assert!(written.contains("info"), "{written}");
        assert_eq!(sealed.len(), 3, "the same one for the same value: {sealed:?}");
        // The same stack again is no news, whoever seals it.
        let mut again = serde_json::to_value(&stack).unwrap();
        Sealer::resume(&sealed).seal(&mut again, &masker, &mut Sealed::new());
        assert_eq!(again, json);

        unseal(&mut json, &sealed);
        assert_eq!(serde_json::from_value::<Stack>(json).unwrap(), stack);
    }

    #[test]
    fn what_is_lost_is_named_and_what_is_in_a_file_is_read_again() {
        let stack = stack();
        let masker = Masker::of(&Secrets::of(&stack));
        let mut sealed = Sealed::new();
        let mut json = serde_json::to_value(&stack).unwrap();
        Sealer::default().seal(&mut json, &masker, &mut sealed);
        let lost = unknown(&json);
        let from_file = lost.iter().filter(|(_, source)| source.file.is_some());
        let known: Sealed = from_file
            .map(|(placeholder, source)| (placeholder.clone(), source.key.clone()))
            .collect();
        unseal(&mut json, &known);
        let stack: Stack = serde_json::from_value(json).unwrap();
        let service = &stack.services[0];
        assert_eq!(service.env["FROM_FILE"].value, Some("FROM_FILE".into()));
        let describe = service.describe.as_ref().unwrap().to_string();
        assert!(describe.starts_with("with FROM_FILE and "), "{describe:?}");
        assert_eq!(Masker::default().text(&describe), "with FROM_FILE and •••");
        let unknown = unknown_in(service).unwrap().to_string();
        assert!(unknown.starts_with("its secret TOKEN is not known any more"), "{unknown}");
        assert_eq!(unknown_in(&json!({ "literal": "plain" })), None);
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_comes_back(
            values in vec("[ab\"é]{1,4}", 1..4),
            texts in vec("[ab\"é ]{0,12}", 1..4),
        ) {
            let mut service = Service::new("n", "/d");
            for (at, value) in values.iter().enumerate() {
                service.env.insert(format!("K{at}"), variable(value, true, None));
            }
            service.command = Some(Command::Run(texts.iter().map(|text| text.as_str().into()).collect()));
            let stack = Stack { services: vec![service], ..Stack::default() };
            let masker = Masker::of(&Secrets::of(&stack));
            let mut sealed = Sealed::new();
            let mut json = serde_json::to_value(&stack).unwrap();
            Sealer::default().seal(&mut json, &masker, &mut sealed);
            unseal(&mut json, &sealed);
            prop_assert_eq!(serde_json::from_value::<Stack>(json).unwrap(), stack);
        }
    }
}
