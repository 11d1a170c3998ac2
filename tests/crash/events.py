"""A flood of events while mail flows, and kill -9 in the middle: what was answered 200 is kept, and
nothing is kept twice.

The short form is an ordinary test.  CRASH_FULL=1, or --full: 50,000 events over 64 connections,
first left alone, with the time to each 200, then with each process killed in turn.
"""

import concurrent.futures
import http.client
import json
import os
import random
import re
import signal
import sqlite3
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Failure, Relay, Sandbox, check, free_port, load, load_result, role_pid, run, sanitized, wait_for  # noqa: E402

FULL = "--full" in sys.argv or os.environ.get("CRASH_FULL", "0") not in ("", "0")
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1 << 30)
EVENTS = 50000 if FULL else 3000
PARALLEL = 64
MAILS = 4000 if FULL else 200
MAILS_A_SECOND = 500  # so that they flow as long as the events do
SECRET = "a-secret-for-this-test-alone"
P99_MS = 50


def start(folder, settings=None):
    hooks = free_port()
    sandbox = Sandbox(folder)
    # A minute of Postmark's retry table takes a fifth of a second, all of it ten.
    sandbox.call("PUT", "/sandbox/events/settings", {"webhook_speed": 300, "timeout_ms": 20000})
    relay = Relay(folder, sandbox.port, {
        "webhook": {"listen": ["127.0.0.1:%d" % hooks], "secret": SECRET, "connections": 512},
        "log": {"level": "warning"}, **(settings or {})}, wait=False)
    wait_for("the relay", lambda: ready(relay), 60)
    return sandbox, relay, "http://127.0.0.1:%d/%s" % (hooks, SECRET)


def ready(relay):
    try:
        return relay.control("GET", "/healthcheck").status in (200, 503)
    except OSError:
        return False


def hook(sandbox, url):
    """Every event of the stream goes there, from now on."""
    triggers = {name: {"Enabled": True} for name in ("Delivery", "Open", "Click", "Bounce", "SpamComplaint")}
    post(sandbox, "/webhooks", {"Url": url, "Triggers": triggers})


