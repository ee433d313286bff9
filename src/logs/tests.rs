//! Logs on a disk: read from the end, searched, merged, followed.

use std::{fs, io::Write, path::Path};

use jiff::Timestamp;

use super::{
    annotations::MarkFollower,
    files::{compressed, index_path, numbered},
    matches::Sieve,
    *,
};
use crate::{
    event::{Cause, Event, Tick, ledger_line},
    platform,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn here(folder: &tempfile::TempDir) -> Subfolder {
    Subfolder::at(folder.path()).expect("a folder")
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
    fs::write(index_path(path), index).expect("an index");
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("written");
}

fn texts(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
    lines.into_iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

/// Compresses a rotated file.
fn compress(file: &Path) {
    let plain = fs::File::open(file).expect("a file");
    pack(plain, fs::File::create(compressed(file)).expect("made")).expect("compressed");
    fs::remove_file(file).expect("removed");
}

/// What is shown of these logs.
fn chosen(logs: &[Log], choice: &Select) -> Vec<String> {
    let items = select(logs, |_| None, None, choice);
    let lines = items.map(|item| match item {
        Item::Line(line) => line,
        other => panic!("{other:?}"),
    });
    texts(lines)
}

fn last(log: &Log, count: usize) -> Vec<String> {
    texts(Lines::all(log).last(count))
}

#[test]
fn the_last_lines_over_rotated_files() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    fs::write(numbered(&log.path(), 9), "1\n2\n").expect("written");
    fs::write(numbered(&log.path(), 10), "3\n").expect("written");
    fs::write(log.path(), "4\n5").expect("written");
    for is_compressed in [false, true] {
        if is_compressed {
            compress(&numbered(&log.path(), 9));
            compress(&numbered(&log.path(), 10));
        }
        assert_eq!(last(&log, 0), [""; 0]);
        assert_eq!(last(&log, 1), ["5"], "a last line without a newline is one");
        assert_eq!(last(&log, 3), ["3", "4", "5"]);
        assert_eq!(last(&log, 4), ["2", "3", "4", "5"]);
        assert_eq!(last(&log, 99), ["1", "2", "3", "4", "5"]);
        assert_eq!(texts(Lines::all(&log)), ["1", "2", "3", "4", "5"]);
    }
    fs::remove_file(log.path()).expect("removed");
    assert_eq!(last(&log, 2), ["2", "3"]);
}

#[test]
fn since_a_moment_over_rotated_and_compressed_files() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    for (number, second) in [(1, 10), (2, 20), (3, 30)] {
        let file = numbered(&log.path(), number);
        write(&file, &[(second, "a"), (second + 2, "b"), (second + 4, "c")]);
        let time = Timestamp::from_second(second + 4).expect("in range");
        let open = fs::File::options().append(true).open(&file).expect("a file");
        open.set_modified(time.into()).expect("set");
    }
    write(&log.path(), &[(40, "d"), (42, "e")]);
    compress(&numbered(&log.path(), 1));
    compress(&numbered(&log.path(), 2));
    let since = |second| Lines::all(&log).since(at(second)).map(|line| line.at.as_second());
    assert_eq!(since(23).collect::<Vec<_>>(), [24, 30, 32, 34, 40, 42]);
    assert_eq!(since(35).collect::<Vec<_>>(), [40, 42]);
    assert_eq!(since(0).count(), 11);
    // Without its index a file's lines came when it was changed last.
    fs::remove_file(index_path(&numbered(&log.path(), 3))).expect("removed");
    assert_eq!(since(33).collect::<Vec<_>>(), [34, 34, 34, 40, 42]);
    assert_eq!(last(&log, 5), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_large_file_is_read_from_its_end() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let text: String = (0..50_000).map(|number| format!("line {number}\n")).collect();
    fs::write(log.path(), text).expect("written");
    let last = last(&log, 20_000);
    assert_eq!(last.len(), 20_000);
    assert_eq!(last[0], "line 30000");
}

#[test]
fn nothing_is_no_error() {
    let folder = folder();
    let gone = Subfolder::to_read(&platform::Dir::open(folder.path()).expect("there"), "gone");
    assert!(all(&gone).expect("no error").is_empty());
    let log = Log::new(&here(&folder), "api");
    assert_eq!(last(&log, 5), [""; 0]);
    fs::write(log.path(), "").expect("written");
    assert_eq!(last(&log, 5), [""; 0]);
    fs::write(log.path(), "\n\n").expect("written");
    assert_eq!(last(&log, 5), ["", ""]);
}

#[test]
fn what_was_asked_for() {
    let folder = folder();
    let api = Log::new(&here(&folder), "api");
    let db = Log::new(&here(&folder), "db");
    write(&api.path(), &[(10, "api a"), (30, "api b"), (50, "api c")]);
    write(&db.path(), &[(20, "db a"), (40, "db b")]);
    let logs = all(&here(&folder)).expect("readable");
    assert_eq!(logs.iter().map(|log| &*log.name).collect::<Vec<_>>(), ["api", "db"]);
    let chosen = |choice: &Select| chosen(&logs, choice);
    assert_eq!(chosen(&Select::default()), ["api a", "db a", "api b", "db b", "api c"]);
    let last = Select { last: Some(2), ..Select::default() };
    assert_eq!(chosen(&last), ["db b", "api c"]);
    let between = Select { since: Some(at(20)), until: Some(at(40)), ..Select::default() };
    assert_eq!(chosen(&between), ["db a", "api b", "db b"]);
    let place = Some(Place { file: 1, offset: 6 });
    let api = Since { at: at(31), place };
    let db = Since { at: at(40), place: Some(Place { file: 7, offset: 0 }) };
    let starts = [("api".to_owned(), api), ("db".to_owned(), db)].into();
    let of_each = Select { starts, ..Select::default() };
    assert_eq!(chosen(&of_each), ["api b", "db b", "api c"]);
    let grep = Select { grep: Some(Finder::new("b$").expect("a regex")), ..Select::default() };
    assert_eq!(chosen(&grep), ["api b", "db b"]);
    let around = Select { context: 1, ..grep };
    assert_eq!(chosen(&around), ["api a", "db a", "api b", "db b", "api c"]);
}

#[test]
fn what_matches_with_what_is_around_it() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let numbers: Vec<usize> = (0..200_000).collect();
    let text = |numbers: &[usize]| -> String {
        numbers.iter().map(|number| format!("line {number}\n")).collect()
    };
    fs::write(numbered(&log.path(), 1), text(&numbers[..100_000])).expect("written");
    fs::write(log.path(), text(&numbers[100_000..])).expect("written");
    compress(&numbered(&log.path(), 1));
    for context in [0, 1, 3] {
        // Some of them close together, some at the edges of the files.
        let matches = [0, 33_333, 33_335, 50_000, 99_999, 100_001, 150_000, 199_999];
        let pattern = matches.map(|number| format!("line {number}$")).join("|");
        let grep = Some(Finder::new(&pattern).expect("a regex"));
        let shown =
            chosen(std::slice::from_ref(&log), &Select { grep, context, ..Select::default() });
        let is_near =
            |number: &usize| matches.iter().any(|found| number.abs_diff(*found) <= context);
        let near = numbers.iter().filter(|number| is_near(number));
        let expected: Vec<String> = near.map(|number| format!("line {number}")).collect();
        assert_eq!(shown, expected, "{context}");
    }
}

