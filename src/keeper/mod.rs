//! The keeper: the parent of every service. It starts, signals, reaps and moves logs; it decides
//! nothing.

pub mod protocol;
pub enum Launched {
    Ready,
    Held,
}
pub fn launch(p: &crate::platform::Places) -> std::io::Result<Launched> {
    todo!()
}
