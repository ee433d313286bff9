//! Starting with the machine: what is written down, and that it works from an empty environment.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::Value;

use crate::support::{Ran, Running, Stack};

const ONE: &str = r#"stack "one"; service "a" { run "@testbed" }"#;

/// A `crontab` that keeps its file in the stack's folder, and no systemd.
const CRONTAB: &str = r#"#!/bin/sh
case "$1" in
-l) cat "$CRONFILE" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
-) cat > "$CRONFILE.new" && mv "$CRONFILE.new" "$CRONFILE" ;;
*) exit 2 ;;
esac
"#;
const NO_SYSTEMD: &str = "#!/bin/sh\nexit 1\n";
const SYSTEMD: &str = "#!/bin/sh\necho \"$0 $*\" >> \"$CRONFILE.log\"\n";

fn program(stack: &Stack, name: &str, text: &str) {
    stack.put(name, text);
    fs::set_permissions(stack.path(name), fs::Permissions::from_mode(0o755)).expect("a program");
}

/// `stackrun LINE` where the system has these programs.
fn run(stack: &Stack, line: &str) -> Ran {
    let mut command = stack.command(line);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", stack.path("bin").display()));
    command.env("CRONFILE", stack.path("cron.txt")).env("XDG_CONFIG_HOME", stack.path("config"));
    Running::start(line.to_owned(), command).ends()
}

/// What cron would run of a line, by `sh` and with nothing in the environment.
fn as_cron(stack: &Stack, line: &str) -> Ran {
    let mut words = line.splitn(if line.starts_with('@') { 2 } else { 6 }, ' ');
    let command = words.by_ref().last().expect("a command").replace("\\%", "%");
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).env_clear().current_dir("/");
    shell.envs(stack.command("").get_envs().filter_map(|(key, value)| {
        key.to_str().is_some_and(|key| key.starts_with("STACKRUN_TEST")).then_some((key, value?))
    }));
    Running::start(line.to_owned(), shell).ends()
}

fn lines(stack: &Stack) -> Vec<String> {
    stack.read("cron.txt").lines().map(str::to_owned).collect()
}

#[test]
fn without_systemd_it_is_a_marked_line_of_the_crontab() {
    let stack = Stack::new(ONE);
    program(&stack, "bin/crontab", CRONTAB);
    program(&stack, "bin/systemctl", NO_SYSTEMD);
    let theirs = "MAILTO=me\n# keep\n5 4 * * * backup --date=\\%F\n";
    stack.put("cron.txt", theirs);
    run(&stack, "boot status").exits(3).says("not enabled");
    run(&stack, "boot enable").exits(0);
    run(&stack, "boot enable --every 5m").exits(0);
    let text = stack.read("cron.txt");
    assert!(text.starts_with(theirs), "{text}");
    assert_eq!(lines(&stack).len(), 5, "each once: {text}");
    run(&stack, "boot status").exits(0).says("crontab");
    let json = run(&stack, "boot status --json").exits(0).out;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["enabled"], &json["by"]["every"]), (&true.into(), &"*/5 * * * *".into()));

    let reboot =
        lines(&stack).into_iter().find(|line| line.starts_with("@reboot")).expect("a line");
    as_cron(&stack, &reboot).exits(0);
    assert_eq!(stack.state("a"), "ready");

    run(&stack, "boot disable").exits(0);
    assert_eq!(stack.read("cron.txt"), theirs);
    assert_eq!(stack.state("a"), "ready", "what runs goes on");
    run(&stack, "boot status").exits(3);
    run(&stack, "boot disable").exits(0);
}

#[test]
fn looking_in_mends_what_failed_and_nothing_that_was_stopped() {
    let stack = Stack::new(
        r#"stack "one"; service "a" { run "@testbed absent gone.txt"; restart "never" }"#,
    );
    program(&stack, "bin/crontab", CRONTAB);
    program(&stack, "bin/systemctl", NO_SYSTEMD);
    run(&stack, "boot enable --every 1h").exits(0);
    let look = lines(&stack).into_iter().find(|line| line.starts_with("0 */1")).expect("a line");
    as_cron(&stack, &look).exits(0);
    assert_eq!(stack.state("a"), "ready", "nothing ran");
    stack.process("a").kill();
    stack.reaches("a", "failed");
    // An edit is none of its business.
    stack.edit("restart \"never\"", "restart \"never\"; env { X \"1\" }");
    as_cron(&stack, &look).exits(0);
    assert_eq!(stack.state("a"), "ready", "it had failed");
    let status = stack.status();
    assert!(status["notices"].to_string().contains("has changed"), "{status:#}");
    stack.down();
    as_cron(&stack, &look).exits(0);
    assert_eq!(stack.state("a"), "idle", "somebody stopped it");
}

#[test]
fn with_systemd_it_is_a_unit_of_the_user() {
    let stack = Stack::new(ONE);
    program(&stack, "bin/systemctl", SYSTEMD);
    program(&stack, "bin/loginctl", NO_SYSTEMD);
    program(&stack, "bin/crontab", CRONTAB);
    run(&stack, "boot enable --every 90s").exits(0).says("loginctl enable-linger");
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
        as_cron(&stack, &format!("@reboot {line}")).exits(0);
        assert_eq!(stack.state("a"), state);
    }
    run(&stack, "boot status").exits(0).says("systemd").says("90s");
    run(&stack, "boot disable").exits(0);
    assert_eq!(fs::read_dir(&units).expect("units").count(), 0);
    run(&stack, "boot status").exits(3);
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
    program(&stack, "bin/crontab", CRONTAB);
    program(&stack, "bin/systemctl", NO_SYSTEMD);
    run(&stack, "boot enable --every 7m").exits(2).says("cron can look in");
    stack.edit("run", "runn");
    run(&stack, "boot enable").exits(2).says("runn");
    assert!(!stack.path("cron.txt").exists());
    // One that cannot be read is never replaced.
    program(&stack, "bin/crontab", "#!/bin/sh\necho broken >&2; exit 1\n");
    stack.edit("runn", "run");
    run(&stack, "boot enable").exits(1).says("broken");
    program(&stack, "bin/crontab", CRONTAB);
}
