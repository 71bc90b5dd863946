"""Alerts: many of them on a screen, from Prometheus and from Alertmanager."""

import contextlib
import http.server
import json
import shutil
import subprocess
import threading

from harness import LIVEOPS, MIB, Row, Run, ask, compared, free_port, interleave, ms, running, until

FIRING = 300
MANY = 5_000
LIMIT_MS, LIMIT_MIB = 400, 60
KPIS = 10


class Quiet(http.server.BaseHTTPRequestHandler):
    """Answers of a fixed set of paths; what it does not know is a 404."""

    protocol_version = "HTTP/1.1"
    answers = {}

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = self.answers.get(self.path.partition("?")[0])
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(answers):
    """A stand-in that answers at once, so that liveops is what is measured."""
    handler = type("Answers", (Quiet,), {"answers": answers})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def alert(n):
    """An alert as Alertmanager lists it, of one of fifty names."""
    labels = {"alertname": f"Alert{n % 50:02}", "severity": ["critical", "high", "medium", "info"][n % 4], "instance": f"game-{n}:9100", "job": "game", "region": ["eu", "us"][n % 2]}
    return {
        "labels": labels,
        "annotations": {"summary": f"game-{n} has a queue of {n} players", "runbook_url": "https://runbooks.example/queue"},
        "fingerprint": f"{n:016x}",
        "startsAt": "2026-01-15T10:20:00.000Z",
        "updatedAt": "2026-01-15T10:29:00.000Z",
        "endsAt": "2099-01-15T10:35:00.000Z",
        "generatorURL": "",
        "receivers": [{"name": "pager"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    }


def many(env, folder, times):
    """many alerts: five thousand of Alertmanager"""
    status = {
        "versionInfo": {"version": "0.27.0"},
        "cluster": {"status": "disabled"},
        "uptime": "2026-01-15T00:00:00Z",
        "config": {"original": "route: {receiver: pager}\nreceivers: [{name: pager, webhook_configs: [{url: x}]}]\n"},
    }
    answers = {
        "/api/v2/alerts": json.dumps([alert(n) for n in range(MANY)]).encode(),
        "/api/v2/status": json.dumps(status).encode(),
        "/api/v2/silences": b"[]",
    }
    with serving(answers) as url:
        runs = [Run([LIVEOPS, command, "--alertmanager", url], env, good=(0, 1, 3)) for command in ("status", "alerts")]
        curl = Run(["curl", "--silent", "--output", "/dev/null", f"{url}/api/v2/alerts"], env)
        interleave([*runs, curl], times)
    rows = []
    for command, run in zip(("status", "alerts"), runs):
        what = f"`{command}`, {MANY:,} alerts"
        peak = run.peak / MIB
        rows.append(Row(what, ms(run.median), "`curl` of them", ms(curl.median), f"{run.median / curl.median:.2f}×", f"≤ {LIMIT_MS} ms", run.median <= LIMIT_MS, f"{run.work}; the middle half took {run.spread}"))
        rows.append(Row(f"{what}: peak memory", f"{peak:.1f} MiB", "–", "–", "–", f"≤ {LIMIT_MIB} MiB", peak <= LIMIT_MIB))
    return rows


def firing(env, folder, times):
    """firing alerts: ten KPIs and three hundred alerts of a real Prometheus"""
    what = f"`status`, {KPIS} KPIs and {FIRING} firing alerts of Prometheus"
    server = shutil.which("prometheus")
    if not server:
        return [Row(what, "–", "`curl` of one query", "–", "–", "≤ 3×", None, "`prometheus` is not installed")]
    rules = [{"alert": f"Alert{n:03}", "expr": f"vector({n}) > -1", "labels": {"severity": ["critical", "high", "medium"][n % 3], "instance": f"game-{n}"}, "annotations": {"summary": f"game-{n} is slow"}} for n in range(FIRING)]
    (folder / "firing-rules.yml").write_text(json.dumps({"groups": [{"name": "bench", "rules": rules}]}))
    config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [f"{folder}/firing-rules.yml"]}
    (folder / "firing.yml").write_text(json.dumps(config))
    kpis = [f"  - {{ name: kpi_{n}, promql: 'vector({n})', warn: '> 100' }}" for n in range(KPIS)]
    (folder / "firing.yaml").write_text("\n".join(["version: 1", "environments: { bench: {} }", "kpis:", *kpis]) + "\n")
    port = free_port()
    argv = [server, f"--config.file={folder}/firing.yml", f"--storage.tsdb.path={folder}/firing-tsdb", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with running(argv, env, stderr=subprocess.DEVNULL):
        until(lambda: len(json.loads(ask(port, "/api/v1/alerts"))["data"]["alerts"]) == FIRING, "the alerts fire")
        url = f"http://127.0.0.1:{port}"
        ours = Run([LIVEOPS, "status", "--fail-on", "never", "--config", str(folder / "firing.yaml"), "--prometheus", url], env, good=(0, 3))
        curl = Run(["curl", "--silent", "--fail", "--output", "/dev/null", f"{url}/api/v1/rules"], env)
        interleave([ours, curl], times)
    return [compared(what, ours.median, "`curl` of its rules", curl.median, 3, "≤ 3×", f"{ours.work}; the middle half took {ours.spread}")]
