"""Suspects of a KPI's break: how often the change that did it is named, on generated histories."""

import os
import re
import subprocess
from pathlib import Path

from harness import Row

ROOT = Path(__file__).resolve().parent.parent
TEST = "the_culprit_is_found_in_generated_histories"


def measure(env, folder, times):
    """suspects of a break"""
    # The histories are made and judged by a test, which fails below its own limits; here its figures are shown.
    argv = ["cargo", "test", "--quiet", "--lib", TEST, "--", "--nocapture"]
    said = subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\((\d+) generated histories, (\d+) changes each\): break within 60 s ([\d.]+) %, culprit first ([\d.]+) %, among the first three ([\d.]+) %", said)
    if not found:
        raise RuntimeError(f"`{TEST}` printed no figures")
    runs, changes = int(found[1]), int(found[2])
    within, first, three = (float(found[n]) for n in (3, 4, 5))
    what = f"`changes --around`, {runs} generated histories of {changes} changes"
    note = "history and verdict are by the same hand: noise, one break of 5 to 12 deviations, and a dozen innocent changes around it"
    guess = lambda hits: f"{100 * hits / changes:.1f} %"
    return [
        Row(f"{what}: break found within 60 s", f"{within:.1f} %", "–", "–", "–", "≥ 95 %", within >= 95, note),
        Row(f"{what}: the culprit comes first", f"{first:.1f} %", "a guess", guess(1), f"{first * changes / 100:.1f}×", "≥ 90 %", first >= 90),
        Row(f"{what}: it is among the first three", f"{three:.1f} %", "a guess", guess(3), f"{three * changes / 300:.1f}×", "≥ 95 %", three >= 95),
    ]
