//! `schedule`: tasks that run by themselves while the stack is up.

use std::{collections::BTreeMap, time::Duration};

use jiff::{
    Timestamp, ToSpan, Zoned, civil,
    tz::{AmbiguousOffset, TimeZone},
};

use super::{Internal, state::Executor};
use crate::{core::stack::Command, event::Cause, model::Cron, platform, status::TaskState};

/// The wall clock is looked at this often: it may be set, and a machine may have slept.
const LOOK: Duration = Duration::from_secs(20);
/// How far ahead a time is looked for: the 29th of February comes every eight years at worst.
const YEARS: i16 = 9;

/// When each task runs next.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// Task → its schedule, and its next time.
    tasks: BTreeMap<String, (Cron, Option<Timestamp>)>,
    /// The value of TZ by which these are.
    tz: Option<String>,
    timer: Option<tokio::task::AbortHandle>,
}

impl Schedules {
    /// When a task runs next by itself.
    pub(super) fn next(&self, task: &str) -> Option<Timestamp> {
        self.tasks.get(task)?.1
    }

    /// The tasks whose time has come. However many times were missed, each runs once; and a clock
    /// that was set back has none waited for longer than its schedule says.
    fn due(&mut self, now: &Zoned) -> Vec<String> {
        let mut due = Vec::new();
        for (task, (cron, next)) in &mut self.tasks {
            if next.is_some_and(|next| next <= now.timestamp()) {
                due.push(task.clone());
            }
            *next = after(cron, now);
        }
        due
    }
}

impl Executor {
    /// Takes up the schedules of the stack in force.
    pub(super) fn adopt_schedules(&mut self) {
        let scheduled = self.core.stack().tasks.iter().filter_map(|task| {
            let cron: Cron = task.schedule.as_deref()?.parse().ok()?;
            Some((task.name.clone(), cron))
        });
        let scheduled: BTreeMap<String, Cron> = scheduled.collect();
        let known = self.schedules.tasks.iter().map(|(task, (cron, _))| (task, cron));
        let tz = self.caller.get("TZ").cloned();
        if known.eq(&scheduled) && self.schedules.tz == tz {
            return;
        }
        self.schedules.tz = tz;
        let now = self.local_now();
        let entry = |(task, cron): (String, Cron)| {
            let next = after(&cron, &now);
            (task, (cron, next))
        };
        if let Some(timer) = self.schedules.timer.take() {
            timer.abort();
        }
        self.schedules.tasks = scheduled.into_iter().map(entry).collect();
        self.wait_for_schedule();
    }

    /// Has the loop told when the next time has come, or the clock is to be looked at.
    fn wait_for_schedule(&mut self) {
        let next = self.schedules.tasks.values().filter_map(|(_, next)| *next).min();
        let Some(next) = next else { return };
        let left = Duration::try_from(next.duration_since(platform::wall_clock()));
        let pause = left.unwrap_or_default().min(LOOK);
        let internal = self.internal.clone();
        let timer = tokio::task::spawn_local(async move {
            tokio::time::sleep(pause).await;
            let _ = internal.send(Internal::Clock);
        });
        self.schedules.timer = Some(timer.abort_handle());
    }

    /// Runs the tasks whose time has come, but for those that still run.
    pub(super) fn run_scheduled(&mut self) {
        let due = self.schedules.due(&self.local_now());
        let views = self.core.tasks();
        let runs = |task: &String| {
            let on_its_way = |state| matches!(state, TaskState::Running | TaskState::Waiting);
            views.iter().any(|view| view.name == *task && on_its_way(view.state))
        };
        for task in due.into_iter().filter(|task| !runs(task)) {
            let stack = Box::new(self.core.stack().clone());
            let command = Command::Run { stack, task, args: Vec::new(), force: true, again: false };
            let op = self.next_op();
            self.command(op, command, Cause::Schedule);
        }
        self.wait_for_schedule();
    }

    /// The time where whoever called last is.
    fn local_now(&self) -> Zoned {
        platform::wall_clock().to_zoned(self.time_zone())
    }

    /// The time zone of whoever called last.
    pub(super) fn time_zone(&self) -> TimeZone {
        platform::time_zone(self.caller.get("TZ").map(String::as_str))
    }
}

/// The first time after `now` that a schedule names.
pub(super) fn after(cron: &Cron, now: &Zoned) -> Option<Timestamp> {
    if cron.is_wildcard() { by_real_time(cron, now) } else { by_time_of_day(cron, now) }
}

