"""Mails that Postmark takes for us: posted to the receiver, kept before the 200, and brought to
where they live, once, with what is attached to them."""

import base64
import email
import email.policy
import hashlib
import http.client
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, check, free_port, role_pid, run, wait_for  # noqa: E402
from dovecot import Dovecot  # noqa: E402

SECRET = "a-secret-of-32-letters-and-digits"
HOST = "relay.test.example"
ANN = "ann@home.example"


def inbound_relay(folder, deliver, more=None, retry=None):
    port = free_port()
    settings = {
        "webhook": {"listen": ["127.0.0.1:%d" % port], "secret": SECRET},
        "inbound": dict({"deliver": deliver} if deliver else {}, **(more or {})),
        "retry": dict({"min": "100ms", "max": "500ms"}, **(retry or {})),
    }
    relay = Relay(folder, 1, settings)  # nobody is at that port: nothing of this goes to Postmark
    relay.hook_port = port
    # A front says 503 until it is told whom it may let in; Postmark would come again.
    wait_for("posts to be let in", lambda: post(relay, {}) == 200)
    return relay


def payload(number, recipient="0123abcd+o77@inbound.postmarkapp.com", **more):
    return dict({
        "FromName": "Bo", "MessageStream": "inbound", "From": "bo@reader.example",
        "FromFull": {"Email": "bo@reader.example", "Name": "Bo", "MailboxHash": ""},
        "To": recipient, "ToFull": [{"Email": recipient, "Name": "", "MailboxHash": "o77"}],
        "Cc": "", "CcFull": [], "Bcc": "", "BccFull": [], "OriginalRecipient": recipient,
        "Subject": "Mail %d" % number, "MessageID": "f2d2a3a6-7b1f-4c7c-8d4f-%012d" % number,
        "ReplyTo": "", "MailboxHash": "o77", "Date": "Sat, 5 Sep 2026 23:10:00 +0200",
        "TextBody": "Thanks for all\n.\nthe fish\n", "HtmlBody": "", "StrippedTextReply": "",
        "Tag": "", "Headers": [{"Name": "Message-ID", "Value": "<q%d@reader.example>" % number}],
        "Attachments": [],
    }, **more)


def post(relay, what, timeout_s=60):
    """The status of one post."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.hook_port, timeout=timeout_s)
    try:
        connection.request("POST", "/" + SECRET, json.dumps(what), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def take(relay, what):
    status = post(relay, what)
    check(status == 200, "wanted 200, got %s" % status)


def mails_in(maildir):
    found = []
    for sub in ("new", "cur"):
        path = os.path.join(maildir, sub)
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            with open(os.path.join(path, name), "rb") as f:
                found.append(email.message_from_binary_file(f, policy=email.policy.default))
    return found


def await_mails(maildir, count, timeout_s=30):
    wait_for("%d mails" % count, lambda: len(mails_in(maildir)) >= count, timeout_s)
    time.sleep(0.3)
    found = mails_in(maildir)
    check(len(found) == count, "%d mails and not %d" % (len(found), count))
    return found


def items(relay, state):
    return [i for i in relay.ask("GET", "/queue/list")["items"] if i["state"] == state]


def attached(count, size, seed):
    """Attachments for a payload, and their digests by name."""
    source = random.Random(seed)
    made, digests = [], {}
    for i in range(count):
        name = ("ünï cödé %d.bin", "plain%d.bin", "日本語%d.bin")[i % 3] % i
        content = source.randbytes(size + i)
        digests[name] = hashlib.sha256(content).hexdigest()
        made.append({"Name": name, "Content": base64.b64encode(content).decode(),
                     "ContentType": "application/octet-stream", "ContentLength": len(content),
                     "ContentID": ""})
    return made, digests


def check_attached(mail, digests):
    found = {p.get_filename(): hashlib.sha256(p.get_content()).hexdigest() for p in mail.iter_attachments()}
    check(found == digests, "attachments: %s and not %s" % (found, digests))


# --- a Maildir ------------------------------------------------------------------------------------


def maildir(folder):
    """Once for each MessageID, whole, with where it came from."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, "maildir:" + where, {"recipients": ["*+o77@*=" + ANN]})
    attachments, digests = attached(4, 70000, 1)
    take(relay, payload(1, Attachments=attachments, HtmlBody="<p>Thänks</p>"))
    mail = await_mails(where, 1)[0]
    check_attached(mail, digests)
    check(mail["Delivered-To"] == ANN, "Delivered-To: %s" % mail["Delivered-To"])
    check(mail["X-Original-To"].startswith("0123abcd+o77@"), "X-Original-To: %s" % mail["X-Original-To"])
    check(mail["Return-Path"] == "<bo@reader.example>", "Return-Path: %s" % mail["Return-Path"])
    check(mail["Message-ID"] == "<q1@reader.example>", "Message-ID: %s" % mail["Message-ID"])
    check(mail["X-Pmrelay-Inbound"].startswith(HOST + "; "), "mark: %s" % mail["X-Pmrelay-Inbound"])
    check(mail.get_body(("plain",)).get_content() == "Thanks for all\n.\nthe fish\n", "the text is another one")
    check(mail.get_body(("html",)).get_content().rstrip("\n") == "<p>Thänks</p>", "the html is another one")
    take(relay, payload(1, Subject="the same again"))
    raw = "Received: from a by b; now\r\nFrom: x@y.example\nSubject: raw\r\n\r\nGrüße\r\n"
    take(relay, payload(2, RawEmail=raw))
    subjects = sorted(mail["Subject"] for mail in await_mails(where, 2))
    check(subjects == ["Mail 1", "raw"], subjects)


