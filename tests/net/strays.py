#!/usr/bin/env python3
"""Sends what no honest peer sends, and tells what of it gets through.

strays.py HOST INTERFACE MAC all            from this namespace, out by INTERFACE, to MAC
strays.py HOST INTERFACE MAC to ADDRESS...  only plain connections to these addresses

HOST is the namespace of the host under test; nftables counters in it, behind all tables, see what survives (strays.sh).
Prints a line for each packet that was let through although nothing declares it, and for each that should have been let
through and was not; then "N packets". Names say what was sent where.
"""
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import time

PEER = {4: "10.1.1.4", 6: "fd00:1::4"}
HOST = {4: ("10.1.1.5", "192.168.7.5", "172.18.0.1"), 6: ("fd00:1::5", "fd00:7::5", "fd00:18::1")}
BEYOND = {4: ("172.18.0.2", "192.168.7.9", "10.1.1.8"), 6: ("fd00:18::2", "fd00:7::9", "fd00:1::8")}
LINK_LOCAL = "fe80::4"
LOOPBACK = "127.0.0.1"
TCP, UDP, ICMP, ICMPV6, FRAGMENT = 6, 17, 1, 58, 44
CLONE_NEWNET = 0x40000000

closed, opened, ending = [], [], []
counter = 20000


def fresh():
    global counter
    counter += 1
    return counter


def family_of(address):
    return 6 if ":" in address else 4


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def sealed(src, dst, protocol, data, at):
    length = struct.pack("!II" if ":" in src else "!HH", *((len(data), protocol) if ":" in src else (protocol, len(data))))
    return data[:at] + struct.pack("!H", checksum(packed(src) + packed(dst) + length + data)) + data[at + 2:]


def tcp(src, dst, port, flags=2, source=None, seq=1000, ack=0):
    data = struct.pack("!HHIIBBHHH", source or fresh(), port, seq, ack, 5 << 4, flags, 8192, 0, 0)
    return TCP, sealed(src, dst, TCP, data, 16)


def udp(src, dst, port, data=b"hello"):
    return UDP, sealed(src, dst, UDP, struct.pack("!HHHH", fresh(), port, 8 + len(data), 0) + data, 6)


def icmp(src, dst, kind, rest=b"\0\1\0\1abcdefgh"):
    data = struct.pack("!BBH", kind, 0, 0) + rest
    if family_of(src) == 6:
        return ICMPV6, sealed(src, dst, ICMPV6, data, 2)
    return ICMP, data[:2] + struct.pack("!H", checksum(data)) + data[4:]


def packet(src, dst, inner, ttl=64, options=b"", headers=(), offset=0, more=0, ident=None):
    """headers: IPv6 extension headers, each (number, bytes behind the next header's byte)."""
    protocol, data = inner
    if family_of(src) == 6:
        for number, body in reversed(headers):
            protocol, data = number, bytes([protocol]) + body + data
        return struct.pack("!IHBB", 6 << 28, len(data), protocol, ttl) + packed(src) + packed(dst) + data
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(data), (ident or fresh()) & 0xFFFF,
                       more << 13 | offset // 8, ttl, protocol, 0, packed(src), packed(dst)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + data


def fragments(src, dst, inner, cut=8, backwards=False, before=()):
    """Two, the first of which ends after CUT bytes."""
    protocol, data = inner
    ident = fresh()
    parts = []
    for offset, more, piece in ((0, 1, data[:cut]), (cut, 0, data[cut:])):
        header = (FRAGMENT, b"\0" + struct.pack("!HI", offset | more, ident))
        if family_of(src) == 6:
            parts.append(packet(src, dst, (protocol, piece), headers=[*before, header]))
        else:
            parts.append(packet(src, dst, (protocol, piece), offset=offset, more=more, ident=ident))
    return parts[::-1] if backwards else parts


def no(name, *packets):
    closed.append((name, packets))


def no_further(name, *packets):
    ending.append((name, packets))


def yes(name, *packets):
    opened.append((name, packets))


# ---- what is sent ----

