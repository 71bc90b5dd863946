//! Sections of a manual page: filled text, titled paragraphs, and examples that can be pasted.

/// A section with its heading.
pub(super) fn section(heading: &str, body: &str) -> String {
    format!(".SH \"{heading}\"\n{body}")
}

/// Filled text.
pub(super) fn text(text: &str) -> String {
    format!("{}\n", escape(text))
}

/// A paragraph with a title.
pub(super) fn titled(title: &str, text: &str) -> String {
    format!(".TP\n\\fB{}\\fR\n{}\n", escape(title), escape(text))
}

/// Lines as they are.
pub(super) fn literal(text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("{}\n", escape(line))).collect();
    format!(".nf\n.RS 4\n{lines}.RE\n.fi\n")
}

/// Text as roff reads it: a minus that can be pasted, no letter that is a command.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}
