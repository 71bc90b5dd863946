//! The ways to split traffic, one file each: what a service's `rollout.traffic` names becomes a [`Target`].

mod http;

use crate::clients::balancer::Balancer;
use crate::commands::rollout::target::Target;
use crate::config::rollout::Traffic;
use crate::config::schema::Service;
use crate::context::Context;
use crate::error::{Error, Result};

/// The target of this service's rollouts.
///
/// # Errors
/// The service has no rollout section, or what it names cannot be used.
pub(crate) fn open<'a>(cx: &'a Context, service: &'a Service) -> Result<Box<dyn Target + 'a>> {
    let Some(rollout) = &service.rollout else {
        return Err(Error::Unconfigured {
            what: "rollout",
            environment: cx.environment()?.to_owned(),
            hint: format!(
                "say how the traffic of `{}` is split: `services.{}.rollout.traffic` in liveops.yaml",
                service.name, service.name
            ),
        });
    };
    match &rollout.traffic {
        Traffic::Http { url } => {
            let target = cx.target("balancer", url)?;
            let balancer = Balancer::new(cx.http()?, target);
            Ok(Box::new(http::HttpTarget::new(balancer)))
        }
        _ => Err(Error::usage(
            "only `kind: http` can be rolled out by this build",
            "set `traffic.kind` to `http`",
        )),
    }
}
