#!/usr/bin/env python3
"""Replays public histories of migrations on a real PostgreSQL, and compares `liveops check migration` (and squawk, where it
is installed) with what the server did: which statements work on every row of a table that was there before.

    bench/migrations.py LIVEOPS FOLDER [--squawk PROGRAM]

FOLDER holds a folder a project, each with the folder of its migrations somewhere below. Needs psycopg, and PostgreSQL's
programs; as root the server runs as `nobody`. The session's time zone is not UTC: what is free under UTC alone is not free.
"""

import argparse, collections, json, os, pathlib, re, shutil, socket, subprocess, sys, tempfile, time

import psycopg

WORK = re.compile(r'(rewriting table|verifying table) "([^"]+)"|(building index) "[^"]+" on table "([^"]+)"|(validating foreign key constraint) "([^"]+)"')
SQUAWK_RULES = {
    "adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field", "adding-serial-primary-key-field",
    "changing-column-type", "constraint-missing-not-valid", "disallowed-unique-constraint", "require-concurrent-index-creation",
    "adding-required-field", "adding-exclusion-constraint",
}


def server(folder):
    binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    data = pathlib.Path(folder) / "data"
    if user:
        os.chown(folder, 65534, 65534)
        os.chmod(folder, 0o755)
    subprocess.run(user + [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"], check=True, stdout=subprocess.DEVNULL)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    options = [f"-cport={port}", "-clisten_addresses=127.0.0.1", "-cunix_socket_directories=", "-cfsync=off", "-ctimezone=Europe/Berlin", "-cfull_page_writes=off"]
    child = subprocess.Popen(user + [binaries / "postgres", "-D", data] + options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres").close()
            return child, port
        except psycopg.OperationalError:
            time.sleep(0.1)
    sys.exit("the server does not start")


def replay(port, project, statements):
    """What the server did: for each statement its works on tables that were there before the file; None where it failed."""
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname=postgres", autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{project}"')
        admin.execute(f'CREATE DATABASE "{project}"')
    truth, errors = [], []
    with psycopg.connect(f"host=127.0.0.1 port={port} user=postgres dbname={project}", autocommit=True) as db:
        notices = []
        db.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        db.execute("SET client_min_messages = debug1")
        file, before = None, set()
        for one in statements:
            if one["file"] != file:
                file = one["file"]
                if db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    db.execute("ROLLBACK")
                # A migration may set what outlives it; the next one has a connection of its own.
                db.execute("RESET ALL")
                db.execute("SET client_min_messages = debug1")
                before = {row[0] for row in db.execute("SELECT oid FROM pg_class WHERE relkind IN ('r', 'p', 'm')").fetchall()}
            names = dict(db.execute("SELECT relname, oid FROM pg_class WHERE relkind IN ('r', 'p', 'm')").fetchall()) if db.info.transaction_status != psycopg.pq.TransactionStatus.INERROR else {}
            notices.clear()
            try:
                db.execute(one["statement"])
            except psycopg.Error as error:
                errors.append((one["file"], one["line"], str(error).split("\n")[0]))
                truth.append(None)
                continue
            if "client_min_messages" in one["statement"]:
                db.execute("SET client_min_messages = debug1")
            works = set()
            for text in list(notices):
                found = WORK.search(text)
                if not found:
                    continue
                if found[1]:
                    kind, table = found[1].split()[0], found[2]
                elif found[3]:
                    kind, table = "building", found[4]
                else:
                    rows = db.execute("SELECT conrelid::regclass::text, conrelid FROM pg_constraint WHERE conname = %s AND contype = 'f'", (found[6],)).fetchall()
                    if any(row[1] in before for row in rows):
                        works.add("validating")
                    continue
                if table.startswith("pg_"):
                    continue
                if names.get(table) in before:
                    works.add(kind)
            truth.append(works)
    return truth, errors


def squawk(program, files, statements):
    """Lines of findings, by file."""
    began = time.monotonic()
    run = subprocess.run([program, "--reporter", "json", "--assume-in-transaction", *files], capture_output=True, text=True)
    took = time.monotonic() - began
    by_file = collections.defaultdict(list)
    failed = set()
    for one in json.loads(run.stdout or "[]"):
        failed.add(one["file"])
        if one["rule_name"] in SQUAWK_RULES:
            by_file[one["file"]].append(one["line"] + 1)
    hits = set()
    lines = collections.defaultdict(list)
    for n, one in enumerate(statements):
        lines[one["file"]].append((one["line"], n))
    for file, found in by_file.items():
        for line in found:
            before = [n for at, n in lines.get(file, []) if at <= line]
            if before:
                hits.add(max(before))
    return hits, failed, took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("liveops")
    parser.add_argument("folder")
    parser.add_argument("--squawk")
    parser.add_argument("--show", type=int, default=0, help="print so many of what differs")
    args = parser.parse_args()
    args.squawk = args.squawk and os.path.abspath(args.squawk)
    folder = tempfile.mkdtemp(prefix="liveops-migrations-")
    child, port = server(folder)
    total = collections.Counter()
    took = 0.0
    env = {"PATH": os.environ["PATH"], "HOME": folder}
    try:
        for project in sorted(os.listdir(args.folder)):
            path = os.path.join(args.folder, project)
            began = time.monotonic()
            run = subprocess.run([os.path.abspath(args.liveops), "check", "migration", ".", "--dialect", "postgres", "--target-version", "15", "-o", "json"], cwd=path, env=env, capture_output=True, text=True)
            took += time.monotonic() - began
            if run.returncode not in (0, 1):
                print(project, run.stderr)
                continue
            data = json.loads(run.stdout)["data"]
            statements = data["statements"]
            truth, errors = replay(port, project.replace("-", "_"), statements)
            failing = {one["file"] for one in data["findings"] if one["level"] in ("BLOCKER", "HIGH")}
            count = collections.Counter(statements=len(statements), files=data["checked"]["migrations"], failed=len(failing), errors=len(errors))
            hits = set()
            if args.squawk:
                names = sorted({one["file"] for one in statements})
                here = os.getcwd()
                os.chdir(path)
                hits, failed, seconds = squawk(args.squawk, names, statements)
                os.chdir(here)
                count["squawk failed"] = len(failed)
                total["squawk ms"] += int(seconds * 1000)
            for n, (one, works) in enumerate(zip(statements, truth)):
                count["unknown"] += one["work"] == "unknown"
                if works is None or re.match(r"(?i)truncate|.*concurrently", one["statement"]):
                    continue
                danger = bool(works)
                dml = re.match(r"(?i)\s*(update|delete|insert|select|with|merge|copy|refresh|create (materialized|table|temp|temporary))\b", one["statement"])
                dml = dml or re.match(r"(?i)do\b(?!.*\b(alter|index)\b)", one["statement"].replace("\n", " "))
                said = one["work"] not in ("none", "unknown") and not (dml and not danger)
                count["danger"] += danger
                kind = ("tp" if said else "unknown danger" if one["work"] == "unknown" else "fn") if danger else ("fp" if said else "tn")
                count[kind] += 1
                if args.squawk:
                    count["squawk " + (("tp" if n in hits else "fn") if danger else ("fp" if n in hits else "tn"))] += 1
                if kind in ("fn", "fp") and total["shown"] < args.show:
                    total["shown"] += 1
                    print(f"{kind} {one['file']}:{one['line']} {sorted(works)} {one['work']} | {one['statement'][:200]}")
            if args.show:
                for error in errors[:5]:
                    print("error", *error)
                for one in data["unknown"][:8]:
                    print("unknown", one["subject"], one["why"][:150])
            print(project, dict(count), flush=True)
            total.update(count)
    finally:
        child.terminate()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    tp, fp, fn = total["tp"], total["fp"], total["fn"]
    print(f"liveops: precision {tp / max(tp + fp, 1):.3f} recall {tp / max(tp + fn, 1):.3f} unknown {total['unknown'] / max(total['statements'], 1):.3%} files failed {total['failed']} of {total['files']} ({total['failed'] / max(total['files'], 1):.1%}) in {took:.2f} s")
    if args.squawk:
        tp, fp, fn = total["squawk tp"], total["squawk fp"], total["squawk fn"]
        print(f"squawk:  precision {tp / max(tp + fp, 1):.3f} recall {tp / max(tp + fn, 1):.3f} files failed {total['squawk failed']} in {total['squawk ms'] / 1000:.2f} s")
    print(dict(total))


main()
