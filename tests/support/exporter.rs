//! A metrics exporter whose exposition the test sets while it runs.

use super::prometheus::Target;
use super::stub::{Answer, Stub};

const PATH: &str = "/metrics";

/// Serves one text at `/metrics`.
#[derive(Debug)]
pub(crate) struct Exporter {
    /// The server below, for recorded requests and further routes.
    pub(crate) stub: Stub,
}

impl Exporter {
    /// Serves `exposition` (Prometheus text format).
    pub(crate) fn new(exposition: &str) -> Self {
        let stub = Stub::new();
        let exporter = Self { stub };
        exporter.set(exposition);
        exporter
    }

    /// Replaces the text; the next scrape gets it.
    pub(crate) fn set(&self, exposition: &str) {
        self.stub.set("GET", PATH, Answer::text(exposition));
    }

    /// Answers every scrape with this status and no metrics.
    pub(crate) fn fail(&self, status: u16) {
        self.stub.set("GET", PATH, Answer::text("").status(status));
    }

    /// Where liveops scrapes it.
    pub(crate) fn url(&self) -> String {
        format!("{}{PATH}", self.stub.url())
    }

    /// How Prometheus finds it.
    pub(crate) fn target(&self, job: &str) -> Target {
        Target::new(job, self.stub.port())
    }
}
