# `just` lists these; none is needed to work here.

[private]
default:
    @just --list --unsorted

# Bring up the demo stack
up *ARGS:
    cargo run --release -- up {{ARGS}}

# Stop the demo stack
down:
    cargo run --release -- down

# The quick checks, before every commit
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked

# Unit tests and layers, without the black-box suite
unit:
    cargo test --locked --lib --test layers

# Scenarios whose names contain a word, with their output
it FILTER="":
    cargo test --locked --test it -- --nocapture {{FILTER}}

# Start times against a bare loop of spawns
bench:
    cargo bench --locked

# The picture in the README, from a real run
picture:
    .github/picture

# Everything that a change has to pass, on a bare Debian machine too
ci:
    .ci/run
