"""Incidents: a journal of a hundred thousand events, as fast to look at as to live with."""

import datetime
import hashlib
import json
import random
import shutil

from harness import LIVEOPS, Row, Run, compared, interleave, ms

EVENTS = 100_000
LIMIT_MS = 100


def event(n, pick):
    """Kind and data of the n-th event of a long incident."""
    if n == 1:
        return "incident.opened", {"severity": "p2", "title": "queue", "environment": "prod"}
    if n == 2:
        return "incident.acked", {}
    if n % 50 == 0:
        return "incident.evidence", {"name": "status", "file": f"evidence/status-{n}.json", "text": "critical: tick_p99"}
    if n % 7 == 0:
        told = {"message": f"m{n % 50}-slack", "channel": "slack", "about": "note", "state": "accepted"}
        return "incident.notification", {**told, "page": False, "attempt": 1, "text": "told slack"}
    return "incident.note", {"text": f"players in eu report long queues, looking at shard {pick.randrange(100)}"}


def write_journal(folder, count):
    """An incident of so many events, sealed as liveops seals them."""
    pick, link = random.Random(1), "0" * 64
    at = datetime.datetime(2026, 11, 24, 3)
    folder.mkdir(parents=True)
    with (folder / "journal.jsonl").open("w") as file:
        for n in range(1, count + 1):
            at += datetime.timedelta(milliseconds=700)
            kind, data = event(n, pick)
            ident = f"{int(at.replace(tzinfo=datetime.UTC).timestamp() * 1000):011x}-{pick.getrandbits(32):08x}"
            written = {"seq": n, "id": ident, "at": at.isoformat(timespec="milliseconds") + "Z", "by": "ada", "type": kind, "data": data}
            body = json.dumps(written, separators=(",", ":"))
            link = hashlib.sha256(f"{link}\n{body}".encode()).hexdigest()
            file.write(f'{body[:-1]},"hash":"{link}"}}\n')
    head = json.dumps({"seq": count, "hash": link}, separators=(",", ":"))
    (folder / "journal.jsonl.head").write_text(head)


def project(root, env, count):
    """A project with one such incident, and its environment."""
    root.mkdir(parents=True)
    (root / "liveops.yaml").write_text("version: 1\nenvironments: { prod: {} }\n")
    write_journal(root / "incidents/2026-11-24-p2-queue", count)
    return {**env, "LIVEOPS_CONFIG": str(root / "liveops.yaml"), "XDG_CACHE_HOME": str(root / "cache"), "XDG_STATE_HOME": str(root / "state")}


def measure(env, folder, times):
    """incidents: a long journal"""
    long, short = project(folder / "long", env, EVENTS), project(folder / "short", env, EVENTS // 10)
    # A deadline that is missed is exit code 1.
    again = Run([LIVEOPS, "incident", "show"], long, good=(0, 1))
    note = lambda env: Run([LIVEOPS, "incident", "note", "x"], env)
    notes = {name: note(env) for name, env in [("long", long), ("short", short)]}
    fresh = Run([LIVEOPS, "incident", "show"], long, good=(0, 1), before=lambda: note(long).once())
    tenth = Run([LIVEOPS, "incident", "show"], short, good=(0, 1), before=lambda: note(short).once())
    # As after a `git pull` that brought events: nothing is known, and everything is verified and replayed.
    forget = lambda: shutil.rmtree(long["XDG_CACHE_HOME"], ignore_errors=True)
    unknown = Run([LIVEOPS, "incident", "show"], long, good=(0, 1), before=forget)
    interleave([again], times)
    interleave([unknown], times)
    interleave([fresh, tenth], times)
    interleave([notes["long"], notes["short"]], times)
    what = f"`incident show`, {EVENTS:,} events"
    limit = lambda name, run: Row(name, ms(run.median), "–", "–", "–", f"≤ {LIMIT_MS} ms", run.median <= LIMIT_MS, f"{run.work}; the middle half took {run.spread}")
    return [
        limit(f"{what}, as at the last look", again),
        limit(f"{what}, a new one of ours since", fresh),
        limit(f"{what}, all of them new here", unknown),
        compared(f"{what}, a new one of ours since", fresh.median, "a tenth of them", tenth.median, 12, "linear"),
        limit(f"`incident note` into {EVENTS:,} events", notes["long"]),
        compared(f"`incident note` into {EVENTS:,} events", notes["long"].median, "into a tenth of them", notes["short"].median, 12, "linear"),
    ]
