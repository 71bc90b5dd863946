//! What the API server fills in where an object leaves it out, for the kinds that a rollout reads back: what was written
//! is not what stands there then.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::schema;

/// Fills it in.
pub(super) fn fill(kind: &Kind, object: &mut Value) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let address = name.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    match kind.resource {
        "deployments" => {
            let spec = &mut object["spec"];
            put(spec, "replicas", json!(1));
            put(spec, "progressDeadlineSeconds", json!(600));
            put(spec, "revisionHistoryLimit", json!(10));
            let gently = json!({ "maxSurge": "25%", "maxUnavailable": "25%" });
            let gently = json!({ "type": "RollingUpdate", "rollingUpdate": gently });
            put(spec, "strategy", gently);
            pod(&mut spec["template"]["spec"]);
        }
        "replicasets" => {
            put(&mut object["spec"], "replicas", json!(1));
            pod(&mut object["spec"]["template"]["spec"]);
        }
        "pods" => pod(&mut object["spec"]),
        "services" => {
            let spec = &mut object["spec"];
            put(spec, "type", json!("ClusterIP"));
            put(spec, "sessionAffinity", json!("None"));
            put(spec, "internalTrafficPolicy", json!("Cluster"));
            put(spec, "ipFamilies", json!(["IPv4"]));
            put(spec, "ipFamilyPolicy", json!("SingleStack"));
            let address = format!("10.0.0.{address}");
            put(spec, "clusterIPs", json!([address]));
            put(spec, "clusterIP", json!(address));
            for port in spec["ports"].as_array_mut().into_iter().flatten() {
                let number = port["port"].clone();
                put(port, "protocol", json!("TCP"));
                put(port, "targetPort", number);
            }
        }
        "horizontalpodautoscalers" => {
            let spec = &mut object["spec"];
            put(spec, "minReplicas", json!(1));
            let target = json!({ "type": "Utilization", "averageUtilization": 80 });
            let metric = json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } });
            put(spec, "metrics", json!([metric]));
        }
        "events" => {
            put(object, "eventTime", Value::Null);
            put(object, "reportingComponent", json!(""));
            put(object, "reportingInstance", json!(""));
        }
        resource if kind.custom => schema::fill(&schema::of(resource), object),
        _ => {}
    }
}

fn pod(spec: &mut Value) {
    put(spec, "restartPolicy", json!("Always"));
    put(spec, "terminationGracePeriodSeconds", json!(30));
    put(spec, "dnsPolicy", json!("ClusterFirst"));
    put(spec, "securityContext", json!({}));
    put(spec, "schedulerName", json!("default-scheduler"));
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default();
            let name = image.rsplit('/').next().unwrap_or_default();
            let pinned = name.contains([':', '@']) && !name.ends_with(":latest");
            let pull = if pinned { "IfNotPresent" } else { "Always" };
            put(container, "imagePullPolicy", json!(pull));
            put(container, "resources", json!({}));
            put(container, "terminationMessagePath", json!("/dev/termination-log"));
            put(container, "terminationMessagePolicy", json!("File"));
            for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                put(port, "protocol", json!("TCP"));
            }
        }
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut()
        && members.get(name).is_none_or(Value::is_null)
    {
        members.insert(name.to_owned(), value);
    }
}
