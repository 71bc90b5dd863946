//! One way in which the series of an expression can be: its labels, its values, and whether there is any.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::alerts::bounds::Bounds;
use crate::metric::labels::Labels;

/// Is there a series?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Where its selectors have one.
    Depends,
    Always,
    /// And why.
    Never(String),
}

/// What one label of a series is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    Is(String),
    /// It has some value.
    Some,
    /// It is not there.
    Missing,
    Open,
}

/// One way in which a series can come about.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The labels that it can have; none where that is any but those in `gone`.
    pub only: Option<BTreeSet<String>>,
    pub gone: BTreeSet<String>,
    pub fixed: BTreeMap<String, String>,
    /// Those that every series has that was scraped.
    pub some: BTreeSet<String>,
    pub bounds: Bounds,
    pub presence: Presence,
    /// Its value or the presence of others decides whether it is there.
    pub filtered: bool,
    /// It is there only where what stands left of its `or` is not.
    pub backup: bool,
    /// It is there only where a condition left of its `or` does not hold.
    pub otherwise: bool,
    /// It is what one of several rules may record: labels that it has not, others may have.
    pub is_example: bool,
    /// It stands for a recording rule that nobody here knows.
    pub elsewhere: Option<String>,
}

impl Shape {
    pub fn of(bounds: Bounds, presence: Presence) -> Self {
        Self {
            only: Some(BTreeSet::new()),
            gone: BTreeSet::new(),
            fixed: BTreeMap::new(),
            some: BTreeSet::new(),
            bounds,
            presence,
            filtered: false,
            backup: false,
            otherwise: false,
            is_example: false,
            elsewhere: None,
        }
    }

    /// What is known of a label.
    pub fn label(&self, name: &str) -> Known {
        let lacks = self.gone.contains(name) || self.only.as_ref().is_some_and(|only| !only.contains(name));
        match self.fixed.get(name) {
            Some(value) => Known::Is(value.clone()),
            None if lacks => Known::Missing,
            None if self.some.contains(name) => Known::Some,
            None => Known::Open,
        }
    }

    pub fn drop(&mut self, name: &str) {
        self.only.as_mut().map(|only| only.remove(name));
        self.gone.insert(name.to_owned());
        self.fixed.remove(name);
        self.some.remove(name);
    }

    pub fn add(&mut self, name: &str, value: Option<String>) {
        if let Some(only) = &mut self.only {
            only.insert(name.to_owned());
        }
        self.gone.remove(name);
        self.some.remove(name);
        match value {
            Some(value) => drop(self.fixed.insert(name.to_owned(), value)),
            None => drop(self.fixed.remove(name)),
        }
    }

    /// Only these labels are left, as far as they were there.
    pub fn keep(&mut self, names: &[String]) {
        let kept = names.iter().filter(|name| self.label(name) != Known::Missing).cloned().collect();
        self.fixed.retain(|name, _| names.contains(name));
        self.some.retain(|name| names.contains(name));
        self.only = Some(kept);
        self.gone.clear();
    }

    /// The labels that a rule adds, or puts in the place of others.
    pub fn relabel(&mut self, labels: &Labels) {
        for (name, value) in labels {
            match value.as_str() {
                "" => self.drop(name),
                value => self.add(name, (!value.contains("{{")).then(|| value.to_owned())),
            }
        }
    }

    pub fn never(mut self, why: String) -> Self {
        if !matches!(self.presence, Presence::Never(_)) {
            self.presence = Presence::Never(why);
        }
        self
    }

    pub fn is_never(&self) -> bool {
        matches!(self.presence, Presence::Never(_))
    }
}
