"""Guarded rollouts: from a bad value that can be queried to a weight that is back at 0, at the default polling."""

import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness import LIVEOPS, Row, until

ROOT = Path(__file__).resolve().parent.parent
# Where the build has put it.
KUBE = ROOT / "target/bench/kube_server"
# 200 of them at 5 s between two looks would take an hour one by one; they wait nearly all of the time.
# Each takes about three seconds of a processor, nearly all of it in `kubectl`.
AT_ONCE = 10
COUNT = 200
POLL = 5.0


class Fleet:
    """One service: its Prometheus, its Alertmanager, and what the API server says of its route."""

    def __init__(self):
        self.weight = 0
        self.errors = self.firing = None
        self.raised, self.back = threading.Event(), threading.Event()
        self.went_back = 0.0

    def weighs(self, weight):
        self.weight = weight
        if weight > 0:
            self.raised.set()
        elif self.raised.is_set() and not self.back.is_set():
            self.went_back = time.monotonic()
            self.back.set()

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


class Cluster:
    """The API server of the tests, which the real `kubectl` talks to; a watch tells of each weight that it accepts."""

    PATHS = {
        "Deployment": "/apis/apps/v1/namespaces/game/deployments",
        "Service": "/api/v1/namespaces/game/services",
        "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/game/httproutes",
    }

    def __init__(self, env, fleets):
        self.fleets = fleets
        self.process = subprocess.Popen([KUBE.read_text().strip()], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = json.loads(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.told['port']}"
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        with urllib.request.urlopen(f"{self.url}{self.PATHS['HTTPRoute']}?watch=1") as events:
            for line in events:
                route = json.loads(line)["object"]
                fleet = self.fleets.get(route["metadata"]["name"])
                refs = route["spec"]["rules"][0]["backendRefs"]
                if fleet and refs[1].get("weight", 1) != fleet.weight:
                    fleet.weighs(refs[1].get("weight", 1))

    def call(self, method, path, value=None):
        body = json.dumps(value).encode() if value else None
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def add(self, name):
        labels = {"app": name, "track": "stable"}
        container = {"name": "server", "image": "game:1"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        refs = [{"name": f"{name}-stable", "port": 80, "weight": 100}, {"name": f"{name}-canary", "port": 80, "weight": 0}]
        objects = [("Deployment", "apps/v1", name, {"replicas": 1, "selector": {"matchLabels": labels}, "template": template})]
        for track in ("stable", "canary"):
            spec = {"selector": {"app": name, "track": track}, "ports": [{"port": 80}]}
            objects.append(("Service", "v1", f"{name}-{track}", spec))
        objects.append(("HTTPRoute", "gateway.networking.k8s.io/v1", name, {"rules": [{"backendRefs": refs}]}))
        for kind, version, own, spec in objects:
            self.call("POST", self.PATHS[kind], {"apiVersion": version, "kind": kind, "metadata": {"name": own}, "spec": spec})
        ready = lambda: self.call("GET", f"{self.PATHS['Deployment']}/{name}").get("status", {}).get("availableReplicas") == 1
        until(ready, f"a ready {name}")

    def remove(self, name):
        for kind, own in (("Deployment", name), ("HTTPRoute", name), ("Service", f"{name}-stable"), ("Service", f"{name}-canary")):
            self.call("DELETE", f"{self.PATHS[kind]}/{own}")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        _, name, rest = self.path.partition("?")[0].split("/", 2)
        fleet = self.server.fleets[name]
        if rest.endswith("/alerts"):
            self.answer(fleet.alerts())
        else:
            self.answer(fleet.query(urllib.parse.parse_qs(body.decode()).get("query", [""])[0]))

    do_GET = do_POST = handle_one


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fleets = {}


CONFIG = """version: 1
environments:
  bench:
    prometheus: {{ url: "{url}" }}
    alertmanager: {{ url: "{url}" }}
    kubernetes: {{ context: test, namespace: game }}
services:
  - name: {name}
    workload: {{ deployment: {name} }}
    rollout:
      traffic: {{ kind: gateway-api, route: {name}, rule: 0, stable: {name}-stable, canary: {name}-canary }}
      metrics:
        error_rate: {{ ratio: {{ of: 'http_requests_total{{status=~"5.."}}', to: http_requests_total }} }}
policies:
  standard:
    canary: {{ steps: {steps}, interval: {interval}, poll: 5s }}
    success: [ "error_rate < 1%" ]
    rollback: [ "error_rate > 5%", "alert ServiceDegraded severity=critical" ]
    rollback_window: 0s
    preflight: [ rollback_plan, permissions ]
"""
# Writes down each run of it, and goes on as the real one.
COUNTED = """#!/bin/sh
echo "$1" >> {log}
exec {real} "$@"
"""


class Service:
    """One service in the cluster, and liveops with its own state and its own count of `kubectl`."""

    def __init__(self, server, cluster, env, folder, name, steps="[5, 100]", interval="5m"):
        self.name, self.cluster = name, cluster
        self.home = folder / f"rollout-{name}"
        (self.home / "bin").mkdir(parents=True)
        self.fleet = server.fleets[name] = Fleet()
        url = f"http://127.0.0.1:{server.server_port}/{name}"
        config = CONFIG.format(url=url, name=name, steps=steps, interval=interval)
        (self.home / "liveops.yaml").write_text(config)
        self.runs = self.home / "runs"
        program = self.home / "bin/kubectl"
        program.write_text(COUNTED.format(log=self.runs, real=shutil.which("kubectl")))
        program.chmod(0o755)
        own = {f"XDG_{kind}_HOME": str(self.home / kind) for kind in ("CONFIG", "STATE", "CACHE")}
        path = f"{self.home / 'bin'}:{env['PATH']}"
        # kubectl keeps what it has discovered in HOME; all the same server is one of them.
        self.env = {**env, **own, "PATH": path, "KUBECONFIG": cluster.told["kubeconfig"], "HOME": str(folder)}
        cluster.add(name)

    def command(self, *words):
        return [LIVEOPS, "rollout", *words, "--yes", "--config", str(self.home / "liveops.yaml")]

    def begin(self):
        with open(self.home / "log", "wb") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            return subprocess.Popen(self.command("canary", "--image", "game:2"), env=self.env, cwd=self.home, **options)

    def wait(self, event):
        if not event.wait(90):
            raise RuntimeError((self.home / "log").read_text())


def one(service, how, phase):
    """One rollout; seconds from the trouble to a weight of 0."""
    holder, fleet = service.begin(), service.fleet
    try:
        service.wait(fleet.raised)
        # Somewhere between two looks, when the step is observed and nothing else happens.
        time.sleep(1.5 * POLL + phase * POLL)
        began = time.monotonic()
        if how == "abort":
            options = {"env": service.env, "cwd": service.home, "stdin": subprocess.DEVNULL, "capture_output": True}
            subprocess.run(service.command("abort"), check=True, **options)
        elif how == "alert":
            fleet.firing = time.time() + 1
        else:
            fleet.errors = True
        service.wait(fleet.back)
        holder.wait(60)
        return fleet.went_back - began
    finally:
        if holder.poll() is None:
            holder.kill()
            holder.wait()
        service.cluster.remove(service.name)


def economy(service):
    """A rollout that ends well; what a step and a quiet look cost in runs of `kubectl`."""
    if service.begin().wait(300) != 0:
        raise RuntimeError((service.home / "log").read_text())
    verbs = service.runs.read_text().split()
    # What is done between two looks, each of which begins with a read.
    looks = " ".join(verbs).split("get")
    steps = [look.split() for look in looks if look.split()[-2:] == ["apply", "patch"]]
    quiet = [look.split() for look in looks if look.split() in ([], ["apply"], ["patch"])]
    service.cluster.remove(service.name)
    return max(len(step) for step in steps), max(1 + len(look) for look in quiet), len(steps)


def quantiles(times):
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return cuts[49], cuts[94], cuts[98]


def rollouts(env, folder, _times):
    """A rollout that meets a bad build: until the API server has accepted that its weight is back at 0"""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster = Cluster(env, server.fleets)
    pick = random.Random(1)
    jobs = [("metric", n) for n in range(COUNT)] + [("alert", n) for n in range(COUNT // 8)]
    pick.shuffle(jobs)
    jobs += [("abort", n) for n in range(COUNT // 8)]
    phases = [pick.random() for _ in jobs]

    def spent():
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(use.ru_utime + use.ru_stime for use in usage)

    def run(job):
        (how, number), phase = job
        service = Service(server, cluster, env, folder, f"{how}{number}")
        return how, one(service, how, phase)

    busy, began = spent(), time.monotonic()
    took = {"metric": [], "alert": [], "abort": []}
    aborts = [job for job in zip(jobs, phases) if job[0][0] == "abort"]
    others = [job for job in zip(jobs, phases) if job[0][0] != "abort"]
    for some in (others, aborts):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for how, seconds in pool.map(run, some):
                took[how].append(seconds)
    wall = time.monotonic() - began
    load = (spent() - busy) / (wall * os.cpu_count())
    step, look, steps = economy(Service(server, cluster, env, folder, "economy", "[20, 40, 60]", "12s"))
    cluster.stop()
    server.shutdown()

    def row(how, what, against, theirs, limit, least, note=""):
        p50, p95, p99 = quantiles(took[how])
        cells = f"{p50:.1f} / {p95:.1f} / {p99:.1f} s" if limit > 1 else f"{p50 * 1e3:.0f} / {p95 * 1e3:.0f} / {p99 * 1e3:.0f} ms"
        ratio = f"{least / p99:.0f}×" if least else "–"
        return Row(f"{what} (p50 / p95 / p99 of {len(took[how])})", cells, against, theirs, ratio, f"p99 ≤ {limit:g} s", p99 <= limit, note)

    bad = "bad value queryable → weight 0 accepted by the API server, looks 5 s apart, 2 of them"
    note = (
        f"an HTTPRoute, through the real `kubectl`, on the API server of the tests; {AT_ONCE} at once in {wall:.0f} s, the"
        f" trouble at a random moment between two looks; the processors were {load:.0%} busy. The others' figures are what"
        " their documented rules give at their defaults or in their own sample, not measured: Flagger counts a failed"
        " check a tick and goes back at the tick after `threshold` of them ((threshold to threshold + 1) × interval); Argo"
        " Rollouts fails at the measurement after `failureLimit` ((failureLimit to failureLimit + 1) × interval). Set to"
        " `interval: 5s, failureLimit: 1`, Argo takes 5 to 10 s."
    )
    return [
        row("metric", bad, "Flagger, interval 1m, threshold 1", "60 to 120 s", 11, 60, note),
        row("metric", bad, "Argo Rollouts' sample, 5m, failureLimit 3", "900 to 1200 s", 11, 900),
        row("alert", "alert firing → weight 0 accepted, looks 5 s apart", "–", "–", 6, None),
        row("abort", "`rollout abort` started → weight 0 accepted, ten at once", "Flagger: the next tick", "≤ 60 s", 1, None),
        Row(
            f"runs of `kubectl` for a step, the most of {steps}", str(step), "a quiet look, lock renewed", str(look), "–", "≤ 2", step <= 2,
            "a step stores its intent, the lock and the Events in one run, and patches the route in the other; what came of it"
            " is stored with the next renewal of the lock",
        ),
    ]
