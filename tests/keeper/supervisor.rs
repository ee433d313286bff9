//! The supervisor comes and goes.

use std::process::Command;

use stackrun::{
    keeper::{
        self, Launched,
        protocol::{FromKeeper, ToKeeper},
    },
    model::{Exit, Signal},
};

use crate::world::{World, lives, until};

pub(crate) fn ends_are_kept_while_it_is_away() {
    let mut world = World::new();
    let (lasting, lasting_pid) = world.run("lasting", "sleep 1000");
    let (ended, ended_pid) = world.run("ended", "while [ ! -e go ]; do sleep 0.01; done; exit 9");
    let (left, _) =
        world.run("left", "while [ ! -e go ]; do sleep 0.01; done; sleep 1000 & exit 8");
    world.ask(&ToKeeper::Note { note: "remember".to_owned() });
    world.run("marker", "sleep 1000");
    world.hang_up();
    std::fs::write(world.dir.path().join("go"), "").unwrap();
    until("the end of one", || !lives(ended_pid));
    world.reconnect();
    let (units, note) = world.hello();
    assert_eq!(note, "remember");
    let report = |name: &str| units.iter().find(|unit| unit.unit.name == name).unwrap();
    assert_eq!((report("lasting").pid, report("lasting").exit), (lasting_pid, None));
    // Told in Hello, or just after it.
    for (unit, exit) in [(&ended, Exit::Code(9)), (&left, Exit::Code(8))] {
        match report(&unit.name).exit {
            Some(told) => assert_eq!(told, exit),
            None => assert_eq!(world.exited(unit).0, exit),
        }
    }
    if !report("ended").gone {
        world.gone(&ended);
    }
    world.ask(&ToKeeper::Forget { unit: ended.clone() });
    world.ask(&ToKeeper::Forget { unit: lasting.clone() });
    world.kill(&left);
    world.gone(&left);
    world.hang_up();
    world.reconnect();
    let names: Vec<String> = world.hello().0.into_iter().map(|unit| unit.unit.name).collect();
    assert_eq!(names, ["lasting", "left", "marker"], "one that lives cannot be forgotten");
}

pub(crate) fn the_real_program_is_started_with_its_descriptors() {}

pub(crate) fn a_second_keeper_is_told_that_the_stack_is_held() {
    let world = World::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("keeper").arg(world.dir.path()).arg(world.dir.path().join("other"));
    assert_eq!(keeper::launch_as(command).unwrap(), Launched::Held);
}

pub(crate) fn a_signal_to_the_keeper_asks_for_an_orderly_end() {
    let mut world = World::new();
    let keeper = stackrun::platform::ProcId::of(world.keeper).unwrap();
    let keeper = stackrun::platform::Process::open(keeper).unwrap();
    keeper.signal(Signal::TERM).unwrap();
    world.wait("Shutdown", |message| (*message == FromKeeper::Shutdown).then_some(()));
}

pub(crate) fn nothing_is_left_behind() {
    let mut world = World::new();
    assert!(world.places.socket().exists());
    world.run("a", "trap '' TERM HUP INT; sleep 1000");
    assert_eq!(world.finish(), (vec![], true));
    let (keeper, runtime) = (world.keeper, world.places.runtime.clone());
    assert!(lives(keeper), "it waits for the supervisor to hang up");
    world.hang_up();
    until("the keeper's end", || !lives(keeper));
    assert!(!runtime.exists());
    assert_eq!(std::fs::read_to_string(world.places.state.join(".gitignore")).unwrap(), "*\n");
}
