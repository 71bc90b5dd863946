//! Panels of a Grafana dashboard, in the classic model that every Grafana from 10.4 on reads.

use serde_json::{Value, json};

use crate::document::kind::Grafana;
use crate::metric::kpi::{Kpi, KpiKind};
use crate::metric::quantity::Unit;
use crate::metric::threshold::Comparison;
use crate::text::duration::to_promql;

/// A query, and what its line is called.
#[derive(Debug, Clone)]
pub struct Target {
    pub expr: String,
    pub legend: String,
}

impl Target {
    pub fn new(expr: impl Into<String>, legend: impl Into<String>) -> Self {
        Self { expr: expr.into(), legend: legend.into() }
    }
}

/// How a panel draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    Lines,
    Stat,
    Gauge,
    Pie,
    Heatmap,
    Table,
}

/// A panel before it has its place.
#[derive(Debug, Clone)]
pub struct Panel {
    pub title: String,
    pub description: String,
    pub draw: Draw,
    pub targets: Vec<Target>,
    pub unit: String,
    /// Steps of colour: from where on which.
    pub steps: Vec<(f64, &'static str)>,
    /// Columns of 24, and rows.
    pub size: (u32, u32),
}

/// The expression of a figure as a dashboard asks it: rates over the interval that fits the resolution.
pub fn expr(kpi: &Kpi, by: Option<&str>) -> String {
    let text = kpi.expression(by);
    match kpi.window() {
        Some(window) => text.replace(&format!("[{}])", to_promql(window)), "[$__rate_interval])"),
        None => text,
    }
}

/// Grafana's name of a unit.
pub fn unit(kpi: &Kpi) -> String {
    let requests = kpi.selectors().iter().any(|one| one.name().contains("request"));
    match &kpi.unit {
        Unit::None => "short".into(),
        Unit::Ratio => "percentunit".into(),
        Unit::Percent => "percent".into(),
        Unit::Seconds => "s".into(),
        Unit::Milliseconds => "ms".into(),
        Unit::Bytes => "bytes".into(),
        Unit::PerSecond if requests => "reqps".into(),
        Unit::PerSecond => "ops".into(),
        Unit::BytesPerSecond => "Bps".into(),
        Unit::Custom(name) => format!("suffix: {name}"),
    }
}

const GOOD: &str = "green";
const WARN: &str = "orange";
const BAD: &str = "red";

/// The limits of a figure as steps of colour.
pub fn steps(kpi: &Kpi) -> Vec<(f64, &'static str)> {
    let limits = kpi.warn.iter().map(|limit| (limit, WARN)).chain(kpi.critical.iter().map(|limit| (limit, BAD)));
    let mut above = vec![(0.0, GOOD)];
    let mut below = Vec::new();
    for (limit, colour) in limits {
        match limit.op {
            Comparison::Above | Comparison::AtLeast => above.push((limit.value, colour)),
            Comparison::Below | Comparison::AtMost => below.push((limit.value, colour)),
            Comparison::Equal | Comparison::NotEqual => {}
        }
    }
    if below.is_empty() || above.len() > 1 {
        return above;
    }
    // Too little is bad: each colour ends where the next limit begins.
    below.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut steps = vec![(0.0, below[0].1)];
    for (at, (value, _)) in below.iter().enumerate() {
        steps.push((*value, below.get(at + 1).map_or(GOOD, |next| next.1)));
    }
    steps
}

/// The same figure at another quantile.
pub fn quantile(kpi: &Kpi, q: f64) -> Option<Kpi> {
    let KpiKind::Quantile { histogram, window, .. } = &kpi.kind else { return None };
    let kind = KpiKind::Quantile { q, histogram: histogram.clone(), window: *window };
    Some(Kpi { kind, ..kpi.clone() })
}

/// The distribution of a histogram.
pub fn heatmap(kpi: &Kpi) -> Option<String> {
    let KpiKind::Quantile { histogram, .. } = &kpi.kind else { return None };
    Some(format!("sum by (le) (increase({}[$__rate_interval]))", histogram.with_suffix("_bucket")))
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

impl Panel {
    /// The panel as JSON, at a place of the grid.
    pub fn json(&self, id: usize, (x, y): (u32, u32), grafana: Grafana) -> Value {
        let steps: Vec<Value> =
            self.steps.iter().map(|(value, colour)| json!({ "color": colour, "value": value })).collect();
        let mut defaults = json!({
            "unit": self.unit,
            "color": { "mode": if self.draw == Draw::Lines { "palette-classic" } else { "thresholds" } },
            "mappings": [],
            "thresholds": { "mode": "absolute", "steps": steps },
        });
        if self.draw == Draw::Lines {
            let style = if self.steps.len() > 1 { "line" } else { "off" };
            defaults["custom"] = json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
                "thresholdsStyle": { "mode": style },
            });
        }
        if self.draw == Draw::Gauge {
            defaults["min"] = json!(0);
            defaults["max"] = json!(if self.unit == "percent" { 100 } else { 1 });
        }
        json!({
            "id": id,
            "type": self.kind(),
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": { "x": x, "y": y, "w": self.size.0, "h": self.size.1 },
            "targets": self.targets.iter().enumerate().map(|(at, one)| self.target(at, one)).collect::<Vec<_>>(),
            "options": self.options(grafana),
            "fieldConfig": { "defaults": defaults, "overrides": [] },
            "transformations": [],
            "transparent": false,
        })
    }

