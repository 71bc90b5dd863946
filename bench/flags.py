"""Feature flags: reading one and listing thousands as a whole process, and deciding about millions of users."""

import contextlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

from harness import LIVEOPS, MIB, Row, Run, compared, free_port, interleave, running, until

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
PEERS = ROOT / "target/bench/peers"
NAME = "new_matchmaking"
# As the issue of every engine: one flag, ten per cent. The lists are what the services' flags have, too.
LISTED = 500
MANY = 10_000
IDS = 10_000_000
# The engines of npm need seconds for as many as this; their rate is what counts.
ENGINE_IDS = 1_000_000
ENGINES = ["flagd", "unleash", "growthbook"]


def definition():
    lists = {"allowlist": [f"tester-{n}" for n in range(LISTED)], "blocklist": [f"cheater-{n}" for n in range(LISTED)]}
    return {"enabled": True, "percentage": 10, **lists, "rules": [], "defaultValue": True}


def small():
    return {**definition(), "allowlist": ["tester-1"], "blocklist": []}


@contextlib.contextmanager
def redis_server(env, folder):
    """A server without data: its port, and the `redis-cli` that asks it; None where one of the two is not installed."""
    server, cli = shutil.which("redis-server"), shutil.which("redis-cli")
    if not server or not cli:
        yield None
        return
    port = str(free_port())
    quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning", "--dir", str(folder), "--bind", "127.0.0.1"]
    with running([server, "--port", port, *quiet], env, stdout=subprocess.DEVNULL):
        redis = [cli, "-p", port]
        ping = lambda: subprocess.run([*redis, "PING"], env=env, capture_output=True, check=False).stdout == b"PONG\n"
        until(ping, "redis-server's answer")
        yield port, redis


def write_flags(env, redis, flags):
    """Puts flags into the server, a hundred in each call."""
    names = list(flags)
    for start in range(0, len(names), 100):
        pairs = [part for name in names[start : start + 100] for part in (name, json.dumps(flags[name]))]
        subprocess.run([*redis, "HSET", "feature_flags", *pairs], env=env, capture_output=True, check=True)


def flag_get(env, folder, times):
    """`flag get` and what reads the same field without knowing what it means."""
    what = "`flag get` on loopback"
    with redis_server(env, folder) as found:
        if not found:
            return [Row(what, "–", "`redis-cli HGET`", "–", "–", "≤ 1.5×", None, "`redis-server` and `redis-cli` are not installed")]
        port, redis = found
        write_flags(env, redis, {NAME: small()})
        ours = Run([LIVEOPS, "flag", "get", NAME, "--redis", f"redis://127.0.0.1:{port}/0"], env)
        theirs = Run([*redis, "HGET", "feature_flags", NAME], env)
        interleave([ours, theirs], times)
    return [compared(what, ours.median, "`redis-cli HGET`", theirs.median, 1.5, "≤ 1.5×")]


