#!/usr/bin/env python3
"""Kills peerwall at every step of each of its changes, and breaks its tools at each of their calls.

    run.py [PROGRAM] [SCENARIO...]

A step is a system call that leaves something behind (killer.c). After each, what is loaded is judged:
  - nothing gets in that gets in neither before nor after the change (G4): a set of packets is followed through the rules
    by `peerwall trace`, and where both policies are known, `peerwall lint` proves it for all packets against both together;
  - other programs' rules are what they were, word for word (G3);
  - the next apply, down or rollback leads to exactly the rules that it promises, and `status` has nothing more to say.
With broken tools also each state on the way is judged, since a wrapper keeps what is loaded after each call.
States that were judged once are not judged again. Both backends run at the same time.
With FAULTS=all every step and every way in which a tool can break is taken, which is a matter of many minutes; without, those
that differ much. Needs root, network namespaces and a compiler. The last line is "N passed, N failed".
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

    def command(self, *words, faults=None, **more):
        if faults:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.mark)
            more["env"] = self.environment | {"LD_PRELOAD": os.path.join(os.path.dirname(self.work), "killer.so"),
                                              "FAULT_MARK": self.mark} | ({} if ALL else {"FAULT_COARSE": "1"}) | faults
        # The rehearsal changes nothing here; what becomes of it when it is killed is for tests/live.
        rehearsal = ["--no-rehearsal"] if words[0] == "apply" else []
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


# ---- scenarios ----


class Scenario:
    """A change that is killed again and again. `settle` leads back to the rules it begins with."""

    name = ""
    before = after = None  # names of policies; None: nothing is up
    command = ()
    watched = False  # kill the watcher, not the command

    def __init__(self, host):
        self.host = host

    def words(self, words):
        return [self.host.policy(word) if word in ("old", "new") else word for word in words]

    def rules_of(self, name):
        """What is loaded when that policy alone is up."""
        cache = self.host.__dict__.setdefault("rules", {None: self.host.base})
        if name not in cache:
            self.host.must_command("apply", self.host.policy(name))
            cache[name] = self.host.dump()
            self.host.must_command("down", "--all")
        return cache[name]

    def go_to(self, name):
        if name:
            self.host.must_command("apply", self.host.policy(name))
        else:
            self.host.must_command("down", "--all")

    def expect(self, rules, what):
        now = self.host.dump()
        if now != rules:
            raise Fault(f"{what}: not the rules that were to be:\n" + "".join(now))

    def prepare(self):
        """What has to be done anew before each time. The rules are those of `before` already."""

    def settle(self, step):
        """Both ways out, in turn: on to what was wanted, and back to what was."""
        if step % 2:
            self.go_to(self.after)
            self.expect(self.rules_of(self.after), "forwards")
            self.expect_quiet()
        self.go_to(self.before)
        self.expect(self.rules_of(self.before), "back")
        self.expect_quiet()

    def expect_quiet(self):
        said = self.host.command("status").stdout
        if re.search("interrupted|confirm|not undone", said):
            raise Fault(f"status goes on about it: {said}")

    def check_left(self):
        """What is left behind must be no more open than before and after."""
        self.host.judge(self.host.dump(), self.rules_of(self.before), self.rules_of(self.after),
                        self.before is not None and self.after is not None)

    def run_once(self, step):
        """True if it was killed; False when it has fewer steps."""
        self.host.command(*self.words(self.command), faults={"FAULT_MAIN": str(step)})
        return self.host.was_killed()

    def run(self):
        self.rules_of(self.before), self.rules_of(self.after)
        self.go_to(self.before)
        step, untouched = 1, 0
        while True:
            self.prepare()
            start = (self.rules_of(self.before), self.host.records())
            if not self.run_once(step):
                break
            if (self.host.dump(), self.host.records()) == start:
                untouched += 1
            else:
                self.check_left()
                self.settle(step)
            step += 1
        if step < 10:
            raise Fault(f"only {step} steps")
        self.settle(step)
        return f"{step - 1} steps, {untouched} of them leave all as it was"


class Up(Scenario):
    name, after, command = "up", "new", ("apply", "new")


class Reload(Scenario):
    name, before, after, command = "reload", "old", "new", ("apply", "new")


class Back(Scenario):
    name, before, after, command = "reload back", "new", "old", ("apply", "old")


class Down(Scenario):
    name, before, command = "down", "old", ("down", "wg1")


class Rollback(Scenario):
    """From the new policy back to the old one; the way out is to do it again."""

    name, before, after, command = "rollback", "new", "old", ("rollback",)

    def prepare(self):
        if self.host.records() != ["kept"]:
            self.go_to("old")
            self.go_to("new")

    def run(self):
        self.go_to("old")
        self.host.must_command("apply", self.host.policy("new"))
        return super().run()

    def settle(self, step):
        if self.host.records() != ["undone"]:
            self.host.must_command("rollback")
        self.expect(self.rules_of("old"), "rollback once more")
        self.go_to("new")


class Confirmed(Scenario):
    """apply --confirm, killed: undone at once by the watcher, or complete and waiting, or nothing was done."""

    name, before, after, command = "apply --confirm", "old", "new", ("apply", "--confirm", "60", "new")

    def settle(self, step):
        limit = time.monotonic() + 10
        while self.host.records() in (["loading"], ["undoing"]) and time.monotonic() < limit and watchers(self.host):
            time.sleep(0.05)
        state = self.host.records()
        if state == ["pending"]:
            self.expect(self.rules_of("new"), "it waits")
            self.host.must_command("rollback")
        elif state == ["loading"]:
            if self.host.dump() != self.rules_of("old"):
                raise Fault("half done, and nobody there to undo it")
            self.host.must_command("rollback")
        self.expect(self.rules_of("old"), f"undone ({state})")
        no_watchers(self.host)


class Watcher(Scenario):
    """The watcher is killed from its start to the end of its way back: status tells, and rollback and apply go on from there."""

    name, before, after, command = "watcher", "old", "new", ("apply", "--confirm", "0.01", "new")

    def run_once(self, step):
        self.host.command(*self.words(self.command), faults={"FAULT_CHILD": str(step)})
        no_watchers(self.host)
        return self.host.was_killed()

    def settle(self, step):
        if self.host.records() != ["undone"]:
            said = self.host.command("status").stdout
            if not re.search("was never confirmed, and|not undone whole", said):
                raise Fault(f"status does not tell: {said}")
        if step % 2:
            self.go_to("old")
        elif self.host.records() != ["undone"]:
            self.host.must_command("rollback")
        self.expect(self.rules_of("old"), "back")


class Confirm(Scenario):
    """confirm, killed: the change is in force, and either confirmed or not."""

    name, before, after, command = "confirm", "new", "new", ("confirm",)

    def run(self):
        self.go_to("old")
        step = 1
        while True:
            self.host.must_command("apply", "--confirm", "60", self.host.policy("new"))
            self.host.command("confirm", faults={"FAULT_MAIN": str(step)})
            killed = self.host.was_killed()
            self.expect(self.rules_of("new"), "in force")
            if self.host.records() not in (["pending"], ["kept"]):
                raise Fault(f"the record says {self.host.records()}")
            self.host.must_command("rollback")
            self.expect(self.rules_of("old"), "back")
            no_watchers(self.host)
            if not killed:
                return f"{step - 1} steps"
            step += 1


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


class BrokenTools:
    """Each call of iptables-restore goes wrong in each way; the change has to be undone, and each state on the way judged."""

    WAYS = {
        "fails": "echo broken >&2; exit 1",
        "fails behind its work": "@REAL@; echo broken >&2; exit 1",
        "hangs": "exec sleep 30",
        "hangs behind its work": "@REAL@; exec sleep 30",
        "is killed": "kill -KILL $$",
        "lies": "exit 0",
    }

    # From that call on, whatever is about that table; undoing it, too.
    FOR_GOOD = {f"{table} fails for good": f"! grep -q '^.{table}' @INPUT@ || {{ echo broken >&2; exit 1; }}"
                for table in ("mangle", "filter", "security")}

    def __init__(self, host, name, before, after, command):
        self.host, self.name, self.before, self.after, self.command = host, name, before, after, command

    SOME = {"reload": ("fails behind its work", "lies", "mangle fails for good"), "reload back": ("lies",)}

    def ways(self):
        some = self.SOME.get(self.name, ("hangs behind its work",))
        return {way: script for way, script in (self.WAYS | self.FOR_GOOD).items() if ALL or way in some}

    def make_tools(self, number, way):
        directory = os.path.join(self.host.work, "tools")
        shutil.rmtree(directory, ignore_errors=True)
        os.mkdir(directory, 0o755)
        states = os.path.join(directory, "states")
        os.mkdir(states)
        saves = [shutil.which(f"{tool}-{self.host.backend}-save") for tool in ("iptables", "ip6tables")]
        for tool in ("iptables", "ip6tables"):
            os.symlink(shutil.which(f"{tool}-{self.host.backend}-save"), os.path.join(directory, f"{tool}-{self.host.backend}-save"))
            real = shutil.which(f"{tool}-{self.host.backend}-restore")
            path = os.path.join(directory, f"{tool}-{self.host.backend}-restore")
            with open(path, "w") as file:
                file.write(f"""#!/bin/sh
