//! Values of compose files: commands, ports, sizes, variables.

use crate::import::{
    command,
    kdl_writer::Node,
    report::Report,
    value::{Data, Entry, Value},
};

/// A command of a string or of words.
pub(in crate::import) fn words_of(value: &Value) -> Option<Vec<String>> {
    match &value.data {
        Data::List(_) => Some(value.texts()),
        _ => command::split(&value.text()?),
    }
}

/// Inside and outside of the TCP ports.
pub(super) fn published(ports: &Value) -> Vec<(u16, u16)> {
    ports.items().iter().filter_map(port).collect()
}

/// `8080:80`, `127.0.0.1:8080:80/tcp`, `{target: 80, published: 8080}`: inside, outside.
pub(super) fn port(item: &Value) -> Option<(u16, u16)> {
    if let Data::Map(_) = item.data {
        let inside = u16::try_from(item.get("target")?.number()?).ok()?;
        let outside = item.get("published").map_or(Some(u64::from(inside)), Value::number)?;
        let udp = item.get("protocol").and_then(Value::text).is_some_and(|name| name != "tcp");
        return (!udp).then_some((inside, u16::try_from(outside).ok()?));
    }
    let text = item.text()?;
    let text = text.strip_suffix("/tcp").unwrap_or(&text);
    // `${PORT:-8080}:80` is the default's.
    let text = defaults(text);
    let mut parts = text.rsplit(':');
    let inside = parts.next()?.parse().ok()?;
    let outside = parts.next().map_or(Some(inside), |outside| outside.parse().ok())?;
    (inside > 0 && outside > 0).then_some((inside, outside))
}

/// The text with each `${NAME:-default}` as its default.
fn defaults(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inner, tail)) = after.split_once('}') else { return text.to_owned() };
        out.push_str(inner.split_once('-').map_or("", |(_, default)| default));
        rest = tail;
    }
    out + rest
}

/// Path, whether it may be missing, line.
pub(super) fn env_files(value: &Value) -> Vec<(String, bool, usize)> {
    let one = |item: &Value| {
        let path = item.get("path").unwrap_or(item).text()?;
        let optional = item.get("required").and_then(Value::flag) == Some(false);
        Some((path, optional, item.line))
    };
    match &value.data {
        Data::List(items) => items.iter().filter_map(one).collect(),
        _ => one(value).into_iter().collect(),
    }
}

pub(super) fn deploy(own: &str, value: &Value, report: &mut Report) -> Vec<Node> {
    let mut nodes = Vec::new();
    for Entry { key, line, value: setting } in value.entries() {
        match key.as_str() {
            "replicas" => {
                let copies = setting.number().filter(|copies| *copies > 1);
                nodes.extend(copies.map(|copies| Node::new("replicas").arg(copies).from(*line)));
            }
            "resources" => {
                let limits = setting.get("limits");
                let limit = limits.and_then(|limits| limits.get("memory"));
                nodes.extend(limit.and_then(memory));
                if limits.is_some_and(|limits| limits.get("cpus").is_some()) {
                    report.left(
                        *line,
                        format!("{own}.deploy.resources.limits.cpus"),
                        "`limit cpu=…` where the system grants it",
                    );
                }
            }
            _ => report.left(*line, format!("{own}.deploy.{key}"), "stackrun has nothing like it"),
        }
    }
    if !nodes.is_empty() {
        report.carried(own, "deploy");
    }
    nodes
}

/// `512m` → `memory max="512MiB"`.
pub(in crate::import) fn memory(value: &Value) -> Option<Node> {
    let text = value.text()?.trim().to_lowercase();
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: f64 = digits.trim().parse().ok().filter(|number: &f64| *number > 0.0)?;
    let unit = match text[digits.len()..].trim_end_matches("ib").trim_end_matches('b') {
        "" => return Some(Node::new("memory").prop("max", format!("{number}B")).from(value.line)),
        "k" => "KiB",
        "m" => "MiB",
        "g" => "GiB",
        _ => return None,
    };
    Some(Node::new("memory").prop("max", format!("{number}{unit}")).from(value.line))
}

/// Where a text has this as a host: not in the middle of a longer name.
pub(super) fn find_host(text: &str, address: &str) -> Option<usize> {
    let part = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    text.match_indices(address).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + address.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(|letter| letter.is_ascii_digit())
    })
}

/// `${NAME}`, `$NAME`, `${NAME:-default}` and `$$` as stackrun writes them.
pub(in crate::import) fn interpolate(text: &str) -> String {
    let text = command::literal(text);
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let (inner, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(after.find(|letter| !part(letter)).unwrap_or(after.len())),
        };
        let end = inner.find(|letter| !part(letter)).unwrap_or(inner.len());
        let (name, rule) = inner.split_at(end);
        if name.is_empty() {
            out.push('$');
            rest = after;
            continue;
        }
        let default = rule.trim_start_matches(':').strip_prefix('-').unwrap_or_default();
        out.push_str(&format!("{{{{env.{name}:-{default}}}}}"));
        rest = tail;
    }
    out + rest
}
