"""Measures the speed of liveops: every row is a ratio of medians of interleaved runs, never a time of its own.

Run it by `bench/run`, which builds what is needed. A row that cannot be measured says why.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import alerts
import flags
import incidents
import reports
import listener
import suspects
import rollouts
from harness import BUILD, LIVEOPS, MIB, RESULTS, ROOT, Row, Run, ask, compared, free_port, interleave, ms, processor, running, table, until

SLOW_SERVER = str(ROOT / "target/bench/slow_server")
ENDPOINTS = 200
DELAY_MS = 100
# How each peer says its version, which is the least that it can do.
PEERS = {
    "redis-cli": ["--version"],
    "curl": ["--version"],
    "amtool": ["--version"],
    "promtool": ["--version"],
    "kubectl": ["version", "--client"],
}


def ask_all(ports, path):
    """How long bare sockets need for one answer of each port, all at once, in ms."""
    began = time.perf_counter()
    poll = select.epoll()
    waiting = {}
    for port in ports:
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", port))
        waiting[connection.fileno()] = connection
        poll.register(connection.fileno(), select.EPOLLOUT)
    while waiting:
        for fd, events in poll.poll(5):
            connection = waiting[fd]
            if events & select.EPOLLOUT:
                connection.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                poll.modify(fd, select.EPOLLIN)
            elif not connection.recv(65536):
                poll.unregister(fd)
                waiting.pop(fd).close()
    return (time.perf_counter() - began) * 1000


def start_up(env, times):
    """The least that each program can do: say its version."""
    ours = Run([LIVEOPS, "--version"], env)
    found = {name: shutil.which(name) for name in PEERS}
    theirs = {name: Run([path, *PEERS[name]], env) for name, path in found.items() if path}
    interleave([ours, *theirs.values()], times)
    rows = []
    for name, arguments in PEERS.items():
        what = "start-up, `liveops --version`"
        command = f"`{name} {' '.join(arguments)}`"
        if name in theirs:
            rows.append(compared(what, ours.median, command, theirs[name].median, 1, "faster"))
        else:
            rows.append(Row(what, ms(ours.median), command, "–", "–", "faster", None, f"`{name}` is not installed"))
    return rows


def many_endpoints(env, folder, times):
    """`status` over many slow health APIs."""
    server = [SLOW_SERVER, str(ENDPOINTS), str(DELAY_MS)]
    with running(server, env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        ports = [int(port) for port in process.stdout.readline().split()]
        config = ["version: 1", "services:"]
        config += [
            f"  - {{ name: service-{number:03}, health: {{ url: \"http://127.0.0.1:{port}\" }} }}"
            for number, port in enumerate(ports)
        ]
        (folder / "many.yaml").write_text("\n".join(config) + "\n")
        (folder / "one.yaml").write_text("\n".join(config[:3]) + "\n")
        urls = [f"http://127.0.0.1:{port}/api/health" for port in ports]
        lines = [f'url = "{url}"\noutput = "{os.devnull}"' for url in urls]
        (folder / "curl.conf").write_text("\n".join(lines) + "\n")

        status = [LIVEOPS, "status", "--config"]
        # The first look also tries each service's usual metrics path, and remembers that it is not there.
        cache = folder / "cache"
        first = Run([*status, str(folder / "many.yaml")], env, before=lambda: shutil.rmtree(cache, ignore_errors=True))
        many = Run([*status, str(folder / "many.yaml")], env)
        one = Run([*status, str(folder / "one.yaml")], env)
        curl = ["curl", "--silent", "--output", os.devnull]
        curl_one = Run([*curl, urls[0]], env)
        parallel = ["--parallel", "--parallel-immediate", "--parallel-max", str(ENDPOINTS)]
        curl_many = Run(["curl", "--silent", *parallel, "--config", str(folder / "curl.conf")], env)

        ask(ports[0], "/peak")
        floors = [ask_all(ports, "/api/health") for _ in range(times)]
        bare_peak = int(ask(ports[0], "/peak"))
        interleave([first, many, one, curl_one, curl_many], times)
        for run in (first, many, curl_many):
            ask(ports[0], "/peak")
            run.once(keep=False)
            run.waited = int(ask(ports[0], "/peak"))
    floor = statistics.median(floors)
    what = f"`status`, {ENDPOINTS} health APIs of {DELAY_MS} ms"
    trust = (
        f"the stand-in is not what limits: it answers {ENDPOINTS} bare sockets in {ms(floor)}, {bare_peak} of them waiting"
        f" at once; of `status` {many.waited} requests waited at once, of its very first look {first.waited}, of curl"
        f" {curl_many.waited}. What `status` takes above the delay is the work of {ENDPOINTS} connections on one core:"
        f" {many.work}; curl: {curl_many.work}. The middle half of the runs took {many.spread}, of curl's {curl_many.spread}"
    )
    peak = max(first.peak, many.peak) / MIB
    return [
        compared(what, many.median, "one endpoint's delay", DELAY_MS, 1.25, "≤ 1.25×", trust),
        compared(what, many.median, "`status` of one", one.median, None, "–"),
        compared(what, many.median, f"`curl -Z --parallel-max {ENDPOINTS}`", curl_many.median, 0.95, "≤ 0.95×"),
        compared(
            f"{what}, the very first look",
            first.median,
            "the later ones",
            many.median,
            None,
            "–",
            "the first look also tries the usual metrics path of each, which is not there",
        ),
        compared("`status`, one health API", one.median, "`curl` of the same", curl_one.median, None, "–"),
        Row(f"{what}: peak memory", f"{peak:.1f} MiB", "–", "–", "–", "≤ 30 MiB", peak <= 30),
    ]


@contextlib.contextmanager
def demo_service(env, folder):
    """The embedded demo as a service that is there: its port, and a configuration with its KPIs."""
    port = free_port()
    with running([LIVEOPS, "demo", "--keep", "--port", str(port)], env, stdout=subprocess.PIPE, text=True) as process:
        workspace = None
        for line in process.stdout:
            found = re.search(r"cd (\S+)", line)
            if found:
                workspace = Path(found[1])
                break
        if workspace is None:
            raise RuntimeError("the demo did not say where its folder is")
        shutil.copy(workspace / "liveops.yaml", folder / "scrape.yaml")
        yield port


def scrape_path(env, folder, times):
    """KPIs from the service's own metrics: the first look has nothing to compare with, and waits a second."""
    cache = folder / "no-cache"
    argv = [LIVEOPS, "status", "--fail-on", "never", "--config", str(folder / "scrape.yaml")]
    with demo_service(env, folder):
        forget = lambda: shutil.rmtree(cache, ignore_errors=True)
        cold = Run(argv, {**env, "XDG_CACHE_HOME": str(cache)}, good=(0, 3), before=forget)
        cached = Run(argv, env, good=(0, 3))
        interleave([cold, cached], times)
    what = "`status`, 10 KPIs scraped, with an earlier scrape"
    return [compared(what, cached.median, "the very first scrape", cold.median, None, "–")]


