//! What a number measures: the unit of a metric's values, guessed from its name by Prometheus'
//! naming convention, and how a value in it is shown to a person (about three digits).

use std::time::Duration;

use crate::metric::number;
use crate::text::duration;

/// The unit in which the values of a metric come. Nothing is converted on the way: JSON holds the
/// value in this unit, and only [`Unit::show`] scales it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// A plain number, such as players.
    #[default]
    None,
    /// A part of a whole, 0 to 1; shown in per cent.
    Ratio,
    /// Per cent, 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Events a second.
    PerSecond,
    /// Bytes a second.
    BytesPerSecond,
    /// Any other unit, shown after the number.
    Custom(String),
}

impl Unit {
    /// The unit that the name of a metric promises (`…_seconds`, `…_ms`, `…_bytes`, `…_ratio`,
    /// `…_percent`, before an optional `_total` or `_sum`); [`Unit::None`] when it promises none.
    /// `…_bucket` and `…_count` count observations, whatever is measured.
    pub fn from_metric_name(name: &str) -> Self {
        // Times are no spans.
        if name.ends_with("start_time_seconds") || name.ends_with("timestamp_seconds") {
            return Unit::None;
        }
        let base = name.strip_suffix("_total").or_else(|| name.strip_suffix("_sum")).unwrap_or(name);
        match base.rsplit_once('_').map_or(base, |(_, last)| last) {
            "seconds" => Unit::Seconds,
            "ms" | "milliseconds" | "millis" => Unit::Milliseconds,
            "bytes" => Unit::Bytes,
            "ratio" => Unit::Ratio,
            "percent" | "percentage" => Unit::Percent,
            _ => Unit::None,
        }
    }

    /// The unit that a configuration names: a name of [`Unit::name`], a usual synonym, or any
    /// other text, which is shown as it is.
    pub fn from_name(name: &str) -> Self {
        match name.trim() {
            "" | "none" => Unit::None,
            "ratio" => Unit::Ratio,
            "%" | "percent" => Unit::Percent,
            "s" | "seconds" => Unit::Seconds,
            "ms" | "milliseconds" => Unit::Milliseconds,
            "B" | "bytes" => Unit::Bytes,
            "/s" => Unit::PerSecond,
            "B/s" | "bytes/s" => Unit::BytesPerSecond,
            other => Unit::Custom(other.to_owned()),
        }
    }

    /// The unit of the rate of a counter in this unit. Seconds in a second (CPU time) are a ratio.
    pub fn per_second(&self) -> Self {
        match self {
            Unit::Bytes => Unit::BytesPerSecond,
            Unit::Seconds => Unit::Ratio,
            Unit::None => Unit::PerSecond,
            other => Unit::Custom(format!("{}/s", other.name())),
        }
    }

    /// The name in JSON.
    pub fn name(&self) -> &str {
        match self {
            Unit::None => "",
            Unit::Ratio => "ratio",
            Unit::Percent => "%",
            Unit::Seconds => "s",
            Unit::Milliseconds => "ms",
            Unit::Bytes => "bytes",
            Unit::PerSecond => "/s",
            Unit::BytesPerSecond => "bytes/s",
            Unit::Custom(name) => name,
        }
    }

    /// A value in this unit, for a person: `17.2 ms` for 0.0172 s, `0.42 %`, `1,204`, `1.2 GiB`,
    /// `3.4/s`. `NaN`, `+Inf` and `-Inf` stand alone.
    pub fn show(&self, value: f64) -> String {
        if let Some(name) = number::special(value) {
            return name.to_owned();
        }
        match self {
            Unit::None => plain(value),
            Unit::Ratio => format!("{} %", plain(value * 100.0)),
            Unit::Percent => format!("{} %", plain(value)),
            Unit::Seconds => seconds(value),
            Unit::Milliseconds => seconds(value / 1_000.0),
            Unit::Bytes => bytes(value),
            Unit::PerSecond => format!("{}/s", plain(value)),
            Unit::BytesPerSecond => format!("{}/s", bytes(value)),
            Unit::Custom(name) => format!("{} {name}", plain(value)),
        }
    }
}

fn seconds(value: f64) -> String {
    let size = three_digits(value.abs());
    if size == 0.0 {
        "0 s".to_owned()
    } else if size < 1e-3 {
        format!("{} µs", plain(value * 1e6))
    } else if size < 1.0 {
        format!("{} ms", plain(value * 1e3))
    } else if size < 600.0 {
        format!("{} s", plain(value))
    } else {
        let sign = if value < 0.0 { "-" } else { "" };
        match Duration::try_from_secs_f64(value.abs()) {
            Ok(long) => format!("{sign}{}", duration::human(long)),
            Err(_) => format!("{} s", plain(value)),
        }
    }
}

