//! The grammar of both text formats: a cursor that steps through a body sample by sample.

use crate::metric::exposition::{ExpositionError, Format, Sample};
use crate::metric::labels::Labels;
use crate::metric::number;

const LINE_FEEDS: &str = "it ends with CR LF; Prometheus takes LF alone";

/// A cursor over the body. It stands on character boundaries only: it steps over ASCII bytes one
/// by one, and over other text up to an ASCII byte.
pub struct Reader<'a> {
    body: &'a str,
    at: usize,
    line: usize,
    format: Format,
    /// The time of the latest sample, in milliseconds since the epoch, where it carries one.
    stamp: Option<f64>,
}

impl<'a> Reader<'a> {
    /// At the beginning of a body; a byte order mark is stepped over.
    pub fn new(body: &'a str, format: Format) -> Self {
        Reader { body: body.strip_prefix('\u{feff}').unwrap_or(body), at: 0, line: 1, format, stamp: None }
    }

    /// The time that the latest sample carries, in milliseconds since the epoch.
    pub fn stamp(&self) -> Option<f64> {
        self.stamp
    }

    /// An error at the current line.
    pub fn error(&self, message: &str) -> ExpositionError {
        ExpositionError { line: self.line, message: message.to_owned() }
    }

    /// `wanted`, and what stands there instead.
    fn expected(&self, wanted: &str) -> ExpositionError {
        let rest = self.body[self.at..].lines().next().unwrap_or("");
        let seen: String = rest.chars().take(40).collect();
        let more = if seen.len() < rest.len() { "…" } else { "" };
        let carriage_return = self.peek() == Some(b'\r');
        if carriage_return {
            self.error(LINE_FEEDS)
        } else if seen.is_empty() {
            self.error(&format!("expected {wanted}, but the line ends"))
        } else {
            self.error(&format!("expected {wanted}, found `{seen}{more}`"))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.at += 1;
        }
        there
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.body[self.at..];
        let length = rest.bytes().position(|b| !keep(b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn blanks(&mut self) {
        self.take_while(|b| b == b' ' || b == b'\t');
    }

    /// The next sample; nothing at the end.
    pub fn next_sample(&mut self) -> Result<Option<Sample>, ExpositionError> {
        loop {
            self.blanks();
            match self.peek() {
                None if self.format == Format::OpenMetrics => {
                    return Err(self.error("OpenMetrics must end with `# EOF`; the body is cut off"));
                }
                None => return Ok(None),
                Some(b'\n') if self.format == Format::OpenMetrics => {
                    return Err(self.error("OpenMetrics allows no empty line"));
                }
                Some(b'\n') => self.end_of_line()?,
                Some(b'#') => {
                    if self.comment()? {
                        return Ok(None);
                    }
                }
                Some(_) => return self.sample().map(Some),
            }
        }
    }

    fn end_of_line(&mut self) -> Result<(), ExpositionError> {
        self.blanks();
        match self.peek() {
            None => Ok(()),
            Some(b'\n') => {
                self.at += 1;
                self.line += 1;
                Ok(())
            }
            Some(_) => Err(self.expected("the end of the line")),
        }
    }

    /// Reads a line that begins with `#`; true when it was the end of OpenMetrics.
    fn comment(&mut self) -> Result<bool, ExpositionError> {
        let line = self.take_while(|b| b != b'\n');
        let mut words = line[1..].split([' ', '\t']).filter(|w| !w.is_empty());
        // Only a blank after `#` makes more than a remark of it.
        let spaced = line[1..].starts_with([' ', '\t']);
        let keyword = words.next().filter(|_| spaced).unwrap_or("");
        let strict = self.format == Format::OpenMetrics;
        match keyword {
            "EOF" if strict => {
                let rest = self.body[self.at..].trim_start_matches('\n');
                return if rest.is_empty() { Ok(true) } else { Err(self.error("nothing may follow `# EOF`")) };
            }
            "TYPE" if line.ends_with('\r') => return Err(self.error(LINE_FEEDS)),
            "TYPE" => self.check_type(words)?,
            "HELP" | "UNIT" => {}
            _ if strict => {
                return Err(self.error("OpenMetrics allows only HELP, TYPE, UNIT and EOF after `#`"));
            }
            _ => {}
        }
        self.end_of_line()?;
        Ok(false)
    }

    /// Reads what follows `# TYPE`; without a metric name it is a remark.
    fn check_type<'w>(&self, mut words: impl Iterator<Item = &'w str>) -> Result<(), ExpositionError> {
        if words.next().is_none() {
            return Ok(());
        }
        let kind = words.next().unwrap_or("");
        let both = ["counter", "gauge", "histogram", "summary"];
        let own: &[&str] = match self.format {
            Format::Text => &["untyped", "unknown"],
            Format::OpenMetrics => &["gaugehistogram", "stateset", "info", "unknown"],
        };
        if words.next().is_none() && (both.contains(&kind) || own.contains(&kind)) {
            Ok(())
        } else {
            Err(self.error(&format!("`{kind}` is not a type of metric")))
        }
    }

    fn sample(&mut self) -> Result<Sample, ExpositionError> {
        let mut name = self.word(|b| b == b':').to_owned();
        self.blanks();
        let mut labels = Labels::new();
        if self.take(b'{') {
            self.labels(&mut name, &mut labels)?;
        }
        if name.is_empty() {
            return Err(self.expected("a metric name"));
        }
        let value = self.number("a value")?;
        self.blanks();
        self.stamp = None;
        if !matches!(self.peek(), None | Some(b'\n' | b'#')) {
            self.stamp = Some(self.timestamp()?);
        }
        if self.format == Format::OpenMetrics && self.take(b'#') {
            self.exemplar()?;
        }
        self.end_of_line()?;
        labels.retain(|_, value| !value.is_empty());
        Ok(Sample { name, labels, value })
    }

    /// A classic name: letters, digits and `_`, and what `also` allows; empty when there is none.
    fn word(&mut self, also: impl Fn(u8) -> bool) -> &'a str {
        if self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return "";
        }
        self.take_while(|b| b.is_ascii_alphanumeric() || b == b'_' || also(b))
    }

