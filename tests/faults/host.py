"""host.py - a host to be hurt: a network namespace with other programs' rules, peerwall in it, and a judge of what is loaded.

For run.py and races.py. run_all() runs a list of scenarios for both backends at the same time.
"""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOREIGN = os.path.join(ROOT, "tests/live/foreign")

OLD = """
interface wg1 {
    expose tcp 22 to 10.1.1.0/24, fd00:1::/64
    expose tcp 8096 to 10.1.1.4, fd00:1::4
    forward from 10.1.1.0/24 to 10.1.1.0/24 tcp 445
}
"""
NEW = """
interface wg1 {
    expose tcp 22 to 10.1.1.4, fd00:1::4
    expose udp 60000-60010 to 10.1.1.0/24, fd00:1::/64
    otherwise reject
}
"""
# Both together, as far as what gets in is concerned.
BOTH = """
interface wg1 {
    expose tcp 22 to 10.1.1.0/24, fd00:1::/64
    expose tcp 8096 to 10.1.1.4, fd00:1::4
    forward from 10.1.1.0/24 to 10.1.1.0/24 tcp 445
    expose udp 60000-60010 to 10.1.1.0/24, fd00:1::/64
}
"""
ALL = os.environ.get("FAULTS") == "all"
PACKETS = [
    f"wg1 {source} > {target}"
    for sources, targets in (
        (("10.1.1.4", "10.1.1.7"), ("10.1.1.5 tcp 22", "10.1.1.5 tcp 8096", "10.1.1.5 tcp 873", "10.1.1.5 udp 60000",
                                    "10.1.1.5 icmp ping", "172.18.0.2 tcp 873", "10.1.1.9 tcp 445", "10.1.1.9 tcp 80")),
        (("fd00:1::4", "fd00:1::7"), ("fd00:1::5 tcp 22", "fd00:1::5 tcp 8096", "fd00:1::5 udp 60000",
                                      "fd00:1::5 icmp ping", "fd00:18::2 tcp 873")),
    )
    for source in sources
    for target in targets
]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


class Fault(Exception):
    """What was found wrong."""


