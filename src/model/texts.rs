//! The texts of a service or a task, wherever they stand in it.

use super::{Check, Command, HttpTarget, Service, Step, StepCommand, Task, TaskBody, Text};

impl Service {
    /// Visits every text. Taken apart field by field, so that a new one cannot be forgotten.
    pub fn for_each_text(&mut self, visit: &mut impl FnMut(&mut Text)) {
        let Service {
            name: _,
            command,
            autostart: _,
            dir: _,
            env,
            needs: _,
            after: _,
            ports: _,
            ready,
            alive,
            restart: _,
            succeeds_with: _,
            stop,
            cleanup: _,
            memory_max: _,
            limits: _,
            log: _,
            stdin_open: _,
            user: _,
            tty: _,
            color: _,
            watch: _,
            hooks,
            tools,
            replicas: _,
            describe,
            url,
            url_open: _,
            is_lost: _,
        } = self;
        let hooks = [
            &mut hooks.before_start,
            &mut hooks.after_ready,
            &mut hooks.after_stop,
            &mut hooks.on_failure,
        ];
        let commands = command.iter_mut().chain(stop.command.iter_mut());
        let checks = ready.checks.iter_mut().chain(alive.iter_mut().flat_map(|a| &mut a.checks));
        commands.chain(hooks.into_iter().flatten()).for_each(|command| texts_of(command, visit));
        checks.for_each(|check| texts_of_check(check, visit));
        env.values_mut().filter_map(|value| value.value.as_mut()).for_each(&mut *visit);
        tools.iter_mut().map(|tool| &mut tool.program).for_each(&mut *visit);
        describe.iter_mut().chain(url).for_each(visit);
    }
}

impl Task {
    /// Visits every text, as above.
    pub fn for_each_text(&mut self, visit: &mut impl FnMut(&mut Text)) {
        let Self {
            name: _,
            body,
            dir: _,
            env,
            needs: _,
            after: _,
            succeeds_with: _,
            without: _,
            on_failure,
            confirm,
            keep: _,
            timeout: _,
            retries: _,
            inputs: _,
            outputs: _,
            schedule: _,
            tools,
            log: _,
            describe,
        } = self;
        match body {
            TaskBody::Command(command) => texts_of(command, visit),
            TaskBody::Steps(steps) => {
                steps.iter_mut().for_each(|step| texts_of_step(step, visit));
            }
        }
        on_failure.iter_mut().for_each(|step| texts_of_step(step, visit));
        env.values_mut().filter_map(|value| value.value.as_mut()).for_each(&mut *visit);
        tools.iter_mut().map(|tool| &mut tool.program).for_each(&mut *visit);
        confirm.iter_mut().chain(describe).for_each(visit);
    }
}

fn texts_of_step(step: &mut Step, visit: &mut impl FnMut(&mut Text)) {
    let Step { name: _, command, dir: _, env, stdin, stdout } = step;
    match command {
        StepCommand::Command(command) => texts_of(command, visit),
        StepCommand::Pipe(commands) => {
            commands.iter_mut().for_each(|command| texts_of(command, visit));
        }
    }
    env.values_mut().filter_map(|value| value.value.as_mut()).for_each(&mut *visit);
    stdin.iter_mut().chain(stdout).for_each(visit);
}

fn texts_of(command: &mut Command, visit: &mut impl FnMut(&mut Text)) {
    match command {
        Command::Run(words) => words.iter_mut().for_each(visit),
        Command::Shell { script, with: _ } => visit(script),
    }
}

fn texts_of_check(check: &mut Check, visit: &mut impl FnMut(&mut Text)) {
    match check {
        Check::Http(http) => {
            match &mut http.target {
                HttpTarget::Path { path: text, port: _ } | HttpTarget::Url(text) => visit(text),
            }
            http.headers.iter_mut().for_each(|(_, value)| visit(value));
        }
        Check::Command(command) => texts_of(command, visit),
        Check::Tcp(_) | Check::Prints(_) | Check::Notify | Check::Delay(_) => {}
    }
}