FLAGS = {"syn": 2, "syn-ack": 0x12, "ack": 0x10, "fin": 1, "rst": 4, "null": 0, "xmas": 0x29, "all": 0xFF, "syn-fin": 3}
PADDING = b"\0\1\4\0\0\0\0"


def routing(kind, left, addresses):
    last = len(addresses) - 1 if kind == 4 else 0
    return 43, bytes([len(addresses) * 2, kind, left, last]) + b"\0" * 3 + b"".join(map(packed, addresses))


def extensions():
    atomic = (FRAGMENT, b"\0" + struct.pack("!HI", 0, fresh()))
    target = BEYOND[6][0]
    return {
        "hop-by-hop": [(0, PADDING)], "destination options": [(60, PADDING)], "both": [(0, PADDING), (60, PADDING)],
        "routing 0": [routing(0, 1, [target])], "routing 0, at its end": [routing(0, 0, [target])],
        "routing 2": [routing(2, 1, [target])], "routing 3": [routing(3, 1, [target])],
        "routing 4": [routing(4, 1, [HOST[6][0], target])], "atomic fragment": [atomic],
        "atomic fragment, options": [atomic, (60, PADDING)],
        "authentication": [(51, b"\4\0\0\0\0\0\1\0\0\0\1" + b"\0" * 12)],
    }


def flags():
    """The first packets of connections, and what might ride on the state they leave."""
    for family, peer in PEER.items():
        for dst in HOST[family] + BEYOND[family]:
            for name, bits in FLAGS.items():
                source = fresh()
                no(f"tcp {name} to {dst}", packet(peer, dst, tcp(peer, dst, 80, bits, source)),
                   packet(peer, dst, tcp(peer, dst, 80, 0x10, source, 1001, 5)),
                   packet(peer, dst, tcp(peer, dst, 80, 0x18, source, 1001, 5)))


def destinations():
    for dst in ("10.1.1.255 255.255.255.255 224.0.0.1 224.0.0.251 239.1.2.3 0.0.0.0 127.0.0.1 192.168.7.255 "
                "172.18.255.255 169.254.1.1 10.77.0.1 "
                "ff02::1 ff02::2 ff02::1:ff00:5 ff05::2 ff0e::101 fd00:1:: fd00:18:: fd00:7:: fe80::77 :: ::1 "
                "::ffff:10.1.1.5 2002:a01:105::1 fd00:77::1").split():
        for src in (PEER[family_of(dst)],) + ((LINK_LOCAL,) if ":" in dst else ()):
            for port in (22, 80, 60000) if dst != LOOPBACK else (80,):
                no(f"udp from {src} to {dst} {port}", packet(src, dst, udp(src, dst, port)))
                no(f"tcp from {src} to {dst} {port}", packet(src, dst, tcp(src, dst, port)))
            if dst != LOOPBACK:
                no(f"ping from {src} to {dst}", packet(src, dst, icmp(src, dst, 128 if ":" in dst else 8)))
    # With route_localnet it is one of the host's addresses.
    yes("tcp to the loopback address", packet(PEER[4], LOOPBACK, tcp(PEER[4], LOOPBACK, 22)))
    # To a DHCPv6 client; it is nobody's reply.
    yes("udp 546, link-local", packet(LINK_LOCAL, "fe80::5", udp(LINK_LOCAL, "fe80::5", 546)))


def sources():
    """Nobody who is declared."""
    for src in ("127.0.0.1 0.0.0.0 255.255.255.255 224.0.0.1 172.18.0.2 192.168.7.9 10.9.9.9 8.8.8.8 "
                "::1 :: fe80::4 ff02::1 fd00:18::2 fd00:7::9 fd00:9::9 2001:db8::1 ::ffff:10.1.1.4").split():
        for dst in HOST[family_of(src)][:1] + BEYOND[family_of(src)]:
            no(f"udp from {src} to {dst}", packet(src, dst, udp(src, dst, 60000)))
            no(f"tcp from {src} to {dst}", packet(src, dst, tcp(src, dst, 22)))


