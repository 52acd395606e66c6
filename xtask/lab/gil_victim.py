"""A CPython process that waits for the GIL, with an account of its ingest thread:
`cargo xtask verify --only gil`.

The ingest thread is the demo's: it receives, parses without the GIL and handles each message in
Python. Around every release of the GIL gil_marks.c takes marks: before and after the receive call
or the parse, and back in the interpreter. The stretch up to the latter is the re-entry; the thread
sleeps in it only while it waits for the GIL.

The rival thread holds the GIL in bytecode (it hands it over when asked, after the switch interval)
or in C calls that do not yield, whose beginnings and ends are logged.

Standard output: `connected`. At the end --log is written in the format of the lab's victims
(`VictimLog` in xtask/lab/src/victim/log.rs), and --holds with one `START END` per call of the
rival, CLOCK_MONOTONIC nanoseconds.
"""

import argparse
import ctypes
import json
import os
import resource
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "demo"))

import ingest
import processor


class Mark(ctypes.Structure):
    """`struct mark` of gil_marks.c."""

    _fields_ = [(name, ctypes.c_int64) for name in ("did", "at", "utc", "cpu", "delay", "slices")]


# MsgSeqNum of the venue's Logon.
LOGON = 1

# Calls without the GIL per message, and the CPU time of each in nanoseconds: the rival does not get
# the GIL in less.
CALLS = 3
WORK_NS = 40000

# In gil_marks.c: marks that fit.
ROOM = 1 << 18


class Marks:
    """gil_marks.c, loaded for calls without and with the GIL."""

    def __init__(self, library):
        free, held = ctypes.CDLL(library), ctypes.PyDLL(library)
        self.receive, self.work = free.lab_receive, free.lab_work
        self.receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
        self.receive.restype = ctypes.c_ssize_t
        self.work.argtypes = (ctypes.c_int64,)
        self.work.restype = None
        self.begin, self.entered = held.lab_begin, held.lab_entered
        self.entered.restype = None
        self.hold, self.prompt = held.lab_hold, held.lab_prompt
        self.hold.argtypes = (ctypes.c_int64, ctypes.POINTER(ctypes.c_int64))
        self.hold.restype = self.prompt.restype = None
        self.counter = ctypes.c_long.in_dll(held, "lab_used")
        self.marks = (Mark * ROOM).in_dll(held, "lab_marks")

    def used(self):
        """Marks taken; the index of the next."""
        return self.counter.value

    def taken(self):
        """All of them."""
        if self.used() >= ROOM:
            raise RuntimeError("there is no room for so many marks")
        return self.marks[: self.used()]


class Victim(ingest.Ingest):
    """The ingest thread, with marks."""

    def __init__(self, options, marks, streaming):
        super().__init__(options)
        self.marks = marks
        self.streaming = streaming
        self.handled = []
        self.batches = []
        self.usage = ()

    def parse(self):
        """Several calls without the GIL, as a wrapped C++ engine makes, each with a re-entry."""
        back = []
        for _ in range(CALLS):
            self.marks.work(WORK_NS)
            self.marks.entered()
            back.append(self.marks.used() - 1)
        self.handled.append(back)

    def handle(self, message):
        sequence, stamp = super().handle(message)
        if sequence > LOGON and not self.streaming.is_set():
            self.streaming.set()
        return sequence, stamp

    def run(self):
        processor.settle("ingest", self.options.cpu_ingest)
        try:
            # It runs little, and should run at once (root only, best effort): the counters say how
            # much of a long wait was for a CPU, and not where in the wait that was.
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            pass
        if self.marks.begin() < 0:
            raise RuntimeError("the thread's schedstat cannot be read")
        self.send(b"A", b"98=0\x01108=30\x01")
        print("connected", flush=True)
        room = ctypes.create_string_buffer(8192)
        descriptor, address = self.socket.fileno(), ctypes.addressof(room)
        buffer, done, received = b"", [], None
        while True:
            # The first thing it does is to mark the end of the messages in hand, then it is in
            # recv(2).
            ended = self.marks.used()
            length = self.marks.receive(descriptor, address, 8192)
            self.marks.entered()
            if done:
                self.batches.append((done, self.handled, received, ended))
            if length <= 0:
                break
            done, self.handled, received = [], [], ended + 1
            buffer = self.cut(buffer + ctypes.string_at(address, length), done)
        with open("/proc/thread-self/schedstat") as account:
            usage = resource.getrusage(resource.RUSAGE_THREAD)
            self.usage = (*map(int, account.read().split()), usage.ru_nvcsw, usage.ru_nivcsw)

    def write_log(self):
        """Writes the log."""
        marks = self.marks.taken()
        records = []
        for done, handled, received, ended in self.batches:
            for (sequence, _), back in zip(done, handled):
                records.append({
                    "seq": sequence,
                    "received_ns": marks[received].at,
                    "called_ns": marks[back[-1]].at,
                    # Around the message's own re-entries.
                    "injected_ns": sum(marks[index].at - marks[index - 1].at for index in back),
                    "handed_off_ns": marks[ended].at,
                    "handed_off_utc_ns": marks[ended].utc,
                })
        # There is no quota.
        taken = [
            {"kind": chr(m.did), "at_ns": m.at, "cpu_ns": m.cpu, "delay_ns": m.delay,
             "throttled_ns": 0}
            for m in marks
        ]
        on_cpu, delay, slices, *switches = self.usage
        schedstat = {"on_cpu_ns": on_cpu, "run_delay_ns": delay, "slices": slices}
        usage = {"schedstat": schedstat, "switches": switches}
        with open(self.options.log, "w") as log:
            log.write(json.dumps({"records": records, "marks": taken, "usage": usage}))


