//! All rules that are checked together, and what is known of the place where they run.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::check::alerts::file::{RuleFile, RuleGroup, WrittenRule};
use crate::check::alerts::infer::shapes;
use crate::check::alerts::shape::Shape;
use crate::check::alerts::words::has_owner;
use crate::metric::labels::Labels;

/// What is known of the place where the rules run.
#[derive(Debug, Clone)]
pub struct Setting {
    pub scrape_interval: Duration,
    /// Where groups do not say it.
    pub evaluation_interval: Duration,
    /// How long samples are kept; none where nobody knows.
    pub retention: Option<Duration>,
    /// Words that `severity` may have.
    pub severities: Vec<String>,
    /// Are these all rules that run there, so that what none of them records is recorded nowhere?
    pub is_complete: bool,
    /// What each metric is, as its exporter says: `counter`, `gauge` … Empty where nobody was asked.
    pub types: BTreeMap<String, String>,
    pub external_labels: Labels,
    /// What the server records; none where it was not asked.
    pub recorded_elsewhere: Option<BTreeSet<String>>,
}

impl Default for Setting {
    fn default() -> Self {
        let words = "critical high medium low warning info none page ticket notice error fatal emergency major minor p0 p1 p2 p3 \
             p4 p5 s1 s2 s3 s4 s5 sev0 sev1 sev2 sev3 sev4 sev5";
        Self {
            scrape_interval: Duration::from_secs(15),
            evaluation_interval: Duration::from_secs(60),
            retention: None,
            severities: words.split(' ').map(ToOwned::to_owned).collect(),
            is_complete: false,
            types: BTreeMap::new(),
            external_labels: Labels::new(),
            recorded_elsewhere: None,
        }
    }
}

/// A rule with its group.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    pub rule: &'a WrittenRule,
    pub group: &'a RuleGroup,
    /// Its place among the rules of its group.
    pub index: usize,
}

#[derive(Debug)]
pub struct RuleSet<'a> {
    pub setting: &'a Setting,
    pub rules: Vec<Placed<'a>>,
    recording: BTreeMap<&'a str, Vec<Placed<'a>>>,
    owners: OnceCell<bool>,
    /// None while they are being looked at.
    known: RefCell<BTreeMap<String, Option<Vec<Shape>>>>,
}

impl<'a> RuleSet<'a> {
    pub fn new(files: &'a [RuleFile], setting: &'a Setting) -> Self {
        let mut rules = Vec::new();
        let mut recording: BTreeMap<&str, Vec<Placed<'a>>> = BTreeMap::new();
        for group in files.iter().flat_map(|file| &file.groups) {
            for (index, rule) in group.rules.iter().enumerate() {
                let placed = Placed { rule, group, index };
                rules.push(placed);
                if !rule.is_alert {
                    recording.entry(&rule.name).or_default().push(placed);
                }
            }
        }
        Self { setting, rules, recording, owners: OnceCell::new(), known: RefCell::default() }
    }

    pub fn alerts(&self) -> impl Iterator<Item = Placed<'a>> {
        self.rules.iter().copied().filter(|placed| placed.rule.is_alert)
    }

    /// Does any alert say whose it is?
    pub fn has_owners(&self) -> bool {
        *self.owners.get_or_init(|| self.alerts().any(|placed| has_owner(placed.rule)))
    }

    /// The rules that record a metric.
    pub fn recording(&self, name: &str) -> &[Placed<'a>] {
        self.recording.get(name).map_or(&[], Vec::as_slice)
    }

    /// Does any of them record anything?
    pub fn records(&self) -> bool {
        !self.recording.is_empty()
    }

    /// What a recorded metric is; none where no rule here records it, or one that cannot be read.
    pub fn recorded(&self, name: &str) -> Option<Vec<Shape>> {
        let rules = self.recording.get(name)?;
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        self.known.borrow_mut().insert(name.to_owned(), None);
        let of_rule = |placed: &Placed<'_>| {
            let mut all = shapes(placed.rule.tree.as_ref()?, &|name| self.recorded_for(placed.rule, name));
            for shape in &mut all {
                shape.relabel(&placed.rule.labels);
            }
            Some(all)
        };
        let all: Option<Vec<Vec<Shape>>> = rules.iter().map(of_rule).collect();
        let all = all.map(|all| all.into_iter().flatten().collect::<Vec<Shape>>());
        self.known.borrow_mut().insert(name.to_owned(), all.clone());
        all
    }

    /// What a recorded metric is to a rule. Another file of rules may belong to another server, where others record the
    /// same metric, too.
    fn recorded_for(&self, rule: &WrittenRule, name: &str) -> Option<Vec<Shape>> {
        let mut all = self.recorded(name)?;
        let is_here = self.setting.is_complete || self.recording(name).iter().any(|one| one.rule.file == rule.file);
        if !is_here {
            all.iter_mut().for_each(|shape| shape.is_example = true);
        }
        Some(all)
    }

    /// What the expression of a rule can be; nothing where it cannot be read.
    pub fn shapes(&self, rule: &WrittenRule) -> Vec<Shape> {
        rule.tree.as_ref().map(|tree| shapes(tree, &|name| self.recorded_for(rule, name))).unwrap_or_default()
    }

    /// The metrics that an expression names, with those that recording rules make them of.
    pub fn sources(&self, rule: &WrittenRule) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut rest: Vec<&WrittenRule> = vec![rule];
        while let Some(rule) = rest.pop() {
            for selector in rule.tree.iter().flat_map(crate::metric::promql::Expr::selectors) {
                let Some(name) = selector.metric() else { continue };
                if names.insert(name.to_owned()) {
                    rest.extend(self.recording(name).iter().map(|placed| placed.rule));
                }
            }
        }
        names
    }
}
