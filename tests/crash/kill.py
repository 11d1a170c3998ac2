"""kill -9 under load: every mail that got its 250 reaches the far side.

The load generator sends a mail again, with the same subject, when it got no 250 for it, as every
mail client does.  So a subject may arrive twice in two ways, and both are counted: the client did
not hear the answer to a mail that was kept (no relay can help that), or the relay sent an item
again (relay-id repeats).

The short form is an ordinary test.  CRASH_FULL=1, or --full: 20,000 mails over 50 connections while
the core is killed ten times, then fronts ten times.
"""

import collections
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, Wire, check, load, load_result, role_pid, run, sanitized, wait_for  # noqa: E402

FULL = "--full" in sys.argv or os.environ.get("CRASH_FULL", "0") not in ("", "0")
SEED = int(os.environ.get("CRASH_SEED", "0")) or random.randrange(1, 1 << 30)
MAILS = 20000 if FULL else 2000
KILLS = 10 if FULL else 2
# A child that lives shorter than two seconds is started again after a pause; some do here.
PAUSE_S = (0.8, 2.6) if FULL else (0.5, 2.2)


def start(folder):
    sandbox = Sandbox(folder)
    # There are always requests under way when somebody dies.
    sandbox.faults({"path": "/email*", "delay_before_ms": 5, "delay_after_ms": 20})
    return sandbox, Relay(folder, sandbox.port)


def send(relay, record, seconds):
    return load(relay, "--mails", MAILS, "--connections", 50, "--size", "10K", "--retry",
                "--rate", int(MAILS / seconds), "--record", record, "--timeout", 300, wait=False)


def judge(sandbox, relay, record, sending, kills):
    result = load_result(sending)
    with open(record) as f:
        accepted = set(f.read().split())
    check(result["accepted"] == MAILS == len(accepted), "%d of %d accepted, first refusal: %s" % (
        result["accepted"], MAILS, result["first_refusal"]))

    def subjects():
        return collections.Counter(m["Request"]["Subject"] for m in sandbox.messages())
    wait_for("as many messages as mails", lambda: sandbox.counts()["kept"] >= MAILS, 120, 0.3)
    wait_for("every accepted mail at the sandbox", lambda: accepted <= set(subjects()), 60, 2)
    # What is unsure is settled, and a clean restart finds nothing left to do.
    check(relay.stop() == 0, "exit status")
    arrived = sandbox.counts()["accepted"]
    again = relay.again(sandbox.port)
    time.sleep(2)
    check(again.stop() == 0, "exit status")
    check(sandbox.counts()["accepted"] == arrived, "the restarted relay sent %d more" % (
        sandbox.counts()["accepted"] - arrived))
    found = subjects()
    check(set(found) == accepted, "%d subjects that nobody was told of" % len(set(found) - accepted))
    counts = sandbox.counts()
    twice = sum(n - 1 for n in found.values())
    print("      %d mails, %d kills, %d disconnects, %d sent again by the client; none lost; %d arrived "
          "twice, of which %d were sent twice by the relay" % (
              MAILS, kills, result["disconnects"], result["sent_again"], twice, counts["relay_id_repeats"]),
          flush=True)


def kill_children(folder):
    """The core, then fronts: the others go on and what died is back at once."""
    sandbox, relay = start(folder)
    pause = random.Random(SEED)
    record = os.path.join(folder, "accepted")
    roles = ["core"] * KILLS + ["front"] * KILLS
    pauses = [pause.uniform(*PAUSE_S) for _ in roles]
    # The load outlasts the last kill, with room for what a busy machine adds to each pause.
    sending = send(relay, record, sum(pauses) * 1.2 + 2)
    for number, role in enumerate(roles):
        time.sleep(pauses[number])
        check(sending.poll() is None, "the load was over before kill %d" % (number + 1))
        # Any front will do, the busiest or not.
        pid = wait_for("a " + role, lambda: role_pid(relay, role if role == "core" else
                                                     "front-%d" % pause.randint(1, 2)), 60)
        os.kill(pid, signal.SIGKILL)
    judge(sandbox, relay, record, sending, len(roles))


