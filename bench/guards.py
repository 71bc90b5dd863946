"""Simulated rollouts, by `bench/run --guards`: how often the guard engine promotes, holds or takes back. Writes its section
of bench/RESULTS.md."""

import datetime
import subprocess
import sys

from harness import GUARDS, RESULTS

ABOUT = """
Written by `bench/run --guards`: simulated rollouts by the policy's defaults (`error_rate < 1%`, `p99_latency < baseline * 1.2`;
back at `error_rate > 5%`, `p99_latency > baseline * 2.0`), the state machine and the judgement as they are in liveops, fed
with random requests. Undecided is what was held for too little evidence and ended by the rule for that. On streams of the
same kind: Argo Rollouts' rule (a check of the last minute's values each minute, `failureLimit: 3`) and Flagger's
(`interval: 1m`, `threshold: 5`, five ticks a step), both with the same success conditions.
"""


def main() -> None:
    rollouts = sys.argv[1] if len(sys.argv) > 1 else "20000"
    command = ["cargo", "run", "--release", "--quiet", "--locked", "-p", "liveops-domain", "--example", "characteristics"]
    table = subprocess.run([*command, "--", rollouts], check=True, stdout=subprocess.PIPE, text=True).stdout
    section = f"{GUARDS}\n{ABOUT}\n- date: {datetime.date.today()}\n\n{table}"
    print(section)
    # The last section of all.
    RESULTS.write_text(f"{RESULTS.read_text().partition(GUARDS)[0].rstrip()}\n\n{section}")


main()
