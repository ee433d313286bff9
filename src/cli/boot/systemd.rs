//! A unit of the user's own systemd (systemd.service(5), systemd.timer(5), loginctl(1)).

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Done, Job, Known, config, is_program, mark, run, said};
use crate::{cli::error::Error, model::time, platform};

/// Whether the user has a systemd that answers.
pub(super) fn is_here() -> bool {
    is_program("systemctl")
        && run("systemctl", &["--user", "show-environment"], None)
            .is_ok_and(|output| output.status.success())
}

/// Where the user's units are.
fn units() -> Option<PathBuf> {
    Some(config()?.join("systemd/user"))
}

fn unit(folder: &Path) -> String {
    format!("stackrun-{}", mark(folder))
}

/// The unit that starts and stops the stack.
fn service(job: &Job) -> String {
    let program = quoted(job.program.as_os_str());
    let file = quoted(job.file.as_os_str());
    let (name, shown) = (plain(&job.name), plain(&job.file.to_string_lossy()));
    let env: String = environment(job);
    format!(
        "# Written by `stackrun boot enable`; `stackrun boot disable` removes it.\n\
         [Unit]\n\
         Description=stackrun: {name} ({shown})\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         RemainAfterExit=yes\n\
         {env}\
         ExecStart={program} --file {file} --color never up\n\
         ExecStop={program} --file {file} --color never down\n\
         TimeoutStartSec=infinity\n\
         TimeoutStopSec=5min\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

/// The unit that looks in.
fn look(job: &Job) -> String {
    let program = quoted(job.program.as_os_str());
    let file = quoted(job.file.as_os_str());
    let (name, env) = (plain(&job.name), environment(job));
    // What it starts must outlive it.
    format!(
        "# Written by `stackrun boot enable --every`.\n\
         [Unit]\n\
         Description=stackrun: checks on {name}\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         KillMode=process\n\
         {env}\
         ExecStart={program} --file {file} --color never --quiet boot mend\n"
    )
}

fn timer(every: Duration) -> String {
    let seconds = every.as_secs();
    format!(
        "# Written by `stackrun boot enable --every`.\n\
         [Unit]\n\
         Description=stackrun: when to check\n\
         \n\
         [Timer]\n\
         OnActiveSec={seconds}s\n\
         OnUnitActiveSec={seconds}s\n\
         AccuracySec=1s\n\
         \n\
         [Install]\n\
         WantedBy=timers.target\n"
    )
}

fn environment(job: &Job) -> String {
    let lines = job.env.iter().map(|(name, value)| {
        let mut setting = OsString::from(name);
        setting.push("=");
        setting.push(value);
        format!("Environment={}\n", in_quotes(&setting))
    });
    lines.collect()
}

/// A word of a command: in quotes, `%` and `$` as themselves.
fn quoted(word: &OsStr) -> String {
    in_quotes(word).replace('$', "$$")
}

/// A value in quotes, whatever bytes it is made of (systemd.syntax(7)); `%` as itself. (`$` means
/// nothing but in commands.)
fn in_quotes(value: &OsStr) -> String {
    let mut text = String::from('"');
    for chunk in value.as_bytes().utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\\' | '"' => text.extend(['\\', char]),
                '%' => text.push_str("%%"),
                char if char.is_control() => {
                    let mut bytes = [0; 4];
                    escape(&mut text, char.encode_utf8(&mut bytes).as_bytes());
                }
                char => text.push(char),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text.push('"');
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    bytes.iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
}

/// What is in the quotes that a text begins with.
fn unquoted(text: &str) -> Option<OsString> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_prefix('"')?.bytes().peekable();
    loop {
        match rest.next()? {
            b'"' => return Some(OsString::from_vec(bytes)),
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                }
                byte => bytes.push(byte),
            },
            byte @ (b'%' | b'$') => {
                rest.next_if_eq(&byte);
                bytes.push(byte);
            }
            byte => bytes.push(byte),
        }
    }
}

/// A text of a unit: `%` as itself.
fn plain(text: &str) -> String {
    text.replace('%', "%%").replace(char::is_control, " ")
}

