//! A Kubernetes API server that a real `kubectl` talks to. Where `KUBEBUILDER_ASSETS` names a folder, it is the real
//! one (`envtest.rs`); otherwise an in-repo stand-in with the same semantics: versions and conflicts, patches that are
//! refused, subresources, generations, field managers, controllers that lag behind.

mod apply;
pub(crate) mod controller;
mod defaults;
mod discovery;
mod envtest;
pub(crate) mod front;
mod kinds;
mod managed;
mod patch;
mod refusal;
mod review;
mod schema;
mod serve;
mod store;
mod watch;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use controller::Image;
pub(crate) use front::{Logged, Trouble};
pub(crate) use serve::LOG;

use self::envtest::{Envtest, Images};
use self::front::{Behind, Desk};
use self::kinds::Kind;
use self::store::Store;
use super::TestEnv;
use super::http::{self, Response};
use super::wire::WireServer;

/// The namespace that every test uses.
pub(crate) const NAMESPACE: &str = "game";
/// The context of the kubeconfig.
pub(crate) const CONTEXT: &str = "test";

/// The server, with a kubeconfig of its own; stopped on drop.
pub(crate) struct Kube {
    door: Option<WireServer>,
    port: u16,
    desk: Arc<Desk>,
    behind: Behind,
    images: Images,
    folder: TempDir,
    controller: Option<JoinHandle<()>>,
    _envtest: Option<Envtest>,
}

impl Kube {
    /// Starts it, with the namespace [`NAMESPACE`] and nothing in it.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let images = Images::default();
        let envtest = envtest::assets().map(|assets| Envtest::start(&assets, &images));
        let behind = match &envtest {
            Some(server) => Behind::Proxy(server.port()),
            None => Behind::StandIn(Arc::new(Store::default())),
        };
        let controller = match &behind {
            Behind::StandIn(store) => {
                let (store, images) = (Arc::clone(store), Arc::clone(&images));
                Some(thread::spawn(move || controller::run(&store, &images)))
            }
            Behind::Proxy(_) => None,
        };
        let desk = Arc::new(Desk::default());
        let door = front::open(0, &desk, &behind);
        let port = door.port();
        let folder =
            tempfile::Builder::new().prefix("liveops-kube-").tempdir().expect("the temporary folder is writable");
        let config = kubeconfig(&[(CONTEXT, port)]);
        fs::write(folder.path().join("kubeconfig"), config).expect("own folder");
        let kube = Self { door: Some(door), port, desk, behind, images, folder, controller, _envtest: envtest };
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        let made = kube.call("POST", "/api/v1/namespaces", Some(&namespace));
        assert!(made.status < 300, "{}", made.text());
        kube
    }

    /// An environment whose `kubectl` finds this server in the context [`CONTEXT`].
    pub(crate) fn env(&self) -> TestEnv {
        let config = self.folder.path().join("kubeconfig");
        TestEnv::new().with_program(&kubectl(), "kubectl").var("KUBECONFIG", &config.display().to_string())
    }

    /// An environment whose `kubectl` finds each of these servers in a context of its own.
    pub(crate) fn env_of(contexts: &[(&str, &Self)]) -> TestEnv {
        let env = TestEnv::new().with_program(&kubectl(), "kubectl");
        let ports: Vec<_> = contexts.iter().map(|(name, kube)| (*name, kube.port)).collect();
        let config = env.root().join("kubeconfig");
        fs::write(&config, kubeconfig(&ports)).expect("own folder");
        env.var("KUBECONFIG", &config.display().to_string())
    }

    /// Where it listens, on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The kubeconfig with the context [`CONTEXT`].
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Whether it is the stand-in, which has no kubelets behind it.
    pub(crate) fn is_stand_in(&self) -> bool {
        matches!(self.behind, Behind::StandIn(_))
    }

    /// Runs the real `kubectl` in [`NAMESPACE`]; returns what it printed, or fails with what it said.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap_or_else(|error| panic!("kubectl {args:?}: {error}"))
    }

    /// The same, for what may be refused.
    #[allow(clippy::disallowed_methods, reason = "a test plays the person beside liveops")]
    pub(crate) fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(kubectl())
            .args([format!("--context={CONTEXT}"), format!("--namespace={NAMESPACE}")])
            .args(args)
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("HOME", self.folder.path())
            .output()
            .unwrap_or_else(|error| panic!("`{}` does not start: {error}", kubectl().display()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Creates an object in [`NAMESPACE`].
    #[track_caller]
    pub(crate) fn create(&self, object: &Value) {
        let kind = object["kind"].as_str().unwrap_or_default();
        let kind = kinds::KINDS.iter().find(|known| known.kind == kind);
        let path = collection(kind.expect("a kind of tests/support/kube/kinds.rs"));
        let made = self.call("POST", &path, Some(object));
        assert!(made.status < 300, "{}", made.text());
    }

    /// The object of this plural and name, if there is one.
    #[track_caller]
    pub(crate) fn find(&self, resource: &str, name: &str) -> Option<Value> {
        let path = format!("{}/{name}", collection(Kind::of(resource)));
        let answer = self.call("GET", &path, None);
        match answer.status {
            200 => Some(answer.json()),
            404 => None,
            code => panic!("{path}: {code}: {}", answer.text()),
        }
    }

    /// The object of this plural and name.
    #[track_caller]
    pub(crate) fn get(&self, resource: &str, name: &str) -> Value {
        self.find(resource, name).unwrap_or_else(|| panic!("no {resource} `{name}`"))
    }

    /// All objects of this plural.
    pub(crate) fn list(&self, resource: &str) -> Vec<Value> {
        let answer = self.call("GET", &collection(Kind::of(resource)), None);
        answer.json()["items"].as_array().cloned().unwrap_or_default()
    }

    /// Merges into an object, as somebody called `manager`.
    #[track_caller]
    pub(crate) fn merge(&self, resource: &str, name: &str, manager: &str, patch: &Value) {
        let path = format!("{}/{name}?fieldManager={manager}", collection(Kind::of(resource)));
        let kind = "application/merge-patch+json";
        let body = patch.to_string();
        let answer = http::call(self.port, "PATCH", &path, kind, body.as_bytes()).expect("an answer");
        assert!(answer.status < 300, "{}", answer.text());
    }

    /// Merges into the status of an object, as a controller does.
    #[track_caller]
    pub(crate) fn status(&self, resource: &str, name: &str, status: &Value) {
        let path = format!("{}/{name}/status", collection(Kind::of(resource)));
        let kind = "application/merge-patch+json";
        let body = json!({ "status": status }).to_string();
        let answer = http::call(self.port, "PATCH", &path, kind, body.as_bytes()).expect("an answer");
        assert!(answer.status < 300, "{}", answer.text());
    }

    /// The time, as controllers write it into a status.
    pub(crate) fn now(&self) -> String {
        store::now()
    }

    /// From now on, containers of this image behave so; the others become ready.
    pub(crate) fn image(&self, image: &str, behaviour: Image) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.insert(image.to_owned(), behaviour);
    }

    /// From now on, this verb (`*` for any) on this plural (`*` for any) is in trouble.
    pub(crate) fn trouble(&self, verb: &'static str, resource: &'static str, trouble: Trouble) {
        self.desk.trouble(verb, resource, trouble);
    }

    /// No trouble any more.
    pub(crate) fn calm(&self) {
        self.desk.calm();
    }

    /// Every request until now, those of the test itself included.
    pub(crate) fn log(&self) -> Vec<Logged> {
        self.desk.log()
    }

    /// Paths that were asked of Services through the API server's proxy.
    pub(crate) fn proxied(&self) -> Vec<String> {
        self.desk.proxied()
    }

    /// The server goes away; its data stay.
    pub(crate) fn stop(&mut self) {
        self.door = None;
    }

    /// It comes back, at the same address.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.door = Some(front::open(self.port, &self.desk, &self.behind));
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let body = body.map(ToString::to_string).unwrap_or_default();
        http::call(self.port, method, path, "application/json", body.as_bytes()).expect("the API server answers")
    }
}

