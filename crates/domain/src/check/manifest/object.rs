//! Objects of Kubernetes as they stand in files, or as a cluster has them.

use std::rc::Rc;

use chrono::NaiveDate;

use crate::check::manifest::node::{self, Node};
use crate::check::waiver::Waived;

/// An object, and where it is written.
#[derive(Debug, Clone)]
pub struct Object {
    pub file: Option<Rc<str>>,
    pub root: Node,
    pub version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

impl Object {
    fn of(root: Node, file: Option<Rc<str>>) -> Option<Self> {
        let (version, kind) = (root["apiVersion"].text()?.to_owned(), root["kind"].text()?.to_owned());
        let meta = &root["metadata"];
        let name = meta["name"].text().or_else(|| meta["generateName"].text()).unwrap_or_default().to_owned();
        let namespace = meta["namespace"].text().unwrap_or_default().to_owned();
        Some(Self { version, kind, name, namespace, file, root })
    }

    /// `Deployment/game`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// The group of its kind; empty for the core.
    pub fn group(&self) -> &str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }

    /// What the annotation `liveops.dev/waive` accepts: `K07 owner=ana until=2027-01-31 one room a process`, several
    /// parted by `;`. What lacks a part is said.
    pub fn waivers(&self) -> Vec<(&str, Result<Waived, String>)> {
        let text = self.root["metadata"]["annotations"]["liveops.dev/waive"].text().unwrap_or_default();
        text.split([';', '\n'])
            .filter_map(|part| part.trim().split_once(' '))
            .map(|(id, rest)| (id, waiver(rest)))
            .collect()
    }

    /// Are both in one namespace, as far as that is said?
    pub fn is_beside(&self, other: &Self) -> bool {
        self.namespace == other.namespace || self.namespace.is_empty() || other.namespace.is_empty()
    }
}

fn waiver(text: &str) -> Result<Waived, String> {
    let (mut owner, mut until, mut reason) = (String::new(), None, Vec::new());
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("owner", name)) => owner = name.to_owned(),
            Some(("until", day)) => until = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok(),
            _ => reason.push(word),
        }
    }
    match until.filter(|_| !owner.is_empty() && !reason.is_empty()) {
        Some(until) => Ok(Waived { owner, reason: reason.join(" "), until }),
        None => Err("lacks `owner=NAME`, `until=2027-01-31` or a reason".into()),
    }
}

/// A text of which no object could be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    pub file: String,
    pub line: usize,
    pub message: String,
    /// It is a template, which is rendered before it is applied.
    pub is_template: bool,
}

/// All that is looked at.
#[derive(Debug, Default)]
pub struct Manifests {
    pub objects: Vec<Object>,
    pub unread: Vec<Unread>,
    /// Texts that were read.
    pub files: usize,
    /// A cluster or a render says all there is; loose files may be a part.
    pub is_whole: bool,
}

impl Manifests {
    /// Reads a text of YAML or JSON; documents that are no objects of Kubernetes are passed over.
    pub fn read(&mut self, file: &str, text: &str) {
        let name: Rc<str> = file.into();
        match node::parse(text) {
            Ok(documents) => {
                let before = self.objects.len();
                documents.into_iter().for_each(|root| self.take(root, Some(&name)));
                self.files += usize::from(self.objects.len() > before);
            }
            Err(broken) => {
                let is_template = text.contains("{{") || text.contains("<%=");
                // Other YAML of a repository, such as a chart's values, is none of ours.
                if is_template || (text.contains("apiVersion:") && text.contains("kind:")) {
                    self.unread.push(Unread {
                        file: file.to_owned(),
                        line: broken.line,
                        message: broken.message,
                        is_template,
                    });
                }
            }
        }
    }

    /// What a cluster has.
    pub fn add(&mut self, value: &serde_json::Value) {
        self.take(Node::of_json(value), None);
    }

    fn take(&mut self, root: Node, file: Option<&Rc<str>>) {
        if root["kind"].text().is_some_and(|kind| kind.ends_with("List")) && !root["items"].items().is_empty() {
            for item in root["items"].items() {
                self.take(item.clone(), file);
            }
            return;
        }
        self.objects.extend(Object::of(root, file.cloned()));
    }

    /// The objects of a kind, whatever its version.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().filter(move |object| object.kind == kind)
    }
}
