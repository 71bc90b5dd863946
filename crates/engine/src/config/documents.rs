//! Where documents are kept and what they are made from: runbooks, templates, the journal of deployments, and the
//! status pages of what the game depends on. Paths are relative to the project's folder.

use crate::config::decode::{Problems, Section};
use crate::config::node::Node;
use crate::config::trust::Place;
use liveops_domain::runbook::Purpose;

/// Settings of the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// Laid out as the shipped `templates/`; what is there is used instead.
    pub templates: Option<Place>,
    /// Runbooks: scenarios at its top, alerts below `alerts`.
    pub runbooks: Place,
    /// The sections that runbooks of an alert and of a scenario must have.
    pub sections: [Vec<String>; 2],
    /// Files or folders with Prometheus' alerting rules.
    pub rules: Vec<Place>,
    /// Journal of `changes record`.
    pub deployments: Place,
    /// Outside systems with a status page.
    pub dependencies: Vec<Dependency>,
}

/// An outside system that the game needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub name: String,
    /// Its status page: Statuspage's `/api/v2/status.json`, or any URL of which 200 means well.
    pub url: String,
}

impl Documents {
    /// The sections that a runbook of this purpose must have.
    pub fn sections_of(&self, purpose: Purpose) -> &[String] {
        match purpose {
            Purpose::Alert => &self.sections[0],
            Purpose::Scenario => &self.sections[1],
        }
    }
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            templates: None,
            runbooks: Place::usual("runbooks", "docs/runbooks"),
            sections: [Purpose::Alert, Purpose::Scenario]
                .map(|purpose| purpose.sections().iter().map(|section| (*section).to_owned()).collect()),
            rules: Vec::new(),
            deployments: Place::usual("the journal of deployments", "changes/deployments.jsonl"),
            dependencies: Vec::new(),
        }
    }
}

/// Reads `templates`, `runbooks`, `changes` and `dependencies`.
pub fn decode(top: &mut Section<'_>, problems: &mut Problems) -> Documents {
    let mut documents = Documents { templates: top.place("templates", "templates", problems), ..Documents::default() };
    if let Some(node) = top.get("runbooks") {
        let mut section = Section::open(node, "runbooks", problems);
        if let Some(folder) = section.place("folder", "runbooks", problems) {
            documents.runbooks = folder;
        }
        documents.rules =
            section.list("rules", problems).iter().filter_map(|item| Place::of("alerting rules", item)).collect();
        if let Some(node) = section.get("sections") {
            let mut sections = Section::open(node, "runbooks.sections", problems);
            for (place, purpose) in [Purpose::Alert, Purpose::Scenario].iter().enumerate() {
                if sections.get(purpose.word()).is_some() {
                    let names = sections.list(purpose.word(), problems);
                    documents.sections[place] =
                        names.iter().filter_map(|name| name.text().map(str::to_lowercase)).collect();
                }
            }
            sections.finish(problems);
        }
        section.finish(problems);
    }
    if let Some(node) = top.get("changes") {
        let mut section = Section::open(node, "changes", problems);
        if let Some(journal) = section.place("journal", "the journal of deployments", problems) {
            documents.deployments = journal;
        }
        section.finish(problems);
    }
    for (index, node) in top.list("dependencies", problems).iter().enumerate() {
        documents.dependencies.extend(dependency(node, index, problems));
    }
    documents
}

fn dependency(node: &Node, index: usize, problems: &mut Problems) -> Option<Dependency> {
    let mut section = Section::open(node, format!("dependencies[{index}]"), problems);
    let name = section.text("name", problems);
    let url = section.parse("url", problems, |text| {
        let sound = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if sound { Ok(text.to_owned()) } else { Err(format!("`{text}` is not an http or https URL")) }
    });
    section.require("name", name.is_some(), problems);
    section.require("url", url.is_some(), problems);
    section.finish(problems);
    Some(Dependency { name: name?, url: url? })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::node::Layer;
    use crate::config::yaml::parse;

    fn read(yaml: &str) -> (Documents, Vec<String>) {
        let layer = Rc::new(Layer::Project("liveops.yaml".into()));
        let root = parse(yaml, &layer).expect("valid").root;
        let mut problems = Problems::default();
        let mut top = Section::open(&root, "", &mut problems);
        let documents = decode(&mut top, &mut problems);
        let errors = problems.errors.iter().map(ToString::to_string);
        (documents, errors.collect())
    }

    #[test]
    fn everything_has_a_default_and_slips_are_named() {
        assert_eq!(read("{}").0, Documents::default());
        let (documents, errors) = read(
            "templates: t\nrunbooks: { folder: r, rules: [a.yml, b] }\nchanges: { journal: d.jsonl }\ndependencies: [{ name: psn, url: 'https://status.example' }]",
        );
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(documents.templates.map(|place| place.path), Some("t".into()));
        assert_eq!(documents.rules.len(), 2);
        assert_eq!(documents.dependencies[0].name, "psn");
        for (yaml, want) in [
            ("runbooks: { foldr: x }", "did you mean `folder`?"),
            ("dependencies: [{ name: a, url: ftp://h }]", "not an http or https URL"),
            ("dependencies: [{ url: 'http://h' }]", "`name` is missing"),
        ] {
            let errors = read(yaml).1.join("\n");
            assert!(errors.contains(want), "{yaml}: {errors}");
        }
    }
}
