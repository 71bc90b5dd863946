"""Guarded rollouts: from a bad value that can be queried to a weight that is back at 0, at the default polling."""

import json
import os
import random
import resource
import statistics
import subprocess
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import Row

LIVEOPS = str(Path(__file__).resolve().parent.parent / "target/release/liveops")
# 200 of them at 5 s between two looks would take an hour one by one; they wait nearly all of the time.
AT_ONCE = 40
POLL = 5.0


class Fleet:
    """One service: its balancer, its Prometheus, its Alertmanager."""

    def __init__(self):
        self.weight, self.revision = 0, 1
        self.errors = self.firing = None
        self.raised, self.back = threading.Event(), threading.Event()
        self.went_bad = self.went_back = 0.0

    def weighing(self):
        return {"weight": self.weight, "stable": "game:1", "canary": "game:2"}

    def put(self, change):
        if "weight" in change:
            self.weight = change["weight"]
            if self.weight > 0:
                self.raised.set()
            elif self.raised.is_set() and not self.back.is_set():
                self.went_back = time.monotonic()
                self.back.set()
        self.revision += 1

    def query(self, text):
        now = time.time()
        if "timestamp" in text:
            value = now
        elif "5.." in text:
            value = 120 if self.errors and "canary" in text else 1
        else:
            value = 1000
        series = [{"metric": {}, "value": [now, str(value)]}]
        return {"status": "success", "data": {"resultType": "vector", "result": series}}

    def alerts(self):
        if not self.firing:
            return []
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.firing))
        return [
            {
                "labels": {"alertname": "ServiceDegraded", "severity": "critical"},
                "annotations": {}, "receivers": [{"name": "x"}], "fingerprint": "0123456789abcdef",
                "startsAt": at, "updatedAt": at, "endsAt": "2099-01-01T00:00:00.000Z", "generatorURL": "",
                "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
            }
        ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, value, tag=None):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if tag:
            self.send_header("ETag", f'"{tag}"')
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        _, name, rest = self.path.partition("?")[0].split("/", 2)
        fleet = self.server.fleets[name]
        if rest == "weight":
            if self.command == "PUT":
                fleet.put(json.loads(body))
            self.answer(fleet.weighing(), fleet.revision)
        elif rest.endswith("/alerts"):
            self.answer(fleet.alerts())
        else:
            self.answer(fleet.query(urllib.parse.parse_qs(body.decode()).get("query", [""])[0]))

    do_GET = do_PUT = do_POST = handle_one


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fleets = {}


CONFIG = """version: 1
environments: {{ bench: {{ prometheus: {{ url: "{url}" }}, alertmanager: {{ url: "{url}" }} }} }}
services:
  - name: game
    rollout:
      traffic: {{ kind: http, url: "{url}/weight" }}
      metrics:
        error_rate: {{ ratio: {{ of: 'http_requests_total{{status=~"5.."}}', to: http_requests_total }} }}
policies:
  standard:
    canary: {{ steps: [5, 100], interval: 5m }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 5%", "alert ServiceDegraded severity=critical" ]
    preflight: [ rollback_plan, capacity ]
"""


def one(server, env, folder, name, how, phase):
    """One rollout; seconds from the trouble to a weight of 0."""
    home = folder / f"rollout-{name}"
    home.mkdir()
    fleet = server.fleets[name] = Fleet()
    (home / "liveops.yaml").write_text(CONFIG.format(url=f"http://127.0.0.1:{server.server_port}/{name}"))
    own = {**env, **{f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "STATE", "CACHE")}}
    argv = [LIVEOPS, "rollout", "canary", "--image", "game:2", "--yes", "--config", str(home / "liveops.yaml")]
    with open(home / "log", "wb") as log:
        holder = subprocess.Popen(argv, env=own, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if not fleet.raised.wait(60):
            raise RuntimeError((home / "log").read_text())
        # Somewhere between two looks, when the step is observed and nothing else happens.
        time.sleep(1.5 * POLL + phase * POLL)
        began = time.monotonic()
        if how == "abort":
            abort = [LIVEOPS, "rollout", "abort", "--yes", "--config", str(home / "liveops.yaml")]
            subprocess.run(abort, env=own, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        elif how == "alert":
            fleet.firing = time.time() + 1
        else:
            fleet.errors = True
        if not fleet.back.wait(60):
            raise RuntimeError((home / "log").read_text())
        holder.wait(30)
        return fleet.went_back - began
    finally:
        if holder.poll() is None:
            holder.kill()
            holder.wait()


def quantiles(times):
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return cuts[49], cuts[94], cuts[98]


def rollouts(env, folder, times):
    """A rollout that meets a bad build: until its weight is back at 0"""
    count = times * 5
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pick = random.Random(1)
    jobs = [("metric", n) for n in range(count)] + [("alert", n) for n in range(count // 2)]
    pick.shuffle(jobs)
    jobs += [("abort", n) for n in range(max(2, count // 4))]
    phases = [pick.random() for _ in jobs]

    def spent():
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(use.ru_utime + use.ru_stime for use in usage)

    def run(job):
        (how, number), phase = job
        return how, one(server, env, folder, f"{how}{number}", how, phase)

    busy, began = spent(), time.monotonic()
    took = {"metric": [], "alert": [], "abort": []}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for how, seconds in pool.map(run, zip(jobs, phases)):
            took[how].append(seconds)
    wall = time.monotonic() - began
    load = (spent() - busy) / (wall * os.cpu_count())
    server.shutdown()

    def row(how, what, against, theirs, limit, least, note=""):
        p50, p95, p99 = quantiles(took[how])
        cells = f"{p50:.1f} / {p95:.1f} / {p99:.1f} s" if limit > 1 else f"{p50 * 1e3:.0f} / {p95 * 1e3:.0f} / {p99 * 1e3:.0f} ms"
        ratio = f"{least / p99:.0f}×" if least else "–"
        return Row(f"{what} (p50 / p95 / p99 of {len(took[how])})", cells, against, theirs, ratio, f"p99 ≤ {limit:g} s", p99 <= limit, note)

    bad = "bad value queryable → weight 0 accepted, looks 5 s apart, 2 of them"
    note = (
        f"{AT_ONCE} at once in {wall:.0f} s, the trouble at a random moment between two looks; the processors were"
        f" {load:.0%} busy. The others' figures are what their documented rules give at their defaults or in their own"
        " sample, not measured: Flagger counts a failed check a tick and goes back at the tick after `threshold` of them"
        " ((threshold to threshold + 1) × interval); Argo Rollouts fails at the measurement after `failureLimit`"
        " ((failureLimit to failureLimit + 1) × interval). Set to `interval: 5s, failureLimit: 1`, Argo takes 5 to 10 s."
    )
    return [
        row("metric", bad, "Flagger, interval 1m, threshold 1", "60 to 120 s", 11, 60, note),
        row("metric", bad, "Argo Rollouts' sample, 5m, failureLimit 3", "900 to 1200 s", 11, 900),
        row("alert", "alert firing → weight 0 accepted, looks 5 s apart", "–", "–", 6, None),
        row("abort", "`rollout abort` started → weight 0 accepted", "Flagger: the next tick", "≤ 60 s", 1, None),
    ]
