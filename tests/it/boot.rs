//! Starting with the machine: what is written down, and that it works from an empty environment.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{NOTHING, Running, Stack};

const ONE: &str = r#"stack "one"; service "a" { run "@testbed" }"#;

const SYSTEMD: &str = "#!/bin/sh\necho \"$0 $*\" >> \"$CRONFILE.log\"\n";

#[test]
fn without_systemd_it_is_a_marked_line_of_the_crontab() {
    let stack = Stack::new(ONE);
    stack.has_crontab_alone();
    let theirs = "MAILTO=me\n# keep\n5 4 * * * backup --date=\\%F\n";
    stack.put("cron.txt", theirs);
    stack.run_on_machine("boot status").exits(3).says("not enabled");
    stack.run_on_machine("boot enable").exits(0);
    stack.run_on_machine("boot enable --every 5m").exits(0);
    let text = stack.read("cron.txt");
    assert!(text.starts_with(theirs), "{text}");
    assert_eq!(stack.crontab().len(), 5, "each once: {text}");
    stack.run_on_machine("boot status").exits(0).says("crontab");
    let json = stack.run_on_machine("boot status --json").exits(0).out;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["enabled"], &json["by"]["every"]), (&true.into(), &"*/5 * * * *".into()));

    let reboot =
        stack.crontab().into_iter().find(|line| line.starts_with("@reboot")).expect("a line");
    stack.run_as_cron(&reboot).exits(0);
    assert_eq!(stack.state("a"), "ready");

    stack.run_on_machine("boot disable").exits(0);
    assert_eq!(stack.read("cron.txt"), theirs);
    assert_eq!(stack.state("a"), "ready", "what runs goes on");
    stack.run_on_machine("boot status").exits(3);
    stack.run_on_machine("boot disable").exits(0);
}

#[test]
fn looking_in_mends_what_failed_and_nothing_that_was_stopped() {
    let stack = Stack::new(
        r#"stack "one"; service "a" { run "@testbed absent gone.txt"; restart "never" }"#,
    );
    stack.has_crontab_alone();
    stack.run_on_machine("boot enable --every 1h").exits(0);
    let look = stack.crontab().into_iter().find(|line| line.starts_with("0 */1")).expect("a line");
    stack.run_as_cron(&look).exits(0);
    assert_eq!(stack.state("a"), "ready", "nothing ran");
    stack.process("a").kill();
    stack.reaches("a", "failed");
    // An edit is none of its business.
    stack.edit("restart \"never\"", "restart \"never\"; env { X \"1\" }");
    stack.run_as_cron(&look).exits(0);
    assert_eq!(stack.state("a"), "ready", "it had failed");
    let status = stack.status();
    assert!(status["notices"].to_string().contains("has changed"), "{status:#}");
    stack.down();
    stack.run_as_cron(&look).exits(0);
    assert_eq!(stack.state("a"), "idle", "somebody stopped it");
}

#[test]
fn with_systemd_it_is_a_unit_of_the_user() {
    let stack = Stack::new(ONE);
    stack.has_crontab_alone();
    stack.put_program("bin/systemctl", SYSTEMD);
    stack.put_program("bin/loginctl", NOTHING);
    stack.run_on_machine("boot enable --every 90s").exits(0).says("loginctl enable-linger");
    let units = stack.path("config/systemd/user");
    let files: Vec<_> =
        fs::read_dir(&units).expect("units").flatten().map(|file| file.path()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    let log = stack.read("cron.txt.log");
    assert!(log.contains("--user enable stackrun-") && log.contains("daemon-reload"), "{log}");
    verify(&stack, &files);
    let main = files
        .iter()
        .find(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("ExecStop=")));
    let unit = fs::read_to_string(main.expect("the unit")).expect("text");
    for (key, state) in [("ExecStart=", "ready"), ("ExecStop=", "idle")] {
        let line = unit.lines().find_map(|line| line.strip_prefix(key)).expect("a command");
        stack.run_as_cron(&format!("@reboot {line}")).exits(0);
        assert_eq!(stack.state("a"), state);
    }
    stack.run_on_machine("boot status").exits(0).says("systemd").says("90s");
    stack.run_on_machine("boot disable").exits(0);
    assert_eq!(fs::read_dir(&units).expect("units").count(), 0);
    stack.run_on_machine("boot status").exits(3);
}

