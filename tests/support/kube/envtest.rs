//! A real API server: `etcd`, `kube-apiserver` and `kube-controller-manager` from the folder that `KUBEBUILDER_ASSETS`
//! names (the envtest convention), with the CRDs of the custom kinds, and a kubelet's eyes for readiness. `kubectl
//! proxy` takes TLS off, so that the same door stands in front of both servers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::controller::{Image, pod_status};
use super::kinds::KINDS;
use crate::support::deadline::{happens, until};
use crate::support::{http, process};

const START_LIMIT: Duration = Duration::from_secs(60);

/// How images behave, shared with the thread that plays kubelet.
pub(crate) type Images = Arc<Mutex<BTreeMap<String, Image>>>;

/// The servers, stopped on drop.
pub(crate) struct Envtest {
    children: Vec<Child>,
    folder: TempDir,
    proxy: u16,
    stopped: Arc<AtomicBool>,
    kubelet: Option<JoinHandle<()>>,
}

impl Envtest {
    /// Starts them from the binaries in `assets`.
    #[track_caller]
    pub(crate) fn start(assets: &Path, images: &Images) -> Self {
        let folder =
            tempfile::Builder::new().prefix("liveops-envtest-").tempdir().expect("the temporary folder is writable");
        let mut server =
            Self { children: Vec::new(), folder, proxy: process::free_port(), stopped: Arc::default(), kubelet: None };
        server.launch(assets);
        server.define(assets);
        let (port, stopped, images) = (server.proxy, Arc::clone(&server.stopped), Arc::clone(images));
        server.kubelet = Some(thread::spawn(move || kubelet(port, &stopped, &images)));
        server
    }

    /// The port of `kubectl proxy`.
    pub(crate) fn port(&self) -> u16 {
        self.proxy
    }

    fn launch(&mut self, assets: &Path) {
        let root = self.folder.path().to_owned();
        let at = |name: &str| root.join(name).display().to_string();
        let (etcd, peer, api) = (process::free_port(), process::free_port(), process::free_port());
        let key = at("sa.key");
        let openssl = ["genpkey", "-quiet", "-algorithm", "RSA", "-out", &key];
        run("openssl", openssl);
        fs::write(at("tokens"), "liveops-tests,liveops,1,system:masters\n").expect("own folder");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "t", "cluster": { "server": format!("https://127.0.0.1:{api}"), "insecure-skip-tls-verify": true } }],
            "users": [{ "name": "t", "user": { "token": "liveops-tests" } }],
            "contexts": [{ "name": "t", "context": { "cluster": "t", "user": "t" } }],
            "current-context": "t",
        });
        fs::write(at("kubeconfig"), config.to_string()).expect("own folder");
        let peer = format!("http://127.0.0.1:{peer}");
        let store = format!("http://127.0.0.1:{etcd}");
        let args = [
            format!("--data-dir={}", at("etcd")),
            format!("--listen-client-urls={store}"),
            format!("--advertise-client-urls={store}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
        ];
        self.spawn(&assets.join("etcd"), args);
        let args = [
            format!("--etcd-servers={store}"),
            format!("--secure-port={api}"),
            "--bind-address=127.0.0.1".to_owned(),
            // Without it, it looks for an address of the machine that others reach.
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", at("certs")),
            format!("--token-auth-file={}", at("tokens")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            "--authorization-mode=RBAC".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        ];
        self.spawn(&assets.join("kube-apiserver"), args);
        let config = format!("--kubeconfig={}", at("kubeconfig"));
        let proxy = ["proxy".to_owned(), config.clone(), format!("--port={}", self.proxy)];
        self.spawn(&super::kubectl(), proxy);
        let port = self.proxy;
        until("the real API server", START_LIMIT, || {
            let answer = http::get(port, "/readyz").ok()?;
            (answer.status == 200).then_some(())
        });
        let args = [
            config,
            // The garbage collector ends the pods of a Deployment that is deleted; the autoscaler keeps to its bounds.
            "--controllers=deployment-controller,replicaset-controller,endpoints-controller,garbage-collector-controller,horizontal-pod-autoscaler-controller"
                .to_owned(),
            "--horizontal-pod-autoscaler-sync-period=1s".to_owned(),
            // Several run at once; its own port is a fixed one.
            "--secure-port=0".to_owned(),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=false".to_owned(),
        ];
        self.spawn(&assets.join("kube-controller-manager"), args);
    }

    #[allow(clippy::disallowed_methods, reason = "a test starts the servers it needs")]
    #[track_caller]
    fn spawn(&mut self, program: &Path, args: impl IntoIterator<Item = String>) {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = fs::File::create(self.folder.path().join(format!("{name}.log"))).expect("own folder");
        let errors = log.try_clone().expect("a file handle can be duplicated");
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("`{}` does not start: {error}", program.display()));
        self.children.push(child);
    }

    /// The CRDs: those in `crds/` of the assets (`httproutes.gateway.networking.k8s.io.json`), open ones otherwise.
    fn define(&self, assets: &Path) {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        for kind in KINDS.iter().filter(|kind| kind.custom) {
            let file = assets.join("crds").join(format!("{}.json", kind.qualified()));
            let real = fs::read_to_string(file).map(|text| serde_json::from_str(&text).expect("JSON"));
            let definition = real.unwrap_or_else(|_| kind.definition());
            let answer = http::post_json(self.proxy, path, &definition).expect("an answer");
            assert!(answer.status < 300, "{}", answer.text());
        }
        for kind in KINDS.iter().filter(|kind| kind.custom) {
            let path = format!("/apis/{}/{}/{}", kind.group, kind.version, kind.resource);
            let served = || http::get(self.proxy, &path).is_ok_and(|answer| answer.status == 200);
            assert!(happens(START_LIMIT, served), "{path} is not served");
        }
    }
}

