//! The wording of every problem: what is wrong, labels at its places, what to do.

use super::{BadExpression, Edge, Problem};
use crate::language::{
    source::{Span, Spanned},
    words::WordErrorKind as Word,
};

mod value;

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::language) struct Description {
    /// A short name that stays the same between versions.
    pub(in crate::language) code: &'static str,
    /// What is wrong.
    pub(in crate::language) message: String,
    /// Places and what is to be said of them; the first is the problem's own.
    pub(in crate::language) labels: Vec<(Span, String)>,
    /// What to do.
    pub(in crate::language) help: Option<String>,
}

impl Description {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), labels: Vec::new(), help: None }
    }

    fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

impl Problem {
    /// The problem in words.
    pub(in crate::language) fn describe(&self) -> Description {
        match self {
            Self::Unreadable { .. }
            | Self::Syntax { .. }
            | Self::IncludeLoop { .. }
            | Self::UnknownProfile { .. } => self.of_files(),
            Self::UnknownNode { .. }
            | Self::UnknownProperty { .. }
            | Self::TwiceNode { .. }
            | Self::TwiceProperty { .. }
            | Self::MissingNode { .. }
            | Self::MissingValue { .. }
            | Self::MissingProperty { .. }
            | Self::TooManyValues { .. }
            | Self::MissingSemicolon { .. }
            | Self::SingleQuotes { .. }
            | Self::NoBraces { .. }
            | Self::BadVariable { .. } => self.of_nodes(),
            Self::BadValue { of, spec, value, bad, at } => {
                value::describe(of, spec, value, bad, *at)
            }
            Self::Reserved { .. }
            | Self::TwiceName { .. }
            | Self::UnknownName { .. }
            | Self::WrongKind { .. }
            | Self::OnlyInProfile { .. } => self.of_names(),
            Self::NoCommand { .. } | Self::TwoCommands { .. } | Self::EmptyBlock { .. } => {
                self.of_commands()
            }
            Self::Words { kind, at, whole } => words(kind, *at, whole),
            Self::Unclosed { at } => Description::new("unclosed-value", "`{{` is never closed")
                .at(*at, "no `}}` follows")
                .help("for two braces that mean themselves write `{{{{`"),
            Self::Expression { text, bad, at } => expression(text, bad, *at),
            Self::BadEnvFile { .. }
            | Self::NotThere { .. }
            | Self::NotA { .. }
            | Self::Outside { .. }
            | Self::BadRegex { .. }
            | Self::BadGlob { .. } => self.of_paths(),
            Self::BadPort { .. }
            | Self::SamePort { .. }
            | Self::PortRange { .. }
            | Self::UnknownPort { .. }
            | Self::CheckWithoutPort { .. }
            | Self::BadUrl { .. }
            | Self::PortOfUrl { .. } => self.of_ports(),
            Self::TwoActions { .. } | Self::UselessKeep { .. } => self.of_commands(),
            Self::Cycle { .. } | Self::WithoutNeeded { .. } | Self::NeedsWithout { .. } => {
                self.of_the_whole()
            }
            Self::PortWithoutNeed { .. }
            | Self::AliveWithoutRestart { .. }
            | Self::LowPort { .. } => self.of_warnings(),
        }
    }

    fn of_files(&self) -> Description {
        match self {
            Self::Unreadable { path, reason, at } => {
                let message = format!("cannot read `{}`: {reason}", path.display());
                let description = Description::new("unreadable", message);
                match at {
                    Some(at) => description.at(*at, "named here"),
                    None => description,
                }
            }
            Self::Syntax { at, also, message, label, help } => {
                let mut description = Description::new("syntax", message).at(*at, label);
                description.labels.extend(also.clone());
                description.maybe_help(help.clone())
            }
            Self::IncludeLoop { edges } => {
                let mut description = Description::new("include-loop", "a loop of includes");
                for (at, target) in edges {
                    description = description.at(*at, format!("includes `{target}`"));
                }
                description.help("take one of these out")
            }
            Self::UnknownProfile { name, known } => {
                let near = near_name(name, known);
                let message = format!("there is no profile `{name}`");
                Description::new("unknown-profile", message)
                    .maybe_help(near.or_else(|| list("the profiles are", known)))
            }
            _ => unreachable_kind(),
        }
    }

