//! What stands in a file of another tool: plain data, each value with its line.

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// The line, from 1.
    pub(super) line: usize,
    pub(super) data: Data,
}

/// A value. Numbers are kept as they were written: `3.10` is no `3.1`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Text(String),
    List(Vec<Value>),
    Map(Vec<Entry>),
    /// Something that only running the file would tell.
    Code(String),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The key's line, from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

impl Value {
    pub(super) fn new(line: usize, data: Data) -> Self {
        Self { line, data }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key; one that is null counts as missing.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().rev().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|value| value.data != Data::Null)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<String> {
        match &self.data {
            Data::Text(text) => Some(text.clone()),
            Data::Bool(flag) => Some(flag.to_string()),
            Data::Null | Data::List(_) | Data::Map(_) | Data::Code(_) => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match &self.data {
            Data::Bool(flag) => Some(*flag),
            Data::Text(text) if text == "true" => Some(true),
            Data::Text(text) if text == "false" => Some(false),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        self.text()?.trim().parse().ok()
    }

    /// One text, or a list of them.
    pub(super) fn texts(&self) -> Vec<String> {
        match &self.data {
            Data::List(items) => items.iter().filter_map(Self::text).collect(),
            _ => self.text().into_iter().collect(),
        }
    }

    /// `{A: 1}` and `["A=1"]` alike: names, values (none: from the caller), lines.
    pub(super) fn pairs(&self) -> Vec<(String, Option<&Self>, Option<String>, usize)> {
        match &self.data {
            Data::Map(entries) => entries
                .iter()
                .map(|Entry { key, line, value }| (key.clone(), Some(value), value.text(), *line))
                .collect(),
            Data::List(items) => items
                .iter()
                .filter_map(|item| {
                    let text = item.text()?;
                    let (key, value) = match text.split_once('=') {
                        Some((key, value)) => (key, Some(value.to_owned())),
                        None => (text.as_str(), None),
                    };
                    Some((key.trim().to_owned(), None, value, item.line))
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}
