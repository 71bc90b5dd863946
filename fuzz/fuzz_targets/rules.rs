//! Files of Prometheus and Alertmanager: alerting rules, their templates, routes.
#![no_main]

use liveops_domain::check::alerts::file::RuleFile;
use liveops_domain::check::alerts::routes::RoutingTree;
use liveops_domain::check::alerts::template;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    RuleFile::read(&text, "rules.yml");
    let _ = RoutingTree::read(&text);
    let _ = template::read(&text);
});
