//! A change as data: its record, its journal, its timeline and its undo.

pub mod journal;
pub mod record;
pub mod scope;
pub mod timeline;
pub mod undo;
