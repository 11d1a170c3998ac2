"""make bench-control: a full queue looked into while mail comes in.

A relay whose route is paused is filled (most of it with mails to a thousand blind recipients each,
which are an item each), then the same load is sent twice in turn: with nobody looking, and with
a client that lists, filters and asks for the status of items, one query after
another.  What counts: how long
an answer takes, and the p99 of end-of-data to 250 with the queries against without them.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import daemons  # noqa: E402
from daemons import HttpSink, Relay, check  # noqa: E402


def load(relay, mails):
    """p99 of end-of-data to 250, in milliseconds."""
    done = subprocess.run(
        [daemons.program("tests/bench/smtp_load"), "--target", "127.0.0.1:%d" % relay.port,
         "--mails", str(mails), "--connections", "20", "--size", "10K", "--json"],
        capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)["latency_ms"]["p99"]


def fill(relay, items):
    """Blind recipients are an item each."""
    smtp = relay.smtp()
    while items > 0:
        count = min(items, 1000)
        smtp.sendmail("sender@example.com",
                      ["reader%d-%d@example.com" % (items, i) for i in range(count)],
                      "From: sender@example.com\r\nTo: undisclosed-recipients:;\r\n"
                      "Subject: filling\r\nMessage-ID: <fill-%d@example.com>\r\n\r\nfull\r\n" % items)
        items -= count
    smtp.quit()


class Queries:
    """Asks one after another until stopped; how long each took, by kind."""

    def __init__(self, relay, pause_s=0):
        self.relay = relay
        self.pause_s = pause_s
        self.times = {}
        self.stopped = False
        first = relay.ask("GET", "/queue/list", query={"count": "1", "oldest-first": "true"})
        newest = relay.ask("GET", "/queue/list", query={"count": "1"})
        self.kinds = {
            "list": ("/queue/list", {"count": "100"}),
            "list oldest": ("/queue/list", {"count": "100", "oldest-first": "true"}),
            "state held": ("/queue/list", {"state": "held"}),
            "state waiting": ("/queue/list", {"state": "waiting"}),
            "recipient, none has it": ("/queue/list", {"recipient": "nobody-has-this"}),
            "subject": ("/queue/list", {"subject": "filling", "count": "100"}),
            "status, oldest": ("/status/" + first["items"][0]["id"], None),
            "status, newest": ("/status/" + newest["items"][0]["id"], None),
            "status, Message-ID": ("/status/" + "fill-1000%40example.com", None),
            "status, unknown": ("/status/" + "00000000-0000-4000-8000-000000000000", None),
            "count": ("/queue/count", None),
        }
        self.thread = threading.Thread(target=self.run)

    def once(self):
        for kind, (path, query) in self.kinds.items():
            begin = time.monotonic()
            answer = self.relay.control("GET", path, query=query)
            self.times.setdefault(kind, []).append(1000 * (time.monotonic() - begin))
            check(answer.status in (200, 404), "%s: %s" % (kind, answer))
            time.sleep(self.pause_s)

    def run(self):
        while not self.stopped:
            self.once()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *unused):
        self.stopped = True
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000000)
    parser.add_argument("--mails", type=int, default=6000, help="in each run of the load")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--pause", type=int, default=20,
                        help="milliseconds between two queries beside the load; 0: none")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="control-bench-", dir=os.getcwd())
    sink = HttpSink(folder)
    relay = Relay(folder, sink.port)
    relay.ask("POST", "/route/pause", {"route": "default", "reason": "bench"})
    begin = time.monotonic()
    fill(relay, options.items)
    print("%d items in %.0f s" % (options.items, time.monotonic() - begin))
    queries = Queries(relay)
    for _ in range(5):
        queries.once()
    print("quiet:")
    for kind, times in queries.times.items():
        print("  %-26s median %6.1f ms, worst %6.1f ms"
              % (kind, statistics.median(times), max(times)))
    ratios = []
    for _ in range(options.repeat):
        alone = load(relay, options.mails)
        with Queries(relay, options.pause / 1000) as beside:
            together = load(relay, options.mails)
        worst = max(max(times) for times in beside.times.values())
        ratios.append(together / alone)
        print("p99 of end-of-data to 250: %.1f ms alone, %.1f ms beside %d queries "
              "(worst of them %.1f ms): %.2f times"
              % (alone, together,
                 sum(len(t) for t in beside.times.values()), worst, ratios[-1]))
    print("p99 ratio, median of %d: %.2f" % (len(ratios), statistics.median(ratios)))
    relay.stop()
    sink.stop()
    shutil.rmtree(folder, True)


main()
