#!/usr/bin/env python3
"""Imports random flagd definitions and asks flagd's own engine and the services' reader about random contexts.

  bench/flagd.py [--seed N] [--flags N] [--contexts N]

Needs node and npm. LIVEOPS names the binary. Where flagd leaves the answer to the caller there is nothing to compare; a
difference that the import has said (`--lossy`) is counted apart. Ends with 1 when one was not said.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
PEERS = ROOT / "target/bench/peers"
LIVEOPS = os.environ.get("LIVEOPS", str(ROOT / "target/dist/liveops"))

NAMES = ["a", "b", "plan", "tags", "missing_one"]
# What is no attribute, and must be refused.
ODD = ["u.x", "", "constructor", "toString", "__proto__", "$flagd.flagKey", "$flagd.timestamp", "a\\.b"]
VALUES = ["eu", "12", "12.0", "", " ", "x1", "vip", "gold", "1.4.0", "1.4", "v2.0.0", "true", "false", "null", "0", "0x1f", "1e3", "日本"]
VALUES += [12, 0, 1, 1.5, -3, 1e3, 12345678901234567890, True, False]
IDS = ["u1", "u2", "u3", "日本", "anonymous", "", "12"]


def world(pick):
    """One set of definitions' grammar, drawn from `pick`."""

    def variable():
        name = pick.choice(ODD) if pick.random() < 0.04 else pick.choice(NAMES)
        return pick.choice([{"var": name}] * 12 + [{"var": [name]}, {"var": [name, "eu"]}])

    def user():
        return pick.choice([{"var": "targetingKey"}, {"var": ["targetingKey"]}])

    def scalar():
        return pick.choice([*VALUES, None]) if pick.random() < 0.1 else pick.choice(VALUES)

    def condition(depth=0):
        kinds = ["eq", "eq", "in", "contains", "order", "part", "version", "user", "users"]
        kinds += [] if depth > 2 else ["and", "or", "not", "constant", "odd", "guarded", "between"]
        kind = pick.choice(kinds)
        if kind == "eq":
            sides = [variable(), scalar()]
            pick.shuffle(sides)
            return {pick.choice(["==", "!=", "===", "!=="]): sides}
        if kind == "in":
            return {"in": [variable(), pick.choice([[scalar() for _ in range(pick.randrange(4))], "eu,us"])]}
        if kind == "contains":
            return {"in": [pick.choice(["vip", "e", "1", 12, True, ""]), variable()]}
        if kind == "order":
            sides = [variable(), pick.choice([12, 0, 1.5, -3, "12", True])]
            if pick.random() < 0.15:
                sides.reverse()
            return {pick.choice(["<", ">=", ">", "<="]): sides}
        if kind == "part":
            return {pick.choice(["starts_with", "ends_with"]): [variable(), pick.choice(["e", "x", "1", "", 1])]}
        if kind == "version":
            return {"sem_ver": [variable(), pick.choice(["<", ">=", "=", "^", ">", "~"]), pick.choice(["1.4.0", "2.0.0", "1.4", "v1.4.0"])]}
        if kind == "user":
            return {pick.choice(["==", "==="]): [user(), pick.choice(IDS)]}
        if kind == "users":
            return {"in": [user(), [pick.choice(IDS) for _ in range(pick.randrange(3))]]}
        if kind in ("and", "or"):
            return {kind: [condition(depth + 1) for _ in range(pick.randrange(4))]}
        if kind == "not":
            inner = condition(depth + 1)
            return {"!": [inner] if pick.random() < 0.7 else inner}
        if kind == "guarded":
            name = pick.choice(NAMES)
            return {"and": [{"!": [{"missing": [name]}]}, {pick.choice(["<", ">="]): [{"var": name}, 12]}]}
        if kind == "between":
            return {"<": [1, variable(), 20]}
        if kind == "constant":
            return pick.choice([True, False, None, 0, 1, "", "on", []])
        return pick.choice([{"!!": [variable()]}, {"missing": ["a"]}, {"cat": [variable(), "x"]}, {"if": [True, True, False]}, {"$ref": "x"}, {"var": "a"}])

    def share():
        parts = [["on", pick.choice([0, 1, 10, 50, 100])], ["off", pick.choice([0, 1, 50, 90, 100])]]
        pick.shuffle(parts)
        if pick.random() < 0.2:
            parts = parts[:1]
        if pick.random() < 0.1:
            parts = [[part[0]] for part in parts]
        key = pick.choice([None] * 6 + [{"cat": ["s:", {"var": "targetingKey"}]}, {"cat": [{"var": "$flagd.flagKey"}, ":", {"var": "targetingKey"}]}, {"var": "plan"}, {"var": "targetingKey"}])
        return {"fractional": parts if key is None else [key, *parts]}

    def outcome():
        return pick.choice(["on", "off", "on", "off", None, True, False, "nowhere"] if pick.random() < 0.1 else ["on", "off", True, False, None])

    def targeting(depth=0):
        draw = pick.random()
        if draw < 0.06:
            return outcome()
        if draw < 0.16:
            return share()
        steps = []
        for _ in range(pick.randrange(1, 4)):
            test = {"==": [share(), "off"]} if pick.random() < 0.05 else condition()
            steps += [test, outcome()]
        draw = pick.random()
        if draw < 0.6:
            steps.append(outcome())
        elif draw < 0.8 and depth < 2:
            steps.append(targeting(depth + 1))
        return {"if": steps}

    def flag():
        made = {"state": "ENABLED", "variants": {"on": True, "off": False, "true": True, "false": False}}
        if pick.random() < 0.95:
            made["defaultVariant"] = pick.choice(["on", "off"])
        rule = targeting()
        if rule is not None:
            made["targeting"] = rule
        return made

    def context():
        made = {}
        if pick.random() < 0.9:
            made["targetingKey"] = pick.choice([*IDS, "zz", f"player-{pick.randrange(1000)}"])
        for name in ("a", "b", "plan"):
            if pick.random() < 0.75:
                made[name] = None if pick.random() < 0.03 else pick.choice(VALUES)
        if pick.random() < 0.6:
            made["tags"] = pick.choice([["vip"], ["e", "1"], [12], "vip", "everyone", [], ["eu", "vip"], [True]])
        if pick.random() < 0.5:
            made["u"] = {"x": pick.choice(VALUES)}
        return made

    return flag, context


