"""The co-resident processor: a round trip to the database, then large lists turned into JSON.

In the incident this ran as a second thread of the ingest process. It holds the GIL for nearly all
of its cycle, in pieces of up to one `json.dumps` call, and the ingest thread waits for it in
futex(2).
"""

import argparse
import json
import os
import socket
import sys
import threading
import time


def name_thread(name):
    """Sets the kernel's name of the calling thread (what `top -H` shows). Best effort."""
    try:
        with open("/proc/self/task/%d/comm" % threading.get_native_id(), "w") as comm:
            comm.write(name)
    except OSError:
        pass


def settle(name, cpu):
    """Names the calling thread, pins it to one CPU (-1: any) and asks for a better nice value.

    The nice value (root only, best effort) keeps other load on the machine from deciding who gets
    the GIL.
    """
    # In Linux pid 0 means the calling thread here, not the process.
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except OSError:
        pass
    name_thread(name)
    if cpu < 0:
        return
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        sys.stderr.write("warning: cannot pin a thread to CPU %d: %s\n" % (cpu, error.strerror))
        sys.stderr.flush()


def round_trip(database, request):
    """One request line out, one answer of the same length back."""
    database.sendall(request)
    missing = len(request)
    while missing:
        answer = database.recv(missing)
        if not answer:
            raise ConnectionError("the database closed the connection")
        missing -= len(answer)


def run(port, cpu, holds, elements, stopped, calls=None):
    """Cycles until `stopped()`: one round trip, then `holds` lists of `elements` elements, each
    dumped.

    `calls` gets the beginning of every call that does not yield and the end, CLOCK_MONOTONIC
    nanoseconds. The GIL goes to others right before and after, so both can be late by as long as
    one of them has it.
    """
    settle("processor", cpu)
    cycle = 0
    with socket.create_connection(("127.0.0.1", port)) as database:
        database.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not stopped():
            round_trip(database, b"select positions %08d\n" % cycle)
            for hold in range(holds):
                if stopped():
                    return
                begun = time.monotonic_ns()
                rows = list(range(hold, hold + elements))
                listed = time.monotonic_ns()
                len(json.dumps(rows))
                if calls is not None:
                    calls.append((begun, listed))
                    calls.append((listed, time.monotonic_ns()))
            cycle += 1


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--database", type=int, required=True, help="port on 127.0.0.1")
    arguments.add_argument("--cpu", type=int, default=-1)
    arguments.add_argument("--holds", type=int, default=200)
    arguments.add_argument("--elements", type=int, default=200000)
    options = arguments.parse_args()
    parent = os.getppid()
    try:
        load = (options.database, options.cpu, options.holds, options.elements)
        run(*load, lambda: os.getppid() != parent)
    except (ConnectionError, KeyboardInterrupt):
        pass


if __name__ == "__main__":
    main()
