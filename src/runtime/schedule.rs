//! `schedule`: tasks that run by themselves while the stack is up.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, ToSpan, Zoned, civil};

use super::{Internal, world::World};
use crate::{event::Cause, model::Cron, platform, status::TaskState, supervisor::Command};

/// The wall clock is looked at this often: it may be set, and a machine may have slept.
const LOOK: Duration = Duration::from_secs(20);
/// How far ahead a time is looked for: the 29th of February comes every eight years at worst.
const YEARS: i16 = 9;

/// When each task runs next.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// Task → its schedule, and its next time.
    tasks: BTreeMap<String, (Cron, Option<Timestamp>)>,
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

impl World {
    /// Takes up the schedules of the stack in force.
    pub(super) fn adopt_schedules(&mut self) {
        let scheduled = self.core.stack().tasks.iter().filter_map(|task| {
            let cron: Cron = task.schedule.as_deref()?.parse().ok()?;
            Some((task.name.clone(), cron))
        });
        let scheduled: BTreeMap<String, Cron> = scheduled.collect();
        let known = self.schedules.tasks.iter().map(|(task, (cron, _))| (task, cron));
        if known.eq(&scheduled) {
            return;
        }
        let now = local_now();
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
        let due = self.schedules.due(&local_now());
        let views = self.core.tasks(platform::now());
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
}

fn local_now() -> Zoned {
    platform::wall_clock().to_zoned(jiff::tz::TimeZone::system())
}

/// The first time after `now` that a schedule names.
pub(super) fn after(cron: &Cron, now: &Zoned) -> Option<Timestamp> {
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
            // A time that the clocks leave out comes when they go on; one that they repeat is
            // its first, which may be over.
            let found = at.to_zoned(now.time_zone().clone()).ok()?.timestamp();
            if found > now.timestamp() {
                return Some(found);
            }
            at = at.checked_add(1.minute()).ok()?;
        }
    }
    None
}

fn start_of_day(date: civil::Date) -> civil::DateTime {
    date.at(0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next times after this one, in a zone whose clocks change.
    fn times(cron: &str, from: &str, count: usize) -> Vec<String> {
        let cron: Cron = cron.parse().unwrap();
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap_or(jiff::tz::TimeZone::UTC);
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
        Schedules { tasks: [("job".to_owned(), (cron, next))].into(), timer: None }
    }

    fn utc(at: &str) -> Zoned {
        at.parse::<civil::DateTime>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap()
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

    #[test]
    fn an_hour_that_the_clocks_repeat_is_no_storm() {
        let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // The second 02:10 of that night.
        let now = "2024-10-27T01:10:00Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        let next = after(&"*/20 * * * *".parse().unwrap(), &now).unwrap();
        assert_eq!(next.to_string(), "2024-10-27T02:00:00Z");
    }

    #[test]
    fn however_many_times_were_missed_a_task_runs_once() {
        let cron: Cron = "*/5 * * * *".parse().unwrap();
        let at = |time: &str| {
            time.parse::<civil::DateTime>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap()
        };
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
        assert_eq!(after(&cron, &Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC)), None);
    }
}
