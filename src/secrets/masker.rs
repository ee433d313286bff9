//! Finds secrets in words, and masks them.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::{Secrets, Source, forms, rule, seal};

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "•••";

/// The members of an object that are never masked: programs rely on them, and a service whose name
/// is somebody's password has to be called by it all the same.
const NEVER_MASKED: &[&str] = &[
    "action", "after", "at", "by", "code", "column", "dir", "event", "exit", "file", "folder",
    "from", "hook", "key", "keys", "kind", "line", "members", "name", "needs", "next", "of", "on",
    "path", "port", "ports", "profiles", "service", "severity", "signal", "since", "stack",
    "state", "to", "topic", "user", "version",
];

/// Finds secrets in words, and masks them.
#[derive(Debug, Default)]
pub(crate) struct Masker {
    finder: Finder,
    /// Where each value comes from.
    sources: BTreeMap<String, Source>,
}

#[derive(Debug, Default)]
enum Finder {
    /// There is nothing to find.
    #[default]
    Nothing,
    /// Every form of every value.
    Values(Box<AhoCorasick>),
    /// There are too many values to look for: no word is safe.
    Everything,
}

impl Masker {
    /// One for these secrets.
    pub(crate) fn of(secrets: &Secrets) -> Self {
        let values = secrets.values();
        let sources = values.map(|(value, source)| (value.to_owned(), source.clone())).collect();
        Self { sources, ..Self::of_values(secrets.values().map(|(value, _)| value)) }
    }