def messages():
    for family, peer in PEER.items():
        for dst in HOST[family] + BEYOND[family]:
            for kind in [*range(0, 20), 30, 40, 42, 255] if family == 4 else [*range(1, 5), *range(128, 160), 255]:
                if dst in HOST[family] and kind in (8, 128):
                    continue
                rest = b"\0" * 4 + packed(dst) + b"\1\1" + b"\2" * 6
                no(f"icmp {kind} to {dst}", packet(peer, dst, icmp(peer, dst, kind, rest)))
                if dst not in HOST[family]:
                    no(f"icmp {kind} to {dst}, 255", packet(peer, dst, icmp(peer, dst, kind, rest), ttl=255))
                    if family == 6:
                        no(f"icmp {kind} to {dst}, link-local", packet(LINK_LOCAL, dst, icmp(LINK_LOCAL, dst, kind, rest), ttl=255))
            # Errors about connections that do not exist.
            quoted = packet(dst, peer, udp(dst, peer, 5000))
            for kind in (3, 4, 5, 11, 12) if family == 4 else (1, 2, 3, 4):
                no(f"icmp {kind} about {dst}", packet(peer, dst, icmp(peer, dst, kind, b"\0" * 4 + quoted)))


def protocols():
    inner = {4: packet(PEER[4], BEYOND[4][0], udp(PEER[4], BEYOND[4][0], 53)),
             41: packet(PEER[6], BEYOND[6][0], udp(PEER[6], BEYOND[6][0], 53))}
    for family, peer in PEER.items():
        for dst in HOST[family] + BEYOND[family]:
            for number in (2, 4, 41, 46, 47, 50, 51, 59, 89, 94, 97, 103, 108, 112, 132, 133, 135, 136, 137, 139, 140, 253):
                data = inner.get(number, b"\x3b\0\1\4" + b"\0\x16\0\x50" * 8)
                no(f"protocol {number} to {dst}", packet(peer, dst, (number, data)))


def extended():
    peer = PEER[6]
    for name, headers in extensions().items():
        for dst in HOST[6] + BEYOND[6]:
            here = dst in HOST[6]
            for port in (80, 873) if here else (22, 80, 60000):
                no(f"{name}, tcp to {dst} {port}", packet(peer, dst, tcp(peer, dst, port), headers=headers))
                no(f"{name}, udp to {dst} {port}", packet(peer, dst, udp(peer, dst, port), headers=headers))
            if not here:
                no(f"{name}, ping to {dst}", packet(peer, dst, icmp(peer, dst, 128), headers=headers))
                solicitation = icmp(peer, dst, 135, b"\0" * 4 + packed(HOST[6][0]))
                no(f"{name}, solicitation to {dst}", packet(peer, dst, solicitation, ttl=255, headers=headers))
        if name.startswith(("hop", "dest", "both", "atomic")):
            yes(f"{name}, tcp", packet(peer, HOST[6][0], tcp(peer, HOST[6][0], 22), headers=headers))


def fragmented():
    for family, peer in PEER.items():
        for dst in HOST[family] + BEYOND[family]:
            for port in (80, 22) if dst in HOST[family] else (80, 22, 60000):
                inner = udp(peer, dst, port, b"x" * 64)
                no(f"fragments, udp to {dst} {port}", *fragments(peer, dst, inner))
                no(f"fragments backwards, udp to {dst} {port}", *fragments(peer, dst, inner, backwards=True))
            no(f"the end of a datagram to {dst}", fragments(peer, dst, udp(peer, dst, 60000, b"x" * 64))[1])
            no(f"the beginning of one to {dst}", fragments(peer, dst, udp(peer, dst, 60000, b"x" * 64))[0])
        for backwards in (False, True):
            yes(f"IPv{family} fragments, backwards: {backwards}",
                *fragments(peer, HOST[family][0], udp(peer, HOST[family][0], 60000, b"x" * 64), backwards=backwards))
    dst = HOST[6][0]
    # Who is asked for is only told in the second fragment.
    hidden = 60, bytes([TCP]) + PADDING + tcp(PEER[6], dst, 80)[1]
    no("fragments, the port in the second", *fragments(PEER[6], dst, hidden))
    yes("fragments behind options", *fragments(PEER[6], dst, udp(PEER[6], dst, 60000, b"x" * 64), before=[(60, PADDING)]))


