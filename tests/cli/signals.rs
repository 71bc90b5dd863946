//! However a question or a live screen ends, the terminal is as it was, and the exit code says which signal it was.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::TestEnv;
use crate::support::deadline::until;
use crate::support::process::signal;
use crate::support::pty::Pty;

const LIMIT: Duration = Duration::from_secs(20);

const FLAGS: &str = r#"{"a": {"enabled": true, "percentage": 10, "defaultValue": true}}"#;

/// Every way of asking, and the live screen: command line, and the text by which it is known to wait.
const PLACES: [(&str, &str); 8] = [
    ("flag set a --pct 20", "go on in"),
    ("-e prod flag set a --pct 20 --reason x", "type its name"),
    ("incident open", "how bad"),
    ("triage", "[f]ine"),
    ("runbook run x", "V for this run"),
    ("config trust", "let it?"),
    ("status --watch --plain", "\x1b[?1049h"),
    ("watch", "q quit"),
];

fn world() -> TestEnv {
    let env = TestEnv::new().var("SECRET", "x");
    env.write(
        "liveops.yaml",
        "default_env: dev\nenvironments: { prod: { protected: true }, dev: {} }\nservices: [ { name: g, health: 'http://127.0.0.1:1/${SECRET}' } ]\n",
    );
    env.write("flags.json", FLAGS);
    env.write("docs/runbooks/x.md", "# x\n\n```sh liveops step=\"s\" confirm needs=\"V\"\ntrue\n```\n");
    env
}

/// The command line in a shell, which then tells its exit code and the modes of the terminal.
#[allow(clippy::disallowed_methods, reason = "a test runs the binary it tests")]
fn in_shell(env: &TestEnv, line: &str) -> Pty {
    let bare = env.bare(["--version"]);
    let mut command = Command::new("/bin/sh");
    command.env_clear().current_dir(env.path());
    for (name, value) in bare.get_envs() {
        command.env(name, value.expect("nothing is unset"));
    }
    command.env_remove("COLUMNS").env_remove("LINES").env_remove("NO_COLOR").env("TERM", "xterm-256color");
    let program = bare.get_program().to_string_lossy().into_owned();
    command.args(["-c", &format!("trap : INT TERM HUP; {program} {line}; echo code=$?; stty -a; echo the end")]);
    Pty::spawn(command)
}

/// The process id of what the shell runs.
fn child(shell: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

#[track_caller]
fn assert_restored(what: &str, code: i32, terminal: Pty) {
    let (_, text) = terminal.wait();
    assert!(text.contains(&format!("code={code}")), "{what}: {text}");
    let modes = text.rsplit("code=").next().unwrap_or_default();
    let is_on = |mode: &str| modes.split_whitespace().any(|word| word == mode);
    assert!(is_on("icanon") && is_on("isig"), "{what}: {text}");
    assert_eq!(text.matches("\x1b[?1049h").count(), text.matches("\x1b[?1049l").count(), "{what}");
    assert!(text.rfind("\x1b[?25l") <= text.rfind("\x1b[?25h"), "{what}: the cursor is hidden\n{text}");
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    for (line, waits) in PLACES {
        for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let env = world();
            let mut terminal = in_shell(&env, line);
            terminal.expect(waits);
            let pid = child(terminal.pid()).expect("it runs");
            // One that comes before the question reads is kept for later: send it until it is heard.
            until("its end", LIMIT, || {
                if child(terminal.pid()) != Some(pid) {
                    return Some(());
                }
                signal(pid, name);
                None
            });
            terminal.expect("the end");
            assert_restored(&format!("{name} at `{line}`"), code, terminal);
        }
    }
}

#[test]
fn a_typed_interrupt_leaves_the_terminal_as_it_was() {
    for (line, waits) in PLACES {
        let env = world();
        let mut terminal = in_shell(&env, line);
        terminal.expect(waits).interrupt().expect("the end");
        assert_restored(&format!("Ctrl-C at `{line}`"), 130, terminal);
    }
}

