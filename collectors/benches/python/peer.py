"""The graphs of the bench in CPython: prints CPU nanoseconds per object, or of the longest pause.

rings N K     gc.collect() of N objects of garbage in rings of K
live N SHAPE  gc.collect() over N live objects: chain, doubly-linked or random
growing N     the longest collection while a chain of N objects is built, default thresholds
"""

import gc
import random
import statistics
import sys
import time


class Node:
    __slots__ = ("left", "right", "first", "second")

    def __init__(self):
        self.left = self.right = None
        self.first = self.second = 0


def ring(size):
    first = last = Node()
    for _ in range(size - 1):
        node = Node()
        last.left = node
        last = node
    last.left = first


def chain(count, doubly):
    first = last = Node()
    for _ in range(count - 1):
        node = Node()
        last.left = node
        if doubly:
            node.right = last
        last = node
    return first


def random_graph(count):
    choose = random.Random(0)
    nodes = [Node() for _ in range(count)]
    for node in nodes:
        node.left = nodes[choose.randrange(count)]
        node.right = nodes[choose.randrange(count)]
    return nodes


def collect():
    start = time.thread_time_ns()
    freed = gc.collect()
    return time.thread_time_ns() - start, freed


def rings(count, size):
    gc.disable()
    taken = []
    for _ in range(3):
        for _ in range(count // size):
            ring(size)
        nanoseconds, freed = collect()
        assert freed >= count
        taken.append(nanoseconds)
    return statistics.median(taken) / count


def live(count, shape):
    gc.disable()
    graph = random_graph(count) if shape == "random" else chain(count, shape == "doubly-linked")
    taken = [collect()[0] for _ in range(6)][1:]
    del graph
    return statistics.median(taken) / count


def growing(count):
    began, longest = 0, 0

    def stamp(phase, _):
        nonlocal began, longest
        if phase == "start":
            began = time.thread_time_ns()
        else:
            longest = max(longest, time.thread_time_ns() - began)

    gc.callbacks.append(stamp)
    newest = None
    for _ in range(count):
        node = Node()
        node.left = newest
        newest = node
    gc.callbacks.remove(stamp)
    return longest


def main(case, count, *rest):
    cases = {"rings": lambda: rings(int(count), int(rest[0])), "live": lambda: live(int(count), rest[0]),
             "growing": lambda: growing(int(count))}
    print(cases[case](), flush=True)
    # The graph would be torn down object by object, some of it recursively.
    import os
    os._exit(0)


main(*sys.argv[1:])
