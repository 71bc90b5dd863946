# Daily work. `just` alone lists the recipes.

[private]
default:
    @just --list --unsorted

# Everything that must pass before a change lands
check:
    bash .ci/run

# All tests, or those whose name contains the words
test *ARGS:
    bash scripts/test {{ ARGS }}

# Format and lint
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Completions and man pages, generated from the command line itself
gen:
    bash scripts/gen

# The embedded demo service and its first screen
demo *ARGS:
    cargo run --release --locked -- demo {{ ARGS }}

# The speed table, written to bench/RESULTS.md
bench:
    bash bench/run

# The terminal picture of the README, from real output
picture:
    bash scripts/picture

# Every fuzz target, or the named ones: `just fuzz --seconds 600 promql`, `just fuzz --runs 1000000`
fuzz *ARGS:
    scripts/fuzz {{ ARGS }}
