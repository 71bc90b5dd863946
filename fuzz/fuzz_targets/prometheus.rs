//! Every answer of Prometheus that is read: queries, alerts, rules, targets, Alertmanagers.
#![no_main]

use liveops_engine::clients::prometheus::wire::{AlertsWire, DataWire, ManagersWire, RulesWire, TargetsWire};
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
        serde_json::from_value(value.clone()).ok()
    }
    let _ = read(&value).map(DataWire::into_domain);
    let _ = read(&value).map(AlertsWire::into_domain);
    let _ = read(&value).map(RulesWire::into_domain);
    let _ = read(&value).map(TargetsWire::into_domain);
    let _ = read(&value).map(ManagersWire::into_domain);
});