/// The `kubectl` that `scripts/tools` installs, whatever lies on `PATH`; another one where `LIVEOPS_TEST_KUBECTL` names it.
///
/// # Panics
/// When it is not there.
#[allow(clippy::disallowed_methods, reason = "the one thing that is told to these tests")]
#[track_caller]
fn kubectl() -> PathBuf {
    let program = env::var_os("LIVEOPS_TEST_KUBECTL").unwrap_or_else(|| "target/tools/bin/kubectl".into());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
    let installs = "run `scripts/tools`, which installs it, or name a kubectl of 1.27 or newer in LIVEOPS_TEST_KUBECTL";
    assert!(program.is_file(), "there is no `{}`: {installs}", program.display());
    program
}

/// Contexts, each with the port of its server; none is the current one.
fn kubeconfig(contexts: &[(&str, u16)]) -> String {
    let each = |member: fn(&str, u16) -> Value| -> Vec<Value> {
        let all = contexts.iter();
        all.map(|(name, port)| member(name, *port)).collect()
    };
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": each(|name, port| json!({ "name": name, "cluster": { "server": format!("http://127.0.0.1:{port}") } })),
        "users": [{ "name": "t", "user": {} }],
        "contexts": each(|name, _| json!({ "name": name, "context": { "cluster": name, "user": "t", "namespace": "elsewhere" } })),
        "current-context": "none",
    })
    .to_string()
}

fn collection(kind: &Kind) -> String {
    let root = if kind.group.is_empty() { "api" } else { "apis" };
    format!("/{root}/{}/namespaces/{NAMESPACE}/{}", kind.api_version(), kind.resource)
}

impl Drop for Kube {
    fn drop(&mut self) {
        if let Behind::StandIn(store) = &self.behind {
            store.lock().stopped = true;
            store.notify();
        }
        self.door = None;
        if let Some(controller) = self.controller.take() {
            drop(controller.join());
        }
    }
}
