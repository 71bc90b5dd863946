//! The templates of labels and annotations: would Prometheus take them, and what do they ask of an alert
//! (<https://prometheus.io/docs/prometheus/latest/configuration/template_reference/>, <https://pkg.go.dev/text/template>).

use std::collections::BTreeSet;

use crate::text::suggest::nearest;

/// Prometheus' own functions, then Go's.
const FUNCTIONS: [&str; 51] = [
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
    "tmpl",
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
    "parseDurationTime",
];

const KEYWORDS: [&str; 13] =
    ["if", "else", "range", "end", "with", "define", "template", "block", "break", "continue", "nil", "true", "false"];

/// What opens something that `end` closes.
const OPENING: [&str; 5] = ["if", "range", "with", "define", "block"];

/// What stands there before any action.
const VARIABLES: [&str; 5] = ["$", "$labels", "$externalLabels", "$externalURL", "$value"];

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
    let mut asked = Asked::default();
    let mut variables: Vec<String> = VARIABLES.map(str::to_owned).to_vec();
    let mut open: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        if let Some(comment) = after.strip_prefix("/*").or_else(|| after.strip_prefix("- /*")) {
            let end = comment.find("*/").ok_or("a comment is not closed")?;
            let tail = comment[end + 2..].trim_start();
            rest = tail.strip_prefix("}}").or_else(|| tail.strip_prefix("-}}")).ok_or("a comment is not closed")?;
            continue;
        }
        let (words, tail) = action(after)?;
        rest = tail;
        // Within `range` and `with` the dot is something else than the alert.
        let is_inside = open.iter().any(|word| word == "range" || word == "with");
        take(&words, &mut variables, &mut open)?;
        note(&words, is_inside, &mut asked);
    }
    match open.pop() {
        Some(word) => Err(format!("`{{{{ {word} … }}}}` has no `{{{{ end }}}}`")),
        None => Ok(asked),
    }
}

/// The words of an action, and what follows its `}}`.
fn action(text: &str) -> Result<(Vec<String>, &str), String> {
    let mut words = Vec::new();
    let mut rest = text.strip_prefix("- ").unwrap_or(text);
    loop {
        rest = rest.trim_start();
        if let Some(tail) = rest.strip_prefix("}}").or_else(|| rest.strip_prefix("-}}")) {
            return Ok((words, tail));
        }
        let Some(first) = rest.chars().next() else {
            return Err("`{{` has no `}}`".into());
        };
        let length = match first {
            '"' | '\'' => quoted(rest, first)?,
            '`' => 2 + rest[1..].find('`').ok_or("a string is not closed")?,
            c if c.is_alphanumeric() || "_$.".contains(c) => {
                rest.find(|c: char| !(c.is_alphanumeric() || "_$.".contains(c))).unwrap_or(rest.len())
            }
            ':' if rest.starts_with(":=") => 2,
            c if "|(),=+-".contains(c) => 1,
            c => return Err(format!("unexpected `{c}` in `{{{{ … }}}}`")),
        };
        words.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
}

/// The length of a string that begins with this quote.
fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => break,
            c if c == quote && !escaped => return Ok(at + 1),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    Err("a string is not closed".into())
}

/// Follows blocks and variables; what is not known is refused.
fn take(words: &[String], variables: &mut Vec<String>, open: &mut Vec<String>) -> Result<(), String> {
    let Some(first) = words.first() else {
        return Err("`{{ }}` is empty: missing value for command".into());
    };
    match first.as_str() {
        word if OPENING.contains(&word) => open.push(word.to_owned()),
        "end" => drop(open.pop().ok_or("`{{ end }}` closes nothing")?),
        "else" if open.is_empty() => return Err("`{{ else }}` belongs to nothing".into()),
        _ => {}
    }
    // `$a := …`, and `range $i, $e := …`.
    if let Some(at) = words.iter().position(|word| word == ":=") {
        variables.extend(words[..at].iter().filter(|word| word.starts_with('$')).cloned());
    }
    for word in words {
        if let Some(name) = word.strip_prefix('$') {
            let name = format!("${}", name.split('.').next().unwrap_or_default());
            if !variables.contains(&name) {
                let near = nearest(&name, variables.iter().map(String::as_str));
                return Err(format!("undefined variable `{name}`{}", meant(near)));
            }
        } else if word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let name = word.split('.').next().unwrap_or_default();
            if !FUNCTIONS.contains(&name) && !KEYWORDS.contains(&name) {
                return Err(format!("function `{name}` is not defined{}", meant(nearest(name, FUNCTIONS))));
            }
        }
    }
    Ok(())
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn note(words: &[String], is_inside: bool, asked: &mut Asked) {
    for (at, word) in words.iter().enumerate() {
        if is_inside && word.starts_with('.') {
            continue;
        }
        let field = word
            .strip_prefix("$labels.")
            .or_else(|| word.strip_prefix(".Labels."))
            .or_else(|| word.strip_prefix("$.Labels."));
        if let Some(field) = field {
            asked.labels.extend(field.split('.').next().filter(|name| !name.is_empty()).map(ToOwned::to_owned));
        }
        if word == "index"
            && let [map, name, ..] = &words[at + 1..]
            && (map == "$labels" || (map == ".Labels" && !is_inside))
        {
            asked.labels.insert(name.trim_matches(['"', '`']).to_owned());
        }
        asked.value |= word == "$value" || word == ".Value" || word == "$.Value";
    }
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
            ("{{ $label.job }}", "undefined variable `$label`; did you mean `$labels`?"),
            ("{{ humanise $value }}", "function `humanise` is not defined; did you mean `humanize`?"),
            ("{{ if $value }} x", "`{{ if … }}` has no `{{ end }}`"),
            ("{{ end }}", "`{{ end }}` closes nothing"),
            ("{{ \"a }}", "a string is not closed"),
            ("{{ }}", "`{{ }}` is empty: missing value for command"),
        ] {
            assert_eq!(read(text).unwrap_err(), want, "{text}");
        }
    }
}
