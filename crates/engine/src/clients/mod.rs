//! What it talks to: one file an outside system; request in, domain type out, a deadline on every call.

pub mod alertmanager;
pub mod backup_tool;
pub mod clickhouse;
pub mod git;
pub mod http;
pub mod kubectl;
mod loose;
pub mod notify;
pub mod prometheus;
pub mod promtool;
pub mod redis;
pub mod s3;
pub mod service;
pub mod shell;
pub mod tls;