case "$*" in *--test*|*-V*) exec {real} "$@" ;; esac
cat >{directory}/input
n=$(($(cat {directory}/count 2>/dev/null || echo 0) + 1)); echo $n >{directory}/count
keep() {{ {saves[0]} >{states}/$n.v4 && {saves[1]} >{states}/$n.v6; }}
real() {{ {real} "$@" <{directory}/input; status=$?; keep; return $status; }}
if [ $n {"-ge" if "@INPUT@" in way else "-eq"} {number} ]; then
	{way.replace('@REAL@', 'real "$@"').replace('@INPUT@', directory + '/input')}
fi
real "$@"
""")
            os.chmod(path, 0o755)
        return directory, states

    def run(self):
        scenario = Scenario(self.host)
        rules = [scenario.rules_of(self.before), scenario.rules_of(self.after)]
        scenario.go_to(self.before)
        kinds, judged = 0, 0
        for way, script in self.ways().items():
            number = 1
            while True:
                directory, states = self.make_tools(number, script)
                self.host.options = ["--tools", directory, "--timeout", "0.3"]
                result = self.host.command(*scenario.words(self.command))
                self.host.options = []
                for state in sorted(os.listdir(states)):
                    if state.endswith(".v4"):
                        texts = []
                        for family in ("v4", "v6"):
                            with open(os.path.join(states, state[:-2] + family)) as file:
                                texts.append(normalise(file.read()))
                        self.host.judge(texts, *rules, self.before is not None and self.after is not None)
                        judged += 1
                with open(os.path.join(directory, "count")) as file:
                    calls = int(file.read())
                what = f"call {number} {way}"
                # Under nft a lie looks like somebody else's commit in between, and is made good by another try.
                if result.returncode == 0:
                    scenario.expect(rules[1], what)
                    scenario.go_to(self.before)
                elif result.returncode == 4:
                    scenario.expect(rules[0], what)
                elif result.returncode == 6 and way in self.FOR_GOOD:
                    scenario.go_to(self.before)
                    scenario.expect(rules[0], what)
                else:
                    raise Fault(f"{what}: status {result.returncode}: {result.stderr}")
                if number > calls:
                    break
                if result.returncode == 0 and way not in self.FOR_GOOD and not (way == "lies" and self.host.backend == "nft"):
                    raise Fault(f"{what}: that went by without a word")
                kinds += 1
                number += 1
            if number < 3:
                raise Fault(f"{way}: the tool was called {number - 1} times")
        return f"{kinds} failures, {judged} states on the way"


def scenarios(host):
    for kind in (Up, Reload, Back, Down, Rollback, Confirmed, Watcher, Confirm):
        yield kind.name, kind(host).run
    for name, before, after, command in (("up", None, "new", ("apply", "new")), ("reload", "old", "new", ("apply", "new")),
                                         ("reload back", "new", "old", ("apply", "old")),
                                         ("down", "new", None, ("down", "wg1"))):
        yield f"broken tools, {name}", BrokenTools(host, name, before, after, command).run
    yield "control", lambda: control(host)


def control(host):
    """A judge that finds nothing is no judge: rules with a hole, and others' rules that are gone, are noticed."""
    scenario = Scenario(host)
    new = scenario.rules_of("new")
    holes = [
        [re.sub(r"-A PW-wg1\S* .*-j (DROP|REJECT).*\n", "", new[0]), new[1]],
        [new[0], host.base[1]],
        [new[0].replace("-A DOCKER-USER -j RETURN\n", ""), new[1]],
    ]
    for number, texts in enumerate(holes):
        try:
            host.judge(texts, scenario.rules_of("old"), new, True)
        except Fault:
            continue
        raise Fault(f"hole {number} was not noticed")
    return f"{len(holes)} holes noticed"


def run_backend(work, program, backend, wanted):
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


def main():
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
                    counts = run_backend(work, os.path.join(work, "peerwall"), backend, sys.argv[2:])
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


if __name__ == "__main__":
    main()
