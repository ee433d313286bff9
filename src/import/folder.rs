//! A first stack from what stands in a folder.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    kdl_writer::{Draft, Node},
    names::slug,
};
use crate::language;

/// Folders in which nobody's programs are.
const NEVER: [&str; 9] =
    ["node_modules", "target", "vendor", "dist", "build", "docs", "venv", "test", "tests"];
/// Compose files and the like, the first that is there counts.
const OTHERS: [&str; 12] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "process-compose.yaml",
    "process-compose.yml",
    "Procfile.dev",
    "Procfile",
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.json",
    "pm2.json",
];

/// The file of another tool in this folder that says best what there is to run.
pub(crate) fn others(folder: &Path) -> Option<PathBuf> {
    OTHERS.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// What a file says in which nothing can be started yet. It is no server that would do for now:
/// one hands out whatever is in the folder, `.env` included.
const NOTHING: &str = r#"Nothing that can be run was found here. Write how your program is started, such as:

service "app" {
    run "npm run dev"
    port 3000
}"#;

/// A stack of what stands in a folder and in those right below it; what was found, in words.
pub(crate) fn guess(folder: &Path, name: &str) -> (Draft, Vec<String>) {
    let mut draft = Draft::new(name);
    let mut found = Vec::new();
    let mut ports = Ports::default();
    for (place, path) in places(folder) {
        let name = if place == "." { "app".to_owned() } else { slug(&place) };
        if let Some(left_out) = web_server(&path) {
            found.push(format!("{}: {left_out}", path_in(&place, "package.json")));
        }
        let Some(part) = part(&path) else { continue };
        found.push(format!("{}: {}", path_in(&place, part.because), part.what));
        draft.nodes.extend(nodes(&name, &place, &part, &mut ports));
    }
    if draft.is_empty() {
        draft.remark = Some(NOTHING);
    }
    (draft, found)
}

fn path_in(place: &str, file: &str) -> String {
    if place == "." { file.to_owned() } else { format!("{place}/{file}") }
}

/// The folder itself and those right below it.
fn places(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut places = vec![(".".to_owned(), folder.to_owned())];
    // `apps/web`, `packages/api` as in a monorepo.
    for parent in
        [folder.to_owned(), folder.join("apps"), folder.join("services"), folder.join("packages")]
    {
        let below = parent.strip_prefix(folder).unwrap_or(Path::new("")).to_owned();
        let entries = std::fs::read_dir(&parent).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.') && !NEVER.contains(&name.as_str()))
            .collect();
        names.sort();
        places.extend(
            names
                .into_iter()
                .map(|name| (below.join(&name).to_string_lossy().into_owned(), parent.join(&name))),
        );
    }
    places
}

/// A program that was found.
struct Part {
    /// The file that says so.
    because: &'static str,
    /// What it is, in a word or two.
    what: &'static str,
    run: String,
    port: Option<u16>,
    /// What has to be made before it runs: name, command, inputs, outputs.
    before: Option<Before>,
}

struct Before {
    name: &'static str,
    run: &'static str,
    inputs: Vec<&'static str>,
    outputs: &'static str,
}

/// Ports that are given away once each.
#[derive(Default)]
struct Ports(BTreeSet<u16>);

impl Ports {
    fn take(&mut self, wanted: u16) -> u16 {
        let mut port = wanted;
        while !self.0.insert(port) {
            port = port.saturating_add(1);
        }
        port
    }
}

fn nodes(name: &str, place: &str, part: &Part, ports: &mut Ports) -> Vec<Node> {
    let dir = |node: Node| match place {
        "." => node,
        place => node.child(Node::new("dir").arg(place)),
    };
    let mut nodes = Vec::new();
    let mut service = Node::new("service").arg(name);
    if let Some(before) = &part.before {
        let task_name = match place {
            "." => before.name.to_owned(),
            _ => format!("{}-{name}", before.name),
        };
        let task = dir(Node::new("task").arg(task_name.as_str()));
        let task = task.child(
            Node::new(if before.run.contains("&&") { "shell" } else { "run" }).arg(before.run),
        );
        let task = task.child(Node::new("inputs").args(before.inputs.iter().copied()));
        nodes.push(task.child(Node::new("outputs").arg(before.outputs)));
        service = service.child(Node::new("needs").arg(task_name));
    }
    service = dir(service).child(Node::new("run").arg(part.run.as_str()));
    if let Some(port) = part.port {
        service = service.child(Node::new("port").arg(ports.take(port)));
    }
    nodes.push(service);
    nodes
}

/// How to run what is in a folder.
fn part(folder: &Path) -> Option<Part> {
    let has = |file: &str| folder.join(file).exists();
    let read = |file: &str| language::read_text(&folder.join(file)).unwrap_or_default();
    if has("package.json") {
        return node(folder, &read("package.json"));
    }
    if has("Cargo.toml") {
        let manifest = read("Cargo.toml");
        let is_program = has("src/main.rs") || manifest.contains("[[bin]]");
        return is_program.then(|| plain("Cargo.toml", "Rust", "cargo run", None));
    }
    if has("manage.py") {
        let run = format!("{} manage.py runserver {{{{port}}}}", python(folder));
        return Some(Part {
            before: venv(folder),
            ..plain("manage.py", "Django", &run, Some(8000))
        });
    }
    if has("go.mod") {
        let is_program = read("main.go").contains("package main");
        return is_program.then(|| plain("go.mod", "Go", "go run .", None));
    }
    if has("bin/rails") {
        return Some(plain("bin/rails", "Rails", "bin/rails server -p {{port}}", Some(3000)));
    }
    if has("artisan") {
        return Some(plain("artisan", "Laravel", "php artisan serve --port={{port}}", Some(8000)));
    }
    if has("mix.exs") && read("mix.exs").contains("phoenix") {
        return Some(plain("mix.exs", "Phoenix", "mix phx.server", Some(4000)));
    }
    for file in ["pyproject.toml", "requirements.txt"] {
        if has(file) {
            return python_part(folder, file, &read(file).to_lowercase());
        }
    }
    None
}

fn plain(because: &'static str, what: &'static str, run: &str, port: Option<u16>) -> Part {
    Part { because, what, run: run.to_owned(), port, before: None }
}

fn node(folder: &Path, manifest: &str) -> Option<Part> {
    let package: serde_json::Value = serde_json::from_str(manifest).ok()?;
    let scripts = scripts(&package);
    let (name, script) = scripts.into_iter().find(|(_, script)| !hands_out_folder(script))?;
    let has = |file: &str| folder.join(file).exists();
    let (manager, install, lock) = if has("pnpm-lock.yaml") {
        ("pnpm", "pnpm install --frozen-lockfile", "pnpm-lock.yaml")
    } else if has("yarn.lock") {
        ("yarn", "yarn install --frozen-lockfile", "yarn.lock")
    } else if has("bun.lockb") || has("bun.lock") {
        ("bun", "bun install --frozen-lockfile", "package.json")
    } else if has("package-lock.json") {
        ("npm", "npm ci", "package-lock.json")
    } else {
        ("npm", "npm install", "package.json")
    };
    let mut run = format!("{manager} run {name}");
    // What takes its port from its command line only; all else reads PORT.
    let port = if script.contains("vite") && !script.contains("--port") {
        run.push_str(if manager == "npm" {
            " -- --port {{port}} --strictPort"
        } else {
            " --port {{port}} --strictPort"
        });
        Some(5173)
    } else if script.contains("next") || script.contains("react-scripts") {
        Some(3000)
    } else {
        None
    };
    let dependencies = ["dependencies", "devDependencies"].iter().any(|key| {
        package.get(key).and_then(|all| all.as_object()).is_some_and(|all| !all.is_empty())
    });
    let inputs = if lock == "package.json" { vec![lock] } else { vec!["package.json", lock] };
    let before = dependencies.then_some(Before {
        name: "install",
        run: install,
        inputs,
        outputs: "node_modules/",
    });
    Some(Part { because: "package.json", what: "Node", run, port, before })
}

/// The scripts of a package that run it, the one that suits best first.
fn scripts(package: &serde_json::Value) -> Vec<(&'static str, &str)> {
    let script = |name: &'static str| Some((name, package.get("scripts")?.get(name)?.as_str()?));
    ["dev", "start", "serve"].into_iter().filter_map(script).collect()
}

/// What to say of a package that only hands out its own folder.
fn web_server(folder: &Path) -> Option<String> {
    let manifest = language::read_text(&folder.join("package.json")).ok()?;
    let package = serde_json::from_str(&manifest).ok()?;
    let scripts = scripts(&package);
    let (name, script) = scripts.first().filter(|_| node(folder, &manifest).is_none())?;
    Some(format!("`{name}` ({script}) is left out: it serves the whole folder, `.env` included"))
}

/// Whether a command is a web server for all that is in the folder in which it is started.
fn hands_out_folder(script: &str) -> bool {
    let commands = script.split(['&', ';', '|']);
    commands.map(|command| command.split_ascii_whitespace().collect::<Vec<_>>()).any(|words| {
        let words = words.strip_prefix(&["npx"]).unwrap_or(&words);
        let words = words.strip_prefix(&["-y"]).unwrap_or(words);
        match words {
            ["serve" | "http-server" | "live-server", rest @ ..] => {
                // The value of an option may be taken for a folder: then it is not left out.
                let folders = rest.iter().filter(|word| !word.starts_with('-'));
                let folders: Vec<_> = folders.filter(|word| word.parse::<u16>().is_err()).collect();
                folders.is_empty() || folders.iter().any(|folder| matches!(**folder, "." | "./"))
            }
            ["python" | "python3", "-m", "http.server" | "SimpleHTTPServer", rest @ ..] => {
                !rest.iter().any(|word| word.starts_with("--directory") || *word == "-d")
            }
            ["php", "-S", _, rest @ ..] => !rest.contains(&"-t"),
            _ => false,
        }
    })
}

fn python(folder: &Path) -> &'static str {
    match folder.join("requirements.txt").exists() || folder.join(".venv").exists() {
        true => ".venv/bin/python",
        false => "python3",
    }
}

