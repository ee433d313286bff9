//! The ledger on disk after a crash, on a full disk, or changed by an editor.
//!
//! No chance would find a checksum: a line of the input that begins with `+` is written with the
//! right one, any other as it is.

#![no_main]

use std::{fs, sync::LazyLock};

use jiff::{Timestamp, tz::TimeZone};
use libfuzzer_sys::fuzz_target;
use stackrun::{
    event::Record,
    executor::fuzzing,
    logs::Marks,
    model::fnv1a,
    platform::Subfolder,
    reporters::{Theme, events},
    timeline::Start,
};

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|bytes: &[u8]| {
    let mut text = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let json = line.strip_prefix(b"+").map(|json| json.strip_suffix(b"\n").unwrap_or(json));
        match json {
            Some(json) => {
                text.extend_from_slice(format!("{:016x} ", fnv1a(json)).as_bytes());
                text.extend_from_slice(json);
                text.push(b'\n');
            }
            None => text.extend_from_slice(line),
        }
    }
    fs::write(FOLDER.path().join("ledger"), text).expect("a file");
    let folder = Subfolder::at(FOLDER.path()).expect("the folder");

    let marks = Marks::new(&folder, &[]);
    marks.since(None);
    marks.last_starts();

    let (before, after) = fuzzing::ledger(&folder);
    let mut rest = after.iter();
    assert!(before.iter().all(|record| rest.any(|other| other == record)), "none is lost");
    assert!(rest.next().is_some(), "one is added");
    show(&after);
});

/// What `events` and `timeline` make of them.
fn show(records: &[Record]) {
    let plain = Theme { color: false, unicode: false };
    for record in records {
        events::show(record, &TimeZone::UTC, plain);
    }
    for start in Start::all(records, Timestamp::UNIX_EPOCH) {
        for row in &start.rows {
            row.took_ms();
        }
    }
}
