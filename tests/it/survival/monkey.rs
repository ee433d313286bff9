//! The world moves while a stack runs, at random: its user logs in and out, folders vanish and
//! move, disks fill, processes freeze and are killed, with a command after each such event.
//!
//! As root, in namespaces of its own (mounts and processes), so that it harms nothing here.

#![expect(clippy::print_stdout, reason = "what happened at random, for when it fails")]

mod truth;
mod world;

use std::{env, process::Command};

use crate::{
    support::{Running, may_make_worlds, may_mount, testbed},
    torture::{Chance, rounds},
};

use world::World;

/// Set where the world is one of its own already.
const INSIDE: &str = "STACKRUN_TEST_INSIDE";

/// The scenario's own name.
const NAME: &str = "survival::monkey::as_root_the_world_moves_and_the_stack_stays_one";

/// The commands to choose from.
const LINES: [&str; 12] = [
    "up",
    "up",
    "restart",
    "restart api",
    "down",
    "down api",
    "status",
    "why api",
    "ls",
    "run seed",
    "logs -n 3 api",
    "events",
];

#[test]
fn as_root_the_world_moves_and_the_stack_stays_one() {
    if env::var_os(INSIDE).is_some() {
        return live();
    }
    if !may_mount() || !may_make_worlds() {
        return;
    }
    // Built here: inside there may be no room for that.
    testbed();
    let mut world = Command::new("unshare");
    world.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    // The first process of a world is the parent of all orphans: a shell takes care of them.
    world.args(["/bin/sh", "-c", "\"$0\" \"$@\"; exit $?"]);
    world.arg(env::current_exe().expect("this program has a path"));
    world.args([NAME, "--exact", "--nocapture"]).env(INSIDE, "1");
    let ran = Running::start(NAME.to_owned(), world).patience(3600).ends().exits(0);
    assert!(ran.out.contains("1 passed"), "{ran:#?}");
}

fn live() {
    let mut chance = Chance::new();
    let mut world = World::new();
    world.types("up").exits(0);
    world.holds();
    for round in 0..rounds(20) {
        let moved = world.moves(&mut chance);
        println!("{round}: {moved}");
        world.holds();
        let line = chance.one_of(&LINES);
        let ran = world.types(line);
        println!("{round}: {line} → {}", ran.code);
        world.holds();
    }
    world.calms_down();
    world.types("up").exits(0);
    world.holds();
    world.types("down").exits(0).says("0 processes");
    world.is_empty();
}
