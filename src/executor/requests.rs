//! What each request of a client means.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    clients::{Connection, Op},
    listener_owner,
    relocate::Relocation,
    state::Executor,
};
use crate::{
    control::{
        protocol::{Ask, Job, Owned, PROTOCOL, Reply, Request},
        server::{ConnectionId, Incoming},
    },
    core::stack::{Command, Input, OpId, Outcome, Until},
    event::{Cause, Event},
    keeper::protocol::{ToKeeper, UnitId},
    model::{Signal, Stack},
    platform::{self, Whereabouts},
    secrets,
};

/// How much of a command line is kept, in bytes.
const MAX_LINE: usize = 1024;

impl Executor {
    /// What was put off while the stack was being ended.
    pub(super) fn ask_put_off(&mut self) {
        for (connection, ask) in std::mem::take(&mut self.clients.put_off) {
            self.asked(connection, ask);
        }
    }

    /// Tells everybody who waits for the keeper that it does not answer, and why. What they asked
    /// for is done once it goes on.
    pub(super) fn give_up_waiting(&mut self, why: &str) {
        let message = || Reply::Error { message: why.to_owned() };
        for (connection, ask) in std::mem::take(&mut self.clients.put_off) {
            self.clients.reply(connection, ask.id, message());
        }
        let ops = self.clients.ops.iter().filter(|(_, op)| op.is_keepers);
        for op in ops.map(|(op, _)| *op).collect::<Vec<_>>() {
            if let Some((connection, id)) = self.clients.ops.remove(&op).and_then(|op| op.client) {
                self.clients.reply(connection, id, message());
            }
            self.feed(Input::Forget { op });
        }
    }

    /// Takes in what a connection says.
    pub(super) fn client_says(&mut self, message: Incoming) {
        match message {
            Incoming::Opened(id, outbox) => {
                let connection = Connection { outbox, pid: None, follows: None, foreground: false };
                self.clients.connections.insert(id, connection);
            }
            Incoming::Asked(id, message) => self.asked(id, message.into_ask()),
            Incoming::Closed(id) => self.closed(id),
        }
    }

    fn closed(&mut self, connection: ConnectionId) {
        let gone = self.clients.connections.remove(&connection);
        self.clients.put_off.retain(|(client, _)| *client != connection);
        let foreground = gone.is_some_and(|connection| connection.foreground);
        let mut left = Vec::new();
        for (id, op) in &mut self.clients.ops {
            if op.client.is_some_and(|(client, _)| client == connection) {
                op.client = None;
                left.push(*id);
            }
        }
        for op in left {
            // What takes its proof from the keeper goes on to its end.
            if self.clients.ops.get(&op).is_some_and(|op| !op.whole_down) {
                self.clients.ops.remove(&op);
                self.feed(Input::Forget { op });
            }
        }
        if foreground {
            self.shut_down();
        }
        // Whoever had it started only to ask has the answer.
        if !self.used && self.clients.connections.is_empty() {
            self.finish();
        }
    }

    fn asked(&mut self, connection: ConnectionId, ask: Ask) {
        let Ask { id, request } = ask;
        if let Request::Upgrade { program } = request {
            return self.upgrade(connection, id, program);
        }
        // Before there is a word about it.
        if let Request::Do(Job { command, .. }) | Request::Plan { command } = &request {
            stack_of(command).into_iter().for_each(secrets::learn);
        }
        let request = match self.as_known_here(request) {
            Ok(request) => request,
            Err(error) => {
                let message = error.to_string();
                return self.clients.reply(connection, id, Reply::Error { message });
            }
        };
        let Some(client) = self.clients.connections.get_mut(&connection) else { return };
        let Some(pid) = client.pid else {
            let reply = match request {
                Request::Hello { pid, .. } => {
                    client.pid = Some(pid);
                    self.hello()
                }
                _ => Reply::Error { message: "say hello first".into() },
            };
            self.clients.reply(connection, id, reply);
            return;
        };
        match request {
            Request::Hello { .. } | Request::Upgrade { .. } => {
                let reply = self.hello();
                self.clients.reply(connection, id, reply);
            }
            // The keeper ends everything that it has, and would end what is started now. If it can,
            // the connection closes with this process, and whoever asks starts the stack again.
            request @ Request::Do(_) if self.finishing => {
                self.clients.put_off.push((connection, Ask { id, request }));
            }
            Request::Do(job) => {
                let Job { command, line, env, follow, foreground, take_ports } = job;
                let cause = Cause::Command { command: short(line), pid };
                client.foreground |= foreground;
                let op = Op {
                    client: Some((connection, id)),
                    follow,
                    take_ports,
                    waits_for_end: matches!(
                        &command,
                        Command::Wait { names, until: Until::Down } if names.is_empty()
                    ),
                    cause: cause.clone(),
                    is_up: matches!(&command, Command::Up { .. }),
                    whole_down: matches!(&command, Command::Down { names } if names.is_empty()),
                    is_keepers: !matches!(&command, Command::Wait { .. }),
                    outcome: None,
                };
                self.start_op(op, command, env, cause);
            }
            Request::Events { since, follow } => self.events(connection, id, since, follow),
            Request::CancelRun { ask } => {
                self.cancel_run(connection, ask);
                self.clients.reply(connection, id, Reply::Ok);
            }
            Request::Signal { name, signal, tree, line } => {
                let cause = Cause::Command { command: short(line), pid };
                let reply = self.signal(&name, signal, tree, cause);
                let reply = reply.unwrap_or_else(|message| Reply::Error { message });
                self.clients.reply(connection, id, reply);
            }
            Request::Status
            | Request::Plan { .. }
            | Request::Why { .. }
            | Request::Stack
            | Request::Environment { .. }
            | Request::Owners { .. } => {
                let reply =
                    self.question(request).unwrap_or_else(|message| Reply::Error { message });
                self.clients.reply(connection, id, reply);
            }
        }
    }

