//! Holds the architecture: which layer may import which, how long a file may get, that every
//! example is run, every scenario is part of the suite, every promise has one, and which words are
//! not used.

#[path = "layers/words.rs"]
mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each layer may import, in the order of `lib.rs`: everything comes from above.
const LAYERS: &[(&str, &str)] = &[
    ("printable", ""),
    ("model", ""),
    ("secrets", "model"),
    ("language", "printable model secrets"),
    ("import", "language"),
    ("graph", "model"),
    ("reason", "model"),
    ("event", "model reason"),
    ("status", "model reason event"),
    ("timeline", "reason event"),
    ("core", "model graph reason event status"),
    ("platform", "model event"),
    ("logs", "model event platform"),
    ("keeper", "model event platform logs"),
    ("control", "model event status core platform keeper"),
    (
        "executor",
        "printable model secrets language graph reason event status core platform logs keeper control",
    ),
    ("reporters", "printable model secrets reason event status timeline core"),
    ("cli", EVERYTHING),
];

/// The command line is the only place that composes.
const EVERYTHING: &str = "printable model secrets language import graph reason event status timeline core platform logs keeper \
                          control executor reporters";

/// Crates that belong to some layers alone.
const CRATES: &[(&str, &str)] = &[
    ("kdl", "language"),
    ("aho_corasick", "secrets"),
    ("saphyr", "import"),
    ("petgraph", "graph language"),
    ("indicatif", "reporters"),
    ("tokio", "control executor cli"),
    ("hyper", "executor"),
    ("clap", "cli"),
];

/// The longest file, in lines, its unit tests not counted.
const LONGEST: usize = 450;

