//! What starts things when the machine starts: a `crontab` of the stack's own, and no systemd.

use std::{env, fs, process::Command};

use super::{Ran, Running, Stack};

/// A `crontab` that keeps its file in the stack's folder.
const CRONTAB: &str = r#"#!/bin/sh
case "$1" in
-l) cat "$CRONFILE" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
-) cat > "$CRONFILE.new" && mv "$CRONFILE.new" "$CRONFILE" ;;
*) exit 2 ;;
esac
"#;
/// A program that always fails.
pub(crate) const NOTHING: &str = "#!/bin/sh\nexit 1\n";

/// Where [`Stack::on_machine`] keeps the crontab.
pub(crate) const CRONTAB_FILE: &str = "cron.txt";

impl Stack {
    /// Has the machine of [`Stack::on_machine`] a crontab and no systemd.
    pub(crate) fn has_crontab_alone(&self) {
        self.put_program("bin/crontab", CRONTAB);
        self.put_program("bin/systemctl", NOTHING);
    }

    /// Puts a program into the stack's folder; those in `bin` come first on its machine.
    ///
    /// It is put there by another program: what this one had open for writing when a thread
    /// beside this one forked cannot be executed until that child has become another program
    /// (ETXTBSY).
    pub(crate) fn put_program(&self, name: &str, text: &str) {
        let plain = format!("{name}.text");
        self.put(&plain, text);
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(self.path(&plain)).arg(self.path(name));
        assert!(install.status().is_ok_and(|status| status.success()), "{name} cannot be made");
        fs::remove_file(self.path(&plain)).expect("its text");
    }

    /// Has a command see the machine's own programs and units.
    pub(crate) fn on_machine(&self, command: &mut Command) {
        let path = env::var("PATH").unwrap_or_default();
        let theirs = command.get_envs().find(|(key, _)| *key == "PATH");
        let path = theirs.and_then(|(_, value)| value?.to_str().map(str::to_owned)).unwrap_or(path);
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("CRONFILE", self.path(CRONTAB_FILE));
        command.env("XDG_CONFIG_HOME", self.path("config"));
    }

    /// Runs `stackrun LINE` there.
    #[track_caller]
    pub(crate) fn run_on_machine(&self, line: &str) -> Ran {
        let mut command = self.command(line);
        self.on_machine(&mut command);
        Running::start(line.to_owned(), command).ends()
    }

    /// What cron would run of a line, by `sh` and with nothing in the environment.
    #[track_caller]
    pub(crate) fn run_as_cron(&self, line: &str) -> Ran {
        let mut words = line.splitn(if line.starts_with('@') { 2 } else { 6 }, ' ');
        let command = words.by_ref().last().expect("a command").replace("\\%", "%");
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).env_clear().current_dir("/");
        shell.envs(self.command("").get_envs().filter_map(|(key, value)| {
            let marks = key.to_str().is_some_and(|key| key.starts_with("STACKRUN_TEST"));
            marks.then_some((key, value?))
        }));
        Running::start(line.to_owned(), shell).ends()
    }

    /// The lines of the crontab.
    pub(crate) fn crontab(&self) -> Vec<String> {
        self.read(CRONTAB_FILE).lines().map(str::to_owned).collect()
    }
}
