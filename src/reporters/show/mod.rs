//! A service, a task or a group as resolved: every value, and where it was set.

mod settings;
mod texts;

use super::theme::{Theme, Tone, pad};
use crate::{
    model::{Origin, Part, Stack, Text},
    printable,
    secrets::{self, Masker},
    status::Status,
};

/// A value of several words is shown in a column of at most this width.
const WIDEST: usize = 48;

/// A key of the stack file and its value, as it would stand there.
struct Setting {
    key: String,
    value: String,
    /// The keys by one of which its place is known; the first that is counts.
    origins: Vec<String>,
    /// Whether it is a secret variable.
    secret: bool,
}

impl Setting {
    fn origin<'s>(&self, stack: &'s Stack, name: &str) -> Option<&'s Origin> {
        let mut keys = self.origins.iter();
        keys.find_map(|key| stack.origins.get(&format!("{name}.{key}")))
    }

    /// `stack.kdl:12`, `stack.kdl:3, template web`, `default`.
    fn place(&self, stack: &Stack, name: &str) -> String {
        let Some(origin) = self.origin(stack, name) else { return "default".into() };
        let via = origin.via.as_ref().map(|via| format!(", {via}")).unwrap_or_default();
        format!("{}:{}{via}", file_of(origin, stack), origin.line)
    }
}

/// The file, seen from the stack's folder.
fn file_of(origin: &Origin, stack: &Stack) -> String {
    let file = origin.file.strip_prefix(&stack.dir).unwrap_or(&origin.file);
    file.display().to_string()
}

/// A stack, and how it is now where it runs: that has the ports that its file leaves open.
#[derive(Debug, Clone, Copy)]
pub struct Defined<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// None where nothing runs.
    pub status: Option<&'a Status>,
    /// Whether secrets are shown, too.
    pub secrets: bool,
}

impl Defined<'_> {
    /// All settings; masked, unless secrets are to be shown.
    fn settings(self, name: &str) -> Option<(&'static str, Vec<Setting>)> {
        let Self { stack, .. } = self;
        let (kind, mut settings) = match (stack.service(name), stack.task(name)) {
            (Some(service), _) => {
                let mut service = service.clone();
                service.for_each_text(&mut |text| self.fill(text));
                let numbers = (0..service.ports.len()).map(|place| self.port_at(name, place));
                ("service", settings::of_service(&service, &numbers.collect::<Vec<_>>()))
            }
            (None, Some(task)) => {
                let mut task = task.clone();
                task.for_each_text(&mut |text| self.fill(text));
                ("task", settings::of_task(&task))
            }
            (None, None) => ("group", settings::of_group(stack.group(name)?)),
        };
        match self.secrets {
            // A value that is lost cannot be shown.
            true => {
                let masker = Masker::default();
                settings.iter_mut().for_each(|setting| masker.hide(&mut setting.value));
            }
            false => {
                let masker = secrets::masker();
                settings.iter_mut().for_each(|setting| setting.mask(&masker));
            }
        }
        Some((kind, settings))
    }

    /// Puts the ports that were chosen in the places where they are used.
    fn fill(self, text: &mut Text) {
        for part in &mut text.0 {
            if let Part::Port { service, port, declared } = part
                && let Some(number) = self.port(service, port.as_deref()).or(*declared)
            {
                *part = Part::Literal(number.to_string());
            }
        }
    }

    fn port(self, service: &str, port: Option<&str>) -> Option<u16> {
        let place = match port {
            None => 0,
            Some(_) => {
                let mut ports = self.stack.service(service)?.ports.iter();
                ports.position(|declared| declared.name.as_deref() == port)?
            }
        };
        self.port_at(service, place)
    }

    /// The number that a port has now, if it has one.
    fn port_at(self, service: &str, place: usize) -> Option<u16> {
        let mut services = self.status?.services.iter();
        let service = services.find(|known| known.name == service)?;
        service.ports.get(place).map(|port| port.port).filter(|number| *number != 0)
    }
}

/// The definition; `None` for a name that is neither service nor task nor group. Within `columns` the place
/// of a value that is too long for one line stands below it.
pub fn show(
    defined: Defined<'_>,
    name: &str,
    columns: Option<usize>,
    theme: Theme,
) -> Option<String> {
    let (kind, mut settings) = defined.settings(name)?;
    let stack = defined.stack;
    for setting in &mut settings {
        setting.key = printable::line(&setting.key).into_owned();
        setting.value = theme.plain_words(&setting.value).into_owned();
    }
    let width = settings.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
    let values = settings.iter().map(|setting| console::measure_text_width(&setting.value));
    let value_width = values.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let mut text = format!("{kind} {}\n", theme.paint(Tone::Strong, name));
    for setting in &settings {
        let place = printable::line(&setting.place(stack, name)).into_owned();
        let key = pad(&setting.key, width);
        let value = pad(&setting.value, value_width);
        let whole = 6 + width + console::measure_text_width(&value) + place.chars().count();
        let apart = match columns {
            Some(columns) if whole > columns => format!("\n{}", " ".repeat(width + 4)),
            _ => "  ".to_owned(),
        };
        let place = theme.paint(Tone::Faint, place);
        text.push_str(&format!("  {key}  {}{apart}{place}\n", trimmed(&value, &apart)));
    }
    Some(text)
}

/// Without the space at its end, if a line ends there.
fn trimmed<'v>(value: &'v str, apart: &str) -> &'v str {
    if apart.starts_with('\n') { value.trim_end() } else { value }
}

/// The definition as data: `{"settings": [{"key": …, "value": …, "from": …}]}`; `file`, `line` and
/// `via` are what `from` is made of, and null for a default.
pub fn json(defined: Defined<'_>, name: &str) -> Option<String> {
    let (kind, settings) = defined.settings(name)?;
    let stack = defined.stack;
    let setting = |setting: &Setting| {
        let origin = setting.origin(stack, name);
        serde_json::json!({
            "key": setting.key,
            "value": setting.value,
            "from": setting.place(stack, name),
            "file": origin.map(|origin| file_of(origin, stack)),
            "line": origin.map(|origin| origin.line),
            "via": origin.and_then(|origin| origin.via.as_ref()),
        })
    };
    let settings: Vec<serde_json::Value> = settings.iter().map(setting).collect();
    let json = serde_json::json!({ "format": 1, "name": name, "kind": kind, "settings": settings });
    Some(format!("{json:#}\n"))
}
