//! Alertmanager's configuration, as far as it says who is told: routes, receivers, inhibition
//! (<https://prometheus.io/docs/alerting/latest/configuration/>).

use std::collections::BTreeMap;

use crate::alert::matcher::Matcher;
use crate::check::alerts::shape::Known;
use crate::metric::labels::Labels;
use crate::text::yaml::{self, Fault, Node, Place};

/// Integrations that wake somebody, or can.
const PAGING: [&str; 8] =
    ["pagerduty", "opsgenie", "victorops", "pushover", "webhook", "sns", "incidentio", "telegram"];

#[derive(Debug, Clone)]
pub struct RoutingTree {
    pub root: Route,
    /// The integrations of each receiver; one without any tells nobody.
    pub receivers: BTreeMap<String, Vec<String>>,
    pub inhibit: Vec<InhibitRule>,
    /// What Alertmanager would refuse.
    pub faults: Vec<Fault>,
}

#[derive(Debug, Clone)]
pub struct Route {
    pub receiver: String,
    pub matchers: Vec<Matcher>,
    pub continues: bool,
    pub routes: Vec<Route>,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub struct InhibitRule {
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    pub equal: Vec<String>,
    pub place: Place,
}

/// What is known of one label of an alert.
pub type Label<'a> = &'a dyn Fn(&str) -> Known;

/// Who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Where every label that nobody knows is missing.
    pub receivers: Vec<String>,
    /// Who may be told instead, by what those labels are.
    pub perhaps: Vec<String>,
}

impl RoutingTree {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It is no YAML, or has no route.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let documents = yaml::read(text)?;
        let no_route = |place| Fault { place, message: "it has no `route`".into() };
        let root = &documents.first().ok_or_else(|| no_route(Place::default()))?.root;
        let mut faults = documents[0].repeated.clone();
        let mut receivers = BTreeMap::new();
        for node in root.get("receivers").map_or(&[][..], Node::items) {
            let name = node.get("name").and_then(Node::text).unwrap_or_default();
            let configured = node.entries().iter().filter(|(_, list)| !list.items().is_empty());
            let integrations =
                configured.filter_map(|(key, _)| key.name.strip_suffix("_configs").map(ToOwned::to_owned));
            if receivers.insert(name.to_owned(), integrations.collect()).is_some() {
                faults.push(Fault { place: node.place, message: format!("receiver `{name}` is given twice") });
            }
        }
        let route = root.get("route").filter(|route| !route.is_null()).ok_or_else(|| no_route(root.place))?;
        let root_route = read_route(route, "", &mut faults);
        let mut tree = Self { root: root_route, receivers, inhibit: Vec::new(), faults };
        for node in root.get("inhibit_rules").map_or(&[][..], Node::items) {
            let side = |side: &str, faults: &mut Vec<Fault>| {
                matchers(
                    node,
                    &[&format!("{side}_match")],
                    &[&format!("{side}_match_re")],
                    &format!("{side}_matchers"),
                    faults,
                )
            };
            let source = side("source", &mut tree.faults);
            let target = side("target", &mut tree.faults);
            let equal = node.get("equal").map_or(&[][..], Node::items);
            let equal = equal.iter().filter_map(Node::text).map(ToOwned::to_owned).collect();
            tree.inhibit.push(InhibitRule { source, target, equal, place: node.place });
        }
        let mut unknown = Vec::new();
        tree.root.walk(&mut |route| {
            if !tree.receivers.contains_key(&route.receiver) {
                let message = format!("a route names receiver `{}`, which is not defined", route.receiver);
                unknown.push(Fault { place: route.place, message });
            }
        });
        tree.faults.extend(unknown);
        Ok(tree)
    }

    /// The receivers of an alert with exactly these labels, in Alertmanager's order.
    pub fn receivers_of(&self, labels: &Labels) -> Vec<String> {
        let known = |name: &str| labels.get(name).map_or(Known::Missing, |value| Known::Is(value.clone()));
        self.told(&known).receivers
    }

    /// The receivers of an alert of which only some labels are known.
    pub fn told(&self, label: Label<'_>) -> Told {
        let mut told = Told::default();
        self.root.follow(label, &mut told.receivers, &mut told.perhaps);
        told
    }

    /// Does the receiver tell nobody?
    pub fn is_null(&self, receiver: &str) -> bool {
        self.receivers.get(receiver).is_none_or(Vec::is_empty)
    }

    /// Can the receiver wake somebody?
    pub fn pages(&self, receiver: &str, named: &[String]) -> bool {
        let integrations = self.receivers.get(receiver).map_or(&[][..], Vec::as_slice);
        named.iter().any(|name| name == receiver) || integrations.iter().any(|one| PAGING.contains(&one.as_str()))
    }

    /// Routes that a sibling before them leaves nothing for, with the place of that one.
    pub fn shadowed(&self) -> Vec<(Place, Place)> {
        let mut found = Vec::new();
        self.root.walk(&mut |route| {
            for (at, late) in route.routes.iter().enumerate() {
                let takes_all = |early: &&Route| {
                    !early.continues && early.matchers.iter().all(|matcher| late.matchers.contains(matcher))
                };
                found.extend(route.routes[..at].iter().find(takes_all).map(|early| (late.place, early.place)));
            }
        });
        found
    }
}

impl Route {
    fn walk(&self, look: &mut impl FnMut(&Self)) {
        look(self);
        self.routes.iter().for_each(|route| route.walk(look));
    }

