#!/usr/bin/env python3
"""`report dora` beside the test snapshots of Apache DevLake's DORA plugin: failures, lead times, what came before what.

usage: bench/devlake.py FOLDER      backend/plugins/dora/e2e of a checkout of apache/incubator-devlake

Nothing is fetched. Deployments and incidents are fed to liveops as its own journals, commits as git repositories; what
DevLake puts down is told beside what liveops says, and each difference with its reason. Ends with 1 where one has none.
"""

import csv
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

LIVEOPS = os.path.abspath(os.environ.get("LIVEOPS", "target/release/liveops"))
# Longer than any of its incidents is after a deployment: DevLake takes the last success, however long ago.
EVER = "3650d"


def rows(folder, path):
    with (pathlib.Path(folder) / path).open() as file:
        return list(csv.DictReader(file))


def instant(text):
    """Its times: ISO 8601, or `2022-1-11 4:51:47`, all of UTC."""
    if "T" in text:
        return datetime.datetime.fromisoformat(text)
    day, time = text.split(" ")
    parts = [int(part) for part in [*day.split("-"), *time.split(":")]]
    return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)


def written(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Project:
    """A project of its own in a folder, in which liveops runs at the time that is asked for."""

    def __init__(self, folder, service):
        self.folder, self.service = folder, service
        folder.mkdir(parents=True)
        (folder / "liveops.yaml").write_text(f"version: 1\nenvironments: {{ prod: {{}} }}\nservices: [{{ name: {service} }}]\n")

    def run(self, now, *args):
        env = {**os.environ, "LIVEOPS_CONFIG": str(self.folder / "liveops.yaml"), "LIVEOPS_NOW": written(now),
               "XDG_STATE_HOME": str(self.folder / "state"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        done = subprocess.run([LIVEOPS, *args], cwd=self.folder, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def deploy(self, at, version, commit=None):
        by = ["--commit", commit] if commit else []
        self.run(at, "changes", "record", "--kind", "deploy", "--service", self.service, "--version", version, *by)

    def dora(self, now, *args):
        text = self.run(now, "report", "dora", "--since", "365d", "--explain", "-o", "json", *args)
        return json.loads(text)["data"]["services"][0]


def mapped(folder, path, table):
    return {row["row_id"] for row in rows(folder, path) if row["table"] == table and row["project_name"] == "project1"}


def succeeded(deployments, scopes):
    return [one for one in deployments if one["cicd_scope_id"] in scopes and one["result"] == "SUCCESS" and one["environment"] == "PRODUCTION"]


def failures(folder, home):
    """Which incident is put down to which pipeline."""
    base = "connect_incident_to_deployment"
    mapping = f"{base}/raw_tables/project_mapping.csv"
    ours = succeeded(rows(folder, f"{base}/prev_success_deployment_commit/cicd_deployment_commits_after.csv"), mapped(folder, mapping, "cicd_scopes"))
    finished = {}
    for one in ours:
        # A pipeline that deploys two repositories: an incident is put down to it from the first of the two on.
        at, pipeline = instant(one["finished_date"]), one["cicd_deployment_id"]
        finished[pipeline] = min(at, finished.get(pipeline, at))
    project = Project(home / "failures", "project1")
    for pipeline, at in sorted(finished.items(), key=lambda pair: pair[1]):
        project.deploy(at, pipeline)
    ids = {}
    incidents = [one for one in rows(folder, f"{base}/raw_tables/incidents.csv") if one["scope_id"] in mapped(folder, mapping, one["table"])]
    for one in sorted(incidents, key=lambda one: instant(one["created_date"])):
        at, name = instant(one["created_date"]), one["id"].rsplit(":", 1)[1]
        project.run(at, "incident", "open", "--sev", "p3", "--title", name, "--service", "project1", "--yes")
        ids[name] = one["id"]
    told = project.dora(datetime.datetime(2022, 12, 1, tzinfo=datetime.timezone.utc), "--within", EVER)
    wanted = {one["id"]: one["deployment_id"] for one in rows(folder, f"{base}/snapshot_tables/project_incident_deployment_relationships.csv")}
    return told, wanted, ids, finished


def repository(folder, lines):
    """A git repository: `lines` are (name, seconds, parents); gives the hashes by name."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "-C", folder, "init", "-q"], check=True)
    marks = {name: place for place, (name, _, _) in enumerate(lines, 1)}
    text = ""
    for name, at, parents in lines:
        text += f"commit refs/heads/main\nmark :{marks[name]}\ncommitter a <a@example.org> {at} +0000\ndata {len(name)}\n{name}\n"
        text += "".join(f"{'from' if place == 0 else 'merge'} :{marks[parent]}\n" for place, parent in enumerate(parents)) + "\n"
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet", "--force", f"--export-marks={folder}/marks"], input=text.encode(), check=True)
    hashes = dict(line.split() for line in (folder / "marks").read_text().splitlines())
    return {name: hashes[f":{place}"] for name, place in marks.items()}


def lead_times(folder, home):
    """For each pull request that is in its snapshot: DevLake's minutes from the first commit to production, and ours."""
    base = "change_lead_time"
    pulls = {one["merge_commit_sha"]: one for one in rows(folder, f"{base}/pull_requests.csv")}
    commits = rows(folder, f"{base}/pull_request_commits.csv")
    diffs = rows(folder, f"{base}/commits_diffs.csv")
    deployments = succeeded(rows(folder, f"{base}/cicd_deployment_commits.csv"), mapped(folder, f"{base}/project_mapping.csv", "cicd_scopes"))
    seconds = lambda text: int(instant(text).timestamp())
    ours = {}
    for number, repo in enumerate(sorted({one["repo_url"] for one in deployments})):
        # Of one scope: another one deploys other branches of the same repository, which its snapshot does not join.
        line = sorted((one for one in deployments if one["repo_url"] == repo and one["cicd_scope_id"] == "cicd1"), key=lambda one: instant(one["finished_date"]))
        tree, before = [("root", 0, [])], "root"
        for one in line:
            for diff in diffs:
                if diff["new_commit_sha"] == one["commit_sha"] and diff["commit_sha"] in pulls:
                    pull = pulls[diff["commit_sha"]]
                    own = sorted((each for each in commits if each["pull_request_id"] == pull["id"]), key=lambda each: instant(each["commit_authored_date"]))
                    tip = before
                    for each in own:
                        tree.append((each["commit_sha"], seconds(each["commit_authored_date"]), [tip]))
                        tip = each["commit_sha"]
                    tree.append((diff["commit_sha"], seconds(pull["merged_date"]), [before, tip]))
                    before = diff["commit_sha"]
            tree.append((one["commit_sha"], seconds(one["finished_date"]), [before]))
            before = one["commit_sha"]
        if not line:
            continue
        hashes = repository(home / f"repository{number}", tree)
        project = Project(home / f"lead{number}", "project1")
        for one in line:
            project.deploy(instant(one["finished_date"]), one["id"], hashes[one["commit_sha"]])
        told = project.dora(datetime.datetime(2023, 5, 1, tzinfo=datetime.timezone.utc), "--repository", str(home / f"repository{number}"))
        ours[repo] = (told, {value: key for key, value in hashes.items()}, line)
    return rows(folder, f"{base}/project_pr_metrics.csv"), commits, ours


def before_what(folder, home):
    """Which success each deployment follows: the commit before those that came to production with it."""
    base = "prev_success_deployment_commit"
    scopes = mapped(folder, f"{base}/project_mapping.csv", "cicd_scopes")
    all_of = [one for one in rows(folder, f"{base}/cicd_deployment_commits_before.csv") if one["cicd_scope_id"] in scopes and one["environment"] == "PRODUCTION"]
    ours = {}
    for number, key in enumerate(sorted({(one["cicd_scope_id"], one["repo_url"]) for one in all_of})):
        line = sorted((one for one in all_of if (one["cicd_scope_id"], one["repo_url"]) == key), key=lambda one: instant(one["finished_date"]))
        names = [one["id"] for one in line]
        tree = [(name, int(instant(one["finished_date"]).timestamp()), names[:place][-1:]) for place, (name, one) in enumerate(zip(names, line))]
        hashes = repository(home / f"line{number}", tree)
        project = Project(home / f"before{number}", "project1")
        done = [one for one in line if one["result"] == "SUCCESS"]
        for one in done:
            project.deploy(instant(one["finished_date"]), one["id"], hashes[one["id"]])
        told = project.dora(datetime.datetime(2022, 12, 1, tzinfo=datetime.timezone.utc), "--repository", str(home / f"line{number}"))
        for one in done:
            came = [names.index(item["subject"]) for item in told["lead_time"]["items"] if item["deployment"] == f"project1@{one['id']}"]
            ours[one["id"]] = names[min(came) - 1] if came else ""
    after = rows(folder, f"{base}/cicd_deployment_commits_after.csv")
    return ours, {one["id"]: one["prev_success_deployment_commit_id"] for one in after if one["id"] in ours}


class Verdict:
    """Counts what is equal, what differs for a reason, and what differs without one."""

    def __init__(self):
        self.equal, self.explained, self.wrong = 0, 0, 0

    def compare(self, what, ours, theirs, reason=None):
        if ours == theirs:
            self.equal += 1
            return
        self.explained += reason is not None
        self.wrong += reason is None
        print(f"  {what}: liveops {ours}, DevLake {theirs}: {reason or 'NO REASON IS KNOWN'}")


def compare_failures(verdict, folder, home):
    told, wanted, ids, pipelines = failures(folder, home)
    linked = {}
    for one in told["change_fail_rate"]["items"]:
        for why in one["because"]:
            linked[ids[why.rsplit("-", 1)[1]]] = one["version"]
    for incident in sorted({*wanted, *linked}):
        verdict.compare(f"deployment of incident {incident}", linked.get(incident), wanted.get(incident))
    verdict.compare("deployments", told["deployment_frequency"]["n"], len(pipelines))
    verdict.compare("failed", round(told["change_fail_rate"]["share_with_inferred"], 6), round(len(set(wanted.values())) / len(pipelines), 6))


def compare_lead_times(verdict, folder, home):
    wanted, commits, ours = lead_times(folder, home)
    came = {}
    for told, _, line in ours.values():
        finished = {f"project1@{one['id']}": one for one in line}
        for item in told["lead_time"]["items"]:
            came[item["subject"]] = (finished[item["deployment"]]["id"], item["seconds"])
    for one in wanted:
        own = [came[each["commit_sha"]] for each in commits if each["pull_request_id"] == one["id"] and each["commit_sha"] in came]
        late = instant(one["pr_merged_date"]) > instant(one["pr_deployed_date"]) if one["pr_deployed_date"] else False
        verdict.compare(f"deployment of {one['id']}", own[0][0] if own else "", one["deployment_commit_id"])
        if not own:
            continue
        # DevLake rounds each of its three parts up to a minute.
        minutes, theirs = max(each[1] for each in own) / 60, int(one["pr_cycle_time"])
        reason = None
        if late:
            reason = "merged after it was deployed: DevLake leaves the way to production out; liveops counts from commit to production"
        elif not one["pr_coding_time"]:
            reason = "its first commit is younger than the pull request: DevLake counts from the request, liveops from the commit"
        verdict.compare(f"minutes from the first commit of {one['id']} to production", theirs if 0 <= theirs - minutes < 3 else round(minutes, 1), theirs, reason)


def compare_generated(verdict, folder):
    """Which pipelines are deployments at all: DevLake infers it from CI jobs, liveops is told (`changes record`) what
    reached production, and counts a pipeline that failed before as no deployment."""
    generated = rows(folder, "deployment_generator/cicd_deployment_commits.csv")
    scopes = mapped(folder, "deployment_generator/project_mapping.csv", "cicd_scopes")
    told = [one for one in rows(folder, "deployment_generator/cicd_pipelines.csv") if one["type"] == "DEPLOYMENT"]
    verdict.compare("successful deployments of the generated ones", len(succeeded(told, scopes)), len(succeeded(generated, scopes)))
    verdict.compare("generated deployments", len(succeeded(told, scopes)), len(generated), "DevLake keeps pipelines that failed or name no environment; liveops calls none of them a deployment to production")


def main(folder):
    verdict = Verdict()
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        compare_failures(verdict, folder, home)
        compare_lead_times(verdict, folder, home)
        ours, theirs = before_what(folder, home)
        for one in sorted(theirs, key=int):
            verdict.compare(f"success before deployment {one}", ours[one], theirs[one])
    compare_generated(verdict, folder)
    print(f"{verdict.equal} figures equal, {verdict.explained} different for the reason that is told, {verdict.wrong} without one")
    print("not compared: raw_tables and snapshot_tables, which none of its tests reads")
    return verdict.wrong > 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
