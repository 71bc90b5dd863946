//! What can be written: the kinds of documents and configuration, where each is kept, and how it marks its blocks.

use serde::Serialize;

/// How a file marks what is managed in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `<!-- … -->`
    Markdown,
    /// `# …`
    Yaml,
    /// No comments: the digest stands in the dashboard's description, and all of the file is managed.
    Json,
}

/// A document, or a file of configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    MonitoringPlan,
    IncidentResponse,
    Hotfix,
    DeploymentPlan,
    BackupStrategy,
    Infrastructure,
    CapacityPlan,
    OperationsReview,
    SloDocument,
    MaintenancePlan,
    Prometheus,
    AlertRules,
    Alertmanager,
    Grafana,
    CiGithub,
    CiGitlab,
}

impl Kind {
    pub const ALL: [Self; 16] = [
        Self::MonitoringPlan,
        Self::IncidentResponse,
        Self::Hotfix,
        Self::DeploymentPlan,
        Self::BackupStrategy,
        Self::Infrastructure,
        Self::CapacityPlan,
        Self::OperationsReview,
        Self::SloDocument,
        Self::MaintenancePlan,
        Self::Prometheus,
        Self::AlertRules,
        Self::Alertmanager,
        Self::Grafana,
        Self::CiGithub,
        Self::CiGitlab,
    ];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::MonitoringPlan => "monitoring-plan",
            Self::IncidentResponse => "incident-response",
            Self::Hotfix => "hotfix",
            Self::DeploymentPlan => "deployment-plan",
            Self::BackupStrategy => "backup-strategy",
            Self::Infrastructure => "infrastructure",
            Self::CapacityPlan => "capacity-plan",
            Self::OperationsReview => "operations-review",
            Self::SloDocument => "slo-document",
            Self::MaintenancePlan => "maintenance-plan",
            Self::Prometheus => "prometheus",
            Self::AlertRules => "alert-rules",
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
            Self::CiGithub => "ci-github",
            Self::CiGitlab => "ci-gitlab",
        }
    }

    /// What is in it.
    pub fn about(self) -> &'static str {
        match self {
            Self::MonitoringPlan => "golden signals, alerts, dashboards, who responds in what time",
            Self::IncidentResponse => "severities, procedure, escalation, recovery scenarios",
            Self::Hotfix => "when it is allowed, emergency deployment, rollback, follow-up",
            Self::DeploymentPlan => "before, during and after a deployment; gates and guards",
            Self::BackupStrategy => "what is backed up, RPO and RTO, restore tests",
            Self::Infrastructure => "services, backends, environments, dependencies",
            Self::CapacityPlan => "scale triggers, headroom, ways to scale, cost goals",
            Self::OperationsReview => "readiness findings by level, score, recommendation",
            Self::SloDocument => "objectives, error budgets, burn alerts, budget policy",
            Self::MaintenancePlan => "daily, weekly and monthly work, windows",
            Self::Prometheus => "prometheus.yml: scrapes, rule files, Alertmanager",
            Self::AlertRules => "alerting and recording rules, from KPIs and services",
            Self::Alertmanager => "alertmanager.yml: routes by severity, inhibition, time intervals",
            Self::Grafana => "a dashboard as JSON: game, backend, business, performance, resources",
            Self::CiGithub => "GitHub Actions workflow with the gates",
            Self::CiGitlab => "GitLab pipeline with the gates",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn syntax(self) -> Syntax {
        match self {
            Self::Grafana => Syntax::Json,
            Self::Prometheus | Self::AlertRules | Self::Alertmanager | Self::CiGithub | Self::CiGitlab => Syntax::Yaml,
            _ => Syntax::Markdown,
        }
    }

    /// Where it is kept unless somebody says otherwise, below the project's folder.
    pub fn path(self, options: &Options) -> String {
        match self {
            Self::Prometheus => "monitoring/prometheus.yml".into(),
            // Prometheus would not load an object of Kubernetes: it lies elsewhere.
            Self::AlertRules if options.form == RuleForm::Operator => "monitoring/operator/liveops.yaml".into(),
            Self::AlertRules => "monitoring/rules/liveops.yml".into(),
            Self::Alertmanager => "monitoring/alertmanager.yml".into(),
            Self::Grafana => format!("monitoring/dashboards/{}.json", options.dashboard.name()),
            Self::CiGithub => ".github/workflows/liveops.yml".into(),
            Self::CiGitlab => ".gitlab/liveops.gitlab-ci.yml".into(),
            document => match &options.service {
                Some(service) => format!("docs/operations/{}-{service}.md", document.name()),
                None => format!("docs/operations/{}.md", document.name()),
            },
        }
    }
}

