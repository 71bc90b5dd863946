#!/usr/bin/env python3
"""The offline expectations of pint's own tests, on the checks that both have.

usage: bench/pint.py FOLDER        cmd/pint/tests of a clone of cloudflare/pint; nothing of it is kept here

Each test is a text archive: rules, and what pint says of them. Rules without groups are given one. For each problem of a
shared check, liveops must find the same at the same rule.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LIVEOPS = str(pathlib.Path(os.environ.get("LIVEOPS", "target/release/liveops")).resolve())
SHARED = {
    "promql/syntax": ("A01",), "yaml/parse": ("A01",), "alerts/comparison": ("A02",), "alerts/template": ("A01", "A11"),
    "rule/duplicate": ("A15",), "promql/nan": ("A07",), "promql/impossible": ("A03",),
}
# Found, and said otherwise on purpose.
OTHERWISE = {
    ("0007_alerts.txt", "Always"): "an alert of this name is taken for a dead man's switch",
    ("0108_rule_duplicate.txt", "colo:duplicate"): "what two files share is said once, of the second file",
    ("0108_rule_duplicate.txt", "colo:labels:equal"): "what two files share is said once, of the second file",
    ("0175_strict_multi_doc.txt", "13"): "said at the second document, which is the first that nobody reads",
}
PROBLEM = re.compile(
    r"^(?:Fatal|Bug|Warning): .* \(([a-z]+/[a-z_]+)\)\n\s*---> ([^:\n]+):(\d+)(?:-\d+)?(?: -> `([^`]*)`)?", re.M)


def grouped(text):
    is_list = re.search(r"^\s*- ", text, re.M) and not re.search(r"^\s*(groups|kind|apiVersion):", text, re.M)
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  {line}\n" for line in text.split("\n")) if is_list else text


def main(folder):
    met, all_of, missed, otherwise = collections.Counter(), collections.Counter(), [], []
    for test in sorted(pathlib.Path(folder).glob("*.txt")):
        head, *parts = re.split(r"^-- (.+?) --\n", test.read_text(), flags=re.M)
        files = dict(zip(parts[::2], parts[1::2]))
        said = "".join(text for name, text in files.items() if "std" in name)
        wanted = [problem for problem in PROBLEM.findall(said) if problem[0] in SHARED]
        if " lint" not in head or not wanted:
            continue
        with tempfile.TemporaryDirectory() as place:
            offset = {}
            for name, text in files.items():
                if name.endswith((".yml", ".yaml")):
                    path = pathlib.Path(place, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(grouped(text))
                    offset[name] = 3 if grouped(text) != text else 0
            ran = subprocess.run([LIVEOPS, "check", "alerts", ".", "-o", "json"], cwd=place, capture_output=True, text=True)
            data = json.loads(ran.stdout or "{}").get("data", {})
            # What the test makes by itself, such as a link to nothing, is not in its archive.
            for check, name, line, subject in (one for one in wanted if one[1] in files):
                def same(one):
                    near = abs((one["line"] or 0) - int(line) - offset.get(name, 0)) <= 3
                    return one["id"] in SHARED[check] and (one["subject"] == subject or (one["file"] == name and near))
                all_of[check] += 1
                # What is unknown is no pass: a template that was not rendered.
                unknown = any(one["id"] in SHARED[check] for one in data.get("unknown", []))
                if unknown or any(same(one) for one in data.get("findings", [])):
                    met[check] += 1
                elif (test.name, subject or line) in OTHERWISE:
                    otherwise.append((test.name, check, OTHERWISE[test.name, subject or line]))
                else:
                    missed.append((test.name, check, subject or line))
    for check, count in sorted(all_of.items()):
        print(f"{check:20} {met[check]:3} of {count}")
    total, same = sum(all_of.values()), sum(met.values())
    print(f"{same} of {total}: {100 * same / total:.1f} %")
    for one in missed:
        print("  not found:", *one)
    for one in otherwise:
        print("  otherwise on purpose:", *one)
    return not missed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(0 if main(sys.argv[1]) else 1)
