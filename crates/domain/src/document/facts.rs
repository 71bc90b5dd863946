//! What liveops knows of a project, each value with where it was said: all that documents are written from.

use serde::Serialize;

use crate::alert::probe::figures;
use crate::document::alerts::AlertSpec;
use crate::incident::severity::Severity;

/// A service.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceFacts {
    pub name: String,
    pub owner: Option<String>,
    /// Base of the health API, without secrets.
    pub health: Option<String>,
    pub metrics: Vec<String>,
    pub workload: Option<String>,
    /// Name of the policy by which its new versions are rolled out.
    pub policy: Option<String>,
    /// How its traffic is split.
    pub traffic: Option<String>,
}

/// A signal of an attack.
#[derive(Debug, Clone, Serialize)]
pub struct SignalFacts {
    pub name: String,
    pub query: String,
    pub limit: f64,
}

/// A key figure.
#[derive(Debug, Clone, Serialize)]
pub struct KpiFacts {
    pub name: String,
    pub title: String,
    pub signal: &'static str,
    pub query: String,
    pub warn: Option<String>,
    pub critical: Option<String>,
    pub from: String,
}

/// An alert, as a row of a table.
#[derive(Debug, Clone, Serialize)]
pub struct AlertFacts {
    pub name: String,
    pub service: Option<String>,
    pub kpi: Option<String>,
    pub signal: &'static str,
    pub condition: String,
    /// What it compares, without the limit.
    pub query: String,
    pub figure: String,
    pub limit: String,
    pub hold: String,
    pub severity: String,
    /// The level of incidents that it stands for.
    pub level: &'static str,
    pub acknowledge: String,
    pub mitigate: String,
    pub owner: Option<String>,
    pub runbook: String,
    pub from: String,
}

/// What a severity asks for.
#[derive(Debug, Clone, Serialize)]
pub struct SeverityFacts {
    pub name: &'static str,
    pub alias: &'static str,
    pub impact: String,
    pub acknowledge: String,
    pub mitigate: String,
    pub postmortem: Option<String>,
    /// Channels that are paged for it, by the rules of `notify`: one group after the other, until somebody took it.
    pub page: Vec<Vec<String>>,
    /// Channels that are told.
    pub tell: Vec<String>,
    pub from: String,
}

/// An objective.
#[derive(Debug, Clone, Serialize)]
pub struct SloFacts {
    pub name: String,
    pub service: Option<String>,
    pub indicator: String,
    pub objective: String,
    pub window: String,
    pub budget: String,
    /// How long everything may fail until the budget is spent.
    pub outage: String,
    /// The page that its alerts link, where it is none of liveops' own.
    pub runbook: Option<String>,
    pub exclusions: Vec<ExclusionFacts>,
    pub alerts: Vec<BurnFacts>,
    pub from: String,
}

/// A time that an objective leaves out.
#[derive(Debug, Clone, Serialize)]
pub struct ExclusionFacts {
    pub from: String,
    pub to: String,
    pub reason: String,
    pub owner: String,
}

/// An alert on the burn of an error budget.
#[derive(Debug, Clone, Serialize)]
pub struct BurnFacts {
    pub severity: &'static str,
    pub long: String,
    pub short: String,
    pub factor: String,
    pub spends: String,
}

/// How new versions are rolled out.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyFacts {
    pub name: String,
    pub steps: String,
    pub interval: String,
    pub success: Vec<String>,
    pub rollback: Vec<String>,
    pub min_samples: u64,
    pub max_blind: String,
    pub window: String,
    pub preflight: Vec<&'static str>,
    pub approval: Option<String>,
    pub from: String,
}

/// A system that liveops talks to.
#[derive(Debug, Clone, Serialize)]
pub struct BackendFacts {
    pub name: String,
    /// Without secrets.
    pub url: String,
    pub from: String,
}

/// A way to reach people.
#[derive(Debug, Clone, Serialize)]
pub struct ChannelFacts {
    pub name: String,
    pub kind: &'static str,
    /// The URL, where it is no secret.
    pub url: Option<String>,
    pub email: Option<EmailFacts>,
}

#[derive(Debug, Clone, Serialize)]
pub struct EmailFacts {
    pub from: String,
    pub to: String,
    pub smarthost: Option<String>,
}

/// What is backed up, and what is asked of it.
#[derive(Debug, Clone, Serialize)]
pub struct BackupFacts {
    pub name: String,
    pub service: Option<String>,
    /// Who knows it: a folder, a bucket, a tool.
    pub source: String,
    pub rpo: String,
    pub rto: Option<String>,
    /// How old the last restore test may be.
    pub restore_test: Option<String>,
    /// The last restore that was written down: `2026-11-02, 40m`.
    pub restored: Option<String>,
    /// How many are kept.
    pub keep: Option<usize>,
    /// How far back they reach.
    pub reach: Option<String>,
    pub copies: Vec<String>,
    pub is_off_site: bool,
    pub encrypted: Option<bool>,
    pub archived: bool,
}

/// A time in which nothing is deployed.
#[derive(Debug, Clone, Serialize)]
pub struct FreezeFacts {
    pub from: String,
    pub to: String,
    pub reason: String,
    pub services: Vec<String>,
}

/// Everything.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    pub project: String,
    pub environment: String,
    pub environments: Vec<String>,
    pub protected: Vec<String>,
    pub regions: Vec<String>,
    pub config: Option<String>,
    /// The service that the document is about.
    pub service: Option<String>,
    pub owner: Option<String>,
    pub services: Vec<ServiceFacts>,
    pub kpis: Vec<KpiFacts>,
    pub alerts: Vec<AlertFacts>,
    pub severities: Vec<SeverityFacts>,
    pub slos: Vec<SloFacts>,
    pub policies: Vec<PolicyFacts>,
    pub backends: Vec<BackendFacts>,
    pub channels: Vec<ChannelFacts>,
    pub on_call: Vec<String>,
    pub handover: Option<String>,
    pub dependencies: Vec<(String, String)>,
    pub runbooks: String,
    pub scenarios: Vec<(String, String)>,
    pub incidents: String,
    pub deployments: String,
    pub business_days: String,
    pub scrape: String,
    pub max_silence: String,
    pub rules_path: String,
    pub slo_rules_path: String,
    pub backups: Vec<BackupFacts>,
    pub freezes: Vec<FreezeFacts>,
    pub signals: Vec<SignalFacts>,
}

impl AlertFacts {
    /// A row of an alert; times and owners come from the tables that hold them.
    pub fn of(spec: &AlertSpec, severities: &[SeverityFacts], runbooks: &str) -> Self {
        let level = Severity::of_alert(Some(spec.severity));
        let terms = severities.iter().find(|one| one.name == level.word());
        let time = |pick: fn(&SeverityFacts) -> &String| terms.map(pick).cloned().unwrap_or_default();
        Self {
            name: spec.name.clone(),
            service: spec.service.clone(),
            kpi: spec.kpi.clone(),
            signal: spec.signal.word(),
            condition: spec.condition(),
            query: figures(&spec.expr).swap_remove(0),
            figure: spec.figure.clone(),
            limit: spec.limit.clone(),
            hold: crate::text::duration::human(spec.hold),
            severity: spec.severity.to_owned(),
            level: level.word(),
            acknowledge: time(|terms| &terms.acknowledge),
            mitigate: time(|terms| &terms.mitigate),
            owner: spec.owner.clone(),
            runbook: format!("{runbooks}/{}.md", spec.name),
            from: spec.from.clone(),
        }
    }
}