pub(super) fn enable(job: &Job) -> Result<Done, Error> {
    let units = units().ok_or_else(|| Error::Other("HOME is not set".into()))?;
    let unit = unit(&job.folder);
    fs::create_dir_all(&units).map_err(|error| Error::Io { path: units.clone(), error })?;
    // An earlier timer may not be wanted any more.
    let _may_not_be_there =
        run("systemctl", &["--user", "disable", "--now", &format!("{unit}.timer")], None);
    remove_files(&units, &unit, &["look.service", "timer"])?;
    write(&units.join(format!("{unit}.service")), &service(job))?;
    let mut done = Done::default();
    if let Some(every) = job.every {
        write(&units.join(format!("{unit}.look.service")), &look(job))?;
        let timer =
            timer(every).replace("[Timer]\n", &format!("[Timer]\nUnit={unit}.look.service\n"));
        write(&units.join(format!("{unit}.timer")), &timer)?;
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", &format!("{unit}.service")])?;
    if job.every.is_some() {
        systemctl(&["enable", "--now", &format!("{unit}.timer")])?;
    }
    done.said.push(format!("the systemd user unit {unit}.service starts it with the machine"));
    if let Some(every) = job.every {
        done.said.push(format!("{unit}.timer looks in every {}", time::setting(every)));
    }
    linger(&mut done);
    Ok(done)
}

/// Without lingering a user's units start at login only.
fn linger(done: &mut Done) {
    let user = platform::user_name(platform::own_uid());
    let lingers = run("loginctl", &["enable-linger"], None).is_ok_and(|out| out.status.success());
    if !lingers {
        let text =
            "it starts when you log in, not before: lingering could not be enabled".to_owned();
        done.warnings.push((text, Some(format!("sudo loginctl enable-linger {user}"))));
    }
}

pub(super) fn disable(folder: &Path) -> Result<bool, Error> {
    let Some(units) = units() else { return Ok(false) };
    let unit = unit(folder);
    if !units.join(format!("{unit}.service")).exists() {
        return Ok(false);
    }
    if is_program("systemctl") {
        // Files that are gone are what counts, whether or not a systemd runs now.
        let _ = run("systemctl", &["--user", "disable", "--now", &format!("{unit}.timer")], None);
        let _ = run("systemctl", &["--user", "disable", &format!("{unit}.service")], None);
    }
    remove_files(&units, &unit, &["service", "look.service", "timer"])?;
    if is_program("systemctl") {
        let _ = run("systemctl", &["--user", "daemon-reload"], None);
    }
    Ok(true)
}

pub(super) fn known(folder: &Path) -> Option<Known> {
    let units = units()?;
    let unit = unit(folder);
    let place = units.join(format!("{unit}.service"));
    let text = fs::read_to_string(&place).ok()?;
    let command = text.lines().find_map(|line| line.strip_prefix("ExecStart="));
    let program = command.and_then(unquoted).map(PathBuf::from);
    let timer = fs::read_to_string(units.join(format!("{unit}.timer"))).ok();
    let every = timer.and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("OnUnitActiveSec="))?;
        let seconds = line.trim_end_matches('s').parse().ok()?;
        Some(time::setting(Duration::from_secs(seconds)))
    });
    Some(Known { by: "systemd", place: place.display().to_string(), every, program })
}

fn systemctl(args: &[&str]) -> Result<(), Error> {
    let args = [&["--user"], args].concat();
    match run("systemctl", &args, None) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Error::Other(format!("systemctl {}: {}", args.join(" "), said(&output)))),
        Err(error) => Err(Error::Io { path: "systemctl".into(), error }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|error| Error::Io { path: path.to_owned(), error })
}

fn remove_files(units: &Path, unit: &str, endings: &[&str]) -> Result<(), Error> {
    for ending in endings {
        let path = units.join(format!("{unit}.{ending}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Io { path, error });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job {
            name: "shop".into(),
            folder: "/home/me/my shop".into(),
            file: "/home/me/my shop/100%/stack.kdl".into(),
            program: "/opt/bin/stackrun".into(),
            env: vec![("PATH", "/opt/$x/bin:/usr/bin".into())],
            every: Some(Duration::from_secs(300)),
        }
    }

    #[test]
    fn what_systemd_would_expand_is_written_as_itself() {
        let unit = service(&job());
        let start = "ExecStart=\"/opt/bin/stackrun\" --file \"/home/me/my shop/100%%/stack.kdl\" \
                     --color never up";
        assert!(unit.lines().any(|line| line == start), "{unit}");
        assert!(unit.contains("Environment=\"PATH=/opt/$x/bin:/usr/bin\""), "{unit}");
        assert!(unit.contains("(/home/me/my shop/100%%/stack.kdl)"), "{unit}");
    }

    #[test]
    fn whatever_a_path_holds_is_written_down() {
        for bytes in
            [&b"/caf\xe9"[..], b"/a\nb", b"/\"q\" \\ '", b"/100%/$HOME", "/é/日本".as_bytes()]
        {
            let word = OsStr::from_bytes(bytes);
            let written = quoted(word);
            assert!(!written.contains(char::is_control), "{written}");
            assert_eq!(unquoted(&format!("{written} up")).as_deref(), Some(word), "{written}");
        }
        assert_eq!(in_quotes(OsStr::from_bytes(b"P=/\xe9\n%$")), r#""P=/\xe9\x0a%%$""#);
    }

    #[test]
    fn the_timer_says_how_often() {
        assert!(timer(Duration::from_secs(300)).contains("OnUnitActiveSec=300s"));
        assert!(look(&job()).contains("boot mend"));
    }
}
