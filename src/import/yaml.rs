//! YAML → values: anchors resolved, `<<` merged.

use saphyr::{MarkedYaml, YamlData, YamlLoader};
use saphyr_parser::{Parser, ScalarStyle};

use super::{
    ImportError,
    value::{Data, Entry, Value},
};

/// Deeper than this nobody writes by hand.
const DEPTH: usize = 64;

/// The first document of a file.
pub(super) fn parse(text: &str) -> Result<Value, ImportError> {
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    // As it was written: `3.10` is a version, `yes` a word.
    loader.early_parse(false);
    let wrong = |error: saphyr::ScanError| ImportError::Syntax {
        line: error.marker().line(),
        message: error.info().to_owned(),
    };
    Parser::new_from_str(text).load(&mut loader, true).map_err(wrong)?;
    let documents = loader.into_documents();
    let empty = || Value::new(1, Data::Null);
    Ok(documents.first().map_or_else(empty, |document| value(document, 0)))
}

fn value(node: &MarkedYaml<'_>, depth: usize) -> Value {
    let line = node.span.start.line();
    let data = match &node.data {
        _ if depth > DEPTH => Data::Null,
        YamlData::Representation(text, ScalarStyle::Plain, None) => plain(text),
        YamlData::Representation(text, _, _) => Data::Text(text.to_string()),
        YamlData::Value(scalar) => match scalar.as_str() {
            Some(text) => Data::Text(text.to_owned()),
            None => Data::Null,
        },
        YamlData::Sequence(items) => {
            Data::List(items.iter().map(|item| value(item, depth + 1)).collect())
        }
        YamlData::Mapping(map) => {
            let pairs = map.iter().filter_map(|(key, node)| {
                let line = key.span.start.line();
                let key = value(key, depth + 1).text()?;
                Some(Entry { key, line, value: value(node, depth + 1) })
            });
            Data::Map(merged(pairs.collect()))
        }
        YamlData::Tagged(_, node) => value(node, depth + 1).data,
        YamlData::Alias(_) | YamlData::BadValue => Data::Null,
    };
    Value { line, data }
}

/// A scalar without quotes.
fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => Data::Text(text.to_owned()),
    }
}

/// The entries of `<<` below those that stand there themselves.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merges, mut own): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let maps = match merge.value.data {
            Data::List(items) => items,
            data => vec![Value { line: merge.line, data }],
        };
        for entry in maps.iter().flat_map(Value::entries) {
            if own.iter().all(|known| known.key != entry.key) {
                own.push(entry.clone());
            }
        }
    }
    own
}