class Host:
    """A network namespace with other programs' rules, and peerwall in it."""

    def __init__(self, work, program, backend):
        self.backend = backend
        self.program = program
        self.work = os.path.join(work, backend)
        os.mkdir(self.work, 0o755)
        self.name = f"pwfault{os.getpid()}{backend}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run_directory = os.path.join(self.work, "run")
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                            "XTABLES_LOCKFILE": os.path.join(self.work, "xtables.lock")}
        for name, text in (("old", OLD), ("new", NEW), ("both", BOTH)):
            with open(self.policy(name), "w") as file:
                file.write(text)
        self.accepted = {}  # of a state: packets that get in
        self.judged = set()
        self.options = []
        self.mark = os.path.join(self.work, "killed")
        self.setup()

    def close(self):
        for process in subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", self.name])

    def policy(self, name):
        return os.path.join(self.work, f"{name}.pw")

    def execute(self, *command, **more):
        more = {"capture_output": True, "text": True, "env": self.environment, "stdin": subprocess.DEVNULL} | more
        return subprocess.run(["nsenter", f"--net=/run/netns/{self.name}", *command], **more)

    def must(self, *command, **more):
        result = self.execute(*command, **more)
        if result.returncode:
            raise Fault(f"{' '.join(command)}: {result.stderr}")
        return result.stdout

    def setup(self):
        for link, addresses in (("wg1", ("10.1.1.5/24", "fd00:1::5/64")), ("docker0", ("172.18.0.1/16", "fd00:18::1/64"))):
            self.must("ip", "link", "add", link, "type", "veth", "peer", "name", f"{link}-peer")
            self.must("ip", "link", "set", f"{link}-peer", "up")
            for address in addresses:
                self.must("ip", "addr", "add", address, "dev", link, *(["nodad"] if ":" in address else []))
            self.must("ip", "link", "set", link, "up")
        with open(os.path.join(self.work, "host.json"), "w") as file:
            file.write(self.must("ip", "-j", "addr") + self.must("ip", "-j", "route") + self.must("ip", "-6", "-j", "route"))
        for owner in ("docker", "wg-quick"):
            for family, tool in (("4", "iptables"), ("6", "ip6tables")):
                path = os.path.join(FOREIGN, f"{owner}.v{family}")
                if os.path.exists(path):
                    with open(path) as rules:
                        self.must(f"{tool}-{self.backend}-restore", "--noflush", stdin=rules)
        self.base = self.dump()

    # ---- what is loaded ----

    def saved(self):
        return [self.must(f"{tool}-{self.backend}-save") for tool in ("iptables", "ip6tables")]

    def dump(self):
        return [normalise(text) for text in self.saved()]

    def records(self):
        """What else a change leaves: the state that the record tells of."""
        states = []
        for name in sorted(os.listdir(self.run_directory)) if os.path.isdir(self.run_directory) else []:
            if name.startswith("change-") and not name.endswith((".new", ".watched")):
                with open(os.path.join(self.run_directory, name), errors="replace") as file:
                    states.append(re.search(r"^state (\w+)", file.read(), re.M).group(1))
        return states

    # ---- peerwall ----

    def command(self, *words, faults=None, rehearse=False, **more):
        if faults:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.mark)
            more["env"] = self.environment | {"LD_PRELOAD": os.path.join(os.path.dirname(self.work), "killer.so"),
                                              "FAULT_MARK": self.mark} | ({} if ALL else {"FAULT_COARSE": "1"}) | faults
        rehearsal = ["--no-rehearsal"] if words[0] == "apply" and not rehearse else []
        return self.execute(self.program, words[0], "--run-dir", self.run_directory, "--backend", self.backend,
                            *self.options, *rehearsal, *words[1:], **more)

    def must_command(self, *words):
        result = self.command(*words)
        if result.returncode:
            raise Fault(f"{' '.join(words)}: status {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout

    def was_killed(self):
        return os.path.exists(self.mark)

    # ---- judging ----

    def get_in(self, texts):
        """Which of the packets get through these rules, or may."""
        key = digest(texts)
        if key in self.accepted:
            return self.accepted[key]
        for name, text in zip(("now.v4", "now.v6"), texts):
            with open(os.path.join(self.work, name), "w") as file:
                file.write(text)
        accepted = set()
        for packet in PACKETS:
            family = "6" if "fd00" in packet else "4"
            result = subprocess.run(
                [self.program, "trace", packet, f"--snapshot{family}", os.path.join(self.work, f"now.v{family}"),
                 "--host", os.path.join(self.work, "host.json")], capture_output=True, text=True)
            if result.returncode not in (0, 10, 11):
                raise Fault(f"trace {packet}: {result.stderr}")
            if result.returncode != 10:
                accepted.add(packet)
        self.accepted[key] = accepted
        return accepted

    def judge(self, texts, before, after, prove):
        """Raises Fault if more gets in than before and after, or if others' rules are not what they were."""
        key = (digest(texts), digest(before), digest(after))
        if key in self.judged:
            return
        for family, base, now in zip(("IPv4", "IPv6"), self.base, texts):
            if foreign_part(now) != foreign_part(base):
                raise Fault(f"{family}: others' rules are not what they were:\n{foreign_part(now)}")
        more = self.get_in(texts) - self.get_in(before) - self.get_in(after)
        if more:
            raise Fault(f"open beyond before and after: {sorted(more)}\n" + "".join(texts))
        if prove:
            self.prove(texts)
        self.judged.add(key)

    def prove(self, texts):
        for name, text in zip(("now.v4", "now.v6"), texts):
            with open(os.path.join(self.work, name), "w") as file:
                file.write(text)
        result = subprocess.run(
            [self.program, "lint", self.policy("both"), "--snapshot4", os.path.join(self.work, "now.v4"),
             "--snapshot6", os.path.join(self.work, "now.v6"), "--format", "json"], capture_output=True, text=True)
        found = {diagnostic["name"]: diagnostic for diagnostic in json.loads(result.stdout)["diagnostics"]}
        for name in ("leak", "possible-leak", "not-proved"):
            if name in found:
                raise Fault(f"proof: {found[name]['message']}\n" + "".join(texts))


def normalise(text):
    """Without comments, counters, built-in chains that only accept, and tables that hold nothing then."""
    out, table = [], []
    for line in text.splitlines():
        line = re.sub(r" \[\d+:\d+\]$", "", line)
        if line.startswith("#") or re.fullmatch(r":\S+ ACCEPT", line):
            continue
        table.append(line)
        if line == "COMMIT":
            if len(table) > 2:
                out += table
            table = []
    return "\n".join(out) + "\n" if out else ""


def foreign_part(text):
    lines = [line for line in text.splitlines() if not re.match(r":PW[-=]|-A PW[-=]", line) and not re.search(r"-j PW[-=]", line)]
    return normalise("\n".join(lines))


def digest(texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def watchers(host):
    processes = subprocess.run(["ip", "netns", "pids", host.name], capture_output=True, text=True).stdout.split()
    found = []
    for process in processes:
        with contextlib.suppress(OSError), open(f"/proc/{process}/comm") as file:
            if file.read().strip() == "peerwall-undo":
                found.append(process)
    return found


def no_watchers(host):
    limit = time.monotonic() + 10
    while watchers(host):
        if time.monotonic() > limit:
            raise Fault("the watcher does not end")
        time.sleep(0.02)


def run_backend(work, program, backend, scenarios, wanted):
    passed = failed = 0
    host = Host(work, program, backend)
    try:
        for name, run in scenarios(host):
            if wanted and name not in wanted:
                continue
            began = time.monotonic()
            try:
                said = run()
                passed += 1
                print(f"ok {backend} {name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
            except Fault as fault:
                failed += 1
                host.options = []
                print(f"not ok {backend} {name}: " + str(fault).replace("\n", "\n    "), flush=True)
                for process in watchers(host):
                    os.kill(int(process), signal.SIGKILL)
                host.command("down", "--all")
    finally:
        host.close()
    return passed, failed


def run_all(scenarios):
    """`scenarios` gives names and functions for a host. The command line is [PROGRAM] [NAME...]."""
    program = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build/peerwall")
    if os.geteuid() != 0:
        skip("faults: needs root")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        skip("faults: needs network namespaces")
    for tool in ("ip", "nsenter", "cc", "iptables-nft-save", "iptables-legacy-save"):
        if not shutil.which(tool):
            skip(f"faults: needs {tool}")
    work = tempfile.mkdtemp(prefix="peerwall-faults-")
    os.chmod(work, 0o755)
    try:
        shutil.copy(program, os.path.join(work, "peerwall"))
        subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o",
                        os.path.join(work, "killer.so"), os.path.join(HERE, "killer.c")], check=True)
        children = {}
        for backend in ("nft", "legacy"):
            reader, writer = os.pipe()
            process = os.fork()
            if process == 0:
                try:
                    counts = run_backend(work, os.path.join(work, "peerwall"), backend, scenarios, sys.argv[2:])
                    os.write(writer, b"%d %d" % counts)
                except BaseException:
                    traceback.print_exc()
                sys.stdout.flush()
                os._exit(0)
            os.close(writer)
            children[process] = reader
        passed = failed = 0
        for process, reader in children.items():
            counts = os.read(reader, 100).split()
            os.waitpid(process, 0)
            passed += int(counts[0]) if counts else 0
            failed += int(counts[1]) if counts else 1
    finally:
        shutil.rmtree(work)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)
