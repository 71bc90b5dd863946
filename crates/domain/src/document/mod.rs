//! Documents and configuration that liveops writes and keeps up to date: kinds, managed blocks, alerts, dashboards.

pub mod alerts;
pub mod block;
pub mod catalog;
pub mod dashboard;
pub mod diff;
pub mod facts;
pub mod kind;
pub mod panel;
pub mod question;
pub mod review;
pub mod table;
