//! What it talks to: one file an outside system; request in, domain type out, a deadline on every call.

pub mod alertmanager;
pub mod clickhouse;
pub mod git;
pub mod http;
pub mod kubectl;
pub mod notify;
pub mod prometheus;
pub mod promtool;
pub mod redis;
pub mod service;
pub mod shell;
