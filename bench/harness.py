"""What every measurement needs: tables, timed runs, interleaving, servers that are started and stopped."""

import contextlib
import os
import platform
import re
import socket
import statistics
import subprocess
import time
from pathlib import Path

MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parent.parent
# As it is shipped.
LIVEOPS = os.environ.get("LIVEOPS_BENCH") or str(ROOT / "target/dist/liveops")
RESULTS = ROOT / "bench/RESULTS.md"
# The part of the results that `bench/run --build` writes.
BUILD = "## The first build"
GUARDS = "## Operating characteristics of the guards"


def table(rows):
    """A Markdown table; the first row is its head."""
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    shown = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in rows]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return shown


def processor():
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
        if found:
            return found[1]
    return platform.machine()


class Row:
    """One line of the table. `met` is None where there is no target or no measurement."""

    def __init__(self, what, ours, against, theirs, ratio, target, met, note=""):
        self.cells = [what, ours, against, theirs, ratio, target]
        self.met = met
        self.note = note

    def columns(self):
        verdict = {True: "met", False: "missed", None: "–"}[self.met]
        return [*self.cells, verdict]


class Run:
    """A command that is timed: from before it is started until it has ended."""

    def __init__(self, argv, env, good=(0,), before=None):
        self.argv, self.env, self.good, self.before = argv, env, good, before
        self.times, self.user, self.system, self.peak = [], [], [], 0

    def once(self, keep=True):
        if self.before:
            self.before()
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        began = time.perf_counter_ns()
        pid = os.posix_spawnp(self.argv[0], self.argv, self.env, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        took = time.perf_counter_ns() - began
        os.close(null)
        code = os.waitstatus_to_exitcode(status)
        if code not in self.good:
            raise RuntimeError(f"`{' '.join(self.argv[:6])}` ended with {code}")
        if keep:
            self.times.append(took / 1e6)
            self.user.append(usage.ru_utime * 1e3)
            self.system.append(usage.ru_stime * 1e3)
            # KiB; it counts the pages of this process before the exec too, so it is never too low.
            self.peak = max(self.peak, usage.ru_maxrss * 1024)

    @property
    def median(self):
        return statistics.median(self.times)

    @property
    def spread(self):
        """Where the middle half of the runs lies."""
        low, _, high = statistics.quantiles(self.times, n=4)
        return f"{low:.0f} to {high:.0f} ms"

    @property
    def work(self):
        """What the processor did meanwhile."""
        return f"{statistics.median(self.user):.0f} ms in the program and {statistics.median(self.system):.0f} ms in the kernel"


def interleave(runs, times, warm=3):
    """Runs them in turn, so that what else the machine does meets all alike."""
    for _ in range(warm):
        for run in runs:
            run.once(keep=False)
    for _ in range(times):
        for run in runs:
            run.once()


def ms(value):
    return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def compared(what, ours, name, theirs, limit, target, note=""):
    """A row of two medians; `limit` is the highest ratio that meets the target."""
    ratio = ours / theirs
    met = None if limit is None else ratio <= limit
    return Row(what, ms(ours), name, ms(theirs), f"{ratio:.2f}×", target, met, note)


@contextlib.contextmanager
def running(argv, env, **options):
    process = subprocess.Popen(argv, env=env, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def until(question, what, seconds=30):
    """Asks until the answer is yes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if question():
                return
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not happen within {seconds} s")


def ask(port, path):
    """The body of one answer, over a bare socket."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.partition(b"\r\n\r\n")[2]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