def post(sandbox, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    connection.request("POST", path, json.dumps(body), {
        "Content-Type": "application/json", "X-Postmark-Server-Token": "sandbox-server-token"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    check(answer.status == 200, "%s: %d %s" % (path, answer.status, text))
    return json.loads(text)


def spool(relay):
    return sqlite3.connect("file:%s/spool.db?mode=ro" % relay.spool, uri=True, timeout=30)


def kept(relay):
    """How many events the spool has, of ours and of all, and how many are there twice."""
    with spool(relay) as db:
        total = db.execute("SELECT count(*) FROM event WHERE kind IN (1, 4)").fetchone()[0]
        twice = db.execute("SELECT count(*) FROM (SELECT mark FROM event GROUP BY mark"
                           " HAVING count(*) > 1)").fetchone()[0]
        joined = db.execute("SELECT count(*) FROM event WHERE item <> 0 AND kind IN (1, 4)").fetchone()[0]
    return total, twice, joined


def prepare(sandbox, relay, url):
    """Mails that were sent before, for the events to be about; their deliveries are not told."""
    result = load(relay, "--mails", 300, "--connections", 10, "--size", "1K", "--run", "before")
    check(result["accepted"] == 300, result["first_refusal"])
    wait_for("the first mails", lambda: sandbox.counts()["kept"] >= 300, 60)
    ids = [m["RelayID"] for m in sandbox.messages()]
    # What happens to mails from now on is not fired either: the flood alone is counted.
    sandbox.call("PUT", "/sandbox/events/settings", {"delay_ms": 3600000})
    hook(sandbox, url)
    return ids


def flood(sandbox, ids):
    return post(sandbox, "/sandbox/events/flood", {
        "count": EVENTS, "parallel": PARALLEL, "kinds": ["Delivery", "Open"], "relay_ids": ids})


def mails_beside(relay, folder):
    return load(relay, "--mails", MAILS, "--connections", 20, "--size", "10K", "--retry", "--rate", MAILS_A_SECOND, "--run",
                "beside", "--record", os.path.join(folder, "record"), "--timeout", 300, wait=False)


def flooded(sandbox, timeout_s):
    wait_for("the end of the flood", lambda: not sandbox.get("/sandbox/events/flood")["running"],
             timeout_s, 0.3)
    return sandbox.get("/sandbox/events/flood")


def judge(sandbox, relay, result, sending):
    check(result["made"] == EVENTS and result["done"] == EVENTS and result["dropped"] == 0, result)
    total, twice, joined = kept(relay)
    check(total == EVENTS, "%d events kept of %d" % (total, EVENTS))
    check(twice == 0, "%d events are kept twice" % twice)
    check(joined == EVENTS, "%d of %d belong to a mail" % (joined, EVENTS))
    mails = load_result(sending)
    check(mails["accepted"] == MAILS, "%d mails of %d: %s" % (
        mails["accepted"], MAILS, mails["first_refusal"]))
    wait_for("the mails", lambda: sandbox.counts()["kept"] >= 300 + MAILS, 120)
    check(sandbox.counts()["relay_id_repeats"] == 0, "an item was sent twice")


def left_alone(folder):
    sandbox, relay, url = start(folder)
    ids = prepare(sandbox, relay, url)
    sending = mails_beside(relay, folder)
    began = time.monotonic()
    flood(sandbox, ids)
    result = flooded(sandbox, 600)
    took = time.monotonic() - began
    print("      %d events in %.1f s (%.0f/s), to the 200: p50 %.1f ms, p99 %.1f ms, at most %.1f ms" % (
        EVENTS, took, EVENTS / took, result["p50_ms"], result["p99_ms"], result["max_ms"]))
    if FULL and not sanitized():
        check(result["p99_ms"] < P99_MS, "p99 %.1f ms" % result["p99_ms"])
    judge(sandbox, relay, result, sending)


def killed(folder, *roles):
    """Those processes, in turn, as long as events come."""
    print("      seed %d" % SEED)
    chance = random.Random(SEED)
    sandbox, relay, url = start(folder)
    ids = prepare(sandbox, relay, url)
    sending = mails_beside(relay, folder)
    flood(sandbox, ids)
    kills = 0
    while sandbox.get("/sandbox/events/flood")["running"] and kills < 12:
        # One that lives shorter than two seconds is started again after a pause, as in kill.py.
        time.sleep(chance.uniform(2.1, 2.6) if kills else chance.uniform(0.1, 0.4))
        pid = role_pid(relay, roles[kills % len(roles)])
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            kills += 1
    result = flooded(sandbox, 600)
    print("      %d kills, %d posts came again" % (kills, result["retried"]))
    judge(sandbox, relay, result, sending)


def front_killed(folder):
    killed(folder, "front-1", "front-2")


def core_killed(folder):
    killed(folder, "core")


def all_killed(folder):
    """The whole relay, as a power cut does it; it starts again on the same spool."""
    sandbox, relay, url = start(folder)
    ids = prepare(sandbox, relay, url)
    flood(sandbox, ids)
    for _ in range(3 if FULL else 1):
        time.sleep(0.5)
        relay.kill()
        relay = Relay(folder, sandbox.port, relay.settings, relay.port, wait=False)
        wait_for("the relay", lambda: ready(relay), 60)
    result = flooded(sandbox, 600)
    check(result["done"] == EVENTS and result["dropped"] == 0, result)
    total, twice, joined = kept(relay)
    check((total, twice, joined) == (EVENTS, 0, EVENTS), (total, twice, joined))


def bounce(number, relay_id):
    return {"RecordType": "Bounce", "ID": number, "Type": "HardBounce", "TypeCode": 1, "Name": "Hard bounce",
            "Tag": "", "MessageID": "", "ServerID": 23, "MessageStream": "outbound",
            "Description": "The server was unable to deliver your message",
            "Details": "smtp;550 5.1.1 no such user", "Email": "reader@reader.example",
            "From": "load@bench.example", "BouncedAt": "2026-11-05T16:33:54Z", "DumpAvailable": False,
            "Inactive": True, "CanActivate": True, "Subject": "", "Metadata": {"relay-id": relay_id}}


def posted(url, body):
    """Until it is taken."""
    where = urllib.parse.urlsplit(url)
    for _ in range(600):
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=5)
        try:
            connection.request("POST", where.path, json.dumps(body), {"Content-Type": "application/json"})
            if connection.getresponse().status == 200:
                return
        except (http.client.HTTPException, OSError):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise Failure("%s was not taken" % body["Metadata"])


def notices(folder):
    """A notice of each bounce, and one alone, however often the core dies between the two."""
    print("      seed %d" % SEED)
    chance = random.Random(SEED)
    maildir = os.path.join(folder, "mail")
    sandbox, relay, url = start(folder, {
        "inbound": {"deliver": "maildir:" + maildir},
        "notice": {"bounces": "sender", "most-per-hour": 100000}})
    ids = prepare(sandbox, relay, url)
    check(len(ids) == 300, len(ids))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        posts = [pool.submit(posted, url, bounce(*i)) for i in enumerate(ids)]
        for kill in range(4):
            time.sleep(chance.uniform(2.1, 2.6) if kill else chance.uniform(0.05, 0.2))
            pid = role_pid(relay, "core")
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            # What was told already comes again, and is no news.
            posts += [pool.submit(posted, url, bounce(*i)) for i in chance.sample(list(enumerate(ids)), 60)]
        for one in posts:
            one.result()

    def found():
        told = []
        for name in os.listdir(os.path.join(maildir, "new")):
            with open(os.path.join(maildir, "new", name), errors="replace") as f:
                told += re.findall(r"^X-Pmrelay-Item: (\S+)", f.read(), re.M)
        return told
    wait_for("a notice of each", lambda: len(found()) >= len(ids), 60, 0.3)
    time.sleep(1)  # for one too many
    check(len(found()) == len(ids) and len(set(found())) == len(ids),
          "%d notices of %d mails" % (len(found()), len(set(found()))))


if __name__ == "__main__":
    run([left_alone, front_killed, core_killed, all_killed, notices], "events")
