//! What the supervisor understands of whatever a client sends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stackrun::control::{Ask, fuzzing};

fuzz_target!(|bytes: &[u8]| {
    let asked = fuzzing::requests(bytes);
    // It hangs up at the first line that is no request, and hears every one before that.
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let understood = whole.map_while(|line| serde_json::from_slice::<Ask>(line).ok());
    let understood: Vec<Ask> = understood.collect();
    assert!(understood.starts_with(&asked), "something was heard that was not said");
    for ask in &asked {
        let json = serde_json::to_string(ask).expect("plain data");
        // Numbers beyond those of JSON are read as the nearest, and written as `null`.
        if let Ok(again) = serde_json::from_str::<Ask>(&json) {
            assert_eq!(serde_json::to_string(&again).expect("plain data"), json);
        }
    }
});
