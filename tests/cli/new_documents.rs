//! What the documents of `liveops new` say: what is known, and nothing that is not.

use super::new::{CONFIG, KINDS, env, path, written};

#[test]
fn documents_say_what_is_and_nothing_that_is_not() {
    let env = written();
    let has = |kind: &str, text: &str| assert!(env.read(path(kind)).contains(text), "{kind}: {text}");
    has(
        "monitoring-plan",
        "| traffic | requests a minute | `sum(rate(http_requests_total[5m])) * 60` | > 5000 | < 10 |",
    );
    has("monitoring-plan", "| availability | scrapes of game | `up{job=\"game\"}` |");
    has("monitoring-plan", "| GameServerDown | game | scrapes of game: absent, or == 0 |");
    has("monitoring-plan", "5xx above 5 % for 3 minutes");
    has("infrastructure", "| flags | `file:flags.json` |");
    has("incident-response", "| pager | room | `incidents.severities.p1` |");
    has(
        "incident-response",
        "| P2 (high) | degraded, many users | 15m | 30m | 2d | pager | room | `default of liveops` |",
    );
    // There is one environment: nothing is tried in another one first.
    has("deployment-plan", "Where is a new version tried before players get it?");
    has("operations-review", "of 100: ");
    has("operations-review", "- **Impact:** ");
    has("capacity-plan", "| cpu above 70 % | `cpu` |");
    has("capacity-plan", "A month that is going to end above 0.9 of its budget is a P2.");
    has("capacity-plan", "[30d:1h]) * 43.2`");
    for kind in KINDS {
        let text = env.read(path(kind));
        for never in ["looked in: `cost`", "looked in: `capacity`", "looked in: `maintenance`", "looked in: nowhere"] {
            assert!(!text.contains(never), "{kind}: {never}");
        }
    }
    let more = "backups: [ { name: players, service: game, source: { kind: folder, path: b }, rpo: 6h, rto: 1h, encrypted: true, copies: [ { place: far, off_site: true } ] } ]\nfreezes: [ { reason: holidays, from: 2026-12-24, to: 2026-12-26 } ]\n";
    let two = CONFIG.replace("  staging:\n", "  prod: { protected: true }\n  staging:\n");
    env.write("liveops.yaml", format!("default_env: prod\n{two}{more}"));
    for kind in ["backup-strategy", "deployment-plan", "maintenance-plan"] {
        env.run(["new", kind, "--force"]).expect_code(0);
    }
    has("backup-strategy", "| players | game | files in b | 6h | 1h | no | not set | not set | far (off-site) | yes |");
    has("deployment-plan", "1. In `staging` first, then a smoke test there: `liveops health -e staging`.");
    has("deployment-plan", "| 2026-12-24 00:00 | 2026-12-27 00:00 | all | holidays |");
    has("maintenance-plan", "holidays");
}

#[test]
fn the_list_says_what_exists_what_is_stale_and_how_many_questions_are_open() {
    let env = env();
    for kind in ["hotfix", "monitoring-plan", "infrastructure"] {
        env.run(["new", kind]).expect_code(0);
    }
    let list = |kind: &str| {
        let json = env.run(["new", "--list", "-o", "json"]).expect_code(0).json();
        let all = json["data"]["documents"].as_array().expect("documents").clone();
        let one = all.into_iter().find(|one| one["kind"] == kind).expect("the kind");
        (one["state"].as_str().expect("a state").to_owned(), one["questions"].as_u64().expect("a number"))
    };
    let file = path("infrastructure");
    let open = u64::try_from(env.read(&file).matches("TODO(").count()).unwrap();
    assert_eq!(list("infrastructure"), ("up_to_date".into(), open));
    assert_eq!(list("capacity-plan").0, "missing");
    // An answered question is none any more, and stays answered.
    let text = env.read(&file);
    let question = text.lines().find(|line| line.contains("TODO(")).expect("a question").to_owned();
    env.write(&file, text.replace(&question, "Two load balancers, in eu and us."));
    assert_eq!(list("infrastructure"), ("up_to_date".into(), open - 1));
    // Somebody edits a block; then the configuration changes.
    env.write(path("hotfix"), env.read(path("hotfix")).replace("within a day", "within a week"));
    assert_eq!(list("hotfix").0, "edited");
    env.write("liveops.yaml", CONFIG.replace("project: starfall", "project: starfell"));
    assert_eq!(list("infrastructure"), ("stale".into(), open - 1));
    assert_eq!(list("hotfix").0, "edited");
    let screen = env.run(["new", "--list"]).expect_code(0).stdout;
    for said in ["0 up to date", "2 stale", "1 edited", "not written", "STALE", "EDITED"] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    env.run(["new", "infrastructure"]).expect_code(0);
    assert_eq!(list("infrastructure"), ("up_to_date".into(), open - 1));
    assert!(env.read(&file).contains("Two load balancers, in eu and us."));
}

#[test]
fn steps_of_a_page_regions_and_exclusions_are_in_the_documents() {
    let env = env();
    let config = CONFIG
        .replace("page: [pager], tell: [room] }", "page: [pager, [room, pager]], tell: [room] }")
        .replace("    alertmanager:", "    regions: { eu: { kubernetes: { context: far } } }\n    alertmanager:")
        .replace("window: 30d,", "window: 30d, timeslices: { slice: 1m, target: 95% }, exclusions: [ { owner: ada, reason: a move, from: \"2026-11-28T22:00:00Z\", to: \"2026-11-29T02:00:00Z\" } ], runbook: docs/own.md,");
    env.write("liveops.yaml", config);
    let written = |kind: &str| {
        env.run(["new", kind]).expect_code(0);
        env.read(path(kind))
    };
    let plan = written("incident-response");
    assert!(plan.contains("| pager, then room and pager | room |"), "{plan}");
    // Whoever is called second is known, and not asked for.
    assert!(!plan.contains("Who is called when nobody acknowledges"), "{plan}");
    let infrastructure = written("infrastructure");
    assert!(
        infrastructure.contains("| kubernetes of eu | `context far` | `environments.staging.regions.eu.kubernetes` |")
    );
    assert!(!infrastructure.contains("prometheus of eu"), "{infrastructure}");
    let slo = written("slo-document");
    assert!(slo.contains("| 0.1 % of the slices of 1m with traffic: one below 95 % is bad | 43m 12s |"), "{slo}");
    assert!(
        slo.contains("| api | 2026-11-28 22:00 | 2026-11-29 02:00 | a move | ada | `slos.api.exclusions` |"),
        "{slo}"
    );
    assert!(slo.contains("| 14.4 | 2.0 % | `docs/own.md` |"), "{slo}");
    assert!(written("capacity-plan").contains("`liveops scale game --replicas N`"));
}