    fn of_nodes(&self) -> Description {
        match self {
            Self::UnknownNode { node, parent, known, elsewhere } => {
                unknown_node(node, parent, known, elsewhere)
            }
            Self::UnknownProperty { prop, node, known, is_child } => {
                let message = format!("`{node}` has no property `{}`", prop.value);
                let child = is_child.then(|| {
                    format!(
                        "`{}` is a node of its own: write it in braces, `{node} … {{ {} … }}`",
                        prop.value, prop.value
                    )
                });
                Description::new("unknown-property", message)
                    .at(prop.span, "unknown property")
                    .maybe_help(
                        child
                            .or_else(|| near_name(&prop.value, known))
                            .or_else(|| list(&format!("the properties of `{node}` are"), known)),
                    )
            }
            Self::TwiceNode { node, first, second } => {
                Description::new("twice", format!("`{node}` stands twice"))
                    .at(*second, "again here")
                    .at(*first, "first here")
                    .help(format!("`{node}` stands once: keep one of them"))
            }
            Self::TwiceProperty { prop, first } => {
                Description::new("twice", format!("the property `{}` stands twice", prop.value))
                    .at(prop.span, "again here")
                    .at(*first, "first here")
            }
            Self::MissingNode { parent, child, at } => {
                Description::new("missing", format!("`{parent}` has no `{child}`"))
                    .at(*at, format!("needs a `{child}` in braces"))
            }
            Self::MissingValue { node, min, example } => {
                let name = &node.value;
                let what = if *min == 1 { "a value".to_owned() } else { format!("{min} values") };
                Description::new("missing", format!("`{name}` needs {what}"))
                    .at(node.span, "nothing follows")
                    .help(format!("for example: {example}"))
            }
            Self::MissingProperty { node, prop, example } => {
                Description::new("missing", format!("`{}` needs `{prop}=…`", node.value))
                    .at(node.span, format!("without `{prop}`"))
                    .help(format!("for example: {example}"))
            }
            Self::TooManyValues { node, max, at } => {
                let takes = match max {
                    0 => "no value".to_owned(),
                    1 => "one value".to_owned(),
                    max => format!("{max} values"),
                };
                Description::new("too-many", format!("`{node}` takes {takes}")).at(*at, "too many")
            }
            Self::SingleQuotes { at } => {
                Description::new("syntax", "strings stand in double quotes")
                    .at(*at, "`'` begins no string")
                    .help("write `\"…\"`")
            }
            Self::MissingSemicolon { next } => {
                let message = format!("a `;` is missing before `{}`", next.value);
                Description::new("missing", message)
                    .at(next.span, "two nodes on one line")
                    .help("write `;` between them, a line each, or quotes if it is a value")
            }
            Self::NoBraces { node } => {
                Description::new("no-braces", format!("`{}` takes nothing in braces", node.value))
                    .at(node.span, "has braces")
            }
            Self::BadVariable { name } => {
                let message = format!("`{}` is no name of a variable", name.value);
                Description::new("bad-name", message)
                    .at(name.span, "letters, digits and `_`, no digit first")
            }
            _ => unreachable_kind(),
        }
    }

    fn of_names(&self) -> Description {
        match self {
            Self::Reserved { name } => {
                let message = format!("nothing can be called `{}`", name.value);
                Description::new("reserved-name", message)
                    .at(name.span, "a reserved name")
                    .help(format!("`{{{{{}}}}}` has a meaning of its own in strings", name.value))
            }
            Self::TwiceName { name, what, first, second } => {
                Description::new("twice", format!("there is already a {what} `{name}`"))
                    .at(*second, "again here")
                    .at(*first, "first here")
                    .maybe_help(
                        matches!(*what, "service" | "task" | "group").then(|| {
                            "services, tasks and groups share one set of names".to_owned()
                        }),
                    )
            }
            Self::UnknownName { name, wanted, near } => {
                Description::new("unknown-name", format!("there is no {wanted} `{}`", name.value))
                    .at(name.span, "names nothing")
                    .maybe_help(near.as_ref().map(|near| format!("did you mean `{near}`?")))
            }
            Self::WrongKind { name, wanted, is } => Description::new(
                "wrong-kind",
                format!("`{}` is a {is}, not a {wanted}", name.value),
            )
            .at(name.span, format!("a {wanted} belongs here")),
            Self::OnlyInProfile { name, profile } => {
                let message = format!("`{}` is only there in the profile `{profile}`", name.value);
                Description::new("unknown-name", message)
                    .at(name.span, "names nothing without that profile")
                    .help(format!("add it in the profile too, or choose it: `--profile {profile}`"))
            }
            _ => unreachable_kind(),
        }
    }

