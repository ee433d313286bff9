//! An env file (`.env`), as whatever wrote it has left it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stackrun::language::fuzzing;

fuzz_target!(|text: &str| {
    let Ok(variables) = fuzzing::env_file(text) else { return };
    for (key, _) in &variables {
        assert!(!key.is_empty() && !key.contains(['=', '\0', '\n']), "{key:?} is a name");
    }
    // Said in single quotes, which take everything but themselves, it is the same.
    if variables.iter().all(|(_, value)| !value.contains('\'')) {
        let quoted = variables.iter().map(|(key, value)| format!("{key}='{value}'\n"));
        assert_eq!(fuzzing::env_file(&quoted.collect::<String>()), Ok(variables));
    }
});
