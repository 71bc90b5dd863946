//! K05 and K11: resources, images.

use crate::check::finding::Level;
use crate::check::manifest::links::Scene;
use crate::check::manifest::outcome::Outcomes;
use crate::check::manifest::quantity::quantity;
use crate::check::manifest::workload::{Container, Role, Workload};
use crate::check::readiness::Settings;

pub(super) fn judge(scene: &Scene<'_>, workload: &Workload<'_>, settings: &Settings, out: &mut Outcomes) {
    let defaults = scene.all.of_kind("LimitRange").any(|range| range.is_beside(workload.object));
    for container in workload.containers() {
        bounds(workload, &container, defaults, out);
        image(workload, &container, settings, out);
    }
}

fn bounds(workload: &Workload<'_>, container: &Container<'_>, defaults: bool, out: &mut Outcomes) {
    let own = &container.node["resources"];
    let pod = &workload.pod["resources"];
    let subject = workload.label_of(container);
    let line = if own.is_null() { container.node.line } else { container.node.line_of("resources") };
    let said = |kind: &str, what: &str| {
        own[kind][what].text().or_else(|| pod[kind][what].text()).or_else(|| {
            // A request that is not given is taken from the limit.
            own["limits"][what].text().filter(|_| kind == "requests")
        })
    };
    let mut sound = true;
    for (kind, what, level, why) in [
        ("limits", "memory", Level::Blocker, "its memory has no limit: one leak takes the node down"),
        ("requests", "memory", Level::High, "it requests no memory: it is placed on any node, and evicted first"),
        ("requests", "cpu", Level::High, "it requests no CPU: it is placed on any node, and starved first"),
        ("limits", "cpu", Level::Low, "its CPU has no limit"),
    ] {
        // An init container is there for a moment.
        let level = if container.role == Role::Init { Level::Low } else { level };
        if said(kind, what).is_some() || defaults {
            continue;
        }
        sound = false;
        let finding = workload.object.finding("K05", level, &subject, line, why);
        let fix = format!("set `resources.{kind}.{what}`");
        out.fail(workload.object, finding.fix(fix).evidence(format!("resources.{kind}.{what}")));
    }
    for what in ["memory", "cpu"] {
        let number = |kind: &str| own[kind][what].text().and_then(quantity);
        if let (Some(request), Some(limit)) = (number("requests"), number("limits"))
            && limit < request
        {
            sound = false;
            let why = format!("its {what} limit is below its request: the API server refuses the pod");
            let finding = workload.object.finding("K05", Level::High, &subject, line, why);
            out.fail(workload.object, finding.evidence(format!("resources.limits.{what} < requests.{what}")));
        }
    }
    if sound {
        out.pass("K05");
    }
}

/// The tag and the digest of an image.
fn parts(image: &str) -> (Option<&str>, Option<&str>) {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let after = name.rsplit_once('/').map_or(name, |(_, last)| last);
    (after.split_once(':').map(|(_, tag)| tag), digest)
}

fn image(workload: &Workload<'_>, container: &Container<'_>, settings: &Settings, out: &mut Outcomes) {
    let Some(image) = container.node["image"].text() else {
        return;
    };
    let subject = workload.label_of(container);
    let line = container.node.line_of("image");
    let finding = match parts(image) {
        (_, Some(_)) => None,
        (None | Some(""), None) => {
            let why = format!("`{image}` has no tag, so it is `latest`, whatever that is today");
            Some(
                workload
                    .object
                    .finding("K11", Level::High, &subject, line, why)
                    .fix("name a version")
                    .evidence("image"),
            )
        }
        (Some("latest"), None) => {
            let why =
                format!("`{image}` moves: two pods of one revision may run different code, and no rollback is exact");
            Some(
                workload
                    .object
                    .finding("K11", Level::High, &subject, line, why)
                    .fix("name a version")
                    .evidence("image"),
            )
        }
        (Some(_), None) if settings.protected => {
            let why = format!("`{image}` has no digest: a tag can be moved");
            let finding = workload.object.finding("K11", Level::Low, &subject, line, why);
            Some(finding.fix("pin it: `IMAGE:TAG@sha256:…`").evidence("image digest"))
        }
        _ => None,
    };
    out.judge(workload.object, "K11", finding);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_tag_behind_its_last_slash() {
        for (image, tag, digest) in [
            ("nginx", None, false),
            ("nginx:1.27", Some("1.27"), false),
            ("registry:5000/team/game", None, false),
            ("registry:5000/team/game:7", Some("7"), false),
            ("game:7@sha256:abc", Some("7"), true),
            ("game@sha256:abc", None, true),
        ] {
            let (found, known) = parts(image);
            assert_eq!((found, known.is_some()), (tag, digest), "{image}");
        }
    }
}
