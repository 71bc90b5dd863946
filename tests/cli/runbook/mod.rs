//! `liveops runbook`: written from rules, shown, checked both ways, and run step by step.

use serde_json::{Value, json};

use crate::support::{Answer, Stub, TestEnv};

mod run;

const NOW: &str = "2026-01-15T10:30:00Z";

const CONFIG: &str = "version: 1\nproject: starfall\nenvironments: { staging: {} }\nservices:\n  - { name: game-backend, owner: platform, health: 'http://127.0.0.1:1', workload: { deployment: game-deploy } }\nkpis:\n  - { name: tick_p99, quantile: { q: 0.99, histogram: game_tick_duration_seconds }, warn: '> 16ms', critical: '> 20ms' }\n";

const RULES: &str = "groups:\n- name: game\n  rules:\n  - alert: TickSlow\n    expr: histogram_quantile(0.99, sum by (le) (rate(game_tick_duration_seconds_bucket[5m]))) > 0.02\n    for: 5m\n    labels: { severity: high, service: game-backend }\n    annotations: { summary: Ticks are slow, runbook_url: docs/runbooks/alerts/TickSlow.md }\n  - alert: GameServerDown\n    expr: up{job=\"game\"} == 0\n    for: 1m\n    labels: { severity: critical }\n";

const STEPS: &str = "# Fix\n\n## Detection\nx\n## Triage\nx\n## Diagnosis\nx\n## Mitigation\n\n```sh liveops step=\"Look\"\necho env=$LIVEOPS_ENV; exit 3\n```\n\n```sh liveops step=\"Change\" confirm needs=\"WHAT\" check=\"test -f done\" rollback=\"rm done\"\necho \"$WHAT\" > done\n```\n\n```sh liveops step=\"Last\" confirm check=\"test -f ready\"\necho last\n```\n\n## Resolution\nx\n## Post-incident\nx\n";

fn env() -> TestEnv {
    let env = TestEnv::new().now(NOW).var("LIVEOPS_ACTOR", "ada");
    env.write("liveops.yaml", CONFIG);
    env.write("rules.yml", RULES);
    env
}

/// A Prometheus with the rules of [`RULES`].
fn prometheus() -> Stub {
    let rule = |name: &str, query: &str, labels: Value, annotations: Value| {
        json!({ "name": name, "query": query, "duration": 60.0, "labels": labels, "annotations": annotations,
            "alerts": [], "health": "ok", "state": "inactive", "type": "alerting", "evaluationTime": 0.0,
            "lastEvaluation": NOW })
    };
    let rules = [
        rule("GameServerDown", "up == 0", json!({"severity": "critical"}), json!({})),
        rule(
            "TickSlow",
            "game_tick_duration_seconds_bucket > 1",
            json!({"severity": "high"}),
            json!({"runbook_url": "x/TickSlow.md"}),
        ),
    ];
    Stub::new().on(
        "GET",
        "/api/v1/rules",
        Answer::json(json!({"status": "success", "data": {"groups": [
            {"name": "game", "file": "r.yml", "interval": 15.0, "rules": rules}]}})),
    )
}

