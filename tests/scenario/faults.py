"""Postmark on a bad day: what the relay answered for arrives all the same, once, and what can
never arrive is not tried for ever."""

import collections
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, check, load, run, wait_for  # noqa: E402

SENDER, READER = "shop@sender.example", "ann@reader.example"
EMAIL = "/email*"


def pair(folder, settings=None):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port, settings)


def send(relay, subject, *readers):
    readers = readers or (READER,)
    with relay.smtp() as s:
        s.sendmail(SENDER, readers, "From: <%s>\r\nTo: %s\r\nSubject: %s\r\n\r\nHello.\r\n" % (
            SENDER, ", ".join(readers), subject))


def check_once_each(sandbox, relay, count):
    """All of a load arrived, the relay knows it, and nothing was sent twice."""
    relay.await_sent(count)
    subjects = collections.Counter(m["Request"]["Subject"] for m in sandbox.messages())
    twice = [s for s, n in subjects.items() if n > 1]
    check(len(subjects) == count and not twice, "%d subjects of %d, twice: %s" % (
        len(subjects), count, twice[:10]))
    check(sandbox.counts()["relay_id_repeats"] == 0, "an item was sent twice")


def requests(sandbox):
    counts = sandbox.counts()["requests"]
    return counts["POST /email"] + counts["POST /email/batch"]


def weather(folder):
    """Answers that say nothing about the message: it is tried again until it goes."""
    sandbox, relay = pair(folder)
    for name, rule in (
            ("500", {"status": 500}),
            ("500 in Postmark's words", {"status": 500, "error_code": 101}),
            ("503", {"status": 503, "error_code": 100}),
            ("502 in HTML", {"status": 502, "answer": "html"}),
            ("429", {"status": 429}),
            ("429 with Retry-After", {"status": 429, "retry_after": 1}),
            ("hung up before", {"cut": "before"})):
        before = sandbox.counts()["accepted"]
        sandbox.faults(dict(rule, path=EMAIL, times=3))
        result = load(relay, "--mails", 60, "--connections", 10, "--size", "2K", "--run", name.replace(" ", "-"))
        check(result["accepted"] == 60, "%s: %s" % (name, result["first_refusal"]))
        wait_for(name, lambda: sandbox.counts()["accepted"] >= before + 60, 60)
    check_once_each(sandbox, relay, 7 * 60)


def retry_after(folder):
    sandbox, relay = pair(folder)
    sandbox.faults({"path": EMAIL, "status": 429, "retry_after": 3, "times": 1})
    start = time.monotonic()
    send(relay, "throttled")
    sandbox.await_subjects(["throttled"])
    check(time.monotonic() - start >= 2.8, "tried again %.1f s after Retry-After: 3" % (time.monotonic() - start))


def unsure(folder):
    """The request arrived and its answer did not: Postmark is asked before anything goes again."""
    sandbox, relay = pair(folder, {"postmark": {"timeout": "1s", "batch-timeout": "1s"}})
    for number, rule in enumerate((
            {"cut": "after"}, {"answer": "truncated"}, {"answer": "empty"}, {"answer": "html"},
            {"delay_after_ms": 2500})):
        sandbox.faults(dict(rule, path=EMAIL, times=2))
        result = load(relay, "--mails", 40, "--connections", 10, "--size", "2K", "--run", "unsure-%d" % number)
        check(result["accepted"] == 40, result["first_refusal"])
        relay.await_sent(40 * (number + 1))
    check_once_each(sandbox, relay, 5 * 40)
    searches = sandbox.counts()["requests"]["GET /messages/outbound"]
    check(searches > 0, "Postmark was not asked")
    print("      %d searches" % searches)


def unsure_and_not_there(folder):
    """The answer is missing, and so is the message: it goes again."""
    sandbox, relay = pair(folder)
    sandbox.faults({"path": EMAIL, "cut": "before", "times": 2})
    send(relay, "lost on the way")
    sandbox.await_subjects(["lost on the way"])
    check_once_each(sandbox, relay, 1)


