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

# The black-box suites so many times in a row, on a machine that is busy with something else
soak TIMES="20":
    #!/usr/bin/env bash
    set -euo pipefail
    built=$(cargo test --locked --test it --test keeper --test core --no-run 2>&1)
    suites=$(sed -n 's/.*(\(.*\)).*/\1/p' <<<"$(grep Executable <<<"$built")")
    busy=()
    trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
    for _ in $(seq "$(nproc)"); do
        sh -c 'while :; do :; done' & busy+=($!)
    done
    passed=0
    for run in $(seq {{TIMES}}); do
        log=$(mktemp "${TMPDIR:-/tmp}/soak-$run-XXXX")
        began=$SECONDS
        failed=
        for suite in $suites; do
            # What hangs fails. As many at once as in `.ci/run`.
            RUST_TEST_THREADS=$((2 * $(nproc))) timeout 30m "$suite" >>"$log" 2>&1 || failed=yes
        done
        if [ -z "$failed" ]; then
            passed=$((passed + 1)); rm "$log"
            echo "run $run: passed in $((SECONDS - began)) s"
        else
            echo "run $run: FAILED, see $log"; grep -E "^test .*FAILED" "$log" || true
        fi
    done
    echo "$passed of {{TIMES}} runs passed"
    [ "$passed" = {{TIMES}} ]

# Start times against a bare loop of spawns
bench:
    cargo bench --locked

# The picture in the README, from a real run
picture:
    .github/picture

# Everything that a change has to pass, on a bare Debian machine too
ci:
    .ci/run