    /// A request by the name that the stack's folder has for us: whoever asks may know it by
    /// another one.
    fn as_known_here(&self, mut request: Request) -> serde_json::Result<Request> {
        let (Request::Do(Job { command, .. }) | Request::Plan { command }) = &mut request else {
            return Ok(request);
        };
        let stack = match command {
            Command::Up { stack, .. } | Command::Run { stack, .. } => Some(stack),
            Command::Restart { stack, .. } => stack.as_mut(),
            Command::Down { .. } | Command::Wait { .. } => None,
        };
        // Where our name for it leads elsewhere by now, that of whoever asks is the better one.
        if let Some(stack) = stack
            && self.places.present_name().1 == Whereabouts::There
            && let Some(relocation) = Relocation::between(&stack.dir, &self.places.folder)
        {
            relocation.stack(stack)?;
        }
        Ok(request)
    }

    /// The keeper goes on as the program, and this supervisor ends with the connection to it.
    fn upgrade(&mut self, connection: ConnectionId, id: u64, program: PathBuf) {
        self.clients.upgrading.push((connection, id));
        self.link.send(ToKeeper::Upgrade { program });
    }

    /// The keeper could not go on as that program.
    pub(super) fn upgrade_failed(&mut self, error: &str) {
        for (connection, id) in std::mem::take(&mut self.clients.upgrading) {
            self.clients.reply(connection, id, Reply::Error { message: error.to_owned() });
        }
    }

