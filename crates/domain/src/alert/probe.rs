//! An alert's expression taken apart: which conditions it joins by `and`, and what to ask to see how far each is from
//! holding. The syntax is PromQL's (https://prometheus.io/docs/prometheus/latest/querying/operators/).

use crate::metric::labels;
use crate::metric::labels::Labels;
use crate::metric::promql;
use crate::metric::promql::Gives;
use crate::metric::promql::{BinaryExpr, Expr};
use crate::metric::quantity::Unit;

/// Conditions and series beyond these are counted, not shown.
const MOST: usize = 4;

/// One condition of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What to ask: the vector side of a comparison with a number, else the condition itself.
    pub query: String,
    /// What the value must be, such as `> 0.02`; `None` where it is no such comparison.
    pub needs: Option<String>,
}

/// The conditions of an expression, in its order. What does not parse is one condition.
pub fn parts(expression: &str) -> Vec<Part> {
    let mut found = Vec::new();
    match promql::tree(expression) {
        Ok(expr) => collect(&expr, &mut found),
        Err(_) => found.push(Part { query: expression.to_owned(), needs: None }),
    }
    found.truncate(MOST);
    found
}

/// What an expression compares, without the limits: what one plots, each once, in its order. The expression itself, where
/// it compares nothing with a number.
pub fn figures(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(expr) = promql::tree(expression) {
        plotted(&expr, &mut found);
    }
    if found.is_empty() { vec![expression.to_owned()] } else { found }
}

fn plotted(expr: &Expr, found: &mut Vec<String>) {
    match expr.bare() {
        Expr::Binary(both) if ["and", "or"].contains(&both.op) => {
            plotted(&both.lhs, found);
            plotted(&both.rhs, found);
        }
        Expr::Binary(both) if both.op == "unless" => plotted(&both.lhs, found),
        Expr::Binary(both) if both.is_comparison() => {
            // Of two vectors, both are worth a look; a number is no curve.
            let sides = [&both.lhs, &both.rhs].into_iter().filter(|side| side.gives() != Gives::Scalar);
            for side in sides {
                let text = side.bare().to_string();
                if !found.contains(&text) {
                    found.push(text);
                }
            }
        }
        _ => {}
    }
}

fn collect(expr: &Expr, found: &mut Vec<Part>) {
    match expr {
        Expr::Paren(inner) => collect(inner, found),
        Expr::Binary(both) if both.op == "and" => {
            collect(&both.lhs, found);
            collect(&both.rhs, found);
        }
        Expr::Binary(both) if both.is_comparison() && !both.matching.return_bool => found.push(comparison(both)),
        _ => found.push(Part { query: expr.to_string(), needs: None }),
    }
}

fn comparison(both: &BinaryExpr) -> Part {
    let scalar = |expr: &Expr| expr.gives() == Gives::Scalar;
    let (vector, op, number) = match (scalar(&both.lhs), scalar(&both.rhs)) {
        (false, true) => (&both.lhs, both.op, &both.rhs),
        (true, false) => (&both.rhs, mirrored(both.op), &both.lhs),
        _ => {
            return Part { query: both.to_string(), needs: None };
        }
    };
    Part { query: vector.to_string(), needs: Some(format!("{op} {number}")) }
}

/// `5 < x` says `x > 5`.
fn mirrored(op: &'static str) -> &'static str {
    match op {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        op => op,
    }
}

/// What a condition gave when it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    pub part: Part,
    /// The series with their values, or why they are not known.
    pub series: Result<Vec<(Labels, f64)>, String>,
    /// Of a condition without series: what it is made of that has no samples.
    pub absent: Vec<String>,
}

impl Probed {
    /// One line on what it gives now, and what it would have to give.
    pub fn show(&self) -> String {
        let Part { query, needs } = &self.part;
        let series = match &self.series {
            Err(why) => return format!("`{query}` cannot be asked: {why}"),
            Ok(series) => series,
        };
        let Some(needs) = needs else {
            return match series.len() {
                0 => format!("`{query}` gives nothing now"),
                n => format!("`{query}` gives {n} series now"),
            };
        };
        if series.is_empty() {
            return match self.absent.first() {
                Some(absent) => {
                    format!("`{query}` gives nothing at all: `{absent}` is missing or has no recent samples")
                }
                None => format!("`{query}` gives nothing now: no series meets it"),
            };
        }
        let mut values: Vec<String> = series
            .iter()
            .take(MOST)
            .map(|(labels, value)| {
                let value = Unit::None.show(*value);
                if labels.is_empty() { value } else { format!("{value} {}", labels::show(labels)) }
            })
            .collect();
        if series.len() > MOST {
            values.push(format!("{} more", series.len() - MOST));
        }
        format!("is {}; must be {needs}: `{query}`", values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_taken_apart() {
        let part = |query: &str, needs: Option<&str>| Part { query: query.into(), needs: needs.map(Into::into) };
        let cases = [
            (r#"up{job="game"} == 0"#, vec![part(r#"up{job="game"}"#, Some("== 0"))]),
            ("5 < sum(rate(x_total[5m])) * 60", vec![part("sum(rate(x_total[5m])) * 60", Some("> 5"))]),
            (
                "(a > 3) and b == 0 and absent(c)",
                vec![part("a", Some("> 3")), part("b", Some("== 0")), part("absent(c)", None)],
            ),
            ("a > b", vec![part("a > b", None)]),
            ("a > bool 1", vec![part("a > bool 1", None)]),
            ("not promql (", vec![part("not promql (", None)]),
        ];
        for (text, want) in cases {
            assert_eq!(parts(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_plotted_is_what_is_compared() {
        for (text, want) in [
            ("sum(rate(x_total[5m])) * 60 < 10", &["sum(rate(x_total[5m])) * 60"][..]),
            ("5 < x", &["x"]),
            ("(a) > bool 3", &["a"]),
            ("up{job=\"g\"} == 0 or absent(up{job=\"g\"})", &["up{job=\"g\"}"]),
            ("(a > 3 and b == 0) unless c > 1", &["a", "b"]),
            ("a > 3 or a < 1", &["a"]),
            ("a > b", &["a", "b"]),
            ("absent(c)", &["absent(c)"]),
            ("not promql (", &["not promql ("]),
        ] {
            assert_eq!(figures(text), want, "{text}");
        }
    }

    #[test]
    fn the_distance_is_shown() {
        let asked = |series: Vec<(Labels, f64)>, absent: Vec<String>| {
            Probed { part: Part { query: "x".into(), needs: Some("> 0.02".into()) }, series: Ok(series), absent }.show()
        };
        let probed = |series| asked(series, Vec::new());
        let eu = Labels::from([("region".into(), "eu".into())]);
        assert_eq!(
            probed(vec![(eu, 0.012), (Labels::new(), f64::NAN)]),
            "is 0.012 {region=\"eu\"}, NaN; must be > 0.02: `x`"
        );
        assert_eq!(probed(Vec::new()), "`x` gives nothing now: no series meets it");
        assert!(asked(Vec::new(), vec!["up".into()]).contains("`up` is missing"));
        assert!(probed(vec![(Labels::new(), 1.0); 9]).contains("5 more"));
    }
}
