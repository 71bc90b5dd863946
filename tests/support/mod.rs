//! What the integration tests share: a hermetic environment, stub and faulty backends, real servers.
//! Included by each test binary with `#[path = "../support/mod.rs"] mod support;`; synchronous, std threads.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this module")]

pub(crate) mod alertmanager;
pub(crate) mod answers;
pub(crate) mod backends;
pub(crate) mod deadline;
pub(crate) mod emulator;
pub(crate) mod env;
pub(crate) mod exporter;
pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod killer;
pub(crate) mod kube;
pub(crate) mod listener;
pub(crate) mod postgres;
pub(crate) mod preload;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod pty;
pub(crate) mod redis;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod stub;
pub(crate) mod tls;
pub(crate) mod wire;

pub(crate) use alertmanager::Alertmanager;
pub(crate) use backends::Backends;
pub(crate) use deadline::until;
pub(crate) use env::TestEnv;
pub(crate) use exporter::Exporter;
pub(crate) use fault::{Backend, Fault, FaultServer};
pub(crate) use kube::Kube;
pub(crate) use postgres::Postgres;
pub(crate) use prometheus::{Prometheus, Target};
pub(crate) use run::Run;
pub(crate) use stub::{Answer, Stub};
