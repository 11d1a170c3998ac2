"""The second half of a mail's life, in one circle: sent, delivered, opened, bounced; the relay
knows, passes it on, and tells its sender through the same way that mail comes in."""

import email
import email.policy
import glob
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, check, free_port, installed, run, wait_for  # noqa: E402
from dovecot import Dovecot  # noqa: E402

SENDER = "app@shop.example"
READER = "ann@reader.example"
GONE = "hardbounce@bounce-testing.postmarkapp.com"
SERVER = "sandbox-server-token"


def swaks(relay, subject, *readers, html=False):
    """One mail by a real client; the id in its 250."""
    body = ["--body", "<p>Hello.</p>", "--header", "Content-Type: text/html"] if html else []
    done = subprocess.run(
        [installed("swaks"), "--server", "127.0.0.1:%d" % relay.port, "--from", SENDER,
         "--to", ",".join(readers), "--header", "Subject: %s" % subject, *body],
        capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, done.stdout + done.stderr)
    return done.stdout.split("queued as ")[1].split()[0]


def status(relay, mail):
    return relay.ask("GET", "/status/" + mail)["items"][0]


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [json.loads(line) for line in f]


def mails_in(maildir):
    found = []
    for path in glob.glob(os.path.join(maildir, "new", "*")) + glob.glob(os.path.join(maildir, "cur", "*")):
        with open(path, "rb") as f:
            found.append(email.message_from_binary_file(f, policy=email.policy.default))
    return found


def check_notice(notice, subject):
    """RFC 3464, about the one that bounced and nobody else."""
    check(notice.get_content_type() == "multipart/report", notice.get_content_type())
    report = [part for part in notice.walk() if part.get_content_type() == "message/delivery-status"][0]
    fields = report.get_payload()
    told = [block for block in fields if block["Final-Recipient"]]
    check(len(told) == 1 and told[0]["Final-Recipient"].endswith(GONE), told)
    check(told[0]["Action"] == "failed" and told[0]["Status"].startswith("5."), str(told[0]))
    check(notice["Auto-Submitted"], "a notice says that it is one")
    check(subject in notice.as_string(), "it says which mail it is about")


def settings_of(folder, hooks, deliver, via):
    return {
        "webhook": {"listen": ["127.0.0.1:%d" % hooks], "ensure": True,
                    "public-url": "http://127.0.0.1:%d/postmark" % hooks,
                    "triggers": ["open", "click", "delivery", "bounce", "complaint", "subscription"]},
        "inbound": {"deliver": deliver},
        "notice": {"bounces": "sender", "via": via, "from": "bounces@shop.example"},
        "outlet file": {"file": os.path.join(folder, "events.jsonl")},
    }


def full_circle(folder, deliver, maildir, via):
    hooks = free_port()
    config = os.path.join(folder, "sandbox.json")
    with open(config, "w") as f:
        json.dump({"servers": [{"Name": "shop", "tokens": [SERVER], "InboundDomain": "shop.example",
                                "TrackOpens": True}],
                   "switches": {"verify_webhooks": True}}, f)
    sandbox = Sandbox(folder, "--config", config)
    sandbox.call("PUT", "/sandbox/events/settings", {"open_after_ms": 200})
    relay = Relay(folder, sandbox.port, settings_of(folder, hooks, deliver, via))
    wait_for("webhooks that were made by themselves", lambda: relay.ask(
        "GET", "/webhook/list")["Webhooks"], 30)

    delivered = swaks(relay, "To Ann", READER, html=True)
    bounced = swaks(relay, "To nobody", GONE)

    wait_for("the delivery and the open", lambda: {"delivery", "open"} <= {
        e["kind"] for e in status(relay, delivered)["events"]}, 30)
    wait_for("the bounce", lambda: "bounce" in {e["kind"] for e in status(relay, bounced)["events"]}, 30)
    check(status(relay, delivered)["fate"] == "opened", status(relay, delivered))
    check(status(relay, bounced)["fates"][0] == {
        "address": GONE, "fate": "bounced", "at": status(relay, bounced)["fates"][0]["at"]},
        status(relay, bounced))

    # The notice is a mail of its own that came by way of the sender's mailbox.
    notice = wait_for("the notice in the mailbox", lambda: mails_in(maildir), 30)
    time.sleep(1)
    check(len(mails_in(maildir)) == 1, [m["Subject"] for m in mails_in(maildir)])
    check_notice(notice[0], "To nobody") if via == "inbound" else check(
        "To nobody" in notice[0].as_string(), notice[0].as_string()[:3000])

    # Each event once, in the file.
    events = os.path.join(folder, "events.jsonl")
    ids = [line["id"] for line in lines(events)]
    check(len(ids) == len(set(ids)), "an event stands twice in the file")
    of_bounced = [e["kind"] for e in lines(events) if e["item"] and e["item"].startswith(bounced)]
    check(of_bounced.count("bounce") == 1, of_bounced)
    of_delivered = [e["kind"] for e in lines(events) if e["item"] and e["item"].startswith(delivered)]
    check(of_delivered.count("delivery") == 1 and of_delivered.count("open") == 1, of_delivered)

    # The address gets no more mail, and the next client hears it at once.
    wait_for("the suppression", lambda: relay.log().count("kind=bounce") > 0)
    time.sleep(1.5)
    refused = subprocess.run(
        [installed("swaks"), "--server", "127.0.0.1:%d" % relay.port, "--from", SENDER, "--to", GONE],
        capture_output=True, text=True, timeout=60)
    check("550 5.7.1" in refused.stdout and "HardBounce" in refused.stdout, refused.stdout)

    # People read it, too.
    code, out, err = relay.ctl("queue", "list", "--fate", "bounced")
    check(code == 0 and len(json.loads(out)["items"]) == 1, out + err)
    code, out, err = relay.ctl("events", "--history", "--kind", "bounce")
    check(code == 0 and json.loads(out.splitlines()[0])["kind"] == "bounce", out + err)


def lmtp_through_inbound(folder):
    """The notice goes to Dovecot by LMTP, as mails that come in do."""
    dovecot = Dovecot(folder, [SENDER])
    full_circle(folder, "lmtp:unix:%s" % dovecot.socket, dovecot.maildir("app"), "inbound")
    dovecot.stop()


def through_postmark_and_back(folder):
    """The notice goes out through Postmark, comes back by its inbound webhook, and then to Dovecot."""
    dovecot = Dovecot(folder, [SENDER])
    full_circle(folder, "lmtp:unix:%s" % dovecot.socket, dovecot.maildir("app"), "postmark")
    dovecot.stop()


def maildir(folder):
    box = os.path.join(folder, "Maildir")
    full_circle(folder, "maildir:%s" % box, box, "inbound")


if __name__ == "__main__":
    run([lmtp_through_inbound, through_postmark_and_back, maildir], "circle")
