//! What `{{…}}` means: everything that the file alone decides becomes literal text here.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    name,
    problem::{BadExpression, CommandProblem, Problems, TextProblem},
    shell_words,
    source::{Sources, Span, Spanned},
    template::{self, Piece},
};
use crate::model::{Part, Port, STATE_FOLDER, Text, nearest, path_text};

/// What strings can speak of, wherever they stand.
#[derive(Debug)]
pub(super) struct EvalContext<'a> {
    /// The files.
    pub(super) sources: &'a Sources,
    /// The stack's name.
    pub(super) name: String,
    /// The stack's folder.
    pub(super) dir: PathBuf,
    /// The caller's environment under the stack's env files.
    pub(super) env: BTreeMap<String, String>,
    /// The ports of every service, once they are known.
    pub(super) services: BTreeMap<String, Ports>,
}

/// The ports of a service.
#[derive(Debug, Default)]
pub(super) struct Ports {
    /// In the order of the file.
    pub(super) ports: Vec<Port>,
    /// Where the number of each stands.
    pub(super) places: Vec<Span>,
    /// Whether there are several copies, each with numbers of its own.
    pub(super) replicated: bool,
    /// Whether they were looked at and something was wrong with them.
    pub(super) damaged: bool,
}

/// Whose strings they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// Nobody's: the stack's own.
    Stack,
    /// A service's.
    Service(&'a str),
    /// A task's.
    Task(&'a str),
}

impl<'a> Owner<'a> {
    /// Its name.
    pub(super) fn name(self) -> Option<&'a str> {
        match self {
            Self::Stack => None,
            Self::Service(name) | Self::Task(name) => Some(name),
        }
    }
}

/// A string of one that uses a port of another.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// Whose string.
    pub(super) user: String,
    /// Whose port.
    pub(super) owner: String,
    /// What stands between the braces.
    pub(super) text: String,
    /// Where.
    pub(super) at: Span,
}

/// What the strings of one service or task mean.
#[derive(Debug)]
pub(super) struct Scope<'a, 'w> {
    /// What all can speak of.
    pub(super) world: &'a EvalContext<'w>,
    /// Whose strings.
    pub(super) owner: Owner<'a>,
    /// Its working directory.
    pub(super) dir: PathBuf,
    /// The variables of its own env files.
    pub(super) env: BTreeMap<String, String>,
    /// Whether ports are not known yet.
    pub(super) early: bool,
    /// Where problems go.
    pub(super) problems: &'a mut Problems,
    /// Where uses of other services' ports go.
    pub(super) uses: &'a mut Vec<Use>,
}

impl Scope<'_, '_> {
    /// The text of a string.
    pub(super) fn text(&mut self, text: Spanned<&str>) -> Text {
        match template::pieces(text.value) {
            Ok(pieces) => self.fill(text, pieces),
            Err(unclosed) => {
                let at = self.world.sources.inside(text.span, unclosed.0);
                self.problems.add(TextProblem::Unclosed { at });
                Text::literal("")
            }
        }
    }

    /// The text of a string that must be known now; `None` if it is not (a problem was noted).
    pub(super) fn fixed(&mut self, text: Spanned<&str>) -> Option<String> {
        let before = self.problems.len();
        let filled = self.text(text).as_declared();
        if self.problems.len() > before {
            return None;
        }
        match filled.as_literal() {
            Some(literal) => Some(literal.to_owned()),
            None => {
                let pieces = template::pieces(text.value).ok()?;
                for piece in pieces {
                    let Piece::Value(range) = piece else { continue };
                    let part = self.value(&text, range.clone());
                    if part.is_none_or(|part| Text(vec![part]).as_declared().as_literal().is_none())
                    {
                        self.bad(text, range, BadExpression::TooLate);
                    }
                }
                None
            }
        }
    }

    /// The text of a regular expression: values mean themselves in it.
    pub(super) fn pattern(&mut self, text: Spanned<&str>) -> Option<String> {
        self.fixed(text)?;
        let pieces = template::pieces(text.value).ok()?;
        let piece = |piece| match piece {
            Piece::Literal(literal) => literal,
            Piece::Value(range) => match self.expression(&text.value[range]) {
                Ok(part) => {
                    let text = Text(vec![part]).as_declared();
                    text.as_literal().map(regex::escape).unwrap_or_default()
                }
                Err(_) => String::new(),
            },
        };
        Some(pieces.into_iter().map(piece).collect())
    }

