//! What a name means: a KPI, a service, a region. One answer for every command, with the names there are where a name
//! means nothing.

use std::borrow::Cow;

use crate::config::service::Service;
use crate::session::Session;
use liveops_domain::error::{Error, Result};
use liveops_domain::metric::kpi::Kpi;

impl Session {
    /// The KPIs: the configured ones; where none is, the presets.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn kpis(&self) -> Result<Cow<'_, [Kpi]>> {
        Ok(self.config()?.settings.known_kpis())
    }

    /// Do presets stand in for KPIs? Such as have no data are nobody's fault, and are left out.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn are_kpis_presets(&self) -> Result<bool> {
        Ok(self.config()?.settings.kpis.is_empty())
    }

    /// The KPI of this name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn kpi(&self, name: &str) -> Result<Kpi> {
        named("KPI", name, self.kpis()?.iter(), |kpi| &kpi.name).cloned()
    }

    /// The service of this name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service(&self, name: &str) -> Result<&Service> {
        named("service", name, &self.config()?.settings.services, |service| &service.name)
    }

    /// Is this a service? Where none is configured, any name may be one.
    ///
    /// # Errors
    /// As [`Session::service`].
    pub fn check_service(&self, name: &str) -> Result<()> {
        if self.config()?.settings.services.is_empty() { Ok(()) } else { self.service(name).map(|_| ()) }
    }

    /// What to say of a name that is written down and is no service: a record is not refused for it, since the person
    /// may know more than the configuration.
    pub fn odd_service(&self, name: &str) -> Option<String> {
        let error = self.check_service(name).err()?;
        let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
        Some(format!("{error}; it is written down as it was typed{hint}"))
    }

    /// The services of these names; without names, all of them.
    ///
    /// # Errors
    /// As [`Session::service`].
    pub fn services(&self, names: &[String]) -> Result<Vec<&Service>> {
        let all = &self.config()?.settings.services;
        if names.is_empty() {
            return Ok(all.iter().collect());
        }
        names.iter().map(|name| self.service(name)).collect()
    }

    /// The region of this name in the environment.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn region(&self, name: &str) -> Result<&str> {
        named("region", name, &self.config()?.settings.regions, |region| region).map(String::as_str)
    }
}

/// The one of this name.
///
/// # Errors
/// `NotFound`, with the names there are.
pub(crate) fn named<'a, T: 'a>(
    what: &'static str,
    name: &str,
    all: impl IntoIterator<Item = &'a T, IntoIter: Clone>,
    name_of: impl Fn(&T) -> &str,
) -> Result<&'a T> {
    let mut all = all.into_iter();
    let candidates = all.clone();
    all.find(|one| name_of(one) == name).ok_or_else(|| Error::NotFound {
        what,
        name: name.to_owned(),
        candidates: candidates.map(|one| name_of(one).to_owned()).collect(),
    })
}
