//! `init`: a first stack file from what is here.

use std::path::Path;

use crate::{
    cli::{
        context::Context,
        error::{Error, status},
    },
    reporters::{Symbol, headline, summary},
};

const EXAMPLES: &str = "\
Examples:
  stackrun init      writes stack.kdl; never over one that is there";

/// Write a first stack.kdl from what is in this folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(_: &Args, context: &Context) -> Result<u8, Error> {
    let file = context.global.file.clone().unwrap_or_else(|| "stack.kdl".into());
    let io = |error| Error::Io { path: file.clone(), error };
    let folder = std::path::absolute(&file).map_err(io)?;
    let folder = folder.parent().unwrap_or(Path::new("/")).to_owned();
    let text = text(&folder);
    let mut new = std::fs::File::create_new(&file).map_err(io)?;
    std::io::Write::write_all(&mut new, text.as_bytes()).map_err(io)?;
    let wrote = format!("wrote {}", file.display());
    context.say(&headline(Symbol::Good, &wrote, context.err));
    context.say(&summary::hint("stackrun check, then stackrun up", context.err));
    Ok(status::OK)
}

/// What stands in a folder, and what it probably means.
fn text(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let mut text = format!("stack \"{}\"\n", name.as_deref().unwrap_or("stack"));
    let mut services = Vec::new();
    let mut places = vec![(".".to_owned(), folder.to_owned())];
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut below: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && name != "node_modules" && name != "target")
        .collect();
    below.sort();
    places.extend(below.into_iter().map(|name| (name.clone(), folder.join(name))));
    for (name, path) in places {
        if let Some(run) = guess(&path) {
            services.push(service(&name, run));
        }
    }
    if services.is_empty() {
        services.push(service(".", "python3 -m http.server {{port}}"));
    }
    for service in services {
        text.push('\n');
        text.push_str(&service);
    }
    text
}

fn service(folder: &str, run: &str) -> String {
    let (name, dir) = match folder {
        "." => ("app".to_owned(), String::new()),
        _ => (slug(folder), format!("    dir \"{folder}\"\n")),
    };
    let port = if run.contains("{{port}}") { "    port 8000\n" } else { "" };
    format!("service \"{name}\" {{\n{dir}    run \"{run}\"\n{port}}}\n")
}

/// The folder's name as a service may be called.
fn slug(folder: &str) -> String {
    let letters = folder.to_lowercase();
    let letters = letters.chars().map(|letter| match letter {
        'a'..='z' | '0'..='9' | '_' => letter,
        _ => '-',
    });
    let slug: String = letters.collect();
    let slug = slug.trim_matches(['-', '_']);
    let reserved = ["port", "env", "stack", "name", "dir", "data", "now", "replica", "app", ""];
    if reserved.contains(&slug) { format!("the-{slug}") } else { slug.to_owned() }
}

/// How to run what is in a folder.
fn guess(folder: &Path) -> Option<&'static str> {
    if let Ok(package) = std::fs::read_to_string(folder.join("package.json")) {
        let package: serde_json::Value = serde_json::from_str(&package).ok()?;
        let scripts = package.get("scripts")?;
        let known = [("dev", "npm run dev"), ("start", "npm start")];
        return known.into_iter().find(|(name, _)| scripts.get(name).is_some()).map(|(_, run)| run);
    }
    let known = [
        ("manage.py", "python3 manage.py runserver {{port}}"),
        ("Cargo.toml", "cargo run"),
        ("go.mod", "go run ."),
        ("bin/rails", "bin/rails server -p {{port}}"),
    ];
    known.into_iter().find(|(file, _)| folder.join(file).exists()).map(|(_, run)| run)
}
