#!/usr/bin/env python3
"""Several at work at once: peerwalls, and a program that changes rules of its own all the time, as Docker does.

    races.py [PROGRAM] [RACE...]

While two applies of different policies run at the same time, again and again, real packets are sent to a port that neither
policy opens: none may arrive. In the end there is exactly one of each jump, the rules are exactly those of one of the
policies, and no rule of the other program is lost or changed. RACE_ROUNDS is how often, 10 without it.
"""
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

from host import Fault, foreign_part, no_watchers, normalise, run_all

ROUNDS = int(os.environ.get("RACE_ROUNDS", "10"))
CLOSED = 9999  # by both policies; the host by itself would let it in
SENT_EACH_SECOND = 200


def in_namespace(name, function):
    """Calls it in a thread that has entered the network namespace, which concerns that thread alone."""
    box = []

    def enter():
        with open(f"/run/netns/{name}") as file:
            os.setns(file.fileno(), os.CLONE_NEWNET) if hasattr(os, "setns") else setns(file.fileno())
        box.append(function())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return box[0]


def setns(descriptor):
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Traffic:
    """Datagrams from a peer to the closed port, both families, and what of them arrives."""

    def __init__(self, host):
        self.host = host
        self.peer = f"{host.name}p"
        subprocess.run(["ip", "netns", "add", self.peer], check=True)
        host.must("ip", "link", "set", "wg1-peer", "netns", self.peer)
        for command in (["addr", "add", "10.1.1.4/24", "dev", "wg1-peer"], ["link", "set", "wg1-peer", "up"],
                        ["addr", "add", "fd00:1::4/64", "dev", "wg1-peer", "nodad"]):
            subprocess.run(["ip", "-n", self.peer, *command], check=True)
        # Neighbour discovery over Ethernet would depend on the rules; a WireGuard link has none.
        for family, address, other in (("-4", "10.1.1.5", "10.1.1.4"), ("-6", "fd00:1::5", "fd00:1::4")):
            subprocess.run(["ip", family, "-n", self.peer, "neigh", "replace", address, "lladdr", self.address(self.host.name, "wg1"),
                            "dev", "wg1-peer"], check=True)
            subprocess.run(["ip", family, "-n", host.name, "neigh", "replace", other, "lladdr", self.address(self.peer, "wg1-peer"),
                            "dev", "wg1"], check=True)
        self.targets = []
        self.sockets = []
        for family, address in ((socket.AF_INET, "10.1.1.5"), (socket.AF_INET6, "fd00:1::5")):
            listener = in_namespace(host.name, lambda family=family: socket.socket(family, socket.SOCK_DGRAM))
            listener.bind((address, CLOSED))
            listener.setblocking(False)
            self.sockets.append(listener)
            self.targets.append((in_namespace(self.peer, lambda family=family: socket.socket(family, socket.SOCK_DGRAM)), address))
        self.going = True
        self.sent = 0
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    @staticmethod
    def address(namespace, link):
        shown = subprocess.run(["ip", "-n", namespace, "link", "show", link], capture_output=True, text=True, check=True).stdout
        return re.search(r"link/ether (\S+)", shown).group(1)

    def send(self):
        while self.going:
            for sender, address in self.targets:
                try:
                    sender.sendto(b"?", (address, CLOSED))
                    self.sent += 1
                except OSError:
                    pass  # a refusal that came back
            # Each from a connection that is new.
            time.sleep(1 / SENT_EACH_SECOND)

    def arrived(self):
        """How many since the last time."""
        count = 0
        for listener in self.sockets:
            while True:
                try:
                    listener.recv(100)
                    count += 1
                except BlockingIOError:
                    break
        return count

    def close(self):
        self.going = False
        self.thread.join()
        for listener in self.sockets:
            listener.close()
        for sender, _ in self.targets:
            sender.close()
        subprocess.run(["ip", "netns", "del", self.peer])


class Neighbour:
    """Another program: rules come and go in front of ours and elsewhere, and each tenth stays."""

    def __init__(self, host):
        self.host = host
        self.kept = []
        self.failed = []
        self.done = 0
        self.going = True
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def call(self, *words):
        result = self.host.execute(f"iptables-{self.host.backend}", "-w", "30", *words)
        if result.returncode:
            self.failed.append(f"{' '.join(words)}: {result.stderr}")

    def work(self):
        while self.going:
            self.done += 1
            port = str(10000 + self.done)
            rule = ["-p", "tcp", "-m", "tcp", "--dport", port, "-j", "DNAT", "--to-destination", f"172.18.0.9:{port}"]
            self.call("-t", "nat", "-A", "DOCKER", *rule)
            self.call("-t", "mangle", "-I", "PREROUTING", "1", "-p", "tcp", "-m", "tcp", "--dport", port, "-j", "MARK",
                      "--set-xmark", "0x1/0x1")
            self.call("-I", "FORWARD", "1", "-o", "docker9", "-j", "DROP")
            self.call("-D", "FORWARD", "-o", "docker9", "-j", "DROP")
            self.call("-t", "mangle", "-D", "PREROUTING", "-p", "tcp", "-m", "tcp", "--dport", port, "-j", "MARK", "--set-xmark",
                      "0x1/0x1")
            if self.done % 10 == 0:
                self.kept.append("-A DOCKER " + " ".join(rule))
            else:
                self.call("-t", "nat", "-D", "DOCKER", *rule)

    def close(self):
        self.going = False
        self.thread.join()

    def check(self):
        if self.failed:
            raise Fault(f"the other program failed: {self.failed[0]}")
        now = foreign_part(self.host.dump()[0]).splitlines()
        base = foreign_part(self.host.base[0]).splitlines()
        if [line for line in now if line in self.kept] != self.kept:
            raise Fault(f"lost of the other program: {[line for line in self.kept if line not in now]}")
        if [line for line in now if line not in self.kept] != base:
            raise Fault("the other rules are not what they were:\n" + "\n".join(now))
        # For the next one.
        for rule in self.kept:
            self.call("-t", "nat", "-D", *rule.split()[1:])


