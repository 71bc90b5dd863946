//! The templates of labels and annotations: would Prometheus take them, and what do they ask of an alert
//! (<https://prometheus.io/docs/prometheus/latest/configuration/template_reference/>, <https://pkg.go.dev/text/template>).

mod action;

use std::collections::BTreeSet;

use crate::check::alerts::template::action::{Word, words};
use crate::text::suggest::nearest;

/// Prometheus' own functions, then Go's.
const FUNCTIONS: [&str; 49] = [
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "args",
    "reReplaceAll",
    "safeHtml",
    "match",
    "title",
    "toUpper",
    "toLower",
    "graphLink",
    "tableLink",
    "sortByLabel",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "pathPrefix",
    "externalURL",
    "parseDuration",
    "toTime",
    "urlQueryEscape",
    "now",
    "toDuration",
    "toJson",
    "and",
    "call",
    "html",
    "index",
    "slice",
    "js",
    "len",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "urlquery",
    "eq",
    "ge",
    "gt",
    "le",
    "lt",
    "ne",
];

/// What stands there before any action.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

/// Blocks and parentheses within each other; more are not looked at.
const DEEPEST: usize = 100;

/// What a template asks of its alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Labels of the query's series.
    pub labels: BTreeSet<String>,
    /// The value of the query.
    pub value: bool,
}

/// Reads a template.
///
/// # Errors
/// Why Prometheus would refuse it.
pub fn read(text: &str) -> Result<Asked, String> {
    let variables = VARIABLES.map(str::to_owned).to_vec();
    let mut parser = Parser { rest: text, variables, ..Parser::default() };
    match parser.list(true)? {
        Stop::Text => Ok(parser.asked),
        Stop::End => Err("`{{ end }}` closes nothing".into()),
        Stop::Else | Stop::ElseIf => Err("`{{ else }}` belongs to nothing".into()),
    }
}

/// What ends a list of texts and actions.
enum Stop {
    Text,
    End,
    Else,
    /// `else if`, with the condition still to be read.
    ElseIf,
}

