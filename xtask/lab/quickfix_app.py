"""A drop-copy client on a real engine: QuickFIX (SocketInitiator), with the demo's processor beside
it.

Ground truth for the agent: for every message that reaches `fromApp` its MsgSeqNum, its tag 52, the
instant at which `fromApp` began to run (the GIL was acquired) and the instant right before it
returned.

Every SWIG call releases the GIL and waits for it again, so the clocks are read last: between them
and the return of `SwigDirector_Application::fromApp` there is only the return from Python and the
GIL's release.

SIGTERM ends the processor thread. Once no message has come for QUIET_NS the log goes to --log and
the process ends: `SEQ SENT_TAG_52 BEGUN_MONOTONIC_NS UTC_NS MONOTONIC_NS` per message. Bodies are
not logged.
"""

import argparse
import gc
import os
import signal
import sys
import threading
import time

import quickfix

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "demo"))
import processor

# The fields the application reads: ExecID, OrderID, Symbol, LastQty, LastPx.
FIELDS = (17, 37, 55, 32, 31)

# The silence after which the stream is over.
QUIET_NS = 500000000


class Application(quickfix.Application):
    """The callbacks; all but `onCreate` run on the engine's own thread."""

    def __init__(self, cpu):
        super().__init__()
        self.cpu = cpu
        self.settled = False
        self.log = []
        self.last_ns = time.monotonic_ns()

    def onCreate(self, session):
        pass

    def onLogon(self, session):
        pass

    def onLogout(self, session):
        pass

    def toAdmin(self, message, session):
        if not self.settled:
            # The logon is the first thing the engine's thread does.
            self.settled = True
            processor.settle("ingest", self.cpu)

    def fromAdmin(self, message, session):
        pass

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        begun = time.monotonic_ns()
        header = message.getHeader()
        sequence = header.getField(34)
        stamp = header.getField(52)
        for tag in FIELDS:
            message.getField(tag)
        self.last_ns = begun
        self.log.append((sequence, stamp, begun, time.time_ns(), time.monotonic_ns()))


def settings(options):
    """The session's settings; nothing is stored, nothing logged.

    With a dictionary, as in production: the parser works without the GIL, and the processor takes
    it meanwhile.
    """
    dictionary = os.path.join(os.path.dirname(quickfix.__file__), "share", "quickfix", "FIX44.xml")
    lines = [
        "[DEFAULT]",
        "ConnectionType=initiator",
        "ReconnectInterval=3600",
        "NonStopSession=Y",
        "UseDataDictionary=Y",
        "DataDictionary=%s" % dictionary,
        "HeartBtInt=5",
        "SocketNodelay=Y",
        "TimestampPrecision=6",
        "CheckLatency=%s" % ("Y" if options.max_latency else "N"),
        "MaxLatency=%d" % (options.max_latency or 120),
        "[SESSION]",
        "BeginString=FIX.4.4",
        "SenderCompID=DROP",
        "TargetCompID=VENUE",
        "SocketConnectHost=127.0.0.1",
        "SocketConnectPort=%d" % options.venue,
        "",
    ]
    # The binding reads settings from a file only.
    path = options.log + ".cfg"
    with open(path, "w") as file:
        file.write("\n".join(lines))
    return quickfix.SessionSettings(path)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--venue", type=int, required=True, help="port on 127.0.0.1")
    arguments.add_argument("--database", type=int, required=True, help="port on 127.0.0.1")
    arguments.add_argument(
        "--processor", action="store_true", help="run the processor as a thread of this process"
    )
    arguments.add_argument("--log", required=True)
    arguments.add_argument(
        "--max-latency", type=int, default=0, help="MaxLatency in seconds; 0: not checked"
    )
    arguments.add_argument("--cpu-ingest", type=int, default=-1)
    arguments.add_argument("--cpu-processor", type=int, default=-1)
    arguments.add_argument("--holds", type=int, default=200)
    arguments.add_argument("--elements", type=int, default=200000)
    options = arguments.parse_args()

    # No collection between the clocks and the return.
    gc.disable()
    finished = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: finished.set())

    application = Application(options.cpu_ingest)
    store = quickfix.MemoryStoreFactory()
    initiator = quickfix.SocketInitiator(application, store, settings(options))
    initiator.start()
    if options.processor:
        load = (options.database, options.cpu_processor, options.holds, options.elements)
        threading.Thread(target=processor.run, args=(*load, finished.is_set), daemon=True).start()
    finished.wait()
    while time.monotonic_ns() - application.last_ns < QUIET_NS:
        time.sleep(0.05)
    with open(options.log, "w") as log:
        for entry in application.log:
            log.write("%s %s %d %d %d\n" % entry)
    # Stopping the engine would log out; the truth is complete, and the process may just end.
    os._exit(0)


if __name__ == "__main__":
    main()
