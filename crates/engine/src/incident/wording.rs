//! The words of a message: the built-in templates, or the project's own in `notify/` below `templates`, for all channels
//! or for a kind of them (`body.slack.j2`). A template that fails, or comes to nothing, is no reason to send nothing.

use std::io::ErrorKind;

use minijinja::context;

use crate::clients::notify::Words;
use crate::config::trust::Place;
use crate::files::open;
use crate::session::Session;
use crate::template;
use liveops_domain::incident::message::Message;
use liveops_domain::incident::notice::About;
use liveops_domain::text::secret::mask;
use liveops_domain::text::time::rfc3339;

const SUBJECT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/notify/subject.j2"));

const BODY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/notify/body.j2"));

/// The words for a channel of this kind.
pub fn words(cx: &Session, kind: &str, message: &Message) -> Words {
    let part = |name: &str, built_in: &str| {
        for own in [format!("{name}.{kind}.j2"), format!("{name}.j2")] {
            let Some((file, text)) = read(cx, &own) else {
                continue;
            };
            match render(&text, message) {
                // A service takes no empty message, and nobody would know what it is about.
                Ok(text) if text.is_empty() => {}
                Ok(text) => return text,
                Err(error) => cx.voice.warn(&format!("{file} is not used, since it fails: {error}")),
            }
        }
        // Rendering a built-in one is tested; should it fail, the text alone is sent.
        render(built_in, message).unwrap_or_else(|_| message.text.clone())
    };
    let part = |name, built_in| mask(&part(name, built_in)).into_owned();
    Words { subject: part("subject", SUBJECT).replace(['\r', '\n'], " "), body: part("body", BODY) }
}

/// The project's own template, with its path as people know it. One that lies elsewhere, behind a link, is not its own.
fn read(cx: &Session, name: &str) -> Option<(String, String)> {
    let config = cx.config().ok()?;
    config.layers.project.as_ref()?;
    let usual = || Place::usual("templates", "templates");
    let place = config.settings.documents.templates.clone().unwrap_or_else(usual);
    let shown = place.path.join("notify").join(name).display().to_string();
    match config.file_in(&place, &format!("notify/{name}")) {
        Ok(path) => match open::read_text(&path) {
            // A mark at the beginning is of an editor, and no word.
            Ok(text) => Some((shown, text.trim_start_matches('\u{feff}').to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                cx.voice.warn(&format!("{shown} is not used: {error}"));
                None
            }
        },
        Err(error) => {
            cx.voice.warn(&format!("{shown} is not used: {error}"));
            None
        }
    }
}

fn render(template: &str, message: &Message) -> Result<String, minijinja::Error> {
    let happened = match message.about {
        About::Severity => "is the severity now",
        about => about.word(),
    };
    // What there is none of is no word.
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let text = template::render(
        &template::bounded(),
        template,
        context! {
            about => message.about,
            happened,
            page => message.page,
            incident => message.incident,
            title => message.title,
            severity => message.severity,
            phase => message.phase,
            environment => message.environment,
            service => said(&message.service),
            alert => said(&message.alert),
            runbook => said(&message.runbook),
            text => message.text,
            by => message.by,
            at => rfc3339(message.at),
            command => message.command,
            earlier => message.earlier,
        },
    )?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::notify::example;

    #[test]
    fn the_built_in_words() {
        let (mut message, _) = example();
        message.title = "matchmaking down".into();
        let text = |template| render(template, &message).expect("renders");
        assert_eq!(text(SUBJECT), "P1 opened: matchmaking down (prod)");
        assert_eq!(
            text(BODY),
            "it is down\nservice: match\nrunbook: https://wiki/x\nby ada at 2026-11-22T03:12:00Z\nliveops incident show"
        );
        let late = Message { earlier: vec!["03:00:00Z P2 opened: slow".into()], ..message.clone() };
        let body = render(BODY, &late).expect("renders");
        assert!(body.ends_with("\nnot delivered in time: 03:00:00Z P2 opened: slow"), "{body}");
        let alone = Message { service: None, ..message.clone() };
        assert_eq!(render("[{{ service }}]{% if service %}x{% endif %}", &alone).expect("renders"), "[]");
        let mut test = message.clone();
        test.about = About::Test;
        assert_eq!(render(SUBJECT, &test).expect("renders"), "TEST, nobody has to come (prod)");
    }
}
