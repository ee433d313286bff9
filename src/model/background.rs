//! Programs that put themselves into the background, and how each is kept in the foreground.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Command;

/// A process that goes on though the main process of its service or task has ended well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// Its number.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

impl std::fmt::Display for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, command } = self;
        write!(f, "pid {pid}, {command}")
    }
}

/// What is known of a program that goes into the background.
struct Program {
    names: &'static [&'static str],
    /// The arguments that ask for it; one of them may stand in the command.
    asked_by: &'static [&'static str],
    /// What to do where none of them does.
    instead: &'static str,
}

const fn program(
    names: &'static [&'static str],
    asked_by: &'static [&'static str],
    instead: &'static str,
) -> Program {
    Program { names, asked_by, instead }
}

const PROGRAMS: &[Program] = &[
    program(&["nginx"], &[], "add `-g \"daemon off;\"` to its command"),
    program(
        &["redis-server", "valkey-server", "keydb-server", "redis-sentinel"],
        &["--daemonize"],
        "set `daemonize no` in its configuration",
    ),
    program(&["pg_ctl", "pg_ctlcluster"], &[], "run `postgres -D DIR` in its place"),
    program(&["mysqld_safe", "mariadbd-safe", "mysql.server"], &[], "run `mysqld` in its place"),
    program(
        &["mysqld", "mariadbd"],
        &["--daemonize", "-D"],
        "leave `daemonize` out of its configuration",
    ),
    program(
        &["httpd", "apache2", "apachectl", "apache2ctl"],
        &[],
        "run `httpd -DFOREGROUND` (`apache2ctl -DFOREGROUND` on Debian) in its place",
    ),
    program(&["php-fpm"], &["--daemonize", "-D"], "add `--nodaemonize` to its command"),
    program(&["mongod"], &["--fork"], "leave `fork` out of its configuration"),
    program(&["memcached"], &["-d", "--daemon"], "run it without `-d`"),
    program(&["gunicorn"], &["--daemon", "-D"], "leave `daemon` out of its configuration"),
    program(&["uwsgi"], &["--daemonize", "-d"], "leave `daemonize` out of its configuration"),
    program(&["celery"], &["--detach", "-D"], "run `celery worker` in place of `celery multi`"),
    program(&["haproxy"], &["-D"], "leave `daemon` out of its configuration"),
    program(&["supervisord"], &[], "add `--nodaemon` to its command"),
    program(&["sshd"], &[], "add `-D` to its command"),
    program(&["dnsmasq"], &[], "add `--keep-in-foreground` to its command"),
    program(&["cron", "crond"], &[], "add `-f` to its command"),
    program(&["rsyslogd"], &[], "add `-n` to its command"),
    program(&["caddy"], &[], "run `caddy run` in place of `caddy start`"),
    program(&["zkServer.sh"], &[], "run `zkServer.sh start-foreground`"),
    program(&["catalina.sh", "startup.sh"], &[], "run `catalina.sh run`"),
    program(
        &["kafka-server-start.sh", "kafka-server-start", "zookeeper-server-start.sh"],
        &["-daemon"],
        "run it without `-daemon`",
    ),
    program(&["elasticsearch", "opensearch"], &["-d", "--daemonize"], "run it without `-d`"),
    program(&["rabbitmq-server"], &["-detached"], "run it without `-detached`"),
    program(&["pm2"], &[], "run `pm2-runtime`, or the program itself"),
    program(
        &["nohup", "setsid", "daemonize", "start-stop-daemon", "screen", "tmux"],
        &[],
        "run the program itself",
    ),
];

/// How to write a command so that what it starts stays in the foreground. `left` is the process
/// that went into the background: a script may have started it.
pub fn foreground(command: Option<&Command>, left: &Background) -> String {
    let words = command.map(words).unwrap_or_default();
    if matches!(command, Some(Command::Shell { .. })) && words.iter().any(|word| word == "&") {
        return "leave out the `&` at its end".to_owned();
    }
    let by_command = words.iter().find_map(|word| find(word));
    let by_process = || left.command.split([' ', ':']).next().and_then(find);
    let Some(program) = by_command.or_else(by_process) else {
        return "run it in the foreground (many servers have an option for it, such as \
                `--foreground` or `--no-daemon`)"
            .to_owned();
    };
    match words.iter().position(|word| asks(word, program)) {
        Some(at) => match words.get(at + 1).map(String::as_str) {
            Some(value @ ("yes" | "true")) => format!("leave out `{} {value}`", words[at]),
            Some(_) | None => format!("leave out `{}`", words[at]),
        },
        None => program.instead.replace("DIR", data_folder(&words).unwrap_or("DIR")),
    }
}

