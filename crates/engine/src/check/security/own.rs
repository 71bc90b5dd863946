//! liveops' own house: what its configuration holds, who can read its files, whether its audit log is whole.

use std::path::Path;

use crate::config::node::{Layer, Node, Value};
use crate::config::secret::Source;
use crate::session::Session;
use crate::undo::audit::verify;
use liveops_domain::check::finding::{Finding, Findings, Level};
use liveops_domain::error::Result;
use liveops_domain::text::count::count;
use liveops_domain::text::redact::is_secret_name;
use liveops_domain::text::secret::looks_secret;

pub(super) fn judge(cx: &Session, found: &mut Findings) -> Result<()> {
    let config = cx.config()?;
    let mut looked = 0;
    if config.layers.project.is_some() || config.layers.user.is_some() {
        looked += 1;
        literals(&config.layers.root, "", found);
    }
    for file in [&config.layers.project, &config.layers.user].into_iter().flatten() {
        looked += 1;
        mode(&cx.dirs.work.join(file), 0o022, Level::High, "others may change it", "chmod go-w", found);
    }
    for (name, endpoint) in config.settings.endpoints() {
        for (header, secret) in &endpoint.headers {
            if let Source::File(path) = &secret.source {
                looked += 1;
                let path = config.base(&secret.origin).join(path);
                let why = format!("it holds `{header}` of {name}, and others may read it");
                mode(&path, 0o077, Level::High, &why, "chmod 600", found);
            }
        }
    }
    for name in ["audit.jsonl", "trust.json"] {
        let path = cx.state().join(name);
        if path.exists() {
            looked += 1;
            mode(&path, 0o077, Level::Medium, "others may read or change it", "chmod 600", found);
        }
    }
    if cx.audit_log().path().exists() {
        looked += 1;
        audit(cx, found)?;
    }
    found.checked("settings", looked);
    Ok(())
}

/// Values of a file that look like a secret and are no reference.
fn literals(node: &Node, path: &str, found: &mut Findings) {
    match &node.value {
        Value::Map(entries) => {
            for (key, value) in entries {
                let inner = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
                literals(value, &inner, found);
            }
        }
        Value::List(items) => items.iter().for_each(|item| literals(item, path, found)),
        Value::Scalar { text, .. } => {
            let (Layer::Project(file) | Layer::User(file)) = &*node.origin.layer else { return };
            let last = path.rsplit('.').next().unwrap_or(path);
            let is_reference = text.contains("${") || text.contains('/') || text.contains(' ');
            if is_secret_name(last) && last != "key" && !is_reference && looks_secret(text) {
                let why = format!("`{path}` looks like a secret that stands in the file");
                let fix = "write `${VARIABLE}`, `{file: PATH}` or `{command: […]}`, and change the secret";
                found.add(
                    Finding::new("L01", Level::Blocker, path, why).at(file.to_string(), node.origin.line).fix(fix),
                );
            }
        }
        Value::Null => {}
    }
}

#[cfg(unix)]
fn mode(path: &Path, forbidden: u32, level: Level, why: &str, fix: &str, found: &mut Findings) {
    use std::os::unix::fs::PermissionsExt;
    let subject = path.display().to_string();
    match std::fs::metadata(path) {
        Ok(data) if data.permissions().mode() & forbidden != 0 => {
            let why = format!("{why} (mode {:03o})", data.permissions().mode() & 0o777);
            found.add(Finding::new("L03", level, &subject, why).fix(format!("{fix} {subject}")));
        }
        Ok(_) => {}
        Err(error) => found.unknown("L03", subject, error.to_string()),
    }
}

#[cfg(not(unix))]
fn mode(_: &Path, _: u32, _: Level, _: &str, _: &str, _: &mut Findings) {}

fn audit(cx: &Session, found: &mut Findings) -> Result<()> {
    let check = verify(cx)?;
    let path = cx.audit_log().path().display().to_string();
    if let Some(first) = check.faults.first() {
        let why = format!("{} not as written; line {}: {}", count(check.faults.len(), "line"), first.line, first.what);
        let finding = Finding::new("L04", Level::Blocker, &path, why).at(&path, first.line);
        found.add(finding.fix("find out who changed it: `liveops audit verify`"));
    }
    Ok(())
}
