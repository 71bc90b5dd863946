//! Markdown as teams write it: which of its extensions are read, the text of raw HTML, and headings that mean the same.

use pulldown_cmark::Options;

/// CommonMark with tables, task lists, strike-through, and front matter of YAML (`---`) or TOML (`+++`).
pub fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
}

/// The text without the byte order mark that some editors put before it.
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The title in a line of front matter, such as `title: "Kubelet down"`.
pub fn front_title(line: &str) -> Option<&str> {
    let value = line.trim().strip_prefix("title")?.trim_start().strip_prefix([':', '='])?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then_some(value)
}

/// Elements of HTML that people write in Markdown. Another word in angle brackets is a placeholder.
const ELEMENTS: [&str; 48] = [
    "a",
    "b",
    "blockquote",
    "br",
    "center",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figure",
    "figcaption",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "picture",
    "pre",
    "s",
    "small",
    "source",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "video",
];

/// Elements that end a line.
const LINES: [&str; 17] = [
    "br", "div", "details", "summary", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "p", "pre", "table", "tr", "ul",
];

/// The text of raw HTML: its elements are taken out and where they link is told; comments are for writers, and every
/// other word in angle brackets is a placeholder that stays.
pub fn html_text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(&entities(before));
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let Some((tag, tail)) = after.split_once('>') else {
            text.push('<');
            rest = after;
            continue;
        };
        let is_end = tag.starts_with('/');
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        let bare = tag.trim_matches('/').trim();
        let is_element = ELEMENTS.contains(&name.as_str())
            && (bare.len() == name.len() || bare[name.len()..].starts_with([' ', '\n']));
        if !is_element {
            text.push_str(&format!("<{tag}>"));
        } else if LINES.contains(&name.as_str()) {
            if !text.ends_with('\n') {
                text.push('\n');
            }
        } else if is_end && matches!(name.as_str(), "td" | "th" | "dt" | "dd") {
            text.push_str("  ");
        }
        if is_element && !is_end {
            let said = ["href", "src", "alt"].iter().filter_map(|key| attribute(tag, key));
            for value in said.filter(|value| !value.starts_with('#')) {
                text.push_str(&format!("({value}) "));
            }
        }
        rest = tail;
    }
    text.push_str(&entities(rest));
    text
}

/// The value of an attribute in a tag.
pub fn attribute<'a>(tag: &'a str, key: &str) -> Option<&'a str> {
    let at = tag
        .match_indices(key)
        .map(|(at, _)| at)
        .find(|at| tag[..*at].ends_with([' ', '\n', '\t']) && tag[at + key.len()..].trim_start().starts_with('='))?;
    let value = tag[at + key.len()..].trim_start().strip_prefix('=')?.trim_start();
    match value.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(['"', '\'']).next(),
        None => value.split([' ', '>']).next(),
    }
}

fn entities(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", " "), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

/// What an anchor and a heading have in common on every site: letters and digits, in lower case.
pub fn anchor(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `a%20b` as the name of a file has it.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Does a text have one of these phrases? Whole words; a phrase that ends with `*` is the beginning of its last word.
pub fn has_phrase(text: &str, phrases: &[&str]) -> bool {
    let words: Vec<String> = words(text);
    phrases.iter().any(|phrase| {
        let open = phrase.ends_with('*');
        let wanted: Vec<&str> = phrase.trim_end_matches('*').split(' ').collect();
        words.windows(wanted.len()).any(|found| {
            found
                .iter()
                .zip(&wanted)
                .enumerate()
                .all(|(at, (word, part))| word == part || (open && at + 1 == wanted.len() && word.starts_with(part)))
        })
    })
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .filter(|word| !word.is_empty())
        .map(|word| word.replace('’', "'"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_read_as_its_text_and_placeholders_stay() {
        for (html, want) in [
            ("<details><summary>More</summary>", "\nMore\n"),
            ("kubectl -n <namespace> get <pod-name>", "kubectl -n <namespace> get <pod-name>"),
            ("a<br/>b", "a\nb"),
            ("<a href=\"https://h/x\">here</a>", "(https://h/x) here"),
            ("<tr><td>1</td><td>2 &lt; 3</td></tr>", "\n1  2 < 3  \n"),
            ("x <!-- to the writer --> y", "x  y"),
            ("1 < 2", "1 < 2"),
            ("<b>", ""),
            ("<a-b>", "<a-b>"),
        ] {
            assert_eq!(html_text(html), want, "{html}");
        }
    }

    #[test]
    fn words_are_whole_words() {
        assert!(has_phrase("Impact on customers", &["impact"]));
        assert!(!has_phrase("Impacted", &["impact"]));
        assert!(has_phrase("Diagnosing it", &["diagnos*"]));
        assert!(has_phrase("What went well?", &["went well"]));
        assert!(!has_phrase("It went as well", &["went well"]));
        assert!(has_phrase("What didn’t go well", &["didn't go well"]));
        assert!(!has_phrase("discarelessness", &["careless*"]));
    }

    #[test]
    fn names_of_files_and_titles_are_decoded() {
        assert_eq!(percent_decoded("my%20notes%2.txt %C3%BC"), "my notes%2.txt ü");
        assert_eq!(front_title("title: \"Kubelet Down\""), Some("Kubelet Down"));
        assert_eq!((front_title("titles: x"), front_title("title = 'x'")), (None, Some("x")));
        assert_eq!(anchor("What's  new - in_1.2?"), "whatsnewin12");
    }
}