fn find(word: &str) -> Option<&'static Program> {
    let name = Path::new(word).file_name()?.to_str()?;
    // `php-fpm8.2`
    let plain = name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '.');
    let is_it = |program: &&Program| program.names.iter().any(|it| *it == name || *it == plain);
    PROGRAMS.iter().find(is_it)
}

fn asks(word: &str, program: &Program) -> bool {
    let option = word.split('=').next().unwrap_or(word);
    program.asked_by.contains(&option)
}

/// The folder that PostgreSQL is given.
fn data_folder(words: &[String]) -> Option<&str> {
    let at = words.iter().position(|word| word == "-D" || word == "--pgdata")?;
    words.get(at + 1).map(String::as_str)
}

/// A script's as far as blanks tell.
fn words(command: &Command) -> Vec<String> {
    match command {
        Command::Run(words) => words.iter().map(ToString::to_string).collect(),
        Command::Shell { script, .. } => {
            let script = script.to_string();
            let words = script.split([' ', '\t', '\n', ';', '(', ')']);
            let words = words.map(|word| word.trim_matches(['"', '\''])).filter(|w| !w.is_empty());
            // `server&` and `server &` are the same; `&&` and `2>&1` are none of it.
            let words = words.flat_map(|word| match word.strip_suffix('&') {
                Some("") | None => vec![word],
                Some(rest) if rest.ends_with(['&', '>']) => vec![word],
                Some(rest) => vec![rest, "&"],
            });
            words.map(str::to_owned).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_run(words: &[&str], left: &str) -> String {
        let command = Command::Run(words.iter().map(|word| (*word).into()).collect());
        advice(&command, left)
    }

    fn of_shell(script: &str, left: &str) -> String {
        advice(&Command::Shell { script: script.into(), with: None }, left)
    }

    fn advice(command: &Command, left: &str) -> String {
        foreground(Some(command), &Background { pid: 7, command: left.to_owned() })
    }

    #[test]
    fn what_is_advised_is_what_the_program_understands() {
        let redis = "redis-server *:6379";
        for (told, expected) in [
            (of_run(&["/usr/sbin/nginx", "-p", "."], "nginx: master"), "add `-g \"daemon off;\"`"),
            (of_run(&["redis-server", "--daemonize", "yes"], redis), "leave out `--daemonize yes`"),
            (of_run(&["redis-server", "my.conf"], redis), "set `daemonize no`"),
            (of_run(&["./start.sh"], redis), "set `daemonize no`"),
            (of_run(&["pg_ctl", "-D", "pg", "-w", "start"], "postgres"), "`postgres -D pg`"),
            (of_run(&["pg_ctl", "start"], "postgres"), "`postgres -D DIR`"),
            (of_run(&["php-fpm8.2"], "php-fpm: master"), "`--nodaemonize`"),
            (of_run(&["mongod", "--fork", "--dbpath", "x"], "mongod"), "leave out `--fork`"),
            (of_run(&["./own"], "./own --serve"), "run it in the foreground"),
        ] {
            assert!(told.contains(expected), "{told:?} has no {expected:?}");
        }
    }

    #[test]
    fn a_script_s_own_ampersand_is_told_from_others() {
        for script in ["node server.js &", "cd web; node server.js&", "(redis-server --port 1 &)"] {
            assert_eq!(of_shell(script, "node"), "leave out the `&` at its end", "{script}");
        }
        for script in ["nginx && true", "nginx 2>&1", "nginx >&2"] {
            assert!(of_shell(script, "nginx").contains("daemon off"), "{script}");
        }
    }
}
