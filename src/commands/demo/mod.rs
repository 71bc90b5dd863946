//! `liveops demo`: a simulated game service on loopback, and the main job shown on it, with nothing installed.

mod flags;
mod history;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use minijinja::{Environment, context};
use tokio::net::TcpListener;

use crate::commands::status::report::meta;
use crate::context::Context;
use crate::output::block::{Block, Tone, span};
use crate::output::report::{Meta, Report};
use crate::output::view::View;
use liveops_demo::serve::serve;
use liveops_demo::sim::Sim;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::metric::exposition::{Format, parse};
use liveops_domain::metric::kpi::Kpi;
use liveops_domain::metric::scrape::{Snapshot, Window, evaluate};
use liveops_domain::slo::Slo;
use liveops_engine::config::DEMO_FOLDER;
use liveops_engine::files::cache::Cache;
use liveops_engine::observe::trends::seed;
use liveops_engine::session::cache;
use liveops_engine::slo::scraped::Look;
use liveops_engine::slo::status::ask;
use liveops_engine::slo::{load, scraped};
use liveops_engine::status::answers::Answers;
use liveops_engine::status::gather;
use liveops_engine::status::report::StatusReport;

/// The service claims to have been started this long ago.
const UPTIME: TimeDelta = TimeDelta::hours(76);

/// The hour before the demo, one look a minute.
const LOOKS: i32 = 60;

const MINUTE: Duration = Duration::from_secs(60);

const CONFIG: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/demo/liveops.yaml"));

/// Try everything on a simulated game service, with nothing installed
///
/// Starts a small game service on loopback (health API and metrics with moving numbers, one KPI in warning), writes
/// a throw-away folder with a liveops.yaml, runs `liveops status` on it by scraping the service itself, prints the
/// screen and what to try next, and ends. With --keep it goes on serving until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops demo
  liveops demo --keep            # and in a second terminal: cd FOLDER && liveops status --watch")]
pub(crate) struct DemoArgs {
    /// Go on serving until Ctrl-C
    #[arg(long)]
    keep: bool,

    /// Port of the simulated service [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
}

pub(crate) async fn run(args: DemoArgs, cx: &Context) -> Result<Exit> {
    cx.output.refuse_rows()?;
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await.map_err(|source| Error::Io {
        action: "listen on",
        path: format!("127.0.0.1:{}", args.port).into(),
        source,
    })?;
    let address =
        listener.local_addr().map_err(|source| Error::Io { action: "listen on", path: "127.0.0.1".into(), source })?;
    let sim = Sim::new(7).started_at(cx.clock.now() - UPTIME);
    let clock = cx.clock;
    let service = serve(listener, sim.clone(), move || clock.now(), std::future::pending());

    let folder = tempfile::Builder::new().prefix(DEMO_FOLDER).tempdir().map_err(|source| Error::Io {
        action: "create a folder in",
        path: std::env::temp_dir(),
        source,
    })?;
    let url = format!("http://{address}");
    write_config(folder.path(), &url)?;
    flags::write(folder.path(), cx.clock.now())?;
    let show = async {
        let inner = cx.elsewhere(folder.path().join("liveops.yaml"), folder.path().to_owned());
        let store = Throwaway(cache(&inner)?);
        history::write(&inner)?;
        seed(&store.0, &inner.services(&[])?, &past(&sim, &inner.kpis()?, cx.clock.now()));
        let slos = load::all(&inner)?;
        scraped::seed(&store.0, &looks(&sim, &slos, cx.clock.now()));
        let shown = show(&inner, folder.path(), &url, args.keep).await;
        if args.keep && shown.is_ok() {
            // Until Ctrl-C; a look each minute is kept, for whoever comes later.
            loop {
                tokio::time::sleep(MINUTE).await;
                inner.http()?.restart();
                let _ = ask(&inner, slos.clone()).await;
            }
        }
        shown
    };
    tokio::select! {
        shown = show => shown.map(|()| Exit::Good),
        served = service => match served {
            Ok(()) => Ok(Exit::Good),
            Err(source) => Err(Error::Io { action: "serve on", path: url.into(), source }),
        },
    }
}

/// The demo's cache, removed however the demo ends.
struct Throwaway(Cache);

impl Drop for Throwaway {
    fn drop(&mut self) {
        self.0.remove();
    }
}

fn write_config(folder: &Path, url: &str) -> Result<()> {
    let text = Environment::new()
        .render_str(CONFIG, context! { url })
        .map_err(|error| Error::internal(&format!("the demo's configuration: {error}")))?;
    let path = folder.join("liveops.yaml");
    std::fs::write(&path, text).map_err(|source| Error::Io { action: "write", path, source })
}

