//! The journals that others go on from: the keeper's, and that of a task's steps.

#![no_main]

use std::{fs, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use stackrun::{executor, keeper, platform};

static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|bytes: &[u8]| {
    let file = FOLDER.path().join("journal");
    // One of another boot counts for nothing, so this one is of the present.
    let mut text = format!("{{\"boot\":\"{}\"}}\n", platform::boot_id()).into_bytes();
    text.extend_from_slice(bytes);
    fs::write(&file, &text).expect("a file");
    let told = keeper::fuzzing::journal(&file);

    // A torn end costs its own line and no other.
    text.extend_from_slice(b"\n{\"unit\":{\"un");
    fs::write(&file, &text).expect("a file");
    assert_eq!(keeper::fuzzing::journal(&file), told);

    fs::write(&file, bytes).expect("a file");
    let folder = platform::Subfolder::at(FOLDER.path()).expect("the folder");
    executor::fuzzing::steps(&folder, "journal");
});
