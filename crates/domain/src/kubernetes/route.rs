//! Objects that carry the weight: where the canary's share stands in them, and the JSON Patches that set it. Each patch
//! tests the names of the backends and touches their weights alone.

mod gateway;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::kubernetes::note;
use crate::rollout::exposure::Percent;

/// What the weights of two backends add up to when ours to choose: tenths of a percent where they are needed.
const WHOLE: [u64; 2] = [100, 1000];

/// How an object says who gets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Gateway API HTTPRoute: a rule's backends, by name.
    Gateway { rule: usize, stable: String, canary: String },
    /// Istio VirtualService: an HTTP route's destinations, by host and subset.
    Istio { route: Option<String>, stable: (String, Option<String>), canary: (String, Option<String>) },
    /// The canary Ingress of ingress-nginx: one annotation.
    Nginx,
    /// A Service whose selector is switched, all or nothing: labels in it that mean the one version or the other.
    Selector { stable: Map<String, Value>, canary: Map<String, Value> },
}

const NGINX: &str = "nginx.ingress.kubernetes.io/";

const NGINX_WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

/// What the weight is a part of, where it is more than 100; a smaller one is not heeded (ingress-nginx, `balancer.lua`).
const NGINX_TOTAL: &str = "nginx.ingress.kubernetes.io/canary-weight-total";

/// Users with these stay on the canary whatever its weight: a way back drops them.
const NGINX_STICKY: [&str; 4] = [
    "nginx.ingress.kubernetes.io/canary-by-header",
    "nginx.ingress.kubernetes.io/canary-by-header-value",
    "nginx.ingress.kubernetes.io/canary-by-header-pattern",
    "nginx.ingress.kubernetes.io/canary-by-cookie",
];

/// Two backends in a list.
struct Pair<'a> {
    /// Pointer of the list.
    path: String,
    list: &'a [Value],
    stable: usize,
    canary: usize,
    /// What a weight that is not written means: 1 in Gateway API, 0 in Istio.
    unset: u64,
}

/// Is this backend the stable one, or (true) the canary?
type Fits<'a> = dyn Fn(&Value, bool) -> bool + 'a;

impl Pair<'_> {
    fn weight(&self, index: usize) -> u64 {
        self.list[index]["weight"].as_u64().unwrap_or(self.unset)
    }

    fn both(&self) -> u64 {
        self.weight(self.stable) + self.weight(self.canary)
    }

    fn others(&self) -> u64 {
        (0..self.list.len())
            .filter(|index| *index != self.stable && *index != self.canary)
            .map(|index| self.weight(index))
            .sum()
    }
}

impl Route {
    /// The canary's share in this object.
    ///
    /// # Errors
    /// What is not as it is configured.
    pub fn share(&self, object: &Value) -> Result<Percent, String> {
        let share = match self {
            Self::Gateway { .. } | Self::Istio { .. } => {
                let pair = self.pair(object)?;
                let (canary, both) = (pair.weight(pair.canary), pair.both());
                if both == 0 { 0.0 } else { canary as f64 * 100.0 / both as f64 }
            }
            Self::Nginx => {
                nginx(object)?;
                let text = note::annotation(object, NGINX_WEIGHT).unwrap_or("0");
                let number = text.parse::<f64>();
                let number = number.map_err(|_| format!("its weight `{text}` is no number"))?;
                number * 100.0 / nginx_total(object)
            }
            Self::Selector { canary, .. } => {
                if holds(&object["spec"]["selector"], canary) {
                    100.0
                } else {
                    0.0
                }
            }
        };
        Percent::new(share).ok_or_else(|| format!("its weight {share} is no percentage"))
    }

    /// The share that it would come to.
    pub fn effective(&self, percent: Percent) -> Percent {
        let rounded = match self {
            Self::Gateway { .. } | Self::Istio { .. } => (percent.get() * 10.0).round() / 10.0,
            Self::Nginx => percent.get().round(),
            Self::Selector { .. } if percent.is_about(Percent::FULL) => 100.0,
            Self::Selector { .. } => 0.0,
        };
        Percent::new(rounded).unwrap_or(percent)
    }