async fn show(cx: &Context, folder: &Path, url: &str, keep: bool) -> Result<()> {
    let gathered = gather(&[], cx, &mut Answers::default()).await?;
    let mut status = StatusReport::new(gathered, cx)?;
    if !keep {
        // They would ask a service that is gone by then.
        status.next.clear();
    }
    let meta = meta(&status);
    let report = DemoReport { next: meta.tail.clone(), status, folder: folder.to_owned(), url: url.to_owned(), keep };
    cx.show(&report, Meta { tail: Vec::new(), ..meta })
}

/// What the KPIs were in the hour before, had one looked: the simulated world is a function of time.
fn past(sim: &Sim, kpis: &[Kpi], now: DateTime<Utc>) -> Vec<(DateTime<Utc>, BTreeMap<String, f64>)> {
    let snapshot = |at: DateTime<Utc>| {
        let parsed = parse(&sim.exposition(at), Format::Text, |_| true);
        Snapshot::new(at, parsed.map(|parsed| parsed.samples).unwrap_or_default())
    };
    let look = |back: i32| {
        let at = now - TimeDelta::minutes(i64::from(back));
        let (previous, current) = (snapshot(at - TimeDelta::minutes(1)), snapshot(at));
        let windows = [Window { earlier: vec![&previous], current: &current }];
        let values = kpis.iter().filter_map(|kpi| Some((kpi.name.clone(), evaluate(kpi, &windows).ok()?.total.value)));
        (at, values.collect())
    };
    (1..=LOOKS).rev().map(look).collect()
}

/// Minutes before the demo's begin at which its objectives were looked at: whenever one looks, and from then on each
/// minute, each window has its begin among them.
const SEEDED: [i64; 20] = [4320, 2880, 2160, 1440, 1080, 720, 540, 360, 240, 180, 120, 90, 60, 45, 30, 20, 10, 5, 3, 2];

/// The counters of the objectives before the demo began.
fn looks(sim: &Sim, slos: &[Slo], now: DateTime<Utc>) -> Vec<Look> {
    let look = |minutes: &i64| {
        let at = now - TimeDelta::minutes(*minutes);
        let parsed = parse(&sim.exposition(at), Format::Text, |_| true);
        Look::new(at, slos, &parsed.map(|parsed| parsed.samples).unwrap_or_default())
    };
    SEEDED.iter().map(look).collect()
}

/// The status of the simulated service, and what to try next.
struct DemoReport {
    status: StatusReport,
    /// The last lines of the status.
    next: Vec<Block>,
    folder: PathBuf,
    url: String,
    keep: bool,
}

impl serde::Serialize for DemoReport {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.status.serialize(serializer)
    }
}

impl Report for DemoReport {
    fn schema(&self) -> &'static str {
        "liveops.demo/1"
    }

    fn blocks(&self, view: &View) -> Vec<Block> {
        let dim = |text: String| Block::Line(vec![span(text, Tone::Dim)]);
        let mut blocks = vec![
            dim(format!("a simulated game service is running at {}", self.url)),
            dim("$ liveops status".into()),
            Block::Blank,
        ];
        blocks.extend(self.status.blocks(view));
        blocks.extend(self.next.iter().cloned());
        blocks.push(Block::Blank);
        if self.keep {
            blocks.push(Block::heading("The service keeps running until Ctrl-C. In a second terminal:"));
            blocks.push(Block::next("  go there", format!("cd {}", self.folder.display())));
            for (what, command) in [
                ("  look, again and again", "liveops status --watch"),
                ("  who has which feature", "liveops flag list"),
                ("  which error budget burns", "liveops slo"),
                ("  the week on one page", "liveops report weekly --out week.html"),
                ("  roll out a build, and a bad one", "liveops rollout canary --image game-backend:2.1"),
                ("  the service's own health", "liveops health detailed"),
                ("  as a script sees it", "liveops status -o json"),
                ("  what is set, and where", "liveops config show --origin"),
            ] {
                blocks.push(Block::next(what, command));
            }
        } else {
            blocks.push(Block::heading("That was a simulation, and it is gone. Next:"));
            for (what, command) in [
                ("  keep it running to play with", "liveops demo --keep"),
                ("  your own systems", "liveops status --prometheus http://127.0.0.1:9090"),
                ("  set it up for good", "liveops init"),
            ] {
                blocks.push(Block::next(what, command));
            }
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liveops_domain::slo::burn::WINDOWS;

    /// As `slo::scraped` takes a look for the begin of a window.
    const OFF: f64 = 0.25;

    #[test]
    fn each_window_has_its_begin_whenever_one_looks() {
        for minute in 0..6 * 24 * 60_u32 {
            let now = f64::from(minute) / 2.0;
            let seeded = SEEDED.iter().map(|age| now + f64::from(u16::try_from(*age).expect("days")));
            let kept = (0..=minute / 2).map(|at| now - f64::from(at));
            let ages: Vec<f64> = seeded.chain(kept).collect();
            for window in WINDOWS {
                let length = window.as_secs_f64() / 60.0;
                let near = ages.iter().any(|age| (age / length - 1.0).abs() <= OFF);
                assert!(near, "{window:?} after {now} minutes");
            }
        }
    }
}
