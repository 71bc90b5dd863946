//! The place of a session: where its state is kept, and what its changes are changes of.

use std::path::PathBuf;

use crate::files::cache::name;
use crate::session::Session;
use liveops_domain::change::scope::{Backend, ChangeScope, System};
use liveops_domain::error::Result;
use liveops_domain::text::redact::redact_url;
use liveops_domain::text::redis_url::RedisUrl;

impl Session {
    /// The state folder: the user's; in a demo its own. Without a configuration that can be read, the user's.
    pub fn state(&self) -> PathBuf {
        let demo = self.config().ok().and_then(crate::config::Config::demo_state);
        demo.unwrap_or_else(|| self.dirs.state.clone())
    }

    /// A folder of this project in the state folder.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn project_state(&self, kind: &str) -> Result<PathBuf> {
        let project = self.config()?.project().unwrap_or_default();
        Ok(self.state().join(kind).join(name(&project)))
    }

    /// Where its changes are made.
    ///
    /// # Errors
    /// As [`Session::config`].
    pub fn change_scope(&self) -> Result<ChangeScope> {
        let config = self.config()?;
        let mut scope = ChangeScope {
            project: config.project(),
            environment: config.settings.environment.clone(),
            ..ChangeScope::default()
        };
        self.add_backends(&mut scope)?;
        if self.region.is_none() {
            for region in &config.settings.regions {
                // What is wrong with a region is said by whoever goes there.
                let _ = self.in_region(region).add_backends(&mut scope);
            }
        }
        Ok(scope)
    }

    fn add_backends(&self, scope: &mut ChangeScope) -> Result<()> {
        let settings = &self.config()?.settings;
        let kubernetes = settings.kubernetes.as_ref().map(|kubernetes| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            let place = format!("{}/{}", part(&kubernetes.context), part(&kubernetes.namespace));
            Some(Backend::at("kubernetes", &place))
        });
        let alertmanager = settings.alertmanager.as_ref().map(|endpoint| {
            let url = self.config().and_then(|config| config.reveal_url("alertmanager", endpoint)).ok()?;
            Some(Backend::at("alertmanager", &redact_url(url.expose())))
        });
        let found = [
            (System::Flags, Some(self.flags_backend())),
            (System::Alertmanager, alertmanager),
            (System::Kubernetes, kubernetes),
        ];
        for (system, backend) in found {
            let Some(backend) = backend else {
                continue;
            };
            let known = scope.backends.entry(system).or_insert_with(|| Some(Vec::new()));
            match (known.as_mut(), backend) {
                (Some(known), Some(backend)) if !known.contains(&backend) => known.push(backend),
                (Some(_), Some(_)) | (None, _) => {}
                (Some(_), None) => *known = None,
            }
        }
        Ok(())
    }

    /// Where the flags are: none when the URL is a secret that cannot be had.
    fn flags_backend(&self) -> Option<Backend> {
        let config = self.config().ok()?;
        let settings = &config.settings.flags;
        let file = |path: PathBuf| {
            // The file itself may not be there yet.
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let path = folder.and_then(|folder| Some(folder.join(path.file_name()?))).unwrap_or(path);
            Backend::at("file", &path.display().to_string())
        };
        let Some(endpoint) = &settings.endpoint else {
            return Some(file(config.flag_file("flags.json", None).ok()?));
        };
        let url = config.reveal_url("flags", endpoint).ok()?;
        if let Some(path) = url.expose().strip_prefix("file:") {
            return Some(file(config.flag_file(path, Some(&endpoint.url.origin)).ok()?));
        }
        let url = RedisUrl::parse(url.expose()).ok()?;
        Some(Backend::at("redis", &format!("{url} {}", settings.key)))
    }
}