def peers():
    """The folder with flagd's engine, which npm installs once."""
    PEERS.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "flagd_compare.mjs"):
        (PEERS / name).write_text((BENCH / "peers" / name).read_text())
    (PEERS / "feature-flags.mjs").write_text((ROOT / "contrib/readers/feature-flags.mjs").read_text())
    if not (PEERS / "node_modules/@openfeature/flagd-core").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=PEERS, check=True)
    return PEERS


def compare(folder, reader, env):
    """Imports the definitions for this reader, and compares."""
    home = folder / reader
    home.mkdir()
    (home / "liveops.yaml").write_text(f"version: 1\ndefault_env: dev\nenvironments:\n  dev: {{ flags: {{ url: 'file:flags.json', reader: {reader} }} }}\n")
    line = [LIVEOPS, "flag", "import", "--format", "flagd", str(folder / "flagd.json"), "--apply", "--yes", "--lossy", "-o", "json"]
    run = subprocess.run(line, cwd=home, env={**env, "HOME": str(home)}, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"the import failed ({run.returncode}): {run.stderr[-2000:]}")
    said = {flag["flag"]: flag["warnings"] for flag in json.loads(run.stdout)["data"]["result"]["flags"]}
    (home / "said.json").write_text(json.dumps(said))
    script = ["node", str(PEERS / "flagd_compare.mjs"), str(folder / "flagd.json"), str(home / "flags.json"), str(folder / "contexts.json"), reader, str(home / "said.json")]
    run = subprocess.run(script, cwd=PEERS, env=env, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments.add_argument("--flags", type=int, default=1200)
    arguments.add_argument("--contexts", type=int, default=150)
    given = arguments.parse_args()
    pick = random.Random(given.seed)
    flag, context = world(pick)
    env = {"PATH": os.environ["PATH"]}
    peers()
    silent = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "flagd.json").write_text(json.dumps({"flags": {f"f{n}": flag() for n in range(given.flags)}}))
        (folder / "contexts.json").write_text(json.dumps([context() for _ in range(given.contexts)]))
        for reader in ("legacy-v1", "v2"):
            found = compare(folder, reader, env)
            silent += found["silent"]
            print(f"seed {given.seed}, reader {reader}: {found['flags']} of {given.flags} flags taken, {found['pairs']} pairs compared, "
                  f"{found['said']} differ as was said, {found['silent']} in silence")
            for example in found["examples"]:
                print("  ", json.dumps(example, ensure_ascii=False))
    sys.exit(1 if silent else 0)


if __name__ == "__main__":
    main()
