//! The ways to split traffic, one file each: what a service's `rollout.traffic` names becomes a [`TrafficTarget`].

use std::cell::RefCell;

use serde_json::{Map, Value, json};

use crate::clients::kubectl::object::{Object, Resource};
use crate::config::rollout::{Destination, Rollout, Traffic};
use crate::config::service::Service;
use crate::rollout::state_store::cluster::ClusterStateStore;
use crate::rollout::target::annotated_object::AnnotatedObject;
use crate::rollout::target::argo::Argo;
use crate::rollout::target::balancer::Balancer;
use crate::rollout::target::deployment::Workload;
use crate::rollout::target::flagger::Flagger;
use crate::rollout::target::replicas::Replicas;
use crate::rollout::target::routed::{CanaryIdentity, Routed};
use crate::rollout::target::{TrafficTarget, http};
use crate::session::{Session, kubectl};
use liveops_domain::error::{Error, Result};
use liveops_domain::kubernetes::route::Route;
use liveops_domain::metric::labels::Labels;

/// The target of this service's rollouts.
pub fn open<'a>(cx: &'a Session, service: &'a Service) -> Result<Box<dyn TrafficTarget + 'a>> {
    let rollout = section(cx, service)?;
    let target: Box<dyn TrafficTarget + 'a> = match &rollout.traffic {
        Traffic::Http { url } => {
            let target = cx.target("balancer", url)?;
            let balancer = Balancer::new(cx.http()?, target);
            Box::new(http::HttpTarget::new(balancer))
        }
        Traffic::GatewayApi { route, rule, stable, canary } => Box::new(Routed {
            kind: "gateway-api",
            carrier: annotated_object(cx, Resource::HttpRoute, route)?,
            route: Route::Gateway { rule: *rule, stable: stable.clone(), canary: canary.clone() },
            workload: workload(cx, service)?,
            canary_identity: CanaryIdentity::Services {
                stable: Object::new(Resource::Service, stable)?,
                canary: Object::new(Resource::Service, canary)?,
            },
        }),
        Traffic::Istio { virtual_service, route, stable, canary } => {
            let pair = |place: &Destination| (place.host.clone(), place.subset.clone());
            Box::new(Routed {
                kind: "istio",
                carrier: annotated_object(cx, Resource::VirtualService, virtual_service)?,
                route: Route::Istio { route: route.clone(), stable: pair(stable), canary: pair(canary) },
                workload: workload(cx, service)?,
                canary_identity: if stable.host == canary.host {
                    CanaryIdentity::Labels(labels(&rollout.tracks.canary))
                } else {
                    CanaryIdentity::Services { stable: service_of(stable)?, canary: service_of(canary)? }
                },
            })
        }
        Traffic::Nginx { ingress } => Box::new(Routed {
            kind: "nginx",
            carrier: annotated_object(cx, Resource::Ingress, ingress)?,
            route: Route::Nginx,
            workload: workload(cx, service)?,
            canary_identity: CanaryIdentity::IngressBackend,
        }),
        Traffic::Replicas { stable, canary, service: name } => Box::new(Replicas {
            service: annotated_object(cx, Resource::Service, name)?,
            workload: Workload {
                stable: Object::new(Resource::Deployment, stable)?,
                canary: Object::new(Resource::Deployment, canary)?,
                ..workload(cx, service)?
            },
            labels: labels(&rollout.tracks.canary),
        }),
        Traffic::Argo { rollout: name } => {
            let configured = service.workload.as_ref();
            let container = configured.and_then(|workload| workload.container.as_deref());
            Box::new(Argo::new(annotated_object(cx, Resource::ArgoRollout, name)?, container))
        }
        Traffic::Flagger { canary } => {
            Box::new(Flagger::new(annotated_object(cx, Resource::FlaggerCanary, canary)?, workload(cx, service)?))
        }
    };
    Ok(target)
}

/// Is a blue/green switch of this service another target than its canary?
pub fn has_switch(service: &Service) -> bool {
    let rollout = service.rollout.as_ref();
    rollout.is_some_and(|rollout| matches!(rollout.traffic, Traffic::Replicas { .. }))
}

/// The target of a blue/green switch: the Service's selector, from the old version's pods to the new one's in one write.
pub fn open_switch<'a>(cx: &'a Session, service: &'a Service) -> Result<Box<dyn TrafficTarget + 'a>> {
    let rollout = section(cx, service)?;
    let Traffic::Replicas { stable, canary, service: name } = &rollout.traffic else {
        // A weight that goes from nothing to everything is a switch too.
        return open(cx, service);
    };
    let (old, new) = (&rollout.tracks.stable, &rollout.tracks.canary);
    Ok(Box::new(Routed {
        kind: "replicas",
        carrier: annotated_object(cx, Resource::Service, name)?,
        route: Route::Selector { stable: labels(old), canary: labels(new) },
        workload: Workload {
            stable: Object::new(Resource::Deployment, stable)?,
            canary: Object::new(Resource::Deployment, canary)?,
            ..workload(cx, service)?
        },
        canary_identity: CanaryIdentity::Labels(labels(new)),
    }))
}

/// Lock and state in the cluster; none for a service whose traffic no cluster splits.
pub fn cluster_store<'a>(cx: &'a Session, service: &'a Service) -> Result<Option<ClusterStateStore<'a>>> {
    if let Traffic::Http { .. } = section(cx, service)?.traffic {
        return Ok(None);
    }
    ClusterStateStore::new(kubectl(cx)?, cx.clock, &service.name).map(Some)
}

fn section<'a>(cx: &Session, service: &'a Service) -> Result<&'a Rollout> {
    service.rollout.as_ref().ok_or_else(|| Error::Unconfigured {
        what: "rollout",
        environment: cx.environment().unwrap_or("default").to_owned(),
        hint: format!(
            "say how the traffic of `{}` is split: `services.{}.rollout.traffic` in liveops.yaml",
            service.name, service.name
        ),
    })
}

/// The object that carries the weight, or whose controller moves it.
fn annotated_object<'a>(cx: &'a Session, resource: Resource, name: &str) -> Result<AnnotatedObject<'a>> {
    Ok(AnnotatedObject::new(kubectl(cx)?, Object::new(resource, name)?, cx.clock))
}

fn workload<'a>(cx: &'a Session, service: &'a Service) -> Result<Workload<'a>> {
    let configured = service.workload.as_ref();
    let deployment = service.deployment();
    Ok(Workload {
        kubectl: kubectl(cx)?,
        stable: Object::new(Resource::Deployment, deployment)?,
        canary: Object::new(Resource::Deployment, &format!("{deployment}-canary"))?,
        container: configured.and_then(|workload| workload.container.as_deref()),
        recorded: RefCell::default(),
        ran: RefCell::default(),
    })
}

/// The Service behind an Istio host: its first label, `game.prod.svc.cluster.local`.
fn service_of(place: &Destination) -> Result<Object> {
    let name = place.host.split('.').next().unwrap_or_default();
    Object::new(Resource::Service, name)
}

fn labels(labels: &Labels) -> Map<String, Value> {
    let pairs = labels.iter();
    pairs.map(|(name, value)| (name.clone(), json!(value))).collect()
}