    /// What stands between braces; the opening one has been taken. A quoted text without a value
    /// is the metric name.
    fn labels(&mut self, name: &mut String, labels: &mut Labels) -> Result<(), ExpositionError> {
        loop {
            self.blanks();
            if self.take(b'}') {
                return Ok(());
            }
            let quoted = self.peek() == Some(b'"');
            let key = if quoted { self.quoted()? } else { self.word(|_| false).to_owned() };
            if key.is_empty() {
                return Err(self.expected("a label name or `}`"));
            }
            self.blanks();
            if self.take(b'=') {
                self.blanks();
                let value = self.quoted()?;
                if key == "__name__" || labels.insert(key.clone(), value).is_some() {
                    return Err(self.error(&format!("the label `{key}` is given twice")));
                }
            } else if quoted && name.is_empty() {
                *name = key;
            } else {
                return Err(self.expected("`=`"));
            }
            self.blanks();
            // Prometheus does without the comma in the text format.
            let apart = self.take(b',') || self.peek() == Some(b'}');
            if !apart && self.format == Format::OpenMetrics {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    /// A text in double quotes, with the escapes `\\`, `\"` and `\n`; any other is left as it is.
    fn quoted(&mut self) -> Result<String, ExpositionError> {
        if !self.take(b'"') {
            return Err(self.expected("a text in double quotes"));
        }
        let opened = self.line;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\n')));
            if self.take(b'"') {
                return Ok(text);
            } else if self.take(b'\n') {
                text.push('\n');
                self.line += 1;
            } else if self.take(b'\\') {
                match self.peek() {
                    Some(b'n') => text.push('\n'),
                    Some(escaped @ (b'"' | b'\\')) => text.push(char::from(escaped)),
                    _ => {
                        text.push('\\');
                        continue;
                    }
                }
                self.at += 1;
            } else {
                self.line = opened;
                return Err(self.error("a text in double quotes has no end"));
            }
        }
    }

    fn number(&mut self, what: &str) -> Result<f64, ExpositionError> {
        self.blanks();
        let start = self.at;
        let token = self.take_while(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r'));
        number::parse(token).ok_or_else(|| {
            self.at = start;
            self.expected(what)
        })
    }

    /// Whole milliseconds in the text format, seconds in OpenMetrics; returned in milliseconds.
    fn timestamp(&mut self) -> Result<f64, ExpositionError> {
        let start = self.at;
        let time = self.number("a timestamp")?;
        let token = &self.body[start..self.at];
        let (valid, millis) = match self.format {
            Format::Text => (token.parse::<i64>().is_ok(), time),
            Format::OpenMetrics => (time.is_finite(), time * 1000.0),
        };
        self.blanks();
        if valid {
            Ok(millis)
        } else {
            self.at = start;
            Err(self.expected("a timestamp"))
        }
    }

    /// An exemplar: labels, a value and perhaps a time; its `#` has been taken.
    fn exemplar(&mut self) -> Result<(), ExpositionError> {
        self.blanks();
        if !self.take(b'{') {
            return Err(self.expected("the labels of an exemplar"));
        }
        // A name that is already set keeps a quoted text from being taken for one.
        self.labels(&mut "exemplar".to_owned(), &mut Labels::new())?;
        self.number("the value of an exemplar")?;
        self.blanks();
        if !matches!(self.peek(), None | Some(b'\n')) {
            self.timestamp()?;
        }
        Ok(())
    }
}
