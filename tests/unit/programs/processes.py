"""How the processes of pmrelayd look after each other when one dies at a bad time."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))
from daemons import (Relay, Sandbox, Wire, check, need, role_pid, run, running, sanitized,  # noqa: E402
                     wait_for)

SENDER, READER = "shop@sender.example", "ann@reader.example"


def one_front(folder):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port, {"process": {"fronts": 1, "drain-timeout": "30s"}})


def begin_mail(wire):
    wire.hello()
    wire.ask(250, "MAIL FROM:<%s>" % SENDER)
    wire.ask(250, "RCPT TO:<%s>" % READER)
    wire.ask(354, "DATA")


def end_mail(wire, subject):
    wire.send("From: <%s>" % SENDER, "To: <%s>" % READER, "Subject: %s" % subject, "", "Hello.", ".")


def late_word_of_a_dead_front(folder):
    """The core notices that a front has gone when the supervisor has started the next one."""
    _, relay = one_front(folder)
    core, old = role_pid(relay, "core"), role_pid(relay, "front")
    os.kill(core, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    new = wait_for("another front", lambda: role_pid(relay, "front") not in (None, old) and
                   role_pid(relay, "front"), step_s=0.0005)
    os.kill(core, signal.SIGCONT)
    relay.await_log("event=front-lost")
    time.sleep(0.5)
    check(role_pid(relay, "front") == new, relay.log())
    check("front-replaced" not in relay.log(), relay.log())


def core_dies_while_fronts_drain(folder):
    """A mail whose 250 is still open after SIGTERM gets it from another core."""
    sandbox, relay = one_front(folder)
    core = role_pid(relay, "core")
    with Wire(relay.port) as wire:
        begin_mail(wire)
        os.kill(core, signal.SIGSTOP)
        end_mail(wire, "drained")
        time.sleep(0.2)
        relay.signal(signal.SIGTERM)
        relay.await_log("process=front-1 event=draining")
        os.kill(core, signal.SIGKILL)
        wire.expect(250)
    check(relay.process.wait(30) == 0, relay.log())
    relay = relay.again(sandbox.port)
    sandbox.await_subjects(["drained"])


def supervisor_dies(folder):
    """Its children end by themselves, and what is on its way is answered first."""
    sandbox, relay = one_front(folder)
    pids = [role_pid(relay, "core"), role_pid(relay, "front")]
    with Wire(relay.port) as wire:
        begin_mail(wire)
        os.kill(relay.pid, signal.SIGKILL)
        relay.await_log("process=core event=supervisor-gone")
        time.sleep(0.3)
        end_mail(wire, "orphaned")
        wire.expect(250)
    wait_for("the end of its children", lambda: not any(os.path.exists("/proc/%d" % p) for p in pids))
    relay.process.wait()
    running.remove(relay)
    relay = relay.again(sandbox.port)
    sandbox.await_subjects(["orphaned"])


def secrets_stay_inside(folder):
    """No process leaves a core dump, or memory and environment to others of its user."""
    _, relay = one_front(folder)
    for pid in [relay.pid, role_pid(relay, "core"), role_pid(relay, "front")]:
        with open("/proc/%d/limits" % pid) as f:
            line = [l.split() for l in f if l.startswith("Max core file size")][0]
        check(line[4] == "0", "process %d: %s" % (pid, line))
        if not sanitized():  # which need to look at their own process
            check(os.stat("/proc/%d/mem" % pid).st_uid == 0, "process %d can be read" % pid)
        with open("/proc/%d/limits" % pid) as f:
            files = [l.split() for l in f if l.startswith("Max open files")][0]
        check(files[3] == files[4], "process %d has fewer descriptors than it may: %s" % (pid, files))


need("pmrelayd", "pmrelay-sandbox")
run([late_word_of_a_dead_front, core_dies_while_fronts_drain, supervisor_dies, secrets_stay_inside])