def wrong_batch_length(folder):
    sandbox, relay = pair(folder)
    sandbox.faults({"path": "/email/batch", "answer": "wrong-length", "times": 3})
    result = load(relay, "--mails", 200, "--connections", 20, "--size", "2K")
    check(result["accepted"] == 200, result["first_refusal"])
    check_once_each(sandbox, relay, 200)
    fired = sandbox.get("/sandbox/faults")[0]["fired"]
    check(fired > 0, "no batch was sent")


def suppressed_recipients(folder):
    sandbox, relay = pair(folder)
    sandbox.suppress("gone@reader.example", "away@reader.example")
    send(relay, "partial", READER, "gone@reader.example", "bo@reader.example")
    message, = sandbox.await_subjects(["partial"])
    check(message["Suppressed"] == ["gone@reader.example"], message["Suppressed"])
    send(relay, "all gone", "gone@reader.example", "away@reader.example")
    wait_for("the refusal", lambda: sandbox.counts()["refused"].get("406"))
    time.sleep(3)
    check(sandbox.counts()["refused"]["406"] == 1, "a refusal for good was tried again")
    check_once_each(sandbox, relay, 1)
    check(requests(sandbox) == 2, "%d requests" % requests(sandbox))
    check(relay.log().count("gone@reader.example") >= 1, "the log does not name who was left out")


def refused_message_in_a_batch(folder):
    """One bad message does not keep the others back, and is not tried again."""
    sandbox = Sandbox(folder, "--sender-domain", "bench.example")
    relay = Relay(folder, sandbox.port)
    sandbox.suppress(*("reader%d@reader.example" % i for i in range(0, 100, 10)))
    result = load(relay, "--mails", 100, "--connections", 20, "--size", "2K")
    check(result["accepted"] == 100, result["first_refusal"])
    wait_for("the rest", lambda: sandbox.counts()["kept"] >= 90, 60)
    wait_for("the refusals", lambda: sandbox.counts()["refused"].get("406", 0) >= 10, 60)
    time.sleep(2.5)
    check(sandbox.counts()["refused"]["406"] == 10, "refused %s" % sandbox.counts()["refused"])
    check_once_each(sandbox, relay, 90)


def wrong_token(folder):
    """Only an operator can help: nothing is lost, nothing is hammered, and the log is loud."""
    sandbox, relay = pair(folder)
    sandbox.faults({"path": EMAIL, "status": 401, "error_code": 10})
    result = load(relay, "--mails", 50, "--connections", 10, "--size", "2K")
    check(result["accepted"] == 50, result["first_refusal"])
    relay.await_log("level=error .*event=route-paused")
    before = requests(sandbox)
    time.sleep(2)
    check(requests(sandbox) - before <= 10, "%d requests in 2 s of a paused route" % (requests(sandbox) - before))
    sandbox.faults()
    check_once_each(sandbox, relay, 50)
    relay.await_log("event=route-resumed")


def outage(folder):
    """Nothing answers at all, then everything is delivered."""
    sandbox = Sandbox(folder)
    port = sandbox.port
    relay = Relay(folder, port)
    sandbox.stop()
    result = load(relay, "--mails", 300, "--connections", 20, "--size", "2K")
    check(result["accepted"] == 300, result["first_refusal"])
    time.sleep(2)
    check("event=died" not in relay.log(), "a process died")
    again = Sandbox(folder, "--port", str(port))
    check_once_each(again, relay, 300)


def slow_answers(folder):
    """A far side with latency: batches and several requests at once make up for it."""
    sandbox, relay = pair(folder)
    sandbox.faults({"path": EMAIL, "delay_after_ms": 300})
    start = time.monotonic()
    result = load(relay, "--mails", 1000, "--connections", 50, "--size", "2K")
    check(result["accepted"] == 1000, result["first_refusal"])
    check_once_each(sandbox, relay, 1000)
    check(time.monotonic() - start < 60, "1,000 mails took %.0f s" % (time.monotonic() - start))
    check(sandbox.counts()["largest_batch"] > 10, "largest batch %d" % sandbox.counts()["largest_batch"])


run([weather, retry_after, unsure, unsure_and_not_there, wrong_batch_length, suppressed_recipients,
     refused_message_in_a_batch, wrong_token, outage, slow_answers], "faults")