def real_prometheus(env, folder, times):
    """KPIs from a Prometheus that scrapes the demo."""
    what = "`status`, 10 KPIs of Prometheus"
    server = shutil.which("prometheus")
    if not server:
        return [Row(what, "–", "`curl` of one query", "–", "–", "–", None, "`prometheus` is not installed")]
    port = free_port()
    with demo_service(env, folder) as service:
        target = f"{{ job_name: game-backend, metrics_path: /api/health/metrics, static_configs: [{{ targets: ['127.0.0.1:{service}'] }}] }}"
        (folder / "prometheus.yml").write_text(f"global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - {target}\n")
        url = f"http://127.0.0.1:{port}"
        argv = [
            server,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        with running(argv, env, stderr=subprocess.DEVNULL):
            seen = "/api/v1/query?query=count_over_time(game_active_players[1m])>4"
            until(lambda: json.loads(ask(port, seen))["data"]["result"], "a few scrapes by Prometheus")
            status = [LIVEOPS, "status", "--fail-on", "never", "--config", str(folder / "scrape.yaml")]
            ours = Run([*status, "--prometheus", url], env, good=(0, 3))
            curl = Run(["curl", "--silent", "--fail", "--data-urlencode", "query=up", f"{url}/api/v1/query"], env)
            interleave([ours, curl], times)
    return [compared(what, ours.median, "`curl` of one query", curl.median, None, "–")]


def versions(env):
    """What each peer says it is."""
    lines = []
    for name, arguments in {**PEERS, "prometheus": ["--version"]}.items():
        path = shutil.which(name)
        if not path:
            lines.append(f"- {name}: not installed")
            continue
        done = subprocess.run([path, *arguments], env=env, capture_output=True, text=True, check=False)
        said = re.search(r"v?\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
        lines.append(f"- {name}: {said[0] if said else 'unknown version'}")
    return lines


def write_results(rows, times, env):
    head = ["what", "liveops", "against", "which takes", "ratio", "target", "result"]
    shown = table([head, *(row.columns() for row in rows)])
    notes = [f"- {row.cells[0]} against {row.cells[2]}: {row.note}" for row in rows if row.note]
    missed = sum(row.met is False for row in rows)
    version = subprocess.run([LIVEOPS, "--version"], env=env, capture_output=True, text=True, check=True)
    text = [
        "# Speed",
        "",
        "Written by `bench/run`. Medians of interleaved runs in one go; what counts is the ratio, since both sides had",
        "the same machine in the same minutes.",
        "",
        f"- date: {datetime.date.today().isoformat()}",
        f"- {version.stdout.strip()}, dist build, {Path(LIVEOPS).stat().st_size / MIB:.1f} MiB",
        f"- processor: {processor()}, {os.cpu_count()} cores; {platform.system()} {platform.machine()}",
        f"- runs: {times} of each",
        *versions(env),
        "",
        *shown,
        "",
        f"Targets missed: {missed or 'none'}." + (" The notes say why." if missed else ""),
    ]
    if notes:
        text += ["", *notes]
    # The other part stays as it is.
    _, heading, build = RESULTS.read_text().partition(BUILD) if RESULTS.exists() else ("", "", "")
    if heading:
        text += ["", (heading + build).rstrip()]
    RESULTS.write_text("\n".join(text) + "\n")
    print("\n".join(shown))
    for note in notes:
        print(note)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="WORD", help="measure only what has this word in its name, and write nothing")
    parser.add_argument("--runs", type=int, default=41, help="of each command (default 41)")
    args = parser.parse_args()
    times = args.runs
    with tempfile.TemporaryDirectory(prefix="liveops-bench-") as name:
        folder = Path(name)
        # Nothing of the user's configuration, cache or locale takes part.
        env = {"PATH": os.environ["PATH"], "HOME": name, "TMPDIR": name, "LANG": "C.UTF-8", "COLUMNS": "100"}
        env.update({f"XDG_{kind}_HOME": f"{name}/{kind.lower()}" for kind in ("CONFIG", "STATE", "CACHE")})
        parts = [start_up, many_endpoints, scrape_path, real_prometheus, alerts.firing, alerts.many]
        parts += [flags.flag_get, flags.flag_list, flags.bulk_eval, incidents.measure, listener.measure, rollouts.rollouts, suspects.measure, reports.measure]
        rows = []
        if args.only:
            parts = [part for part in parts if args.only in f"{part.__module__}.{part.__name__}"]
        for part in parts:
            print(f"measuring: {part.__doc__.partition(':')[0].rstrip('.')}", file=sys.stderr)
            rows += part(env, times) if part is start_up else part(env, folder, times)
        if args.only:
            print("\n".join(table([["what", "liveops", "against", "which takes", "ratio", "target", "result"], *(row.columns() for row in rows)])))
            print("\n".join(f"- {row.cells[0]}: {row.note}" for row in rows if row.note))
        else:
            write_results(rows, times, env)


if __name__ == "__main__":
    main()