class Rival(threading.Thread):
    """The thread that holds the GIL, from the first message of the stream on."""

    def __init__(self, options, marks, streaming):
        super().__init__(daemon=True)
        self.options = options
        self.hold, self.prompt = marks.hold, marks.prompt
        self.streaming = streaming
        self.stopped = False
        self.holds = []
        self.account = "0 0 0"

    def run(self):
        processor.settle("rival", self.options.cpu_rival)
        self.prompt()
        self.streaming.wait()
        if self.options.rival == "calls":
            self.call()
        else:
            self.compute()
        with open("/proc/thread-self/schedstat") as account:
            self.account = account.read()

    def compute(self):
        """Bytecode: hands the GIL over whenever it is asked to."""
        count = 0
        while not self.stopped:
            count += 1

    def call(self):
        """C calls that do not yield, one after the other."""
        while not self.stopped:
            span = (ctypes.c_int64 * 2)()
            self.hold(self.options.hold_us * 1000, span)
            self.holds.append(span)
            if self.options.gap_us:
                time.sleep(self.options.gap_us / 1e6)

    def write_log(self):
        """Writes the holds, and the kernel's account of the thread."""
        with open(self.options.holds, "w") as log:
            for hold in self.holds:
                log.write("%d %d\n" % tuple(hold))
        with open(self.options.holds + ".schedstat", "w") as log:
            log.write(self.account)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--venue", type=int, required=True, help="port on 127.0.0.1")
    arguments.add_argument("--marks", required=True, help="gil_marks.c as a shared library")
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--holds", required=True)
    arguments.add_argument("--cpu-ingest", type=int, default=-1)
    arguments.add_argument("--cpu-rival", type=int, default=-1)
    arguments.add_argument("--rival", choices=("bytecode", "calls"), default="bytecode")
    arguments.add_argument("--hold-us", type=int, default=25000, help="`calls`: how long one takes")
    arguments.add_argument("--gap-us", type=int, default=0, help="`calls`: sleep in between")
    arguments.add_argument("--switch-us", type=int, default=5000, help="sys.setswitchinterval")
    arguments.set_defaults(hash_bytes=0)
    options = arguments.parse_args()

    sys.setswitchinterval(options.switch_us / 1e6)
    marks = Marks(options.marks)
    streaming = threading.Event()
    victim, rival = Victim(options, marks, streaming), Rival(options, marks, streaming)
    failed = []

    def read():
        try:
            victim.run()
        except Exception as error:
            failed.append(error)

    reader = threading.Thread(target=read, daemon=True)
    rival.start()
    reader.start()
    reader.join()
    rival.stopped = True
    streaming.set()
    rival.join()
    for error in failed:
        sys.exit("the ingest thread failed: %s" % error)
    victim.write_log()
    rival.write_log()


if __name__ == "__main__":
    main()
