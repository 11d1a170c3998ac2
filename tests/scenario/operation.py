"""What an operator does to a running relay, and what the machine does to it: reload, restart
under load, a full disk."""

import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import (Failure, Program, Relay, Sandbox, Skip, Wire, check, installed, load,  # noqa: E402
                     load_result, program, role_pid, run, wait_for)

SENDER, READER = "shop@sender.example", "ann@reader.example"


def pair(folder, settings=None):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port, settings)


def size_advertised(relay):
    with Wire(relay.port) as wire:
        return int(re.search(r"SIZE (\d+)", wire.hello()).group(1))


def send(relay, subject):
    with relay.smtp() as s:
        s.sendmail(SENDER, [READER], "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\nHello.\r\n" % (
            SENDER, READER, subject))


def subjects(sandbox):
    return collections.Counter(m["Request"]["Subject"] for m in sandbox.messages())


def check_all_arrived(sandbox, record_path, extra=0):
    """Whatever was answered with 250 is there; how many came twice."""
    with open(record_path) as f:
        accepted = set(f.read().split())
    wait_for("all %d accepted mails at the sandbox" % len(accepted),
             lambda: accepted <= set(subjects(sandbox)), 90, 0.5)
    return sum(n - 1 for n in subjects(sandbox).values())


def reload_settings(folder):
    sandbox, relay = pair(folder)
    old = size_advertised(relay)
    good = json.loads(json.dumps(relay.settings))
    good["smtp"]["message-size"] = "3M"
    with Wire(relay.port) as wire:
        wire.hello()
        # Wrong in one place: nothing of it counts, and the log says where and what.
        for wrong in ({"message-size": "3M", "recipients": "many"}, {"message-size": "3M", "recipiants": 5}):
            relay.write_config(dict(good, smtp=dict(good["smtp"], **wrong)))
            before = len(relay.log())
            relay.signal(signal.SIGHUP)
            wait_for("the refusal", lambda: "event=reload-failed" in relay.log()[before:])
            line = [l for l in relay.log()[before:].splitlines() if "reload-failed" in l][0]
            check("level=error" in line and "pmrelay.conf:" in line and "recipi" in line, line)
            check(size_advertised(relay) == old, "half of a wrong file counts")
        relay.write_config(good)
        relay.signal(signal.SIGHUP)
        wait_for("the new size", lambda: size_advertised(relay) == 3 << 20)
        # What needs a restart is said, and the rest counts.
        before = len(relay.log())
        relay.write_config(dict(good, process=dict(good["process"], fronts=1),
                                smtp=dict(good["smtp"], **{"message-size": "4M"})))
        relay.signal(signal.SIGHUP)
        wait_for("the new size", lambda: size_advertised(relay) == 4 << 20)
        check("reload-needs-restart" in relay.log()[before:], relay.log()[before:])
        # The session that was open all the while still works.
        wire.ask(250, "MAIL FROM:<%s>" % SENDER)
        wire.ask(250, "RSET")
    send(relay, "after the reload")
    sandbox.await_subjects(["after the reload"])
    check(relay.stop() == 0, "exit status")


def new_token(folder):
    """A token that is replaced by SIGHUP, with mail waiting for it."""
    sandbox, relay = pair(folder, {"postmark": {"token": "no-such-token-0000"}})
    send(relay, "waiting for the token")
    relay.await_log("event=route-paused")
    relay.settings["postmark"]["token"] = "sandbox-server-token"
    relay.write_config(relay.settings)
    relay.signal(signal.SIGHUP)
    sandbox.await_subjects(["waiting for the token"])
    check("sandbox-server-token" not in relay.log() and "no-such-token" not in relay.log(),
          "a token stands in the log")
    for pid in [relay.pid, role_pid(relay, "front"), role_pid(relay, "core")]:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            check(b"token" not in f.read(), "a token stands in the arguments")


def check_only(folder):
    """pmrelayd -n: 0 for a right file, 78 with file, line and option for a wrong one."""
    path = os.path.join(folder, "check.conf")
    for text, status, wanted in (("smtp {\n\trecipients = 500\n}\n", 0, ""),
                                 ("smtp {\n\trecipients = 0x\n}\n", 78, "check.conf:2: "),
                                 ("smtp {\n\trecipiants = 5\n}\n", 78, "recipients"),
                                 ("smtp {\n", 78, "check.conf:")):
        with open(path, "w") as f:
            f.write(text)
        done = subprocess.run([program("pmrelayd"), "-n", "-c", path], capture_output=True, text=True,
                              timeout=60)
        check(done.returncode == status, "%r: status %d: %s" % (text, done.returncode, done.stderr))
        check(wanted in done.stderr, "%r: %s" % (text, done.stderr))


