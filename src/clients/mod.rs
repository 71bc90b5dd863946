//! What it talks to: one file an outside system; request in, domain type out, a deadline on every call.

pub(crate) mod alertmanager;
mod alertmanager_wire;
pub(crate) mod balancer;
pub(crate) mod clickhouse;
pub(crate) mod git;
pub(crate) mod http;
pub(crate) mod incident_streams;
pub(crate) mod kubectl;
pub(crate) mod notify;
pub(crate) mod prometheus;
pub(crate) mod prometheus_wire;
pub(crate) mod redis;
pub(crate) mod service;
pub(crate) mod shell;
