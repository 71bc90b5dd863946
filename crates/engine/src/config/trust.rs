//! What a project's file may do only once the user has agreed: send a variable or a secret, run a program, read a file,
//! keep documents outside of the project.
//!
//! A repository that somebody else wrote must not be able to point the user's token at another host. Each thing that
//! it asks for is a wish with its exact text; `liveops config trust` remembers the digests of those that the user
//! agreed to. When the file, or a program of the project that it names, changes, it asks anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::backups::{BackupSource, Program};
use crate::config::endpoint::Endpoint;
use crate::config::node::{Layer, Node, Origin};
use crate::config::notify::{Channel, ChannelKind, PAGERDUTY};
use crate::config::schema::Settings;
use crate::config::secret::{Secret, Source, from_home, shown_command};
use crate::files::open;
use liveops_domain::error::Result;

/// How the names of programs end that another program reads.
const SCRIPTS: [&str; 9] = ["sh", "bash", "py", "rb", "pl", "js", "mjs", "ts", "lua"];

/// A path of the configuration, what is kept there, and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub what: &'static str,
    pub path: PathBuf,
    pub origin: Origin,
}

impl Place {
    /// The path that a scalar says.
    pub fn of(what: &'static str, node: &Node) -> Option<Self> {
        Some(Self { what, path: node.text()?.into(), origin: node.origin.clone() })
    }

    /// The path that is used when nobody says one.
    pub fn usual(what: &'static str, path: impl Into<PathBuf>) -> Self {
        Self { what, path: path.into(), origin: Origin::of(Layer::Default) }
    }
}

/// Something that only a trusted project file gets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// What it is, for the person.
    pub text: String,
    /// What the text stands for, to the last byte.
    exact: String,
}

impl Wish {
    fn new(text: String, exact: &serde_json::Value) -> Self {
        Self { exact: exact.to_string(), text }
    }

    fn digest(&self) -> String {
        hex(format!("{}\n{}", self.text, self.exact).as_bytes())
    }
}

/// Everything that the settings of an environment ask for on behalf of a project file in this folder.
pub fn wishes(settings: &Settings, folder: &Path) -> Vec<Wish> {
    let endpoints = settings.endpoints().into_iter().flat_map(|(name, endpoint)| of_endpoint(name, endpoint, folder));
    let channels = settings.notify.channels.iter().filter_map(|channel| of_channel(channel, folder));
    let places = settings.places().into_iter().filter_map(|place| of_place(&place, folder));
    let programs = settings.backups.iter().filter_map(|item| match &item.source {
        BackupSource::Program(program) => Some(of_program(program, folder)),
        _ => None,
    });
    let mut wishes: Vec<Wish> = endpoints.chain(channels).chain(places).chain(programs.flatten()).collect();
    wishes.sort();
    wishes.dedup();
    wishes
}

/// The wishes of one endpoint.
pub fn of_endpoint(name: &str, endpoint: &Endpoint, folder: &Path) -> Vec<Wish> {
    let url = &endpoint.url;
    let at = format!("{name} at {}", url.show());
    // A routing key to the service itself, or to a program of this machine on which one tries it, reaches nobody else; and
    // a page must not wait for a question that nobody hears.
    let stays = endpoint.is_channel && is_here(url);
    let mut wishes = Vec::new();
    let mut wish = |text: String, secret: &Secret| {
        let files = named_files(&secret.source, folder);
        wishes.push(Wish::new(text, &json!([exact(&url.source), exact(&secret.source), files])));
    };
    for (header, value) in &endpoint.headers {
        let header = match name {
            "flags" => format!("`{header}`"),
            _ => format!("header `{header}`"),
        };
        if url.is_of_project() && matches!(*value.origin.layer, Layer::User(_)) {
            wish(format!("send your secret {header} to {at}"), value);
        }
        if value.is_of_project() {
            for variable in value.variables().into_iter().filter(|_| !stays) {
                wish(format!("send `${variable}` as {header} to {at}"), value);
            }
            if let Some(source) = outside_source(&value.source, folder) {
                wish(format!("get {header} for {at} from {source}"), value);
            }
        }
    }
    if url.is_of_project() {
        for variable in url.variables().into_iter().filter(|_| !stays && !names_its_host(url)) {
            wish(format!("send `${variable}` in the URL of {at}"), url);
        }
        if let Some(source) = outside_source(&url.source, folder) {
            wish(format!("get the URL of {name} from {source}"), url);
        }
    }
    wishes
}

