use super::*;
use crate::language::{Look, render};
#[test]
fn scratch() {
    let text = std::fs::read_to_string("/tmp/kx/cases").unwrap();
    let width: usize = std::env::var("W").ok().and_then(|w| w.parse().ok()).unwrap_or(90);
    for case in text.split("=====\n") {
        println!("=====\n{case}\n-----");
        let dir = folder(&[("stack.kdl", case)]);
        match load_in(dir.path(), &options()) {
            Ok(l) => {
                println!("OK");
                for r in l.warnings {
                    println!("{}", render(&r, Look { width, color: false }));
                }
            }
            Err(rs) => {
                for r in rs {
                    println!("{}", render(&r, Look { width, color: std::env::var("C").is_ok() }));
                }
            }
        }
    }
}
