//! S07 and S08: network policies, and secrets in manifests.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::object::Manifests;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::secrets::{is_secret, is_value, may_be};
use crate::check::manifest::workload::Workload;

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    let policies = scene.selecting("NetworkPolicy", "podSelector", workload);
    let covers = |kind: &str, rules: &str| {
        policies.iter().any(|policy| {
            let types = policy.root["spec"]["policyTypes"].items();
            // Where no type is said, it is about what comes in, and about what goes out where rules say so.
            let is_usual = types.is_empty() && (kind == "Ingress" || !policy.root["spec"][rules].is_null());
            is_usual || types.iter().any(|one| one.text() == Some(kind))
        })
    };
    let why = match (covers("Ingress", "ingress"), covers("Egress", "egress")) {
        (true, true) => None,
        (false, false) => Some("no NetworkPolicy selects its pods: every pod of the cluster may talk to them"),
        (false, true) => Some("no NetworkPolicy says who may talk to its pods"),
        (true, false) => Some("no NetworkPolicy says whom its pods may talk to"),
    };
    let finding = why.map(|why| {
        let finding = workload.object.finding("S07", Level::Low, workload.label(), workload.object.root.line, why);
        finding.fix("add one that names who may").evidence("NetworkPolicy")
    });
    out.judge(workload.object, "S07", finding);
}

pub(super) fn secrets(all: &Manifests, out: &mut Outcomes) {
    // What a cluster has is its own; what lies in a file is in git.
    for object in all.objects.iter().filter(|object| object.file.is_some()) {
        let kind = object.kind.as_str();
        if !matches!(kind, "Secret" | "ConfigMap") || !object.group().is_empty() {
            continue;
        }
        let parts = ["data", "stringData"].iter().flat_map(|part| object.root[*part].entries());
        let mut bad = Vec::new();
        for (key, value) in parts {
            let text = value.text().unwrap_or_default();
            let is_bad = match kind {
                "Secret" => !text.trim().is_empty() && !is_reference(text),
                _ => is_value(text) || (is_secret(&key.name) && may_be(text)),
            };
            if is_bad {
                bad.push((key.name.as_str(), key.line));
            }
        }
        let public = kind == "Secret" && object.root["type"].text() == Some("kubernetes.io/service-account-token");
        let Some((_, line)) = bad.first().filter(|_| !public) else {
            out.pass("S08");
            continue;
        };
        let names: Vec<&str> = bad.iter().map(|(name, _)| *name).collect();
        let why = match kind {
            "Secret" => {
                format!("it holds {} for everybody who can read the repository: base64 hides nothing", names.join(", "))
            }
            _ => format!(
                "{} looks like a secret, and ConfigMaps are open to all who can read the namespace",
                names.join(", ")
            ),
        };
        let fix = "keep it in a secret store (External Secrets, Sealed Secrets, SOPS), and change it: it is in git";
        let finding = object.finding("S08", Level::Blocker, object.label(), *line, why);
        out.fail(object, finding.fix(fix).evidence(format!("{kind}.data")));
    }
}

/// Text that is replaced before it is applied, or that is encrypted.
fn is_reference(text: &str) -> bool {
    text.contains("${") || text.starts_with("ENC[") || text.starts_with('<') && text.ends_with('>')
}
