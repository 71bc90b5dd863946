//! A configuration file: the tree, and every environment of it decoded.
#![no_main]

use liveops_engine::config::decode::Problems;
use liveops_engine::config::node::Layer;
use liveops_engine::config::schema::decode;
use liveops_engine::config::{environments, yaml};
use std::rc::Rc;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let layer = Rc::new(Layer::Project("liveops.yaml".into()));
    if let Ok(document) = yaml::parse(&text, &layer) {
        for environment in environments(&document.root) {
            decode(&document.root, &environment, &mut Problems::default());
        }
    }
});
