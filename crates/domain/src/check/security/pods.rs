//! S01 to S05: what pods and containers may do. Pod Security "restricted", and a read-only root.

use crate::check::finding::{Finding, Level};
use crate::check::manifest::links::Scene;
use crate::check::manifest::node::Node;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::workload::{Container, Workload};

/// Paths of the node that are the node.
const DANGEROUS: [&str; 9] = ["/", "/etc", "/proc", "/var/run", "/run", "/root", "/var/lib/kubelet", "/boot", "/dev"];

/// What container runtimes give.
const DEFAULTS: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Sysctls that touch the pod alone (Pod Security Standards).
const SAFE_SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    host(workload, out);
    sysctls(workload, out);
    token(scene, workload, out);
    for container in workload.containers() {
        isolation(workload, &container, out);
        privileges(workload, &container, out);
        user(workload, &container, out);
        hardening(workload, &container, out);
    }
}

/// A member of a container's security context, else of the pod's.
fn inherited<'a>(workload: &Workload<'a>, container: &Container<'a>, key: &str) -> &'a Node {
    let own = &container.node["securityContext"][key];
    if own.is_null() { &workload.pod["securityContext"][key] } else { own }
}

fn host(workload: &Workload<'_>, out: &mut Outcomes) {
    let object = workload.object;
    let mut found: Vec<Finding> = Vec::new();
    for (key, what) in [("hostNetwork", "network"), ("hostPID", "processes"), ("hostIPC", "shared memory")] {
        if workload.pod[key].is_true() {
            let why = format!("it shares the {what} of its node");
            let finding = object.finding("S01", Level::High, workload.label(), workload.pod.line_of(key), why);
            found.push(finding.fix(format!("leave `{key}` out")).evidence(key));
        }
    }
    if workload.pod["securityContext"]["windowsOptions"]["hostProcess"].is_true() {
        let why = "it runs as a process of its node";
        let line = workload.pod.line_of("securityContext");
        found.push(object.finding("S01", Level::High, workload.label(), line, why).evidence("hostProcess"));
    }
    for volume in workload.pod["volumes"].items() {
        let Some(path) = volume["hostPath"]["path"].text().filter(|path| !path.is_empty()) else { continue };
        let bare = if path == "/" { path } else { path.trim_end_matches('/') };
        let is_socket = bare.ends_with(".sock");
        let level = if is_socket || DANGEROUS.contains(&bare) { Level::Blocker } else { Level::High };
        let why = format!("it mounts `{path}` of its node");
        let finding = object.finding("S01", level, workload.label(), volume["hostPath"].line, why);
        let fix = "use a PersistentVolumeClaim, an emptyDir or a ConfigMap";
        found.push(finding.fix(fix).evidence(if is_socket { "hostPath socket" } else { "hostPath" }));
    }
    if found.is_empty() {
        out.pass("S01");
    }
    found.into_iter().for_each(|finding| out.fail(object, finding));
}

fn isolation(workload: &Workload<'_>, container: &Container<'_>, out: &mut Outcomes) {
    let context = &container.node["securityContext"];
    let object = workload.object;
    let subject = workload.label_of(container);
    if context["privileged"].is_true() {
        let why = "it is privileged: it can do everything that root on the node can";
        let finding = object.finding("S01", Level::Blocker, &subject, context.line_of("privileged"), why);
        out.fail(
            object,
            finding.fix("leave `privileged` out, and add the one capability that it needs").evidence("privileged"),
        );
    }
    if context["windowsOptions"]["hostProcess"].is_true() {
        let why = "it runs as a process of its node";
        out.fail(object, object.finding("S01", Level::High, &subject, context.line, why).evidence("hostProcess"));
    }
    for port in container.node["ports"].items() {
        if let Some(number) = port["hostPort"].int().filter(|number| *number != 0) {
            let why = format!("it takes port {number} of its node, past every Service and policy");
            let finding = object.finding("S01", Level::High, &subject, port.line_of("hostPort"), why);
            out.fail(object, finding.fix("use a Service").evidence("hostPort"));
        }
    }
}

fn has(list: &Node, name: &str) -> bool {
    let bare = |text: &str| text.to_uppercase().trim_start_matches("CAP_").to_owned();
    list.items().iter().filter_map(Node::text).any(|text| bare(text) == name)
}

fn privileges(workload: &Workload<'_>, container: &Container<'_>, out: &mut Outcomes) {
    let context = &container.node["securityContext"];
    let object = workload.object;
    let subject = workload.label_of(container);
    let line = if context.is_null() { container.node.line } else { context.line };
    let mut found: Vec<Finding> = Vec::new();
    if context["allowPrivilegeEscalation"].boolean() != Some(false) {
        let why = "it may gain privileges that it did not start with";
        let finding = object.finding("S02", Level::High, &subject, line, why);
        found.push(
            finding.fix("set `securityContext.allowPrivilegeEscalation: false`").evidence("allowPrivilegeEscalation"),
        );
    }
    let capabilities = &context["capabilities"];
    if !has(&capabilities["drop"], "ALL") {
        let (level, why, field) = match DEFAULTS.iter().all(|name| has(&capabilities["drop"], name)) {
            true => (
                Level::Low,
                "it drops each default capability by name; those of tomorrow it keeps",
                "capabilities.drop by name",
            ),
            false => (Level::High, "it keeps default capabilities, such as NET_RAW", "capabilities.drop"),
        };
        let finding = object.finding("S02", level, &subject, line, why);
        found.push(finding.fix("set `securityContext.capabilities.drop: [ALL]`").evidence(field));
    }
    let added: Vec<&str> = capabilities["add"]
        .items()
        .iter()
        .filter_map(Node::text)
        .filter(|name| name.to_uppercase().trim_start_matches("CAP_") != "NET_BIND_SERVICE")
        .collect();
    if !added.is_empty() {
        let why = format!("it adds {}", added.join(", "));
        let powerful = ["ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE"];
        let is_powerful = powerful.iter().any(|name| has(&capabilities["add"], name));
        let (level, field) = match is_powerful {
            true => (Level::Blocker, "capabilities.add dangerous"),
            false => (Level::High, "capabilities.add"),
        };
        let finding = object.finding("S02", level, &subject, capabilities.line_of("add"), why);
        found.push(finding.fix("add nothing but NET_BIND_SERVICE").evidence(field));
    }
    if found.is_empty() {
        out.pass("S02");
    }
    found.into_iter().for_each(|finding| out.fail(object, finding));
}

