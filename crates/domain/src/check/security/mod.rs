//! What opens a door: manifests, certificates, liveops' own configuration, signals.

pub mod certificate;
mod network;
mod pods;
mod roles;
pub mod signals;

use chrono::{DateTime, Utc};

use crate::check::finding::RuleInfo;
use crate::check::manifest::links::Scene;
use crate::check::manifest::object::Manifests;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::schema;
use crate::check::security::certificate::{Certificate, base64};

/// Every rule, in order.
pub const RULES: &[RuleInfo] = &[
    RuleInfo { id: "K01", title: "A manifest can be read", why: "What cannot be read is not judged." },
    RuleInfo {
        id: "S01",
        title: "Pods are kept apart from their node",
        why: "Privileged containers, the host's namespaces and its files make a break into one pod a break into the node.",
    },
    RuleInfo {
        id: "S02",
        title: "No privileges are gained",
        why: "Capabilities and setuid programs are what an attacker in a container looks for first.",
    },
    RuleInfo { id: "S03", title: "Not root", why: "Root in a container is root on the node once it gets out." },
    RuleInfo {
        id: "S04",
        title: "Read-only root, seccomp, masked /proc",
        why: "What cannot be written cannot be replaced; what cannot be called cannot be misused.",
    },
    RuleInfo {
        id: "S05",
        title: "No token that nobody needs",
        why: "The token of a service account lets whoever gets into the pod talk to the API server.",
    },
    RuleInfo {
        id: "S06",
        title: "Roles are narrow",
        why: "Wildcards, secrets, exec and bind lead from one pod to the whole cluster.",
    },
    RuleInfo { id: "S07", title: "A network policy", why: "Without one every pod may talk to every other." },
    RuleInfo {
        id: "S08",
        title: "No secret in a manifest",
        why: "What is in git is known to everybody who ever cloned it.",
    },
    RuleInfo {
        id: "T01",
        title: "Certificates are valid",
        why: "A certificate that ends takes every client with it at one moment, at night.",
    },
    RuleInfo { id: "T02", title: "Keys and signatures are strong", why: "Short keys and SHA-1 can be forged." },
    RuleInfo { id: "L01", title: "liveops' configuration holds no secret", why: "It is in git." },
    RuleInfo {
        id: "L02",
        title: "Credentials travel encrypted",
        why: "Over plain http everybody on the way reads them.",
    },
    RuleInfo {
        id: "L03",
        title: "Files of liveops are the user's own",
        why: "Others on the machine could read or change them.",
    },
    RuleInfo { id: "L04", title: "The audit log is whole", why: "A record that was changed proves nothing." },
    RuleInfo {
        id: "G01",
        title: "Security signals are within their limits",
        why: "Failed logins and rate-limit violations come before a break-in.",
    },
];

/// S01 to S08, and K01 for what cannot be read.
pub fn manifests(all: &Manifests, out: &mut Outcomes) {
    schema::unread(all, "liveops check security", out);
    let scene = Scene::of(all);
    for workload in &scene.workloads {
        pods::judge(&scene, workload, out);
        network::judge(&scene, workload, out);
    }
    roles::judge(&scene, out);
    network::secrets(all, out);
    out.found.checked("objects", all.objects.len());
    out.found.checked("workloads", scene.workloads.len());
}

/// The certificates that lie in manifests.
pub fn certificates(all: &Manifests, now: DateTime<Utc>, out: &mut Outcomes) {
    for secret in all.of_kind("Secret") {
        let plain = secret.root["stringData"]["tls.crt"].text().map(ToOwned::to_owned);
        let decoded = || {
            let text = secret.root["data"]["tls.crt"].text()?;
            String::from_utf8(base64(text)?).ok()
        };
        let Some(pem) = plain.or_else(decoded) else { continue };
        let chain = Certificate::read_pem(&pem);
        for (at, certificate) in chain.iter().enumerate() {
            let root = at > 0 && certificate.self_signed;
            for finding in certificate.judge(&secret.label(), root, now) {
                let line = secret.root["data"].line_of("tls.crt").max(secret.root["stringData"].line_of("tls.crt"));
                let finding = match &secret.file {
                    Some(file) => finding.at(&**file, line),
                    None => finding,
                };
                out.fail(secret, finding);
            }
        }
    }
}

#[cfg(test)]
mod tests;
