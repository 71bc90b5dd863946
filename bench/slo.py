"""Error budgets: random rules against promtool, and 50 objectives on a local Prometheus.

    bench/slo.py fire [CASES]        every alert fires at the second that its test claims (default 1000)
    bench/slo.py status [N]          `slo status` of N objectives: median of ten runs, queries sent (default 50)
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIVEOPS = os.environ.get("LIVEOPS", str(ROOT / "target/release/liveops"))


def fire(cases):
    env = dict(os.environ, LIVEOPS_SLO_CASES=str(cases))
    test = "slo::every_alert_fires_at_the_second_that_its_test_claims"
    began = time.time()
    ran = subprocess.run(["cargo", "test", "-q", "--locked", "--test", "real", "--", test], cwd=ROOT, env=env)
    print(f"{cases} objectives, {'all' if ran.returncode == 0 else 'NOT all'} as claimed, {time.time() - began:.0f} s")
    return ran.returncode


def backfill(folder, n):
    now = int(time.time()) // 60 * 60
    with open(folder / "past.om", "w") as out:
        for i in range(n):
            print(f"# TYPE r{i} counter", file=out)
            for code, rate in (("200", 100), ("500", 0)):
                for step in range(3 * 24 * 60):
                    at = now - 3 * 86400 + step * 60
                    print(f'r{i}_total{{code="{code}"}} {rate * step} {at}', file=out)
        print("# EOF", file=out)
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", folder / "past.om", folder / "data"], check=True
    )


def status(n):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        backfill(folder, n)
        (folder / "prometheus.yml").write_text("global: {}\n")
        port = 29390
        server = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stderr=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.time() + 60
            while time.time() < deadline:
                try:
                    urllib.request.urlopen(url + "/-/ready")
                    break
                except OSError:
                    time.sleep(0.2)
            slos = "".join(
                f"  - {{ name: s{i}, objective: 99.9%, ratio: {{ bad: 'r{i}_total{{code=~\"5..\"}}', total: r{i}_total }} }}\n"
                for i in range(n))
            (folder / "liveops.yaml").write_text("version: 1\nslos:\n" + slos)
            times = []
            for _ in range(10):
                began = time.time()
                ran = subprocess.run([LIVEOPS, "slo", "-o", "json", "--prometheus", url], cwd=folder, capture_output=True)
                times.append((time.time() - began) * 1000)
            levels = {one["level"] for one in json.loads(ran.stdout)["data"]["slos"]}
            print(f"{n} objectives: median {statistics.median(times):.0f} ms, best {min(times):.0f} ms, {levels}")
        finally:
            server.terminate()
            server.wait()
    return 0


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "status"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    sys.exit(fire(count or 1000) if what == "fire" else status(count or 50))
