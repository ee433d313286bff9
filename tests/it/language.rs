//! What the stack file says reaches the processes: environments, values, words.

use crate::support::{Running, Stack, eventually};

/// `up` with these variables in the caller's environment.
fn up_with(stack: &Stack, variables: &[(&str, &str)]) {
    let mut command = stack.command("up");
    command.envs(variables.iter().copied());
    Running::start("stackrun up".into(), command).ends().exits(0);
}

/// What a service has printed since its last start.
fn printed(stack: &Stack, name: &str) -> Vec<String> {
    let log = stack.run(&format!("logs {name} --raw --since last-start")).exits(0).out;
    log.lines().map(str::to_owned).collect()
}

#[test]
fn environments_lie_over_one_another() {
    let stack = Stack::new(
        r#"
        env-file "stack.env"
        env { STACK "node"; PORT_ADMIN "node"; OWN_FILE "node"; OWN "node"; GONE #null }
        service "api" {
            shell "env | grep -E '^(CALLER|FILE|STACK|PORT|PORT_ADMIN|OWN_FILE|OWN|GONE|DOLLAR)=' | sort; exec sleep 1000"
            port @0
            port @1 name="admin"
            ready { prints "^STACK=" }
            env-file "own.env"
            env { OWN "own"; DOLLAR "$HOME ${HOME} {{env.CALLER}} {{env.UNSET:-none}}" }
        }
        "#,
    );
    stack.put("stack.env", "FILE=file\nSTACK=file\nexport PORT=file # no\n");
    stack.put("own.env", "OWN_FILE='own file'\nOWN=file\nPORT_ADMIN=file\n");
    let caller = ["CALLER", "FILE", "STACK", "PORT", "OWN_FILE", "OWN", "GONE"];
    up_with(&stack, &caller.map(|key| (key, "caller")));
    let expected = [
        "CALLER=caller".to_owned(),
        "DOLLAR=$HOME ${HOME} caller none".to_owned(),
        "FILE=file".to_owned(),
        "OWN=own".to_owned(),
        "OWN_FILE=own file".to_owned(),
        format!("PORT={}", stack.port(0)),
        "PORT_ADMIN=file".to_owned(),
        "STACK=node".to_owned(),
    ];
    assert_eq!(printed(&stack, "api"), expected);
}

#[test]
fn values_are_never_split_and_several_strings_stay_as_they_are() {
    let stack = Stack::new(
        r#"
        service "one" {
            run "printf '%s\\n' {{env.SPACED}} 'a b'{{ name }} \"$(x\" {{{{port}} '' {{env.NO:-b  c}}"
            restart "never"
        }
        service "many" {
            run "printf" "%s\n" "$HOME *" "a | b" "{{name}} {{{{" "{{dir}}"
            dir "sub folder"
            restart "never"
        }
        "#,
    );
    stack.put("sub folder/x", "");
    // A `$` in double quotes is for a shell: this one has to go.
    stack.run("check").exits(2).says("needs-shell");
    stack.edit(r#"\"$(x\""#, r#"'$(x'"#);
    // What ends so soon is no service.
    let mut command = stack.command("up");
    command.env("SPACED", "x y; z");
    Running::start("stackrun up".into(), command).ends().exits(1);
    eventually("both have printed", || {
        printed(&stack, "one").len() >= 6 && printed(&stack, "many").len() >= 4
    });
    let expected = ["x y; z", "a bone", "$(x", "{{port}}", "", "b  c"];
    assert_eq!(printed(&stack, "one"), expected);
    let folder = stack.folder().canonicalize().expect("there").join("sub folder");
    let expected = ["$HOME *", "a | b", "many {{", &folder.to_string_lossy()];
    assert_eq!(printed(&stack, "many"), expected);
}

#[test]
fn a_change_of_the_caller_restarts_only_where_it_shows() {
    let stack = Stack::new(
        r#"
        service "uses" { run "@testbed print {{env.WORD}}" }
        service "inherits" { run "@testbed" }
        "#,
    );
    up_with(&stack, &[("WORD", "first")]);
    let before = ["uses", "inherits"].map(|name| stack.pid(name));
    up_with(&stack, &[("WORD", "first"), ("OTHER", "x")]);
    assert_eq!(["uses", "inherits"].map(|name| stack.pid(name)), before);
    up_with(&stack, &[("WORD", "second")]);
    let after = ["uses", "inherits"].map(|name| stack.pid(name));
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1], before[1]);
}

#[test]
fn a_syntax_error_touches_nothing_and_hides_nothing() {
    let stack = Stack::new("service \"a\" { run \"@testbed\" }\n");
    stack.up();
    let before = stack.pid("a");
    stack
        .put("stack.kdl", "service \"a\" {\n    tty true\n}\nservice \"b\" { needs \"nobody\" }\n");
    let ran = stack.run("up").exits(2);
    for part in ["stack.kdl:2:9", "#true", "nobody", "has nothing to run"] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert_eq!(stack.pid("a"), before);
}