/// One operand of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand<'a> {
    Name(&'a str),
    /// A variable or the dot (`.`), and the fields behind it.
    Path(&'a str, Vec<&'a str>),
    Text(&'a str),
    Constant,
    Pipeline,
}

/// Follows the grammar of `text/template/parse`.
#[derive(Debug, Default)]
struct Parser<'a> {
    rest: &'a str,
    words: Vec<Word<'a>>,
    at: usize,
    variables: Vec<String>,
    /// Blocks of `range` around, and those in which the dot is something else than the alert.
    ranges: usize,
    inside: usize,
    depth: usize,
    asked: Asked,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Word<'a> {
        self.words.get(self.at).copied().unwrap_or(Word::End)
    }

    fn skip_space(&mut self) -> Word<'a> {
        self.at += usize::from(self.peek() == Word::Space);
        self.peek()
    }

    fn expect_end(&mut self, what: &str) -> Result<(), String> {
        match self.skip_space() {
            Word::End => Ok(()),
            word => Err(format!("unexpected `{}` in `{{{{ {what} }}}}`", word.show())),
        }
    }

    fn expect_text(&mut self, what: &str) -> Result<(), String> {
        match self.skip_space() {
            Word::Text(_) => {
                self.at += 1;
                Ok(())
            }
            word => Err(format!("`{{{{ {what} }}}}` takes a name in quotes, not `{}`", word.show())),
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(format!("nested deeper than {DEEPEST} levels")) } else { Ok(()) }
    }

    /// Texts and actions up to what ends them.
    fn list(&mut self, is_top: bool) -> Result<Stop, String> {
        while let Some((_, after)) = self.rest.split_once("{{") {
            let trimmed = after.strip_prefix('-').filter(|rest| rest.starts_with([' ', '\t', '\r', '\n']));
            let after = trimmed.unwrap_or(after);
            if let Some(comment) =
                after.trim_start().strip_prefix("/*").filter(|_| trimmed.is_some() || after.starts_with('/'))
            {
                let (_, tail) = comment.split_once("*/").ok_or("a comment is not closed")?;
                let rest = tail.strip_prefix("}}").or_else(|| tail.trim_start().strip_prefix("-}}"));
                self.rest = rest.ok_or("a comment ends with `*/}}`")?;
                continue;
            }
            (self.words, self.rest) = words(after)?;
            self.at = 0;
            let Word::Name(word) = self.skip_space() else {
                self.pipeline("command", Word::End)?;
                continue;
            };
            self.at += 1;
            match word {
                "if" | "range" | "with" => self.control(word)?,
                "end" => {
                    self.expect_end("end")?;
                    return Ok(Stop::End);
                }
                "else" => {
                    if self.skip_space() == Word::Name("if") {
                        self.at += 1;
                        return Ok(Stop::ElseIf);
                    }
                    self.expect_end("else")?;
                    return Ok(Stop::Else);
                }
                "break" | "continue" if self.ranges == 0 => {
                    return Err(format!("`{{{{ {word} }}}}` stands outside of `range`"));
                }
                "break" | "continue" => self.expect_end(word)?,
                "template" => {
                    self.expect_text(word)?;
                    if self.skip_space() != Word::End {
                        self.pipeline(word, Word::End)?;
                    }
                }
                "define" if is_top => {
                    self.expect_text(word)?;
                    self.expect_end(word)?;
                    self.apart(word)?;
                }
                "block" => {
                    self.expect_text(word)?;
                    self.pipeline(word, Word::End)?;
                    self.apart(word)?;
                }
                _ => {
                    self.at -= 1;
                    self.pipeline("command", Word::End)?;
                }
            }
        }
        Ok(Stop::Text)
    }

    /// A template of its own, with no variable but `$`.
    fn apart(&mut self, word: &str) -> Result<(), String> {
        self.deeper()?;
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        self.inside += 1;
        match self.list(false)? {
            Stop::End => {}
            Stop::Text => return Err(format!("`{{{{ {word} … }}}}` has no `{{{{ end }}}}`")),
            Stop::Else | Stop::ElseIf => return Err("`{{ else }}` belongs to nothing".into()),
        }
        self.inside -= 1;
        self.depth -= 1;
        (self.variables, self.ranges) = (outer, ranges);
        Ok(())
    }

    fn control(&mut self, word: &str) -> Result<(), String> {
        self.deeper()?;
        let known = self.variables.len();
        self.pipeline(word, Word::End)?;
        let (is_range, moves) = (usize::from(word == "range"), usize::from(word != "if"));
        self.ranges += is_range;
        self.inside += moves;
        let stop = self.list(false)?;
        self.ranges -= is_range;
        self.inside -= moves;
        let open = || Err(format!("`{{{{ {word} … }}}}` has no `{{{{ end }}}}`"));
        match stop {
            Stop::End => {}
            Stop::Text => return open(),
            // It shares the end.
            Stop::ElseIf if word == "if" => self.control("if")?,
            Stop::ElseIf => return Err(format!("`{{{{ {word} }}}}` has no `else if`")),
            Stop::Else => match self.list(false)? {
                Stop::End => {}
                Stop::Text => return open(),
                Stop::Else | Stop::ElseIf => return Err("a second `{{ else }}`".into()),
            },
        }
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(())
    }

    /// Commands with `|` between them, and the variables that are set to what they give.
    fn pipeline(&mut self, context: &str, closing: Word<'a>) -> Result<(), String> {
        let mut declared = 0;
        while let Word::Variable(name) = self.skip_space() {
            let behind = self.at + 1 + usize::from(self.words.get(self.at + 1) == Some(&Word::Space));
            match self.words.get(behind) {
                Some(Word::Declare | Word::Assign) => {
                    self.variables.push(name.to_owned());
                    self.at = behind + 1;
                    break;
                }
                Some(Word::Other(',')) if context == "range" && declared == 0 => {
                    self.variables.push(name.to_owned());
                    self.at = behind + 1;
                    declared += 1;
                }
                Some(Word::Other(',')) => return Err(format!("too many variables in `{context}`")),
                _ => break,
            }
        }
        let mut stages = 0;
        loop {
            match self.skip_space() {
                word if word == closing => {
                    self.at += usize::from(closing == Word::Close);
                    return if stages > 0 { Ok(()) } else { Err(format!("missing value for {context}")) };
                }
                Word::Pipe | Word::Close | Word::Declare | Word::Assign | Word::Other(_) | Word::End | Word::Space => {
                    return Err(format!("unexpected `{}` in `{{{{ … }}}}`", self.peek().show()));
                }
                _ => {
                    let first = self.command()?;
                    let is_value = match &first {
                        Operand::Constant | Operand::Text(_) => true,
                        Operand::Path(root, fields) => *root == "." && fields.is_empty(),
                        Operand::Name(name) => *name == "nil",
                        Operand::Pipeline => false,
                    };
                    if stages > 0 && is_value {
                        return Err("`|` leads to a value: what follows it must be a function".into());
                    }
                    stages += 1;
                }
            }
        }
    }

    /// A function with its arguments, or a value; gives its first operand.
    fn command(&mut self) -> Result<Operand<'a>, String> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            operands.extend(self.operand()?);
            match self.peek() {
                Word::Space => continue,
                Word::End | Word::Close => {}
                Word::Pipe => self.at += 1,
                word => return Err(format!("unexpected `{}` in `{{{{ … }}}}`", word.show())),
            }
            break;
        }
        if let [Operand::Name("index"), map, Operand::Text(label), ..] = operands.as_slice()
            && (*map == Operand::Path("$labels", vec![])
                || (self.inside == 0 && *map == Operand::Path(".", vec!["Labels"])))
        {
            self.asked.labels.insert((*label).to_owned());
        }
        operands.into_iter().next().ok_or_else(|| "an empty command".into())
    }

    fn operand(&mut self) -> Result<Option<Operand<'a>>, String> {
        let word = self.peek();
        let mut operand = match word {
            Word::Name(name) => {
                if name != "nil" && !FUNCTIONS.contains(&name) {
                    let near = nearest(name, FUNCTIONS);
                    return Err(format!("function `{name}` is not defined{}", meant(near)));
                }
                Operand::Name(name)
            }
            Word::Dot => Operand::Path(".", Vec::new()),
            Word::Field(name) => Operand::Path(".", vec![name]),
            Word::Variable(name) => {
                if !self.variables.iter().any(|known| known == name) {
                    let near = nearest(name, self.variables.iter().map(String::as_str));
                    return Err(format!("undefined variable `{name}`{}", meant(near)));
                }
                Operand::Path(name, Vec::new())
            }
            Word::Constant => Operand::Constant,
            Word::Text(text) => Operand::Text(text),
            Word::Open => {
                self.at += 1;
                self.deeper()?;
                self.pipeline("parentheses", Word::Close)?;
                self.depth -= 1;
                self.at -= 1;
                Operand::Pipeline
            }
            _ => return Ok(None),
        };
        self.at += 1;
        while let Word::Field(name) = self.peek() {
            match &mut operand {
                Operand::Path(".", fields) if fields.is_empty() => return Err("unexpected `.` after `.`".into()),
                Operand::Path(_, fields) => fields.push(name),
                Operand::Name(_) | Operand::Pipeline => {}
                Operand::Constant | Operand::Text(_) => return Err("unexpected `.` after a value".into()),
            }
            self.at += 1;
        }
        if let Operand::Path(root, fields) = &operand {
            self.note(root, fields);
        }
        Ok(Some(operand))
    }

    fn note(&mut self, root: &str, fields: &[&'a str]) {
        let of_alert = root == "$" || (root == "." && self.inside == 0);
        let label = match fields {
            [label, ..] if root == "$labels" => Some(label),
            ["Labels", label, ..] if of_alert => Some(label),
            _ => None,
        };
        self.asked.labels.extend(label.map(|label| (*label).to_owned()));
        self.asked.value |= root == "$value" || (of_alert && fields.first() == Some(&"Value"));
    }
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_takes() {
        for (text, labels, value) in [
            ("plain", vec![], false),
            ("{{ $labels.job }} at {{ $value | humanize }}", vec!["job"], true),
            ("{{- if gt $value 1.0 -}} {{ .Labels.x }} {{ else }} b {{ end }}", vec!["x"], true),
            (
                "{{ range query \"up\" }}{{ .Labels.instance }}{{ .Value }}{{ $labels.job }}{{ end }}",
                vec!["job"],
                false,
            ),
            ("{{ range printf \"up{x='%s'}\" .Labels.x | query }}{{ end }}{{ .Labels.y }}", vec!["x", "y"], false),
            ("{{ with $x := printf `{{ %s }}` \"a}}\" | query }}{{ $x }}{{ end }}", vec![], false),
            ("{{/* {{ nothing */}}{{ range $i, $e := query \"x\" }}{{ $e.Labels.y }}{{ end }}", vec![], false),
            ("{{ index $labels \"k8s.pod\" }} {{ printf \"%.2f\" $value }}%", vec!["k8s.pod"], true),
            (
                "{{ $x := 1 }}{{ $x = 2 }}{{ $x }} {{ if $value }}a{{ else if $labels.y }}b{{ else }}c{{ end }}",
                vec!["y"],
                true,
            ),
            (
                "{{ range query \"x\" }}{{ break }}{{ else }}{{ .Labels.y }}{{ end }}{{ (query \"x\" | first).Labels.z }}",
                vec!["y"],
                false,
            ),
            (
                "{{ define \"x\" }}{{ .Labels.q }}{{ end }}{{ template \"x\" . }}{{ if lt $value -1.5e3 }}{{ 'a' }}{{ end }}",
                vec![],
                true,
            ),
            ("{{ index $labels `a` }}{{ index .Labels \"b\" }}", vec!["a", "b"], false),
            ("{{ reReplaceAll \"-\" \" \" $labels.team | title }}", vec!["team"], false),
        ] {
            let asked = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(asked.labels.iter().map(String::as_str).collect::<Vec<_>>(), labels, "{text}");
            assert_eq!(asked.value, value, "{text}");
        }
    }

    #[test]
    fn what_prometheus_refuses() {
        for (text, want) in [
            ("{{ $labels.job", "`{{` has no `}}`"),
            ("{{ $value + 1 }}", "`+` is no number: templates do not calculate"),
            ("{{ $value == 5.0 }}", "unexpected `=` in `{{ … }}`"),
            ("{{ $labels..job }}", "unexpected `.` in `{{ … }}`"),
            ("{{ $labels. }}", "unexpected `.` in `{{ … }}`"),
            ("{{ $labels.a-b }}", "unexpected `-` after `a`"),
            ("{{ $labels.job-}}", "unexpected `-` after `job`"),
            ("{{-$labels.job }}", "`-$labels.job` is no number: templates do not calculate"),
            ("{{ $labels.job , $labels.x }}", "unexpected `,` in `{{ … }}`"),
            ("{{ $labels.job | 5 }}", "`|` leads to a value: what follows it must be a function"),
            ("{{ | title }}", "unexpected `|` in `{{ … }}`"),
            ("{{ \"a\"\"b\" }}", "unexpected `\"b\"` in `{{ … }}`"),
            ("{{ \"\\q\" }}", "a string has an escape that there is not"),
            ("{{ 'ab' }}", "single quotes hold one character, and double quotes a text"),
            ("{{ 1a }}", "`1a` is no number: templates do not calculate"),
            ("{{ printf \"a\") }}", "`)` closes nothing"),
            ("{{ (printf \"a\" }}", "`(` is not closed"),
            ("{{ () }}", "missing value for parentheses"),
            ("{{ if }}a{{ end }}", "missing value for if"),
            ("{{ if $value }}a{{ else }}b{{ else }}c{{ end }}", "a second `{{ else }}`"),
            ("{{ range query \"x\" }}a{{ else if $value }}c{{ end }}", "`{{ range }}` has no `else if`"),
            ("{{ break }}", "`{{ break }}` stands outside of `range`"),
            ("{{ with $x := 1 }}{{ end }}{{ $x }}", "undefined variable `$x`; did you mean `$`?"),
            ("{{ $a, $b := 5 }}", "too many variables in `command`"),
            ("{{ define }}{{ end }}", "`{{ define }}` takes a name in quotes, not `}}`"),
            ("{{ define \"x\" }}{{ $labels.x }}{{ end }}", "undefined variable `$labels`"),
            ("{{ tmpl \"x\" . }}", "function `tmpl` is not defined; did you mean `html`?"),
            ("{{ else }}", "`{{ else }}` belongs to nothing"),
            ("{{ $label.job }}", "undefined variable `$label`; did you mean `$labels`?"),
            ("{{ humanise $value }}", "function `humanise` is not defined; did you mean `humanize`?"),
            ("{{ if $value }} x", "`{{ if … }}` has no `{{ end }}`"),
            ("{{ end }}", "`{{ end }}` closes nothing"),
            ("{{ \"a }}", "a string is not closed"),
            ("{{ }}", "missing value for command"),
        ] {
            assert_eq!(read(text).unwrap_err(), want, "{text}");
        }
    }
}