    /// The words of a one-string `run`.
    pub(super) fn words(&mut self, text: Spanned<&str>) -> Vec<Text> {
        match shell_words::split(text.value) {
            Ok(words) => words.into_iter().map(|word| self.fill(text, word)).collect(),
            Err(error) => {
                let at = self.world.sources.inside(text.span, error.range);
                self.problems.add(CommandProblem::Words { kind: error.kind, at });
                Vec::new()
            }
        }
    }

    fn fill(&mut self, text: Spanned<&str>, pieces: Vec<Piece>) -> Text {
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces {
            let part = match &piece {
                Piece::Literal(literal) => Some(Part::Literal(literal.clone())),
                Piece::Value(range) => self.value(&text, range.clone()),
            };
            let part = part.into_iter().chain(self.copy_of(text, &piece).into_iter().flatten());
            for part in part {
                match (parts.last_mut(), part) {
                    (Some(Part::Literal(last)), Part::Literal(next)) => last.push_str(&next),
                    (_, part) => parts.push(part),
                }
            }
        }
        Text(parts)
    }

    /// What follows a value that names the service, where that has several copies.
    fn copy_of(&self, text: Spanned<&str>, piece: &Piece) -> Option<[Part; 2]> {
        let Piece::Value(range) = piece else { return None };
        let names_it = matches!(&text.value[range.clone()], "name" | "data");
        let Owner::Service(service) = self.owner else { return None };
        let copied = self.world.services.get(service).is_some_and(|ports| ports.replicated);
        (names_it && copied).then(|| [Part::Literal(".".to_owned()), Part::Replica])
    }

    /// What stands at `range` of `text` means.
    fn value(&mut self, text: &Spanned<&str>, range: Range<usize>) -> Option<Part> {
        let expression = &text.value[range.clone()];
        match self.expression(expression) {
            Ok(part) => {
                self.note_use(expression, text, range);
                Some(part)
            }
            Err(bad) => {
                self.bad(*text, range, bad);
                None
            }
        }
    }

    fn bad(&mut self, text: Spanned<&str>, range: Range<usize>, bad: BadExpression) {
        let at = self.world.sources.inside(text.span, range.clone());
        let text = text.value[range].to_owned();
        self.problems.add(TextProblem::Expression { text, bad, at });
    }

    fn expression(&self, expression: &str) -> Result<Part, BadExpression> {
        if let Some(variable) = expression.strip_prefix("env.") {
            return self.variable(variable).map(Part::Literal);
        }
        let literal = |text: &str| Ok(Part::Literal(text.to_owned()));
        match (expression, self.owner) {
            ("stack.name", _) => return literal(&self.world.name),
            ("stack.dir", _) => return literal(&self.world.dir.to_string_lossy()),
            ("dir", _) => return literal(&self.dir.to_string_lossy()),
            ("now", Owner::Task(_)) => return Ok(Part::Now),
            ("now", _) => return Err(BadExpression::OnlyInTasks),
            ("replica", Owner::Service(_)) => return Ok(Part::Replica),
            ("replica", _) => return Err(BadExpression::OnlyInServices),
            ("name", Owner::Service(name) | Owner::Task(name)) => return literal(name),
            ("data", Owner::Service(name) | Owner::Task(name)) => {
                let data = self.world.dir.join(STATE_FOLDER).join("data").join(name);
                return literal(&data.to_string_lossy());
            }
            _ => {}
        }
        self.port_expression(expression)
    }