    /// The operations that set the share, with a `test` for each name; the caller adds its own preconditions.
    ///
    /// # Errors
    /// Why it cannot be set.
    pub fn set(&self, object: &Value, percent: Percent) -> Result<Vec<Value>, String> {
        match self {
            Self::Gateway { .. } | Self::Istio { .. } => {
                let pair = self.pair(object)?;
                let tenths = (percent.get() * 10.0).round() as u64;
                let whole =
                    if pair.others() > 0 { pair.both() } else { WHOLE[usize::from(!tenths.is_multiple_of(10))] };
                let canary = (tenths * whole + 500) / 1000;
                Ok(self.weights(&pair, [Some(whole - canary), Some(canary)]))
            }
            Self::Nginx => {
                let weight = (percent.get() * nginx_total(object) / 100.0).round();
                let weight = weight.to_string();
                let path = note::pointer(NGINX_WEIGHT);
                Ok(vec![json!({ "op": "add", "path": path, "value": weight })])
            }
            Self::Selector { stable, canary } => {
                let (from, to) = if percent.is_about(Percent::FULL) { (stable, canary) } else { (canary, stable) };
                let now = &object["spec"]["selector"];
                if holds(now, to) {
                    return Ok(Vec::new());
                }
                if !holds(now, from) {
                    return Err(format!("its selector is neither that of the old version nor of the new one: {now}"));
                }
                Ok(vec![
                    json!({ "op": "test", "path": "/spec/selector", "value": now }),
                    json!({ "op": "replace", "path": "/spec/selector", "value": switched(now, from, to) }),
                ])
            }
        }
    }

    /// What [`Route::back`] needs to make the object what it is now.
    ///
    /// # Errors
    /// What is not as it is configured.
    pub fn original(&self, object: &Value) -> Result<Value, String> {
        match self {
            Self::Gateway { .. } | Self::Istio { .. } => {
                self.is_in_one_rule(object)?;
                let pair = self.pair(object)?;
                let weight = |index: usize| pair.list[index].get("weight").cloned();
                if pair.others() > 0 && pair.both() < 100 {
                    return Err(format!(
                        "other backends share the rule, and the weights of the two add up to {}: too few for steps of a percent; use weights that add up to 100 or more",
                        pair.both()
                    ));
                }
                Ok(json!([weight(pair.stable), weight(pair.canary)]))
            }
            Self::Nginx => {
                nginx(object)?;
                let annotations = object["metadata"]["annotations"].as_object();
                let own = annotations.into_iter().flatten();
                Ok(own
                    .filter(|(name, _)| name.starts_with(NGINX))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect())
            }
            Self::Selector { stable, .. } => {
                let now = &object["spec"]["selector"];
                // One that fits both versions is narrowed before there are two.
                let silent = stable.keys().all(|name| now.get(name).is_none());
                if holds(now, stable) || silent {
                    Ok(now.clone())
                } else {
                    let wanted = Value::Object(stable.clone());
                    Err(format!("its selector {now} means another version than {wanted}"))
                }
            }
        }
    }

