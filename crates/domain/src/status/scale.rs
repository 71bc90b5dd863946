//! When a service wants to be scaled out: the usual triggers against the key figures, and which figure stands for which.

use crate::metric::quantity::Unit;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trigger {
    /// What is looked at.
    pub name: &'static str,
    /// Above this it is time; in per cent, messages, milliseconds.
    pub limit: f64,
    /// The unit of the limit.
    pub unit: &'static str,
    /// Names of key figures that stand for it, the first that exists.
    pub figures: &'static [&'static str],
}

/// The triggers of capacity planning: CPU > 70 %, memory > 80 %, queue depth > 1000, response > 200 ms.
pub const TRIGGERS: [Trigger; 4] = [
    Trigger { name: "cpu", limit: 70.0, unit: "%", figures: &["cpu", "cpu_usage", "cpu_utilization"] },
    Trigger { name: "memory", limit: 80.0, unit: "%", figures: &["memory", "memory_usage", "memory_utilization"] },
    Trigger {
        name: "queue depth",
        limit: 1000.0,
        unit: "",
        figures: &["queue_depth", "queued_messages", "queue_length"],
    },
    Trigger {
        name: "response",
        limit: 200.0,
        unit: "ms",
        figures: &["response_p95", "request_p95", "p95_latency", "latency_p95", "response_time"],
    },
];

impl Trigger {
    /// A figure's value in the unit of the limit; none when it is of another kind.
    pub fn convert(&self, value: f64, unit: &Unit) -> Option<f64> {
        match (self.unit, unit) {
            ("%", Unit::Ratio) => Some(value * 100.0),
            ("%", Unit::Percent) | ("ms", Unit::Milliseconds) | ("", Unit::None) => Some(value),
            ("ms", Unit::Seconds) => Some(value * 1000.0),
            _ => None,
        }
    }

    /// Is it time?
    pub fn is_hit(&self, value: f64) -> bool {
        value > self.limit
    }

    /// `70 %`, `200 ms`, `1000`.
    pub fn show(&self, value: f64) -> String {
        let rounded = (value * 10.0).round() / 10.0;
        match self.unit {
            "" => rounded.to_string(),
            unit => format!("{rounded} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_compared_in_the_unit_of_the_limit() {
        let [cpu, _, queue, response] = TRIGGERS;
        assert_eq!(cpu.convert(0.71, &Unit::Ratio).map(|value| cpu.is_hit(value)), Some(true));
        assert_eq!(cpu.convert(70.0, &Unit::Percent).map(|value| cpu.is_hit(value)), Some(false));
        assert_eq!(response.convert(0.25, &Unit::Seconds), Some(250.0));
        assert_eq!(queue.convert(1.0, &Unit::Seconds), None);
        assert_eq!(response.show(response.limit), "200 ms");
    }
}