/// A URL that is one variable as a whole: what is in it goes to the host that it names itself.
fn names_its_host(url: &Secret) -> bool {
    matches!(&url.source, Source::Template(text) if url.variables() == [text.trim_start_matches("${").trim_end_matches('}')])
}

/// Is it on this machine, or at the pager's own address, whatever the variables hold?
fn is_here(url: &Secret) -> bool {
    const ANY: &str = "liveops-variable";
    let Source::Template(text) = &url.source else {
        return false;
    };
    let filled = url.variables().iter().fold(text.clone(), |text, name| text.replace(&format!("${{{name}}}"), ANY));
    match url::Url::parse(&filled).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        // Of schemes that a browser does not know, an address is a name.
        Some(url::Host::Domain(name)) => {
            let is_address = name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
            is_address || name == "localhost" || *text == PAGERDUTY
        }
        None => false,
    }
}

/// The program of a channel.
pub fn of_channel(channel: &Channel, folder: &Path) -> Option<Wish> {
    let ChannelKind::Exec { command, origin } = &channel.kind else {
        return None;
    };
    let source = Source::Command(command.clone());
    matches!(*origin.layer, Layer::Project(_)).then(|| {
        let text = format!("run {} to notify through {}", shown_command(command), channel.name);
        Wish::new(text, &json!([exact(&source), named_files(&source, folder)]))
    })
}

/// The program that knows backups, and what it finds in its environment.
pub fn of_program(program: &Program, folder: &Path) -> Vec<Wish> {
    if !matches!(*program.origin.layer, Layer::Project(_)) {
        return Vec::new();
    }
    let source = Source::Command(program.command.clone());
    let value = |secret: &Secret| json!([exact(&secret.source), named_files(&secret.source, folder)]);
    let env: Vec<_> = program.env.headers.iter().map(|(name, secret)| json!([name, value(secret)])).collect();
    let given = |(name, secret): &(String, Secret)| {
        let variables = secret.variables().into_iter().map(|variable| format!("`${variable}`"));
        let from: Vec<String> = variables.chain(outside_source(&secret.source, folder)).collect();
        if from.is_empty() { name.clone() } else { format!("{name} from {}", from.join(" and ")) }
    };
    let given: Vec<String> = program.env.headers.iter().map(given).collect();
    let with = if given.is_empty() { String::new() } else { format!(" with {}", given.join(", ")) };
    let text = format!("run {}{with} to list backups", shown_command(&program.command));
    vec![Wish::new(text, &json!([exact(&source), env, named_files(&source, folder)]))]
}

/// A path that leads out of the project's folder, by `..`, by its beginning or by a link.
pub fn of_place(place: &Place, folder: &Path) -> Option<Wish> {
    if place.origin.is_of_user() {
        return None;
    }
    let (path, folder) = (resolved(&folder.join(&place.path)), resolved(folder));
    (!path.starts_with(folder)).then(|| {
        let text = format!("use {} in {}, outside of the project", place.what, path.display());
        Wish::new(text, &json!([path]))
    })
}

/// Is the file really below one of these folders, links followed?
pub fn lies_below(file: &Path, folders: &[&Path]) -> bool {
    let file = resolved(file);
    folders.iter().any(|folder| file.starts_with(resolved(folder)))
}

