//! `liveops report`: numbers with what they rest on, hostile titles, dead backends, and pages that load nothing.

use std::process::Command;

use serde_json::Value;

use crate::support::TestEnv;

const CONFIG: &str =
    "version: 1\nproject: starfall\nenvironments: { staging: {} }\nservices: [{ name: game }, { name: lobby }]\n";

const HOSTILE: &str = "<script>alert(1)</script> | [x](javascript:y) `z` \u{202e}\x1b[31m";

fn at(day: u32, time: &str, env: TestEnv) -> TestEnv {
    env.now(&format!("2026-01-{day:02}T{time}:00Z"))
}

#[allow(clippy::disallowed_methods, reason = "the test is its own git user")]
fn commit(env: &TestEnv, time: &str, subject: &str, tag: &str) {
    let git = |args: &[&str]| {
        let folder = env.path();
        let work = folder.to_str().expect("a path");
        let identity = ["-C", work, "-c", "user.name=ada", "-c", "user.email=ada@example.org"];
        let done = Command::new("git")
            .args(identity)
            .args(args)
            .env("GIT_COMMITTER_DATE", time)
            .env("GIT_AUTHOR_DATE", time)
            .env_remove("GIT_DIR")
            .output()
            .expect("git runs");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    if !env.path().join(".git").exists() {
        git(&["init", "-q"]);
    }
    git(&["commit", "-q", "--allow-empty", "-m", subject]);
    git(&["tag", tag]);
}

fn deploy(env: &TestEnv, kind: &str, version: &str, time: &str) {
    let args = ["changes", "record", "--kind", kind, "--service", "game", "--version", version, "--at", time];
    env.run(args).expect_code(0);
}

/// Four deployments, of which 1.2 was taken back; a hostile incident, and one that 1.3 made.
fn world() -> TestEnv {
    let env = at(28, "12:00", TestEnv::new().var("LIVEOPS_ACTOR", "ada"));
    env.write("liveops.yaml", CONFIG);
    commit(&env, "2026-01-05T10:00:00Z", "base", "v1.0");
    commit(&env, "2026-01-09T10:00:00Z", "one", "v1.1");
    commit(&env, "2026-01-12T10:00:00Z", "two", "v1.2");
    commit(&env, "2026-01-27T10:00:00Z", "Revert \"two\"", "v1.3");
    deploy(&env, "deploy", "1.0", "2026-01-06T10:00:00Z");
    deploy(&env, "deploy", "1.1", "2026-01-10T10:00:00Z");
    deploy(&env, "deploy", "1.2", "2026-01-13T10:00:00Z");
    deploy(&env, "rollback", "1.1", "2026-01-13T10:40:00Z");
    deploy(&env, "hotfix", "1.3", "2026-01-27T11:00:00Z");
    let env = at(27, "12:00", env);
    for (title, severity) in [(HOSTILE, "p1"), ("queue is slow", "p3")] {
        env.run(["incident", "open", "--sev", severity, "--title", title, "--service", "game", "--yes"]).expect_code(0);
    }
    let env = at(27, "12:30", env);
    env.run(["incident", "mitigate", "gone", "-i", "queue", "--yes"]).expect_code(0);
    env.run(["incident", "amend", "cause", "1.3", "-i", "queue", "--yes"]).expect_code(0);
    at(28, "12:00", env)
}

#[test]
fn the_five_metrics_stand_with_what_they_rest_on() {
    let env = world();
    let json = env.run(["report", "dora", "--since", "30d", "--explain", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["schema"], "liveops.report.dora/1");
    let game = &json["data"]["services"][0];
    let lead = &game["lead_time"];
    assert_eq!(
        (lead["n"].as_u64(), lead["median_s"].as_u64(), lead["p90_s"].as_u64()),
        (Some(3), Some(86_400), Some(86_400))
    );
    assert_eq!((lead["reverts"].as_u64(), lead["items"].as_array().map(Vec::len)), (Some(1), Some(3)));
    let failed = &game["change_fail_rate"];
    // 1.2 was taken back; 1.3 is the cause of an incident; the other incident is put down to 1.3, too, and counts once.
    assert_eq!(
        (failed["n"].as_u64(), failed["known"].as_u64(), failed["inferred"].as_u64()),
        (Some(5), Some(2), Some(0))
    );
    assert_eq!(failed["share"], 0.4);
    let recovery = &game["failed_deployment_recovery_time"];
    assert_eq!((recovery["n"].as_u64(), recovery["median_s"].as_u64()), (Some(2), Some(2_400 + (5_400 - 2_400) / 2)));
    assert_eq!(game["deployment_rework_rate"]["share"], 0.4);
    // Nothing is no grade.
    let lobby = &json["data"]["services"][1];
    assert_eq!(lobby["change_fail_rate"]["share"], Value::Null);
    assert_eq!(lobby["change_fail_rate"]["reason"], "no deployment of lobby is known in 30 days");
    let plain = env.run(["report", "dora", "--since", "30d", "-o", "json"]).expect_code(0).json();
    assert_eq!(plain["data"]["services"][0]["lead_time"]["items"], Value::Null);
    let csv = env.run(["report", "dora", "--since", "30d", "-o", "csv"]).expect_code(0);
    assert!(csv.stdout.contains("game,change_fail_rate,5,0.4,,0.4,\n"), "{}", csv.stdout);
    let page = env.run(["report", "dora", "--since", "30d", "--service", "game", "-o", "html"]).expect_code(0).stdout;
    let tile = page.lines().find(|line| line.contains("<dt>recovery time</dt>")).expect("a tile");
    assert!(tile.contains("<b class=\"plain\">1h 5m</b> <span class=\"dim\">median; p90 "), "{tile}");
    env.run(["report", "dora", "--service", "gaem"]).expect_code(2);
    // Outside of a repository the rest stands.
    std::fs::rename(env.path().join(".git"), env.path().join("git")).unwrap();
    let json = env.run(["report", "dora", "--since", "30d", "-o", "json"]).expect_code(0).json();
    let game = &json["data"]["services"][0];
    assert_eq!(game["lead_time"]["reason"], "the project's folder is in no git repository");
    std::fs::create_dir(env.path().join("plain")).unwrap();
    let named =
        env.run(["report", "dora", "--since", "30d", "--repository", "plain", "-o", "json"]).expect_code(0).json();
    assert_eq!(named["data"]["services"][0]["lead_time"]["reason"], "plain is in no git repository");
    assert_eq!(game["change_fail_rate"]["share"], 0.4);
    // No deployment at all: unknown.
    let none = TestEnv::new();
    none.write("liveops.yaml", CONFIG);
    none.run(["report", "dora"]).expect_code(3);
}

#[test]
fn incidents_are_told_with_their_number_and_no_trend_of_few() {
    let env = world();
    let json = env.run(["report", "incidents", "-o", "json"]).expect_code(0).json();
    let data = &json["data"];
    assert_eq!(
        (data["n"].as_u64(), data["open"].as_u64(), &data["trend"]),
        (Some(2), Some(2), &Value::Null),
        "what is mitigated is not over"
    );
    assert_eq!(data["by_severity"][1]["measures"][2]["median_s"], 1_800);
    assert_eq!(data["deadlines"][0]["breached"], 1, "nobody took the P1");
    assert_eq!(data["incidents"][0]["cause"], Value::Null);
    let screen = env.run(["report", "incidents"]).expect_code(0);
    assert!(screen.stdout.contains("1 incident of 8 that a trend needs"), "{}", screen.stdout);
    let journal = env.path().join("incidents/2026-01-27-p3-queue-is-slow/journal.jsonl");
    std::fs::write(journal, "nonsense\n").unwrap();
    let broken = env.run(["report", "incidents", "-o", "json"]).expect_code(0).json();
    assert_eq!((broken["status"].as_str(), broken["data"]["n"].as_u64()), (Some("partial"), Some(1)));
    let dora = env.run(["report", "dora", "--since", "30d", "-o", "json"]).expect_code(0).json();
    assert_eq!(dora["status"], "partial");
}

/// What a page must be, whoever wrote the titles in it.
#[track_caller]
fn assert_page(html: &str) {
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:;"));
    for forbidden in [
        "<script",
        "javascript:y)<",
        "http://",
        "https://",
        "url(http",
        "@import",
        "<img",
        "<link",
        "<iframe",
        "\u{202e}",
        "\x1b",
    ] {
        assert!(!html.contains(forbidden), "`{forbidden}`");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.len() < 300_000, "{}", html.len());
    let (opened, closed) = (html.matches("<svg").count(), html.matches("</svg>").count());
    assert_eq!((opened, opened), (closed, html.matches("<title id=").count()));
    for tag in ["section", "table", "figure", "div", "details", "tr", "td", "dl"] {
        let open = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[test]
fn a_page_loads_nothing_and_hostile_titles_stay_text() {
    let env = world();
    for verb in ["weekly", "incidents"] {
        assert_page(&env.run(["report", verb, "-o", "html"]).expect_code(0).stdout);
        let markdown = env.run(["report", verb, "-o", "markdown"]).expect_code(0).stdout;
        assert!(!markdown.contains("<script") && !markdown.contains("[x]("), "{markdown}");
        assert!(markdown.contains("&lt;script&gt;"), "{markdown}");
    }
    env.run(["report", "weekly", "--out", "week.html"]).expect_code(0);
    assert_page(&env.read("week.html"));
    // A second time over the first; over nothing that is no report.
    env.run(["report", "dora", "--out", "week.html"]).expect_code(0);
    env.run(["report", "weekly", "--out", "liveops.yaml"]).expect_code(4);
    env.run(["report", "weekly", "--out", "other.html", "--read-only"]).expect_code(4);
    let written: Value = {
        env.run(["report", "dora", "--out", "dora.json"]).expect_code(0);
        serde_json::from_str(&env.read("dora.json")).unwrap()
    };
    assert_eq!(written["schema"], "liveops.report.dora/1");
    // Pages are for reports alone, and that is said before anything is done.
    for args in [&["status", "-o", "html"][..], &["flag", "set", "x", "--pct", "1", "--yes", "-o", "markdown"]] {
        let refused = env.run(args.iter().copied()).expect_code(2);
        assert!(refused.stderr.contains("`markdown` and `html` are for `liveops report …`"), "{}", refused.stderr);
    }
}

#[test]
fn a_dead_backend_leaves_its_part_unknown_and_the_rest_stands() {
    let env = world().var("LIVEOPS_PROMETHEUS", "http://127.0.0.1:1").var("LIVEOPS_ALERTMANAGER", "http://127.0.0.1:1");
    let slo = "slos:\n  - { name: api, service: game, objective: 99%, window: 30d, ratio: { bad: bad_total, total: all_total } }\n";
    env.write("liveops.yaml", format!("{CONFIG}{slo}"));
    env.write(
        "liveops.waivers.yaml",
        "- { id: X-1, subject: a, owner: ada, reason: soon, until: 2026-02-05 }\n- { id: X-2, subject: b, owner: bob, reason: later, until: 2026-09-01 }\n",
    );
    let json = env.run(["report", "weekly", "-o", "json"]).expect_code(0).json();
    let data = &json["data"];
    assert_eq!(json["status"], "partial");
    assert!(data["slos"]["reason"].as_str().unwrap().starts_with("prometheus: "), "{data}");
    assert_eq!(data["slos"]["data"][0]["budget_remaining"], Value::Null);
    assert_eq!(data["incidents"]["data"]["n"], 2);
    assert_eq!(data["deployments"]["data"][0]["change_fail_rate"]["known"], 1);
    assert_eq!(data["waivers"]["data"].as_array().unwrap().len(), 1);
    assert_eq!(data["waivers"]["data"][0]["days_left"], 8);
    assert!(data["unknowns"].as_array().unwrap().len() >= 3, "{data}");
    let screen = env.run(["report", "weekly"]).expect_code(0);
    for shown in ["unknown: prometheus: ", "queue is slow", "X-1", "What is not known"] {
        assert!(screen.stdout.contains(shown), "`{shown}` in\n{}", screen.stdout);
    }
}

#[test]
fn every_screen_fits_its_terminal() {
    let env = world();
    for columns in ["80", "50"] {
        for verb in ["dora", "incidents", "weekly"] {
            let run = env.command(["report", verb, "--color", "never"]).env("COLUMNS", columns).run().expect_code(0);
            let widest = run.stdout.lines().max_by_key(|line| console::measure_text_width(line)).unwrap_or_default();
            let limit = columns.parse::<usize>().unwrap();
            let is_long = |line: &str| console::measure_text_width(line) > limit && !line.starts_with("next: ");
            assert!(!run.stdout.lines().any(is_long), "{verb} at {columns}: `{widest}`\n{}", run.stdout);
        }
    }
}

#[test]
fn an_action_item_that_is_not_filled_in_is_none_and_tiles_mark_what_is_wrong() {
    let env = world();
    env.run(["incident", "resolve", "gone", "-i", "queue", "--yes"]).expect_code(0);
    env.run(["postmortem", "new", "queue"]).expect_code(0);
    let items = |env: &TestEnv| {
        let json = env.run(["report", "incidents", "-o", "json"]).expect_code(0).json();
        let actions = &json["data"]["actions"];
        (actions["open"].as_u64(), actions["items"].as_array().map(Vec::len))
    };
    assert_eq!(items(&env), (Some(0), Some(0)), "the row of the template is no action item");
    let file = "incidents/2026-01-27-p3-queue-is-slow/postmortem.md";
    let row = "| [fill in: what] | [fill in: who] | [fill in: YYYY-MM-DD] | open |";
    let text = env.read(file);
    assert!(text.contains(row), "{text}");
    assert!(!text.contains("``") && !text.contains(": ` `"), "an empty span of code: {text}");
    // Nothing was ranked, so nothing is said of suspects.
    assert!(text.contains("changes are not ranked") && !text.contains("is a suspect"), "{text}");
    env.write(file, text.replace(row, &format!("{row}\n| alert on the queue | ada | 2026-01-02 | open |")));
    assert_eq!(items(&env), (Some(1), Some(1)));
    let page = env.run(["report", "weekly", "-o", "html"]).expect_code(0).stdout;
    let tile = page.lines().find(|line| line.contains("Action items open")).expect("the tile");
    assert!(tile.contains("<b class=\"plain\">1</b> <span class=\"bad\">"), "{tile}");
    assert!(page.contains("<h1>Weekly operations report</h1>"));
    let quarter = env.run(["report", "weekly", "--since", "90d", "-o", "html"]).expect_code(0).stdout;
    assert!(quarter.contains("<h1>Operations report</h1>") && quarter.contains("Changes by week"), "{quarter}");
    assert!(quarter.len() < 300_000, "{}", quarter.len());
}
