//! Postmortems: what an incident cost, computed from series, and what a finished document must not lack. Pure.

pub mod check;
pub mod document;
pub mod impact;