    fn of_commands(&self) -> Description {
        match self {
            Self::NoCommand { of, what } => {
                let (name, all) = (
                    &of.value,
                    match *what {
                        "service" => "`run`, `shell` or `external #true`",
                        "task" => "`run`, `shell` or `step`s",
                        "step" => "`run`, `shell` or `pipe`",
                        _ => "`run` or `shell`",
                    },
                );
                Description::new("no-command", format!("the {what} `{name}` has nothing to run"))
                    .at(of.span, format!("needs {all}"))
            }
            Self::TwoCommands { first, second } => {
                let (one, other) = (&first.value, &second.value);
                Description::new("two-commands", format!("both `{one}` and `{other}`"))
                    .at(second.span, "cannot stand beside the other")
                    .at(first.span, "one way to run it")
                    .help(format!("keep `{one}` or `{other}`"))
            }
            Self::EmptyBlock { node, wants } => {
                Description::new("missing", format!("`{}` is empty", node.value))
                    .at(node.span, format!("needs {wants} in braces"))
            }
            Self::TwoActions { first, second } => {
                Description::new("two-actions", "a change cannot both send a signal and run a task")
                    .at(*second, "a task")
                    .at(*first, "a signal")
                    .help("keep one, or write two `watch` nodes")
            }
            Self::UselessKeep { at } => {
                Description::new("missing", "`keep` does not say what to keep")
                    .at(*at, "needs `newest=…` or `max-age=…`")
            }
            _ => unreachable_kind(),
        }
    }

    fn of_paths(&self) -> Description {
        match self {
            Self::BadEnvFile { path, line, reason, at } => {
                let message =
                    format!("line {line} of `{}` is no variable: {reason}", path.display());
                Description::new("bad-env-file", message)
                    .at(*at, "read here")
                    .help("each line is `KEY=value`, empty, or a `# comment`")
            }
            Self::NotThere { what, path, at } => {
                let description =
                    Description::new("not-there", format!("this {what} is not there"))
                        .at(*at, format!("no {what} at `{}`", path.display()));
                match *what {
                    "env file" => description.help("`optional=#true` lets it be missing"),
                    _ => description,
                }
            }
            Self::NotA { wanted, path, at } => {
                Description::new("not-there", format!("this is no {wanted}"))
                    .at(*at, format!("`{}` is a file", path.display()))
            }
            Self::Outside { node, path, at } => {
                let message = format!("`{node}` deletes inside the stack's folder only");
                Description::new("outside", message)
                    .at(*at, format!("`{path}` lies outside"))
                    .help("a path below the folder of the stack file will do")
            }
            Self::BadRegex { reason, at } => {
                Description::new("bad-regex", "this is no regular expression").at(*at, reason)
            }
            Self::BadGlob { reason, at } => {
                Description::new("bad-glob", "this is no pattern of paths").at(*at, reason)
            }
            _ => unreachable_kind(),
        }
    }

    fn of_ports(&self) -> Description {
        match self {
            Self::BadPort { text, at } => Description::new("bad-port", "this is no port")
                .at(*at, format!("`{text}` is neither a number from 1 to 65535 nor `auto`")),
            Self::SamePort { number, first, second } => {
                let (one, other) = (&first.value, &second.value);
                let message = if one == other {
                    format!("`{one}` has port {number} twice")
                } else {
                    format!("`{other}` and `{one}` have the same port {number}")
                };
                Description::new("same-port", message)
                    .at(second.span, format!("`{other}` has it here"))
                    .at(first.span, format!("`{one}` has it here"))
                    .help("give one of them another number, or `port \"auto\"`")
            }
            Self::PortRange { last, at } => {
                Description::new("bad-port", "not every copy can have a port")
                    .at(*at, format!("the last copy would have {last}; 65535 is the end"))
            }
            Self::UnknownPort { name, of, known } => {
                Description::new("unknown-port", format!("`{of}` has no port `{}`", name.value))
                    .at(name.span, "names no port")
                    .maybe_help(
                        near_name(&name.value, known).or_else(|| list("its ports are", known)),
                    )
                    .help_if_none("name one: `port 8000 name=\"http\"`")
            }
            Self::CheckWithoutPort { check, of } => {
                let message = format!("`{}` checks a port, but `{of}` has none", check.value);
                Description::new("no-port", message)
                    .at(check.span, "on which port?")
                    .help(format!("declare it in `{of}`: `port 8000`"))
            }
            Self::BadUrl { text, at } => {
                Description::new("bad-url", format!("`{text}` is neither a path nor a URL"))
                    .at(*at, "begins with neither `/` nor `http://`")
            }
            Self::PortOfUrl { at } => {
                Description::new("bad-url", "a URL has its own port").at(*at, "only for a path")
            }
            _ => unreachable_kind(),
        }
    }

