"""`incident receive`: a storm of groups, a listener that is killed behind its answers, and one large delivery."""

import http.client
import http.server
import json
import os
import random
import subprocess
import threading
import time

from harness import LIVEOPS, Row, Run, interleave, ms

GROUPS, SENDERS, KILLS, ALERTS = 600, 8, 200, 1000


class Pager(http.server.ThreadingHTTPServer):
    """PagerDuty's answers, and the incidents that it was called for."""

    daemon_threads = True

    def __init__(self):
        self.called = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                event = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
                if event["event_action"] == "trigger":
                    self.called.add(event["payload"]["custom_details"]["incident"])
                body = b'{"status":"success"}'
                handler.send_response(202)
                handler.send_header("content-length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def delivery(group, count=1):
    alert = lambda n: {"status": "firing", "labels": {"alertname": group, "severity": "critical", "instance": str(n)}, "annotations": {},
        "startsAt": "2026-11-30T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": f"{group}-{n}"}
    return json.dumps({"version": "4", "groupKey": group, "status": "firing", "alerts": [alert(n) for n in range(count)]})


def post(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", body, {"Content-Type": "application/json"})
    return connection.getresponse().status


class Listener:
    def __init__(self, env, folder):
        self.process = subprocess.Popen([LIVEOPS, "incident", "receive", "--listen", "127.0.0.1:0", "-o", "name"], cwd=folder, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.port = int(self.process.stderr.readline().strip().rstrip("/").rsplit(":", 1)[1])
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def kill(self):
        self.process.kill()
        self.process.wait()


def project(root, env, pager):
    root.mkdir(parents=True)
    channel = f'{{ name: pd, type: pagerduty, url: "http://127.0.0.1:{pager.server_address[1]}", routing_key: "${{PD}}" }}'
    (root / "liveops.yaml").write_text(f"version: 1\nenvironments: {{ prod: {{}} }}\nnotify: {{ channels: [ {channel} ] }}\n")
    here = {**env, "XDG_CACHE_HOME": str(root / "cache"), "XDG_STATE_HOME": str(root / "state"), "XDG_CONFIG_HOME": str(root / "config"), "PD": "k" * 32}
    # The project sends the variable to its own pager.
    subprocess.run([LIVEOPS, "config", "trust", "--yes"], cwd=root, env=here, capture_output=True, check=False)
    return here


def until(deadline, question):
    while time.monotonic() < deadline and not question():
        time.sleep(0.01)


def incidents(root):
    # A folder with a dot before its name was never given one: the opening died before it was an opening.
    return {path.parent.name for path in (root / "incidents").glob("[!.]*/journal.jsonl")}


def storm(env, root):
    pager = Pager()
    listener = Listener(project(root, env, pager), root)
    began = time.monotonic()
    send = lambda first: [post(listener.port, delivery(f"Alert{n}")) for n in range(first, GROUPS, SENDERS)]
    senders = [threading.Thread(target=send, args=(first,)) for first in range(SENDERS)]
    [sender.start() for sender in senders]
    [sender.join() for sender in senders]
    until(began + 120, lambda: len(pager.called) == GROUPS)
    took = time.monotonic() - began
    listener.kill()
    return took, len(pager.called)


def kills(env, root):
    pager, pick, accepted = Pager(), random.Random(1), 0
    env = project(root, env, pager)
    for n in range(KILLS):
        listener, answers = Listener(env, root), []

        def send():
            try:
                answers.append(post(listener.port, delivery(f"Alert{n}")))
            except OSError:
                pass

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(pick.uniform(0, 0.06))
        listener.kill()
        sender.join()
        accepted += answers == [200]
    listener = Listener(env, root)
    # Whatever is in the journal was accepted, or may have been.
    known = incidents(root)
    until(time.monotonic() + 30, lambda: known <= pager.called)
    listener.kill()
    return accepted, len(known - pager.called)


def measure(env, folder, times):
    """receive: storms and kills"""
    took, called = storm(env, folder / "storm")
    accepted, unpaged = kills(env, folder / "kills")
    root = folder / "large"
    here = {**project(root, env, Pager()), "LIVEOPS_CONFIG": str(root / "liveops.yaml")}
    number = iter(range(1_000_000))
    body = root / "delivery.json"
    large = Run(["sh", "-c", f'"{LIVEOPS}" incident receive < "{body}"'], here, before=lambda: body.write_text(delivery(f"Large{next(number)}", ALERTS)))
    interleave([large], times)
    return [
        Row(f"{GROUPS} groups at once from {SENDERS} senders, all paged", f"{took:.1f} s", "–", "–", "–", "≤ 10 s", took <= 10 and called == GROUPS, f"{called} were paged"),
        Row(f"unpaged after kill -9 behind {KILLS} deliveries", str(unpaged), "–", "–", "–", "0", unpaged == 0, f"{accepted} were answered 200"),
        Row(f"one delivery of {ALERTS:,} alerts", ms(large.median), "–", "–", "–", "≤ 1,000 ms", large.median <= 1000, large.work),
    ]