    /// The operations of the way back: all traffic to the old version now, sticky users included.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn back(&self, object: &Value, original: &Value) -> Result<Vec<Value>, String> {
        match self {
            Self::Gateway { .. } | Self::Istio { .. } => {
                let pair = self.pair(object)?;
                let [stable, canary] = [0, 1].map(|index| original[index].as_u64());
                Ok(self.weights(&pair, [stable, canary]))
            }
            Self::Nginx => {
                let weight = original[NGINX_WEIGHT].as_str().unwrap_or("0");
                let mut operations = vec![json!({ "op": "add", "path": note::pointer(NGINX_WEIGHT), "value": weight })];
                for name in NGINX_STICKY {
                    if note::annotation(object, name).is_some() {
                        operations.push(json!({ "op": "remove", "path": note::pointer(name) }));
                    }
                }
                Ok(operations)
            }
            Self::Selector { stable, canary } => {
                let old = switched(original, canary, stable);
                Ok(vec![json!({ "op": "replace", "path": "/spec/selector", "value": old })])
            }
        }
    }

    /// What must be so before the first pod of the canary: a Service that fits both versions takes the old one alone.
    /// A merge patch; [`Route::tidy`] undoes it.
    pub fn narrow(&self, original: &Value) -> Option<Value> {
        match self {
            Self::Selector { stable, .. } if !holds(original, stable) => {
                Some(json!({ "spec": { "selector": stable } }))
            }
            _ => None,
        }
    }

    /// What is left to make the object what it was, when no canary runs any more; a merge patch.
    pub fn tidy(&self, object: &Value, original: &Value) -> Option<Value> {
        let restored = |names: &mut dyn Iterator<Item = &str>, now: &Value| -> Map<String, Value> {
            names
                .filter(|name| original.get(name) != now.get(name))
                .map(|name| (name.to_owned(), original.get(name).cloned().unwrap_or_default()))
                .collect()
        };
        let (nothing, patch) = match self {
            Self::Gateway { .. } | Self::Istio { .. } => return None,
            Self::Nginx => {
                let mut names = NGINX_STICKY.into_iter().chain([NGINX_WEIGHT]);
                let map = restored(&mut names, &object["metadata"]["annotations"]);
                (map.is_empty(), json!({ "metadata": { "annotations": map } }))
            }
            Self::Selector { stable, canary } => {
                let mut names = stable.keys().chain(canary.keys()).map(String::as_str);
                let map = restored(&mut names, &object["spec"]["selector"]);
                (map.is_empty(), json!({ "spec": { "selector": map } }))
            }
        };
        (!nothing).then_some(patch)
    }

    /// Has the data plane taken it over, as far as the object says?
    pub fn is_settled(&self, object: &Value) -> bool {
        !matches!(self, Self::Gateway { .. }) || gateway::is_settled(object)
    }

    /// What the data plane says does not work of it.
    pub fn broken(&self, object: &Value) -> Option<String> {
        matches!(self, Self::Gateway { .. }).then(|| gateway::broken(object)).flatten()
    }

    /// Where the weight is, for finding who changed it.
    pub fn field(&self) -> &'static [&'static str] {
        match self {
            Self::Gateway { .. } => &["spec", "rules"],
            Self::Istio { .. } => &["spec", "http"],
            Self::Nginx => &["metadata", "annotations", NGINX_WEIGHT],
            Self::Selector { .. } => &["spec", "selector"],
        }
    }

    fn pair<'a>(&self, object: &'a Value) -> Result<Pair<'a>, String> {
        let (path, fits, unset): (String, Box<Fits<'_>>, u64) = match self {
            Self::Gateway { rule, stable, canary } => (
                format!("/spec/rules/{}/backendRefs", self.rule(object, *rule)),
                Box::new(move |backend, of_canary| backend["name"] == *(if of_canary { canary } else { stable })),
                1,
            ),
            Self::Istio { route, stable, canary } => {
                let index = istio_route(object, route.as_deref())?;
                let fits = move |backend: &Value, of_canary: bool| {
                    let (host, subset) = if of_canary { canary } else { stable };
                    let destination = &backend["destination"];
                    destination["host"] == *host && destination["subset"].as_str() == subset.as_deref()
                };
                (format!("/spec/http/{index}/route"), Box::new(fits), 0)
            }
            Self::Nginx | Self::Selector { .. } => return Err("it has no backends".into()),
        };
        let list =
            object.pointer(&path).and_then(Value::as_array).ok_or_else(|| format!("it has nothing at `{path}`"))?;
        let find = |of_canary: bool| {
            let mut found = (0..list.len()).filter(|index| fits(&list[*index], of_canary));
            match (found.next(), found.next()) {
                (Some(index), None) => Ok(index),
                (None, _) => Err(format!("`{path}` has no backend {}", self.name(of_canary))),
                (Some(_), Some(_)) => {
                    Err(format!("`{path}` has the backend {} twice, so it is ambiguous", self.name(of_canary)))
                }
            }
        };
        Ok(Pair { stable: find(false)?, canary: find(true)?, path, list, unset })
    }

    /// The rules that have both backends.
    fn rules_of_pair(&self, object: &Value) -> Vec<usize> {
        let (path, list, fits): (_, _, Box<Fits<'_>>) = match self {
            Self::Gateway { stable, canary, .. } => (
                "/spec/rules",
                "backendRefs",
                Box::new(move |backend, of_canary| backend["name"] == *(if of_canary { canary } else { stable })),
            ),
            Self::Istio { stable, canary, .. } => (
                "/spec/http",
                "route",
                Box::new(move |backend, of_canary| {
                    let (host, subset) = if of_canary { canary } else { stable };
                    let destination = &backend["destination"];
                    destination["host"] == *host && destination["subset"].as_str() == subset.as_deref()
                }),
            ),
            Self::Nginx | Self::Selector { .. } => return Vec::new(),
        };
        let rules = object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let has = |rule: &Value, of_canary: bool| {
            rule[list].as_array().into_iter().flatten().any(|backend| fits(backend, of_canary))
        };
        (0..rules.len()).filter(|index| has(&rules[*index], false) && has(&rules[*index], true)).collect()
    }

    /// Where the configured rule is now: its place shifts when somebody puts another one before it.
    fn rule(&self, object: &Value, configured: usize) -> usize {
        let found = self.rules_of_pair(object);
        match found.as_slice() {
            [only] => *only,
            _ => configured,
        }
    }

    /// # Errors
    /// The pair is in several rules, of which one weight alone would be moved.
    fn is_in_one_rule(&self, object: &Value) -> Result<(), String> {
        let found = self.rules_of_pair(object);
        if found.len() < 2 {
            return Ok(());
        }
        let places: Vec<String> = found.iter().map(ToString::to_string).collect();
        Err(format!(
            "its rules {} all split between {} and {}, and a rollout moves the weight of one: the others would never be tried; use one rule, or other Services in the others",
            places.join(", "),
            self.name(false),
            self.name(true)
        ))
    }

    /// Rules beside the one that is moved whose requests reach the canary whatever its weight: by a header, a mirror, a
    /// path of its own. A way back leaves them where they are.
    pub fn strays(&self, object: &Value) -> Vec<usize> {
        let (path, canary) = match self {
            Self::Gateway { canary, .. } => ("/spec/rules", canary),
            Self::Istio { canary: (host, None), .. } => ("/spec/http", host),
            Self::Istio { .. } | Self::Nginx | Self::Selector { .. } => return Vec::new(),
        };
        let ours = self.rules_of_pair(object);
        let rules = object.pointer(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        (0..rules.len()).filter(|index| !ours.contains(index) && names(&rules[*index], canary)).collect()
    }

    fn name(&self, of_canary: bool) -> String {
        match self {
            Self::Gateway { stable, canary, .. } => {
                format!("`{}`", if of_canary { canary } else { stable })
            }
            Self::Istio { stable, canary, .. } => {
                let (host, subset) = if of_canary { canary } else { stable };
                match subset {
                    Some(subset) => format!("`{host}` subset `{subset}`"),
                    None => format!("`{host}`"),
                }
            }
            Self::Nginx | Self::Selector { .. } => String::new(),
        }
    }

    /// Tests both names, then sets both weights; none takes a weight away that was not there.
    fn weights(&self, pair: &Pair<'_>, weights: [Option<u64>; 2]) -> Vec<Value> {
        let places = [pair.stable, pair.canary].map(|index| format!("{}/{index}", pair.path));
        let mut operations = Vec::new();
        for (index, place) in [pair.stable, pair.canary].into_iter().zip(&places) {
            let backend = &pair.list[index];
            match self {
                Self::Istio { .. } => {
                    for member in ["host", "subset"] {
                        if let Some(value) = backend["destination"].get(member) {
                            let path = format!("{place}/destination/{member}");
                            operations.push(json!({ "op": "test", "path": path, "value": value }));
                        }
                    }
                }
                _ => {
                    let path = format!("{place}/name");
                    operations.push(json!({ "op": "test", "path": path, "value": backend["name"] }));
                }
            }
        }
        for ((index, place), weight) in [pair.stable, pair.canary].into_iter().zip(&places).zip(weights) {
            let path = format!("{place}/weight");
            match weight {
                Some(weight) => {
                    operations.push(json!({ "op": "add", "path": path, "value": weight }));
                }
                None if pair.list[index].get("weight").is_some() => {
                    operations.push(json!({ "op": "remove", "path": path }));
                }
                None => {}
            }
        }
        operations
    }
}

