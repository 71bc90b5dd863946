//! `liveops man --out DIR`: one manual page a command and one for the file, from the sources of `--help` and the schema.

mod roff;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::commands::man::roff::{literal, section, text, titled};
use crate::context::Context;
use crate::help::{examples, start, variables};
use liveops_domain::error::{EXIT_CODES, Error, Exit, Result};
use liveops_engine::config::keys::{KEYS, Key};

/// Write the manual pages, one a command
///
/// Without --out it prints the page of a command, or that of liveops itself. `liveops-config.5` is the page of
/// liveops.yaml.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops man --out ~/.local/share/man/man1
  liveops man | man -l -
  liveops man flag set | man -l -")]
pub(crate) struct ManArgs {
    /// The command whose page is printed, such as `flag set` or `flag-set`
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,

    /// Folder to write to
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

/// Where liveops keeps what: path, and what is in it.
const FILES: [(&str, &str); 6] = [
    ("liveops.yaml", "the project's configuration, here or in a folder above: liveops-config(5)"),
    ("~/.config/liveops/config.yaml", "your own, with the same keys"),
    ("~/.local/state/liveops/", "audit log, what is still to be sent, what is trusted"),
    ("~/.cache/liveops/", "last answers; may be deleted"),
    ("incidents/", "a journal for each incident, below the project"),
    ("docs/runbooks/", "runbooks, below the project"),
];

pub(crate) async fn run(args: ManArgs, cx: &Context) -> Result<Exit> {
    let mut root = (cx.grammar.command)();
    root.build();
    let Some(dir) = args.out else {
        let mut shown = (&root, root.get_name().to_owned());
        for word in args.command.iter().flat_map(|words| words.trim_start_matches("liveops-").split('-')) {
            let verbs = || shown.0.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
            let found = shown.0.find_subcommand(word).ok_or_else(|| Error::NotFound {
                what: "command",
                name: word.to_owned(),
                candidates: verbs(),
            })?;
            shown = (found, format!("{}-{}", shown.1, found.get_name()));
        }
        cx.output.write(&page(&root, shown.0, &shown.1)?)?;
        return Ok(Exit::Good);
    };
    fs::create_dir_all(&dir).map_err(|source| Error::Io { action: "create", path: dir.clone(), source })?;
    let save = |name: &str, page: String| {
        let path = dir.join(name);
        fs::write(&path, page).map_err(|source| Error::Io { action: "write", path, source })
    };
    save("liveops-config.5", file_page())?;
    let count = 1 + write(&root, &root, "liveops", &save)?;
    cx.output.note(&format!("{count} pages in {}", Path::new(&dir).display()));
    Ok(Exit::Good)
}

fn write(root: &Command, command: &Command, name: &str, save: &impl Fn(&str, String) -> Result<()>) -> Result<usize> {
    save(&format!("{name}.1"), page(root, command, name)?)?;
    let mut count = 1;
    let is_root = name == root.get_name();
    for sub in command.get_subcommands().filter(|sub| is_root || sub.get_name() != "help") {
        count += write(root, sub, &format!("{name}-{}", sub.get_name()), save)?;
    }
    Ok(count)
}

fn page(root: &Command, command: &Command, name: &str) -> Result<String> {
    let is_root = name == root.get_name();
    let examples = if is_root { start() } else { examples(command) };
    let mut shown = command.clone().name(name.to_owned()).display_name(name.to_owned()).before_long_help("");
    // Options of every command stand once, in liveops(1); repeated in each page they would bury its own.
    if is_root {
        shown = shown.mut_args(|arg| arg.hide(false));
    }
    let man =
        Man::new(shown).title(name.to_uppercase()).date("").source(concat!("liveops ", env!("CARGO_PKG_VERSION")));
    let mut out = Vec::new();
    man.render_title(&mut out)
        .and_then(|()| man.render_name_section(&mut out))
        .and_then(|()| man.render_synopsis_section(&mut out))
        .and_then(|()| man.render_description_section(&mut out))
        .and_then(|()| man.render_options_section(&mut out))
        .and_then(|()| if command.has_subcommands() { man.render_subcommands_section(&mut out) } else { Ok(()) })
        .map_err(|error| Error::internal(&format!("no manual page: {error}")))?;
    // Each section of the library begins with the same definitions.
    let made = String::from_utf8_lossy(&out).into_owned();
    let head = made.lines().take_while(|line| line.starts_with(['.', '\\']) && !line.starts_with(".TH")).count();
    let definitions: Vec<&str> = made.lines().take(head).collect();
    let mut out = definitions.iter().map(|line| format!("{line}\n")).collect::<String>();
    let body = made.lines().filter(|line| !definitions.contains(line));
    out.extend(body.map(|line| format!("{line}\n")));
    // In the order of man-pages(7).
    out += &section("EXIT STATUS", &EXIT_CODES.iter().map(|(code, what)| titled(code, what)).collect::<String>());
    let variables: String = variables(root).iter().map(|(name, what)| titled(name, what)).collect();
    let other = if is_root { variables } else { text("liveops(1) lists the variables that every command reads.") };
    out += &section("ENVIRONMENT", &other);
    out += &section("FILES", &FILES.iter().map(|(path, what)| titled(path, what)).collect::<String>());
    if !examples.is_empty() {
        out += &section("EXAMPLES", &literal(&unindented(&examples)));
    }
    out += &section("SEE ALSO", &text(&see_also(command, name)));
    Ok(out)
}

/// The page above, those below, and that of the file.
fn see_also(command: &Command, name: &str) -> String {
    let above = name.rsplit_once('-').map(|(above, _)| format!("{above}(1)"));
    let below = command.get_subcommands().filter(|sub| sub.get_name() != "help" || name == "liveops");
    let below = below.map(|sub| format!("{name}-{}(1)", sub.get_name()));
    above.into_iter().chain(below).chain(["liveops-config(5)".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// Without the two blanks that each line of examples begins with.
fn unindented(examples: &str) -> String {
    examples.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}

/// liveops-config(5), from the schema.
fn file_page() -> String {
    let mut out = format!(".TH LIVEOPS-CONFIG 5  \"\" \"liveops {}\"\n", env!("CARGO_PKG_VERSION"));
    out += &section("NAME", &text("liveops-config - the file liveops.yaml"));
    out += &section(
        "DESCRIPTION",
        &text(
            "YAML. It is looked for here and in the folders above, or named by --config or LIVEOPS_CONFIG; \
             ~/.config/liveops/config.yaml has the same keys. A value of an option wins over a variable, that over \
             liveops.yaml, that over your own file, that over the default. An unknown key is an error. Secrets are \
             never literal: ${VARIABLE}, {file: PATH} or {command: [PROGRAM, ARGUMENT]}. In the names below, NAME \
             stands for a name that you choose, and [] for each item of a list.",
        ),
    );
    let key = |key: &Key| titled(&format!("{} ({})", key.path, key.kind.label()), key.about);
    out += &section("KEYS", &KEYS.iter().map(key).collect::<String>());
    out += &section("FILES", &FILES.iter().map(|(path, what)| titled(path, what)).collect::<String>());
    out += &section(
        "EXAMPLES",
        &literal(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/demo/liveops.yaml"))),
    );
    out += &section("SEE ALSO", &text("liveops(1), liveops-init(1), liveops-config(1)"));
    out
}
