//! Lines of the user's crontab (crontab(1), crontab(5)): ours are marked, all others stay as they
//! are, byte by byte.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Done, Job, Known, is_program, mark, run, said};
use crate::cli::error::Error;

/// Begins the mark at the end of each line of ours.
const MARK: &str = "# stackrun:";

pub(super) fn is_here() -> bool {
    is_program("crontab")
}

pub(super) fn enable(job: &Job) -> Result<Done, Error> {
    let when = job.every.map(when).transpose()?;
    let before = read()?;
    let after = with(&before, job, when.as_deref());
    if after != before {
        write(&after)?;
    }
    let mut done = Done::default();
    done.said.push("a line of your crontab starts it with the machine".to_owned());
    if let Some(when) = when {
        done.said.push(format!("another one looks in: {when}"));
    }
    Ok(done)
}

/// Takes our lines of this stack out; whether there were any.
pub(super) fn remove(folder: &Path) -> Result<bool, Error> {
    if !is_here() {
        return Ok(false);
    }
    let before = read()?;
    let after = without(&before, folder);
    let had = after != before;
    if had {
        write(&after)?;
    }
    Ok(had)
}

pub(super) fn known(folder: &Path) -> Result<Option<Known>, Error> {
    if !is_here() {
        return Ok(None);
    }
    let text = read()?;
    let end = end_mark(folder);
    let ours: Vec<&str> = text.lines().filter(|line| line.ends_with(&end)).collect();
    let Some(first) = ours.iter().find(|line| line.starts_with("@reboot ")) else {
        return Ok(None);
    };
    let every = ours.iter().find(|line| !line.starts_with("@reboot "));
    let every = every.map(|line| line.splitn(6, ' ').take(5).collect::<Vec<_>>().join(" "));
    // The word before `--file`.
    let program = first.split(" --file ").next().and_then(|head| head.rsplit_once(" '"));
    let program =
        program.map(|(_, word)| PathBuf::from(word.trim_end_matches('\'').replace("\\%", "%")));
    Ok(Some(Known { by: "crontab", place: "crontab -l".into(), every, program }))
}

/// When to look in, as crontab(5) says it.
fn when(every: Duration) -> Result<String, Error> {
    let minutes = every.as_secs() / 60;
    let exact = every.as_secs().is_multiple_of(60);
    match minutes {
        1..60 if exact && 60_u64.is_multiple_of(minutes) => Ok(format!("*/{minutes} * * * *")),
        60..1440 if exact && minutes.is_multiple_of(60) && 24_u64.is_multiple_of(minutes / 60) => {
            Ok(format!("0 */{} * * *", minutes / 60))
        }
        1440 if exact => Ok("0 0 * * *".into()),
        _ => Err(Error::Argument(
            "cron can look in every 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes, every 1, 2, \
             3, 4, 6, 8 or 12 hours, or every day"
                .into(),
        )),
    }
}

/// The crontab with our lines of this stack as they are to be now.
fn with(text: &str, job: &Job, when: Option<&str>) -> String {
    let mut text = without(text, &job.folder);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let lines = std::iter::once(("@reboot", "--quiet up"))
        .chain(when.map(|when| (when, "--quiet boot mend")));
    for (when, verb) in lines {
        text.push_str(&format!("{when} {} {}\n", command(job, verb), end_mark(&job.folder)));
    }
    text
}

/// The crontab without our lines of this stack.
fn without(text: &str, folder: &Path) -> String {
    let end = end_mark(folder);
    text.split_inclusive('\n').filter(|line| !line.trim_end_matches('\n').ends_with(&end)).collect()
}

fn end_mark(folder: &Path) -> String {
    format!("{MARK}{}", mark(folder))
}

/// The command of a line. cron runs it by `/bin/sh` in an almost empty environment, and takes a
/// bare `%` for the end of the line.
fn command(job: &Job, verb: &str) -> String {
    let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
    let env = job.env.iter().map(|(name, value)| format!("{name}={} ", quoted(value)));
    let line = format!(
        "{}{} --file {} --color never {verb} >/dev/null",
        env.collect::<String>(),
        quoted(&job.program.to_string_lossy()),
        quoted(&job.file.to_string_lossy()),
    );
    line.replace('%', "\\%")
}

/// The user's crontab; empty if there is none.
fn read() -> Result<String, Error> {
    let output = run("crontab", &["-l"], None)
        .map_err(|error| Error::Io { path: "crontab".into(), error })?;
    let text = String::from_utf8(output.stdout.clone());
    match (output.status.success(), text) {
        (true, Ok(text)) => Ok(text),
        (true, Err(_)) => Err(Error::Other("your crontab is no UTF-8: it is left as it is".into())),
        // The only failure that says that nothing is there.
        (false, _) if said(&output).contains("no crontab") => Ok(String::new()),
        (false, _) => Err(Error::Other(format!("crontab -l: {}", said(&output)))),
    }
}

/// Replaces it; the program does so in one step.
fn write(text: &str) -> Result<(), Error> {
    match run("crontab", &["-"], Some(text)) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::Other(format!("crontab -: {}", said(&output)))),
        Err(error) => Err(Error::Io { path: "crontab".into(), error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(folder: &str) -> Job {
        Job {
            name: "shop".into(),
            folder: folder.into(),
            file: format!("{folder}/stack.kdl").into(),
            program: "/opt/it's/stackrun".into(),
            env: vec![("PATH", "/a b:/usr/bin".into())],
            every: None,
        }
    }

    #[test]
    fn all_other_lines_stay_byte_by_byte() {
        let theirs = "MAILTO=me\n\n# a comment\n5 4 * * * backup --date=\\%F";
        let one = with(theirs, &job("/one"), Some("*/5 * * * *"));
        assert!(one.starts_with(&format!("{theirs}\n")), "{one}");
        assert_eq!(one.lines().filter(|line| line.contains(MARK)).count(), 2);
        let two = with(&one, &job("/two"), None);
        assert_eq!(without(&two, Path::new("/two")), one);
        assert_eq!(without(&one, Path::new("/one")), format!("{theirs}\n"));
        assert_eq!(with(&one, &job("/one"), Some("*/5 * * * *")), one, "once is enough");
        assert_eq!(without(theirs, Path::new("/one")), theirs);
    }

    #[test]
    fn the_command_is_whole_without_any_environment() {
        let line = command(&job("/100%"), "up");
        let expected = r"PATH='/a b:/usr/bin' '/opt/it'\''s/stackrun' --file '/100\%/stack.kdl' --color never up >/dev/null";
        assert_eq!(line, expected);
    }

    #[test]
    fn intervals_that_cron_can_keep() {
        let minutes = |minutes: u64| when(Duration::from_secs(minutes * 60)).ok();
        assert_eq!(minutes(5).as_deref(), Some("*/5 * * * *"));
        assert_eq!(minutes(120).as_deref(), Some("0 */2 * * *"));
        assert_eq!(minutes(1440).as_deref(), Some("0 0 * * *"));
        assert_eq!([minutes(0), minutes(7), minutes(300)], [None, None, None]);
        assert!(when(Duration::from_secs(90)).is_err());
    }
}
