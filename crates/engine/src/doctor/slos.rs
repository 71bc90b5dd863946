//! Service level objectives: can each be read, and has each data?

use crate::doctor::finding::{Finding, System, no_answer};
use crate::session::Session;
use crate::slo::{load, status};
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::level::Level;
use liveops_domain::status::source::SourceState;
use liveops_domain::text::count::count;

/// Reads the objectives and their files, and asks how each stands; nothing where there are none.
///
/// # Errors
/// Those of the configuration.
pub async fn check(cx: &Session) -> Result<Option<System>> {
    if cx.config()?.settings.slos.is_empty() {
        return Ok(None);
    }
    let mut system = System::new("slos", None);
    let slos = match load::all(cx) {
        Ok(slos) => slos,
        Err(Error::Config { problems }) => {
            let finding = |problem: liveops_domain::error::Problem| {
                Finding::fail("slos", problem.to_string()).fix("correct that line").command("liveops slo status")
            };
            system.extend(problems.into_iter().map(finding));
            return Ok(Some(system));
        }
        Err(error @ Error::Secret { .. }) => {
            system.add(no_answer(&error));
            return Ok(Some(system));
        }
        Err(error) => {
            system.add(Finding::fail("slos", error.to_string()).fix("correct `slos.files` in liveops.yaml"));
            return Ok(Some(system));
        }
    };
    let all = slos.len();
    let asked = status::ask(cx, slos).await?;
    // That Prometheus does not answer is said where it is asked itself.
    let silent = asked.source.state != SourceState::Ok;
    for one in asked.slos.iter().filter(|one| !silent && one.budget.level == Level::Unknown) {
        let why = one.budget.reason.as_deref().unwrap_or("not known");
        system.add(
            Finding::warn("slos", format!("SLO `{}` is unknown: {why}", one.slo.name))
                .fix(format!("correct its metrics at {}; until then nothing watches that budget", one.slo.place))
                .command(format!("liveops slo budget {} --explain", one.slo.name)),
        );
    }
    if system.findings.is_empty() {
        let text = if silent { "sound, and not measured without Prometheus" } else { "with data" };
        system.add(Finding::ok("slos", format!("{} {text}", count(all, "SLO"))));
    }
    Ok(Some(system))
}
