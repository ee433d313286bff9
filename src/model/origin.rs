//! Where values were set, and how that is written: a stack has several for each service, nearly
//! all of them in one file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::path_text;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, absolute.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// Through what it came: `template NAME`, `profile NAME`, `defaults`; the service itself
    /// without one.
    pub via: Option<String>,
}

/// Keys, lines, and through what they came, by file.
type Written<Text, File> = BTreeMap<File, Vec<(Text, usize, Option<Text>)>>;

/// Writes each file once.
pub(super) fn serialize<S: Serializer>(
    origins: &BTreeMap<String, Origin>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut by_file: Written<&str, &Path> = BTreeMap::new();
    for (key, Origin { file, line, via }) in origins {
        by_file.entry(file).or_default().push((key, *line, via.as_deref()));
    }
    let written: Written<&str, String> =
        by_file.into_iter().map(|(file, places)| (path_text::encode(file), places)).collect();
    written.serialize(serializer)
}

/// Reads what [`serialize`] wrote.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Origin>, D::Error> {
    let written = Written::<String, String>::deserialize(deserializer)?;
    let of = |(file, places): (String, Vec<(String, usize, Option<String>)>)| {
        let file = path_text::decode(&file).unwrap_or_default();
        let origin = move |(key, line, via)| (key, Origin { file: file.clone(), line, via });
        places.into_iter().map(origin)
    };
    Ok(written.into_iter().flat_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        #[serde(with = "super")]
        origins: BTreeMap<String, Origin>,
    }

    #[test]
    fn what_is_written_is_read_again_and_names_each_file_once() {
        let origin = |file: &str, line, via: Option<&str>| Origin {
            file: file.into(),
            line,
            via: via.map(str::to_owned),
        };
        let origins = BTreeMap::from([
            ("a".to_owned(), origin("/s/stack.kdl", 1, None)),
            ("a.run".to_owned(), origin("/s/stack.kdl", 2, None)),
            ("a.stop".to_owned(), origin("/s/more.kdl", 9, Some("template node"))),
        ]);
        let text = serde_json::to_string(&Holder { origins: origins.clone() }).expect("JSON");
        assert_eq!(text.matches("/s/stack.kdl").count(), 1);
        assert_eq!(serde_json::from_str::<Holder>(&text).expect("the same"), Holder { origins });
    }
}