def options():
    peer, dst = PEER[4], HOST[4][0]
    for hop in BEYOND[4]:
        for name, kind in (("loose", 0x83), ("strict", 0x89)):
            no(f"{name} source route by {hop}, tcp 80",
               packet(peer, dst, tcp(peer, dst, 80), options=bytes([kind, 7, 4]) + packed(hop) + b"\0"))
    # Where the host heeds such routes, what is let in here still goes no further.
    for hop in BEYOND[4]:
        far = packet(peer, dst, tcp(peer, dst, 22), options=b"\x83\7\4" + packed(hop) + b"\0")
        no_further(f"loose source route by {hop}, tcp 22", far)
    for hop in BEYOND[6]:
        dst6 = HOST[6][0]
        for name, header in (("segments", routing(4, 1, [hop, dst6])), ("RPL", routing(3, 1, [hop]))):
            no_further(f"{name} to {hop}, tcp 22", packet(PEER[6], dst6, tcp(PEER[6], dst6, 22), headers=[header]))
            no_further(f"{name} to {hop}, udp 60000", packet(PEER[6], dst6, udp(PEER[6], dst6, 60000), headers=[header]))
    yes("router alert", packet(peer, dst, udp(peer, dst, 60000), options=b"\x94\4\0\0"))


def connections(addresses):
    for dst in addresses:
        peer = PEER[family_of(dst)]
        for port in (53, 80, 443):
            no(f"tcp to {dst} {port}", packet(peer, dst, tcp(peer, dst, port)))
            no(f"udp to {dst} {port}", packet(peer, dst, udp(peer, dst, port)))
        no(f"protocol 241 to {dst}", packet(peer, dst, (241, b"Q" * 12)))


# ---- sending it ----

def passed(names):
    found = json.loads(subprocess.run(["nft", "-j", "list", "counters"], check=True, capture_output=True).stdout)
    return sum(item["counter"]["packets"] for item in found["nftables"]
               if "counter" in item and item["counter"]["name"] in names)


class Sender:
    def __init__(self, host, interface, mac):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((interface, 0))
        self.head = bytes.fromhex(mac.replace(":", "")) + self.socket.getsockname()[4]
        # The socket stays where it was made; the counters are over there.
        with open(f"/run/netns/{host}", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def through(self, cases, names=("arrived", "forwarded")):
        """How many packets get through, by the counters of these names."""
        subprocess.run(["conntrack", "-F"], stderr=subprocess.DEVNULL, check=True)
        before = passed(names)
        for _, packets in cases:
            for data in packets:
                self.socket.send(self.head + (b"\x08\x00" if data[0] >> 4 == 4 else b"\x86\xdd") + data)
        time.sleep(0.02)
        return passed(names) - before

    def culprits(self, cases):
        if not cases or not self.through(cases):
            return
        if len(cases) == 1:
            print(f"let through: {cases[0][0]}")
            return
        self.culprits(cases[:len(cases) // 2])
        self.culprits(cases[len(cases) // 2:])


def main():
    host, interface, mac, what, *addresses = sys.argv[1:]
    if what == "to":
        connections(addresses)
    else:
        for make in flags, destinations, sources, messages, protocols, extended, fragmented, options:
            make()
    sender = Sender(host, interface, mac)
    for at in range(0, len(closed), 200):
        sender.culprits(closed[at:at + 200])
    for case in ending:
        if sender.through([case], ["forwarded"]):
            print(f"forwarded: {case[0]}")
    for case in opened:
        if not sender.through([case]):
            print(f"not let through: {case[0]}")
    print(sum(len(packets) for _, packets in closed + ending + opened), "packets")


if __name__ == "__main__":
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    main()