/// Does it name this Service as a backend or a mirror, anywhere?
fn names(value: &Value, service: &str) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            (matches!(name.as_str(), "name" | "host") && value == service) || names(value, service)
        }),
        Value::Array(values) => values.iter().any(|value| names(value, service)),
        _ => false,
    }
}

/// Are these labels in the selector?
fn holds(selector: &Value, labels: &Map<String, Value>) -> bool {
    labels.iter().all(|(name, value)| selector[name] == *value)
}

/// The selector with the labels of the other version.
fn switched(selector: &Value, from: &Map<String, Value>, to: &Map<String, Value>) -> Value {
    let kept = selector.as_object().into_iter().flatten();
    let kept = kept.filter(|(name, _)| !from.contains_key(*name));
    let pairs = kept.chain(to).map(|(name, value)| (name.clone(), value.clone()));
    Value::Object(pairs.collect())
}

fn istio_route(object: &Value, name: Option<&str>) -> Result<usize, String> {
    let routes = object["spec"]["http"].as_array();
    let routes = routes.map(Vec::as_slice).unwrap_or_default();
    match name {
        Some(name) => {
            let found = routes.iter().position(|route| route["name"] == name);
            found.ok_or_else(|| format!("it has no HTTP route named `{name}`"))
        }
        None if routes.len() == 1 => Ok(0),
        None => Err(format!("it has {} HTTP routes: name the one that is meant with `traffic.route`", routes.len())),
    }
}

