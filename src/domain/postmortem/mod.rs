//! Postmortems: what an incident cost, computed from series, and what a finished document must not lack. Pure.

pub(crate) mod check;
pub(crate) mod impact;
