#!/usr/bin/env python3
"""Every packet that reach shows of rules of real hosts, given to trace as it is printed.

    witnesses.py PROGRAM

Each is taken; and one of a certain row gets in, to where the row says. Every fourth of the dumps in the folder that
PEERWALL_CORPUS names, those with few rules.
"""
import csv
import json
import os
import subprocess
import sys

RULES_MOST = 300
EVERY = 4


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout) if done.stdout.startswith("{") else None, done.stderr


def dumps(corpus):
    with open(os.path.join(corpus, "INDEX.tsv"), newline="") as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)
                if "ok" in (row["load_nft"], row["load_legacy"]) and int(row["rules"]) <= RULES_MOST]
    for row in rows[::EVERY]:
        yield "--snapshot" + row["family"][1:], os.path.join(corpus, row["path"])


def is_left_open(packet):
    """The sets leave open what sysctls decide, and addresses that nobody routes; the tracer does not, or says that nobody knows."""
    source, destination = packet["source"], packet["destination"]
    return destination.startswith(("127.", "0.")) or destination == "::1" or source.startswith("fe80:")


def fault(row, trace):
    """What is wrong, or None."""
    ends = [path["forwarded"] for path in trace["paths"] if path["verdict"] == "accepted"]
    packet, verdict = trace["packet"], trace["verdict"]
    if not row["certain"] or trace["truncated"]:
        return None
    if is_left_open(packet):
        return None
    # By which interface it leaves what DNAT has turned, a packet cannot say.
    if verdict != "accepted" and not (row["end"] == "translated" and verdict == "undecided" and ends):
        return verdict
    if row["end"] != "translated" and any(end != (row["end"] == "forwarded") for end in ends):
        return "ends elsewhere"
    return None


def main():
    program, corpus = sys.argv[1], os.environ.get("PEERWALL_CORPUS", "")
    if not os.path.isfile(os.path.join(corpus, "INDEX.tsv")):
        print("skipped: witnesses: PEERWALL_CORPUS names no folder with an INDEX.tsv")
        return 1 if os.environ.get("CI") == "true" else 77
    count = failed = 0
    for option, path in dumps(corpus):
        reach, _ = run(program, "reach", option, path, "--format", "json")
        for row in [row for group in (reach or {"reach": []})["reach"] for row in group["rows"]]:
            trace, errors = run(program, "trace", row["witness"], option, path, "--format", "json")
            wrong = fault(row, trace) if trace else errors
            count += 1
            if wrong:
                failed += 1
                print(f"not ok: {path}: {row['witness']}, {row['end']}: {wrong}")
    print(f"witnesses: {count} packets, {failed} failed")
    return 0 if count > 100 and not failed else 1


sys.exit(main())