    /// `port`, `port.NAME`, `SERVICE.port`, `SERVICE.port.NAME`.
    fn port_expression(&self, expression: &str) -> Result<Part, BadExpression> {
        let mut words = expression.split('.');
        let first = words.next().unwrap_or_default();
        let own = first == "port";
        let service = if own { self.owner.name() } else { Some(first) };
        let is_port = own || words.next() == Some("port");
        let port = words.next();
        let (Some(service), true, None) = (service, is_port, words.next()) else {
            return Err(self.unknown(expression));
        };
        if self.early {
            return Err(BadExpression::TooLate);
        }
        if port == Some("") {
            return Err(self.unknown(expression));
        }
        match self.world.services.get(service) {
            Some(ports) => self.port(service, ports, port, own),
            None if own => Err(BadExpression::NoPort { of: service.to_owned(), own }),
            None if service.is_empty() => Err(self.unknown(expression)),
            // What may be meant has a problem of its own: its name.
            None if self.world.services.keys().any(|known| name::is_meant(service, known)) => {
                Ok(Part::Literal(String::new()))
            }
            None => {
                let known = self.world.services.keys().map(String::as_str);
                let near = nearest(service, known).map(str::to_owned);
                Err(BadExpression::NoService(service.to_owned(), near))
            }
        }
    }

    fn port(
        &self,
        service: &str,
        ports: &Ports,
        port: Option<&str>,
        own: bool,
    ) -> Result<Part, BadExpression> {
        let of = service.to_owned();
        let found = match port {
            None => ports.ports.first(),
            Some(name) => ports.ports.iter().find(|port| port.name.as_deref() == Some(name)),
        };
        match (found, port) {
            (Some(found), _) => {
                let own_copy = ports.replicated && self.owner == Owner::Service(service);
                let declared = found.declared().filter(|_| !own_copy);
                Ok(Part::Port { service: of, port: port.map(str::to_owned), declared })
            }
            // Its ports have problems of their own; another one here would only repeat them.
            (None, _) if ports.damaged => Ok(Part::Literal(String::new())),
            (None, None) => Err(BadExpression::NoPort { of, own }),
            (None, Some(_)) => {
                let known = ports.ports.iter().filter_map(|port| port.name.clone()).collect();
                Err(BadExpression::NoPortNamed { of, known })
            }
        }
    }

    fn variable(&self, expression: &str) -> Result<String, BadExpression> {
        let (key, default) = match expression.split_once(":-") {
            Some((key, default)) => (key.trim_end(), Some(default)),
            None => (expression, None),
        };
        let value = self.env.get(key).or_else(|| self.world.env.get(key));
        match (value, default) {
            (Some(value), _) if path_text::is_escaped(value) => {
                Err(BadExpression::NotUtf8(key.to_owned()))
            }
            (Some(value), None) => Ok(value.clone()),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value.clone()),
            (_, Some(default)) => Ok(default.trim_start().to_owned()),
            (None, None) if name::is_variable(key) => Err(BadExpression::Unset(key.to_owned())),
            (None, None) => Err(self.unknown(expression)),
        }
    }

    /// Says that an expression names nothing, and what it is close to.
    fn unknown(&self, expression: &str) -> BadExpression {
        let fixed = ["port", "name", "dir", "data", "stack.name", "stack.dir", "now", "replica"];
        let ports = self.world.services.iter().flat_map(|(service, ports)| {
            let first = ports.ports.first().map(|_| format!("{service}.port"));
            let names = ports.ports.iter().filter_map(|port| port.name.as_deref());
            let named = names.map(move |name| format!("{service}.port.{name}"));
            first.into_iter().chain(named)
        });
        let known: Vec<String> = fixed.map(str::to_owned).into_iter().chain(ports).collect();
        let mut near = nearest(expression, known.iter().map(String::as_str));
        if near.is_none() {
            // `{{postgres}}` means its port.
            near = known.iter().map(String::as_str).find(|known| {
                known.strip_suffix(".port").is_some_and(|service| service == expression)
            });
        }
        BadExpression::Unknown(near.map(str::to_owned))
    }

    fn note_use(&mut self, expression: &str, text: &Spanned<&str>, range: Range<usize>) {
        let Owner::Service(user) = self.owner else { return };
        let Some((owner, rest)) = expression.split_once('.') else { return };
        let is_port = rest == "port" || rest.starts_with("port.");
        if is_port && owner != user && self.world.services.contains_key(owner) {
            let at = self.world.sources.inside(text.span, range);
            let (user, owner) = (user.to_owned(), owner.to_owned());
            self.uses.push(Use { user, owner, text: expression.to_owned(), at });
        }
    }

    /// The folder of the file that a place is in.
    pub(super) fn file_dir(&self, span: Span) -> &Path {
        self.world.sources.file(span).dir()
    }
}