#[test]
fn new_fills_in_what_the_rule_and_the_kpis_say() {
    let env = env();
    let run = env.run(["runbook", "new", "TickSlow", "--rules", "rules.yml"]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        ● docs/runbooks/alerts/TickSlow.md is written
          from its rule, for game-backend
          3 lines only you can fill in: look for `[fill in`
        next: liveops runbook show TickSlow
        next: liveops runbook check
        --- stderr
        "#);
    let text = env.read("docs/runbooks/alerts/TickSlow.md");
    for want in [
        "# TickSlow",
        "Ticks are slow",
        "for 5m",
        "incident open --sev p2 --alert TickSlow",
        "| tick p99 (`tick_p99`) | > 16ms | > 20ms |",
        "liveops query 'histogram_quantile(0.99,",
        "deployment/game-deploy",
        "logs -l app=game-deploy",
        "high is a P2 (degraded, many users)",
        "Not mitigated after 30m",
        "Owner: platform",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
    // What is plotted is the figure, and not where it is beyond its limit.
    let plot = text.lines().find(|line| line.contains("liveops query")).expect("a query");
    assert!(plot.ends_with("[5m])))' --range 1h --plot"), "{plot}");
    // A second time nothing is overwritten.
    let again = env.run(["runbook", "new", "TickSlow", "--rules", "rules.yml", "-o", "json"]).expect_code(4);
    assert_eq!(again.json_error()["kind"], "refused");
    let json =
        env.run(["runbook", "new", "TickSlow", "--rules", "rules.yml", "--force", "-o", "json"]).expect_code(0).json();
    assert_eq!(json["schema"], "liveops.runbook.new/1");
    assert_eq!(json["data"]["path"], "docs/runbooks/alerts/TickSlow.md");
    assert_eq!(json["data"]["rules"], 1);
}

#[test]
fn a_shipped_runbook_is_read_and_run_without_being_written() {
    let env = env();
    let shown = env.run(["runbook", "show", "rollback"]).expect_code(0);
    for want in ["shipped with liveops", "deployment/game-deploy", "next: liveops runbook new rollback"] {
        assert!(shown.stdout.contains(want), "{want}: {}", shown.stdout);
    }
    let json = env.run(["runbook", "show", "rollback", "-o", "json"]).expect_code(0).json();
    assert_eq!(
        (&json["data"]["is_written"], &json["data"]["path"]),
        (&json!(false), &json!("docs/runbooks/rollback.md"))
    );
    env.run(["runbook", "run", "rollback", "--dry-run"]).expect_code(0);
    env.run(["runbook", "check", "rollback"]).expect_code(0);
    // The one that the project wrote comes first.
    env.write("docs/runbooks/rollback.md", "# Ours\n");
    let own = env.run(["runbook", "show", "rollback", "-o", "json"]).expect_code(0).json();
    assert_eq!((&own["data"]["is_written"], &own["data"]["title"]), (&json!(true), &json!("Ours")));
    // Of two services nobody knows which; what it would do is not guessed.
    env.write("liveops.yaml", CONFIG.replace("services:\n", "services:\n  - { name: lobby }\n"));
    let shown = env.run(["runbook", "show", "failover"]).expect_code(0);
    assert!(shown.stdout.contains("deployment/SERVICE"), "{}", shown.stdout);
    let run = env.run(["runbook", "run", "failover", "--yes"]).expect_code(2);
    assert!(run.stderr.contains("`liveops runbook new failover --service lobby`"), "{}", run.stderr);
    let slip = env.run(["runbook", "show", "failovr"]).expect_code(2);
    assert!(slip.stderr.contains("failovr"), "{}", slip.stderr);
}

#[test]
fn new_asks_prometheus_and_goes_on_without_it() {
    let stub = prometheus();
    let url = stub.url();
    let env = env();
    env.run(["runbook", "new", "GameServerDown", "--prometheus", &url]).expect_code(0);
    let slip = env.run(["runbook", "new", "GameSeverDown", "--prometheus", &url]).expect_code(2);
    assert!(slip.stderr.contains("did you mean `GameServerDown`?"), "{}", slip.stderr);
    let dead = env
        .run(["runbook", "new", "TickSlow", "--prometheus", "http://127.0.0.1:1", "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(dead["status"], "partial");
    assert!(dead["warnings"][0].as_str().unwrap().contains("is not known"));
    for name in ["../x", ".hidden", "a/b", ""] {
        env.run(["runbook", "new", "--rules", "rules.yml", "--force", "--", name]).expect_code(2);
    }
    env.run(["runbook", "new", "rollback", "--read-only"]).expect_code(4);
    env.run(["runbook", "new", "rollback", "--service", "gme"]).expect_code(2);
    let dry = env.run(["runbook", "new", "rollback", "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("# Rollback of game-backend"), "{}", dry.stdout);
    assert!(!env.path().join("docs/runbooks/rollback.md").exists());
}

#[test]
fn a_template_of_the_project_is_used_instead() {
    let env = env();
    env.write("liveops.yaml", format!("{CONFIG}templates: tpl\n"));
    env.write("tpl/runbook/rollback.md.j2", "# Ours for {{ service }}\n");
    env.run(["runbook", "new", "rollback"]).expect_code(0);
    assert_eq!(env.read("docs/runbooks/rollback.md"), "# Ours for game-backend\n");
    env.write("tpl/runbook/hotfix.md.j2", "# x\n{{ nobody.knows }}\n");
    let run = env.run(["runbook", "new", "hotfix"]).expect_code(2);
    assert!(run.stderr.contains("hotfix.md.j2:2:"), "{}", run.stderr);
}

#[test]
fn every_shipped_runbook_is_written_and_passes_the_check() {
    let env = env();
    let names = env.run(["runbook", "list", "-o", "json"]).expect_code(0).json();
    let shipped = names["data"]["shipped"].as_array().unwrap();
    assert_eq!(shipped.len(), 10);
    for scenario in shipped {
        env.run(["runbook", "new", scenario["name"].as_str().unwrap()]).expect_code(0);
    }
    for alert in ["TickSlow", "GameServerDown"] {
        env.run(["runbook", "new", alert, "--rules", "rules.yml"]).expect_code(0);
    }
    let checked = env.run(["runbook", "check", "--rules", "rules.yml", "-o", "json"]).expect_code(0).json();
    assert_eq!(checked["verdict"], "warn", "{checked:#}");
    assert_eq!(checked["data"]["checked"]["runbooks"], 12);
    // What is left to fill in, and the annotation that is missing, fail where that is asked for.
    env.run(["runbook", "check", "--rules", "rules.yml", "--fail-on", "medium"]).expect_code(1);
}

#[test]
fn check_names_what_would_fail_at_night() {
    let env = env();
    env.write(
        "docs/runbooks/alerts/tickslow.md",
        "# T\n## Description\n\n## Severity\nx [a](gone.md) [b](../../../rules.yml) [c](#x)\n```sh liveops stepp=x\ny\n```\n",
    );
    env.write("docs/runbooks/alerts/Old.md", "# Old\n");
    let run = env.run(["runbook", "check", "--rules", "rules.yml"]).expect_code(1);
    for part in [
        "FAIL  2 rules, 2 runbooks: 10 HIGH",
        "alert `GameServerDown` (rules.yml) has no runbook: docs/runbooks/alerts/GameServerDown.md does not exist",
        "alert `TickSlow` (rules.yml) has no runbook; docs/runbooks/alerts/tickslow.md differs in upper and lower case",
        "sections are missing: `description`, `severity`, `impact`, `investigation`, `common causes`, `remediation`",
        "no rule makes an alert `tickslow`; did you mean `TickSlow`?",
        "R09 tickslow  docs/runbooks/alerts/tickslow.md:2\n    section `Description` is empty",
        "R06 tickslow  docs/runbooks/alerts/tickslow.md:5\n    link `#x` is dead: there is no such heading",
        "R10 tickslow  docs/runbooks/alerts/tickslow.md:6\n    step cannot be read: `stepp` is unknown; did you mean `step`?",
    ] {
        assert!(run.stdout.contains(part), "{part}\n{}", run.stdout);
    }
    let json = env.run(["runbook", "check", "--rules", "rules.yml", "-o", "json"]).expect_code(1).json();
    assert_eq!(json["schema"], "liveops.check/1");
    let ids: Vec<&str> =
        json["data"]["findings"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    for id in ["R01", "R02", "R06", "R08", "R09", "R10"] {
        assert!(ids.contains(&id), "{id}: {ids:?}");
    }
    let missing = json["data"]["findings"].as_array().unwrap().iter().find(|one| one["id"] == "R01").unwrap();
    assert_eq!((&missing["file"], &missing["kind"]), (&"rules.yml".into(), &"alert_without_runbook".into()));
    assert_eq!(missing["why"], missing["message"]);
    assert_eq!(json["verdict"], "fail");
    let csv = env.run(["runbook", "check", "--rules", "rules.yml", "-o", "csv"]).expect_code(1);
    assert!(csv.stdout.starts_with("subject,id,level,file,line,why,fix,waived_by,known"));
    env.run(["runbook", "check", "--rules", "nowhere.yml"]).expect_code(2);
    env.write("bad.yml", "groups: 3\n");
    env.run(["runbook", "check", "--rules", "bad.yml"]).expect_code(2);
}

#[test]
fn without_rules_nothing_is_called_good() {
    let env = env();
    env.run(["runbook", "new", "rollback"]).expect_code(0);
    let none = env.run(["runbook", "check", "--strict"]).expect_code(3);
    assert!(none.stdout.contains("UNKNOWN") && none.stdout.contains("no rule files are named"), "{}", none.stdout);
    assert!(!env.run(["runbook", "check"]).stdout.contains("PASS"));
    let dead = env.run(["runbook", "check", "--prometheus", "http://127.0.0.1:1", "-o", "json"]).expect_code(3).json();
    assert_eq!(dead["verdict"], "unknown");
    assert_eq!(dead["sources"][0]["state"], "down");
    // One runbook by itself needs no rules.
    env.run(["runbook", "check", "rollback"]).expect_code(0);
}

#[test]
fn urls_are_looked_at_only_online() {
    let stub = Stub::new().on("GET", "/good", Answer::text("x"));
    let env = env();
    let text = format!("{STEPS}\n[a]({0}/good) [b]({0}/gone?x=1#y)\n", stub.url());
    env.write("docs/runbooks/fix.md", text);
    env.run(["runbook", "check", "fix"]).expect_code(0);
    assert!(stub.requests().is_empty());
    let run = env.run(["runbook", "check", "fix", "--online"]).expect_code(1);
    assert!(run.stdout.contains("/gone?x=1#y` is dead: it answers 404"), "{}", run.stdout);
    assert!(!run.stdout.contains("/good`"), "{}", run.stdout);
}

#[test]
fn show_draws_it_and_list_counts_it() {
    let env = env();
    env.write("docs/runbooks/fix.md", STEPS);
    let run = env.run(["runbook", "show", "fix"]).expect_code(0);
    insta::assert_snapshot!(run.snapshot(), @r#"
        code: 0
        --- stdout
        docs/runbooks/fix.md
        Fix

        Detection
        x

        Triage
        x

        Diagnosis
        x

        Mitigation
        ▶ step: Look
          echo env=$LIVEOPS_ENV; exit 3

        ▶ step: Change  (asks before it runs)
          echo "$WHAT" > done

        ▶ step: Last  (asks before it runs)
          echo last

        Resolution
        x

        Post-incident
        x

        next: liveops runbook run fix
        --- stderr
        "#);
    let part = env.run(["runbook", "show", "fix", "--section", "resol"]).expect_code(0);
    assert!(!part.stdout.contains("Detection") && part.stdout.contains("Resolution"));
    env.run(["runbook", "show", "fix", "--section", "nope"]).expect_code(2);
    let raw = env.run(["runbook", "show", "fix", "--raw"]).expect_code(0);
    assert_eq!(raw.stdout, STEPS);
    let slip = env.run(["runbook", "show", "fxi"]).expect_code(2);
    assert!(slip.stderr.contains("did you mean `fix`?"), "{}", slip.stderr);
    let names = env.run(["runbook", "list", "-o", "name"]).expect_code(0);
    assert_eq!(names.stdout, "fix\n");
}

#[test]
fn check_finds_commands_that_do_not_exist() {
    let env = env();
    let text = STEPS
        .replace("echo env=$LIVEOPS_ENV; exit 3", "liveops status --watsh | head -1")
        .replace("## Post-incident\nx", "## Post-incident\nThen `liveops postmortm new`, and `liveops undo`.");
    env.write("docs/runbooks/fix.md", text);
    let json = env.run(["runbook", "check", "fix", "-o", "json"]).expect_code(1).json();
    let found: Vec<&str> = json["data"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "no_such_command")
        .map(|finding| finding["message"].as_str().unwrap())
        .collect();
    assert_eq!(found.len(), 2, "{json:#}");
    assert!(found[0].contains("step `Look`: `liveops status --watsh` would fail"), "{found:?}");
    assert!(found[1].contains("`liveops postmortm new` would fail"), "{found:?}");
}

#[test]
fn runbooks_in_folders_are_found_and_read_as_sites_show_them() {
    let env = env();
    env.write("liveops.yaml", format!("{CONFIG}runbooks: {{ folder: rb, sections: {{ alert: [meaning] }} }}\n"));
    let url = format!("https://grafana.example.com/explore?left={}&x=END", "%7B".repeat(60));
    env.write(
        "rb/node/GameServerDown.md",
        format!("\u{feff}---\ntitle: Down\nweight: 20\n---\n\n## Meaning {{#why}}\n\n<details><summary>More</summary>\nkubectl -n <namespace> get\n</details>\n\nSee [it]({url}), [here](#why), [that](../my%20notes.txt), [other]({{{{< relref x >}}}}).\n\n~~~sh\nliveops staus\n~~~\n"),
    );
    env.write("rb/my notes.txt", "x");
    for page in ["rb/_index.md", "rb/node/README.md"] {
        env.write(page, "no runbook\n");
    }
    let shown = env.run(["runbook", "show", "GameServerDown"]).expect_code(0).stdout;
    assert!(shown.replace('\n', "").contains("x=END"), "{shown}");
    assert!(shown.contains("kubectl -n <namespace> get") && shown.contains("More"), "{shown}");
    assert!(!shown.contains("weight: 20"), "{shown}");
    let checked = env.run(["runbook", "check", "GameServerDown", "-o", "json"]).expect_code(1).json();
    let findings = checked["data"]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{checked:#}");
    assert_eq!(findings[0]["kind"], "no_such_command");
    // No rule at all is nothing that could be checked.
    env.write("none.yml", "groups: []\n");
    let checked = env.run(["runbook", "check", "--rules", "none.yml", "-o", "json"]).json();
    assert_eq!(checked["data"]["checked"]["rules"], 0);
    assert!(checked["data"]["unknown"][0]["why"].as_str().unwrap().contains("no alerting rule"), "{checked:#}");
    // A path is relative to where one stands.
    env.write("sub/x.md", "# Here\n");
    env.write("x.md", "# There\n");
    let mut command = env.bare(["runbook", "show", "x.md", "-o", "json"]);
    let output = command.current_dir(env.path().join("sub")).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["data"]["title"], "Here");
}

#[test]
fn a_page_that_an_alert_links_must_answer() {
    let site = Stub::new().on("GET", "/there", Answer::text("a page"));
    let env = TestEnv::new();
    let rules = |page: &str| {
        format!(
            "groups: [{{name: g, rules: [{{alert: Down, expr: up == 0, annotations: {{runbook_url: '{}{page}'}}}}]}}]\n",
            site.url()
        )
    };
    let found = |page: &str| {
        env.write("rules.yml", rules(page));
        let run = env.run(["check", "runbooks", "--rules", "rules.yml", "--online", "-o", "json"]);
        let json = run.json();
        let all = json["data"]["findings"].as_array().unwrap().iter();
        all.filter(|one| one["id"] == "R05").map(|one| one["why"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("/there"), [""; 0]);
    assert!(found("/gone")[0].contains("404"), "{:?}", found("/gone"));
}