fn bytes(value: f64) -> String {
    let mut scaled = value;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if scaled.abs().round() < 1024.0 {
            return format!("{} {unit}", plain(scaled));
        }
        scaled /= 1024.0;
    }
    format!("{} PiB", plain(scaled))
}

/// Three significant digits; all digits of the whole part, in groups; scientific where even
/// that is unreadable.
fn plain(value: f64) -> String {
    let size = three_digits(value.abs());
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-6..1e15).contains(&size) {
        return format!("{value:.2e}");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if size >= 100.0 {
        return format!("{sign}{}", grouped(&format!("{:.0}", value.abs())));
    }
    let decimals = decimals(size);
    let text = format!("{size:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{sign}{text}")
}

/// How many decimals show three significant digits.
fn decimals(size: f64) -> usize {
    // Between 1e-6 and 100 the exponent is -6 to 1, so this is 1 to 8.
    (2.0 - size.log10().floor()).clamp(0.0, 12.0) as usize
}

/// Rounded to three significant digits, so that 0.9996 is seen as 1 before a unit is chosen.
fn three_digits(size: f64) -> f64 {
    format!("{size:.2e}").parse().unwrap_or(size)
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_from_the_name() {
        for (name, want) in [
            ("game_tick_duration_seconds", Unit::Seconds),
            ("process_cpu_seconds_total", Unit::Seconds),
            ("game_network_latency_ms", Unit::Milliseconds),
            ("x_milliseconds", Unit::Milliseconds),
            ("process_resident_memory_bytes", Unit::Bytes),
            ("cache_hit_ratio", Unit::Ratio),
            ("cpu_usage_percent", Unit::Percent),
            ("rpc_seconds_count", Unit::None),
            ("rpc_seconds_bucket", Unit::None),
            ("rpc_seconds_sum", Unit::Seconds),
            ("game_active_players", Unit::None),
            ("items", Unit::None),
            ("", Unit::None),
        ] {
            assert_eq!(Unit::from_metric_name(name), want, "{name}");
        }
    }

    #[test]
    fn names_come_back() {
        for unit in [
            Unit::None,
            Unit::Ratio,
            Unit::Percent,
            Unit::Seconds,
            Unit::Milliseconds,
            Unit::Bytes,
            Unit::PerSecond,
            Unit::BytesPerSecond,
            Unit::Custom("players".into()),
        ] {
            assert_eq!(Unit::from_name(unit.name()), unit);
        }
    }

    #[test]
    fn rates() {
        assert_eq!(Unit::Bytes.per_second(), Unit::BytesPerSecond);
        assert_eq!(Unit::Seconds.per_second(), Unit::Ratio);
        assert_eq!(Unit::None.per_second().show(3.4), "3.4/s");
    }

    #[test]
    fn shows_for_people() {
        let gib = 1024.0 * 1024.0 * 1024.0;
        for (unit, value, want) in [
            (Unit::Seconds, 0.0172, "17.2 ms"),
            (Unit::Seconds, 0.9996, "1 s"),
            (Unit::Seconds, 0.000_25, "250 µs"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 93.27, "93.3 s"),
            (Unit::Seconds, 3_900.0, "1h 5m"),
            (Unit::Seconds, -3_900.0, "-1h 5m"),
            (Unit::Seconds, 1e300, "1.00e300 s"),
            (Unit::Milliseconds, 17.2, "17.2 ms"),
            (Unit::Milliseconds, 2_300.0, "2.3 s"),
            (Unit::Ratio, 0.0042, "0.42 %"),
            (Unit::Ratio, 1.0, "100 %"),
            (Unit::Ratio, 0.0, "0 %"),
            (Unit::Percent, 61.5, "61.5 %"),
            (Unit::Bytes, 1.2 * gib, "1.2 GiB"),
            (Unit::Bytes, 512.0, "512 B"),
            (Unit::Bytes, 1023.9, "1 KiB"),
            (Unit::Bytes, 1e30, "888,178,419,700,125 PiB"),
            (Unit::BytesPerSecond, 2048.0, "2 KiB/s"),
            (Unit::None, 1204.0, "1,204"),
            (Unit::None, 1_234_567.8, "1,234,568"),
            (Unit::None, 2.34567, "2.35"),
            (Unit::None, 9.999, "10"),
            (Unit::None, 100.0, "100"),
            (Unit::None, 99.96, "100"),
            (Unit::None, 0.000_012_34, "0.0000123"),
            (Unit::None, 1e-9, "1.00e-9"),
            (Unit::None, -12.0, "-12"),
            (Unit::None, -0.0, "0"),
            (Unit::PerSecond, 3.4, "3.4/s"),
            (Unit::Custom("rooms".into()), 7.0, "7 rooms"),
            (Unit::Seconds, f64::NAN, "NaN"),
            (Unit::Bytes, f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(unit.show(value), want, "{unit:?} {value}");
        }
    }
}
