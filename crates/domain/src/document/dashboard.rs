//! Dashboards: which panels each has, from the services, the key figures and their alerts.

use serde_json::{Value, json};

use crate::document::alerts::{AlertSpec, Signal};
use crate::document::kind::{Dashboard, Grafana};
use crate::document::panel::{Draw, Panel, Target, expr, heatmap, quantile, steps, unit};
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::labels::{quote, show_name};
use crate::text::duration::human;

/// Classic JSON of this version is read by every Grafana from 10.4 on.
const SCHEMA: u32 = 39;

/// What a dashboard is made of.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub project: &'a str,
    pub services: &'a [String],
    pub kpis: &'a [Kpi],
    pub alerts: &'a [AlertSpec],
    /// Folder of the alerts' runbooks.
    pub runbooks: &'a str,
}

/// The dashboard as text. `mark` says which document it is, with a place for the digest.
pub fn text(source: &Source<'_>, dashboard: Dashboard, grafana: Grafana, mark: &str) -> String {
    let rows = rows(source, dashboard);
    let mut panels = Vec::new();
    let mut top = 0;
    for (title, row) in rows.iter().filter(|(_, row)| !row.is_empty()) {
        let id = panels.len() + 1;
        panels.push(json!({
            "type": "row", "id": id, "title": title, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": top, "w": 24, "h": 1 },
        }));
        let (mut x, mut y, mut height) = (0, top + 1, 0);
        for panel in row {
            if x + panel.size.0 > 24 {
                (x, y, height) = (0, y + height, 0);
            }
            panels.push(panel.json(panels.len() + 1, (x, y), grafana));
            x += panel.size.0;
            height = height.max(panel.size.1);
        }
        top = y + height;
    }
    let whole = json!({
        "uid": format!("liveops-{}", dashboard.name()),
        "title": format!("{} / {}", source.project, dashboard.name()),
        "description": format!("Written by `liveops new grafana`; write it anew instead of editing it. {mark}"),
        "tags": ["liveops"],
        "schemaVersion": SCHEMA,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": { "from": "now-3h", "to": "now" },
        "templating": { "list": [{
            "type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "hide": 0,
            "multi": false, "refresh": 1,
        }]},
        "annotations": { "list": annotations(source) },
        "panels": panels,
    });
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// Every query of a dashboard: those of its panels.
pub fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        panel["targets"].as_array().into_iter().flatten().map(move |target| (title.clone(), target["expr"].clone()))
    });
    targets.map(|(title, expr)| (title, expr.as_str().unwrap_or_default().to_owned())).collect()
}

/// When a process began anew, which is what a deployment does; and the alerts that wake somebody.
fn annotations(source: &Source<'_>) -> Vec<Value> {
    let jobs = jobs(source);
    let one = |name: &str, expr: String, colour: &str| {
        json!({
            "name": name, "enable": true, "iconColor": colour, "expr": expr, "hide": false,
            "datasource": { "type": "prometheus", "uid": "${datasource}" },
        })
    };
    vec![
        one("Deployments", format!("changes(process_start_time_seconds{jobs}[$__rate_interval]) > 0"), "blue"),
        one("Incidents", "ALERTS{alertstate=\"firing\",severity=~\"critical|high|page\"}".into(), "red"),
    ]
}