    /// One for these values, wherever they come from.
    pub(crate) fn of_values<'v>(values: impl Iterator<Item = &'v str>) -> Self {
        let forms: Vec<String> = values.flat_map(forms::of).collect();
        let finder = match (forms.is_empty(), AhoCorasick::new(forms)) {
            (true, _) => Finder::Nothing,
            (false, Ok(finder)) => Finder::Values(Box::new(finder)),
            (false, Err(_)) => Finder::Everything,
        };
        Self { finder, sources: BTreeMap::new() }
    }

    /// The values that it knows of secrets.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Where a value comes from, if it is a secret and the whole of it.
    pub(super) fn source_of(&self, value: &str) -> Option<&Source> {
        self.sources.get(value)
    }

    /// Where secrets stand in a text, in order. Those that overlap are one: to mask one of them
    /// alone would leave an end of the other.
    pub(crate) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = match &self.finder {
            Finder::Nothing => Vec::new(),
            Finder::Values(finder) => {
                finder.find_overlapping_iter(text).map(|found| found.range()).collect()
            }
            Finder::Everything => std::iter::once(0..text.len()).collect(),
        };
        found.sort_by_key(|range| (range.start, range.end));
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match merged.last_mut().filter(|last| range.start < last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => merged.push(range),
            }
        }
        merged
    }

    /// The text with its secrets masked, and what a seal has left in their place.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let shown = replaced(text, self.find(text));
        match seal::is_sealed(&shown) {
            false => shown,
            true => Cow::Owned(replaced(&shown, seal::placeholders(&shown)).into_owned()),
        }
    }

    /// Masks the secrets in a text.
    pub(crate) fn hide(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.text(text) {
            *text = masked;
        }
    }

    /// Masks the secrets in an address, and the password of a user, whoever declares it.
    pub(crate) fn hide_in_url(&self, url: &mut String) {
        if let Some(password) = rule::password(url) {
            url.replace_range(password, MASK);
        }
        self.hide(url);
    }

    /// The same in what is never masked itself: a name, or a list of names or of objects.
    fn hide_below(&self, value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|one| self.hide_below(one)),
            Value::Object(_) => self.hide_in_json(value),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Masks the secrets in the strings of a value; names, states, ports and paths stay.
    pub(crate) fn hide_in_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(elements) => {
                elements.iter_mut().for_each(|element| self.hide_in_json(element));
            }
            Value::Object(members) => {
                for (key, member) in members {
                    match (key.as_str(), member) {
                        ("url" | "address", Value::String(url)) => self.hide_in_url(url),
                        (key, member) if NEVER_MASKED.contains(&key) => self.hide_below(member),
                        (_, member) => self.hide_in_json(member),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The text with a mask in the place of each of these.
fn replaced(text: &str, places: Vec<Range<usize>>) -> Cow<'_, str> {
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for Range { start, end } in places {
        masked.push_str(&text[from..start]);
        masked.push_str(MASK);
        from = end;
    }
    masked.push_str(&text[from..]);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::*;

    fn masker(values: &[&str]) -> Masker {
        Masker::of_values(values.iter().copied())
    }

    #[test]
    fn secrets_that_overlap_leave_nothing() {
        let masker = masker(&["abcdef", "defghi", "abc", "zz"]);
        assert_eq!(masker.text("x abcdefghi y"), "x ••• y");
        assert_eq!(masker.text("abc abcdef zzz"), "••• ••• •••");
        assert_eq!(masker.text("abcabc"), "••••••");
        assert_eq!(masker.text("ab def"), "ab def");
        assert_eq!(Masker::default().text("abc"), "abc");
    }

    #[test]
    fn every_form_is_found() {
        let masker = masker(&["a \"b\"/é"]);
        let written = ["a \"b\"/é", "{\"x\":\"a \\\"b\\\"/é\"}", "?k=a%20%22b%22%2f%c3%a9&x"];
        for form in written.into_iter().chain(["a \\\"b\\\"/\\u00e9"]) {
            let shown = masker.text(form);
            assert!(shown.contains(MASK) && !shown.contains('b'), "{form}: {shown}");
        }
    }

    #[test]
    fn a_password_of_an_address_is_hidden_though_nobody_declares_it() {
        let shown = |url: &str| {
            let mut url = url.to_owned();
            masker(&["token-1"]).hide_in_url(&mut url);
            url
        };
        assert_eq!(shown("http://u:p@h/a"), "http://u:•••@h/a");
        assert_eq!(shown("http://h/?k=token-1"), "http://h/?k=•••");
    }

    #[test]
    fn names_and_states_in_data_stay() {
        let mut value = json!({
            "name": "ready", "state": "ready", "reason": "not ready",
            "ports": ["ready", { "command": "ready" }],
            "exit": { "signal": "ready" }, "url": "http://u:pw@h/ready",
            "list": [{ "text": "ready" }], "number": 7
        });
        masker(&["ready"]).hide_in_json(&mut value);
        let expected = json!({
            "name": "ready", "state": "ready", "reason": "not •••",
            "ports": ["ready", { "command": "•••" }],
            "exit": { "signal": "ready" }, "url": "http://u:•••@h/•••",
            "list": [{ "text": "•••" }], "number": 7
        });
        assert_eq!(value, expected);
    }

    /// Few letters, so that values overlap, begin one another, and end one another.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof!["[ab]{1,4}", "[ab\"\\\\/é日 %]{1,4}", "\\PC{1,6}"]
    }

    proptest! {
        #[test]
        fn nothing_of_a_secret_is_left(
            values in vec(value(), 1..5),
            around in vec("[ab\"é ]{0,3}", 6),
        ) {
            let masker = Masker::of_values(values.iter().map(String::as_str));
            let text: String =
                around.iter().zip(values.iter().cycle()).map(|(x, value)| format!("{x}{value}")).collect();
            let places = masker.find(&text);
            // Every place where any of them stands is covered, …
            for value in &values {
                for start in 0..text.len() {
                    if text.as_bytes()[start..].starts_with(value.as_bytes()) {
                        let end = start + value.len();
                        prop_assert!(places.iter().any(|place| place.start <= start && end <= place.end));
                    }
                }
            }
            // … and what is not covered stays, in its order.
            let mut kept = String::new();
            let mut from = 0;
            for place in &places {
                kept.push_str(&text[from..place.start]);
                from = place.end;
            }
            kept.push_str(&text[from..]);
            prop_assert_eq!(masker.text(&text).replace(MASK, ""), kept.replace(MASK, ""));
        }

        #[test]
        fn whatever_writes_it_it_is_found(value in "x\\PC{0,12}x") {
            let masker = Masker::of_values(std::iter::once(value.as_str()));
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(masker.text(&json), format!("\"{MASK}\""));
            let debug = format!("{value:?}");
            prop_assert_eq!(masker.text(&debug), format!("\"{MASK}\""));
            let url: String = value.bytes().map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            }).collect();
            prop_assert_eq!(masker.text(&url), MASK);
        }
    }
}