fn nginx(object: &Value) -> Result<(), String> {
    if note::annotation(object, "nginx.ingress.kubernetes.io/canary") == Some("true") {
        Ok(())
    } else {
        Err("it is no canary Ingress: the annotation nginx.ingress.kubernetes.io/canary is not \"true\"".into())
    }
}

fn nginx_total(object: &Value) -> f64 {
    let total = note::annotation(object, NGINX_TOTAL).and_then(|text| text.parse().ok());
    total.filter(|total| *total > 100.0).unwrap_or(100.0)
}

/// The Ingress beside this canary Ingress that keeps users on the version that they met first, whatever the weight: by
/// session affinity, unless it says that the canary has none (`affinity-canary-behavior: legacy`).
pub fn sticky<'a>(all: &'a [Value], canary: &Value) -> Option<&'a str> {
    let hosts = |object: &Value| -> Vec<Value> {
        let rules = object["spec"]["rules"].as_array();
        rules.into_iter().flatten().map(|rule| rule["host"].clone()).collect()
    };
    let own = hosts(canary);
    let says =
        |object: &Value, name: &str, value: &str| note::annotation(object, &format!("{NGINX}{name}")) == Some(value);
    let found = all.iter().find(|object| {
        hosts(object).iter().any(|host| own.contains(host))
            && says(object, "affinity", "cookie")
            && !says(object, "affinity-canary-behavior", "legacy")
    });
    found.and_then(|object| object["metadata"]["name"].as_str())
}