/// Has systemd itself read the units, where it is installed.
fn verify(stack: &Stack, files: &[std::path::PathBuf]) {
    if !crate::support::have(&["systemd-analyze"]) {
        return;
    }
    let runtime = stack.path("runtime");
    fs::create_dir_all(&runtime).expect("a folder");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "verify"]).args(files).env("XDG_RUNTIME_DIR", runtime);
    verify.env("HOME", stack.folder()).current_dir(stack.folder());
    let ran = Running::start("systemd-analyze verify".into(), verify).ends();
    assert!(ran.code == 0 && !ran.err.contains("stackrun-"), "{ran:#?}");
}

#[test]
fn what_cannot_be_kept_is_refused_and_nothing_is_written() {
    let stack = Stack::new(ONE);
    stack.has_crontab_alone();
    stack.run_on_machine("boot enable --every 7m").exits(2).says("cron can look in");
    stack.edit("run", "runn");
    stack.run_on_machine("boot enable").exits(2).says("runn");
    assert!(!stack.path("cron.txt").exists());
    // One that cannot be read is never replaced.
    stack.put_program("bin/crontab", "#!/bin/sh\necho broken >&2; exit 1\n");
    stack.edit("runn", "run");
    stack.run_on_machine("boot enable").exits(1).says("broken");
}

/// A crontab that takes no line of a thousand bytes, as many a cron does.
const STRICT: &str = r#"#!/bin/sh
case "$1" in
-l) cat "$CRONFILE" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
-) cat > "$CRONFILE.new"
   if grep -q '.\{999\}' "$CRONFILE.new"; then echo "command too long" >&2; exit 1; fi
   mv "$CRONFILE.new" "$CRONFILE" ;;
*) exit 2 ;;
esac
"#;

#[test]
fn what_does_not_fit_into_a_crontab_goes_by_a_script_of_our_own() {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    };
    let stack = Stack::new(
        r#"stack "one"; service "a" { shell "cat /proc/self/environ >environ; exec @testbed" }"#,
    );
    stack.has_crontab_alone();
    stack.put_program("bin/crontab", STRICT);
    for more in ["/usr/local/some/where/bin:".repeat(100).into_bytes(), b"/no/caf\xe9".to_vec()] {
        let mut enable = stack.command("boot enable --every 5m");
        stack.on_machine(&mut enable);
        let path = enable.get_envs().find(|(key, _)| *key == "PATH").and_then(|(_, path)| path);
        let mut path = path.expect("a search path").to_owned();
        path.push(":");
        path.push(OsStr::from_bytes(&more));
        enable.env("PATH", &path);
        Running::start("boot enable".to_owned(), enable).ends().exits(0);
        assert_eq!(stack.crontab().len(), 2);
        let scripts = stack.path("config/stackrun");
        let script = fs::read_dir(&scripts).expect("the scripts").flatten().next().expect("one");
        for path in [&scripts, &script.path()] {
            let mode = fs::metadata(path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
        let json = stack.run_on_machine("boot status --json").exits(0).out;
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert!(
            json["by"]["program"].as_str().is_some_and(|program| program.ends_with("/stackrun"))
        );
        for line in stack.crontab() {
            stack.run_as_cron(&line).exits(0);
            assert_eq!(stack.state("a"), "ready", "{line}");
        }
        let environment = fs::read(stack.path("environ")).expect("its environment");
        let expected = [b"PATH=".as_slice(), path.as_bytes()].concat();
        assert!(environment.split(|byte| *byte == 0).any(|variable| variable == expected));
        stack.down();
        stack.run_on_machine("boot disable").exits(0);
        assert_eq!(fs::read_dir(&scripts).expect("the scripts").count(), 0);
        stack.run_on_machine("boot status").exits(3);
    }
}
