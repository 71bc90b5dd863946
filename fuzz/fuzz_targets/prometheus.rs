//! Every answer of Prometheus that is read: queries, alerts, rules, targets, Alertmanagers.
#![no_main]

use liveops_engine::clients::prometheus::wire::{AlertsWire, DataWire, ManagersWire, RulesWire, TargetsWire};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fn read<T: serde::de::DeserializeOwned>(data: &[u8]) -> Option<T> {
        serde_json::from_slice(data).ok()
    }
    let _ = read(data).map(DataWire::into_domain);
    let _ = read(data).map(AlertsWire::into_domain);
    let _ = read(data).map(RulesWire::into_domain);
    let _ = read(data).map(TargetsWire::into_domain);
    let _ = read(data).map(ManagersWire::into_domain);
});
