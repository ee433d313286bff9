//! Realistic files of every kind, what becomes of them, and that whatever goes in passes `check`.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::language;

const FILES: [(&str, &str); 4] = [
    ("docker-compose.yml", include_str!("docker-compose.yml")),
    ("process-compose.yaml", include_str!("process-compose.yaml")),
    ("ecosystem.config.js", include_str!("ecosystem.config.js")),
    ("Procfile", include_str!("Procfile")),
];

/// A folder with what the files speak of.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["api", "web", "client"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    std::fs::write(folder.path().join(".env"), "A=1\n").expect("a file");
    folder
}

/// What an import of it comes to, as a person sees it.
fn shown(file: &str, text: &str) -> String {
    let folder = folder();
    let beside = |path: &Path| std::fs::read_to_string(folder.path().join(path)).ok();
    let imported = match import(Path::new(file), text, "shop", &beside) {
        Ok(imported) => imported,
        Err(error) => return format!("error: {error}\n"),
    };
    let Imported { mut draft, mut report, .. } = imported;
    let options = language::Options::default();
    drop_rejected(&mut draft, &mut report, folder.path(), &options).expect("it can be settled");
    is_right(&draft, folder.path());
    let mut out = draft.kdl();
    out.push_str("---\n");
    for (name, settings) in &report.carried {
        out.push_str(&format!("{name}: {}\n", settings.join(", ")));
    }
    out.push_str("---\n");
    for Note { line, what, text, lost } in report.sorted() {
        let kind = if *lost { "lost" } else { "changed" };
        out.push_str(&format!("{kind} {}: {what}: {text}\n", line.unwrap_or(0)));
    }
    out
}

fn is_right(draft: &Draft, folder: &Path) {
    let file = folder.join("stack.kdl");
    std::fs::write(&file, draft.kdl()).expect("a file");
    if let Err(problems) = language::load(&file, &language::Options::default()) {
        let look = language::Look { width: 100, color: false, unicode: true };
        let problems: Vec<String> = problems.iter().map(|problem| look.draw(problem)).collect();
        panic!("{}\n{}", draft.kdl(), problems.join("\n"));
    }
    assert_eq!(language::fmt(&draft.kdl()), draft.kdl(), "as `fmt` has it");
}

#[test]
fn a_compose_file() {
    insta::assert_snapshot!(shown(FILES[0].0, FILES[0].1));
}

#[test]
fn a_process_compose_file() {
    insta::assert_snapshot!(shown(FILES[1].0, FILES[1].1));
}

#[test]
fn a_pm2_file() {
    insta::assert_snapshot!(shown(FILES[2].0, FILES[2].1));
}

#[test]
fn a_procfile() {
    insta::assert_snapshot!(shown(FILES[3].0, FILES[3].1));
}

#[test]
fn pm2_as_json_and_as_yaml() {
    let json = r#"{"apps": [{"name": "Web", "script": "npm", "args": "run dev", /* no */ "env": {"PORT": 3000}}]}"#;
    let yaml = "apps:\n  - name: Web\n    script: npm\n    args: run dev\n    env: {PORT: 3000}\n";
    let kdl = |file, text| shown(file, text).split("---").next().map(str::to_owned);
    assert_eq!(kdl("pm2.json", json), kdl("pm2.yaml", yaml));
    assert!(shown("pm2.json", json).contains("run \"npm run dev\"\n    port 3000"));
}

#[test]
fn a_module_s_other_shapes() {
    let app = "{ name: 'a', script: './a.js' }";
    for text in [
        format!("module.exports = {{ apps: [{app}] }}"),
        format!("export default {{ apps: [{app}], }};\nconst x = 1"),
        format!("const apps = [{app}];\nmodule.exports = {{ apps }};"),
        format!("const app = {app}\nmodule.exports = {{ apps: [app] }}"),
        format!("module.exports = defineConfig({{ apps: [{app}] }});"),
        format!("module.exports = [{app}]"),
    ] {
        assert!(shown("ecosystem.config.js", &text).contains("run \"node ./a.js\""), "{text}");
    }
}

#[test]
fn what_cannot_be_read_says_where() {
    assert!(shown("x.yml", "services:\n  a: [\n").starts_with("error: line "));
    assert!(shown("x.yml", "foo: 1\n").starts_with("error: it is neither"));
    assert!(shown("x.yml", "services: {}\n").starts_with("error: nothing in it"));
    assert!(shown("e.js", "module.exports = require('./x')").starts_with("error: line 1"));
    assert!(shown("e.js", "module.exports = {\n apps: [ 'a }").starts_with("error: line 2"));
}

#[test]
fn a_bomb_of_anchors_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
    }
    assert!(shown("x.yml", &(text + "services: {a: *a11}\n")).starts_with("error: "));
}

/// The file with some of its lines dropped, doubled, or cut.
fn mangled(text: &str, changes: &[(usize, u8, usize)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (at, kind, other) in changes {
        let at = at % lines.len().max(1);
        match kind % 4 {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other % lines.len()].clone()),
            2 => {
                let cut = lines[at].char_indices().nth(other % 40).map(|(index, _)| index);
                cut.into_iter().for_each(|cut| lines[at].truncate(cut));
            }
            _ => {
                let other = other % lines.len();
                lines.swap(at, other);
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_in_what_comes_out_is_right(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<usize>()), 1..6),
    ) {
        let (name, text) = FILES[file];
        let _ = shown(name, &mangled(text, &changes));
    }

    #[test]
    fn any_command_comes_through(command in "[ -~]{1,40}") {
        let text = format!("web: x{command}\n");
        let _ = shown("Procfile", &text);
        let quoted = serde_json::to_string(&command).expect("a string");
        let _ = shown("p.yaml", &format!("processes: {{a: {{command: {quoted}}}}}\n"));
        let _ = shown("c.yml", &format!("services: {{a: {{image: x, command: [sh, {quoted}], environment: [A={}]}}}}\n", "b"));
    }
}