    fn kind(&self) -> &'static str {
        match self.draw {
            Draw::Lines => "timeseries",
            Draw::Stat => "stat",
            Draw::Gauge => "gauge",
            Draw::Pie => "piechart",
            Draw::Heatmap => "heatmap",
            Draw::Table => "table",
        }
    }

    fn target(&self, at: usize, target: &Target) -> Value {
        let letter = char::from(b'A' + u8::try_from(at % 26).unwrap_or(0));
        let instant = matches!(self.draw, Draw::Pie | Draw::Table);
        let format = match self.draw {
            Draw::Heatmap => "heatmap",
            Draw::Table => "table",
            _ => "time_series",
        };
        json!({
            "datasource": datasource(), "expr": target.expr, "refId": letter.to_string(),
            "legendFormat": target.legend, "instant": instant, "range": !instant, "format": format,
        })
    }

    fn options(&self, grafana: Grafana) -> Value {
        let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.draw {
            Draw::Lines => json!({
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Draw::Stat => {
                let mut options = json!({
                    "graphMode": "area", "colorMode": "value", "justifyMode": "auto", "textMode": "auto",
                    "wideLayout": true, "showPercentChange": false, "orientation": "auto", "reduceOptions": reduce,
                });
                if grafana == Grafana::From111 {
                    options["percentChangeColorMode"] = json!("standard");
                }
                options
            }
            Draw::Gauge => json!({
                "showThresholdLabels": false, "showThresholdMarkers": true, "sizing": "auto", "minVizWidth": 75,
                "minVizHeight": 75, "reduceOptions": reduce, "orientation": "auto",
            }),
            Draw::Pie => json!({
                "pieType": "donut", "reduceOptions": reduce, "tooltip": { "mode": "single", "sort": "none" },
                "legend": { "displayMode": "list", "placement": "right", "showLegend": true, "calcs": [],
                    "values": ["value"] },
                "orientation": "auto",
            }),
            Draw::Heatmap => json!({
                "calculate": false, "cellGap": 1, "showValue": "never",
                "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64, "reverse": false, "fill": "dark-orange",
                    "exponent": 0.5 },
                "exemplars": { "color": "rgba(255,0,255,0.7)" }, "filterValues": { "le": 1e-9 },
                "legend": { "show": true }, "yAxis": { "axisPlacement": "left", "unit": self.unit },
                "tooltip": { "mode": "single", "yHistogram": false, "showColorScale": false },
            }),
            Draw::Table => json!({ "frameIndex": 0, "showHeader": true, "cellHeight": "sm" }),
        }
    }
}