    fn of_the_whole(&self) -> Description {
        match self {
            Self::Cycle { edges, of_groups } => cycle(edges, *of_groups),
            Self::WithoutNeeded { task, service, at, path } => {
                let way = way(path);
                let message = format!("`{task}` runs without `{service}`, but needs it");
                let description = Description::new("without-needed", message)
                    .at(*at, format!("stopped while `{task}` runs"));
                labelled(description, path).help(format!("{way}: drop the need, or the `without`"))
            }
            Self::NeedsWithout { service, task, path, at } => {
                let way = way(path);
                let message = format!("`{service}` needs `{task}`, which runs without `{service}`");
                let description = Description::new("needs-without", message)
                    .at(*at, format!("stopped while `{task}` runs"));
                labelled(description, path).help(format!("{way}: drop the need, or the `without`"))
            }
            _ => unreachable_kind(),
        }
    }

    fn of_warnings(&self) -> Description {
        match self {
            Self::PortWithoutNeed { user, owner, text, at } => {
                let message = format!("`{user}` uses `{{{{{text}}}}}` but does not need `{owner}`");
                Description::new("port-without-need", message)
                    .at(*at, format!("a port of `{owner}`"))
                    .help(format!("add `needs \"{owner}\"` to `{user}`"))
            }
            Self::AliveWithoutRestart { alive, never } => {
                Description::new("alive-never", "`alive` restarts, `restart \"never\"` does not")
                    .at(*alive, "an unhealthy service stays as it is")
                    .at(*never, "because of this")
            }
            Self::LowPort { number, at } => {
                Description::new("low-port", format!("port {number} is one of the privileged"))
                    .at(*at, "under 1024, for root only on most systems")
            }
            _ => unreachable_kind(),
        }
    }
}

impl Description {
    fn help_if_none(mut self, help: &str) -> Self {
        self.help.get_or_insert_with(|| help.to_owned());
        self
    }
}

/// `describe` sends each kind to the one function that words it.
fn unreachable_kind() -> Description {
    Description::new("problem", "something is wrong")
}

fn unknown_node(
    node: &Spanned<String>,
    parent: &str,
    known: &[&str],
    elsewhere: &[String],
) -> Description {
    let name = &node.value;
    let place = if parent.is_empty() { "at the top".to_owned() } else { format!("in `{parent}`") };
    let homes = |homes: &[String]| {
        let all: Vec<String> = homes
            .iter()
            .map(|home| match home.as_str() {
                "" => "at the top".to_owned(),
                home => format!("in `{home}`"),
            })
            .collect();
        format!("`{name}` stands {}", or(&all))
    };
    let colon = name.strip_suffix(':').map(|bare| {
        format!("no `:` follows a name: `{bare} …`, and `{bare} {{ … }}` for what is in it")
    });
    let near = colon.or_else(|| near_name(name, known));
    let message = match (elsewhere.is_empty(), &near) {
        (false, None) => format!("`{name}` does not stand {place}"),
        _ => format!("unknown node `{name}`"),
    };
    let help = near
        .or_else(|| (!elsewhere.is_empty()).then(|| homes(elsewhere)))
        .or_else(|| list(&format!("what may stand {place}:"), known));
    Description::new("unknown-node", message)
        .at(
            node.span,
            if parent.is_empty() {
                "unknown here".to_owned()
            } else {
                format!("not known {place}")
            },
        )
        .maybe_help(help)
}