type Row = (&'static str, Vec<Panel>);

fn rows(source: &Source<'_>, dashboard: Dashboard) -> Vec<Row> {
    let of = |wanted: &dyn Fn(&Kpi, Signal) -> bool| -> Vec<&Kpi> {
        source.kpis.iter().filter(|kpi| wanted(kpi, Signal::of(kpi))).collect()
    };
    let stats = |kpis: &[&Kpi]| kpis.iter().map(|kpi| stat(source, kpi)).collect::<Vec<_>>();
    let lines = |kpis: &[&Kpi]| kpis.iter().map(|kpi| line(source, kpi)).collect::<Vec<_>>();
    let game = |kpi: &Kpi| kpi.selectors().iter().any(|one| one.name().starts_with("game_"));
    match dashboard {
        Dashboard::Game => {
            let kpis = of(&|kpi, signal| game(kpi) || signal == Signal::Business);
            let latency: Vec<&Kpi> = kpis.iter().copied().filter(|kpi| quantile(kpi, 0.5).is_some()).collect();
            vec![
                ("Now", stats(&kpis)),
                ("Players and matches", lines(&kpis)),
                ("Distributions", latency.iter().filter_map(|kpi| heat(source, kpi)).collect()),
                ("Availability", availability(source)),
            ]
        }
        Dashboard::Backend => {
            let kpis = of(&|kpi, signal| !game(kpi) && signal != Signal::Business);
            let codes = kpis.iter().filter_map(|kpi| outcomes(source, kpi)).take(1);
            vec![
                ("Availability", availability(source)),
                ("Golden signals now", stats(&kpis)),
                ("Golden signals", lines(&kpis).into_iter().chain(codes).collect()),
            ]
        }
        Dashboard::Business => {
            let kpis = of(&|_, signal| signal == Signal::Business);
            let totals = kpis.iter().filter_map(|kpi| total(source, kpi)).collect();
            vec![("Now", stats(&kpis)), ("Over time", lines(&kpis)), ("In the range shown", totals)]
        }
        Dashboard::Performance => {
            let kpis = of(&|kpi, _| quantile(kpi, 0.5).is_some());
            let all = kpis.iter().flat_map(|kpi| [quantiles(source, kpi), heat(source, kpi)]).flatten().collect();
            vec![("Now", stats(&kpis)), ("Quantiles and distributions", all)]
        }
        Dashboard::Resources => {
            let kpis = of(&|_, signal| signal == Signal::Saturation);
            let gauges = kpis.iter().map(|kpi| gauge(source, kpi)).collect();
            vec![("Now", gauges), ("Over time", lines(&kpis)), ("Monitoring itself", monitoring(source))]
        }
    }
}

/// What it is, and which alerts watch it.
fn description(source: &Source<'_>, kpi: &Kpi) -> String {
    let mut text = format!("{} (`kpis.{}`).", kpi.title(), kpi.name);
    for alert in source.alerts.iter().filter(|one| one.kpi.as_deref() == Some(kpi.name.as_str())) {
        text.push_str(&format!(
            " Alert {}: {} for {}; runbook {}/{}.md.",
            alert.name,
            alert.limit,
            human(alert.hold),
            source.runbooks,
            alert.name
        ));
    }
    text
}

fn panel(source: &Source<'_>, kpi: &Kpi, draw: Draw, targets: Vec<Target>, size: (u32, u32)) -> Panel {
    let title = kpi.title().into_owned();
    Panel { title, description: description(source, kpi), draw, targets, unit: unit(kpi), steps: steps(kpi), size }
}

fn stat(source: &Source<'_>, kpi: &Kpi) -> Panel {
    panel(source, kpi, Draw::Stat, vec![Target::new(expr(kpi, None), kpi.title())], (4, 4))
}

/// A share of a whole as a gauge; what has no whole, as a number.
fn gauge(source: &Source<'_>, kpi: &Kpi) -> Panel {
    let is_share = ["percentunit", "percent"].contains(&unit(kpi).as_str());
    let draw = if is_share { Draw::Gauge } else { Draw::Stat };
    panel(source, kpi, draw, vec![Target::new(expr(kpi, None), kpi.title())], (4, 4))
}

fn line(source: &Source<'_>, kpi: &Kpi) -> Panel {
    let by = match (&kpi.kind, &kpi.by) {
        (KpiKind::PromQl(_), _) | (_, None) => None,
        (_, Some(label)) => Some(label),
    };
    let target = match by {
        Some(label) => Target::new(expr(kpi, Some(label)), format!("{{{{{label}}}}}")),
        None => Target::new(expr(kpi, None), kpi.title()),
    };
    panel(source, kpi, Draw::Lines, vec![target], (12, 8))
}

fn quantiles(source: &Source<'_>, kpi: &Kpi) -> Option<Panel> {
    let targets = [0.5, 0.95, 0.99].into_iter().filter_map(|q| {
        let other = quantile(kpi, q)?;
        Some(Target::new(expr(&other, None), format!("p{}", (q * 100.0).round())))
    });
    let targets: Vec<Target> = targets.collect();
    (!targets.is_empty()).then(|| panel(source, kpi, Draw::Lines, targets, (12, 8)))
}

fn heat(source: &Source<'_>, kpi: &Kpi) -> Option<Panel> {
    let target = Target::new(heatmap(kpi)?, "{{le}}");
    let made = panel(source, kpi, Draw::Heatmap, vec![target], (12, 8));
    Some(Panel { title: format!("{}, distribution", kpi.title()), ..made })
}

/// Requests by their outcome: the label by which the figure tells failures.
fn outcomes(source: &Source<'_>, kpi: &Kpi) -> Option<Panel> {
    let KpiKind::Ratio { of, to, .. } = &kpi.kind else { return None };
    let label = &of.matchers().iter().find(|one| to.matchers().iter().all(|other| other.name != one.name))?.name;
    let query = format!("sum by ({}) (rate({to}[$__rate_interval]))", show_name(label));
    let target = Target::new(query, format!("{{{{{label}}}}}"));
    let made = panel(source, kpi, Draw::Lines, vec![target], (12, 8));
    Some(Panel { title: format!("requests by {label}"), unit: "reqps".into(), steps: vec![(0.0, "green")], ..made })
}

/// What came together in the time that is shown, by its label.
fn total(source: &Source<'_>, kpi: &Kpi) -> Option<Panel> {
    let (query, legend) = match &kpi.kind {
        KpiKind::Rate { selector, .. } => {
            let by = kpi.by.as_ref().map_or_else(String::new, |by| format!(" by ({})", show_name(by)));
            (format!("sum{by} (increase({selector}[$__range]))"), kpi.by.as_ref())
        }
        KpiKind::Gauge { .. } => (expr(kpi, kpi.by.as_deref()), Some(kpi.by.as_ref()?)),
        _ => return None,
    };
    let legend = legend.map_or_else(|| kpi.title().into_owned(), |label| format!("{{{{{label}}}}}"));
    let made = panel(source, kpi, Draw::Pie, vec![Target::new(query, legend)], (8, 8));
    Some(Panel { unit: "short".into(), ..made })
}

fn jobs(source: &Source<'_>) -> String {
    let names: Vec<String> = source.services.iter().map(|name| regex::escape(name)).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("{{job=~{}}}", quote(&names.join("|"))),
    }
}

