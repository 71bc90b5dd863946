//! What an API server says when it says no: a `Status`, in the words and codes of the real one, which `kubectl` and
//! its users classify by.

use serde_json::{Value, json};

use super::kinds::Kind;

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Value,
}

impl Refusal {
    fn about(kind: &Kind, name: &str, code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message, details: json!({ "name": name, "group": kind.group, "kind": kind.resource }) }
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.qualified());
        Self::about(kind, name, 404, "NotFound", message)
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.qualified());
        Self::about(kind, name, 409, "AlreadyExists", message)
    }

    pub(crate) fn conflict(kind: &Kind, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; please apply your changes to the latest version and try again",
            kind.qualified()
        );
        Self::about(kind, name, 409, "Conflict", message)
    }

    /// A server-side apply to an object that has gone.
    pub(crate) fn no_such_uid(kind: &Kind, name: &str, uid: &Value) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": uid mismatch: the provided object specified uid {}, and no existing object was found",
            kind.qualified(),
            uid.as_str().unwrap_or_default()
        );
        Self::about(kind, name, 409, "Conflict", message)
    }

    /// Fields of a server-side apply that others manage, with who and which.
    pub(crate) fn managed(kind: &Kind, name: &str, owners: &[(String, String)]) -> Self {
        let causes = owners.iter().map(|(manager, field)| {
            json!({ "reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\""), "field": field })
        });
        let causes: Vec<Value> = causes.collect();
        let said: Vec<String> =
            (owners.iter()).map(|(manager, field)| format!("conflict with \"{manager}\": {field}")).collect();
        let message = format!(
            "Apply failed with {} conflict{}: {}",
            owners.len(),
            if owners.len() == 1 { "" } else { "s" },
            said.join("\n")
        );
        let mut refusal = Self::about(kind, name, 409, "Conflict", message);
        refusal.details["causes"] = Value::Array(causes);
        refusal
    }

    /// As admission and validation say it.
    pub(crate) fn invalid(kind: &Kind, name: &str, field: &str, what: &str) -> Self {
        let message = format!("{} \"{name}\" is invalid: {field}: {what}", kind.kind);
        let mut refusal = Self::about(kind, name, 422, "Invalid", message);
        refusal.details["kind"] = json!(kind.kind);
        refusal.details["causes"] = json!([{ "reason": "FieldValueInvalid", "message": what, "field": field }]);
        refusal
    }

    /// Parameters of a list or watch that do not go together: why (`Forbidden`), and in which words.
    pub(crate) fn options(field: &str, wrong: &[(&str, String)]) -> Self {
        let said: Vec<String> = wrong.iter().map(|(_, what)| format!("{field}: {what}")).collect();
        let said = if said.len() == 1 { said.concat() } else { format!("[{}]", said.join(", ")) };
        let causes = wrong
            .iter()
            .map(|(why, what)| json!({ "reason": format!("FieldValue{why}"), "message": what, "field": field }));
        let causes: Vec<Value> = causes.collect();
        Self {
            code: 422,
            reason: "Invalid",
            message: format!("ListOptions.meta.k8s.io \"\" is invalid: {said}"),
            details: json!({ "group": "meta.k8s.io", "kind": "ListOptions", "causes": causes }),
        }
    }

    /// A version that is still to come.
    pub(crate) fn too_large_version(wanted: u64, current: u64) -> Self {
        let cause = json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
        Self {
            code: 504,
            reason: "Timeout",
            message: format!("Timeout: Too large resource version: {wanted}, current: {current}"),
            details: json!({ "causes": [cause], "retryAfterSeconds": 1 }),
        }
    }

    /// A JSON Patch that cannot be applied, such as for a `test` that fails: 422 without a word about which.
    pub(crate) fn patch() -> Self {
        Self {
            code: 422,
            reason: "Invalid",
            message: "the server rejected our request due to an error in our request".to_owned(),
            details: json!({}),
        }
    }

    pub(crate) fn forbidden(kind: &Kind, namespace: &str, name: &str, verb: &str) -> Self {
        let message = format!(
            "{} \"{name}\" is forbidden: User \"liveops\" cannot {verb} resource \"{}\" in API group \"{}\" in the namespace \"{namespace}\"",
            kind.qualified(),
            kind.resource,
            kind.group
        );
        Self::about(kind, name, 403, "Forbidden", message)
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self { code: 400, reason: "BadRequest", message: message.to_owned(), details: json!({}) }
    }

    /// A path that does not exist.
    pub(crate) fn no_such_path() -> Self {
        Self {
            code: 404,
            reason: "NotFound",
            message: "the server could not find the requested resource".to_owned(),
            details: json!({}),
        }
    }

    /// The server itself is in trouble.
    pub(crate) fn unavailable() -> Self {
        Self {
            code: 503,
            reason: "ServiceUnavailable",
            message: "the server is currently unable to handle the request".to_owned(),
            details: json!({}),
        }
    }

    /// The body.
    pub(crate) fn status(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        })
    }
}