class Clients:
    """A few clients that send one mail after the other, each under a subject of its own, and keep
    what they were told."""

    def __init__(self, relay, sender, recipients, count=3):
        self.relay, self.sender, self.recipients = relay, sender, recipients
        self.told = {}  # by subject: the code and text of the last reply; 0: none
        self.over = False
        self.threads = [threading.Thread(target=self.send_all, args=(n,)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def send_all(self, number):
        serial = 0
        while not self.over:
            serial += 1
            subject = "%s %d-%d" % (self.sender, number, serial)
            self.told[subject] = (0, "")
            try:
                self.send(subject)
            except OSError:
                time.sleep(0.1)
            time.sleep(0.01)

    def send(self, subject):
        with Wire(self.relay.port) as wire:
            if wire.reply()[0] != 220:
                return
            for line in ["EHLO client.test.example", "MAIL FROM:<%s>" % self.sender] + [
                    "RCPT TO:<%s>" % r for r in self.recipients] + ["DATA"]:
                wire.send(line)
                if wire.reply()[0] not in (250, 354):
                    return
            wire.send("From: <app@sender.example>", "To: <%s>" % self.recipients[0],
                      "Subject: " + subject, "", "Hello.", ".")
            self.told[subject] = wire.reply()

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join()


def kill_with_routes(folder):
    """One transaction for three routes is kept or not; what was refused for Postmark's silence is
    not sent, whoever dies meanwhile."""
    sandbox = Sandbox(folder)
    routes = {"route one": {"envelope-to": ["@one.example"]},
              "route two": {"envelope-to": ["@two.example"], "tag": "two"},
              "route sure": {"envelope-from": ["@sure.example"], "reply": "postmark-or-refuse",
                             "reply-timeout": "1s"}}
    sandbox.faults({"path": "/email*", "probability": 0.2, "status": 503},
                   {"path": "/email*", "delay_before_ms": 5, "delay_after_ms": 20})
    relay = Relay(folder, sandbox.port, routes)
    pause = random.Random(SEED)
    all_three = Clients(relay, "app@sender.example", ["a@one.example", "b@two.example", "c@default.example"])
    sure = Clients(relay, "app@sure.example", ["d@reader.example"])
    for role in ["core", "front"] * KILLS:
        time.sleep(pause.uniform(*PAUSE_S))
        pid = wait_for("a " + role, lambda: role_pid(relay, role if role == "core" else
                                                     "front-%d" % pause.randint(1, 2)), 60)
        os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    all_three.stop()
    sure.stop()
    sandbox.faults()

    check(relay.ctl("queue", "drain", "--timeout", "60s")[0] == 0, "the queue does not drain")
    check(relay.stop() == 0, "exit status")
    found = collections.defaultdict(set)
    for message in sandbox.messages():
        found[message["Request"]["Subject"]].add(message["Request"]["To"])
    answers = collections.Counter()
    for subject, (code, text) in all_three.told.items():
        answers["several %d" % code] += 1
        arrived = len(found[subject])
        check(arrived == 3 or (arrived == 0 and code != 250), "%s was told %d %s, and %d of 3 arrived" % (
            subject, code, text, arrived))
    for subject, (code, text) in sure.told.items():
        answers["sure %d" % code] += 1
        arrived = len(found[subject])
        check(code != 250 or arrived == 1, "%s was told %d %s, and is lost" % (subject, code, text))
        check(not text.startswith("4.4.1") or arrived == 0, "%s was told %d %s, and sent" % (
            subject, code, text))
    print("      %s" % ", ".join("%s: %d" % pair for pair in sorted(answers.items())), flush=True)
    check(answers["several 250"] > 0 and answers["sure 250"] > 0 and answers["sure 451"] > 0, answers)


def kill_everything(folder):
    """The supervisor dies too, as in a crash of the machine that spares the disk."""
    sandbox, relay = start(folder)
    pause = random.Random(SEED)
    record = os.path.join(folder, "accepted")
    sending = send(relay, record, 2.5 * (KILLS + 1))
    for _ in range(KILLS):
        time.sleep(pause.uniform(1, 2))
        relay.kill()
        relay = relay.again(sandbox.port)
    judge(sandbox, relay, record, sending, KILLS)


def orphans_end(folder):
    """Fronts and core do not live on without their supervisor."""
    _, relay = start(folder)
    children = [role_pid(relay, role) for role in ("core", "front-1", "front-2")]
    check(all(children), "children %s" % children)
    os.kill(relay.pid, signal.SIGKILL)
    relay.process.wait()
    wait_for("the end of the children", lambda: not any(
        os.path.exists("/proc/%d/cmdline" % pid) and open("/proc/%d/cmdline" % pid).read()
        for pid in children), 20)


print("CRASH_SEED=%d%s" % (SEED, " with sanitizers" if sanitized() else ""))
run([kill_children, kill_with_routes, kill_everything, orphans_end], "crash")