/// The first minute after `now` that shows such a time, be it shown again.
fn by_real_time(cron: &Cron, now: &Zoned) -> Option<Timestamp> {
    let last = now.year().saturating_add(YEARS);
    let mut at = next_minute(now)?;
    while at.year() <= last {
        let next = if !cron.month(at.month()) {
            start_of(at.date().first_of_month().checked_add(1.month()).ok()?, &at)?
        } else if !cron.day(at.day(), at.weekday().to_sunday_zero_offset()) {
            start_of(at.date().tomorrow().ok()?, &at)?
        } else if !cron.hour(at.hour()) {
            at.checked_add((60 - i64::from(at.minute())).minutes()).ok()?
        } else if !cron.minute(at.minute()) {
            at.checked_add(1.minute()).ok()?
        } else {
            return Some(at.timestamp());
        };
        // What is in between shows other times once the clocks have changed.
        let zone = at.time_zone().clone();
        let change = zone.following(at.timestamp()).next().map(|change| change.timestamp());
        at = match change {
            Some(change) if change < next.timestamp() => {
                whole_minute(&change.to_zoned(zone.clone()))?
            }
            _ => next,
        };
    }
    None
}

/// The first time of day after `now` that a schedule names: one that the clocks leave out comes as
/// soon as they go on, and one that they repeat comes once.
fn by_time_of_day(cron: &Cron, now: &Zoned) -> Option<Timestamp> {
    let last = now.year().saturating_add(YEARS);
    let mut at = now.datetime().with().second(0).subsec_nanosecond(0).build().ok()?;
    at = at.checked_add(1.minute()).ok()?;
    while at.year() <= last {
        if !cron.month(at.month()) {
            at = start_of_day(at.date().first_of_month().checked_add(1.month()).ok()?);
        } else if !cron.day(at.day(), at.weekday().to_sunday_zero_offset()) {
            at = start_of_day(at.date().tomorrow().ok()?);
        } else if !cron.hour(at.hour()) {
            at = at.with().minute(0).build().ok()?.checked_add(1.hour()).ok()?;
        } else if !cron.minute(at.minute()) {
            at = at.checked_add(1.minute()).ok()?;
        } else {
            let found = moment(at, now.time_zone())?;
            if found > now.timestamp() {
                return Some(found);
            }
            at = at.checked_add(1.minute()).ok()?;
        }
    }
    None
}

/// When the clocks show this for the first time, or would have if they did not leave it out.
fn moment(at: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_zoned(at);
    let is_left_out = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().ok()?.timestamp();
    if !is_left_out {
        return Some(earlier);
    }
    zone.following(earlier).next().map(|change| change.timestamp())
}

fn start_of_day(date: civil::Date) -> civil::DateTime {
    date.at(0, 0, 0, 0)
}

/// The first moment of a day that is after `at`, which is in one before it.
fn start_of(date: civil::Date, at: &Zoned) -> Option<Zoned> {
    let midnight = || at.time_zone().to_ambiguous_zoned(start_of_day(date));
    let first = midnight().compatible().ok()?;
    // The clocks may have gone back over midnight since.
    if first > *at { Some(first) } else { midnight().later().ok().filter(|later| later > at) }
}

/// The next minute that begins.
fn next_minute(now: &Zoned) -> Option<Zoned> {
    let whole = whole_minute(now)?;
    if whole > *now { Some(whole) } else { whole.checked_add(1.minute()).ok() }
}

