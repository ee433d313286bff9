//! Times, sizes, versions, schedules, statuses and addresses as they are typed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stackrun::{cli, executor, language, model};

fuzz_target!(|text: &str| {
    language::fuzzing::values(text);
    cli::fuzzing::moment(text);
    let (wanted, version) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(range) = wanted.parse::<model::VersionRange>() {
        range.contains(version);
    }
    executor::fuzzing::url(text);
    if let Ok(statuses) = text.parse::<model::StatusSet>() {
        assert_eq!(statuses.to_string().parse(), Ok(statuses), "it is worded as it may be read");
    }
    if let Ok(cron) = text.parse::<model::Cron>() {
        executor::fuzzing::next_times(&cron);
    }
});
