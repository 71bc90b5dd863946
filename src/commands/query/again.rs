//! The next command, so that it can be pasted: with the endpoint and environment that were typed.

use crate::context::Context;
use crate::domain::redact::redact_url;

/// What was typed beside the question: endpoint, environment, time.
#[derive(Debug)]
pub(super) struct Again {
    options: String,
    at: String,
}

impl Again {
    /// What was typed.
    pub(super) fn new(cx: &Context, at: Option<&str>) -> Self {
        let typed = |flag: &str| cx.command_line.contains(flag);
        let mut options = String::new();
        let given = [
            (
                "--prometheus",
                cx.global.prometheus.as_ref().map(|url| redact_url(url)),
            ),
            ("--env", cx.global.env.clone()),
            (
                "--config",
                cx.global
                    .config
                    .as_ref()
                    .map(|path| path.display().to_string()),
            ),
        ];
        for (flag, value) in given {
            let short = flag == "--env" && (typed(" -e ") || typed(" -e="));
            if let Some(value) = value.filter(|_| typed(flag) || short) {
                options.push_str(&format!(" {flag} {}", quoted(&value)));
            }
        }
        let at = at.map_or_else(String::new, |at| format!(" --at {}", quoted(at)));
        Self { options, at }
    }

    /// The same question in another form.
    pub(super) fn query(&self, question: &str, form: &str) -> String {
        format!("liveops query {question}{form}{}{}", self.at, self.options)
    }

    /// Another command of liveops.
    pub(super) fn command(&self, command: &str) -> String {
        format!("liveops {command}{}", self.options)
    }
}

/// Text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        for (text, want) in [
            ("up", "up"),
            ("sum(up)", "'sum(up)'"),
            ("x{a='b'}", "'x{a='\\''b'\\''}'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), want);
        }
    }
}
