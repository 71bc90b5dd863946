"""The first build: a clean `cargo build --release` of a copy of the tree, which is what a clone makes."""

import datetime
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import BUILD, GUARDS, MIB, RESULTS, ROOT, processor, table

WALL, CPU, PACKAGES = 390, 750, 300  # the targets, on two quiet cores
SLOWEST = 15


def copy(folder):
    """What a clone has, as it is in the work tree now."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in files.split(b"\0") if name and (ROOT / os.fsdecode(name)).exists()]
    subprocess.run(["tar", "--create", "--null", "--files-from=-", "--file", folder / "tree.tar"], cwd=ROOT, input=b"\0".join(names), check=True)
    tree = folder / "tree"
    tree.mkdir()
    subprocess.run(["tar", "--extract", "--file", folder / "tree.tar"], cwd=tree, check=True)
    return tree


def units(tree):
    """What `cargo build --timings` says of each compilation: its name, seconds, and how many of them code generation took."""
    page = (tree / "target/cargo-timings/cargo-timing.html").read_text()
    found = re.search(r"UNIT_DATA = (\[.*?\]);\n", page, re.S)
    for unit in json.loads(found[1]):
        run = "run" in unit["mode"] or "(run)" in unit["target"]
        kind = ", build script runs" if run else ", build script" if "build script" in unit["target"] or "build-script" in unit["target"] else ""
        front = dict(unit.get("sections") or []).get("frontend", {}).get("end") or unit.get("rmeta_time") or unit["duration"]
        yield f"{unit['name']} {unit['version']}{kind}", unit["duration"], unit["duration"] - front


def section(wall, cpu, packages, size, compiled):
    """The part of RESULTS.md."""
    verdict = lambda value, target: [f"≤ {target}", "met" if value <= target else "missed"]
    rows = [
        ["what", "measured", "target", "result"],
        ["`cargo build --release`, all packages downloaded", f"{wall:.0f} s", *verdict(wall, WALL)],
        ["processor time of it (user + system)", f"{cpu:.0f} s", *verdict(cpu, CPU)],
        ["packages in Cargo.lock", str(packages), *verdict(packages, PACKAGES)],
        ["packages that are compiled", str(len({name.split(",")[0] for name, _, _ in compiled})), "–", "–"],
        ["the binary", f"{size:.1f} MiB", "–", "–"],
    ]
    slowest = sorted(compiled, key=lambda unit: -unit[1])[:SLOWEST]
    crates = [["slowest", "seconds", "of these, code generation"], *([name, f"{all:.1f}", f"{code:.1f}"] for name, all, code in slowest)]
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return [
        BUILD,
        "",
        "Written by `bench/run --build`: once, so the seconds are this machine's. What runs beside it makes it longer.",
        "",
        f"- date: {datetime.date.today().isoformat()}",
        f"- {rustc}",
        f"- processor: {processor()}, {os.cpu_count()} cores; {platform.system()} {platform.machine()}",
        "",
        *table(rows),
        "",
        *table(crates),
    ]


def main():
    with tempfile.TemporaryDirectory(prefix="liveops-build-") as name:
        tree = copy(Path(name))
        env = {**os.environ, "CARGO_TARGET_DIR": str(tree / "target"), "CARGO_TERM_COLOR": "never"}
        env.pop("RUSTC_WRAPPER", None)
        subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=tree, env=env, check=True)
        print("measuring: a clean build, some minutes", file=sys.stderr)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(["cargo", "build", "--release", "--locked", "--timings", "--quiet"], cwd=tree, env=env, check=True)
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        packages = (tree / "Cargo.lock").read_text().count("[[package]]")
        size = (tree / "target/release/liveops").stat().st_size / MIB
        text = section(wall, cpu, packages, size, list(units(tree)))
    before = RESULTS.read_text()
    speed = before.split(BUILD)[0].split(GUARDS)[0].rstrip()
    _, heading, guards = before.partition(GUARDS)
    RESULTS.write_text("\n".join([speed, "", *text]) + "\n" + (f"\n{heading}{guards}" if heading else ""))
    print("\n".join(text))


if __name__ == "__main__":
    main()
