//! What the documents of `liveops new` say: what is known, and nothing that is not.

use super::new::{CONFIG, KINDS, path, written};

#[test]
fn documents_say_what_is_and_nothing_that_is_not() {
    let env = written();
    let has = |kind: &str, text: &str| assert!(env.read(path(kind)).contains(text), "{kind}: {text}");
    has("monitoring-plan", "| traffic | requests a minute | `sum(rate(http_requests_total[5m])) * 60` | > 5000 | < 10 |");
    has("monitoring-plan", "| availability | scrapes of game | `up{job=\"game\"}` |");
    has("monitoring-plan", "| GameServerDown | game | scrapes of game: absent, or == 0 |");
    has("monitoring-plan", "5xx above 5 % for 3 minutes");
    has("infrastructure", "| flags | `file:flags.json` |");
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
    has("backup-strategy", "| players | game | files in b | 6h | 1h | no |");
    has("backup-strategy", "far (off-site)");
    has("deployment-plan", "1. In `staging` first, then a smoke test there: `liveops health -e staging`.");
    has("deployment-plan", "| 2026-12-24 00:00 | 2026-12-27 00:00 | all | holidays |");
    has("maintenance-plan", "holidays");
}