def flag_list(env, folder, times):
    """`flag list` of many flags, and of a tenth of them: each with its audience, its last change and what lint finds."""
    what = f"`flag list` of {MANY:,} flags on loopback"
    with redis_server(env, folder) as found:
        if not found:
            return [Row(what, "–", "a tenth of a second", "–", "–", "≤ 100 ms", None, "`redis-server` and `redis-cli` are not installed")]
        port, redis = found
        tenth = MANY // 10
        write_flags(env, redis, {f"flag_{n:05}": small() for n in range(MANY)})
        write_flags(env, [*redis, "-n", "1"], {f"flag_{n:05}": small() for n in range(tenth)})
        argv = [LIVEOPS, "flag", "list", "--redis", f"redis://127.0.0.1:{port}"]
        many, few = (Run([*argv[:-1], f"{argv[-1]}/{db}"], env) for db in (0, 1))
        as_json = Run([*argv[:-1], f"{argv[-1]}/0", "-o", "json"], env)
        bare = Run([*redis, "HGETALL", "feature_flags"], env)
        interleave([many, few, as_json, bare], max(5, times // 2))
    work = f"it takes {many.work}; the middle half of the runs took {many.spread}"
    return [
        compared(what, many.median, "a tenth of a second", 100, 1, "≤ 100 ms", work),
        compared(what, many.median, f"of {tenth:,} flags", few.median, 10, "≤ 10×"),
        compared(what, many.median, "`redis-cli HGETALL` of the same", bare.median, None, "–"),
        compared("the same, as JSON", as_json.median, "as a list", many.median, None, "–"),
    ]


def write_ids(path, count):
    pick = random.Random(1)
    with path.open("w") as file:
        for _ in range(0, count, 1000):
            file.write("".join(f"player-{pick.randrange(10**9)}\n" for _ in range(1000)))


def rate(ids, seconds):
    return f"{ids / seconds / 1e6:.1f} M/s"


def node(script, *arguments):
    """What a peer's script says of its own loop."""
    argv = ["node", str(PEERS / script), *map(str, arguments)]
    return json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)


def install_peers():
    PEERS.mkdir(parents=True, exist_ok=True)
    for file in (BENCH / "peers").iterdir():
        shutil.copy(file, PEERS)
    shutil.copy(ROOT / "contrib/readers/feature-flags.mjs", PEERS)
    argv = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save"]
    return subprocess.run(argv, cwd=PEERS, check=False).returncode == 0


def bulk_eval(env, folder, times):
    """`flag eval` of many ids, as a whole process, and the own loops of others."""
    what = f"`flag eval --users`, {IDS // 10**6} million ids, one flag with {2 * LISTED} listed"
    if not shutil.which("node") or not shutil.which("npm"):
        return [Row(what, "–", "JavaScript engines", "–", "–", "≥ 5×, ≥ 20×", None, "`node` and `npm` are not installed")]
    installed = install_peers()
    flag = definition()
    (folder / "flags.json").write_text(json.dumps({NAME: flag}))
    (folder / "flag.json").write_text(json.dumps(flag))
    (folder / "flags.yaml").write_text('version: 1\nenvironments: { default: { flags: { url: "file:flags.json" } } }\n')
    ids, fewer, tenth = folder / "ids", folder / "fewer", folder / "tenth"
    write_ids(ids, IDS)
    write_ids(fewer, ENGINE_IDS)
    write_ids(tenth, IDS // 10)

    argv = [LIVEOPS, "flag", "eval", NAME, "--count", "-o", "json", "--config", str(folder / "flags.yaml"), "--users"]
    count = Run([*argv, str(ids)], env)
    small = Run([*argv, str(tenth)], env)
    rows_out = Run([LIVEOPS, "flag", "eval", NAME, "-o", "csv", "--config", str(folder / "flags.yaml"), "--users", str(ids)], env)
    wc = Run(["wc", "-l", str(ids)], env)
    few = max(5, times // 8)
    interleave([count, small, rows_out, wc], few, warm=1)
    ours = IDS / (count.median / 1e3)
    said = json.loads(subprocess.run([*argv, str(ids)], env=env, capture_output=True, check=True).stdout)["data"]

    def against(name, peer, target, least, note=""):
        theirs = peer["ids"] / peer["seconds"]
        ratio = ours / theirs
        met = None if least is None else ratio >= least
        return Row(what, rate(IDS, count.median / 1e3), name, rate(peer["ids"], peer["seconds"]), f"{ratio:.1f}×", target, met, note)

    reader = node("reader.mjs", folder / "flag.json", ids)
    if reader["on"] != said["on"]:
        raise RuntimeError(f"liveops says {said['on']} are on, the reader {reader['on']}")
    rows = [
        against(
            "the JS reader's loop on Node",
            reader,
            "≥ 5×",
            5,
            f"liveops' whole process, start-up and file included, against a loop over the lines of the same file; both say that"
            f" {said['on']} are on. With the ids in memory already, the reader's loop alone does {rate(reader['ids'], reader['bare_seconds'])}",
        )
    ]
    if installed:
        engines = {name: node("engine.mjs", name, fewer) for name in ENGINES}
        best = max(engines, key=lambda name: engines[name]["ids"] / engines[name]["seconds"])
        shares = ", ".join(
            f"{name} {rate(said['ids'], said['seconds'])} ({said['on'] / said['ids']:.1%} on)" for name, said in engines.items()
        )
        rows.append(
            against(
                f"{best}, the best of npm",
                engines[best],
                "≥ 20×",
                20,
                f"the engines' own loops over {ENGINE_IDS:,} ids in memory, 10 % and no lists: {shares}",
            )
        )
    else:
        rows.append(Row(what, "–", "the best of npm", "–", "–", "≥ 20×", None, "npm could not install the engines"))
    rows += [
        compared(what, count.median, "`wc -l` of the same file", wc.median, None, "–", "reading the file is the floor"),
        compared("the same, a CSV row for each", rows_out.median, "only counted", count.median, None, "–"),
        Row(
            f"{what}: peak memory",
            f"{count.peak / MIB:.1f} MiB",
            "of a tenth of the ids",
            f"{small.peak / MIB:.1f} MiB",
            f"{count.peak / small.peak:.2f}×",
            "≤ 1.1×",
            count.peak <= small.peak * 1.1,
        ),
    ]
    return rows


if __name__ == "__main__":
    sys.exit("run bench/run")
