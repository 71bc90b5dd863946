//! Reads PromQL (<https://prometheus.io/docs/prometheus/latest/querying/basics/>): by recursive descent, binary operators
//! by how strongly they bind. It knows the first token that cannot stand where it stands, and what could.

use std::time::Duration;

use crate::metric::promql::ast::{
    At, BinaryExpr, Expr, Gives, Grouping, MatchOp, Matcher, Matching, Offset, Shift, VectorSelector,
};
use crate::metric::promql::check::{Complaint, Span};
use crate::metric::promql::functions::{aggregation, function};
use crate::metric::promql::literal::{Quantity, Quoted, quantity, unquoted};
use crate::metric::promql::token::{Kind, Token};

/// What can be missing, as it is named in `expected …`.
const EXPRESSION: Option<&str> = Some("an expression");
const DURATION: Option<&str> = Some("a duration such as `5m`");
const LABELS: Option<&str> = Some("labels such as `(job)`");
const OPEN: Option<&str> = Some("`(`");

/// Operators from the weakest; the last binds to the right.
const OPERATORS: [&[&str]; 6] =
    [&["or"], &["and", "unless"], &["==", "!=", ">=", "<=", ">", "<"], &["+", "-"], &["*", "/", "%", "atan2"], &["^"]];
/// A sign before an operand binds as strongly as a product.
const POWER: usize = 5;

/// Keywords that are no name of a metric, and those that are one, but of no function.
const NO_METRICS: [&str; 6] = ["bool", "on", "ignoring", "group_left", "group_right", "atan2"];
const NO_FUNCTIONS: [&str; 9] = ["and", "or", "unless", "by", "without", "offset", "fill", "fill_left", "fill_right"];

/// Deeper expressions are not looked at: they are read, and taken down, recursively.
const DEEPEST: usize = 200;

/// Why reading ended early.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// A token that cannot stand there (one past the last for the end), and what could, when that is one thing.
    Unexpected { token: usize, expected: Option<&'static str> },
    /// Too deep to look at.
    TooDeep,
}

type Read<T> = Result<T, Stop>;

/// Reads an expression; its first complaint when it follows the grammar and makes no sense.
pub fn read(tokens: &[Token<'_>]) -> Read<(Expr, Option<Complaint>)> {
    let mut parser = Parser { tokens, at: 0, depth: 0, complaint: None };
    let expr = parser.expression(0)?;
    if parser.at < tokens.len() {
        return Err(parser.unexpected(None));
    }
    Ok((expr, parser.complaint))
}

pub struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    depth: usize,
    /// The first of what makes no sense.
    pub complaint: Option<Complaint>,
}

impl<'a> Parser<'a> {
    fn unexpected(&self, expected: Option<&'static str>) -> Stop {
        Stop::Unexpected { token: self.at, expected }
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn is_sign(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.text == text)
    }

    fn is_word(&self, words: &[&str]) -> bool {
        self.peek().is_some_and(|token| words.iter().any(|word| token.is_word(word)))
    }

    /// Takes the token if it is this sign.
    fn takes(&mut self, sign: &str) -> bool {
        let is_it = self.is_sign(sign);
        self.at += usize::from(is_it);
        is_it
    }

