//! The answers that a file is written from: flags first, then questions where somebody can be asked. Enter is safe.

use std::time::Duration;

use tokio::join;

use crate::commands::init::InitArgs;
use crate::context::Context;
use crate::output::prompt;
use liveops_domain::error::Result;
use liveops_engine::clients::http::Http;
use liveops_engine::clients::http::request::Effort;
use liveops_engine::clients::http::target::Target;
use liveops_engine::clients::{alertmanager, prometheus};
use liveops_engine::config::presets::Preset;
use liveops_engine::init::given::Given;
use liveops_engine::init::place;

/// Where these systems usually are when they run on the same machine.
const PROMETHEUS: &str = "http://127.0.0.1:9090";

const ALERTMANAGER: &str = "http://127.0.0.1:9093";

/// How long a look at the usual places may keep the first question waiting.
const GLANCE: Duration = Duration::from_millis(500);

/// Flags, and answers to what they do not say.
///
/// # Errors
/// A flag that is not a URL; Ctrl-C.
pub(crate) async fn gather(args: &InitArgs, cx: &Context, http: &Http) -> Result<Given> {
    let global = &cx.choices;
    let flag = |text: &Option<String>, system: &str| {
        text.as_deref().filter(|text| !text.is_empty()).map(|text| place::url(text, system)).transpose()
    };
    let folder = cx.dirs.work.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut given = Given {
        preset: args.preset.unwrap_or(Preset::GameServer),
        project: args.name.clone().or(folder).unwrap_or_else(|| "my-game".into()),
        environment: global.env.clone().unwrap_or_else(|| "main".into()),
        prometheus: flag(&global.prometheus, "prometheus")?,
        alertmanager: flag(&global.alertmanager, "alertmanager")?,
        flags: flag(&global.redis, "flags")?,
        services: global
            .health
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| place::service(text))
            .collect::<Result<_>>()?,
    };
    if prompt::can_prompt() && !global.yes {
        ask(&mut given, args, cx, http).await?;
    }
    Ok(given)
}

async fn ask(given: &mut Given, args: &InitArgs, cx: &Context, http: &Http) -> Result<()> {
    let (prometheus, alertmanager) =
        join!(is_prometheus(http, given.prometheus.is_none()), is_alertmanager(http, given.alertmanager.is_none()),);
    cx.output.note("Enter takes what stands in brackets; Ctrl-C leaves without writing anything.");
    if args.name.is_none() {
        given.project = prompt::text("Name of the project", Some(&given.project))?;
    }
    if args.preset.is_none() {
        let presets = [Preset::GameServer, Preset::HttpApi];
        let items = [
            "game-server: players, matches, ticks, queues, purchases, HTTP",
            "http-api: requests, errors, latency, CPU, memory",
        ];
        given.preset = presets[prompt::choose("What do you run?", &items)?];
    }
    if given.prometheus.is_none() {
        let found = prometheus.then_some(PROMETHEUS);
        given.prometheus = address("URL of Prometheus", "prometheus", found, cx)?;
    }
    if given.alertmanager.is_none() {
        let found = alertmanager.then_some(ALERTMANAGER);
        given.alertmanager = address("URL of Alertmanager", "alertmanager", found, cx)?;
    }
    if given.services.is_empty() {
        let mut question = "Health API of a service, as [NAME=]URL";
        loop {
            let text = prompt::text(&format!("{question} (empty: none)"), Some(""))?;
            if text.trim().is_empty() {
                break;
            }
            match place::service(&text) {
                Ok(service) if given.services.iter().any(|known| known.0 == service.0) => {
                    cx.output.warn(&format!("`{}` is there already; give it another name", service.0));
                }
                Ok(service) => {
                    given.services.push(service);
                    question = "Another one";
                }
                Err(error) => cx.output.error(&error),
            }
        }
    }
    Ok(())
}

/// Asks until the answer is a URL or nothing.
fn address(question: &str, system: &str, found: Option<&str>, cx: &Context) -> Result<Option<String>> {
    loop {
        let text = match found {
            Some(url) => prompt::text(&format!("{question} (`none` for none)"), Some(url))?,
            None => prompt::text(&format!("{question} (empty: none)"), Some(""))?,
        };
        if matches!(text.trim(), "" | "none" | "no" | "-") {
            return Ok(None);
        }
        match place::url(&text, system) {
            Ok(url) => return Ok(Some(url)),
            Err(error) => cx.output.error(&error),
        }
    }
}

async fn is_prometheus(http: &Http, look: bool) -> bool {
    let Ok(target) = Target::new("prometheus", PROMETHEUS, &[]) else {
        return false;
    };
    let client = prometheus::Prometheus::new(http, target, Effort::Once);
    look && matches!(tokio::time::timeout(GLANCE, client.version()).await, Ok(Ok(_)))
}

async fn is_alertmanager(http: &Http, look: bool) -> bool {
    let Ok(target) = Target::new("alertmanager", ALERTMANAGER, &[]) else {
        return false;
    };
    let client = alertmanager::Alertmanager::new(http, target, Effort::Once);
    look && matches!(tokio::time::timeout(GLANCE, client.version()).await, Ok(Ok(_)))
}
