//! The files that flags are carried in: our own, and flagd's.

use clap::{Args, ValueEnum};

use liveops_domain::flag::flagd::{Converted, Inexpressible};

/// How a file of flags is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// One JSON object from name to definition, as the services read it
    #[default]
    Own,
    /// flagd's schema (flagd.dev)
    Flagd,
}

/// The format of a file.
#[derive(Debug, Args)]
pub(super) struct FormatArgs {
    /// How it is written
    #[arg(
        long,
        value_name = "own|flagd",
        value_enum,
        default_value_t,
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) format: Format,
}

/// Flags that were carried from one format to the other.
#[derive(Debug)]
pub(super) struct Conversion<T> {
    pub(super) carried: Vec<(String, T)>,
    /// What has no counterpart, with the reason.
    pub(super) refused: Vec<(String, String)>,
    /// For whom the answer may differ.
    pub(super) losses: Vec<(String, String)>,
    /// What is left out and decides about nobody.
    pub(super) notes: Vec<(String, String)>,
}

impl<T> Conversion<T> {
    pub(super) fn new() -> Self {
        Self { carried: Vec::new(), refused: Vec::new(), losses: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn add(&mut self, name: &str, carried: Result<Converted<T>, Inexpressible>) {
        let of = |text: String| (name.to_owned(), text);
        match carried {
            Ok(carried) => {
                self.losses.extend(carried.losses.into_iter().map(of));
                self.notes.extend(carried.notes.into_iter().map(of));
                self.carried.push((name.to_owned(), carried.value));
            }
            Err(why) => self.refused.push(of(why.to_string())),
        }
    }

    /// What is said of one flag, losses first.
    pub(super) fn of(&self, name: &str) -> Vec<String> {
        let said = self.losses.iter().chain(&self.notes);
        said.filter(|(flag, _)| flag == name).map(|(_, text)| text.clone()).collect()
    }
}

/// One line a flag, below a heading.
pub(super) fn listed(heading: &str, said: &[(String, String)]) -> String {
    said.iter().fold(heading.to_owned(), |text, (name, why)| format!("{text}\n  {name}: {why}"))
}
