//! Manifests of Kubernetes, in YAML and JSON.
#![no_main]

use liveops_domain::check::manifest::object::Manifests;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    Manifests::default().read("k8s.yaml", &String::from_utf8_lossy(data));
});
