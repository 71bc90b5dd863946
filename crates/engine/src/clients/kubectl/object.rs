//! Names of objects, checked: none can be taken for an option of `kubectl`, or lead out of its place.

use std::fmt;

use liveops_domain::error::{Error, Result};

/// A kind of object that liveops reads or writes, as `kubectl` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Deployment,
    Service,
    Hpa,
    ConfigMap,
    Lease,
    Ingress,
    HttpRoute,
    VirtualService,
    DestinationRule,
    ArgoRollout,
    FlaggerCanary,
}

impl Resource {
    /// The name with its group, so that no other kind of the same name is meant.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment.apps",
            Self::Service => "service",
            Self::Hpa => "horizontalpodautoscaler.autoscaling",
            Self::ConfigMap => "configmap",
            Self::Lease => "lease.coordination.k8s.io",
            Self::Ingress => "ingress.networking.k8s.io",
            Self::HttpRoute => "httproute.gateway.networking.k8s.io",
            Self::VirtualService => "virtualservice.networking.istio.io",
            Self::DestinationRule => "destinationrule.networking.istio.io",
            Self::ArgoRollout => "rollout.argoproj.io",
            Self::FlaggerCanary => "canary.flagger.app",
        }
    }

    /// The group; empty for the core.
    pub fn group(self) -> &'static str {
        self.word().split_once('.').map_or("", |(_, group)| group)
    }

    /// The plural, as rules of access name it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::Service => "services",
            Self::Hpa => "horizontalpodautoscalers",
            Self::ConfigMap => "configmaps",
            Self::Lease => "leases",
            Self::Ingress => "ingresses",
            Self::HttpRoute => "httproutes",
            Self::VirtualService => "virtualservices",
            Self::DestinationRule => "destinationrules",
            Self::ArgoRollout => "rollouts",
            Self::FlaggerCanary => "canaries",
        }
    }

    /// `kind` in the object itself.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Service => "Service",
            Self::Hpa => "HorizontalPodAutoscaler",
            Self::ConfigMap => "ConfigMap",
            Self::Lease => "Lease",
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::VirtualService => "VirtualService",
            Self::DestinationRule => "DestinationRule",
            Self::ArgoRollout => "Rollout",
            Self::FlaggerCanary => "Canary",
        }
    }
}

/// Something that one may do, or not: a verb on a kind of object, or on a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed {
    pub verb: &'static str,
    pub resource: Resource,
    /// Such as `status`.
    pub part: Option<&'static str>,
}

impl Deed {
    /// On the object itself.
    pub fn new(verb: &'static str, resource: Resource) -> Self {
        Self { verb, resource, part: None }
    }

    /// As `kubectl auth can-i` takes it.
    pub fn words(self) -> String {
        let part = self.part.map_or_else(String::new, |part| format!(" --subresource={part}"));
        format!("{} {}{part}", self.verb, self.resource.word())
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.verb)?;
        if let Some(part) = self.part {
            write!(f, "the {part} of ")?;
        }
        f.write_str(self.resource.word())
    }
}

/// A name as Kubernetes allows it (RFC 1123): lower-case letters, digits, `-` and `.`, at most 253.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Checks it.
    ///
    /// # Errors
    /// `Usage`, with what is allowed.
    pub fn new(text: &str) -> Result<Self> {
        let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let fits = text.len() <= 253
            && text.starts_with(inner)
            && text.ends_with(inner)
            && text.chars().all(|letter| inner(letter) || matches!(letter, '-' | '.'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::usage(
                format!("`{text}` is no name of a Kubernetes object"),
                "such a name has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit",
            ))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One object in the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub resource: Resource,
    pub name: Name,
}

impl Object {
    /// The object of this name.
    ///
    /// # Errors
    /// As [`Name::new`].
    pub fn new(resource: Resource, name: &str) -> Result<Self> {
        Ok(Self { resource, name: Name::new(name)? })
    }

    /// Is it this one?
    pub fn is(&self, object: &serde_json::Value) -> bool {
        object["kind"] == self.resource.kind() && object["metadata"]["name"] == self.name.as_str()
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource.word(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_objects_pass() {
        for good in ["game", "game-2", "a.b", "0"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-game", "--all", "Game", "a/b", "a b", "game-", "ä", "a\n"] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
        assert!(Name::new(&"a".repeat(254)).is_err());
    }
}
