//! What `kubectl` says when it fails, by kind. It gives only text; the words are those of client-go and of the API
//! server's `Status`, in English (`LC_ALL=C`). After a failed write the object decides, not the message.

use std::fmt;

use liveops_domain::error::{Barrier, Error};

/// Kinds of failure, by what may be concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A precondition does not hold: another resourceVersion.
    Conflict,
    AlreadyExists,
    NotFound,
    Forbidden,
    /// Refused by validation, or a JSON Patch whose `test` fails: the server gives both the same code.
    Invalid,
    /// No connection to the API server.
    Unreachable,
    Timeout,
    NotInstalled,
    /// The kubeconfig has no such context.
    NoContext,
    Other,
}

/// A failed run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub fault: Fault,
    /// In kubectl's own words.
    pub text: String,
}

/// The beginnings and middles of messages, first match wins.
const WORDS: [(&str, Fault); 18] = [
    ("(Conflict)", Fault::Conflict),
    ("(AlreadyExists)", Fault::AlreadyExists),
    ("(NotFound)", Fault::NotFound),
    ("(Forbidden)", Fault::Forbidden),
    ("(Invalid)", Fault::Invalid),
    ("The request is invalid", Fault::Invalid),
    (" is invalid: ", Fault::Invalid),
    ("Expected replicas to be ", Fault::Conflict),
    ("Expected resource version to be ", Fault::Conflict),
    ("the object has been modified", Fault::Conflict),
    ("uid mismatch", Fault::Conflict),
    ("doesn't have a resource type", Fault::NotFound),
    ("context was not found", Fault::NoContext),
    ("context \"", Fault::NoContext),
    ("Client.Timeout exceeded", Fault::Timeout),
    ("context deadline exceeded", Fault::Timeout),
    ("Unable to connect to the server", Fault::Unreachable),
    ("was refused - did you specify", Fault::Unreachable),
];

/// Begins what kubectl says of a conflict of field managers.
const ADVICE: &str = "Please review the fields above";

impl Failure {
    pub fn new(fault: Fault, text: impl Into<String>) -> Self {
        Self { fault, text: text.into() }
    }

    /// A precondition did not hold, as the object that is there shows.
    pub fn conflict() -> Self {
        Self::new(Fault::Conflict, "another version is there")
    }

    /// Classifies what it wrote on stderr.
    pub fn read(stderr: &str) -> Self {
        let fault = WORDS.iter().find(|(words, _)| stderr.contains(words)).map_or(Fault::Other, |(_, fault)| *fault);
        let said = |line: &&str| !line.trim().is_empty() && !is_log(line);
        // It takes each conflict of an apply for one of field managers, and explains those at length.
        let stderr = stderr.split(ADVICE).next().unwrap_or_default();
        let last = stderr.lines().rev().find(said).unwrap_or("no message");
        let text = last.trim().trim_start_matches("error: ").trim_start_matches("Error from server ");
        Self::new(fault, text)
    }

    /// The error for the one who typed the command; `place` says what was asked.
    pub fn about(&self, place: &str) -> Error {
        let system = || "Kubernetes".to_owned();
        match self.fault {
            Fault::Conflict | Fault::AlreadyExists => Error::Conflict {
                what: format!("{place} was changed by somebody else meanwhile: {}", self.text),
                hint: "look at it again, and repeat the command".into(),
            },
            Fault::Forbidden => Error::Refused {
                why: format!("{place}: {}", self.text),
                hint: "ask for the permission, and check it: `kubectl auth can-i --list`".into(),
            },
            Fault::Unreachable => Error::Unreachable {
                system: system(),
                url: place.to_owned(),
                barrier: Barrier::Way,
                reason: self.text.clone(),
            },
            Fault::NotInstalled => Error::Tool {
                program: "kubectl".into(),
                reason: self.text.clone(),
                hint: "install kubectl 1.24 or later: https://kubernetes.io/docs/tasks/tools/".into(),
            },
            Fault::NoContext => Error::Tool {
                program: "kubectl".into(),
                reason: self.text.clone(),
                hint: "there is: `kubectl config get-contexts`; `kubernetes.context` in liveops.yaml names one".into(),
            },
            Fault::NotFound => Error::Tool {
                program: "kubectl".into(),
                reason: format!("{place}: {}", self.text),
                hint: "correct the name in liveops.yaml: `liveops config show --origin` says where it stands".into(),
            },
            Fault::Invalid | Fault::Timeout | Fault::Other => Error::Tool {
                program: "kubectl".into(),
                reason: format!("{place}: {}", self.text),
                hint: "check the context: `kubectl config get-contexts`, then `kubectl version`".into(),
            },
        }
    }

