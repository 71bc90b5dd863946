#!/usr/bin/env python3
"""Dashboards of `liveops new grafana` against Grafana's own JSON schemas, of every version that liveops writes for.

    git clone https://github.com/grafana/grafana-foundation-sdk SDK
    bench/dashboards.py SDK [LIVEOPS]

Needs the Python package `jsonschema`. Not in CI: the schemas are 12 branches of a large repository.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import jsonschema

warnings.simplefilter("ignore")
HERE = Path(__file__).resolve().parent.parent
OLD, NEW = "11.0", "12"
BRANCHES = [("v10.4.x+cog-v0.0.x", OLD), ("v11.0.x+cog-v0.0.x", OLD)]
BRANCHES += [(f"v11.{n}.x+cog-v0.0.x", NEW) for n in range(1, 7)] + [("main", NEW)]
DASHBOARDS = ["game", "backend", "business", "performance", "resources"]
REMOVED = {"graph", "singlestat", "table-old"}


def schema(sdk, branch, name):
    path = f"{branch}:jsonschema/{name}.jsonschema.json"
    shown = subprocess.run(["git", "-C", sdk, "show", path], capture_output=True, check=True, text=True)
    return json.loads(shown.stdout)


def part(whole, name):
    return {"$schema": whole["$schema"], "$ref": f"#/definitions/{name}", "definitions": whole["definitions"]}


def errors(whole, value):
    kind = jsonschema.validators.validator_for(whole)
    for error in kind(whole).iter_errors(value):
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:160]}"


def check(sdk, branch, board):
    found = list(errors(schema(sdk, branch, "dashboard"), board))
    for panel in board["panels"]:
        if panel["type"] in REMOVED:
            found.append(f"{panel['title']}: {panel['type']} is removed")
        if panel["type"] == "row":
            continue
        own = schema(sdk, branch, panel["type"])
        for name, value in [("Options", panel["options"]), ("FieldConfig", panel["fieldConfig"]["defaults"].get("custom"))]:
            if name in own["definitions"] and value is not None:
                found += [f"{panel['title']} {name} {one}" for one in errors(part(own, name), value)]
        queries = schema(sdk, branch, "prometheus")
        names = [name for name in queries["definitions"] if name.lower().endswith("dataquery")]
        for target in panel["targets"]:
            for name in names[:1]:
                found += [f"{panel['title']} target {one}" for one in errors(part(queries, name), target)]
    return found


def main():
    sdk = sys.argv[1]
    liveops = sys.argv[2] if len(sys.argv) > 2 else str(HERE / "target/release/liveops")
    config = (HERE / "templates/demo/liveops.yaml").read_text().replace("{{ url }}", "http://127.0.0.1:5050")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "liveops.yaml").write_text(config)
        for branch, version in BRANCHES:
            count, panels = 0, 0
            for name in DASHBOARDS:
                out = f"{name}-{version}.json"
                command = [liveops, "new", "grafana", "--dashboard", name, "--grafana", version, "--out", out]
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                board = json.loads(Path(folder, out).read_text())
                panels += len(board["panels"])
                for error in check(sdk, branch, board):
                    count += 1
                    print(f"  {branch} {name}: {error}")
            print(f"{branch:24} {len(DASHBOARDS)} dashboards, {panels} panels: {count} errors")
            bad += count
    sys.exit(1 if bad else 0)


main()
