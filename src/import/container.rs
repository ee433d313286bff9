//! What only a container can run: by `docker run`, which ends with it.

use super::{
    command,
    compose::{Compose, interpolate, words_of},
    kdl_writer::Node,
    report::Report,
    value::{Data, Entry, Value},
};

/// A service that is run as its image says.
pub(super) struct Container<'a> {
    own: &'a str,
    value: &'a Value,
    compose: &'a Compose<'a>,
}

impl<'a> Container<'a> {
    pub(super) fn new(own: &'a str, value: &'a Value, compose: &'a Compose<'a>) -> Self {
        Self { own, value, compose }
    }

    /// The task that builds the image, where there is one to build.
    pub(super) fn build_task(&self, report: &mut Report) -> Option<Node> {
        let build = self.value.get("build")?;
        let context = build.get("context").unwrap_or(build).text().unwrap_or_else(|| ".".into());
        let mut words =
            vec!["docker", "build", "-t"].into_iter().map(str::to_owned).collect::<Vec<_>>();
        words.push(self.image());
        if let Some(file) = build.get("dockerfile").and_then(Value::text) {
            words.extend(["-f".to_owned(), format!("{context}/{file}")]);
        }
        if let Some(target) = build.get("target").and_then(Value::text) {
            words.extend(["--target".to_owned(), target]);
        }
        words.push(context);
        report.carried(self.own, "build");
        let run = command::of_filled_words(words)?;
        let task = Node::new("task").arg(format!("build-{}", self.own)).from(build.line);
        Some(task.child(Node::new("tool").arg("docker")).child(run.from(build.line)))
    }

    fn image(&self) -> String {
        let image = self.value.get("image").and_then(Value::text);
        match image {
            Some(image) if self.value.get("build").is_none() => interpolate(&image),
            _ => format!("{{{{stack.name}}}}-{}", self.own),
        }
    }

    /// `docker run`, what has to go before it, and how it is stopped.
    pub(super) fn run(&self, report: &mut Report) -> Vec<Node> {
        let Self { own, value, compose } = *self;
        let name = container_name(own);
        let mut words: Vec<String> =
            ["docker", "run", "--rm", "--init", "--name", &name].map(str::to_owned).into();
        let ports = compose.ports.iter().find(|(known, _)| compose.names.get(known) == Some(own));
        for (inside, outside) in ports.map(|(_, ports)| ports.as_slice()).unwrap_or_default() {
            words.extend(["-p".to_owned(), format!("127.0.0.1:{outside}:{inside}")]);
        }
        // By name alone: values, secret ones among them, stay out of the command line.
        for (key, _, _, _) in value.get("environment").map(Value::pairs).unwrap_or_default() {
            words.extend(["-e".to_owned(), key]);
        }
        for volume in value.get("volumes").map(Value::items).unwrap_or_default() {
            match mount(volume) {
                Some(mount) => words.extend(["-v".to_owned(), mount]),
                None => {
                    report.left(
                        volume.line,
                        format!("{own}.volumes"),
                        "is not a known kind of mount",
                    );
                }
            }
            report.carried(own, "volumes");
        }
        for (key, option) in [("working_dir", "-w"), ("user", "-u"), ("entrypoint", "--entrypoint")]
        {
            let setting = value.get(key).and_then(words_of).unwrap_or_default();
            if let Some(first) = setting.first() {
                words.extend([option.to_owned(), interpolate(first)]);
            }
        }
        words.push(self.image());
        let entry = value.get("entrypoint").and_then(words_of).unwrap_or_default();
        let command = value.get("command").and_then(words_of).unwrap_or_default();
        words.extend(entry.iter().skip(1).chain(&command).map(|word| interpolate(word)));
        for key in ["image", "command", "entrypoint"] {
            if value.get(key).is_some() {
                report.carried(own, key);
            }
        }
        let line = value.line;
        report.changed(line, own, "is run by `docker run`: only its image knows how");
        let remove = format!("docker rm --force {name} >/dev/null 2>&1 || true");
        let mut nodes: Vec<Node> = command::of_filled_words(words).into_iter().collect();
        nodes.push(Node::new("before-start").child(Node::new("shell").arg(remove)));
        nodes.push(Node::new("stop").child(Node::new("run").arg(format!("docker stop {name}"))));
        nodes.into_iter().map(|node| node.from(line)).collect()
    }
}

