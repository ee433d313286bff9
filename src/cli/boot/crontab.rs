//! Lines of the user's crontab (crontab(1), crontab(5)): ours are marked, all others stay as they
//! are, byte by byte.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Done, Job, Known, is_program, mark, run, said, script};
use crate::cli::error::Error;

/// Begins the mark at the end of each line of ours.
const MARK: &str = "# stackrun:";
/// No cron refuses a line of this length, in bytes.
const LONGEST_LINE: usize = 900;

pub(super) fn is_here() -> bool {
    is_program("crontab")
}

pub(super) fn enable(job: &Job) -> Result<Done, Error> {
    let when = job.every.map(when).transpose()?;
    let before = read()?;
    let lines = match lines(job, when.as_deref(), None) {
        Some(lines) => {
            script::remove(&job.folder)?;
            lines
        }
        None => {
            let path = script::write(job)?;
            let unwritable = || {
                let text = format!("{}: no crontab can hold this path", path.display());
                Error::Other(text)
            };
            lines(job, when.as_deref(), Some(&path)).ok_or_else(unwritable)?
        }
    };
    let after = with(&before, &job.folder, &lines);
    if after != before {
        write(&after)?;
    }
    let mut done = Done::default();
    done.said.push("a line of your crontab starts it with the machine".to_owned());
    if let Some(when) = when {
        done.said.push(format!("another one checks on it: {when}"));
    }
    Ok(done)
}

/// Takes our lines of this stack out; whether there were any.
pub(super) fn remove(folder: &Path) -> Result<bool, Error> {
    script::remove(folder)?;
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
    let command = match first.contains(" --file ") {
        true => Some(first.replace("\\%", "%")),
        false => script::read(folder),
    };
    // The word before `--file`; nothing is before it where the environment is empty.
    let head = command.as_ref().and_then(|command| command.split(" --file ").next());
    let program = head.and_then(|head| head.rsplit_once(" '").or_else(|| head.rsplit_once("\n'")));
    let program = program.map(|(_, word)| PathBuf::from(word.trim_end_matches('\'')));
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

/// Our lines of a stack, by way of the script or whole; `None` if no crontab can hold one of them.
fn lines(job: &Job, when: Option<&str>, script: Option<&Path>) -> Option<Vec<String>> {
    let lines = std::iter::once(("@reboot", "--quiet up"))
        .chain(when.map(|when| (when, "--quiet boot mend")));
    let written = lines.map(|(when, arguments)| {
        let line = format!("{when} {} {}", command(job, arguments, script)?, end_mark(&job.folder));
        (line.len() <= LONGEST_LINE).then_some(line)
    });
    written.collect()
}

/// The crontab with these lines in the place of our lines of this stack.
fn with(text: &str, folder: &Path, lines: &[String]) -> String {
    let mut text = without(text, folder);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
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

/// The command of a line, if text can hold it. cron runs it by `/bin/sh` in an almost empty
/// environment, and takes a bare `%` for the end of the line.
fn command(job: &Job, arguments: &str, script: Option<&Path>) -> Option<String> {
    let command = match script {
        None => script::command(job, arguments),
        Some(script) => {
            let mut command = b"/bin/sh ".to_vec();
            script::quote(&mut command, script.as_os_str().as_bytes());
            command.push(b' ');
            command.extend_from_slice(arguments.as_bytes());
            command
        }
    };
    let line = String::from_utf8(command).ok().filter(|line| !line.contains(char::is_control))?;
    Some(format!("{line} >/dev/null").replace('%', "\\%"))
}

/// The user's crontab; empty if there is none.
fn read() -> Result<String, Error> {
    let output = run("crontab", &["-l"], None)
        .map_err(|error| Error::Io { path: "crontab".into(), error })?;
    let text = String::from_utf8(output.stdout.clone());
    match (output.status.success(), text) {
        (true, Ok(text)) => Ok(text),
        (true, Err(_)) => {
            Err(Error::Other("your crontab is not UTF-8: it is left as it is".into()))
        }
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
        let with = |text: &str, job: &Job, when: Option<&str>| {
            with(text, &job.folder, &lines(job, when, None).unwrap())
        };
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
        let line = command(&job("/100%"), "up", None).unwrap();
        let expected = r"PATH='/a b:/usr/bin' '/opt/it'\''s/stackrun' --file '/100\%/stack.kdl' --color never up >/dev/null";
        assert_eq!(line, expected);
    }

    #[test]
    fn what_no_line_can_hold_goes_by_a_script() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let long = Job { env: vec![("PATH", "/usr/bin:".repeat(300).into())], ..job("/one") };
        let latin = OsStr::from_bytes(b"/caf\xe9").to_owned();
        let bytes = Job { env: vec![("PATH", latin)], ..job("/one") };
        let newline = Job { file: "/a\nb/stack.kdl".into(), ..job("/one") };
        for job in [long, bytes, newline] {
            assert_eq!(lines(&job, None, None), None, "{job:?}");
            let by_script = lines(&job, None, Some(Path::new("/100%/boot.sh"))).unwrap();
            let expected = r"@reboot /bin/sh '/100\%/boot.sh' --quiet up >/dev/null # stackrun:";
            assert!(by_script[0].starts_with(expected), "{by_script:?}");
        }
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
