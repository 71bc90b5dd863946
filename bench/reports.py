"""Reports: ten thousand deployments with a hundred thousand commits, measured as DORA defines it."""

import datetime
import hashlib
import json
import subprocess

from harness import LIVEOPS, Row, Run, interleave, ms

DEPLOYMENTS = 10_000
COMMITS = 100_000
LIMIT_MS = 1_000
START = datetime.datetime(2026, 9, 1, tzinfo=datetime.timezone.utc)
# So long between two commits: all of them fit into the 90 days before NOW.
STEP = datetime.timedelta(days=89) / COMMITS
NOW = START + datetime.timedelta(days=90)


def write_commits(folder):
    """A line of commits, and their hashes in order."""
    folder.mkdir(parents=True)
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    lines = []
    for n in range(1, COMMITS + 1):
        at = int((START + STEP * n).timestamp())
        lines.append(f"commit refs/heads/main\nmark :{n}\ncommitter ada <ada@example.org> {at} +0000\ndata 13\nchange {n:06d}\n")
    marks = folder / "marks"
    subprocess.run([*git, "fast-import", "--quiet", f"--export-marks={marks}"], input="".join(lines).encode(), check=True)
    # As `git gc` leaves a repository.
    subprocess.run([*git, "commit-graph", "write", "--reachable", "--no-progress"], check=True)
    hashes = dict(line.split() for line in marks.read_text().splitlines())
    return [hashes[f":{n}"] for n in range(1, COMMITS + 1)]


def write_deployments(path, hashes):
    """The journal of `changes record`, sealed as liveops seals it."""
    path.parent.mkdir(parents=True)
    link, every = "0" * 64, COMMITS // DEPLOYMENTS
    with path.open("w") as file:
        for n in range(1, DEPLOYMENTS + 1):
            at = (START + STEP * (n * every) + datetime.timedelta(hours=3)).isoformat(timespec="seconds").replace("+00:00", "Z")
            entry = {"kind": "deploy", "environment": "prod", "service": "game", "version": f"1.{n}", "commit": hashes[n * every - 1], "note": None, "occurred_at": at}
            body = json.dumps({"seq": n, "at": at, "by": "ci", "type": "change.recorded", "data": entry}, separators=(",", ":"))
            link = hashlib.sha256(f"{link}\n{body}".encode()).hexdigest()
            file.write(f'{body[:-1]},"hash":"{link}"}}\n')
    (path.parent / f"{path.name}.head").write_text(json.dumps({"seq": DEPLOYMENTS, "hash": link}, separators=(",", ":")))


def measure(env, folder, times):
    """reports: DORA's metrics of a busy year"""
    root = folder / "busy"
    hashes = write_commits(root)
    (root / "liveops.yaml").write_text("version: 1\nenvironments: { prod: {} }\nservices: [{ name: game }]\n")
    write_deployments(root / "changes/deployments.jsonl", hashes)
    env = {**env, "LIVEOPS_CONFIG": str(root / "liveops.yaml"), "LIVEOPS_NOW": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "XDG_CACHE_HOME": str(root / "cache"), "XDG_STATE_HOME": str(root / "state")}
    dora = Run([LIVEOPS, "report", "dora", "--since", "90d", "-o", "json"], env)
    interleave([dora], times)
    told = json.loads(subprocess.run(dora.argv, env=env, capture_output=True, check=True).stdout)["data"]["services"][0]
    counted = (told["deployment_frequency"]["n"], told["lead_time"]["n"])
    # The first deployment has none before it to compare with.
    assert counted == (DEPLOYMENTS, COMMITS - COMMITS // DEPLOYMENTS), counted
    what = f"`report dora`, {DEPLOYMENTS:,} deployments with {COMMITS:,} commits"
    note = f"{dora.work}; the middle half took {dora.spread}"
    return [Row(what, ms(dora.median), "–", "–", "–", f"≤ {LIMIT_MS} ms", dora.median <= LIMIT_MS, note)]
