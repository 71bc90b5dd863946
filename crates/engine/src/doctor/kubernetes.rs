//! Kubernetes: `kubectl` itself, the context, and the API server behind it.

use crate::clients::kubectl::Kubectl;
use crate::doctor::finding::{Finding, System};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::text::suggest::nearest;

/// The oldest `kubectl` whose JSON and patches liveops knows.
const MINOR: u32 = 24;

/// Checks it, when it is configured.
pub async fn check(cx: &Session) -> Option<System> {
    let config = cx.config().ok()?;
    let kubernetes = config.settings.kubernetes.as_ref()?;
    let context = kubernetes.context.as_deref();
    let mut system = System::new("kubernetes", context.map(|name| format!("context {name}")));
    let limit = cx.http().ok()?.call_timeout();
    let kubectl = Kubectl::new(context, kubernetes.namespace.as_deref(), limit);
    if let Err(error) = look(&kubectl, context, &mut system).await {
        system.add(failed(&error));
    }
    Some(system)
}

async fn look(kubectl: &Kubectl<'_>, context: Option<&str>, system: &mut System) -> Result<()> {
    let client = kubectl.client_version().await?;
    system.version = Some(format!("kubectl {}", client.trim_start_matches('v')));
    system.add(version(&client));
    let (known, current) = kubectl.contexts().await?;
    match context {
        Some(name) if !known.iter().any(|known| known == name) => {
            let near = nearest(name, known.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("; did you mean `{near}`?"),
                None if known.is_empty() => "; the kubeconfig has none at all".into(),
                None => format!("; there is {}", known.join(", ")),
            };
            system.add(
                Finding::fail("context", format!("context `{name}` does not exist{help}"))
                    .fix("correct `kubernetes.context`, or log in to the cluster")
                    .command("liveops config show --origin"),
            );
            return Ok(());
        }
        None if current.is_none() => {
            system.add(
                Finding::fail("context", "no context is set, and the kubeconfig has no current one")
                    .fix("set `kubernetes.context`"),
            );
            return Ok(());
        }
        None => system.add(
            Finding::warn("context", "no context is set, so the current one is used, whichever that is")
                .fix("set `kubernetes.context`, so that a change never meets the wrong cluster"),
        ),
        Some(_) => system.add(Finding::ok("context", "exists")),
    }
    let server = kubectl.server_version().await?;
    system.add(Finding::ok("server", format!("API server {server} answers")));
    Ok(())
}

fn version(text: &str) -> Finding {
    let mut numbers = text
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) < (1, MINOR) => {
            Finding::fail("kubectl", format!("kubectl {text} is older than 1.{MINOR}"))
                .fix("install a current one: https://kubernetes.io/docs/tasks/tools/")
        }
        _ => Finding::ok("kubectl", text),
    }
}

fn failed(error: &Error) -> Finding {
    let message = match error {
        Error::Tool { reason, .. } => format!("kubectl: {reason}"),
        other => other.to_string(),
    };
    let finding = Finding::fail("kubectl", message);
    match error.hint() {
        Some(hint) => finding.fix(hint),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn old_kubectls_are_refused() {
        for (text, level) in [
            ("v1.20.2", Level::Fail),
            ("v1.23.17", Level::Fail),
            ("v1.24.0", Level::Ok),
            ("v1.32.0-eks-1", Level::Ok),
            ("v1.30+", Level::Ok),
            ("unknown", Level::Ok),
        ] {
            assert_eq!(version(text).level, level, "{text}");
        }
    }
}
