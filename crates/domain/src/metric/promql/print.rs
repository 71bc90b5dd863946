//! PromQL written back: in one line, or over several where that would be long.

use std::fmt;

use crate::metric::labels::{quote, show_name};
use crate::metric::promql::ast::{At, BinaryExpr, Expr, Grouping, Matching, Shift, VectorSelector};
use crate::text::duration::to_promql;

/// Parts that are longer than this get lines of their own.
const WIDEST: usize = 100;

impl Expr {
    /// Over several lines where it is long.
    pub fn prettify(&self) -> String {
        self.pretty(0)
    }

    fn pretty(&self, level: usize) -> String {
        let indent = "  ".repeat(level);
        let inner = |expr: &Self| expr.pretty(level + 1);
        let inners = |args: &[Self]| args.iter().map(inner).collect::<Vec<String>>().join(",\n");
        match self {
            Self::Negative(expr) => format!("{indent}-{}", expr.pretty(level).trim_start()),
            Self::Subquery { expr, .. } => format!("{}{}", expr.pretty(level), self.window()),
            Self::Number(_) | Self::Text(_) | Self::Selector(_) => format!("{indent}{self}"),
            _ if self.to_string().len() <= WIDEST => format!("{indent}{self}"),
            Self::Call { function, args } => format!("{indent}{}(\n{}\n{indent})", function.name, inners(args)),
            Self::Aggregate { op, grouping, args } => {
                format!("{indent}{op}{}(\n{}\n{indent})", by(grouping.as_ref()), inners(args))
            }
            Self::Binary(BinaryExpr { op, lhs, rhs, matching }) => {
                format!("{}\n{indent}{op}{matching}\n{}", inner(lhs), inner(rhs))
            }
            Self::Paren(expr) => format!("{indent}(\n{}\n{indent})", inner(expr)),
        }
    }

    /// The brackets of a subquery and what follows them.
    fn window(&self) -> String {
        let Self::Subquery { range, step, shift, .. } = self else {
            return String::new();
        };
        let step = step.map(to_promql).unwrap_or_default();
        format!("[{}:{step}]{shift}", to_promql(*range))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |args: &[Self]| args.iter().map(Self::to_string).collect::<Vec<String>>().join(", ");
        match self {
            Self::Number(value) => f.write_str(&number(*value)),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Selector(selector) => write!(f, "{selector}"),
            Self::Subquery { expr, .. } => write!(f, "{expr}{}", self.window()),
            Self::Call { function, args } => write!(f, "{}({})", function.name, list(args)),
            Self::Aggregate { op, grouping, args } => write!(f, "{op}{}({})", by(grouping.as_ref()), list(args)),
            Self::Binary(both) => write!(f, "{both}"),
            Self::Negative(expr) => write!(f, "-{expr}"),
            Self::Paren(expr) => write!(f, "({expr})"),
        }
    }
}

impl fmt::Display for BinaryExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{} {}", self.lhs, self.op, self.matching, self.rhs)
    }
}

impl fmt::Display for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.return_bool {
            f.write_str(" bool")?;
        }
        match &self.on {
            Some(on) if on.include => write!(f, " on ({})", names(&on.labels))?,
            // Alone, it says nothing; the labels of a group need it.
            Some(on) if !on.labels.is_empty() || self.group.is_some() => {
                write!(f, " ignoring ({})", names(&on.labels))?;
            }
            _ => {}
        }
        if let Some((left, labels)) = &self.group {
            write!(f, " group_{} ({})", if *left { "left" } else { "right" }, names(labels))?;
        }
        match self.fill {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => write!(f, " fill ({})", number(left)),
            (left, right) => {
                left.iter().try_for_each(|value| write!(f, " fill_left ({})", number(*value)))?;
                right.iter().try_for_each(|value| write!(f, " fill_right ({})", number(*value)))
            }
        }
    }
}

impl fmt::Display for VectorSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or_default())?;
        let groups = self.matchers.iter().map(|group| {
            let mut parts: Vec<String> = group
                .iter()
                .map(|matcher| format!("{}{}{}", show_name(&matcher.name), matcher.op, quote(&matcher.value)))
                .collect();
            parts.sort();
            parts.join(",")
        });
        let matchers = groups.collect::<Vec<String>>().join(" or ");
        if !matchers.is_empty() {
            write!(f, "{{{matchers}}}")?;
        }
        if let Some(range) = self.range {
            write!(f, "[{}]", to_promql(range))?;
        }
        write!(f, "{}", self.shift)
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            Some(At::Time(seconds)) => write!(f, " @ {seconds:.3}")?,
            None => {}
        }
        self.offset
            .iter()
            .try_for_each(|offset| write!(f, " offset {}{}", if offset.ahead { "-" } else { "" }, to_promql(offset.by)))
    }
}

fn by(grouping: Option<&Grouping>) -> String {
    match grouping {
        Some(Grouping { include: false, labels }) => format!(" without ({}) ", names(labels)),
        // `by ()` is the same as nothing.
        Some(Grouping { include: true, labels }) if !labels.is_empty() => format!(" by ({}) ", names(labels)),
        _ => String::new(),
    }
}

fn names(labels: &[String]) -> String {
    labels.iter().map(|label| show_name(label)).collect::<Vec<String>>().join(", ")
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => format!("{value}"),
    }
}
