//! The rules.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::check::backups::restore::Restore;
use crate::check::backups::trend::{self, Size};
use crate::check::backups::{Backup, Demand, Inventory, Kind};
use crate::check::finding::{Finding, Findings, Level};
use crate::text::count::count;
use crate::text::duration::human;

/// How far clocks may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Judges one item by what its source knows, and by the restores that were recorded.
pub fn judge(demand: &Demand, inventory: &Inventory, restores: &[Restore], now: DateTime<Utc>, found: &mut Findings) {
    let mut case = Case { demand, now, found };
    let good = inventory.good();
    case.age(inventory, &good);
    case.last_run(inventory, &good);
    case.sizes(&good);
    case.wholeness(inventory);
    case.archive(inventory, &good);
    case.restores(inventory, restores);
    case.copies(inventory);
    case.retention(&good);
    case.encryption(inventory);
    for fault in &inventory.faults {
        case.fail("B12", Level::High, fault.clone(), "run the tool's own check, and mend what it names");
    }
}

struct Case<'a> {
    demand: &'a Demand,
    now: DateTime<Utc>,
    found: &'a mut Findings,
}

fn span(delta: TimeDelta) -> String {
    human(delta.to_std().unwrap_or_default())
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

impl Case<'_> {
    fn fail(&mut self, id: &'static str, level: Level, why: String, fix: &str) {
        self.found.add(Finding::new(id, level, &self.demand.name, why).fix(fix));
    }

    fn unknown(&mut self, id: &'static str, why: impl Into<String>) {
        self.found.unknown(id, &self.demand.name, why);
    }

    fn delta(duration: Duration) -> TimeDelta {
        TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
    }

    fn age(&mut self, inventory: &Inventory, good: &[&Backup]) {
        let Some(newest) = good.first() else {
            let (why, fix) = match inventory.backups.len() {
                0 => ("there is no backup, and there never was one as far as its source knows".to_owned(), "make one"),
                n => (format!("none of {} can be used", count(n, "backup")), "see what is wrong with them: B05, B12"),
            };
            return self.fail("B01", Level::Blocker, why, fix);
        };
        if newest.finished > self.now + SKEW {
            let ahead = span(newest.finished - self.now);
            return self.unknown(
                "B01",
                format!("backup {} is {ahead} in the future: clocks differ, so ages are not known", newest.id),
            );
        }
        let age = self.now - newest.finished;
        if age > Self::delta(self.demand.rpo) + SKEW {
            let why = format!(
                "the newest good backup is {} old ({}, {}); the RPO is {}",
                span(age),
                newest.id,
                day(newest.finished),
                human(self.demand.rpo)
            );
            self.fail("B01", Level::High, why, "see why the last run made none, and make one now");
        }
    }

    fn last_run(&mut self, inventory: &Inventory, good: &[&Backup]) {
        let Some(run) = &inventory.last_run else { return };
        if let Some(failed) = &run.failed {
            let last = good.first().map_or_else(
                || "there is no good one".to_owned(),
                |newest| format!("the last good one is {} of {}", newest.id, day(newest.finished)),
            );
            let why = format!("the last run ({}) failed: {failed}; {last}", day(run.at));
            self.fail("B02", Level::High, why, "mend the run; the old backup does not become younger");
        }
    }

    fn sizes(&mut self, good: &[&Backup]) {
        let Some(newest) = good.first() else { return };
        if good.iter().all(|backup| backup.bytes.is_none()) {
            return self.unknown("B03", "its source says no sizes");
        }
        let alike: Vec<&Backup> = good.iter().filter(|backup| backup.kind == newest.kind).copied().collect();
        let bytes = newest.bytes.unwrap_or_default();
        if bytes == 0 && newest.bytes.is_some() && newest.kind == Kind::Full && !self.demand.steady {
            let why = format!("the newest backup ({}) is empty", newest.id);
            return self.fail("B05", Level::High, why, "see what the run wrote, and why it said that it had succeeded");
        }
        if let Some(least) = self.demand.least_bytes
            && newest.bytes.is_some_and(|bytes| bytes < least)
        {
            let why = format!(
                "the newest backup ({}) has {}, less than the {} that are asked for",
                newest.id,
                size(bytes),
                size(least)
            );
            self.fail("B05", Level::High, why, "see what it leaves out");
        }
        if self.demand.steady {
            return;
        }
        match trend::size(&alike) {
            Size::Collapsed { median } => {
                let why = format!(
                    "the newest backup ({}) has {}, less than half of the usual {}",
                    newest.id,
                    size(bytes),
                    size(median)
                );
                self.fail("B03", Level::High, why, "see which data it leaves out before the older ones are deleted");
            }
            Size::Odd { median } => {
                let why = format!(
                    "the newest backup ({}) has {}; the usual size is {}",
                    newest.id,
                    size(bytes),
                    size(median)
                );
                self.fail("B03", Level::Medium, why, "see what has changed in the data or in the run");
            }
            Size::Usual | Size::Few => {}
        }
        if let Some((times, bytes)) = trend::same(&alike) {
            let why = format!(
                "the newest {} have exactly {} each: data that lives moves",
                count(times, "backup"),
                size(bytes)
            );
            let fix = "restore one and count rows; if it is right so, set `steady: true`";
            self.fail("B04", Level::Medium, why, fix);
        }
    }

    fn wholeness(&mut self, inventory: &Inventory) {
        let mut newest: Vec<&Backup> = inventory.backups.iter().collect();
        newest.sort_by_key(|backup| std::cmp::Reverse(backup.finished));
        // What is older than the last good one is history.
        let bad = newest.iter().take_while(|backup| backup.broken.is_some());
        let bad: Vec<String> =
            bad.filter_map(|backup| Some(format!("{}: {}", backup.id, backup.broken.as_ref()?))).take(3).collect();
        if !bad.is_empty() {
            self.fail("B05", Level::High, bad.join("; "), "remove it, mend the run, and make another");
        }
    }

    fn archive(&mut self, inventory: &Inventory, good: &[&Backup]) {
        if !self.demand.archived {
            return;
        }
        let Some(archive) = &inventory.archive else {
            return self.unknown("B06", "its source says nothing of an archive");
        };
        for gap in &archive.gaps {
            self.fail("B06", Level::High, gap.clone(), "make a full backup now: recovery cannot pass the gap");
        }
        match archive.newest {
            Some(at) if self.now - at > Self::delta(self.demand.rpo) + SKEW => {
                let why = format!(
                    "the newest archived change is {} old; the RPO is {}",
                    span(self.now - at),
                    human(self.demand.rpo)
                );
                self.fail(
                    "B06",
                    Level::High,
                    why,
                    "see the archiver's own log: `archive_command`, its disk, its credentials",
                );
            }
            Some(at) if at > self.now + SKEW => {
                self.unknown("B06", "the newest archived change is in the future: clocks differ");
            }
            Some(_) => {}
            None if archive.gaps.is_empty() && !good.is_empty() => {
                self.unknown("B06", "when the newest change was archived is not known");
            }
            None => {}
        }
    }

    fn restores(&mut self, inventory: &Inventory, restores: &[Restore]) {
        let mine = || restores.iter().filter(|restore| restore.name == self.demand.name);
        let record = format!(
            "restore one, then `liveops check backups record {} --restored ID --duration 38m --rows-ok`",
            self.demand.name
        );
        let passed = mine().filter(|restore| restore.rows_ok == Some(true)).max_by_key(|restore| restore.at).cloned();
        let last = mine().max_by_key(|restore| restore.at).cloned();
        if let Some(every) = self.demand.restore_every {
            match (&passed, &last) {
                (None, None) => self.fail("B07", Level::High, "no restore was ever recorded".into(), &record),
                (_, Some(last)) if last.rows_ok == Some(false) => {
                    let why = format!("the last restore ({}, backup {}) gave wrong content", day(last.at), last.backup);
                    self.fail("B07", Level::High, why, "find out why before it is needed");
                }
                (None, Some(last)) => {
                    let why = format!(
                        "the last restore ({}, backup {}) was not compared with the data",
                        day(last.at),
                        last.backup
                    );
                    self.fail("B07", Level::Medium, why, &record);
                }
                (Some(passed), _) => {
                    let age = self.now - passed.at;
                    if age > Self::delta(every) {
                        let why = format!(
                            "the last restore test is {} old (backup {}); one is due every {}",
                            span(age),
                            passed.backup,
                            human(every)
                        );
                        self.fail("B07", Level::High, why, &record);
                    }
                }
            }
        }
        let Some(rto) = self.demand.rto else { return };
        let measured = mine().filter(|restore| restore.seconds.is_some()).max_by_key(|restore| restore.at).cloned();
        match measured.and_then(|restore| Some((restore.took()?, restore))) {
            None => self.unknown("B08", "no restore was measured, so nobody knows how long it takes"),
            Some((took, restore)) if took > rto => {
                let why = format!(
                    "restoring {} took {} ({}); the RTO is {}",
                    restore.backup,
                    human(took),
                    day(restore.at),
                    human(rto)
                );
                self.fail(
                    "B08",
                    Level::High,
                    why,
                    "restore faster (parallel, standby, smaller parts), or agree on another RTO",
                );
            }
            Some((took, restore)) => {
                // A database that has doubled since takes longer than it took.
                let size_of =
                    |id: &str| inventory.backups.iter().find(|backup| backup.id == id).and_then(|backup| backup.bytes);
                let newest = inventory.good().first().and_then(|backup| backup.bytes);
                if let (Some(then), Some(today)) = (size_of(&restore.backup).filter(|size| *size > 0), newest) {
                    let expected = took.mul_f64(today as f64 / then as f64);
                    if expected > rto {
                        let why = format!(
                            "the data has grown since the restore of {}: it would take {}, the RTO is {}",
                            restore.backup,
                            human(expected),
                            human(rto)
                        );
                        self.fail("B08", Level::Medium, why, &record);
                    }
                }
            }
        }
    }

    fn copies(&mut self, inventory: &Inventory) {
        let places = &self.demand.places;
        if places.is_empty() {
            return self.unknown("B09", "`copies` of liveops.yaml names no place of a copy");
        }
        let mut wrong = Vec::new();
        if places.len() < 2 {
            wrong.push("there is one copy");
        }
        if !places.iter().any(|place| place.off_site) {
            wrong.push("none is off-site");
        }
        if !places.iter().any(|place| place.immutable) {
            wrong.push("none is immutable");
        } else if inventory.immutable == Some(false) {
            wrong.push("one is said to be immutable, and its store has no object lock");
        }
        if !wrong.is_empty() {
            let fix = "keep two copies, one in another place, one that nobody can delete";
            self.fail("B09", Level::Medium, wrong.join(", "), fix);
        }
    }

    fn retention(&mut self, good: &[&Backup]) {
        if let Some(keep) = self.demand.keep.filter(|keep| good.len() < *keep) {
            let why = format!("{} can be used; {keep} are to be kept", count(good.len(), "backup"));
            self.fail("B10", Level::Medium, why, "see what deletes them, or since when they are made");
        }
        let reached = good.last().map(|oldest| self.now - oldest.finished);
        if let (Some(reach), Some(reached)) = (self.demand.reach, reached)
            && reached + Self::delta(self.demand.rpo) < Self::delta(reach)
        {
            let why =
                format!("the oldest good backup is {} old; they are to reach back {}", span(reached), human(reach));
            self.fail("B10", Level::Medium, why, "keep them longer; new ones only get there with time");
        }
        if let (Some(every), Some(reached)) = (self.demand.look_every, reached)
            // A set that has not grown yet says nothing of how long it is kept.
            && self.demand.keep.is_some_and(|keep| good.len() >= keep)
            && reached < Self::delta(every)
        {
            let why = format!(
                "good backups reach back {}, and they are looked at every {}: a fault is seen after the last good one is gone",
                span(reached),
                human(every)
            );
            self.fail("B10", Level::High, why, "look more often than the retention is long");
        }
    }

    fn encryption(&mut self, inventory: &Inventory) {
        match (self.demand.encrypted, inventory.encrypted) {
            (_, Some(true)) | (Some(true), None) => {}
            (Some(true), Some(false)) => {
                let why = "it is said to be encrypted, and its tool says that it is not".to_owned();
                self.fail("B11", Level::High, why, "set the tool's cipher, or correct `encrypted`");
            }
            (Some(false), _) | (None, Some(false)) => {
                let why = "it is not encrypted".to_owned();
                self.fail("B11", Level::Medium, why, "encrypt it, with a key that is kept elsewhere");
            }
            (None, None) => self.unknown("B11", "`encrypted` of liveops.yaml is not set"),
        }
    }
}