#[test]
fn a_live_screen_that_is_stopped_gives_the_terminal_back_and_takes_it_again() {
    let env = world();
    let mut terminal = in_shell(&env, "status --watch --plain --interval 1s");
    terminal.expect("\x1b[?1049h").expect("\x1b[J");
    let pid = child(terminal.pid()).expect("it runs");
    signal(pid, "TSTP");
    terminal.expect("\x1b[?1049l");
    until("the stop", LIMIT, || (state(pid) == Some('T')).then_some(()));
    signal(pid, "CONT");
    terminal.expect("\x1b[?1049h").expect("\x1b[J").interrupt().expect("the end");
    assert_restored("stopped and continued", 130, terminal);
}

#[test]
fn a_question_that_is_stopped_can_be_answered_afterwards() {
    for (line, waits) in [("flag set a --pct 20", "go on in"), ("config trust", "let it?")] {
        let env = world();
        let mut terminal = in_shell(&env, line);
        terminal.expect(waits);
        let pid = child(terminal.pid()).expect("it runs");
        signal(pid, "STOP");
        until("the stop", LIMIT, || (state(pid) == Some('T')).then_some(()));
        signal(pid, "CONT");
        terminal.send_line("n").expect("the end");
        assert_restored(line, 4, terminal);
    }
}

#[test]
fn ctrl_z_at_a_question_stops_and_it_is_asked_again() {
    for (line, waits, answer, code) in [
        ("flag set a --pct 20", "go on in", "n", 4),
        ("flag set a --pct 20 --reason x -e prod", "type its name", "prod", 0),
    ] {
        let env = world();
        let mut terminal = in_shell(&env, line);
        terminal.expect(waits);
        let pid = child(terminal.pid()).expect("it runs");
        terminal.send("\x1a");
        until("the stop", LIMIT, || (state(pid) == Some('T')).then_some(()));
        signal(pid, "CONT");
        terminal.expect(waits).send_line(answer).expect("the end");
        assert_restored(line, code, terminal);
    }
}

/// What is typed at a question is edited as in a shell.
#[test]
fn a_name_is_typed_and_mended() {
    let env = world();
    let mut terminal = in_shell(&env, "flag set a --pct 20 --reason x -e prod");
    terminal.expect("type its name").send("x\x15pod\x1b[D\x1b[Dr\n").expect("the end");
    assert_restored("mended", 0, terminal);
}

#[test]
fn ctrl_z_at_a_key_stops_as_everywhere() {
    let env = world();
    let mut terminal = in_shell(&env, "triage");
    terminal.expect("[f]ine");
    let pid = child(terminal.pid()).expect("it runs");
    terminal.send("\x1a");
    until("the stop", LIMIT, || (state(pid) == Some('T')).then_some(()));
    signal(pid, "CONT");
    terminal.expect("[f]ine").interrupt().expect("the end");
    assert_restored("triage", 130, terminal);
}

#[test]
fn a_change_whose_report_cannot_be_written_is_half_done() {
    let env = TestEnv::new();
    env.write("liveops.yaml", "version: 1\n");
    env.write("flags.json", FLAGS);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = env.bare(["flag", "set", "a", "--pct", "33", "--yes"]).stdout(full()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(env.read("flags.json").contains("33"));
    assert!(stderr.contains("liveops audit show c"), "{stderr}");
    // What changed nothing could not do its job.
    let output = env.bare(["flag", "list"]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

/// A runbook without questions: what is under way comes to its end, and nothing else begins.
#[test]
fn a_signal_in_a_step_is_the_end_of_the_run_and_it_can_be_resumed() {
    let env = world();
    env.write(
        "docs/runbooks/two.md",
        "# two\n\n```sh liveops step=\"one\"\ntouch ONE; until [ -e GO ]; do :; done\n```\n\n```sh liveops step=\"two\"\ntouch TWO\n```\n",
    );
    let mut child = env.bare(["runbook", "run", "two", "--yes"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("the first step", LIMIT, || env.path().join("ONE").exists().then_some(()));
    signal(child.id(), "TERM");
    let mut said = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    while !said.contains("finishing the change") {
        assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap(), 0, "{said}");
    }
    env.write("GO", "");
    let code = until("the end", LIMIT, || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(143), "{said}");
    assert!(!env.path().join("TWO").exists());
    env.run(["runbook", "run", "two", "--resume", "--yes"]).expect_code(0);
    assert!(env.path().join("TWO").exists());
}
