//! What a command understands, and shows, of whatever comes from the supervisor.

#![no_main]

use jiff::{Timestamp, tz::TimeZone};
use libfuzzer_sys::fuzz_target;
use stackrun::{
    control::{Reply, fuzzing},
    reporters::{
        Theme, events,
        live_model::{Goal, LiveModel},
        table,
    },
};

const PLAIN: Theme = Theme { color: false, unicode: false };

fuzz_target!(|bytes: &[u8]| {
    let now = Timestamp::UNIX_EPOCH;
    let mut boards = Vec::new();
    for answer in fuzzing::answers(bytes) {
        match answer.reply {
            Reply::Status { status } => {
                for columns in [None, Some(20), Some(100)] {
                    table::show(&status, now, columns, PLAIN);
                }
                boards.push(LiveModel::of_status(&status, Goal::Up));
            }
            Reply::Stack { stack } => boards.push(LiveModel::of_stack(&stack, Goal::Down)),
            Reply::Record { record } => {
                events::show(&record, &TimeZone::UTC, PLAIN);
                for board in &mut boards {
                    board.fold(&record);
                    board.count();
                }
            }
            _ => {}
        }
    }
});