/// A line without its number, and whether something was left out before it.
fn groups(lines: impl IntoIterator<Item = Line>) -> Vec<(bool, String)> {
    let group = |line: Line| (line.apart, String::from_utf8_lossy(&line.text).into_owned());
    lines.into_iter().map(group).collect()
}

#[test]
fn what_stands_together_is_a_group() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    fs::write(numbered(&log.path(), 1), "x1\nb\nc\nd\ne\n").expect("written");
    fs::write(log.path(), "f\nx2\ng\nh\nx3\ni\nj\nk\nx4\n").expect("written");
    let expected: [&[&str]; 3] = [
        &["x1", "x2", "x3", "x4"],
        &["-x1", "b", "-f", "x2", "g", "h", "x3", "i", "-k", "x4"],
        &["-x1", "b", "c", "-e", "f", "x2", "g", "h", "x3", "i", "j", "k", "x4"],
    ];
    for (context, expected) in expected.into_iter().enumerate() {
        let grep = Some(Finder::new("x").expect("a regex"));
        let choice = Select { grep, context, ..Select::default() };
        let shown = |(apart, text)| if apart { format!("-{text}") } else { text };
        let items = select(std::slice::from_ref(&log), |_| None, None, &choice);
        let lines =
            items.filter_map(|item| if let Item::Line(line) = item { Some(line) } else { None });
        let past: Vec<String> = groups(lines).into_iter().map(shown).collect();
        assert_eq!(past, expected, "{context}");
        let mut sieve = Sieve::default();
        let lines = Lines::all(&log).flat_map(|line| sieve.pass(line, &choice));
        let followed: Vec<String> = groups(lines).into_iter().map(shown).collect();
        assert_eq!(followed, expected, "{context}");
    }
    // Right behind the end of a file, nothing is left out.
    let grep = Some(Finder::new("[ef]").expect("a regex"));
    let choice = Select { grep, context: 1, ..Select::default() };
    let together = chosen(std::slice::from_ref(&log), &choice);
    assert_eq!(together, ["d", "e", "f", "x2"]);
}

