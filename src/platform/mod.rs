//! The operating system behind one small interface.
