//! Text as one word of a POSIX shell, so that every command that liveops prints can be pasted.

/// The word, in single quotes where it needs them (POSIX.1-2024, XCU 2.2.2).
pub fn word(text: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || "_-.,:/@%+=".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The words of a command that [`word`] made: the quotes come off again.
pub fn words(command: &str) -> Vec<String> {
    commands(command).into_iter().next().unwrap_or_default()
}

/// The simple commands of a script, each as its words without their quotes (POSIX.1-2024, XCU 2.2 and 2.9): enough to
/// see which program gets which arguments. What a shell would expand stays as it is written, with its `$`.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let mut reader = Reader::default();
    let mut letters = script.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('\n') | None => {}
                Some(next) => reader.push(next),
            },
            '\'' => {
                reader.begin();
                for next in letters.by_ref().take_while(|next| *next != '\'') {
                    reader.push(next);
                }
            }
            '"' => {
                reader.begin();
                while let Some(next) = letters.next() {
                    match next {
                        '"' => break,
                        '\\' => {
                            if let Some(escaped) = letters.next().filter(|next| *next != '\n') {
                                reader.push(escaped);
                            }
                        }
                        next => reader.push(next),
                    }
                }
            }
            '#' if reader.word.is_none() => {
                letters.by_ref().find(|next| *next == '\n');
                reader.end_command();
            }
            '<' | '>' => {
                reader.redirect();
                while letters.next_if(|next| "<>&|".contains(*next)).is_some() {}
            }
            '(' if reader.word.as_deref().is_some_and(|word| word.ends_with('$')) => {
                // A command within a command stands for a word, and is one of its own.
                reader.push('(');
                reader.end_command();
            }
            '\n' | ';' | '|' | '&' | '(' | ')' | '`' => reader.end_command(),
            blank if blank.is_whitespace() => reader.end_word(),
            other => reader.push(other),
        }
    }
    reader.end_command();
    reader.commands
}

#[derive(Default)]
struct Reader {
    commands: Vec<Vec<String>>,
    words: Vec<String>,
    word: Option<String>,
    /// The next word is the file of a redirection.
    file: bool,
}

impl Reader {
    fn begin(&mut self) {
        self.word.get_or_insert_default();
    }

    fn push(&mut self, letter: char) {
        self.word.get_or_insert_default().push(letter);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        if !std::mem::take(&mut self.file) {
            self.words.push(word);
        }
    }

    /// `2>file`: neither the number nor the file is a word of the command.
    fn redirect(&mut self) {
        if self.word.as_ref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        self.file = true;
    }

    fn end_command(&mut self) {
        self.end_word();
        self.file = false;
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_its_commands() {
        let script = "# look\nliveops status -o json | jq '.a b' 2>/dev/null && echo \"it $X\" # done\nX=$(liveops flag list) \\\n  run;liveops undo>&2";
        let found: Vec<String> = commands(script).iter().map(|words| words.join("_")).collect();
        assert_eq!(
            found,
            ["liveops_status_-o_json", "jq_.a b", "echo_it $X", "X=$(", "liveops_flag_list", "run", "liveops_undo",]
        );
    }

    #[test]
    fn words_come_back_as_they_were() {
        for text in ["a", "it's", "", "a b", "$(x)", "#no", "a\"b", "\\", "a\nb", "é|;"] {
            assert_eq!(words(&format!("run {}", word(text))), ["run", text], "{text:?}");
        }
    }

    #[test]
    fn any_script_can_be_read() {
        for text in ["'", "\"", "\\", "$(", "`", "a >", "2>", "\"\\", ";;&&"] {
            commands(text);
        }
    }

    #[test]
    fn quotes_only_what_a_shell_would_change() {
        for (text, want) in [
            ("GameServerDown", "GameServerDown"),
            ("region=eu", "region=eu"),
            ("a=\"x\"", "'a=\"x\"'"),
            ("job=~a|b", "'job=~a|b'"),
            ("a!=b", "'a!=b'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(word(text), want, "{text}");
        }
    }
}