#[test]
fn a_long_line_that_matches_is_shown_whole() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let long = |end: &str| format!("{}{end}", "-".repeat(3 << 20));
    fs::write(log.path(), format!("a\n{}\nb\n{}\nc\n", long("y"), long("x"))).expect("written");
    let logs = [log];
    for (pattern, last) in [("x", None), ("x", Some(1)), ("y|x", Some(1))] {
        let grep = Some(Finder::new(pattern).expect("a regex"));
        let found = chosen(&logs, &Select { grep, last, ..Select::default() });
        assert!(found.concat() == long("x"), "{pattern} {last:?}");
    }
    let grep = Some(Finder::new("x").expect("a regex"));
    let found = chosen(&logs, &Select { grep, context: 1, ..Select::default() });
    assert!(found.concat() == format!("b{}c", long("x")));
}

/// Lines over files, and what is asked of them.
mod asked {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]
        /// The last ones are the end of all of them, however they are chosen.
        #[test]
        fn the_last_ones_are_the_end_of_all(
            lines in prop::collection::vec((0_i64..3, "[ab]{0,3}"), 0..40),
            cuts in prop::collection::vec(0_usize..40, 0..4),
            packed in any::<bool>(),
            count in 0_usize..12,
            context in 0_usize..3,
            (since, until) in (prop::option::of(0_i64..60), prop::option::of(0_i64..60)),
            pattern in prop::option::of(prop::sample::select(vec!["a", "^b", "^$", "c"])),
        ) {
            let folder = folder();
            let log = Log::new(&here(&folder), "api");
            let times = lines.iter().scan(10, |now, (passed, _)| {
                *now += passed;
                Some(*now)
            });
            let lines: Vec<(i64, &str)> =
                times.zip(lines.iter().map(|(_, text)| text.as_str())).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < lines.len()).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for (number, cut) in cuts.iter().enumerate() {
                let file = numbered(&log.path(), number as u64 + 1);
                write(&file, &lines[from..*cut]);
                let changed = lines[..*cut].last().map_or(at(1), |(second, _)| at(*second));
                let open = fs::File::options().append(true).open(&file).expect("a file");
                open.set_modified(changed.into()).expect("set");
                if packed {
                    compress(&file);
                }
                from = *cut;
            }
            write(&log.path(), &lines[from..]);
            let grep = pattern.map(|pattern| Finder::new(pattern).expect("a regex"));
            let (since, until) = (since.map(at), until.map(at));
            let all = Select { since, until, grep, context, ..Select::default() };
            let logs = [log];
            let whole = chosen(&logs, &all);
            // As if each line had been looked at.
            let in_time: Vec<&str> = lines
                .iter()
                .filter(|(second, _)| since.is_none_or(|since| at(*second) >= since))
                .filter(|(second, _)| until.is_none_or(|until| at(*second) <= until))
                .map(|(_, text)| *text)
                .collect();
            let is_match =
                |text: &str| all.grep.as_ref().is_none_or(|grep| grep.is_match(text.as_bytes()));
            let near = |number: usize| {
                let around = number.saturating_sub(context)..=number + context;
                around.filter_map(|number| in_time.get(number)).any(|text| is_match(text))
            };
            let expected: Vec<&str> =
                (0..in_time.len()).filter(|number| near(*number)).map(|number| in_time[number]).collect();
            prop_assert_eq!(&whole, &expected);
            let last = chosen(&logs, &Select { last: Some(count), ..all });
            prop_assert_eq!(&last[..], &whole[whole.len().saturating_sub(count)..]);
        }
    }
}

