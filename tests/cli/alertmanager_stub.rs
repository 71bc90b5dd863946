//! An Alertmanager that keeps silences in memory, and that a test can make forgetful, slow, or mute.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use liveops_domain::alert::matcher::Matcher;
use liveops_domain::metric::labels::Labels;
use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::wire::{Wire, WireServer};
use crate::support::{Answer, TestEnv};

/// The time of every test here.
pub(crate) const NOW: &str = "2026-01-15T10:30:00Z";

/// What becomes of a `POST /api/v2/silences`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Post {
    /// Kept, and answered.
    Answered,
    /// Kept, and the connection is closed without an answer.
    KeptAndDropped,
    /// Kept, and never answered.
    KeptAndHeld,
    /// Not kept, and the connection is closed.
    LostAndDropped,
    /// Not kept, and never answered.
    LostAndHeld,
    /// Refused with 400.
    Refused,
}

struct World {
    alerts: Value,
    silences: Vec<Value>,
    /// What happens to the next posts; the last one stays.
    posts: Vec<Post>,
}

/// The stub; stops on drop.
pub(crate) struct AlertmanagerStub {
    world: Arc<Mutex<World>>,
    posted: Arc<AtomicUsize>,
    server: WireServer,
}

impl AlertmanagerStub {
    /// Serves these alerts (as `GET /api/v2/alerts` gives them), and no silences yet.
    pub(crate) fn start(alerts: Value) -> Self {
        let world = Arc::new(Mutex::new(World { alerts, silences: Vec::new(), posts: vec![Post::Answered] }));
        let posted = Arc::new(AtomicUsize::new(0));
        let server = {
            let (world, posted) = (Arc::clone(&world), Arc::clone(&posted));
            WireServer::start(move |wire| serve(wire, &world, &posted))
        };
        Self { world, posted, server }
    }

    /// Decides what becomes of the next posts, one after the other; the last decision stays.
    pub(crate) fn posts(&self, posts: &[Post]) {
        self.world.lock().unwrap().posts = posts.to_vec();
    }

    /// Adds a silence that somebody else made.
    pub(crate) fn add(&self, id: &str, name: &str, state: &str, ends_at: &str) {
        self.world.lock().unwrap().silences.push(json!({
            "id": id, "status": {"state": state}, "updatedAt": NOW, "startsAt": "2026-01-15T10:00:00.000Z",
            "endsAt": ends_at, "createdBy": "bob", "comment": "known", "annotations": {"ticket": "INC-1"},
            "matchers": [{"name": "alertname", "value": name, "isRegex": false, "isEqual": true}],
        }));
    }

    /// Sets the end of a silence, as somebody else would.
    pub(crate) fn set_end(&self, id: &str, ends_at: &str) {
        for silence in &mut self.world.lock().unwrap().silences {
            if silence["id"] == id {
                silence["endsAt"] = json!(ends_at);
            }
        }
    }

    /// Every silence.
    pub(crate) fn silences(&self) -> Vec<Value> {
        self.world.lock().unwrap().silences.clone()
    }

    /// Those that are not expired.
    pub(crate) fn live(&self) -> Vec<Value> {
        let mut silences = self.silences();
        silences.retain(|silence| silence["status"]["state"] != "expired");
        silences
    }

    /// How many changes were asked for.
    pub(crate) fn changes(&self) -> usize {
        self.posted.load(Ordering::SeqCst)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// A fresh environment whose Alertmanager this is, with a fixed clock and actor.
    pub(crate) fn env(&self) -> TestEnv {
        TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada").var("LIVEOPS_ALERTMANAGER", &self.url())
    }
}

/// An alert, as Alertmanager lists it, that began seven minutes before [`NOW`].
pub(crate) fn alert(name: &str, severity: &str, instance: &str) -> Value {
    json!({
        "labels": {"alertname": name, "severity": severity, "instance": instance, "job": "game"},
        "annotations": {"summary": format!("{name} at {instance}"), "runbook_url": format!("runbooks/{name}.md")},
        "fingerprint": format!("{name}-{instance}"), "startsAt": "2026-01-15T10:23:00.000Z",
        "updatedAt": NOW, "endsAt": "2026-01-15T10:35:00.000Z", "generatorURL": "",
        "receivers": [{"name": "pager"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    })
}

/// The same alert, kept quiet by a silence.
pub(crate) fn silenced(mut alert: Value, id: &str) -> Value {
    alert["status"] = json!({"state": "suppressed", "silencedBy": [id], "inhibitedBy": []});
    alert
}

fn serve(wire: &mut Wire, world: &Mutex<World>, posted: &AtomicUsize) -> io::Result<()> {
    while let Some(request) = Request::read(&mut wire.reader)? {
        let is_change = matches!(request.method.as_str(), "POST" | "DELETE");
        if is_change {
            posted.fetch_add(1, Ordering::SeqCst);
        }
        let post = if request.method == "POST" {
            let mut world = world.lock().unwrap();
            match world.posts.as_slice() {
                [only] => *only,
                _ => world.posts.remove(0),
            }
        } else {
            Post::Answered
        };
        let answer = match post {
            Post::LostAndDropped => return Ok(()),
            Post::LostAndHeld => return wire.hold(),
            Post::Refused => Answer::json(json!("bad matcher")).status(400),
            _ => answer(&request, &mut world.lock().unwrap()),
        };
        match post {
            Post::KeptAndDropped => return Ok(()),
            Post::KeptAndHeld => return wire.hold(),
            _ => wire.send(&answer.bytes())?,
        }
    }
    Ok(())
}

fn answer(request: &Request, world: &mut World) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/api/v2/alerts") => {
            let asked = request.query.iter().filter(|(name, _)| name == "filter");
            let asked: Vec<Matcher> = asked.map(|(_, text)| Matcher::parse(text).unwrap()).collect();
            let fits = |alert: &&Value| {
                let labels: Labels = serde_json::from_value(alert["labels"].clone()).unwrap();
                asked.iter().all(|matcher| matcher.matches(&labels))
            };
            let found: Vec<&Value> = world.alerts.as_array().unwrap().iter().filter(fits).collect();
            Answer::json(json!(found))
        }
        ("GET", "/api/v2/silences") => Answer::json(json!(world.silences)),
        ("GET", "/api/v2/status") => Answer::json(json!({
            "versionInfo": {"version": "0.25.0"}, "cluster": {"status": "disabled"}, "uptime": NOW,
            "config": {"original": "route: {receiver: pager}\nreceivers: [{name: pager, webhook_configs: [{url: x}]}]\n"},
        })),
        ("POST", "/api/v2/silences") => {
            let mut silence = request.json();
            let known = silence["id"].as_str().map(ToOwned::to_owned);
            let id = known.unwrap_or_else(|| format!("5117ce00-{:04}", world.silences.len()));
            silence["id"] = json!(id);
            silence["status"] = json!({"state": "active"});
            world.silences.retain(|old| old["id"] != json!(id));
            world.silences.push(silence);
            Answer::json(json!({ "silenceID": id }))
        }
        ("DELETE", path) => {
            let id = path.rsplit('/').next().unwrap_or_default();
            match world.silences.iter_mut().find(|silence| silence["id"] == id) {
                Some(silence) if silence["status"]["state"] != "expired" => {
                    silence["status"] = json!({"state": "expired"});
                    Answer::json(json!(null))
                }
                // As 0.25 answers for what is expired or unknown.
                _ => Answer::json(json!("silence not found")).status(500),
            }
        }
        _ => Answer::new(404, "text/plain", "404 page not found\n"),
    }
}
