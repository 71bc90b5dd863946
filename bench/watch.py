"""The full screen on a pseudo-terminal of 120x40: how soon it is there, how soon a key is painted, what it costs at rest.

    bench/watch.py [SECONDS]         how long it is watched at rest (default 30)

Servers of this script stand in for Prometheus (10 KPIs, 2,000 alerts), 500 services and an Alertmanager that hangs.
`btop`, where it is installed, is watched at rest beside it. LIVEOPS names another binary than that of a release build.
"""

import fcntl
import http.server
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socketserver
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIVEOPS = os.environ.get("LIVEOPS", str(ROOT / "target/release/liveops"))
SERVICES, ALERTS, KPIS, KEYS = 500, 2000, 10, 300
TICK = os.sysconf("SC_CLK_TCK")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # What stands still from look to look.
    started = time.time()
    alerts = 0
    hang = False

    def log_message(self, *_):
        pass

    def reply(self, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        form = urllib.parse.parse_qs(self.rfile.read(length).decode())
        if "start" in form:
            start, end = float(form["start"][0]), float(form["end"][0])
            values = [[start + 60 * n, "17"] for n in range(int((end - start) / 60) + 1)]
            result = [{"metric": {}, "values": values}]
            return self.reply({"status": "success", "data": {"resultType": "matrix", "result": result}})
        result = [{"metric": {}, "value": [time.time(), "17"]}]
        return self.reply({"status": "success", "data": {"resultType": "vector", "result": result}})

    def do_GET(self):
        if self.path.startswith("/api/v2"):
            time.sleep(60 if self.hang else 0)
            return self.reply([])
        if self.path.startswith("/api/v1/alerts"):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started))
            alerts = [
                {"labels": {"alertname": f"Alert{n % 400}", "severity": ("critical", "warning", "info")[n % 3], "instance": str(n)},
                 "annotations": {"summary": "it is slow"}, "state": "firing", "activeAt": at, "value": "1"}
                for n in range(self.alerts)
            ]
            return self.reply({"status": "success", "data": {"alerts": alerts}})
        if self.path.startswith("/api/v1/rules"):
            rule = {"type": "alerting", "name": "Down", "query": "up == 0", "duration": 60, "labels": {}, "annotations": {},
                    "alerts": [], "health": "ok", "state": "inactive", "evaluationTime": 0.001}
            return self.reply({"status": "success", "data": {"groups": [{"name": "g", "interval": 15, "rules": [rule]}]}})
        if self.path.startswith("/api/v1/"):
            return self.reply({"status": "success", "data": {"activeTargets": [], "yaml": ""}})
        return self.reply({"status": "healthy"})


def config(folder, port, services):
    url = f"http://127.0.0.1:{port}"
    lines = ["version: 1", "project: bench", "environments:", f"  lab: {{ prometheus: '{url}', alertmanager: '{url}' }}"]
    if services:
        lines += ["services:"] + [f"  - {{ name: s{n:03}, health: {{ url: '{url}/s{n}' }} }}" for n in range(services)]
    lines += ["kpis:"] + [f"  - {{ name: k{n}, gauge: metric_{n}, warn: '> 100' }}" for n in range(KPIS)]
    (folder / "liveops.yaml").write_text("\n".join(lines) + "\n")


class Terminal:
    def __init__(self, argv, folder):
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self, seconds):
        """What comes within this time; returns at the first piece."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        try:
            return os.read(self.fd, 1 << 16) if ready else b""
        except OSError:
            return b""

    def until(self, text, seconds=20):
        seen, end = b"", time.perf_counter() + seconds
        while text not in seen:
            if time.perf_counter() > end:
                sys.exit(f"`{text.decode()}` does not come; it shows\n{seen[-2000:]!r}")
            seen += self.read(0.5)
        return (time.perf_counter() - self.began) * 1000

    def quiet(self, seconds):
        """The bytes that come within this time."""
        end, count = time.perf_counter() + seconds, 0
        while (left := end - time.perf_counter()) > 0:
            count += len(self.read(left))
        return count

    def cost(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self):
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def end(self):
        os.kill(self.pid, signal.SIGTERM)
        self.quiet(0.3)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def first_frame(folder):
    """Milliseconds until the first frame, with nothing remembered and with the last look remembered."""
    cold, warm = [], []
    for _ in range(11):
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        terminal = Terminal([LIVEOPS, "watch"], folder)
        cold.append(terminal.until(b"\x1b[?2026l"))
        terminal.until(b"bench")
        terminal.quiet(1)
        terminal.end()
        terminal = Terminal([LIVEOPS, "watch"], folder)
        warm.append(terminal.until(b"bench"))
        terminal.end()
    return statistics.median(cold), statistics.median(warm)


def keys(terminal):
    """Milliseconds from a key to what it paints."""
    times = []
    for n in range(KEYS):
        terminal.quiet(0.02)
        began = time.perf_counter()
        os.write(terminal.fd, b"j" if n % 50 < 25 else b"k")
        if terminal.read(2):
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return times


def at_rest(argv, folder, seconds, ready):
    terminal = Terminal(argv, folder)
    terminal.until(ready)
    terminal.quiet(8)
    before, began = terminal.cost(), time.perf_counter()
    sent = terminal.quiet(seconds)
    share = (terminal.cost() - before) / (time.perf_counter() - began) * 100
    peak = terminal.resident()
    terminal.end()
    return share, sent / seconds, peak


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config(folder, server.server_port, 0)
        cold, warm = first_frame(folder)
        rows += [("first frame, nothing remembered", f"{cold:.0f} ms", "120 ms"), ("first frame, warm", f"{warm:.0f} ms", "50 ms")]
        share, sent, peak = at_rest([LIVEOPS, "watch"], folder, seconds, b"Normal")
        rows += [("at rest", f"{share:.2f} % of a core", "0.3 %"), ("at rest, sent", f"{sent:.1f} B/s", "0 B/s"),
                 ("memory, small", f"{peak:.1f} MiB", "40 MiB")]
        if shutil.which("btop"):
            share, sent, peak = at_rest(["btop"], folder, seconds, b"\x1b[")
            rows.append(("btop at rest", f"{share:.2f} %, {sent:.0f} B/s, {peak:.1f} MiB", ""))
        Handler.alerts, Handler.hang = ALERTS, True
        config(folder, server.server_port, SERVICES)
        terminal = Terminal([LIVEOPS, "watch"], folder)
        terminal.until(b"Alert")
        times = keys(terminal)
        rows += [(f"key to paint, p50 of {len(times)}", f"{times[len(times) // 2]:.1f} ms", ""),
                 ("key to paint, p99", f"{times[len(times) * 99 // 100]:.1f} ms", "16 ms"),
                 (f"memory, {SERVICES} services, {ALERTS} alerts", f"{terminal.resident():.1f} MiB", "40 MiB")]
        terminal.end()
    print(f"load {os.getloadavg()[0]:.1f}")
    for what, value, target in rows:
        print(f"{what:<44} {value:<28} {target}")


if __name__ == "__main__":
    main()