    fn wants(&mut self, sign: &str, expected: Option<&'static str>) -> Read<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// From a token to the last that was taken.
    pub fn span(&self, first: usize) -> Span {
        (first, self.at - 1)
    }

    fn expression(&mut self, weakest: usize) -> Read<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Stop::TooDeep);
        }
        let first = self.at;
        let mut lhs = self.signed()?;
        while let Some((op, strength)) = self.operator().filter(|(_, strength)| *strength >= weakest) {
            let mut spans = [self.span(first), (self.at, self.at), (0, 0)];
            self.at += 1;
            let (matching, keywords) = self.matching()?;
            let begin = self.at;
            let rhs = self.expression(if strength == POWER { strength } else { strength + 1 })?;
            spans[2] = self.span(begin);
            let both = BinaryExpr { op, lhs: Box::new(lhs), rhs: Box::new(rhs), matching };
            self.check_binary(&both, spans, keywords);
            lhs = Expr::Binary(both);
        }
        self.depth -= 1;
        Ok(lhs)
    }

    fn operator(&self) -> Option<(&'static str, usize)> {
        let token = self.peek()?;
        let is_it = |op: &&&str| match token.kind {
            Kind::Sign => token.text == **op,
            _ => token.is_word(op),
        };
        OPERATORS.iter().enumerate().find_map(|(strength, ops)| ops.iter().find(is_it).map(|op| (*op, strength)))
    }

    fn signed(&mut self) -> Read<Expr> {
        let sign = self.at;
        if self.takes("+") {
            let expr = self.expression(POWER)?;
            self.check_sign(&expr, sign);
            return Ok(expr);
        }
        if self.takes("-") {
            let expr = self.expression(POWER)?;
            self.check_sign(&expr, sign);
            return Ok(match expr {
                Expr::Number(value) => Expr::Number(-value),
                expr => Expr::Negative(Box::new(expr)),
            });
        }
        let expr = self.operand()?;
        self.shifted(expr)
    }

    fn operand(&mut self) -> Read<Expr> {
        let Some(token) = self.peek() else {
            return Err(self.unexpected(EXPRESSION));
        };
        match (token.kind, token.text) {
            (Kind::Open, "(") => {
                self.at += 1;
                let inner = self.expression(0)?;
                self.wants(")", None)?;
                Ok(Expr::Paren(Box::new(inner)))
            }
            (Kind::Open, "{") => self.selector(None),
            (Kind::Text, _) => self.quoted(EXPRESSION).map(Expr::Text),
            (Kind::Number, _) => self.number(EXPRESSION).map(Expr::Number),
            (Kind::Word, _) => self.named(token),
            _ => Err(self.unexpected(EXPRESSION)),
        }
    }

    /// What begins with a word: a number, an aggregation, a call or a selector.
    fn named(&mut self, token: Token<'a>) -> Read<Expr> {
        let lower = token.text.to_ascii_lowercase();
        let next = self.tokens.get(self.at + 1);
        let is_called = next.is_some_and(|next| next.text == "(");
        let is_grouped = next.is_some_and(|next| next.is_word("by") || next.is_word("without"));
        if is_number(token) {
            return self.number(EXPRESSION).map(Expr::Number);
        }
        if let Some(param) = aggregation(&lower)
            && (is_called || is_grouped)
        {
            return self.aggregate(lower, param);
        }
        if NO_METRICS.contains(&lower.as_str()) {
            return Err(self.unexpected(EXPRESSION));
        }
        if is_called && !NO_FUNCTIONS.contains(&lower.as_str()) && !token.text.contains(':') {
            return self.call(token.text);
        }
        self.at += 1;
        self.selector(Some(token.text.to_owned()))
    }

    fn aggregate(&mut self, op: String, param: Option<Gives>) -> Read<Expr> {
        let name = self.at;
        self.at += 1;
        let mut grouping = self.grouping(LABELS)?;
        let (args, spans) = self.args()?;
        if grouping.is_none() {
            grouping = self.grouping(OPEN)?;
        }
        self.check_aggregate(&op, param, &args, name, &spans);
        Ok(Expr::Aggregate { op, grouping, args })
    }

    fn grouping(&mut self, expected: Option<&'static str>) -> Read<Option<Grouping>> {
        let include = self.is_word(&["by"]);
        if !include && !self.is_word(&["without"]) {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some(Grouping { include, labels: self.labels(expected)? }))
    }

    /// `(a, b)`.
    fn labels(&mut self, expected: Option<&'static str>) -> Read<Vec<String>> {
        self.wants("(", expected)?;
        let mut labels = Vec::new();
        while !self.takes(")") {
            match self.peek() {
                Some(token) if token.kind == Kind::Text => labels.push(self.quoted(None)?),
                Some(token) if is_label(token) => {
                    self.at += 1;
                    labels.push(token.text.to_owned());
                }
                _ => return Err(self.unexpected(None)),
            }
            if !self.takes(",") && !self.is_sign(")") {
                return Err(self.unexpected(None));
            }
        }
        Ok(labels)
    }

    fn call(&mut self, name: &str) -> Read<Expr> {
        let place = self.at;
        self.at += 1;
        let (args, spans) = self.args()?;
        // The labels that `info` is to add are no series: `{data=~".*"}` means all of them.
        if name == "info"
            && matches!(&self.complaint, Some(Complaint::Nonsense { span, .. }) if spans.get(1) == Some(span))
        {
            self.complaint = None;
        }
        let Some(function) = function(name) else {
            self.unknown_function(name, place);
            return Ok(Expr::Number(f64::NAN));
        };
        self.check_call(function, &args, place, &spans);
        Ok(Expr::Call { function, args })
    }

    /// The arguments in their brackets, and where each is.
    fn args(&mut self) -> Read<(Vec<Expr>, Vec<Span>)> {
        self.wants("(", OPEN)?;
        let (mut args, mut spans) = (Vec::new(), Vec::new());
        if self.takes(")") {
            return Ok((args, spans));
        }
        loop {
            let first = self.at;
            args.push(self.expression(0).map_err(|stop| match stop {
                // There need not be any.
                Stop::Unexpected { token, .. } if token == first && args.is_empty() => self.unexpected(None),
                stop => stop,
            })?);
            spans.push(self.span(first));
            if !self.takes(",") {
                self.wants(")", None)?;
                return Ok((args, spans));
            }
        }
    }

    /// What stands between an operator and its right operand, and where its keywords are.
    fn matching(&mut self) -> Read<(Matching, [usize; 3])> {
        let mut matching = Matching::default();
        let mut keywords = [self.at; 3];
        if self.is_word(&["bool"]) {
            self.at += 1;
            matching.return_bool = true;
        }
        if self.is_word(&["on", "ignoring"]) {
            keywords[1] = self.at;
            let include = self.is_word(&["on"]);
            self.at += 1;
            matching.on = Some(Grouping { include, labels: self.labels(LABELS)? });
            if self.is_word(&["group_left", "group_right"]) {
                keywords[2] = self.at;
                let left = self.is_word(&["group_left"]);
                self.at += 1;
                let labels = if self.is_sign("(") { self.labels(None)? } else { Vec::new() };
                matching.group = Some((left, labels));
            }
        }
        while self.is_word(&["fill", "fill_left", "fill_right"])
            && self.tokens.get(self.at + 1).is_some_and(|next| next.text == "(")
        {
            let (left, right) = (!self.is_word(&["fill_right"]), !self.is_word(&["fill_left"]));
            let (is_left_set, is_right_set) = (matching.fill.0.is_some(), matching.fill.1.is_some());
            if (left && is_left_set) || (right && is_right_set) {
                return Err(self.unexpected(EXPRESSION));
            }
            self.at += 2;
            let sign = if !self.takes("+") && self.takes("-") { -1.0 } else { 1.0 };
            let value = sign * self.number(Some("a number"))?;
            self.wants(")", None)?;
            matching.fill = (matching.fill.0.or(left.then_some(value)), matching.fill.1.or(right.then_some(value)));
        }
        Ok((matching, keywords))
    }

    fn selector(&mut self, name: Option<String>) -> Read<Expr> {
        let first = if name.is_some() { self.at - 1 } else { self.at };
        let mut matchers = Vec::new();
        if self.takes("{") {
            let mut group = Vec::new();
            while !self.takes("}") {
                group.push(self.matcher()?);
                if self.is_word(&["or"]) {
                    self.at += 1;
                    matchers.push(std::mem::take(&mut group));
                    if self.is_sign("}") {
                        return Err(self.unexpected(None));
                    }
                } else if !self.takes(",") && !self.is_sign("}") {
                    return Err(self.unexpected(None));
                }
            }
            matchers.push(group);
        } else {
            matchers.push(Vec::new());
        }
        let selector = VectorSelector { name, matchers, ..VectorSelector::default() };
        self.check_selector(&selector, first);
        Ok(Expr::Selector(selector))
    }

    fn matcher(&mut self) -> Read<Matcher> {
        let is_quoted = self.peek().is_some_and(|token| token.kind == Kind::Text);
        let name = match self.peek() {
            Some(_) if is_quoted => self.quoted(None)?,
            Some(token) if token.kind == Kind::Word => {
                self.at += 1;
                token.text.to_owned()
            }
            _ => return Err(self.unexpected(None)),
        };
        let op = match self.peek().map(|token| token.text) {
            Some("=") => MatchOp::Equal,
            Some("!=") => MatchOp::NotEqual,
            Some("=~") => MatchOp::Regex,
            Some("!~") => MatchOp::NotRegex,
            // The name of the metric, which may have any characters there.
            _ if is_quoted => return Ok(Matcher::new("__name__", MatchOp::Equal, &name)),
            _ => return Err(self.unexpected(Some("`=`, `!=`, `=~` or `!~`"))),
        };
        self.at += 1;
        if self.peek().is_none_or(|token| token.kind != Kind::Text) {
            return Err(self.unexpected(Some("a quoted value")));
        }
        Ok(Matcher::new(&name, op, &self.quoted(Some("a quoted value"))?))
    }

    /// Ranges, `@` and `offset` after an operand.
    fn shifted(&mut self, mut expr: Expr) -> Read<Expr> {
        // Where `@` and `offset` are.
        let mut places = [None, None];
        loop {
            let place = self.at;
            if self.takes("[") {
                expr = self.range(expr, place, places)?;
            } else if self.takes("@") {
                let at = self.moment()?;
                self.set_at(&mut expr, at, place);
                places[0] = Some(place);
            } else if self.is_word(&["offset"]) {
                self.at += 1;
                let ahead = !self.takes("+") && self.takes("-");
                let by = self.duration()?.unwrap_or_default();
                self.set_offset(&mut expr, Offset { ahead, by }, place);
                places[1] = Some(place);
            } else {
                return Ok(expr);
            }
        }
    }

    fn range(&mut self, expr: Expr, place: usize, places: [Option<usize>; 2]) -> Read<Expr> {
        if self.is_word(&["inf", "nan"]) {
            return Err(self.unexpected(DURATION));
        }
        let range = self.duration()?.unwrap_or_default();
        if self.takes(":") {
            let step = if self.is_sign("]") { None } else { self.duration().map_err(|_| self.unexpected(None))? };
            self.wants("]", None)?;
            self.check_subquery(&expr, place);
            return Ok(Expr::Subquery { expr: Box::new(expr), range, step, shift: Shift::default() });
        }
        self.wants("]", None)?;
        self.check_range(&expr, place, places);
        Ok(match expr {
            Expr::Selector(selector) => Expr::Selector(VectorSelector { range: Some(range), ..selector }),
            expr => expr,
        })
    }

    /// The time of `@`.
    fn moment(&mut self) -> Read<Option<At>> {
        const TIME: Option<&str> = Some("a time such as `1700000000`");
        let is_start = self.is_word(&["start"]);
        if is_start || self.is_word(&["end"]) {
            self.at += 1;
            self.wants("(", OPEN)?;
            self.wants(")", None)?;
            return Ok(Some(if is_start { At::Start } else { At::End }));
        }
        let sign = if !self.takes("+") && self.takes("-") { -1.0 } else { 1.0 };
        let seconds = sign * self.number(TIME)?;
        // Milliseconds in 64 bits.
        if seconds.is_nan() || seconds.abs() * 1_000.0 >= 9.2e18 {
            self.is_unsure();
            return Ok(None);
        }
        Ok(Some(At::Time(seconds)))
    }

    fn number(&mut self, expected: Option<&'static str>) -> Read<f64> {
        let quantity = self.quantity(expected)?;
        Ok(quantity.number().unwrap_or_else(|| {
            self.is_unsure();
            0.0
        }))
    }

    fn duration(&mut self) -> Read<Option<Duration>> {
        let duration = self.quantity(DURATION)?.duration();
        if duration.is_none() {
            self.is_unsure();
        }
        Ok(duration)
    }

    fn quantity(&mut self, expected: Option<&'static str>) -> Read<Quantity> {
        let found = self.peek().and_then(|token| match token.kind {
            Kind::Number => quantity(token.text),
            Kind::Word if token.is_word("inf") => Some(Quantity::Number(f64::INFINITY)),
            Kind::Word if token.is_word("nan") => Some(Quantity::Number(f64::NAN)),
            _ => None,
        });
        let found = found.ok_or_else(|| self.unexpected(expected))?;
        self.at += 1;
        Ok(found)
    }

    fn quoted(&mut self, expected: Option<&'static str>) -> Read<String> {
        let text = match self.peek().map(|token| unquoted(token.text)) {
            Some(Quoted::Text(text)) => text,
            Some(Quoted::Unsure) => {
                self.is_unsure();
                String::new()
            }
            Some(Quoted::Wrong) | None => return Err(self.unexpected(expected)),
        };
        self.at += 1;
        Ok(text)
    }
}

/// `Inf` and `NaN` are numbers, in any case.
fn is_number(token: Token<'_>) -> bool {
    token.is_word("inf") || token.is_word("nan")
}

/// Keywords are names of labels too, but for `without`.
fn is_label(token: Token<'_>) -> bool {
    token.kind == Kind::Word && !is_number(token) && !token.is_word("without") && !token.text.contains(':')
}
