//! S06: roles and their bindings.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::node::Node;
use crate::check::manifest::object::Object;
use crate::check::manifest::outcome::Outcomes;

/// What a rule of a role allows too much.
struct Grant {
    why: String,
    field: &'static str,
    line: usize,
}

pub(super) fn judge(scene: &Scene<'_>, out: &mut Outcomes) {
    let roles = scene.all.objects.iter().filter(|object| matches!(object.kind.as_str(), "Role" | "ClusterRole"));
    for role in roles.filter(|role| !is_builtin(&role.name)) {
        let grants: Vec<Grant> = role.root["rules"].items().iter().flat_map(grants).collect();
        if grants.is_empty() {
            out.pass("S06");
        }
        for grant in grants {
            let finding = role.finding("S06", Level::High, role.label(), grant.line, grant.why);
            let fix = "name the resources and verbs that are needed, in a Role of one namespace";
            out.fail(role, finding.fix(fix).evidence(grant.field));
        }
    }
    let bindings =
        scene.all.objects.iter().filter(|object| matches!(object.kind.as_str(), "RoleBinding" | "ClusterRoleBinding"));
    for binding in bindings.filter(|binding| !is_builtin(&binding.name)) {
        bound(scene, binding, out);
    }
}

/// Names that Kubernetes itself and its installers use.
fn is_builtin(name: &str) -> bool {
    name.starts_with("system:") || DEFAULT_ROLES.contains(&name) || name == "gce:podsecuritypolicy:calico-sa"
}

/// The roles that every cluster has.
const DEFAULT_ROLES: [&str; 4] = ["cluster-admin", "admin", "edit", "view"];

fn grants(rule: &Node) -> Vec<Grant> {
    let has =
        |key: &str, wanted: &[&str]| rule[key].items().iter().filter_map(Node::text).any(|text| wanted.contains(&text));
    let core = has("apiGroups", &["", "*"]);
    let mut all = Vec::new();
    let mut grant = |holds: bool, field: &'static str, why: &str| {
        if holds {
            all.push(Grant { why: why.to_owned(), field, line: rule.line });
        }
    };
    let every = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let all_verbs = has("verbs", &["*"]) || every.iter().all(|verb| has("verbs", &[verb]));
    let is_all = has("resources", &["*"]) && all_verbs;
    grant(is_all && has("apiGroups", &["*"]), "everything", "it may do everything with everything");
    grant(is_all && !has("apiGroups", &["*"]), "wildcard", "it may do everything with every resource of a group");
    grant(
        has("verbs", &["*"]) && !has("resources", &["*"]),
        "verbs",
        "it allows every verb (`*`), those of tomorrow, too",
    );
    grant(has("resources", &["*"]) && !all_verbs, "resources", "it reaches every resource (`*`), secrets among them");
    let reads = has("verbs", &["get", "list", "watch", "*"]);
    let named = !rule["resourceNames"].items().is_empty();
    grant(core && has("resources", &["secrets"]) && reads && !named, "secrets", "it reads every secret");
    let makes = has("verbs", &["create", "*"]);
    grant(
        core && has("resources", &["pods"]) && makes,
        "pods",
        "it makes pods: with them, every secret and account of the namespace",
    );
    // Exec and attach are reached by `get` (a websocket) as well as by `create`.
    let enters = has("verbs", &["create", "get", "*"])
        && has("resources", &["pods/exec", "pods/attach", "pods/*", "*/exec", "*/attach"]);
    let any_enters = has("verbs", &["create", "get", "*"]) && has("resources", &["*"]);
    grant(core && enters, "exec", "it runs commands in pods");
    grant(core && any_enters && !is_all, "exec", "it runs commands in pods (`*` holds `pods/exec`)");
    let grows = has("verbs", &["escalate", "bind", "impersonate"]);
    grant(grows, "escalate", "it may give itself more (`escalate`, `bind` or `impersonate`)");
    all
}

fn bound(scene: &Scene<'_>, binding: &Object, out: &mut Outcomes) {
    let reference = &binding.root["roleRef"];
    let name = reference["name"].text().unwrap_or_default();
    let kind = reference["kind"].text().unwrap_or_default();
    let role = scene.all.of_kind(kind).find(|role| role.name == name);
    if role.is_none() && !is_builtin(name) {
        return out.unknown("S06", binding.label(), format!("{kind} `{name}` is not among the manifests"));
    }
    let powers: Vec<Grant> =
        role.map(|role| role.root["rules"].items().iter().flat_map(grants).collect()).unwrap_or_default();
    let line = binding.root.line_of("roleRef");
    let high = |field: &str, why: String| {
        let finding = binding.finding("S06", Level::High, binding.label(), line, why);
        finding.fix("bind a role that allows no more than is needed").evidence(field)
    };
    let mut sound = true;
    if name == "cluster-admin" || powers.iter().any(|grant| grant.field == "everything") {
        sound = false;
        out.fail(binding, high("cluster-admin", format!("it makes its subjects masters of everything (`{name}`)")));
    }
    if powers.iter().any(|grant| matches!(grant.field, "exec" | "everything" | "wildcard")) {
        sound = false;
        out.fail(binding, high("exec", format!("it lets its subjects run commands in pods (`{name}`)")));
    }
    if sound {
        out.pass("S06");
    }
}