def large(folder):
    """35 MB of attachments, which are 47 MB of JSON."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, "maildir:" + where)
    attachments, digests = attached(1, 35 * 1000 * 1000, 2)
    take(relay, payload(1, Attachments=attachments))
    check_attached(await_mails(where, 1, 60)[0], digests)


def refused(folder):
    """What can be no mail is not stored."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, "maildir:" + where)
    for reason, what in (
            ("no recipient", payload(1, OriginalRecipient="", ToFull=[])),
            ("no base64", payload(3, Attachments=[{"Name": "a", "Content": "%%%", "ContentType": "a/b"}]))):
        status = post(relay, what)
        check(400 <= status < 600 and status != 403, "%s: %s" % (reason, status))
    take(relay, payload(4))
    await_mails(where, 1)


def loops(folder):
    """A mail that has been here, or everywhere, is held; an operator may send it after all."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, "maildir:" + where, {"hops": 10})
    take(relay, payload(1, Headers=[{"Name": "X-Pmrelay-Inbound", "Value": HOST + "; 1"}]))
    take(relay, payload(2, RawEmail="Received: x\r\n" * 11 + "Subject: far\r\n\r\nx\r\n"))
    wait_for("two held", lambda: len(items(relay, "held")) == 2)
    take(relay, payload(3))
    await_mails(where, 1)
    status, _, error = relay.ctl("queue", "release", items(relay, "held")[0]["id"])
    check(status == 0, "release: %s" % error)
    await_mails(where, 2)


def odd(folder):
    """Taken for an address that mail cannot go to: held, for nobody else, and an operator may send it."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, "maildir:" + where, {"recipients": ["*@in.postmark.example=" + ANN]})
    to = [{"Email": "boss@other.example", "Name": "", "MailboxHash": ""}]
    take(relay, payload(1, "sales?eu@in.example", ToFull=to))
    take(relay, payload(2, "\"a b@c\"@in.example", ToFull=to))
    take(relay, payload(3, "who?@in.postmark.example", ToFull=to))
    mail = await_mails(where, 1)[0]
    check((mail["Subject"], mail["Delivered-To"]) == ("Mail 3", ANN), mail.as_string())
    wait_for("two held", lambda: len(items(relay, "held")) == 2)
    first = next(i["id"] for i in items(relay, "held") if "Mail 1" in json.dumps(i))
    shown = relay.ctl("status", first)[1]
    check("Postmark took it for sales?eu@in.example" in shown, "status: %s" % shown)
    status, _, error = relay.ctl("queue", "release", first)
    check(status == 0, "release: %s" % error)
    found = [m["Delivered-To"] for m in await_mails(where, 2)]
    check(sorted(found) == [ANN, "sales?eu@in.example"], found)