    /// Adds who is told by this route; false where it does not match. What may match counts as not.
    fn follow(&self, label: Label<'_>, sure: &mut Vec<String>, perhaps: &mut Vec<String>) -> bool {
        match all_match(&self.matchers, label) {
            Some(true) => {}
            Some(false) => return false,
            None => {
                let mut instead = Vec::new();
                for route in &self.routes {
                    route.follow(label, &mut instead, perhaps);
                }
                perhaps.extend(instead);
                perhaps.push(self.receiver.clone());
                return false;
            }
        }
        let before = sure.len();
        for route in &self.routes {
            if route.follow(label, sure, perhaps) && !route.continues {
                break;
            }
        }
        if sure.len() == before {
            sure.push(self.receiver.clone());
        }
        true
    }
}

/// Do all matchers hold? None where a label that nobody knows decides.
pub fn all_match(matchers: &[Matcher], label: Label<'_>) -> Option<bool> {
    let mut sure = true;
    for matcher in matchers {
        match label(&matcher.name) {
            Known::Is(value) if !matcher.accepts(&value) => return Some(false),
            Known::Missing if !matcher.accepts("") => return Some(false),
            Known::Some if matcher.exact() == Some("") => return Some(false),
            Known::Is(_) | Known::Missing => {}
            Known::Some | Known::Open => sure = false,
        }
    }
    sure.then_some(true)
}

fn read_route(node: &Node, inherited: &str, faults: &mut Vec<Fault>) -> Route {
    let receiver = node.get("receiver").and_then(Node::text).unwrap_or(inherited).to_owned();
    let continues = node.get("continue").and_then(Node::text) == Some("true");
    let matchers = matchers(node, &["match"], &["match_re"], "matchers", faults);
    let routes = node.get("routes").map_or(&[][..], Node::items);
    let routes = routes.iter().map(|route| read_route(route, &receiver, faults)).collect();
    Route { receiver, matchers, continues, routes, place: node.place }
}

/// The three ways to write matchers.
fn matchers(node: &Node, exact: &[&str], regex: &[&str], lines: &str, faults: &mut Vec<Fault>) -> Vec<Matcher> {
    let mut all = Vec::new();
    for (keys, is_regex) in [(exact, false), (regex, true)] {
        for (key, value) in keys.iter().filter_map(|key| node.get(key)).flat_map(Node::entries) {
            let value = value.text().unwrap_or_default().to_owned();
            all.push(Matcher { name: key.name.clone(), value, is_regex, is_equal: true });
        }
    }
    let written = node
        .get(lines)
        .map_or(&[][..], |list| if list.text().is_some() { std::slice::from_ref(list) } else { list.items() });
    for line in written {
        match Matcher::parse_line(line.text().unwrap_or_default()) {
            Ok(matchers) => all.extend(matchers),
            Err(error) => faults.push(Fault { place: line.place, message: error.to_string() }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    pub const CONFIG: &str = "route:
  receiver: default
  routes:
  - match: {severity: none}
    receiver: 'null'
  - matchers: [ severity=\"critical\", team=~\"a|b\" ]
    receiver: pager
    continue: true
    routes:
    - matchers: [ 'team=\"b\"' ]
      receiver: b
  - match_re: {severity: critical|warning}
    receiver: chat
  - match_re: {severity: critical|warning}
    matchers: [ team = c ]
    receiver: shadow
receivers:
- name: default
  email_configs: [{to: a@b.c}]
- name: 'null'
- name: pager
  pagerduty_configs: [{}]
- name: b
  opsgenie_configs: [{}]
- name: chat
  slack_configs: [{}]
- name: shadow
  webhook_configs: []
";

    #[test]
    fn the_way_of_an_alert() {
        let tree = RoutingTree::read(CONFIG).unwrap();
        assert!(tree.faults.is_empty(), "{:?}", tree.faults);
        for (labels, want) in [
            (&[][..], &["default"][..]),
            (&[("severity", "none")], &["null"]),
            (&[("severity", "critical")], &["chat"]),
            (&[("severity", "critical"), ("team", "a")], &["pager", "chat"]),
            (&[("severity", "critical"), ("team", "b")], &["b", "chat"]),
            (&[("severity", "warning"), ("team", "c")], &["chat"]),
            (&[("severity", "criticalx")], &["default"]),
        ] {
            let labels: Labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            assert_eq!(tree.receivers_of(&labels), want, "{labels:?}");
        }
        let open = |name: &str| match name {
            "severity" => Known::Is("critical".into()),
            _ => Known::Open,
        };
        let told = tree.told(&open);
        assert_eq!((told.receivers, told.perhaps), (vec!["chat".to_owned()], vec!["b".to_owned(), "pager".into()]));
        assert_eq!(tree.shadowed().len(), 1);
        assert!(tree.is_null("null") && tree.is_null("shadow") && !tree.is_null("chat"));
        assert!(tree.pages("pager", &[]) && !tree.pages("chat", &[]) && tree.pages("chat", &["chat".into()]));
    }

    #[test]
    fn what_alertmanager_refuses() {
        for (text, want) in [
            ("receivers: []", "it has no `route`"),
            ("route: {receiver: x}\nreceivers: []", "receiver `x`, which is not defined"),
            ("route: {receiver: x, routes: [{matchers: [nothing]}]}\nreceivers: [{name: x}]", "is no matcher"),
            (
                "route: {receiver: x, routes: [{matchers: ['a=~\"(\"']}]}\nreceivers: [{name: x}]",
                "no regular expression",
            ),
            ("route: {receiver: x}\nreceivers: [{name: x}, {name: x}]", "given twice"),
        ] {
            let faults = RoutingTree::read(text).map_or_else(|fault| vec![fault], |tree| tree.faults);
            assert!(faults.iter().any(|fault| fault.message.contains(want)), "{text}: {faults:?}");
        }
    }
}