def at_once(host, *commands):
    """Starts them together; their results in order."""
    started = [subprocess.Popen(["nsenter", f"--net=/run/netns/{host.name}", host.program, words[0], "--run-dir", host.run_directory,
                                 "--backend", host.backend, "--wait", "60", *words[1:]], env=host.environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for words in commands]
    return [(process.communicate()[0], process.returncode) for process in started]


def own_part(texts):
    """Without what is others', so that it is the same whatever these have done."""
    return [normalise("\n".join(line for line in text.splitlines() if line.startswith(("*", "COMMIT")) or " PW" in line or
                                line.startswith(":PW"))) for text in texts]


def rules_of(host):
    rules = {}
    for name in ("old", "new"):
        host.must_command("apply", host.policy(name))
        rules[name] = own_part(host.dump())
    host.must_command("down", "--all")
    return rules


def check_one_of(host, rules, *names):
    now = own_part(host.dump())
    for name in names:
        if now == (rules[name] if name else ["", ""]):
            return
    raise Fault(f"the rules of none of {names}:\n" + "".join(now))


def applies(host):
    """Two policies at once, a busy neighbour, and traffic that neither lets in."""
    rules = rules_of(host)
    traffic = Traffic(host)
    try:
        time.sleep(0.3)
        if not traffic.arrived():
            raise Fault("control: nothing arrives though nothing is up")
        host.must_command("apply", host.policy("old"))
        time.sleep(0.1)
        traffic.arrived()
        neighbour = Neighbour(host)
        try:
            for turn in range(ROUNDS):
                order = ["old", "new"] if turn % 2 else ["new", "old"]
                for said, status in at_once(host, *(("apply", host.policy(name)) for name in order)):
                    if status:
                        raise Fault(f"round {turn}: status {status}: {said}")
                check_one_of(host, rules, "old", "new")
        finally:
            neighbour.close()
        time.sleep(0.1)
        leaked, sent = traffic.arrived(), traffic.sent
        if leaked:
            raise Fault(f"{leaked} of {sent} got in")
        neighbour.check()
    finally:
        traffic.close()
    host.must_command("down", "--all")
    return f"{ROUNDS} rounds, {neighbour.done} of the neighbour, 0 of {sent} got in"


def apply_and_down(host):
    """One of them is last: all of it is up, or nothing."""
    rules = rules_of(host)
    neighbour = Neighbour(host)
    try:
        for turn in range(ROUNDS):
            commands = [("apply", host.policy("new")), ("down", "wg1"), ("apply", host.policy("new")), ("down", "--all")]
            random.shuffle(commands)
            for said, status in at_once(host, *commands):
                if status:
                    raise Fault(f"round {turn}: status {status}: {said}")
            check_one_of(host, rules, "new", None)
    finally:
        neighbour.close()
    host.must_command("down", "--all")
    neighbour.check()
    return f"{ROUNDS} rounds"


def deadline(host):
    """confirm, and the watcher, at the same moment: what confirm says is what is in force."""
    rules = rules_of(host)
    host.must_command("apply", host.policy("old"))
    outcomes = {0: 0, 12: 0}
    for turn in range(ROUNDS):
        host.must_command("apply", "--confirm", "0.3", host.policy("new"))
        time.sleep(0.25 + 0.3 * turn / ROUNDS)
        ((said, status),) = at_once(host, ("confirm",))
        no_watchers(host)
        if status not in outcomes:
            raise Fault(f"round {turn}: status {status}: {said}")
        outcomes[status] += 1
        check_one_of(host, rules, "old" if status else "new")
        host.must_command("apply", host.policy("old"))
    host.must_command("down", "--all")
    return f"{outcomes[0]} confirmed, {outcomes[12]} too late"


def races(host):
    yield "two applies", lambda: applies(host)
    yield "apply and down", lambda: apply_and_down(host)
    yield "confirm at the deadline", lambda: deadline(host)


if __name__ == "__main__":
    run_all(races)