/// This moment, if a minute begins then; else the next one.
fn whole_minute(at: &Zoned) -> Option<Zoned> {
    let over = i64::from(at.second());
    let nanos = i64::from(at.subsec_nanosecond());
    let begun = at.checked_sub(over.seconds().nanoseconds(nanos)).ok()?;
    if begun == *at { Some(begun) } else { begun.checked_add(1.minute()).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next times after this one, in a zone whose clocks change.
    fn times(cron: &str, from: &str, count: usize) -> Vec<String> {
        let cron: Cron = cron.parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
        let from: civil::DateTime = from.parse().unwrap();
        let mut at = from.to_zoned(zone.clone()).unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            at = after(&cron, &at).unwrap().to_zoned(zone.clone());
            times.push(at.strftime("%Y-%m-%d %H:%M").to_string());
        }
        times
    }

    #[test]
    fn the_next_time_is_the_one_that_the_fields_name() {
        assert_eq!(
            times("*/20 * * * *", "2024-05-01T10:15:30", 3),
            ["2024-05-01 10:20", "2024-05-01 10:40", "2024-05-01 11:00"]
        );
        assert_eq!(
            times("30 3 1,15 jan-feb *", "2024-02-15T03:30:00", 2),
            ["2025-01-01 03:30", "2025-01-15 03:30"]
        );
        assert_eq!(times("0 0 29 2 *", "2024-03-01T00:00:00", 1), ["2028-02-29 00:00"]);
        assert_eq!(
            times("0 9 * * mon-fri", "2024-05-03T09:00:00", 2),
            ["2024-05-06 09:00", "2024-05-07 09:00"]
        );
        // Both days given: either will do, as in cron(8).
        assert_eq!(
            times("0 0 13 * 5", "2024-09-12T12:00:00", 2),
            ["2024-09-13 00:00", "2024-09-20 00:00"]
        );
    }

    fn schedules(cron: &str, at: &Zoned) -> Schedules {
        let cron: Cron = cron.parse().unwrap();
        let next = after(&cron, at);
        Schedules { tasks: [("job".to_owned(), (cron, next))].into(), ..Schedules::default() }
    }

    fn utc(at: &str) -> Zoned {
        at.parse::<civil::DateTime>().unwrap().to_zoned(TimeZone::UTC).unwrap()
    }

    #[test]
    fn a_clock_that_is_set_by_days_costs_one_run_at_most() {
        // Forward, be it by a person or because the machine slept: what was missed runs once.
        let mut schedules = schedules("*/10 * * * *", &utc("2024-05-01T10:15:00"));
        assert_eq!(schedules.due(&utc("2024-05-04T10:15:00")), ["job"]);
        assert_eq!(schedules.due(&utc("2024-05-04T10:15:20")), [""; 0]);
        // Back: it is not waited for until the days have passed again.
        assert_eq!(schedules.due(&utc("2024-05-01T10:16:00")), [""; 0]);
        assert_eq!(schedules.due(&utc("2024-05-01T10:20:00")), ["job"]);
    }

    /// Central Europe: an hour, at two and at three.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Lord Howe Island: half an hour, at two.
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    /// Newfoundland until 2011: an hour, a minute past midnight.
    const ST_JOHNS: &str = "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01";

    /// The next times after this one, with the offset of the zone then.
    fn next(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let cron: Cron = cron.parse().unwrap();
        let zone = TimeZone::posix(zone).unwrap();
        let mut at = from.parse::<Timestamp>().unwrap().to_zoned(zone.clone());
        let mut times = Vec::new();
        for _ in 0..count {
            at = after(&cron, &at).unwrap().to_zoned(zone.clone());
            times.push(at.strftime("%d %H:%M%:z").to_string());
        }
        times
    }

    #[test]
    fn wildcards_go_on_by_real_time_when_the_clocks_go_back() {
        let minutes = next("* * * * *", BERLIN, "2024-10-27T02:58:30+02:00", 3);
        assert_eq!(minutes, ["27 02:59+02:00", "27 02:00+01:00", "27 02:01+01:00"]);
        let thirds = next("*/20 * * * *", BERLIN, "2024-10-27T02:10:00+02:00", 6);
        let expected = ["02:20+02:00", "02:40+02:00", "02:00+01:00", "02:20+01:00", "02:40+01:00"];
        assert_eq!(thirds[..5], expected.map(|time| format!("27 {time}")));
        assert_eq!(thirds[5], "27 03:00+01:00");
        // Every hour, and of a named hour every one that is shown.
        let hours = next("30 * * * *", BERLIN, "2024-10-27T01:30:00+02:00", 3);
        assert_eq!(hours, ["27 02:30+02:00", "27 02:30+01:00", "27 03:30+01:00"]);
        let named = next("*/30 2 * * *", BERLIN, "2024-10-27T02:00:00+02:00", 4);
        assert_eq!(named, ["27 02:30+02:00", "27 02:00+01:00", "27 02:30+01:00", "28 02:00+01:00"]);
    }

    #[test]
    fn wildcards_go_on_by_real_time_when_the_clocks_go_forward() {
        let minutes = next("* * * * *", BERLIN, "2024-03-31T01:58:00+01:00", 3);
        assert_eq!(minutes, ["31 01:59+01:00", "31 03:00+02:00", "31 03:01+02:00"]);
        let named = next("*/30 2 * * *", BERLIN, "2024-03-31T01:00:00+01:00", 1);
        assert_eq!(named, ["01 02:00+02:00"], "nothing shows it that day");
    }

    #[test]
    fn a_time_of_day_that_is_left_out_comes_as_the_clocks_go_on() {
        for cron in ["30 2 * * *", "0,15,59 2 * * *"] {
            let times = next(cron, BERLIN, "2024-03-31T01:00:00+01:00", 2);
            assert_eq!(times[0], "31 03:00+02:00", "{cron}");
            assert!(times[1].starts_with("01 02:"), "{cron}: once: {times:?}");
        }
        let with_another = next("0 2,3 * * *", BERLIN, "2024-03-31T01:00:00+01:00", 2);
        assert_eq!(with_another, ["31 03:00+02:00", "01 02:00+02:00"]);
    }

    #[test]
    fn a_time_of_day_that_is_repeated_comes_once() {
        let times = next("30 2 * * *", BERLIN, "2024-10-27T00:00:00+02:00", 2);
        assert_eq!(times, ["27 02:30+02:00", "28 02:30+01:00"]);
        let second = next("30 2 * * *", BERLIN, "2024-10-27T02:10:00+01:00", 1);
        assert_eq!(second, ["28 02:30+01:00"]);
        let several = next("0 1-4 * * *", BERLIN, "2024-10-27T01:00:00+02:00", 3);
        assert_eq!(several, ["27 02:00+02:00", "27 03:00+01:00", "27 04:00+01:00"]);
    }

    #[test]
    fn clocks_that_change_by_half_an_hour_or_at_midnight_are_followed() {
        let back = next("*/15 * * * *", LORD_HOWE, "2024-04-07T01:30:00+11:00", 4);
        let expected = ["01:45+11:00", "01:30+10:30", "01:45+10:30", "02:00+10:30"];
        assert_eq!(back, expected.map(|time| format!("07 {time}")));
        let forward = next("*/15 * * * *", LORD_HOWE, "2024-10-06T01:45:00+10:30", 2);
        assert_eq!(forward, ["06 02:30+11:00", "06 02:45+11:00"]);
        let fixed = next("15 2 * * *", LORD_HOWE, "2024-10-06T00:00:00+10:30", 2);
        assert_eq!(fixed, ["06 02:30+11:00", "07 02:15+11:00"]);
        // From 00:01 of Sunday back to 23:01 of Saturday.
        let midnight = next("0 * * * *", ST_JOHNS, "2010-11-06T23:00:00-02:30", 3);
        assert_eq!(midnight, ["07 00:00-02:30", "07 00:00-03:30", "07 01:00-03:30"]);
        let daily = next("0 0 * * *", ST_JOHNS, "2010-11-06T12:00:00-02:30", 2);
        assert_eq!(daily, ["07 00:00-02:30", "08 00:00-03:30"]);
        let sundays = next("*/30 * * * 0", ST_JOHNS, "2010-11-07T00:00:00-02:30", 2);
        assert_eq!(sundays, ["07 00:00-03:30", "07 00:30-03:30"]);
    }

    proptest::proptest! {
        /// What comes next is after now, is shown by the clocks, and no minute before it is.
        #[test]
        fn the_next_time_of_a_wildcard_is_the_first_minute_that_shows_it(
            zone in 0..3_usize,
            minute in proptest::sample::select(vec!["*", "*/7", "0", "30", "1,59"]),
            hour in proptest::sample::select(vec!["*", "*/5"]),
            hours in 0..9000_i64,
            seconds in 0..3600_i64,
        ) {
            let zone = TimeZone::posix([BERLIN, LORD_HOWE, ST_JOHNS][zone]).unwrap();
            let cron: Cron = format!("{minute} {hour} * * *").parse().unwrap();
            let start = "2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
            let now = start.checked_add(hours.hours().seconds(seconds)).unwrap().to_zoned(zone);
            let found = after(&cron, &now).unwrap();
            let mut at = next_minute(&now).unwrap();
            let shows = |at: &Zoned| cron.minute(at.minute()) && cron.hour(at.hour());
            while !shows(&at) {
                at = at.checked_add(1.minute()).unwrap();
            }
            proptest::prop_assert_eq!(found, at.timestamp());
        }
    }

    #[test]
    fn however_many_times_were_missed_a_task_runs_once() {
        let cron: Cron = "*/5 * * * *".parse().unwrap();
        let at =
            |time: &str| time.parse::<civil::DateTime>().unwrap().to_zoned(TimeZone::UTC).unwrap();
        let next = after(&cron, &at("2024-05-01T10:01:00"));
        let mut schedules = Schedules::default();
        schedules.tasks.insert("backup".into(), (cron, next));
        assert_eq!(schedules.due(&at("2024-05-01T10:04:59")), [""; 0]);
        let slept = at("2024-05-01T13:07:30");
        assert_eq!(schedules.due(&slept), ["backup"]);
        assert_eq!(schedules.due(&slept), [""; 0]);
        assert_eq!(schedules.next("backup"), Some(at("2024-05-01T13:10:00").timestamp()));
    }

    #[test]
    fn a_day_that_does_not_exist_never_comes() {
        let cron: Cron = "0 0 31 2 *".parse().unwrap();
        assert_eq!(after(&cron, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)), None);
    }
}
