//! K15 and K16: what a pod reads, and what stands in its environment.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::node::Node;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::secrets::{is_secret, is_value, may_be};
use crate::check::manifest::workload::{Container, Workload};
use crate::text::suggest::nearest;

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    for container in workload.containers() {
        environment(workload, &container, out);
    }
    references(scene, workload, out);
}

fn environment(workload: &Workload<'_>, container: &Container<'_>, out: &mut Outcomes) {
    let subject = workload.label_of(container);
    let mut seen: Vec<&str> = Vec::new();
    let mut sound = true;
    for variable in container.node["env"].items() {
        let name = variable["name"].text().unwrap_or_default();
        if seen.contains(&name) {
            sound = false;
            let why = format!("`{name}` is set twice; the last one counts, and a patch may change the other");
            let finding = workload.object.finding("K16", Level::High, &subject, variable.line, why);
            out.fail(workload.object, finding.fix("keep one").evidence(format!("env.{name}")));
        }
        seen.push(name);
        let value = variable["value"].text().unwrap_or_default();
        if is_value(value) || (is_secret(name) && may_be(value)) {
            sound = false;
            let why = format!("`{name}` looks like a secret, and its value stands in the manifest");
            let finding = workload.object.finding("K16", Level::High, &subject, variable.line_of("value"), why);
            let fix = "read it with `valueFrom.secretKeyRef`, and change the secret: it is in git";
            out.fail(workload.object, finding.fix(fix).evidence(format!("env.{name}.value")));
        }
    }
    for argument in ["command", "args"].iter().flat_map(|key| container.node[*key].items()) {
        let text = argument.text().unwrap_or_default();
        let Some((name, value)) = text.strip_prefix("--").and_then(|text| text.split_once('=')) else { continue };
        if is_secret(name) && may_be(value) && !value.contains('/') {
            sound = false;
            let why = format!("`--{name}` looks like a secret, and everybody on the node can read arguments");
            let finding = workload.object.finding("K16", Level::High, &subject, argument.line, why);
            let fix = "pass it by a file or an environment variable from a Secret";
            out.fail(workload.object, finding.fix(fix).evidence(format!("args --{name}")));
        }
    }
    if sound {
        out.pass("K16");
    }
}

/// Something that a pod needs to start.
struct Need<'a> {
    kind: &'static str,
    name: &'a str,
    key: Option<&'a str>,
    line: usize,
}

fn need<'a>(kind: &'static str, node: &'a Node, name: &str, all: &mut Vec<Need<'a>>) {
    if node["optional"].is_true() {
        return;
    }
    if let Some(text) = node[name].text() {
        all.push(Need { kind, name: text, key: node["key"].text(), line: node.line });
    }
}

fn needs<'a>(workload: &Workload<'a>) -> Vec<Need<'a>> {
    let mut all = Vec::new();
    for container in workload.containers() {
        for source in container.node["envFrom"].items() {
            need("ConfigMap", &source["configMapRef"], "name", &mut all);
            need("Secret", &source["secretRef"], "name", &mut all);
        }
        for variable in container.node["env"].items() {
            need("ConfigMap", &variable["valueFrom"]["configMapKeyRef"], "name", &mut all);
            need("Secret", &variable["valueFrom"]["secretKeyRef"], "name", &mut all);
        }
    }
    for volume in workload.pod["volumes"].items() {
        need("ConfigMap", &volume["configMap"], "name", &mut all);
        need("Secret", &volume["secret"], "secretName", &mut all);
        need("PersistentVolumeClaim", &volume["persistentVolumeClaim"], "claimName", &mut all);
        for source in volume["projected"]["sources"].items() {
            need("ConfigMap", &source["configMap"], "name", &mut all);
            need("Secret", &source["secret"], "name", &mut all);
        }
    }
    if let Some(name) = workload.pod["serviceAccountName"].text().filter(|name| *name != "default") {
        let line = workload.pod.line_of("serviceAccountName");
        all.push(Need { kind: "ServiceAccount", name, key: None, line });
    }
    all
}

fn references(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    let mut missing: Vec<String> = Vec::new();
    for need in needs(workload) {
        let known: Vec<_> = scene.all.of_kind(need.kind).filter(|object| object.is_beside(workload.object)).collect();
        let Some(object) = known.iter().find(|object| object.name == need.name) else {
            let what = format!("{} `{}`", need.kind, need.name);
            let near = nearest(need.name, known.iter().map(|object| object.name.as_str()));
            // What may well be another object is not called a slip.
            let near = near.filter(|near| strsim::damerau_levenshtein(near, need.name) <= 2);
            if let Some(near) = near {
                let why = format!("{what} does not exist here; did you mean `{near}`?");
                let finding = workload.object.finding("K15", Level::High, workload.label(), need.line, why);
                out.fail(workload.object, finding.fix(format!("write `{near}`, or add it")).evidence(what));
            } else if !missing.contains(&what) {
                missing.push(what);
            }
            continue;
        };
        let data = ["data", "stringData", "binaryData"];
        let holds =
            |key: &str| data.iter().any(|part| object.root[*part].entries().iter().any(|(own, _)| own.name == key));
        let finding = need.key.filter(|key| object.file.is_some() && !holds(key)).map(|key| {
            let why = format!("{} `{}` has no key `{key}`: the pod does not start", need.kind, need.name);
            let finding = workload.object.finding("K15", Level::High, workload.label(), need.line, why);
            finding.fix("correct the key, or mark it `optional: true`").evidence(format!("{}.{key}", need.name))
        });
        out.judge(workload.object, "K15", finding);
    }
    if !missing.is_empty() {
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let why =
            format!("{} {verb} not among the manifests; whether the cluster has it is not known", missing.join(", "));
        out.unknown("K15", workload.label(), why);
    }
}