/// Writes a ledger.
fn ledger(state: &Path, records: &[(i64, Event)]) {
    let line = |(seq, (second, event)): (u64, &(i64, Event))| {
        let record = Record {
            seq,
            at: at(*second),
            tick: Tick::default(),
            event: event.clone(),
            name: Some("api".into()),
            generation: Some(2),
            cause: Cause::Exit,
        };
        let json = serde_json::to_string(&record).expect("JSON");
        ledger_line::encode(&json)
    };
    let text: String = (0..).zip(records).map(line).collect();
    append(&state.join("ledger"), &text);
}

#[test]
fn marks_stand_between_the_lines() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    write(&log.path(), &[(10, "a"), (20, "b"), (30, "c")]);
    let exit = crate::model::Exit::Code(1);
    let events = [
        (5, Event::Ready { after_ms: 5, checked: true, address: None, unhealthy_ms: None }),
        (9, Event::Starting),
        (9, Event::Spawned { pid: 7, log: None }),
        (15, Event::Ready { after_ms: 5, checked: true, address: None, unhealthy_ms: None }),
        (16, Event::Signalled { signal: crate::model::Signal::TERM, tree: true }),
        (35, Event::Exited { exit, expected: false, tail: Vec::new() }),
    ];
    ledger(folder.path(), &events);
    append(&folder.path().join("ledger"), "0123 {\"seq\":");
    let marks = Marks::new(&here(&folder), &["api".to_owned()]);
    let shown = |choice: &Select, marks: &Marks| -> String {
        let shown = select(std::slice::from_ref(&log), |_| None, Some(marks), choice);
        let letter = |item: Item| match item {
            Item::Line(line) => String::from_utf8_lossy(&line.text).into_owned(),
            Item::Mark(mark) => match mark.event {
                Event::Spawned { .. } => "S".to_owned(),
                Event::Ready { .. } => "R".to_owned(),
                Event::Exited { .. } => "E".to_owned(),
                other => panic!("{other:?}"),
            },
            Item::Spared(spared) => panic!("{spared:?}"),
        };
        shown.map(letter).collect()
    };
    let all = Select::default();
    assert_eq!(shown(&all, &marks), "SaRbcE", "what was before the first line is left out");
    assert_eq!(shown(&Select { last: Some(1), ..all.clone() }, &marks), "cE");
    assert_eq!(shown(&Select { since: Some(at(12)), ..all.clone() }, &marks), "bcE");
    assert_eq!(shown(&all, &Marks::new(&here(&folder), &["db".to_owned()])), "abc");
    let started = Since { at: at(9), place: None };
    assert_eq!(marks.last_starts(), [("api".to_owned(), started)].into());

    // A long ledger is read from its end; a new one follows an old one.
    let many: Vec<(i64, Event)> = (40..10_000)
        .map(|second| {
            (second, Event::Ready { after_ms: 1, checked: true, address: None, unhealthy_ms: None })
        })
        .collect();
    append(&folder.path().join("ledger"), "\n");
    ledger(folder.path(), &many);
    assert_eq!(marks.since(Some(at(9_900))).len(), 100);
    assert_eq!(marks.since(None).len(), 4 + many.len());
    let mut follower = MarkFollower::new(marks.clone());
    fs::rename(folder.path().join("ledger"), folder.path().join("ledger.1")).expect("renamed");
    ledger(folder.path(), &[(10_001, Event::Stopping)]);
    assert_eq!(marks.since(Some(at(9_999))).len(), 2);
    assert_eq!(follower.take().len(), 1);
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    fs::write(log.path(), b"\xff\xfe\n").expect("written");
    let lines: Vec<Line> = Lines::all(&log).collect();
    assert_eq!(&lines[0].text[..], b"\xff\xfe");
}

#[test]
fn a_line_without_end_comes_in_pieces() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    fs::write(log.path(), vec![b'x'; 3 << 20]).expect("written");
    let lengths: Vec<usize> = Lines::all(&log).map(|line| line.text.len()).collect();
    assert_eq!(lengths, [1 << 20; 3]);
}