    /// The same for a write with preconditions as a JSON Patch, where `Invalid` is a `test` that fails.
    pub fn about_test(&self, place: &str) -> Error {
        match self.fault {
            Fault::Invalid => Error::Conflict {
                what: format!("{place} is not as it was read: somebody changed it meanwhile, or holds it"),
                hint: "look at it again: `liveops rollout status`".into(),
            },
            _ => self.about(place),
        }
    }
}

/// client-go logs through klog: `E1124 17:00:00.000000 …`.
fn is_log(line: &str) -> bool {
    let mut letters = line.chars();
    matches!(letters.next(), Some('E' | 'W' | 'I'))
        && letters.by_ref().take(4).all(|letter| letter.is_ascii_digit())
        && letters.next() == Some(' ')
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        for (stderr, fault) in [
            (
                "Error from server (Conflict): Operation cannot be fulfilled on leases.coordination.k8s.io \"x\": the object has been modified; please apply your changes to the latest version and try again\n",
                Fault::Conflict,
            ),
            (
                "Error from server (AlreadyExists): error when creating \"STDIN\": leases.coordination.k8s.io \"x\" already exists\n",
                Fault::AlreadyExists,
            ),
            ("Error from server (NotFound): deployments.apps \"x\" not found\n", Fault::NotFound),
            ("error: the server doesn't have a resource type \"httproute\"\n", Fault::NotFound),
            (
                "Error from server (Forbidden): deployments.apps \"x\" is forbidden: User \"u\" cannot patch\n",
                Fault::Forbidden,
            ),
            (
                "The request is invalid: the server rejected our request due to an error in our request\n",
                Fault::Invalid,
            ),
            ("The Deployment \"x\" is invalid: spec.selector: field is immutable\n", Fault::Invalid),
            ("error: Expected replicas to be 3, was 5\n", Fault::Conflict),
            (
                "E1124 17:00:00.000000  1 memcache.go:265] \"Unhandled Error\"\nThe connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n",
                Fault::Unreachable,
            ),
            ("Unable to connect to the server: dial tcp: lookup nowhere: no such host\n", Fault::Unreachable),
            (
                "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)\n",
                Fault::Timeout,
            ),
            ("error: context \"none\" does not exist\n", Fault::NoContext),
            ("error: something else\n", Fault::Other),
            ("", Fault::Other),
        ] {
            assert_eq!(Failure::read(stderr).fault, fault, "{stderr}");
        }
    }

    #[test]
    fn a_conflict_of_an_apply_is_told_without_the_advice_for_another_one() {
        let stderr = "error: Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes to the latest version and try again\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve this warning:\nSee https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts\n";
        let failure = Failure::read(stderr);
        assert_eq!(failure.fault, Fault::Conflict);
        assert!(failure.text.starts_with("Operation cannot"), "{failure}");
    }

    #[test]
    fn the_words_are_kubectls_without_its_preamble() {
        let failure = Failure::read("E1124 17:00:00.000000 1 x.go:1] no\nerror: something else\n\n");
        assert_eq!(failure.text, "something else");
    }
}