    fn hello(&self) -> Reply {
        Reply::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            keeper: self.keeper_pid,
            used: self.used,
        }
    }

    fn start_op(
        &mut self,
        op: Op,
        mut command: Command,
        env: Option<BTreeMap<String, String>>,
        cause: Cause,
    ) {
        let id = self.next_op();
        if let Some(stack) = stack_of(&command) {
            // Before there is a word about it.
            secrets::learn(stack);
        }
        // What would be refused must not change the environment or the ports either.
        if let Some(refusal) = self.core.refusal(&command, platform::now()) {
            self.clients.ops.insert(id, op);
            let outcome = Outcome { refused: Some(refusal), ..Outcome::default() };
            self.clients.answer(id, outcome, None, None);
            self.used = true;
            return;
        }
        if let Some(stack) = stack_of(&command) {
            if self.lost {
                self.take_on();
            }
            let live = self.live_services();
            let moved = match &command {
                Command::Up { moved_ports, .. } => moved_ports,
                Command::Run { .. }
                | Command::Restart { .. }
                | Command::Down { .. }
                | Command::Wait { .. } => &BTreeSet::new(),
            };
            self.ports.adopt(stack, moved, |name| live.iter().any(|live| live == name));
            if let Some(env) = env {
                if let Command::Restart { asked, .. } = &mut command {
                    // What started in another environment is not what is asked for.
                    asked.take_if(|_| env != self.caller);
                }
                self.caller = env;
                self.adopt_schedules();
            }
        }
        self.clients.ops.insert(id, op);
        self.command(id, command, cause);
    }

    fn events(&mut self, connection: ConnectionId, id: u64, since: u64, follow: bool) {
        let Some(client) = self.clients.connections.get_mut(&connection) else { return };
        client.outbox.past(id, Box::new(self.ledger.since(since)));
        if follow {
            client.follows = Some(id);
        } else {
            self.clients.reply(connection, id, Reply::End);
        }
    }

    /// Ends the run of a task that this connection asked for.
    fn cancel_run(&mut self, connection: ConnectionId, ask: u64) {
        let mut ops = self.clients.ops.iter();
        let op = ops.find(|(_, op)| op.client == Some((connection, ask))).map(|(op, _)| *op);
        if let Some(op) = op {
            self.feed(Input::CancelRun { op });
        }
    }

    /// What can be answered at once.
    fn question(&mut self, request: Request) -> Result<Reply, String> {
        let now = platform::now();
        match request {
            Request::Status => Ok(Reply::Status { status: self.status() }),
            Request::Plan { command } => match self.core.plan(&command, now) {
                Ok(plan) => Ok(Reply::Plan { plan }),
                Err(refusal) => {
                    let outcome = Outcome { refused: Some(refusal), ..Outcome::default() };
                    Ok(Reply::Outcome { outcome, left: None, status: None })
                }
            },
            Request::Why { name } => {
                let why = self.core.why(&name, now).ok_or_else(|| self.unknown(&name))?;
                Ok(Reply::Why { why: self.with_log_lines(why) })
            }
            Request::Stack => Ok(Reply::Stack { stack: Box::new(self.core.stack().clone()) }),
            Request::Environment { name } => self.environment(&name),
            Request::Owners { pids } => Ok(self.owners(&pids)),
            Request::Hello { .. }
            | Request::Upgrade { .. }
            | Request::Do(_)
            | Request::Signal { .. }
            | Request::Events { .. }
            | Request::CancelRun { .. } => Ok(Reply::Ok),
        }
    }

    fn signal(
        &mut self,
        name: &str,
        signal: Signal,
        tree: bool,
        cause: Cause,
    ) -> Result<Reply, String> {
        let service = self.view_of(name).ok_or_else(|| self.unknown(name))?;
        let generation = service.generation;
        let unit = UnitId::main(name, generation);
        if service.pid.is_none() || !self.units.contains_key(&unit) {
            return Err(format!("{name} is not running"));
        }
        let event = Event::Signalled { signal, tree };
        self.publish(Some(name), Some(generation), event, cause);
        self.link.send(ToKeeper::Signal { unit, signal, tree });
        Ok(Reply::Ok)
    }

    /// Which of these processes are of what runs of this stack.
    fn owners(&self, pids: &[u32]) -> Reply {
        let units: Vec<(&UnitId, u32)> =
            self.units.iter().map(|(id, unit)| (id, unit.owner.main)).collect();
        let mains: Vec<u32> = units.iter().map(|(_, main)| *main).collect();
        let trees = listener_owner::trees(&mains);
        let owner = |&pid: &u32| {
            let (_, (id, _)) = trees.iter().zip(&units).find(|(tree, _)| tree.contains(&pid))?;
            Some(Owned { pid, name: id.owner.clone() })
        };
        let owners = pids.iter().filter_map(owner).collect();
        Reply::Owners { stack: self.core.stack().name.clone(), owners }
    }

    fn environment(&self, name: &str) -> Result<Reply, String> {
        let launcher = self.launcher();
        let (env, dir, user) = match (self.service(name), self.task(name)) {
            (Some(service), _) => {
                let mut env = launcher.environment(&service.env)?;
                let user = super::launch::person_of(service, &mut env)?;
                (env, service.dir.clone(), user)
            }
            (None, Some(task)) => (launcher.environment(&task.env)?, task.dir.clone(), None),
            (None, None) => return Err(self.unknown(name)),
        };
        Ok(Reply::Environment { env, dir, user })
    }

    /// What to say of a name that is neither a service nor a task.
    fn unknown(&self, name: &str) -> String {
        match self.core.stack().group(name) {
            Some(group) => {
                format!("`{name}` stands for several: name one of {}", group.members.join(", "))
            }
            None => format!("the stack has no `{name}`"),
        }
    }

    /// Tells everybody who waits for the end that it has come, and lets them read it.
    pub(super) async fn say_goodbye(&mut self) {
        let left = self.finished.clone();
        let ops: Vec<OpId> = self.clients.ops.keys().copied().collect();
        for op in ops {
            let Some(state) = self.clients.ops.get_mut(&op) else { continue };
            // Whoever asked for just this has got it; others see what they asked for undone.
            let superseded = !state.whole_down;
            let outcome = state.outcome.take();
            let outcome = outcome.unwrap_or(Outcome { superseded, ..Outcome::default() });
            self.clients.answer(op, outcome, left.clone(), None);
        }
        for connection in self.clients.connections.values() {
            let patience = std::time::Duration::from_secs(1);
            // A client that does not read its answer must not keep the stack.
            let _ = tokio::time::timeout(patience, connection.outbox.drained()).await;
        }
    }
}

/// A command line as every record of what it does has it: without secrets, since half a secret is
/// not found any more.
fn short(mut line: String) -> String {
    secrets::masker().hide(&mut line);
    if line.len() > MAX_LINE {
        let end = (0..=MAX_LINE).rev().find(|end| line.is_char_boundary(*end));
        line.truncate(end.unwrap_or(0));
        line.push('…');
    }
    line
}

/// The stack as whoever asks has read it.
fn stack_of(command: &Command) -> Option<&Stack> {
    match command {
        Command::Up { stack, .. } | Command::Run { stack, .. } => Some(stack),
        Command::Restart { stack, .. } => stack.as_deref(),
        Command::Down { .. } | Command::Wait { .. } => None,
    }
}
