//! Logs on a disk: read from the end, merged, followed.

use std::{fs, io::Write, path::Path};

use jiff::Timestamp;
use regex::bytes::Regex;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

/// Writes a log and an index of it: a time for each line.
fn write(path: &Path, lines: &[(i64, &str)]) {
    let mut text = Vec::new();
    let mut index = Vec::new();
    for (second, line) in lines {
        index.extend((text.len() as u64).to_le_bytes());
        index.extend((*second as u64 * 1_000_000_000).to_le_bytes());
        text.extend(line.as_bytes());
        text.push(b'\n');
    }
    fs::write(path, text).expect("a log");
    let mut idx = path.as_os_str().to_owned();
    idx.push(".idx");
    fs::write(idx, index).expect("an index");
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("written");
}

fn texts(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
    lines.into_iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

#[test]
fn the_last_lines_over_rotated_files() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    fs::write(folder.path().join("api.log.2"), "1\n2\n").expect("written");
    fs::write(folder.path().join("api.log.1"), "3\n").expect("written");
    fs::write(&log.path, "4\n5").expect("written");
    let last = |count| texts(Lines::last(&log, count).expect("readable"));
    assert_eq!(last(0), [""; 0]);
    assert_eq!(last(1), ["5"], "a last line without a newline is one");
    assert_eq!(last(3), ["3", "4", "5"]);
    assert_eq!(last(4), ["2", "3", "4", "5"]);
    assert_eq!(last(99), ["1", "2", "3", "4", "5"]);
    assert_eq!(texts(Lines::all(&log)), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_large_file_is_read_from_its_end() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    let text: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
    fs::write(&log.path, text).expect("written");
    let last = texts(Lines::last(&log, 20_000).expect("readable"));
    assert_eq!(last.len(), 20_000);
    assert_eq!(last[0], "line 30000");
}

#[test]
fn nothing_is_no_error() {
    let folder = folder();
    assert_eq!(all(&folder.path().join("gone")).expect("no error"), []);
    let log = Log::new(folder.path(), "api");
    assert_eq!(texts(Lines::last(&log, 5).expect("no error")), [""; 0]);
    fs::write(&log.path, "").expect("written");
    assert_eq!(texts(Lines::last(&log, 5).expect("no error")), [""; 0]);
    fs::write(&log.path, "\n\n").expect("written");
    assert_eq!(texts(Lines::last(&log, 5).expect("no error")), ["", ""]);
}

#[test]
fn what_was_asked_for() {
    let folder = folder();
    let api = Log::new(folder.path(), "api");
    let db = Log::new(folder.path(), "db");
    write(&api.path, &[(10, "api a"), (30, "api b"), (50, "api c")]);
    write(&db.path, &[(20, "db a"), (40, "db b")]);
    let logs = all(folder.path()).expect("readable");
    assert_eq!(logs, [api, db]);
    let chosen = |choice: &Select| texts(select(&logs, choice).expect("readable"));
    assert_eq!(chosen(&Select::default()), ["api a", "db a", "api b", "db b", "api c"]);
    let last = Select { last: Some(2), ..Select::default() };
    assert_eq!(chosen(&last), ["db b", "api c"]);
    let between = Select { since: Some(at(20)), until: Some(at(40)), ..Select::default() };
    assert_eq!(chosen(&between), ["db a", "api b", "db b"]);
    let grep = Select { grep: Some(Regex::new("b$").expect("a regex")), ..Select::default() };
    assert_eq!(chosen(&grep), ["api b", "db b"]);
    let around = Select { context: 1, ..grep };
    assert_eq!(chosen(&around), ["api a", "db a", "api b", "db b", "api c"]);
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    fs::write(&log.path, b"\xff\xfe\n").expect("written");
    let lines: Vec<Line> = Lines::all(&log).collect();
    assert_eq!(lines[0].text, b"\xff\xfe");
}

#[test]
fn a_line_without_end_comes_in_pieces() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    fs::write(&log.path, vec![b'x'; 3 << 20]).expect("written");
    let lengths: Vec<usize> = Lines::all(&log).map(|line| line.text.len()).collect();
    assert_eq!(lengths, [1 << 20; 3]);
}

#[test]
fn followed_over_rotation_truncation_and_a_new_file() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    append(&log.path, "old\n");
    let mut follower = Follower::from_end(&log);
    let mut poll = |second| texts(follower.lines(at(second)));
    assert_eq!(poll(1), [""; 0]);
    append(&log.path, "one\ntw");
    assert_eq!(poll(2), ["one"]);
    append(&log.path, "o\n");
    assert_eq!(poll(3), ["two"]);
    // Rotated twice between two looks.
    append(&log.path, "three\n");
    fs::rename(&log.path, folder.path().join("api.log.2")).expect("rotated");
    fs::write(folder.path().join("api.log.1"), "four\n").expect("written");
    fs::write(&log.path, "five\n").expect("written");
    assert_eq!([poll(4), poll(5), poll(6)].concat(), ["three", "four", "five"]);
    // Shortened.
    fs::write(&log.path, "6\n").expect("written");
    assert_eq!(poll(7), ["6"]);
    // Removed, and made again.
    fs::remove_file(&log.path).expect("removed");
    assert_eq!(poll(8), [""; 0]);
    append(&log.path, "seven\n");
    assert_eq!(poll(9), ["seven"]);
}

#[test]
fn a_prompt_is_shown_after_a_while() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    let mut follower = Follower::from_start(&log);
    assert_eq!(follower.lines(at(1)), []);
    append(&log.path, "password: ");
    assert_eq!(follower.lines(at(2)), []);
    assert_eq!(texts(follower.lines(at(3))), ["password: "]);
    assert_eq!(follower.lines(at(4)), []);
}

#[test]
fn followed_lines_have_the_times_of_the_index() {
    let folder = folder();
    let log = Log::new(folder.path(), "api");
    let mut follower = Follower::from_start(&log);
    follower.lines(at(5));
    write(&log.path, &[(10, "a"), (12, "b")]);
    let times: Vec<Timestamp> = follower.lines(at(20)).iter().map(|line| line.at).collect();
    assert_eq!(times, [at(10), at(12)]);
}
