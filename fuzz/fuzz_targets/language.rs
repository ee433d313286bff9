//! A stack file: read, checked, its problems drawn, formatted.

#![no_main]

use std::{collections::BTreeMap, fs, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use stackrun::language::{Look, Options, fmt, load, syntax_problems};

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["api", "web"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    fs::write(folder.path().join(".env"), "KEY=value\n").expect("a file");
    folder
});

fuzz_target!(|text: &str| {
    let file = FOLDER.path().join("stack.kdl");
    fs::write(&file, text).expect("a file");
    let env = [("HOME", "/home/me"), ("EMPTY", "")];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let options = Options { env: BTreeMap::from(env), ..Options::default() };
    match load(&file, &options) {
        Ok(loaded) => {
            // The command line sends it to the supervisor.
            let json = serde_json::to_string(&loaded.stack).expect("plain data");
            let again = serde_json::from_str(&json).expect("what was written can be read");
            assert_eq!(loaded.stack, again);
        }
        Err(reports) => {
            assert!(!reports.is_empty(), "it is refused without a reason");
            for report in reports.iter().chain(&syntax_problems(&file, text)) {
                for (width, color) in [(24, false), (100, true)] {
                    assert!(!Look { width, color, unicode: color }.draw(report).is_empty());
                }
                report.data();
            }
        }
    }
    let once = fmt(text);
    assert_eq!(fmt(&once), once, "formatting a second time changes it");
});
