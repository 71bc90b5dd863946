//! Flag changes on a terminal: the question, the typed name, and what happens when somebody else is faster.

use serde_json::json;

use crate::flag_write::{change, env, flags};

#[test]
fn the_question_comes_after_the_preview_and_enter_means_no() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let mut pty = env.pty(["flag", "set", "shop", "--pct", "80"]);
    pty.expect("revision 1");
    pty.expect("percentage");
    pty.expect("without an id");
    pty.expect("go on in `default`?").send_line("");
    let (code, text) = pty.wait();
    assert_eq!(code, 4, "{text}");
    assert_eq!(flags(&env)["shop"]["percentage"], 10);
    let mut pty = env.pty(["flag", "set", "shop", "--pct", "80"]);
    pty.expect("go on in `default`?").send_line("y");
    pty.expect("every service has it by 2026-01-15T10:30:30Z");
    pty.expect("undo: ");
    assert_eq!(pty.wait().0, 0);
    assert_eq!(flags(&env)["shop"]["percentage"], 80);
}

#[test]
fn a_protected_environment_wants_its_name_but_a_kill_only_a_yes() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    env.write(
        "liveops.yaml",
        "version: 1\ndefault_env: prod\nenvironments: { prod: { protected: true, flags: 'file:flags.json' } }\n",
    );
    let set = ["flag", "set", "shop", "--pct", "20", "--reason", "x"];
    let mut pty = env.pty(set);
    pty.expect("type its name to go on").send_line("staging");
    assert_eq!(pty.wait().0, 4);
    let mut pty = env.pty(set);
    pty.expect("type its name to go on").send_line("prod");
    assert_eq!(pty.wait().0, 0);
    let mut pty = env.pty(["flag", "kill", "shop"]);
    pty.expect("go on in `prod`?").send_line("y");
    assert_eq!(pty.wait().0, 0);
    assert_eq!(flags(&env)["shop"]["enabled"], false);
    // Back to the users it goes by the name again.
    let mut pty = env.pty(["flag", "undo", "shop", "--reason", "fixed"]);
    pty.expect("type its name to go on").send_line("prod");
    assert_eq!(pty.wait().0, 0);
}

#[test]
fn what_still_means_the_same_is_applied_to_what_is_there_now() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let mut pty = env.pty(["flag", "set", "shop", "--pct", "25"]);
    pty.expect("go on in");
    change(&env, &["flag", "allow", "shop", "add", "qa_1"]);
    pty.send_line("y");
    let (code, text) = pty.wait();
    assert_eq!(code, 0, "{text}");
    let now = flags(&env)["shop"].clone();
    assert_eq!(
        (&now["percentage"], &now["allowlist"], &now["_liveops"]),
        (&json!(25), &json!(["qa_1"]), &json!({ "rev": 3 }))
    );
    // Somebody else does the very same: there is nothing left to write.
    let mut pty = env.pty(["flag", "allow", "shop", "add", "qa_2"]);
    pty.expect("go on in");
    change(&env, &["flag", "allow", "shop", "add", "qa_2"]);
    pty.send_line("y");
    assert_eq!(pty.wait().0, 0);
    assert_eq!(flags(&env)["shop"]["_liveops"]["rev"], 4);
}

#[test]
fn what_means_something_else_by_now_is_refused_with_both_values() {
    let env = env();
    change(&env, &["flag", "set", "shop", "--pct", "10"]);
    let mut pty = env.pty(["flag", "set", "shop", "--pct", "25"]);
    pty.expect("go on in");
    change(&env, &["flag", "set", "shop", "--pct", "50"]);
    pty.send_line("y");
    pty.expect("percentage 10 to 50");
    pty.expect("percentage 10 to 25");
    pty.expect("overwritten");
    assert_eq!(pty.wait().0, 4);
    assert_eq!(flags(&env)["shop"]["percentage"], 50);
    // An undo is meant for exactly what it was decided on.
    let mut pty = env.pty(["flag", "undo", "shop"]);
    pty.expect("go on in");
    change(&env, &["flag", "allow", "shop", "add", "qa_1"]);
    pty.send_line("y");
    assert_eq!(pty.wait().0, 4);
    // A kill is meant whatever the flag is by now.
    let mut pty = env.pty(["flag", "kill", "shop"]);
    pty.expect("go on in");
    change(&env, &["flag", "set", "shop", "--pct", "75"]);
    pty.send_line("y");
    assert_eq!(pty.wait().0, 0);
    let now = flags(&env)["shop"].clone();
    assert_eq!((&now["enabled"], &now["percentage"]), (&json!(false), &json!(75)));
}
