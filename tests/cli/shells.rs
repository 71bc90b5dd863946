//! Tab in real shells, and the list that a left-out name is searched in: on a pseudo-terminal, as a person has them.

use std::path::Path;

use crate::support::TestEnv;
use crate::support::pty::Pty;

/// A project with a flag, and a shell in it that knows the completion of its kind.
fn world(shell: &str, file: &str) -> TestEnv {
    let env = TestEnv::new().with_program(Path::new(env!("CARGO_BIN_EXE_liveops")), "liveops");
    env.write("liveops.yaml", "version: 1\nenvironments: { prod: {} }\n");
    env.write("flags.json", r#"{"shop_v2": {"enabled": true, "percentage": 10, "defaultValue": true}}"#);
    let script = env.run(["completions", shell]).expect_code(0).stdout;
    env.write(file, script);
    env
}

fn start(env: &TestEnv, program: &str, args: &[&str]) -> Pty {
    let mut command = env.program(program, args);
    command.env_remove("COLUMNS").env_remove("LINES").env_remove("NO_COLOR").env("TERM", "xterm").env("PS1", "% ");
    Pty::spawn(command)
}

/// Types the beginning of a name and Tab, awaits the rest of it, and runs the line.
fn complete(pty: &mut Pty, first: &str) {
    pty.send_line(first);
    pty.send_line("echo re''ady").expect("ready");
    pty.send("liveops flag get sh\t").expect("op_v2");
    pty.send("\n").expect("percentage");
}

#[test]
fn bash_completes_a_name() {
    let env = world("bash", "liveops.bash");
    let mut pty = start(&env, "/bin/bash", &["--noprofile", "--norc", "-i"]);
    // Its line editor shows what is typed only where the terminal would.
    complete(&mut pty, "stty echo; source ./liveops.bash");
}

/// From the first Tab on: the script is a file of `fpath`, as a package installs it.
#[test]
fn zsh_completes_a_name_at_the_first_tab() {
    let env = world("zsh", "functions/_liveops");
    let mut pty = start(&env, "/usr/bin/zsh", &["-f", "-i"]);
    complete(&mut pty, "fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D");
}

#[test]
fn fish_completes_a_name() {
    let env = world("fish", "liveops.fish");
    let mut pty = start(&env, "/usr/bin/fish", &["--no-config", "-i"]);
    complete(&mut pty, "source ./liveops.fish");
}

#[test]
fn a_name_that_is_left_out_is_searched_in_a_list() {
    let env = world("bash", "liveops.bash");
    env.write(
        "flags.json",
        r#"{"alpha": {"enabled": true, "percentage": 10, "defaultValue": true},
            "shop_v2": {"enabled": true, "percentage": 33, "defaultValue": true}}"#,
    );
    let mut pty = env.pty(["flag", "get"]);
    pty.expect("type to search");
    pty.send("sv2").expect("shop_v2");
    pty.send("\r").expect("33");
    assert_eq!(pty.wait().0, 0);
    // Where nobody can answer, it is an error as ever.
    let run = env.run(["flag", "get"]).expect_code(2);
    assert!(run.stderr.contains("`liveops flag get` needs `<NAME>`"), "{}", run.stderr);
}
