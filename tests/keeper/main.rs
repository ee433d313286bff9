//! The keeper with real processes; the tests play its supervisor.
//!
//! This program is both: started as `keeper` it is one, whose supervisor is the test that connects to
//! a socket; otherwise it runs the tests, with the options of any test program (`--list`,
//! `--exact`, a filter).

#![expect(clippy::disallowed_methods, reason = "tests watch the clock and start programs")]

mod logs;
mod start;
mod supervisor;
mod tree;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Names tests after their functions.
macro_rules! tests {
    ($($module:ident { $($name:ident),+ $(,)? })+) => {
        vec![$($(Trial::test(concat!(stringify!($module), "::", stringify!($name)), || {
            $module::$name();
            Ok(())
        })),+),+]
    };
}

fn tests() -> Vec<Trial> {
    tests! {
    start {
        exits_are_exact,
        what_cannot_start_says_why,
        it_runs_as_asked,
        the_same_unit_is_not_started_twice,
        starts_asked_for_together_are_told_in_order_and_are_children_of_one_thread,
    }
    tree {
        a_stopped_process_gets_the_signal,
        a_stop_is_asked_for_once,
        an_escapee_is_killed,
        who_was_seen_before_is_remembered,
        leftovers_of_a_crash_are_swept,
        leftovers_that_end_by_themselves_are_gone_once,
        one_who_ignores_the_signal_is_killed,
        a_storm_of_forks_is_killed,
        a_grandchild_that_holds_stdout_delays_nothing,
        finish_kills_what_nothing_claims,
        a_signal_reaches_those_who_left_the_group,
        orphans_of_a_killed_database_are_found,
        a_thousand_ends_cost_little,
        as_root_who_survives_is_named,
        an_orphan_that_has_given_up_everything_is_known,
        what_one_unit_alone_can_have_left_is_its_own,
        what_several_can_have_left_stays_until_the_last_has_ended,
        what_goes_on_after_a_good_end_is_named,
        an_idle_keeper_sleeps,
    }
    logs {
        every_line_of_one_writer_is_there,
        every_line_of_many_writers_is_there,
        a_last_line_without_newline_is_kept,
        the_log_is_complete_when_the_end_is_told,
        times_are_beside_the_log,
        a_log_that_was_removed_begins_anew,
        a_log_is_rotated_at_the_end_of_a_line,
        what_was_rotated_is_compressed_in_the_end,
        a_log_that_cannot_be_written_stops_no_service,
        stderr_may_be_apart,
        a_flood_starves_nobody,
    }
    supervisor {
        ends_are_kept_while_it_is_away,
        all_that_a_supervisor_said_before_its_end_is_heard,
        a_second_keeper_is_told_that_the_stack_is_held,
        a_signal_to_the_keeper_asks_for_an_orderly_end,
        nothing_is_left_behind,
        what_comes_after_the_end_is_refused,
        it_is_started_again_with_its_descriptors,
        another_program_goes_on,
        another_keeper_takes_over,
        another_keeper_finds_what_no_record_names,
        what_carries_the_mark_is_ended_though_its_unit_is_gone,
        a_forged_record_harms_nobody,
    }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match (arguments.first().map(String::as_str), arguments.len()) {
        (Some("keeper"), 3) => return world::be_keeper(&arguments[1..]),
        (Some("keeper-alone" | "keeper"), _) => return supervisor::be_keeper_alone(&arguments),
        (Some("supervisor"), _) => return supervisor::be_supervisor(),
        _ => {}
    }
    libtest_mimic::run(&Arguments::from_args(), tests()).exit_code()
}