def environment_settings(folder):
    sandbox = Sandbox(folder)
    token = os.path.join(folder, "token")
    with open(token, "w") as f:
        f.write("sandbox-server-token\n")
    relay = Relay(folder, sandbox.port, {"postmark": {"token": ""}}, environment={
        "PMRELAY_SMTP_MESSAGE_SIZE": "2M", "PMRELAY_POSTMARK_TOKEN_FILE": token})
    check(size_advertised(relay) == 2 << 20, "PMRELAY_SMTP_MESSAGE_SIZE has no effect")
    send(relay, "by the environment")
    sandbox.await_subjects(["by the environment"])


def restart_under_load(folder):
    """SIGTERM in the middle of a load: every session gets its answers, and nothing is lost."""
    sandbox, relay = pair(folder)
    record = os.path.join(folder, "accepted")
    sending = load(relay, "--mails", 3000, "--connections", 30, "--rate", 600, "--retry",
                   "--record", record, "--timeout", 90, wait=False)
    for _ in range(3):
        time.sleep(1)
        status = relay.stop()
        check(status == 0, "exit status %d" % status)
        check("event=drain-cut" not in relay.log(), "sessions were cut")
        relay = relay.again(sandbox.port)
    result = load_result(sending)
    check(result["accepted"] == 3000, result)
    twice = check_all_arrived(sandbox, record)
    print("      %d connections, %d mails sent again, %d arrived twice" % (
        result["connections_opened"], result["sent_again"], twice))
    check(sandbox.counts()["relay_id_repeats"] == 0, "an item was sent twice")
    check(twice == 0, "%d mails were accepted without an answer" % twice)


def drain_waits_for_answers(folder):
    """What is in flight when SIGTERM comes is waited for, not cut and sent again later."""
    sandbox, relay = pair(folder)
    sandbox.faults({"path": "/email*", "delay_after_ms": 1500})
    send(relay, "in flight")
    wait_for("the request", lambda: sandbox.counts()["accepted"] == 1)
    check(relay.stop() == 0, "exit status")
    sandbox.faults()
    again = relay.again(sandbox.port)
    send(again, "the next")
    sandbox.await_subjects(["the next"])
    time.sleep(1)
    check(subjects(sandbox)["in flight"] == 1, "sent %d times" % subjects(sandbox)["in flight"])


def second_one_on_the_spool(folder):
    """Two daemons on one spool would send everything twice."""
    sandbox, relay = pair(folder)
    other = os.path.join(folder, "other")
    os.mkdir(other)
    second = Relay(other, sandbox.port, {"spool": {"folder": relay.spool}}, wait=False)
    status = wait_for("its end", lambda: not second.alive() and str(second.process.returncode))
    check(status != "0" and "level=error" in second.log(), "%s %s" % (status, second.log()))
    send(relay, "the first still works")
    sandbox.await_subjects(["the first still works"])