impl Drop for Envtest {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(kubelet) = self.kubelet.take() {
            drop(kubelet.join());
        }
        for child in self.children.iter_mut().rev() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a test makes the keys it needs")]
fn run<const N: usize>(program: &str, args: [&str; N]) {
    let done = Command::new(program).args(args).status();
    assert!(done.is_ok_and(|status| status.success()), "`{program}` failed");
}

/// What a scheduler and a kubelet do: each pod gets a node and the status that its images deserve, and ends when it is
/// told to.
fn kubelet(port: u16, stopped: &AtomicBool, images: &Images) {
    while !stopped.load(Ordering::Relaxed) {
        let pods = http::get(port, "/api/v1/pods").ok().map(|answer| answer.json());
        let pods = pods.iter().flat_map(|list| list["items"].as_array());
        for pod in pods.flatten() {
            let known = images.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Whoever is faster may have deleted it meanwhile.
            drop(tend(port, pod, &known));
        }
        thread::sleep(Duration::from_millis(30));
    }
}

fn tend(port: u16, pod: &Value, images: &BTreeMap<String, Image>) -> io::Result<()> {
    let text = |pointer: &str| {
        let found = pod.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    };
    let name = text("/metadata/name");
    let path = format!("/api/v1/namespaces/{}/pods/{name}", text("/metadata/namespace"));
    if pod["metadata"].get("deletionTimestamp").is_some() {
        let now = format!("{path}?gracePeriodSeconds=0");
        return http::call(port, "DELETE", &now, "application/json", b"").map(drop);
    }
    // Addresses of Endpoints are refused without a node.
    if text("/spec/nodeName").is_empty() {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name },
            "target": { "apiVersion": "v1", "kind": "Node", "name": "node" },
        });
        http::post_json(port, &format!("{path}/binding"), &binding)?;
    }
    let (mut status, _) = pod_status(pod, images);
    if pod["status"]["containerStatuses"] == status["containerStatuses"] {
        return Ok(());
    }
    // The endpoints controller leaves out pods without an address.
    let number = name.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    status["podIP"] = json!(format!("10.1.{}.{}", number >> 8, number & 0xff));
    let body = json!({ "status": status }).to_string();
    let kind = "application/merge-patch+json";
    let path = format!("{path}/status");
    http::call(port, "PATCH", &path, kind, body.as_bytes()).map(drop)
}

/// The folder of the binaries, when there is one.
#[allow(clippy::disallowed_methods, reason = "the convention of envtest is a variable")]
pub(crate) fn assets() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from)
}
