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
import os
import re
import shutil
import time

from host import ALL, Fault, no_watchers, normalise, run_all, watchers


class Scenario:
    """A change that is killed again and again. `settle` leads back to the rules it begins with."""

    name = ""
    before = after = None  # names of policies; None: nothing is up
    command = ()
    rehearse = False  # which changes nothing: one of them does

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
        self.host.command(*self.words(self.command), faults={"FAULT_MAIN": str(step)}, rehearse=self.rehearse)
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
    rehearse = True


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
        self.rules_of("old"), self.rules_of("new")
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


if __name__ == "__main__":
    run_all(scenarios)