class SmallDisk:
    """A file system of a few megabytes, mounted on a folder."""

    def __init__(self, folder, megabytes):
        self.folder = os.path.join(folder, "disk")
        os.mkdir(self.folder)
        if os.geteuid() != 0:
            raise Skip("only root mounts a small disk")
        image = os.path.join(folder, "image")
        with open(image, "wb") as f:
            f.truncate(megabytes << 20)
        mkfs = shutil.which("mkfs.ext4", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        for ways in ([mkfs, "-q", "-m", "0", "-E", "root_owner=0:0", image] if mkfs else None,
                     ["mount", "-o", "loop", image, self.folder]):
            if ways is None or subprocess.run(ways, capture_output=True).returncode != 0:
                break
        else:
            return
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=0755" % megabytes, "tmpfs",
                               self.folder], capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip("mounting is not allowed here: " + done.stderr.strip())

    def fill(self):
        with open(os.path.join(self.folder, "ballast"), "wb", buffering=0) as f:
            block = bytes(1 << 16)
            while block:
                try:
                    f.write(block)
                except OSError:
                    block = block[:len(block) // 2]

    def empty(self):
        os.remove(os.path.join(self.folder, "ballast"))

    def unmount(self):
        wait_for("the disk can be unmounted", lambda: subprocess.run(
            ["umount", self.folder], capture_output=True).returncode == 0)


def codes_of(relay, count, size, name):
    """Sends mails one by one; the subjects by the code of their answer."""
    found = collections.defaultdict(list)
    with Wire(relay.port, 60) as wire:
        wire.hello()
        for number in range(count):
            subject = "%s-%d" % (name, number)
            wire.send("MAIL FROM:<%s>" % SENDER)
            code, text = wire.reply()
            if code == 250:
                wire.ask(250, "RCPT TO:<%s>" % READER)
                wire.ask(354, "DATA")
                wire.send(("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\n" % (SENDER, READER, subject)).encode()
                          + b"All work and no play makes a dull relay.\r\n" * (size // 42) + b".\r\n")
                code, text = wire.reply()
            found[code].append(subject)
            check(code == 250 or (code == 452 and "4.3.1" in text) or code == 421, "%d %s" % (code, text))
            if code == 421:
                break
    return found


def disk_full(folder):
    """By mail that cannot go out, and by somebody else's file: 452, loud, and well again without
    a restart; what got its 250 is there, and of the rest nothing."""
    disk = SmallDisk(folder, 200)
    relay = None
    try:
        sandbox = Sandbox(folder)
        relay = Relay(folder, sandbox.port, {"spool": {"folder": os.path.join(disk.folder, "spool"),
                                                       "min-free": "64M"}})
        send(relay, "before")
        sandbox.await_subjects(["before"])
        accepted, refused = {"before"}, set()

        def fill_up(name):
            """Mail until the relay has had to refuse some; Postmark is away meanwhile."""
            sandbox.faults({"path": "/email*", "status": 503, "error_code": 100})
            start = len(relay.log())
            for part in range(20):
                answers = codes_of(relay, 100, 150000, "%s-%d" % (name, part))
                accepted.update(answers[250])
                refused.update(answers[452] + answers[421])
                if answers[452]:
                    break
            check(answers[452], "300 MB of mail went onto a disk of 200 MB")

            def loud():
                """Within ten seconds of refusing: more often would flood the log."""
                answers = codes_of(relay, 1, 150000, name + "-more")
                accepted.update(answers[250])
                refused.update(answers[452] + answers[421])
                return re.search("level=error .*event=spool-full", relay.log()[start:])
            wait_for("a loud log", loud, 20, 0.5)

        def recover(name):
            """Postmark is back: everything goes out, and mail is taken again."""
            sandbox.faults()
            relay.await_sent(len(accepted), 120)

            def taken():
                answers = codes_of(relay, 1, 1000, name)
                accepted.update(answers[250])
                return answers[250]
            wait_for("mail is taken again", taken, 60, 0.5)
            relay.await_sent(len(accepted), 60)

        fill_up("mail")
        first = len(accepted)
        recover("after mail")
        codes = codes_of(relay, 20, 5000, "waiting")
        check(len(codes[250]) == 20, codes)
        accepted.update(codes[250])
        disk.fill()
        fill_up("ballast")
        disk.empty()
        recover("after ballast")

        found = subjects(sandbox)
        check(accepted <= set(found), "%d accepted mails did not arrive" % len(accepted - set(found)))
        check(not refused & set(found), "%d mails were refused and sent" % len(refused & set(found)))
        check("event=died" not in relay.log(), "a process died")
        print("      %d mails, then %d more were taken, %d refused; %d arrived twice" % (
            first, len(accepted) - first, len(refused), sum(found.values()) - len(found)))

        # Nothing half-stored: after a restart nothing else turns up.
        before = sandbox.counts()["accepted"]
        check(relay.stop() == 0, "exit status")
        relay = Relay(folder, sandbox.port, relay.settings, relay.port)
        send(relay, "after the restart")
        sandbox.await_subjects(["after the restart"])
        time.sleep(1)
        check(sandbox.counts()["accepted"] == before + 1, "something turned up after the restart")
        check(not re.search(r"event=(put-aside|spool-broken)", relay.log()), relay.log()[-2000:])
    finally:
        if relay is not None and relay.alive():
            relay.stop()
        disk.unmount()


run([reload_settings, new_token, check_only, environment_settings, restart_under_load,
     drain_waits_for_answers, second_one_on_the_spool, disk_full], "operation")
