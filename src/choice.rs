//! One of a few words on the command line, for types that know nothing of it.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Reads one of these words; each stands in `--help` and in completions with what it means.
pub(crate) fn choice<T: Copy + Send + Sync + 'static>(
    all: &'static [(&'static str, &'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let words = all.iter().map(|(word, help, _)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(words).try_map(|given| {
        let found = all.iter().find(|(word, ..)| *word == given);
        found.map(|(.., value)| *value).ok_or("no such word")
    })
}
