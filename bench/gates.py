#!/usr/bin/env python3
"""Gates of alerts on public collections of rules: agreement with promtool, time, and what is found.

usage: bench/gates.py FOLDER…      folders with rule files, such as clones of awesome-prometheus-alerts (dist/rules),
                                   monitoring-mixins' website (assets) and kube-prometheus (manifests)

Nothing is fetched. Plain rule files are put to `promtool check rules` one by one for agreement, and all at once for time.
"""

import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

LIVEOPS = os.environ.get("LIVEOPS", "target/release/liveops")
ROUNDS = 5


def run(*command):
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, time.monotonic() - began


def main(folders):
    files = [path for folder in folders for path in sorted(pathlib.Path(folder).rglob("*.y*ml"))]
    plain = [str(path) for path in files if path.read_text().lstrip("-# \n").find("groups:") in range(0, 4000)
             and "kind:" not in path.read_text()[:400]]
    wrong = []
    for path in plain:
        said = run("promtool", "check", "rules", path)[0]
        text = said.stdout + said.stderr
        theirs = "FAILED" in text and "lint error" not in text
        done, _ = run(LIVEOPS, "check", "alerts", path, "-o", "json", "--fail-on", "blocker")
        report = json.loads(done.stdout or "{}").get("data", {})
        ours = any(one["id"] == "A01" for one in report.get("findings", [])) \
            or any(one["id"] == "A01" for one in report.get("unknown", []))
        if ours != theirs:
            wrong.append(path)
    print(f"{len(files)} files, {len(plain)} plain ones: {len(wrong)} disagreements with promtool {wrong[:5]}")

    times = collections.defaultdict(list)
    for _ in range(ROUNDS):
        times["promtool check rules"].append(run("promtool", "check", "rules", *plain)[1])
        times["liveops check alerts"].append(run("env", "PATH=/nowhere", LIVEOPS, "check", "alerts", *plain, "-o", "json")[1])
        times["liveops check alerts, with proofs"].append(run(LIVEOPS, "check", "alerts", *plain, "-o", "json")[1])
    for name, all_of in times.items():
        print(f"{name:36} {statistics.median(all_of):7.3f} s")

    done, _ = run(LIVEOPS, "check", "alerts", *folders, "-o", "json", "--fail-on", "blocker")
    data = json.loads(done.stdout)["data"]
    print(f"checked: {data['checked']}; unknown: {len(data['unknown'])}")
    counts = collections.Counter((one["id"], one["level"]) for one in data["findings"])
    for (rule, level), count in sorted(counts.items()):
        print(f"  {rule} {level:8} {count:5}")
    prints = [one["fingerprint"] for one in data["findings"]]
    print(f"fingerprints: {len(prints)}, {len(set(prints))} different")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
