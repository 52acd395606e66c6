"""The ingest process: one thread reads FIX from the venue, one thread (in mode `thread`) is the
processor.

Ground truth for the agent: for every message its MsgSeqNum, its tag 52 and the hand-off instant,
which is when the ingest thread is through with everything the receive call returned, right before
its next one.

Standard output, one line each: `connected`, then about once a second
`lag SEQ NANOSECONDS MESSAGES`.
At exit the log goes to --log: `SEQ SENT_TAG_52 UTC_NS MONOTONIC_NS` per message. Bodies are not
logged. Beside it are LOG.waits, the waits for the GIL after the parse (`FROM TO`, monotonic),
LOG.calls, the processor thread's calls that do not yield (the same), and the kernel's accounts of
the two threads, LOG.schedstat and LOG.processor.
"""

import argparse
import calendar
import hashlib
import os
import signal
import socket
import sys
import threading
import time

import processor

SOH = b"\x01"


def checksummed(body):
    """Puts BeginString, BodyLength and CheckSum around the fields in `body`."""
    message = b"8=FIX.4.4\x019=%d\x01" % len(body) + body
    return message + b"10=%03d\x01" % (sum(message) % 256)


def utc_now():
    """UTC now as tag 52, microseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1000000000)
    stamp = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(seconds))
    return b"%s.%06d" % (stamp.encode(), nanoseconds // 1000)


def utc_ns(stamp):
    """Tag 52 (`YYYYMMDD-HH:MM:SS[.fraction]`) in nanoseconds since 1970."""
    whole, _, fraction = stamp.decode().partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y%m%d-%H:%M:%S"))
    return seconds * 1000000000 + int((fraction + "000000000")[:9])


def account():
    """The kernel's account of the calling thread."""
    with open("/proc/thread-self/schedstat") as schedstat:
        return schedstat.read()


class Ingest:
    """The session with the venue, on one thread."""

    def __init__(self, options):
        self.options = options
        self.stopped = False
        self.log = []
        self.waits = []
        self.calls = []
        self.account = self.account_of_processor = "0 0 0"
        self.sequence = 0
        self.parsed = os.urandom(options.hash_bytes)
        self.socket = socket.create_connection(("127.0.0.1", options.venue))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, kind, fields=b""):
        """Sends an administrative message."""
        self.sequence += 1
        header = (kind, self.sequence, utc_now())
        head = b"35=%s\x0149=DROP\x0156=VENUE\x0134=%d\x0152=%s\x01" % header
        self.socket.sendall(checksummed(head + fields))

    def parse(self):
        """Some 40 to 70 us without the GIL: stand for the C++ parse of a message."""
        begun, used = time.monotonic_ns(), time.thread_time_ns()
        hashlib.sha256(self.parsed).digest()
        used = time.thread_time_ns() - used
        # Once it has used its CPU time it is through, and waits for the GIL.
        self.waits.append((begun + used, time.monotonic_ns()))

    def handle(self, message):
        """One message: the parse without the GIL, then a little Python."""
        self.parse()
        fields = dict(field.split(b"=", 1) for field in message.split(SOH)[:9] if field)
        kind = fields[b"35"]
        if kind == b"1":
            self.send(b"0", b"112=%s\x01" % fields.get(b"112", b""))
        elif kind == b"5":
            self.stopped = True
        return int(fields[b"34"]), fields[b"52"]

    def cut(self, buffer, done):
        """Handles the complete messages in `buffer`; returns what is left of it."""
        start = 0
        while not self.stopped:
            # 8=FIX.4.4|9=NNN| gives the end of the message.
            length = buffer.find(b"\x019=", start)
            body = buffer.find(SOH, length + 3) if length >= 0 else -1
            if body < 0:
                break
            end = body + 1 + int(buffer[length + 3 : body]) + 7
            if len(buffer) < end:
                break
            done.append(self.handle(buffer[start:end]))
            start = end
        return buffer[start:]

    def run(self):
        """Reads until the venue closes, logs out, or `stop` is called."""
        processor.settle("ingest", self.options.cpu_ingest)
        self.send(b"A", b"98=0\x01108=%d\x01" % self.options.heartbeat)
        buffer = b""
        reported = beaten = time.monotonic_ns()
        messages = 0
        print("connected", flush=True)
        try:
            while True:
                data = self.socket.recv(8192)
                if not data or self.stopped:
                    break
                done = []
                buffer = self.cut(buffer + data, done)
                messages += len(done)
                now = time.monotonic_ns()
                if now - beaten > self.options.heartbeat * 1000000000:
                    beaten = now
                    self.send(b"0")
                if done and now - reported > 1000000000:
                    reported = now
                    sequence, stamp = done[-1]
                    lag = time.time_ns() - utc_ns(stamp)
                    sys.stdout.write("lag %d %d %d\n" % (sequence, lag, messages))
                    sys.stdout.flush()
                # Nothing but the two clocks and the append stands between here and the next recv.
                utc, monotonic = time.time_ns(), time.monotonic_ns()
                self.log.append((done, utc, monotonic))
        except OSError as error:
            if not self.stopped:
                sys.stderr.write("the venue's connection failed: %s\n" % error.strerror)
                sys.stderr.flush()

    def stop(self):
        """Ends `run`, from another thread."""
        self.stopped = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def write_log(self):
        """Writes the ground truth."""
        with open(self.options.log, "w") as log:
            for done, utc, monotonic in self.log:
                for sequence, stamp in done:
                    log.write("%d %s %d %d\n" % (sequence, stamp.decode(), utc, monotonic))
        for name, instants in ("waits", self.waits), ("calls", self.calls[:]):
            with open("%s.%s" % (self.options.log, name), "w") as log:
                for pair in instants:
                    log.write("%d %d\n" % pair)
        for name, account in ("schedstat", self.account), ("processor", self.account_of_processor):
            with open("%s.%s" % (self.options.log, name), "w") as log:
                log.write(account)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--venue", type=int, required=True, help="port on 127.0.0.1")
    arguments.add_argument("--database", type=int, required=True, help="port on 127.0.0.1")
    arguments.add_argument("--mode", choices=("thread", "process"), default="thread")
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--cpu-ingest", type=int, default=-1)
    arguments.add_argument("--cpu-processor", type=int, default=-1)
    arguments.add_argument("--holds", type=int, default=200)
    arguments.add_argument("--elements", type=int, default=200000)
    arguments.add_argument("--hash-bytes", type=int, default=100000)
    arguments.add_argument("--heartbeat", type=int, default=5, help="HeartBtInt in seconds")
    options = arguments.parse_args()

    finished = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: finished.set())
    ingest = Ingest(options)

    def read():
        try:
            ingest.run()
        finally:
            ingest.account = account()
            finished.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    if options.mode == "thread":
        arguments = (options.database, options.cpu_processor, options.holds, options.elements)

        def process():
            processor.run(*arguments, finished.is_set, ingest.calls)
            ingest.account_of_processor = account()

        worker = threading.Thread(target=process, daemon=True)
        worker.start()
    finished.wait()
    ingest.stop()
    reader.join(10)
    if options.mode == "thread":
        worker.join(10)
    ingest.write_log()
    sys.stdout.flush()
    # A processor thread that is still deep inside json.dumps is left behind.
    os._exit(0)


if __name__ == "__main__":
    main()