fn container_name(own: &str) -> String {
    format!("{{{{stack.name}}}}-{own}")
}

/// The mounts of folders of this machine: outside, inside.
pub(super) fn mounts(volumes: &Value) -> Vec<(String, String)> {
    let both = |item: &Value| -> Option<(String, String)> {
        if let Data::Map(_) = item.data {
            return Some((item.get("source")?.text()?, item.get("target")?.text()?));
        }
        let text = item.text()?;
        let mut parts = text.split(':');
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    let is_path = |(outside, _): &(String, String)| outside.starts_with(['.', '/', '~']);
    volumes.items().iter().filter_map(both).filter(is_path).collect()
}

/// A mount as `docker run -v` takes it.
fn mount(item: &Value) -> Option<String> {
    let text = match &item.data {
        Data::Map(_) => {
            let target = item.get("target")?.text()?;
            let source = item.get("source").and_then(Value::text);
            source.map_or(target.clone(), |source| format!("{source}:{target}"))
        }
        _ => item.text()?,
    };
    let text = interpolate(&text);
    Some(match text.strip_prefix('.') {
        Some(below) if below.starts_with(['/', ':']) || below.is_empty() => {
            format!("{{{{stack.dir}}}}{below}")
        }
        Some(_) => format!("{{{{stack.dir}}}}/{text}"),
        None if text.starts_with(['/', '~', '{']) || !text.contains(':') => text,
        // Where compose has kept it, so that the data is still there.
        None => format!("{{{{stack.name}}}}_{text}"),
    })
}

/// `ready` from a health check.
pub(super) fn healthcheck(
    own: &str,
    value: &Value,
    native: bool,
    compose: &Compose<'_>,
    report: &mut Report,
) -> Vec<Node> {
    let Some(test) = value.get("test") else { return Vec::new() };
    if value.get("disable").and_then(Value::flag) == Some(true) {
        return Vec::new();
    }
    let words = test.texts();
    let check = match (&test.data, words.first().map(String::as_str)) {
        (_, Some("NONE")) => return Vec::new(),
        (Data::List(_), Some("CMD")) => Test::Words(words[1..].to_vec()),
        (Data::List(_), Some("CMD-SHELL")) => Test::Shell(words[1..].join(" ")),
        (Data::List(_), _) => Test::Words(words),
        (_, Some(text)) => Test::Shell(text.to_owned()),
        (_, None) => return Vec::new(),
    };
    let own_ports = compose.ports.iter().find(|(known, _)| compose.names.get(known) == Some(own));
    let own_ports = own_ports.map(|(_, ports)| ports.clone()).unwrap_or_default();
    let check = check.node(own, native, &own_ports);
    let mut ready = Node::new("ready").from(test.line);
    let time = |key: &str| value.get(key).and_then(Value::text).and_then(|text| seconds(&text));
    let retries = value.get("retries").and_then(Value::number).unwrap_or(3);
    let within =
        time("start_period").unwrap_or(0.0) + time("interval").unwrap_or(30.0) * to_f64(retries);
    if within > 60.0 {
        ready = ready.prop("within", format!("{within}s"));
    }
    if let Some(timeout) = time("timeout") {
        ready = ready.prop("timeout", format!("{timeout}s"));
    }
    report.carried(own, "healthcheck");
    vec![ready.child(check)]
}

#[expect(clippy::cast_precision_loss, reason = "a handful of tries")]
fn to_f64(number: u64) -> f64 {
    number as f64
}

/// A health check's command.
enum Test {
    Words(Vec<String>),
    Shell(String),
}

impl Test {
    fn node(self, own: &str, native: bool, ports: &[(u16, u16)]) -> Node {
        let text = match &self {
            Self::Words(words) => words.join(" "),
            Self::Shell(script) => script.clone(),
        };
        if let Some((url, port)) = asked_url(&text) {
            let known = ports.iter().find(|(inside, _)| *inside == port);
            match known {
                Some(_) if ports.first() == known => return Node::new("http").arg(path_of(&url)),
                Some((inside, _)) => {
                    return Node::new("http").arg(path_of(&url)).prop("port", format!("p{inside}"));
                }
                None if native => return Node::new("http").arg(url),
                None => {}
            }
        }
        match (self, native) {
            (Self::Shell(script), true) => command::of_shell(&script.replace("$$", "$"))
                .command
                .unwrap_or_else(|| Node::new("shell").arg(script)),
            (Self::Words(words), true) => {
                let words = words.iter().map(|word| interpolate(word)).collect();
                command::of_filled_words(words).unwrap_or_else(|| Node::new("run").arg("true"))
            }
            (test, false) => {
                let inside = match test {
                    Self::Words(words) => words,
                    Self::Shell(script) => vec!["sh".to_owned(), "-c".to_owned(), script],
                };
                let mut words: Vec<String> = ["docker", "exec"]
                    .map(str::to_owned)
                    .into_iter()
                    .chain([container_name(own)])
                    .collect();
                words.extend(inside.iter().map(|word| interpolate(word)));
                Node::new("run").args(words)
            }
        }
    }
}

/// The address that `curl` or `wget` asks on this machine, and its port.
pub(super) fn asked_url(command: &str) -> Option<(String, u16)> {
    if !(command.contains("curl") || command.contains("wget")) {
        return None;
    }
    let start = command.find("http://")?;
    let end =
        command[start..].find(|letter: char| letter.is_whitespace() || "'\"|;)".contains(letter));
    let url = &command[start..start + end.unwrap_or(command.len() - start)];
    let host = url.strip_prefix("http://")?.split('/').next()?;
    let (name, port) = host.split_once(':').unwrap_or((host, "80"));
    let here = ["localhost", "127.0.0.1", "0.0.0.0", "::1"].contains(&name);
    let plain = !url.contains('$');
    (here && plain).then(|| Some((url.to_owned(), port.parse().ok()?)))?
}

fn path_of(url: &str) -> String {
    let path = url.trim_start_matches("http://").split_once('/').map(|(_, path)| path);
    format!("/{}", path.unwrap_or_default())
}

/// `1m30s`, `500ms`, `5` → seconds.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let end = after.find(|letter: char| !letter.is_alphabetic());
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let number: f64 = number.parse().ok()?;
        total += number
            * match unit {
                "us" => 0.000_001,
                "ms" => 0.001,
                "" | "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = after;
    }
    Some(total)
}

/// Whether a node may stand in a task.
pub(super) fn is_of_task(node: &str) -> bool {
    ["needs", "after", "dir", "env", "env-file", "run", "shell", "tool", "describe"].contains(&node)
}

/// What the last stage of a Dockerfile runs.
pub(super) fn command_of_dockerfile(text: &str) -> Option<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let (mut entry, mut command) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let Some((word, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
        match word.to_uppercase().as_str() {
            "FROM" => (entry, command) = (Vec::new(), Vec::new()),
            "ENTRYPOINT" => entry = dockerfile_words(rest.trim()),
            "CMD" => command = dockerfile_words(rest.trim()),
            _ => {}
        }
    }
    entry.extend(command);
    (!entry.is_empty()).then_some(entry)
}

fn dockerfile_words(text: &str) -> Vec<String> {
    serde_json::from_str(text)
        .unwrap_or_else(|_| ["sh", "-c", text].map(str::to_owned).into_iter().collect())
}

/// The entries that a setting has beside those that are known.
pub(super) fn unknown<'a>(value: &'a Value, known: &[&str]) -> Vec<&'a Entry> {
    value.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())).collect()
}