fn venv(folder: &Path) -> Option<Before> {
    folder.join("requirements.txt").exists().then(|| Before {
        name: "venv",
        run: "python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt",
        inputs: vec!["requirements.txt"],
        outputs: ".venv/bin/python",
    })
}

fn python_part(folder: &Path, because: &'static str, text: &str) -> Option<Part> {
    let has = |file: &str| folder.join(file).exists();
    let main = ["main.py", "app.py", "server.py", "wsgi.py"].into_iter().find(|file| has(file))?;
    let module = main.trim_end_matches(".py");
    let python = python(folder);
    let source = language::read_text(&folder.join(main)).unwrap_or_default();
    let (what, run, port) = if text.contains("fastapi") || text.contains("uvicorn") {
        let run = format!("{python} -m uvicorn {module}:app --reload --port {{{{port}}}}");
        ("FastAPI", run, Some(8000))
    } else if text.contains("flask") {
        let run = format!("{python} -m flask --app {module} run --port {{{{port}}}}");
        ("Flask", run, Some(5000))
    } else {
        ("Python", format!("{python} {main}"), source.contains("PORT").then_some(8000))
    };
    Some(Part { because, what, run, port, before: venv(folder) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_server_for_the_whole_folder_is_known() {
        for script in [
            "serve",
            "npx serve .",
            "npx -y http-server -p 8080 --cors",
            "npm run build && live-server ./",
            "python3 -m http.server 8000",
            "php -S 0.0.0.0:8000",
        ] {
            assert!(hands_out_folder(script), "{script}");
        }
        for script in [
            "serve dist",
            "http-server ./public -p 80",
            "vite",
            "vite serve",
            "node server.js",
            "python -m http.server --directory site",
            "php -S localhost:8000 -t public",
        ] {
            assert!(!hands_out_folder(script), "{script}");
        }
    }
}