#[test]
fn layers_import_from_above_only() {
    let mut wrong = Vec::new();
    for (layer, file, text) in sources() {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            // The two roots: the library says what there is, the program calls the command line.
            assert!(["lib", "main"].contains(&layer.as_str()), "{layer} is in no layer");
            continue;
        };
        for import in imports(&absolute(&text, &file), "crate::") {
            if import != layer && !has(allowed, &import) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Within the core: one service or task knows nothing of the others.
#[test]
fn the_core_has_layers_too() {
    let allowed = [("lifecycle", ""), ("plan", ""), ("stack", "lifecycle plan")];
    for (_, file, text) in sources().into_iter().filter(|(layer, ..)| layer == "core") {
        let part = file.iter().nth(1).and_then(|part| part.to_str()).expect("a part");
        let part = part.trim_end_matches(".rs");
        let Some((_, allowed)) = allowed.iter().find(|(name, _)| *name == part) else { continue };
        let text = absolute(&text, &file);
        for import in imports(&text, "crate::core::").into_iter().chain(imports(&text, "core::")) {
            assert!(
                import == part || has(allowed, &import),
                "{} imports core::{import}",
                file.display()
            );
        }
    }
}

#[test]
fn crates_stay_in_their_layers() {
    let mut wrong = Vec::new();
    for (layer, file, text) in sources() {
        for (name, layers) in CRATES {
            if !has(layers, &layer) && text.contains(&format!("{name}::")) {
                wrong.push(format!("{} uses {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What writes to a terminal, and the files in which it may stand: words leave by one way, which
/// masks secrets and makes control characters visible.
const WAYS_OUT: &[(&str, &str)] = &[
    ("stdout().lock()", "cli/output.rs"),
    ("stderr().lock()", "reporters/terminal.rs cli/hidden_commands.rs"),
    ("println!(", ""),
    ("eprintln!(", "executor/step.rs reporters/tests/replay.rs"),
    ("print!(", ""),
    ("write!(terminal", "cli/ask.rs"),
    (".write_line(", ""),
    // A program's own output, and scripts for shells.
    (
        "write_out(",
        "cli/context.rs cli/output.rs cli/following.rs cli/commands/attach.rs cli/commands/completions.rs \
         cli/commands/logs.rs cli/commands/run/output.rs",
    ),
];

#[test]
fn words_leave_by_one_way() {
    let mut wrong = Vec::new();
    for (_, file, text) in sources() {
        for (way, files) in WAYS_OUT {
            let begins =
                |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let found = text.match_indices(way).any(|(at, _)| way.starts_with('.') || begins(at));
            if found && !has(files, &file.display().to_string()) {
                wrong.push(format!("{} has {way}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What belongs to the platform, and the files of other layers that have it nevertheless.
const OF_THE_PLATFORM: &[(&str, &str)] = &[
    // tokio cannot wait for a descriptor without it, and the platform must not know tokio.
    ("unsafe {", "executor/check_command.rs"),
    ("unsafe fn", ""),
    // The numbers of signals, which the model names.
    ("target_os", "model/policy.rs"),
    ("cfg(unix)", "model/policy.rs"),
    ("\"/proc", ""),
];

#[test]
fn what_differs_between_systems_is_in_the_platform() {
    let mut wrong = Vec::new();
    for (_, file, text) in sources().into_iter().filter(|(layer, ..)| layer != "platform") {
        for (sign, files) in OF_THE_PLATFORM {
            if text.contains(sign) && !has(files, &file.display().to_string()) {
                wrong.push(format!("{} has {sign}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Clippy asks for this of public functions alone.
#[test]
fn every_unsafe_function_says_what_makes_it_safe() {
    let mut found = 0;
    for (_, file, _) in sources() {
        let text = fs::read_to_string(root("src").join(&file)).expect("a source file");
        let lines: Vec<&str> = text.lines().collect();
        for at in (0..lines.len()).filter(|at| lines[*at].contains("unsafe fn ")) {
            let above = lines[..at].iter().rev().map(|line| line.trim_start());
            let mut above =
                above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
            assert!(above.any(|line| line == "/// # Safety"), "{}: {}", file.display(), lines[at]);
            found += 1;
        }
    }
    assert!(found > 0, "no function is unsafe");
}

#[test]
fn files_stay_short() {
    let long = sources().into_iter().filter_map(|(_, file, text)| {
        let lines = text.lines().count();
        (lines > LONGEST).then(|| format!("{}: {lines} lines", file.display()))
    });
    let long: Vec<String> = long.collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:#?}");
}

#[test]
fn every_example_has_a_readme_and_is_run() {
    let mut scenarios = fs::read_to_string(root("tests/it/examples.rs")).expect("the scenarios");
    for file in fs::read_dir(root("tests/it/examples")).expect("more scenarios").flatten() {
        scenarios += &fs::read_to_string(file.path()).expect("a file of scenarios");
    }
    let folders = fs::read_dir(root("examples")).expect("the examples").flatten();
    for folder in folders.filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().into_string().expect("a plain name");
        for file in ["README.md", "stack.kdl"] {
            assert!(folder.path().join(file).is_file(), "examples/{name} has no {file}");
        }
        assert!(
            scenarios.contains(&format!("Stack::example(\"{name}\")")),
            "no test runs examples/{name}"
        );
    }
}

#[test]
fn every_file_of_scenarios_is_part_of_the_suite() {
    for (path, _) in scenarios(&root("tests/it")) {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
        if name == "main" {
            continue;
        }
        let folder = path.parent().expect("a folder");
        // The parent is a file beside its folder, or `main.rs` or `mod.rs` in it.
        let parents = [folder.with_extension("rs"), folder.join("main.rs"), folder.join("mod.rs")];
        let parent = parents.iter().find(|parent| parent.is_file() && **parent != path);
        let parent = parent.unwrap_or_else(|| panic!("{} is in no module", path.display()));
        let text = fs::read_to_string(parent).expect("a module");
        let is_declared = text.contains(&format!("mod {name};"));
        assert!(is_declared, "{} is not in {}", path.display(), parent.display());
    }
}

#[test]
fn every_promise_names_a_scenario_that_there_is() {
    let text = fs::read_to_string(root("docs/guarantees.md")).expect("the guarantees");
    let promises = text.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut named = 0;
    for promise in promises {
        let scenarios = promise.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in scenarios.split('`').filter(|name| name.contains("::")) {
            let (suite, path) = name.split_once(": ").unwrap_or(("it", name));
            let (module, function) = path.rsplit_once("::").expect("a module and a function");
            let file = root("tests").join(suite).join(module.replace("::", "/") + ".rs");
            let text = fs::read_to_string(&file).unwrap_or_default();
            assert!(text.contains(&format!("fn {function}()")), "there is no `{name}`");
            named += 1;
        }
    }
    assert!(named > 20, "{named} scenarios are named");
}

/// Root's scenarios are run by their names.
#[test]
fn what_only_root_can_run_is_named_so() {
    let asks = ["root_for(", "may_mount(", "may_make_", "may_choose_", "may_read_"];
    for (file, text) in scenarios(&root("tests/it")) {
        for test in text.split("#[test]\n").skip(1) {
            let name = test.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            let name = name.expect("a function");
            let is_roots = asks.iter().any(|ask| test.contains(&format!("!{ask}")));
            assert!(!is_roots || name.starts_with("as_root_"), "{name} in {}", file.display());
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::model::Exit;\nuse crate::{\n    event::{Cause, Tick},\n    graph,\n};\n\
                fn f() -> crate::core::Plan { crate::status::now() }\n";
    let found: Vec<String> = imports(text, "crate::").into_iter().collect();
    assert_eq!(found, ["core", "event", "graph", "model", "status"]);
}

#[test]
fn paths_upwards_are_read_as_what_they_lead_to() {
    let text =
        "use super::super::graph::Graph;\nuse super::{ask, names};\nuse super::super::super::x;";
    assert_eq!(
        absolute(text, Path::new("cli/names.rs")),
        "use crate::graph::Graph;\nuse crate::cli::{ask, names};\nuse super::super::super::x;"
    );
    assert_eq!(absolute("super::a", Path::new("cli/boot/mod.rs")), "crate::cli::a");
}

/// Whether a word is one of `words`.
fn has(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|one| one == word)
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every source file: its layer, its name, its text without comments and unit tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut sources = Vec::new();
    let mut folders = vec![root("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).expect("a source file");
                let name = path.strip_prefix(root("src")).expect("below src").to_owned();
                let layer = name.iter().next().and_then(|first| first.to_str()).expect("a name");
                sources.push((layer.trim_end_matches(".rs").to_owned(), name, code(&text)));
            }
        }
    }
    sources
}

/// Every file of scenarios below a folder, but for what they have in common.
fn scenarios(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("support") {
            found.append(&mut scenarios(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a file of scenarios");
            found.push((path, text));
        }
    }
    found
}

/// The code alone: comments become empty lines, unit tests go.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..tests].lines();
    let lines = lines.map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// The code of a file below `src` with its `super::` paths as paths from the crate's root. (One that
/// leads out of a module within the file is taken to lead out of the file.)
fn absolute(text: &str, file: &Path) -> String {
    let module = file.with_extension("");
    let module = module.iter().filter_map(|part| part.to_str()).filter(|part| *part != "mod");
    let module: Vec<&str> = module.collect();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("super::") {
        let (before, path) = rest.split_at(at);
        let end = path.trim_start_matches("super::");
        let levels = (path.len() - end.len()) / "super::".len();
        out += before;
        match module.len().checked_sub(levels) {
            Some(left) => {
                let parents = module[..left].iter().map(|part| format!("{part}::"));
                out += &format!("crate::{}", parents.collect::<String>());
            }
            None => out += &path[..path.len() - end.len()],
        }
        rest = end;
    }
    out + rest
}

/// The first names of all paths that begin with `prefix`, groups included.
fn imports(text: &str, prefix: &str) -> BTreeSet<String> {
    let first_name = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(prefix) {
        let rest = &text[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(first_name(rest));
            continue;
        };
        let mut depth = 1;
        let mut member = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && c == ',') {
                found.insert(first_name(member.trim_start()));
                member.clear();
            } else {
                member.push(c);
            }
            if depth == 0 {
                break;
            }
        }
    }
    found.remove("");
    found
}

/// What the glossary calls a type is one.
#[test]
fn every_type_of_the_glossary_is_there() {
    let text = fs::read_to_string(root("docs/glossary.md")).expect("the glossary");
    let code: String = sources().into_iter().map(|(_, _, text)| text).collect();
    let words = text.split('`').skip(1).step_by(2);
    let types = words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
    let types = types.filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric()));
    let mut named = 0;
    for name in types {
        let declared = ["struct", "enum", "trait", "type"].iter().any(|kind| {
            let declaration = format!("{kind} {name}");
            let mut found = code.match_indices(&declaration);
            found.any(|(at, text)| !code[at + text.len()..].starts_with(char::is_alphanumeric))
        });
        assert!(declared, "there is no type `{name}`");
        named += 1;
    }
    assert!(named > 15, "{named} types are named");
}