#[test]
fn a_long_line_is_one_over_pieces_and_files() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let other = Log::new(&here(&folder), "db");
    fs::write(numbered(&log.path(), 1), vec![b'x'; 3 << 20]).expect("written");
    fs::write(numbered(&log.path(), 2), vec![b'y'; 5]).expect("written");
    fs::write(log.path(), "z\nlast\nwords").expect("written");
    fs::write(other.path(), "a\nb\n").expect("written");
    let lines: Vec<Line> = Lines::all(&log).collect();
    let ends: Vec<(bool, bool)> = lines.iter().map(|line| (line.begins, line.ends)).collect();
    let middle = [(false, false); 3];
    let last = [(false, true), (true, true), (true, false)];
    assert_eq!(ends, [&[(true, false)], &middle[..], &last].concat());
    // Nothing comes between its pieces.
    let logs = [log.clone(), other];
    let shown = |choice: &Select| -> String {
        let items = select(&logs, |_| None, None, choice);
        let letter = |item: Item| match item {
            Item::Line(line) => String::from_utf8_lossy(&line.text[..1]).into_owned(),
            other => panic!("{other:?}"),
        };
        items.map(letter).collect()
    };
    assert!(shown(&Select::default()).contains("xxxyz"));
    assert!(shown(&Select { last: Some(5), ..Select::default() }).contains("xxxyz"));
    // The same when it is followed.
    let mut follower = Follower::from_start(&Log::new(&here(&folder), "web"));
    let path = &follower.log().path();
    let mut pieces = Vec::new();
    for (second, text) in [(1, vec![b'x'; 1 << 20]), (2, vec![b'x'; 10]), (3, b"\nb\n".to_vec())] {
        append(path, std::str::from_utf8(&text).expect("text"));
        for _ in 0..8 {
            pieces.extend(follower.lines(at(second)));
        }
    }
    let ends: Vec<(bool, bool)> = pieces.iter().map(|line| (line.begins, line.ends)).collect();
    assert_eq!(ends, [(true, false), (false, true), (true, true)]);
    assert_eq!(pieces[1].place.offset, 1 << 20);
}

#[test]
fn followed_lines_that_match_have_those_around_them_too() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let mut follower = Follower::from_start(&log);
    let grep = Some(Finder::new("x").expect("a regex"));
    let choice = Select { grep, context: 1, ..Select::default() };
    let mut sieve = Sieve::default();
    let mut shown = Vec::new();
    for part in ["a\nb\n", "x1\n", "c\nd\ne\nx2\nx3\nf\ng\n"] {
        append(&log.path(), part);
        for line in follower.lines(at(1)) {
            shown.extend(texts(sieve.pass(line, &choice)));
        }
    }
    assert_eq!(shown, ["b", "x1", "c", "e", "x2", "x3", "f"]);
}

#[test]
fn a_start_is_shown_where_its_output_begins() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    write(&numbered(&log.path(), 1), &[(10, "a")]);
    // The last words of one generation, and what the next one wrote, in one batch.
    fs::write(log.path(), "b\nlast wordsc\nd\n").expect("written");
    let exit = crate::model::Exit::Code(1);
    let second = Place { file: 2, offset: 12 };
    let started = |log| Event::Spawned { pid: 7, log: Some(log) };
    ledger(
        folder.path(),
        &[
            (10, started(Place { file: 1, offset: 0 })),
            (4_000_000_000, Event::Exited { exit, expected: false, tail: Vec::new() }),
            (4_000_000_000, started(second)),
        ],
    );
    let marks = Marks::new(&here(&folder), &[]);
    let show = |choice: &Select| -> Vec<String> {
        let items = select(std::slice::from_ref(&log), |_| None, Some(&marks), choice);
        let shown = items.map(|item| match item {
            Item::Line(line) => String::from_utf8_lossy(&line.text).into_owned(),
            Item::Mark(mark) if matches!(mark.event, Event::Spawned { .. }) => "S".to_owned(),
            Item::Mark(_) => "E".to_owned(),
            Item::Spared(spared) => panic!("{spared:?}"),
        });
        shown.collect()
    };
    let all = Select::default();
    assert_eq!(show(&all), ["S", "a", "b", "last words", "E", "S", "c", "d"]);
    let starts = marks.last_starts();
    assert_eq!(starts["api"].place, Some(second));
    assert_eq!(texts(Lines::all(&log).from(second).expect("there")), ["c", "d"]);
    assert!(Lines::all(&log).from(Place { file: 2, offset: 99 }).is_none());
}

