//! The few shapes that a screen is made of: lines of toned spans, and tables. No terminal codes here.

use serde::{Deserialize, Serialize};

/// Meaning of a piece of text; `render` turns it into colour, and plain text loses nothing by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tone {
    /// As the terminal has it.
    #[default]
    Plain,
    /// A heading or a key value.
    Strong,
    /// Secondary text.
    Dim,
    /// Healthy.
    Good,
    /// Above the warning threshold.
    Warn,
    /// Broken.
    Bad,
    /// Not known.
    Unknown,
    /// A command to paste.
    Command,
    /// The n-th series of a plot.
    Series(usize),
}

/// A run of text with one meaning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// Text with a meaning.
pub(crate) fn span(text: impl Into<String>, tone: Tone) -> Span {
    Span { text: text.into(), tone }
}

/// Text without one.
pub(crate) fn plain(text: impl Into<String>) -> Span {
    span(text, Tone::Plain)
}

/// One part of a screen, top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// A line; it is cut, not wrapped, at the terminal's width.
    Line(Vec<Span>),
    /// Text that must be kept whole: wrapped by the terminal, never cut (commands to paste, file contents).
    Whole(Vec<Span>),
    /// A line of a file that is shown: a break of ours would make another file of it.
    Verbatim(Vec<Span>),
    /// Columns.
    Table(Table),
    /// An empty line.
    Blank,
}

impl Block {
    /// A heading.
    pub(crate) fn heading(text: impl Into<String>) -> Self {
        Self::Line(vec![span(text, Tone::Strong)])
    }

    /// A line of plain text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Line(vec![plain(text)])
    }

    /// A next command: what for, and what to type.
    pub(crate) fn next(label: &str, command: impl Into<String>) -> Self {
        Self::Whole(vec![span(format!("{label}: "), Tone::Dim), span(command, Tone::Command)])
    }
}

/// Rows under titled columns. A cell is a list of spans.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Table {
    /// Titles; empty titles everywhere mean no header line.
    pub(crate) columns: Vec<String>,
    /// Indices of columns that hold numbers and are set flush right.
    pub(crate) right: Vec<usize>,
    /// Indices of columns that are never wrapped.
    pub(crate) fixed: Vec<usize>,
    /// Indent of the whole table, in cells.
    pub(crate) indent: u16,
    /// Cells, row by row.
    pub(crate) rows: Vec<Vec<Span>>,
}

impl Table {
    /// A column of names: what a report has as rows that is only about something.
    pub(crate) fn of_names(names: Vec<String>) -> Self {
        let mut table = Self::new(["name"]);
        for name in names {
            table.row(vec![plain(name)]);
        }
        table
    }

    /// An empty table with these titles.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self { columns: columns.iter().map(ToString::to_string).collect(), ..Self::default() }
    }

    /// Sets columns flush right.
    pub(crate) fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Keeps columns on one line.
    pub(crate) fn fixed(mut self, columns: &[usize]) -> Self {
        self.fixed = columns.to_vec();
        self
    }

    /// Indents the table.
    pub(crate) fn indent(mut self, cells: u16) -> Self {
        self.indent = cells;
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Span>) {
        self.rows.push(cells);
    }
}
/// Lines that the blocks take at least: what wraps takes more.
pub(crate) fn height(blocks: &[Block]) -> usize {
    let lines = |block: &Block| match block {
        Block::Table(table) => table.rows.len(),
        Block::Line(_) | Block::Whole(_) | Block::Verbatim(_) | Block::Blank => 1,
    };
    blocks.iter().map(lines).sum()
}
