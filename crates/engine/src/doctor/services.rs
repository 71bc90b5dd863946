//! Services: is the health API there and understood, do the metrics parse, and is the clock right?

use futures_util::future::join_all;
use liveops_domain::text::count::count;
use tokio::join;

use crate::clients::http::answer::Answer;
use crate::clients::http::request::Effort;
use crate::clients::service;
use crate::config::endpoint::Endpoint;
use crate::config::service::Service;
use crate::doctor::answer;
use crate::doctor::finding::{Finding, System, no_answer, said};
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::exposition::{Exposition, Sample};
use liveops_domain::status::health;
use liveops_domain::status::health::ServiceState;

/// Checks every service, and returns what their metrics endpoints expose.
pub async fn check(cx: &Session) -> (Vec<System>, Vec<Sample>) {
    let Ok(config) = cx.config() else {
        return (Vec::new(), Vec::new());
    };
    let all = join_all(config.settings.services.iter().map(|service| one(cx, service))).await;
    let (systems, samples): (Vec<System>, Vec<Vec<Sample>>) = all.into_iter().unzip();
    (systems, samples.into_iter().flatten().collect())
}

async fn one(cx: &Session, service: &Service) -> (System, Vec<Sample>) {
    let url = service.health.iter().chain(&service.metrics).next();
    let mut system = System::new(format!("service {}", service.name), url.map(|endpoint| endpoint.url.show()));
    let health = async {
        match &service.health {
            Some(endpoint) => Some(ask(cx, &service.name, endpoint).await),
            None => None,
        }
    };
    let metrics = service.metrics.iter().map(async |endpoint| (endpoint, scrape(cx, &service.name, endpoint).await));
    let (health, metrics) = join!(health, join_all(metrics));
    let mut silent = false;
    match health {
        Some(Ok(answer)) => judge_health(&mut system, &answer, cx),
        Some(Err(error)) => {
            silent = is_silence(&error);
            system.add(no_answer(&error));
        }
        None => {}
    }
    let mut samples = Vec::new();
    for (endpoint, scraped) in metrics {
        let found = match scraped {
            Ok(found) => {
                system.add(judge_metrics(&found, endpoint));
                samples.extend(found.samples);
                continue;
            }
            // A guess that is wrong is no fault, and one word about a dead service is enough.
            Err(Error::Rejected { status: 404, .. }) if service.metrics_guessed => continue,
            Err(error) if silent && is_silence(&error) => continue,
            Err(error) if service.metrics_guessed => {
                Finding::warn("metrics", format!("metrics at {}: {}", endpoint.url.show(), said(&error)))
                    .fix("set `metrics: [ URL ]` of the service to where they are")
                    .command("liveops config show --origin")
            }
            Err(error) => Finding {
                check: "metrics",
                message: format!("metrics at {}: {}", endpoint.url.show(), said(&error)),
                ..no_answer(&error)
            },
        };
        system.add(found);
    }
    if service.health.is_none() && service.metrics.is_empty() {
        system.add(
            Finding::warn("reachable", "neither `health` nor `metrics` is set, so nothing is known of it")
                .fix("set `health: { url: … }` for it"),
        );
    }
    (system, samples)
}

/// Was it not even asked, or did it not answer?
fn is_silence(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Timeout { .. } | Error::Secret { .. })
}

async fn ask(cx: &Session, name: &str, endpoint: &Endpoint) -> Result<Answer> {
    service::health(cx.http()?, &cx.target(name, endpoint)?, Effort::Quick).await
}

async fn scrape(cx: &Session, name: &str, endpoint: &Endpoint) -> Result<Exposition> {
    let target = cx.target(name, endpoint)?;
    Ok(service::scrape(cx.http()?, &target, "", Effort::Quick, |_| true).await?.0)
}

fn judge_health(system: &mut System, answer: &Answer, cx: &Session) {
    let reading = health::read(answer.status, &answer.body);
    let detail = format!("health: {}", reading.detail);
    let finding = match (reading.state, answer.status) {
        (_, 401 | 403) => no_answer(&answer.rejected("")),
        (ServiceState::Healthy, _) => {
            answer::judge(system, None, answer, cx.clock.now());
            Finding::ok("health", reading.detail)
        }
        (ServiceState::Degraded, _) => Finding::warn("health", detail)
            .fix("see which part of it is in trouble")
            .command(format!("liveops health detailed --service {}", name(system))),
        (ServiceState::Down, _) => Finding::fail("health", detail)
            .fix("it answers, and says itself that it is down; look at its logs")
            .command(format!("liveops health detailed --service {}", name(system))),
        (ServiceState::Unknown, _) => Finding::fail("health", detail)
            .fix("`health.url` is the base: liveops asks URL/api/health, and understands words such as `healthy`, `ok`, `up`")
            .command("liveops config show --origin"),
    };
    system.add(finding);
}

fn name(system: &System) -> &str {
    system.name.trim_start_matches("service ")
}

fn judge_metrics(found: &Exposition, endpoint: &Endpoint) -> Finding {
    if found.duplicates > 0 {
        return Finding::warn(
            "metrics",
            format!(
                "metrics at {}: {} given twice; the first value counts",
                endpoint.url.show(),
                count(found.duplicates, "series")
            ),
        )
        .fix("register each metric once; Prometheus drops such samples, too");
    }
    if found.total == 0 {
        return Finding::warn("metrics", format!("metrics at {}: empty", endpoint.url.show()))
            .fix("does the service register its metrics before it serves them?");
    }
    Finding::ok("metrics", count(found.total, "sample"))
}