fn words(kind: &Word, at: Span, whole: &str) -> Description {
    let code = "needs-shell";
    let shell = "`run` has no shell: write `shell \"…\"`, or quote it if it is meant as it stands";
    match kind {
        Word::Shell(char) => {
            Description::new(code, format!("`{char}` means something to a shell only"))
                .at(at, "unquoted in `run`")
                .help(shell)
        }
        Word::Variable(name) if name.is_empty() => {
            Description::new(code, "`$` means something to a shell only")
                .at(at, "not in single quotes")
                .help(shell)
        }
        Word::Variable(name) => {
            Description::new(code, format!("`${name}` is for a shell to fill in"))
                .at(at, "stays as it is in `run`")
                .help(format!("write `{{{{env.{name}}}}}`, or `shell \"…\"` in place of `run`"))
        }
        Word::Comment => Description::new(code, "a word that begins with `#`")
            .at(at, "a comment to a shell, not to `run`")
            .help("quote the word, or write `// …` after the string for a comment"),
        Word::Assignment(name, value) => {
            let value = value.trim_matches(['"', '\'']);
            Description::new("needs-env", format!("`{name}=…` before a program sets a variable"))
                .at(at, "only a shell understands this")
                .help(format!("write `env {{ {name} \"{value}\" }}` beside `run`, or use `shell`"))
        }
        Word::Unclosed(quote) => {
            Description::new("unclosed-quote", format!("the {quote} is never closed"))
                .at(at, "opened here")
                .help("an apostrophe that means itself: `\\\\'` or in double quotes")
        }
        Word::Backslash => Description::new("unclosed-quote", "a backslash with nothing after it")
            .at(at, "ends the string"),
        Word::Braces => Description::new("unclosed-value", "`{{` is never closed")
            .at(at, "no `}}` follows")
            .help("for two braces that mean themselves write `{{{{`"),
        Word::Empty => {
            let label = if whole.is_empty() { "an empty string" } else { "only spaces" };
            Description::new("missing", "there is no program to run").at(at, label)
        }
    }
}

fn expression(text: &str, bad: &BadExpression, at: Span) -> Description {
    let code = "unknown-value";
    let whole = format!("`{{{{{text}}}}}`");
    match bad {
        BadExpression::Unknown(near) => {
            let help = near.as_ref().map(|near| format!("did you mean `{{{{{near}}}}}`?"));
            Description::new(code, format!("{whole} names nothing"))
                .at(at, "unknown")
                .maybe_help(help)
                .help_if_none("for braces that mean themselves write `{{{{`; `stackrun explain values` lists what there is")
        }
        BadExpression::NoPort { of, own } => {
            let help = if *own {
                "write `{{SERVICE.port}}` for that of another"
            } else {
                "declare it there: `port 8000`"
            };
            Description::new(code, format!("`{of}` has no port")).at(at, "which port?").help(help)
        }
        BadExpression::NoPortNamed { of, known } => {
            let name = text.rsplit('.').next().unwrap_or_default();
            Description::new(code, format!("`{of}` has no port `{name}`"))
                .at(at, "names no port")
                .maybe_help(near_name(name, known).or_else(|| list("its ports are", known)))
        }
        BadExpression::Unset(key) => Description::new("unset", format!("`{key}` is not set"))
            .at(at, "neither in your environment nor in an env file")
            .help(format!("for a value that holds without it: `{{{{env.{key}:-default}}}}`")),
        BadExpression::OnlyInTasks => {
            Description::new(code, format!("{whole} is for tasks")).at(at, "not in a task")
        }
        BadExpression::OnlyInServices => {
            Description::new(code, format!("{whole} is for services")).at(at, "not in a service")
        }
        BadExpression::TooLate => Description::new(code, format!("{whole} is not known yet"))
            .at(at, "this must be known before anything is started"),
    }
}

fn cycle(edges: &[Edge], of_groups: bool) -> Description {
    let (what, verb) = if of_groups { ("groups", "holds") } else { ("needs", "needs") };
    let message = match edges {
        [edge] if of_groups => format!("the group `{}` holds itself", edge.from),
        [edge] => format!("`{}` needs itself", edge.from),
        _ => format!("a cycle of {what}: {}", way(edges)),
    };
    let mut description = Description::new("cycle", message);
    for edge in edges {
        description = description.at(edge.at, format!("`{}` {verb} `{}`", edge.from, edge.to));
    }
    if of_groups {
        return description.help("take one of these out");
    }
    description.help("take one of these out; for order alone there is `after`")
}

/// `a → b → c`.
fn way(edges: &[Edge]) -> String {
    let names = edges.iter().map(|edge| edge.from.as_str());
    let last = edges.last().map(|edge| edge.to.as_str());
    names.chain(last).collect::<Vec<_>>().join(" → ")
}

fn labelled(description: Description, path: &[Edge]) -> Description {
    path.iter().fold(description, |description, edge| {
        description.at(edge.at, format!("`{}` needs `{}`", edge.from, edge.to))
    })
}

fn near_name<T: AsRef<str>>(name: &str, known: &[T]) -> Option<String> {
    let near = crate::language::name::nearest(name, known.iter().map(AsRef::as_ref))?;
    Some(format!("did you mean `{near}`?"))
}

fn list<T: AsRef<str>>(before: &str, known: &[T]) -> Option<String> {
    let names: Vec<String> = known.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    (!names.is_empty()).then(|| format!("{before} {}", names.join(", ")))
}

/// `a`, `a or b`, `a, b or c`.
fn or(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