/// What is read or run to get a value, in words; a link says where it leads.
fn outside_source(source: &Source, folder: &Path) -> Option<String> {
    match source {
        Source::Template(_) => None,
        Source::Command(argv) => Some(shown_command(argv)),
        Source::File(path) => {
            let shown = format!("{{file: {}}}", path.display());
            let plain = folder.join(from_home(path));
            let real = resolved(&plain);
            let is_link = fs::symlink_metadata(&plain).is_ok_and(|data| data.is_symlink());
            Some(if is_link { format!("{shown}, which is {}", real.display()) } else { shown })
        }
    }
}

/// A source to the last byte.
fn exact(source: &Source) -> serde_json::Value {
    match source {
        Source::Template(text) => json!({ "text": text }),
        Source::File(path) => json!({ "file": path }),
        Source::Command(argv) => json!({ "command": argv }),
    }
}

/// The digests of what a source names in the project: a program that changes is another program. For a file that is
/// read, it is the path that counts.
fn named_files(source: &Source, folder: &Path) -> Vec<String> {
    let argv = match source {
        Source::Template(_) => return Vec::new(),
        Source::File(path) => return vec![resolved(&folder.join(from_home(path))).display().to_string()],
        Source::Command(argv) => argv,
    };
    let inside = resolved(folder);
    // `sh -c "./get --all"` names `./get` as well; what a script writes (`> out`) is none of its programs.
    let is_end = |c: char| c.is_whitespace() || ";|&()<>'\"`$=".contains(c);
    let inner = argv.iter().flat_map(|arg| arg.split(is_end)).filter(|word| {
        let path = Path::new(word);
        let script = path.extension().is_some_and(|end| SCRIPTS.iter().any(|known| end == *known));
        word.contains('/') || script || is_executable(&folder.join(path))
    });
    let mut files: Vec<String> = argv
        .iter()
        .map(String::as_str)
        .chain(inner)
        .filter(|word| !word.is_empty())
        .filter_map(|word| {
            let path = resolved(&folder.join(word));
            let counts = !word.starts_with('/') || path.starts_with(&inside);
            let bytes = if counts { open::read(&path).ok()? } else { return None };
            Some(format!("{} {}", path.display(), hex(&bytes)))
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    false
}

/// Where a path leads: links of what exists are followed, `..` of what does not is taken by the letter.
fn resolved(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        match above.canonicalize() {
            Ok(mut real) => {
                for part in path.strip_prefix(above).unwrap_or(Path::new("")).components() {
                    match part {
                        Component::ParentDir => {
                            real.pop();
                        }
                        Component::CurDir => {}
                        part => real.push(part),
                    }
                }
                return real;
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(_) => break,
        }
    }
    path.to_owned()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The trust that the user gave: file → digests of what it asked for.
#[derive(Debug, Default)]
pub struct Trust {
    path: PathBuf,
    given: BTreeMap<String, Vec<String>>,
}

impl Trust {
    /// Reads `trust.json` of the state folder; a missing or broken file trusts nobody.
    pub fn load(state: &Path) -> Self {
        let path = state.join("trust.json");
        let given = open::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, given }
    }

    /// Did the user trust this file with this wish?
    pub fn allows(&self, file: &str, wish: &Wish) -> bool {
        self.given.get(file).is_some_and(|given| given.contains(&wish.digest()))
    }

    /// How many wishes of this file the user trusts.
    pub fn count(&self, file: &str) -> usize {
        self.given.get(file).map_or(0, Vec::len)
    }

    /// Where the consent is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content of that file once the user has trusted this project file with exactly these wishes; without
    /// any, it is trusted no more.
    ///
    /// # Errors
    /// When it cannot be serialised, which is a bug.
    pub fn with(&self, file: &str, wishes: &[Wish]) -> Result<String> {
        let mut given = self.given.clone();
        given.insert(file.into(), wishes.iter().map(Wish::digest).collect());
        given.retain(|_, wishes| !wishes.is_empty());
        Ok(serde_json::to_string_pretty(&given)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::decode::Problems;
    use crate::config::schema;
    use crate::config::yaml::parse;

    fn settings(user: &str, project: &str) -> Settings {
        let read = |text: &str, layer: Layer| -> Node { parse(text, &std::rc::Rc::new(layer)).expect("valid").root };
        let mut root = read(user, Layer::User("config.yaml".into()));
        root.merge(read(project, Layer::Project("liveops.yaml".into())));
        let mut problems = Problems::default();
        let settings = schema::decode(&root, "prod", &mut problems);
        assert!(problems.errors.is_empty(), "{:?}", problems.errors);
        settings
    }

    fn texts(user: &str, project: &str, folder: &Path) -> Vec<String> {
        wishes(&settings(user, project), folder).into_iter().map(|wish| wish.text).collect()
    }

    const USER: &str = "environments: { prod: { prometheus: { url: 'https://prom.example', headers: { Authorization: 'Bearer ${T}' } } } }";

    #[test]
    fn a_channels_own_credential_goes_to_its_service_or_stays_here_unasked() {
        let folder = tempfile::tempdir().expect("temp dir");
        let asks = |channel: &str| {
            let wished =
                texts("version: 1", &format!("notify: {{ channels: [ {{ name: c, {channel} }} ] }}"), folder.path());
            !wished.is_empty()
        };
        for (channel, want) in [
            ("type: pagerduty, routing_key: '${K}'", false),
            ("type: pagerduty, routing_key: '${K}', url: 'http://127.0.0.1:1'", false),
            ("type: pagerduty, routing_key: '${K}', url: 'http://[::1]:1'", false),
            ("type: pagerduty, routing_key: '${K}', url: 'http://evil.example'", true),
            ("type: pagerduty, routing_key: '${K}', url: 'http://evil.example\\@127.0.0.1'", true),
            ("type: pagerduty, routing_key: '${K}', url: 'http://${H}'", true),
            ("type: pagerduty, routing_key: { file: /etc/shadow }", true),
            ("type: slack, url: '${U}'", false),
            ("type: slack, url: 'https://evil.example/${U}'", true),
            ("type: slack, url: 'https://${U}${V}'", true),
            ("type: email, from: a@b.c, to: a@b.c, url: 'smtp://u:${P}@127.0.0.1:25'", false),
            ("type: email, from: a@b.c, to: a@b.c, url: 'smtp://u:${P}@evil.example'", true),
            ("type: webhook, url: 'http://127.0.0.1:1', headers: { X: '${K}' }", true),
        ] {
            assert_eq!(asks(channel), want, "{channel}");
        }
    }

    #[test]
    fn only_what_could_leak_or_run_is_a_wish() {
        let folder = tempfile::tempdir().expect("temp dir");
        for (project, want) in [
            ("project: x", vec![]),
            (
                "environments: { prod: { prometheus: { url: 'https://evil.example' } } }",
                vec!["send your secret header `Authorization` to prometheus at https://evil.example"],
            ),
            ("environments: { prod: { prometheus: 'https://other.example' } }", vec![]),
            (
                "environments: { prod: { prometheus: { headers: { X-Key: { file: /etc/shadow } } } } }",
                vec!["get header `X-Key` for prometheus at https://prom.example from {file: /etc/shadow}"],
            ),
            (
                "environments: { prod: { prometheus: { headers: { Authorization: { command: [sh, -c, 'a b'] } } } } }",
                vec![
                    "get header `Authorization` for prometheus at https://prom.example from {command: [sh, -c, \"a b\"]}",
                ],
            ),
            (
                "services: [{ name: a, health: { url: { command: [sh, run.sh] } } }]",
                vec!["get the URL of a from {command: [sh, run.sh]}"],
            ),
            (
                "services: [{ name: a, health: { url: 'http://a/${P}', headers: { Authorization: '${T}' } }, metrics: [] }]",
                vec![
                    "send `$P` in the URL of a at http://a/${P}",
                    "send `$P` in the URL of a at http://a/${P}/api/health/metrics",
                    "send `$T` as header `Authorization` to a at http://a/${P}",
                    "send `$T` as header `Authorization` to a at http://a/${P}/api/health/metrics",
                ],
            ),
            (
                "notify: { channels: [{ name: c, type: exec, command: [call, '{title}'] }] }",
                vec!["run {command: [call, \"{title}\"]} to notify through c"],
            ),
            ("incidents: { folder: in/../side }", vec![]),
            ("templates: /opt/t", vec!["use templates in /opt/t, outside of the project"]),
        ] {
            assert_eq!(texts(USER, project, folder.path()), want, "{project}");
        }
    }

    #[test]
    fn the_stricter_and_the_innermost_decide() {
        let theirs = "read_only: false\nenvironments: { prod: { protected: false } }";
        let both = settings("read_only: true\nenvironments: { prod: { protected: true } }", theirs);
        assert!(both.read_only && both.protected);
        // The user's channel, whose program a project changes.
        let mine = "notify: { channels: [{ name: c, type: exec, command: [mine] }] }";
        let theirs = "notify: { channels: [{ name: c, type: exec, command: [theirs] }] }";
        let folder = tempfile::tempdir().expect("temp dir");
        assert_eq!(texts(mine, theirs, folder.path()), ["run {command: [theirs]} to notify through c"]);
    }

    #[test]
    fn places_count_by_where_they_lead() {
        let root = tempfile::tempdir().expect("temp dir");
        let folder = root.path().join("project");
        fs::create_dir_all(folder.join("docs")).expect("mkdir");
        let ask = |path: &str| of_place(&Place::usual("x", path), &folder).is_some();
        for (path, want) in
            [("docs", false), ("new/../docs", false), ("..", true), ("new/../../x", true), ("/etc", true)]
        {
            assert_eq!(ask(path), want, "{path}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.path(), folder.join("out")).expect("link");
            assert!(ask("out") && ask("out/x"));
        }
        let mine = Place { what: "x", path: "/etc".into(), origin: Origin::of(Layer::User("config.yaml".into())) };
        assert_eq!(of_place(&mine, &folder), None);
    }

    #[test]
    fn trust_is_for_one_file_and_exactly_what_it_asked_for() {
        let dir = tempfile::tempdir().expect("temp dir");
        let none = Trust::load(dir.path());
        let wish = |text: &str, exact: &str| Wish { text: text.into(), exact: exact.into() };
        let text = none.with("/a", &[wish("send x to h1", "1")]).expect("json");
        fs::write(none.path(), text).expect("write");
        let trust = Trust::load(dir.path());
        assert!(trust.allows("/a", &wish("send x to h1", "1")));
        assert!(!trust.allows("/a", &wish("send x to h1", "2")));
        assert!(!trust.allows("/a", &wish("send x to h2", "1")));
        assert!(!trust.allows("/b", &wish("send x to h1", "1")));
        assert_eq!((trust.count("/a"), trust.count("/b")), (1, 0));
        assert_eq!(trust.with("/a", &[]).expect("json"), "{}");
        fs::write(none.path(), "{ broken").expect("write");
        assert!(!Trust::load(dir.path()).allows("/a", &wish("send x to h1", "1")));
    }

    #[test]
    fn another_argv_and_a_changed_program_ask_anew() {
        let dir = tempfile::tempdir().expect("temp dir");
        let folder = dir.path();
        fs::write(folder.join("get"), "echo a").expect("write");
        let ask = |argv: &str| {
            let project = format!("services: [{{ name: a, health: {{ url: {{ command: {argv} }} }} }}]");
            wishes(&settings("{}", &project), folder).remove(0).digest()
        };
        let known: Vec<String> =
            ["[./get, a, b]", "[./get, 'a, b']", "[./get, 'a b']", "[sh, -c, './get']", "[sh, get]"]
                .into_iter()
                .map(ask)
                .collect();
        assert!((1..known.len()).all(|n| !known[..n].contains(&known[n])));
        fs::write(folder.join("get"), "echo b").expect("write");
        for (argv, before) in ["[./get, a, b]", "[./get, 'a, b']", "[./get, 'a b']", "[sh, -c, './get']", "[sh, get]"]
            .into_iter()
            .zip(known)
        {
            assert_ne!(ask(argv), before, "{argv}");
        }
    }
}