#[test]
fn followed_over_rotation_truncation_and_a_new_file() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    append(&log.path(), "old\n");
    let mut follower = Follower::from_end(&log);
    let mut poll = |second| texts(follower.lines(at(second)));
    assert_eq!(poll(1), [""; 0]);
    append(&log.path(), "one\ntw");
    assert_eq!(poll(2), ["one"]);
    append(&log.path(), "o\n");
    assert_eq!(poll(3), ["two"]);
    // Rotated twice between two looks.
    append(&log.path(), "three\n");
    fs::rename(log.path(), numbered(&log.path(), 1)).expect("rotated");
    fs::write(numbered(&log.path(), 2), "four\n").expect("written");
    compress(&numbered(&log.path(), 2));
    fs::write(log.path(), "five\n").expect("written");
    assert_eq!([poll(4), poll(5), poll(6)].concat(), ["three", "four", "five"]);
    // Shortened.
    fs::write(log.path(), "6\n").expect("written");
    assert_eq!(poll(7), ["6"]);
    // Removed, and made again.
    fs::remove_file(log.path()).expect("removed");
    assert_eq!(poll(8), [""; 0]);
    append(&log.path(), "seven\n");
    assert_eq!(poll(9), ["seven"]);
    assert_eq!(follower.spared(at(9)), None);
}

#[test]
fn a_follower_that_slept_is_told_what_it_missed() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    append(&log.path(), "one\n");
    let mut follower = Follower::from_end(&log);
    // What it had open was compressed, what came after that is gone.
    fs::rename(log.path(), numbered(&log.path(), 1)).expect("rotated");
    compress(&numbered(&log.path(), 1));
    fs::write(numbered(&log.path(), 4), "four\n").expect("written");
    fs::write(log.path(), "five\n").expect("written");
    let lines = [texts(follower.lines(at(1))), texts(follower.lines(at(2)))].concat();
    assert_eq!(lines, ["four", "five"]);
    assert_eq!(follower.spared(at(2)).map(|spared| (spared.lines, spared.files)), Some((0, 2)));

    let flood: String = (0..400_000).map(|number| format!("{number}\n")).collect();
    append(&log.path(), &flood);
    follower.hurry();
    let lines = texts(follower.lines(at(3)));
    let spared = follower.spared(at(3)).expect("lines left out").lines;
    assert_eq!(lines.len() as u64 + spared, 400_000);
    assert_eq!(lines[0], spared.to_string());
}

#[test]
fn past_and_present_meet_without_gap() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    append(&log.path(), "one\ntw");
    let mut follower = Follower::from_last_line(&log);
    let place = follower.place();
    append(&log.path(), "o\nthree\n");
    assert_eq!(texts(Lines::all(&log).up_to(place)), ["one"]);
    // Rotated before the past is read.
    fs::rename(log.path(), numbered(&log.path(), 1)).expect("rotated");
    append(&log.path(), "four\n");
    assert_eq!(texts(Lines::all(&log).up_to(place)), ["one"]);
    assert_eq!(texts(Lines::all(&log).up_to(place).last(9)), ["one"]);
    let lines = [texts(follower.lines(at(1))), texts(follower.lines(at(2)))].concat();
    assert_eq!(lines, ["two", "three", "four"]);
}

#[test]
fn a_prompt_is_shown_after_a_while() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let mut follower = Follower::from_start(&log);
    assert_eq!(follower.lines(at(1)), []);
    append(&log.path(), "password: ");
    assert_eq!(follower.lines(at(2)), []);
    assert_eq!(texts(follower.lines(at(3))), ["password: "]);
    assert_eq!(follower.lines(at(4)), []);
}

#[test]
fn followed_lines_have_the_times_of_the_index() {
    let folder = folder();
    let log = Log::new(&here(&folder), "api");
    let mut follower = Follower::from_start(&log);
    follower.lines(at(5));
    write(&log.path(), &[(10, "a"), (12, "b")]);
    let times: Vec<Timestamp> = follower.lines(at(20)).iter().map(|line| line.at).collect();
    assert_eq!(times, [at(10), at(12)]);
}