/// Which dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dashboard {
    #[default]
    Game,
    Backend,
    Business,
    Performance,
    Resources,
}

impl Dashboard {
    pub const ALL: [Self; 5] = [Self::Game, Self::Backend, Self::Business, Self::Performance, Self::Resources];

    pub fn name(self) -> &'static str {
        match self {
            Self::Game => "game",
            Self::Backend => "backend",
            Self::Business => "business",
            Self::Performance => "performance",
            Self::Resources => "resources",
        }
    }
}

/// Which Grafana reads it: one key of a stat panel is forbidden up to 11.0 and required from 11.1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grafana {
    UpTo110,
    #[default]
    From111,
}

/// How Prometheus finds what it scrapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    #[default]
    Static,
    File,
    Kubernetes,
}

impl Discovery {
    pub const ALL: [Self; 3] = [Self::Static, Self::File, Self::Kubernetes];

    pub fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::File => "file",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// In which form alert rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuleForm {
    /// A rule file.
    #[default]
    Prometheus,
    /// A `PrometheusRule` of the Prometheus operator.
    Operator,
}

/// What a file was asked for with: it is written into it, so that `new --check` makes the same again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    pub service: Option<String>,
    /// The environment, where it was named.
    pub environment: Option<String>,
    pub dashboard: Dashboard,
    pub grafana: Grafana,
    pub discovery: Discovery,
    pub form: RuleForm,
}

impl Options {
    /// As they are typed behind the kind.
    pub fn words(&self, kind: Kind) -> Vec<String> {
        let mut words = Vec::new();
        if kind == Kind::Grafana {
            words.extend(["--dashboard".to_owned(), self.dashboard.name().to_owned()]);
            if self.grafana == Grafana::UpTo110 {
                words.extend(["--grafana".to_owned(), "11.0".to_owned()]);
            }
        }
        if kind == Kind::Prometheus && self.discovery != Discovery::default() {
            words.extend(["--discovery".to_owned(), self.discovery.name().to_owned()]);
        }
        if kind == Kind::AlertRules && self.form == RuleForm::Operator {
            words.extend(["--format".to_owned(), "operator".to_owned()]);
        }
        for (name, value) in [("--service", &self.service), ("--env", &self.environment)] {
            words.extend(value.iter().flat_map(|value| [name.to_owned(), value.clone()]));
        }
        words
    }

    /// Reads them back. `None` where a word is none of ours.
    pub fn read(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        for pair in words.chunks(2) {
            let [name, value] = pair else { return None };
            match *name {
                "--service" => options.service = Some((*value).to_owned()),
                "--env" => options.environment = Some((*value).to_owned()),
                "--dashboard" => options.dashboard = Dashboard::ALL.into_iter().find(|one| one.name() == *value)?,
                "--grafana" => options.grafana = grafana(value)?,
                "--discovery" => options.discovery = Discovery::ALL.into_iter().find(|one| one.name() == *value)?,
                "--format" if *value == "operator" => options.form = RuleForm::Operator,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The Grafana of a version such as `11.0` or `12`.
pub fn grafana(version: &str) -> Option<Grafana> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next()??, parts.next().unwrap_or(Some(u32::MAX))?);
    match (major, minor) {
        (10, 4..) | (11, 0) => Some(Grafana::UpTo110),
        (11.., _) => Some(Grafana::From111),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.name()), Some(kind));
            for dashboard in Dashboard::ALL {
                let options =
                    Options { service: Some("a".into()), dashboard, grafana: Grafana::UpTo110, ..Options::default() };
                let words = options.words(kind);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let back = Options::read(&words).expect("read");
                assert_eq!(back.service, options.service);
                assert!(kind != Kind::Grafana || back == options);
            }
            let options = Options { form: RuleForm::Operator, ..Options::default() };
            let words = options.words(kind);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let back = Options::read(&words).expect("read");
            assert_eq!(back.form == RuleForm::Operator, kind == Kind::AlertRules);
        }
        assert_eq!(Options::read(&["--service"]), None);
        assert_eq!(Options::read(&["--servic", "a"]), None);
    }

    #[test]
    fn versions_of_grafana() {
        for (version, want) in [
            ("10.4", Some(Grafana::UpTo110)),
            ("11.0", Some(Grafana::UpTo110)),
            ("11.1", Some(Grafana::From111)),
            ("12", Some(Grafana::From111)),
            ("13.2.1", Some(Grafana::From111)),
            ("9.5", None),
            ("10.2", None),
            ("x", None),
        ] {
            assert_eq!(grafana(version), want, "{version}");
        }
    }
}