def waits(folder):
    """Without a place to go mails are kept, and go when there is one."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, None)
    for i in range(3):
        take(relay, payload(i))
    time.sleep(0.5)
    check(len(items(relay, "spooled")) == 3, "not three that wait")
    relay.settings["inbound"] = {"deliver": "maildir:" + where}
    relay.write_config(relay.settings)
    relay.process.send_signal(signal.SIGHUP)
    await_mails(where, 3)


def killed(folder):
    """kill -9 of the core and of a front between: nothing is lost, and a Maildir has each once."""
    where = os.path.join(folder, "Mail")
    relay = inbound_relay(folder, "maildir:" + where)
    kills, count = [], 0
    stop = threading.Event()

    def kill():
        # One that lives shorter than two seconds is started again after a pause: each has its turn.
        while not stop.wait(0.3 if not kills else 1.1):
            pid = role_pid(relay, ("core", "front-1", "front-2")[len(kills) % 3])
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    while len(kills) < 6 or count < 200:
        end = time.monotonic() + 60
        while time.monotonic() < end:  # as Postmark would, but sooner
            try:
                if post(relay, payload(count), 20) == 200:
                    break
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        else:
            check(False, "mail %d was never taken" % count)
        count += 1
        time.sleep(0.01)
    stop.set()
    killer.join()
    check(len(kills) >= 3, "only %d kills" % len(kills))
    subjects = sorted(m["Subject"] for m in await_mails(where, count, 60))
    check(subjects == sorted("Mail %d" % i for i in range(count)), "not each once")


# --- a command ------------------------------------------------------------------------------------


def command(folder):
    """It gets the mail; what it refuses is held, and what it cannot do now comes again."""
    script = os.path.join(folder, "take")
    with open(script, "w") as f:
        f.write("#!/bin/sh\ncd '%s'\ncat >last\necho $RECIPIENT $SENDER >>tried\n"
                "case $RECIPIENT in never*) echo unknown here >&2; exit 67;;\n"
                "later*) [ $(grep -c ^later tried) -lt 3 ] && exit 75;; esac\nexit 0\n" % folder)
    os.chmod(script, 0o755)
    relay = inbound_relay(folder, "command:%s" % script)
    take(relay, payload(1, "later@in.example"))
    relay.await_sent(1)
    take(relay, payload(2, "never@in.example"))
    held = wait_for("one held", lambda: items(relay, "held"))
    with open(os.path.join(folder, "tried")) as f:
        tried = f.read().splitlines()
    check(tried.count("later@in.example bo@reader.example") == 3, "tried: %s" % tried)
    shown = relay.ctl("status", held[0]["id"])[1]
    check("unknown here" in shown, "status: %s" % shown)


# --- LMTP -----------------------------------------------------------------------------------------


def lmtp(folder):
    """Dovecot gets each mail once, with its attachments; whom it does not know is held."""
    dovecot = Dovecot(folder)
    relay = inbound_relay(folder, "lmtp:unix:" + dovecot.socket,
                          {"recipients": ["ann@*=ann@home.example", "both@*=ann@home.example,cy@home.example"]})
    attachments, digests = attached(3, 300000, 3)
    take(relay, payload(1, "ann@in.example", Attachments=attachments, TextBody="Grüße\n..\n.\n"))
    mail = await_mails(dovecot.maildir("ann"), 1)[0]
    check_attached(mail, digests)
    check(mail.get_body(("plain",)).get_content() == "Grüße\n..\n.\n", "the text is another one")
    check(mail["Return-Path"] == "<bo@reader.example>", "Return-Path: %s" % mail["Return-Path"])
    take(relay, payload(2, "both@in.example"))
    await_mails(dovecot.maildir("ann"), 2)
    await_mails(dovecot.maildir("cy"), 1)
    take(relay, payload(3, "nobody@home.example"))
    held = wait_for("one held", lambda: items(relay, "held"))
    shown = relay.ctl("status", held[0]["id"])[1]
    check("550 5.1.1" in shown, "status: %s" % shown)
    relay.await_sent(3)


def lmtp_down(folder):
    """A server that is not there for a while costs no mail."""
    dovecot = Dovecot(folder)
    relay = inbound_relay(folder, "lmtp:unix:" + dovecot.socket, {"recipients": ["*=ann@home.example"]})
    take(relay, payload(1))
    await_mails(dovecot.maildir("ann"), 1)
    dovecot.stop()
    for i in range(2, 8):
        take(relay, payload(i))
    relay.await_log("event=breaker-open")
    dovecot = Dovecot(folder)
    await_mails(dovecot.maildir("ann"), 7)
    dovecot.stop()


def smtp(folder):
    """To an SMTP server, here to another relay's listener."""
    inner = os.path.join(folder, "inner")
    os.makedirs(inner)
    second = Relay(inner, 1, {"message": {}})
    relay = inbound_relay(folder, "smtp://127.0.0.1:%d" % second.port, {"recipients": ["*=" + ANN]})
    take(relay, payload(1))
    relay.await_sent(1)
    check("event=accepted" in second.log() or "mail=" in second.log(), "the other relay has nothing")


run([maildir, large, refused, loops, odd, waits, killed, command, lmtp, lmtp_down, smtp], "inbound")
