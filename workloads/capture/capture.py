#!/usr/bin/env python3
"""Captures the object graph of a running CPython program for the workload `heap-graph`.

Runs a program, and when it has finished, or when it calls `capture()` (a function put among its
globals), writes down every object that the cyclic collector knows and everything those refer to: the
size of each object in bytes, whether the collector tracks it, what it refers to, and which objects are
held from outside the graph. Names, texts and other contents are not written.

    python3 capture.py --out mine.graph my_program.py --its-own --arguments
    python3 capture.py --out mine.graph --own my_program.py
    python3 capture.py --out mine.graph --program service
    python3 capture.py --describe mine.graph

Needs CPython 3.9 or later and nothing else. The format is described in ../graphs/README.md.
"""

import argparse
import builtins
import gc
import os
import pkgutil  # What `runpy` would import while the program is started.
import runpy
import struct
import subprocess
import sys
import zlib

MAGIC = b"CYCGRAPH"
VERSION = 1
# Magic, version, length and CRC-32 of the payload, all little-endian; the compressed payload follows.
HEADER = struct.Struct("<8sIII")
SCRIPT = sys.modules[__name__]
PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def main():
    options = arguments()
    if options.describe:
        return describe(options.describe)
    script = options.script
    if options.program:
        script = os.path.join(PROGRAMS, options.program.replace("-", "_") + ".py")
    origin = "CPython %d.%d.%d, %s" % (*sys.version_info[:3], os.path.basename(script))
    wrote = []
    # Kept, so that no later object gets the id of one of these.
    before = gc.get_objects() if options.own else []

    def capture():
        """Writes the graph as it is now. Called again, it replaces what it wrote."""
        excluded = our_own(capture).union(map(id, before), [id(before), id(wrote)])
        excluded.add(id(excluded))
        wrote[:] = [write(options.out, origin, *snapshot(excluded))]

    sys.argv = [script, *options.arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    # Kept while the graph is taken is what the program still holds: its globals, or if it has left by
    # `sys.exit` the frames in which it did so.
    try:
        kept = runpy.run_path(script, init_globals={"capture": capture}, run_name="__main__")
    except SystemExit as exit:
        kept = exit
    if not wrote:
        capture()
    # Another process describes it: whatever the program has done to this one, it is not slowed down by it.
    command = [sys.executable, os.path.abspath(__file__), "--describe", options.out]
    return subprocess.run(command, check=False).returncode


def arguments():
    """The command line, checked."""
    known = sorted(f[:-3].replace("_", "-") for f in os.listdir(PROGRAMS) if f.endswith(".py"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", metavar="FILE", help="where to write the graph")
    parser.add_argument("--program", choices=known, help="capture one of the programs shipped here")
    parser.add_argument(
        "--own", action="store_true", help="leave out what existed before the program was started"
    )
    parser.add_argument("--describe", metavar="FILE", help="print what a graph holds, and stop")
    parser.add_argument("script", nargs="?", help="the program to run and capture")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of that program")
    options = parser.parse_args()
    if not options.describe:
        if bool(options.script) == bool(options.program):
            parser.error("expected either a script or --program")
        if not options.out:
            parser.error("expected --out FILE")
    return options


def snapshot(excluded):
    """The graph of the heap as it is now: (sizes, tracked, referents, entries), objects by number.
    Objects with ids in `excluded` are left out, and so are the references to them.

    Objects are numbered in the order in which the collector lists them, which is nearly the order in
    which they were made; what the collector does not track comes just before its first referrer.
    An entry is a tracked object that is held by something outside the graph: by a running frame, by
    the interpreter, by a C extension.
    """
    gc.collect()
    # Everything that the capture makes from here on is younger than this list, and so not in it.
    listed = gc.get_objects()
    objects, number = numbered(listed, excluded)
    listed.clear()
    return normalised(*linked(objects, number))


def numbered(listed, excluded):
    """All objects in order, and the number of each by its id."""
    objects, number, entered = [], {}, set()
    for top in listed:
        pending = [top]
        while pending:
            item = pending[-1]
            if id(item) in excluded:
                pending.pop()
                continue
            if id(item) not in entered:
                entered.add(id(item))
                pending.extend(r for r in gc.get_referents(item) if not gc.is_tracked(r))
                continue
            pending.pop()
            if id(item) not in number:
                number[id(item)] = len(objects)
                objects.append(item)
    return objects, number


def linked(objects, number):
    """The columns of the graph: (sizes, tracked, referents, entries)."""
    sizes, tracked, referents = [], [], []
    internal = [0] * len(objects)
    for item in objects:
        # Objects that are left out are the only ones without a number.
        targets = [number[id(r)] for r in gc.get_referents(item) if id(r) in number]
        for target in targets:
            internal[target] += 1
        referents.append(targets)
        sizes.append(size_of(item))
        tracked.append(gc.is_tracked(item))
    item = None

    # What our own list and the call add to every count they add to this one's too.
    objects.append(object())
    ours = sys.getrefcount(objects[-1])
    objects.pop()
    entries = []
    for index in range(len(objects)):
        if tracked[index] and sys.getrefcount(objects[index]) - ours > internal[index]:
            entries.append(index)
    return sizes, tracked, referents, entries


def our_own(capture):
    """The ids of the objects of this script, which are not part of the program."""
    functions = [v for v in globals().values() if getattr(v, "__module__", None) == __name__]
    ours = [SCRIPT, globals(), capture, *functions]
    for function in [capture, *functions]:
        ours += [r for r in gc.get_referents(function) if r is not vars(builtins)]
    # Names and constants are everybody's.
    ours = {id(item) for item in ours if gc.is_tracked(item)}
    frame = sys._getframe()
    while frame:
        if frame.f_globals is globals():
            ours.add(id(frame))
        frame = frame.f_back
    return ours


def size_of(item):
    """The bytes of an object, the collector's own header included, as the interpreter tells them."""
    try:
        return max(16, sys.getsizeof(item))
    except Exception:
        return 16


def normalised(sizes, tracked, referents, entries):
    """The graph without what no entry reaches, and with nothing untracked that could be in a cycle.

    The collector may stop to track a tuple or a dictionary while all that it holds is untracked. In
    the graph such an object refers to untracked objects of lower number only; any other is tracked.
    """
    for index, targets in enumerate(referents):
        if any(tracked[t] or t >= index for t in targets):
            tracked[index] = True
    reached = bytearray(len(sizes))
    pending = list(entries)
    for index in pending:
        reached[index] = 1
    while pending:
        for target in referents[pending.pop()]:
            if not reached[target]:
                reached[target] = 1
                pending.append(target)
    # Not reached is only what died between two steps of the capture.
    keep = [i for i in range(len(sizes)) if reached[i]]
    renumber = {old: new for new, old in enumerate(keep)}
    return (
        [sizes[i] for i in keep],
        [tracked[i] for i in keep],
        [[renumber[t] for t in referents[i]] for i in keep],
        [renumber[i] for i in entries],
    )


def write(path, origin, sizes, tracked, referents, entries):
    """Writes a graph; returns the bytes written."""
    payload = bytearray()

    def number(value):
        while value > 0x7F:
            payload.append(value & 0x7F | 0x80)
            value >>= 7
        payload.append(value)

    text = origin.encode()
    number(len(text))
    payload.extend(text)
    for count in (len(sizes), sum(map(len, referents)), len(entries)):
        number(count)
    for size, cyclic in zip(sizes, tracked):
        number(size << 1 | cyclic)
    for targets in referents:
        number(len(targets))
    for source, targets in enumerate(referents):
        for target in targets:
            distance = source - target
            number(distance << 1 if distance >= 0 else -distance << 1 | 1)
    previous = 0
    for entry in entries:
        number(entry - previous)
        previous = entry
    body = zlib.compress(bytes(payload), 9)
    with open(path, "wb") as file:
        file.write(HEADER.pack(MAGIC, VERSION, len(payload), zlib.crc32(payload)))
        file.write(body)
    return HEADER.size + len(body)


def read(path):
    """Reads a graph: (origin, sizes, tracked, referents, entries)."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < HEADER.size or data[:8] != MAGIC:
        sys.exit("error: `%s` is not a captured graph" % path)
    _, version, length, checksum = HEADER.unpack_from(data)
    if version != VERSION:
        sys.exit("error: `%s` is of version %d, expected %d" % (path, version, VERSION))
    payload = zlib.decompress(data[HEADER.size :])
    if len(payload) != length or zlib.crc32(payload) != checksum:
        sys.exit("error: `%s` is corrupt" % path)
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = payload[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    at_text = number()
    origin = payload[at : at + at_text].decode()
    at += at_text
    objects, _, held = number(), number(), number()
    columns = [number() for _ in range(objects)]
    degrees = [number() for _ in range(objects)]
    referents = []
    for source, degree in enumerate(degrees):
        steps = [number() for _ in range(degree)]
        referents.append([source + (s >> 1) if s & 1 else source - (s >> 1) for s in steps])
    entries, previous = [], 0
    for _ in range(held):
        previous += number()
        entries.append(previous)
    return origin, [c >> 1 for c in columns], [c & 1 for c in columns], referents, entries


def describe(path):
    """Prints what a graph holds."""
    origin, sizes, tracked, referents, entries = read(path)
    leaked = never_freed(referents)
    knots = [len(knot) for knot in components(referents) if len(knot) > 1]
    print("origin    %s" % origin)
    print("file      %d bytes" % os.path.getsize(path))
    print("objects   %d, %d of them tracked by the collector" % (len(sizes), sum(tracked)))
    print("edges     %d" % sum(map(len, referents)))
    print("entries   %d" % len(entries))
    print("bytes     %d" % sum(sizes))
    share = 100 * len(leaked) / len(sizes)
    weight = 100 * sum(sizes[i] for i in leaked) / sum(sizes)
    print("cyclic    %d objects (%.1f %%), %.1f %% of the bytes" % (len(leaked), share, weight))
    in_knots = 100 * sum(knots) / len(sizes)
    print("knots     %d, with %.1f %% of the objects; the largest has %d" % (len(knots), in_knots, max(knots, default=0)))
    return 0


def never_freed(referents):
    """What counting alone never frees once the entries are gone: cycles and what hangs off them."""
    counts = [0] * len(referents)
    for targets in referents:
        for target in targets:
            counts[target] += 1
    free = [i for i, count in enumerate(counts) if count == 0]
    freed = bytearray(len(referents))
    while free:
        index = free.pop()
        freed[index] = 1
        for target in referents[index]:
            counts[target] -= 1
            if counts[target] == 0:
                free.append(target)
    return [i for i in range(len(referents)) if not freed[i]]


def components(referents):
    """The strongly connected components (Tarjan's algorithm, with a stack of its own)."""
    order, low, place, closed, path, found = {}, {}, {}, set(), [], []
    for start in range(len(referents)):
        calls = [] if start in order else [(start, iter(referents[start]))]
        while calls:
            node, targets = calls[-1]
            if node not in order:
                order[node] = low[node] = len(order)
                place[node] = len(path)
                path.append(node)
            for target in targets:
                if target not in order:
                    calls.append((target, iter(referents[target])))
                    break
                if target not in closed:
                    low[node] = min(low[node], order[target])
            else:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[node])
                if low[node] == order[node]:
                    found.append(path[place[node] :])
                    closed.update(found[-1])
                    del path[place[node] :]
    return found


if __name__ == "__main__":
    sys.exit(main())
