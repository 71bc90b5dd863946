//! Commands to paste go where this one went: with the environment, the file and the endpoints that were typed.

use crate::status::source::Recommendation;

/// Commands that work on no environment.
const ELSEWHERE: [&str; 4] = ["demo", "completions", "man", "help"];

/// The flags of this command line that the next one needs, each value quoted for a shell. What the environment
/// variables say they will say again, and what holds a secret is not repeated.
#[derive(Debug, Clone, Default)]
pub struct Repeat(Vec<(&'static str, String)>);

impl Repeat {
    /// From flags and quoted values.
    pub fn new(flags: Vec<(&'static str, String)>) -> Self {
        Self(flags)
    }

    /// The same with another value of one flag.
    pub fn with(&self, flag: &'static str, value: String) -> Self {
        let others = self.0.iter().filter(|(name, _)| *name != flag).cloned();
        Self(std::iter::once((flag, value)).chain(others).collect())
    }

    /// Is there nothing to add?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The command with the flags that it lacks. Doing it twice changes nothing; other programs' commands stay.
    pub fn apply(&self, command: &str) -> String {
        let verb = command.strip_prefix("liveops ").and_then(|words| words.split_whitespace().next());
        let Some(verb) = verb.filter(|verb| !ELSEWHERE.contains(verb)) else {
            return command.to_owned();
        };
        let has = |flag: &str| command.split_whitespace().any(|word| word == flag);
        let mut line = command.to_owned();
        for (flag, value) in &self.0 {
            // `init` makes the environment and the file that the others name.
            let unfit = verb == "init" && matches!(*flag, "-e" | "--config");
            if !has(flag) && !unfit {
                line.push_str(&format!(" {flag} {value}"));
            }
        }
        line
    }

    /// Every command among the next steps.
    pub fn steps(&self, steps: Vec<Recommendation>) -> Vec<Recommendation> {
        let step =
            |step: Recommendation| Recommendation { command: step.command.map(|command| self.apply(&command)), ..step };
        steps.into_iter().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_go_where_this_one_went() {
        let repeat = Repeat::new(vec![("-e", "prod".into()), ("--prometheus", "http://h:9090".into())]);
        for (command, want) in [
            ("liveops doctor", "liveops doctor -e prod --prometheus http://h:9090"),
            ("liveops undo c1 -e staging", "liveops undo c1 -e staging --prometheus http://h:9090"),
            ("liveops init", "liveops init --prometheus http://h:9090"),
            ("liveops demo --keep", "liveops demo --keep"),
            ("curl -v http://h", "curl -v http://h"),
        ] {
            assert_eq!(repeat.apply(command), want);
            assert_eq!(repeat.apply(&repeat.apply(command)), want, "twice");
        }
        let steps = repeat.steps(vec![Recommendation::new("why", "liveops status")]);
        assert_eq!(steps[0].command.as_deref(), Some("liveops status -e prod --prometheus http://h:9090"));
    }
}