fn plain(title: &str, description: &str, draw: Draw, target: Target, unit: &str) -> Panel {
    Panel {
        title: title.into(),
        description: description.into(),
        draw,
        targets: vec![target],
        unit: unit.into(),
        steps: vec![(0.0, "green")],
        size: (12, 6),
    }
}

fn availability(source: &Source<'_>) -> Vec<Panel> {
    let jobs = jobs(source);
    let mut up = plain(
        "targets that are up",
        &format!("Share of each service's targets that Prometheus can scrape.{}", gone(source)),
        Draw::Stat,
        Target::new(format!("avg by (job) (up{jobs})"), "{{job}}"),
        "percentunit",
    );
    up.steps = vec![(0.0, "red"), (1.0, "green")];
    let table = plain(
        "targets",
        "Every target: 1 is up, 0 is down.",
        Draw::Table,
        Target::new(format!("up{jobs}"), "{{instance}}"),
        "short",
    );
    let count = |state: &str| Target::new(format!("count(ALERTS{{alertstate=\"{state}\"}}) or vector(0)"), state);
    let mut alerts = plain(
        "alerts",
        "How many fire, and how many are about to: their condition holds, and not for long enough yet.",
        Draw::Lines,
        count("firing"),
        "short",
    );
    alerts.targets.push(count("pending"));
    vec![up, table, alerts]
}

/// The alert that says that a service is gone, and its runbook.
fn gone(source: &Source<'_>) -> String {
    let alert = source.alerts.iter().find(|one| one.signal == Signal::Availability);
    alert.map_or_else(String::new, |one| format!(" Alert {}; runbook {}/{}.md.", one.name, source.runbooks, one.name))
}

fn monitoring(source: &Source<'_>) -> Vec<Panel> {
    let jobs = jobs(source);
    vec![
        plain(
            "time of a scrape",
            "How long Prometheus takes to scrape each target: a slow one loses samples.",
            Draw::Lines,
            Target::new(format!("max by (job) (scrape_duration_seconds{jobs})"), "{{job}}"),
            "s",
        ),
        plain(
            "samples of a scrape",
            "How many samples each job has: a jump is a label that grows without bound.",
            Draw::Lines,
            Target::new(format!("sum by (job) (scrape_samples_scraped{jobs})"), "{{job}}"),
            "short",
        ),
    ]
}