fn user(workload: &Workload<'_>, container: &Container<'_>, out: &mut Outcomes) {
    let (non_root, user) =
        (inherited(workload, container, "runAsNonRoot"), inherited(workload, container, "runAsUser"));
    let is_root = user.int() == Some(0);
    let is_other = user.int().is_some_and(|id| id > 0);
    let why = match (non_root.is_true(), is_root, is_other) {
        (true, true, _) => Some("it must not be root, and its user is 0: it does not start"),
        (false, true, _) => Some("it runs as root"),
        (false, false, false) => Some("nothing keeps it from running as root"),
        _ => None,
    };
    let finding = why.map(|why| {
        let line = if user.line > 0 { user.line } else { container.node.line };
        let finding = workload.object.finding("S03", Level::High, workload.label_of(container), line, why);
        finding.fix("set `securityContext.runAsNonRoot: true` and a `runAsUser` above 0").evidence("runAsNonRoot")
    });
    out.judge(workload.object, "S03", finding);
}

fn hardening(workload: &Workload<'_>, container: &Container<'_>, out: &mut Outcomes) {
    let context = &container.node["securityContext"];
    let object = workload.object;
    let subject = workload.label_of(container);
    let line = if context.is_null() { container.node.line } else { context.line };
    let mut found: Vec<Finding> = Vec::new();
    if !context["readOnlyRootFilesystem"].is_true() {
        let why = "its root file system can be written: an attacker can leave programs there";
        let finding = object.finding("S04", Level::Medium, &subject, line, why);
        let fix = "set `readOnlyRootFilesystem: true`, and mount an emptyDir where it writes";
        found.push(finding.fix(fix).evidence("readOnlyRootFilesystem"));
    }
    let profile = inherited(workload, container, "seccompProfile")["type"].text();
    let old = workload.annotations["seccomp.security.alpha.kubernetes.io/pod"].text();
    let old = old.is_some_and(|text| text == "runtime/default" || text.starts_with("localhost/"));
    if !matches!(profile, Some("RuntimeDefault" | "Localhost")) && !old {
        let why = "no seccomp profile: every system call of the kernel is open to it";
        let finding = object.finding("S04", Level::Medium, &subject, line, why);
        found.push(finding.fix("set `seccompProfile: { type: RuntimeDefault }`").evidence("seccompProfile"));
    }
    if context["procMount"].text().is_some_and(|mount| mount != "Default") {
        let why = "it sees all of /proc";
        let finding = object.finding("S04", Level::High, &subject, context.line_of("procMount"), why);
        found.push(finding.fix("leave `procMount` out").evidence("procMount"));
    }
    if found.is_empty() {
        out.pass("S04");
    }
    found.into_iter().for_each(|finding| out.fail(object, finding));
}

fn sysctls(workload: &Workload<'_>, out: &mut Outcomes) {
    for one in workload.pod["securityContext"]["sysctls"].items() {
        let name = one["name"].text().unwrap_or_default();
        if !SAFE_SYSCTLS.contains(&name) {
            let why = format!("it sets `{name}`, which reaches beyond its pod");
            let finding = workload.object.finding("S04", Level::High, workload.label(), one.line, why);
            out.fail(workload.object, finding.fix("leave it out").evidence("sysctls"));
        }
    }
}

fn token(scene: &Scene<'_>, workload: &Workload<'_>, out: &mut Outcomes) {
    let own = workload.pod["automountServiceAccountToken"].boolean();
    let name = workload.pod["serviceAccountName"].text().or_else(|| workload.pod["serviceAccount"].text());
    let name = name.filter(|name| !name.is_empty()).unwrap_or("default");
    let account = scene
        .all
        .of_kind("ServiceAccount")
        .find(|account| account.name == name && account.is_beside(workload.object))
        .and_then(|account| account.root["automountServiceAccountToken"].boolean());
    let is_off = own.or(account) == Some(false);
    // Whoever is bound to a role means to talk to the API server.
    if name != "default" && !is_off && is_bound(scene, name) {
        return out.pass("S05");
    }
    let finding = (!is_off).then(|| {
        let (level, why) = match name {
            "default" => (Level::Medium, "it gets the token of the namespace's default account".to_owned()),
            name => (Level::Low, format!("it gets the token of `{name}`, and no role here is bound to that")),
        };
        let finding = workload.object.finding("S05", level, workload.label(), workload.pod.line, why);
        finding.fix("set `automountServiceAccountToken: false`").evidence("automountServiceAccountToken")
    });
    out.judge(workload.object, "S05", finding);
}

fn is_bound(scene: &Scene<'_>, account: &str) -> bool {
    let bindings = scene.all.objects.iter().filter(|object| object.kind.ends_with("RoleBinding"));
    bindings
        .flat_map(|binding| binding.root["subjects"].items())
        .any(|subject| subject["kind"].text() == Some("ServiceAccount") && subject["name"].text() == Some(account))
}
