//! The functions and aggregations of PromQL, experimental ones included: what they take and what they give
//! (<https://prometheus.io/docs/prometheus/latest/querying/functions/>).

use crate::metric::promql::ast::Gives;

/// A function, as it was called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Function {
    pub name: &'static str,
    /// A letter for each argument, see [`type_of`].
    args: &'static str,
    /// Prometheus' `Variadic`: 0 takes all arguments; more, that many in place of the last, or none; less, any number.
    variadic: i8,
    pub gives: Gives,
}

/// Arguments, how many of them vary, and the functions that take these and give an instant vector.
const TO_VECTOR: [(&str, i8, &[&str]); 18] = [
    (
        "v",
        0,
        &[
            "abs",
            "absent",
            "acos",
            "acosh",
            "asin",
            "asinh",
            "atan",
            "atanh",
            "ceil",
            "cos",
            "cosh",
            "deg",
            "exp",
            "floor",
            "histogram_avg",
            "histogram_count",
            "histogram_stddev",
            "histogram_stdvar",
            "histogram_sum",
            "ln",
            "log10",
            "log2",
            "rad",
            "sgn",
            "sin",
            "sinh",
            "sort",
            "sort_desc",
            "sqrt",
            "start_timestamp",
            "tan",
            "tanh",
            "timestamp",
        ],
    ),
    (
        "m",
        0,
        &[
            "absent_over_time",
            "avg_over_time",
            "changes",
            "count_over_time",
            "delta",
            "deriv",
            "first_over_time",
            "idelta",
            "increase",
            "irate",
            "last_over_time",
            "mad_over_time",
            "max_over_time",
            "min_over_time",
            "present_over_time",
            "rate",
            "resets",
            "stddev_over_time",
            "stdvar_over_time",
            "sum_over_time",
            "ts_of_first_over_time",
            "ts_of_last_over_time",
            "ts_of_max_over_time",
            "ts_of_min_over_time",
        ],
    ),
    ("v", 1, &["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"]),
    ("vs", 1, &["round"]),
    ("vs", 0, &["clamp_max", "clamp_min"]),
    ("vss", 0, &["clamp"]),
    ("ssv", 0, &["histogram_fraction"]),
    ("sv", 0, &["histogram_quantile"]),
    ("vtss", 9, &["histogram_quantiles"]),
    ("vv", 1, &["info"]),
    ("mss", 0, &["double_exponential_smoothing", "holt_winters"]),
    ("ms", 1, &["integral"]),
    ("ms", 0, &["predict_linear"]),
    ("sm", 0, &["quantile_over_time"]),
    ("vtttt", 0, &["label_replace"]),
    ("vttt", -1, &["label_join"]),
    ("vt", -1, &["sort_by_label", "sort_by_label_desc"]),
    ("s", 0, &["vector"]),
];

/// The same, of those that give a number.
const TO_SCALAR: [(&str, i8, &[&str]); 3] = [
    ("v", 0, &["scalar"]),
    ("", 0, &["end", "pi", "range", "start", "step", "time"]),
    ("ss", 0, &["max_of", "min_of"]),
];

/// What each aggregation takes before its vector.
const AGGREGATIONS: [(&str, Option<Gives>); 14] = [
    ("avg", None),
    ("bottomk", Some(Gives::Scalar)),
    ("count", None),
    ("count_values", Some(Gives::Text)),
    ("group", None),
    ("limit_ratio", Some(Gives::Scalar)),
    ("limitk", Some(Gives::Scalar)),
    ("max", None),
    ("min", None),
    ("quantile", Some(Gives::Scalar)),
    ("stddev", None),
    ("stdvar", None),
    ("sum", None),
    ("topk", Some(Gives::Scalar)),
];

fn all() -> impl Iterator<Item = Function> {
    let of = |gives: Gives| {
        move |(args, variadic, names): &(&'static str, i8, &'static [&'static str])| {
            let (args, variadic) = (*args, *variadic);
            names.iter().map(move |name| Function { name, args, variadic, gives })
        }
    };
    TO_VECTOR.iter().flat_map(of(Gives::InstantVector)).chain(TO_SCALAR.iter().flat_map(of(Gives::Scalar)))
}

/// The function of a name. Names of functions are written in lower case only.
pub fn function(name: &str) -> Option<Function> {
    all().find(|function| function.name == name)
}

/// What the aggregation of a name, in lower case, takes before its vector; None when it is no aggregation.
pub fn aggregation(name: &str) -> Option<Option<Gives>> {
    AGGREGATIONS.iter().find(|(known, _)| *known == name).map(|(_, param)| *param)
}

/// All names that may be meant by a mistyped one.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|function| function.name).chain(AGGREGATIONS.iter().map(|(name, _)| *name))
}

impl Function {
    /// What is wrong with so many arguments.
    pub fn wrong_count(&self, given: usize) -> Option<String> {
        let (takes, name) = (self.args.len(), self.name);
        let least = if self.variadic == 0 { takes } else { takes.saturating_sub(1) };
        let most =
            usize::try_from(self.variadic).map_or(usize::MAX, |more| if more == 0 { takes } else { least + more });
        let bound = match self.variadic {
            0 if given != takes => format!("{takes}"),
            _ if given < least => format!("at least {least}"),
            _ if given > most => format!("at most {most}"),
            _ => return None,
        };
        Some(format!("expected {bound} argument(s) in call to `{name}`, got {given}"))
    }

    /// The type that an argument must have; those that vary are all like the last.
    pub fn takes(&self, index: usize) -> Option<Gives> {
        self.args.as_bytes().get(index).copied().or_else(|| self.args.bytes().last()).map(type_of)
    }
}

fn type_of(letter: u8) -> Gives {
    match letter {
        b's' => Gives::Scalar,
        b't' => Gives::Text,
        b'm' => Gives::RangeVector,
        _ => Gives::InstantVector,
    }
}
