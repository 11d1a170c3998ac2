"""What explain tells of a mail is what becomes of it: the same from the daemon and from pmrelayd
--explain, message by message what Postmark gets, and refusal by refusal what a client hears."""

import base64
import glob
import json
import os
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import SOURCE, Relay, Sandbox, check, program, run, wait_for  # noqa: E402

SENDER = "shop@sender.example"
ROUTES = """
route elsewhere { client = 203.0.113.0/24 }
route strict { envelope-to = @strict.example
	on-tnef = reject
	on-signed = reject
}
route staging { envelope-to = @staging.example
	redirect-to = { "test@company.example", "Team@Company.example" }
	allow-recipients = boss@staging.example
}
route kept { envelope-to = @kept.example
	capture = yes
}
route receipts { envelope-to = @receipts.example
	header = 'Subject: ^(receipt|order) '
	tag = receipt
	metadata = "shop=1"
	message-stream = outbound
	from = "The Shop <robot@sender.example>"
	from-rewrite = force
}
route status { envelope-to = @status.example
	template = status
	template-match = "subject: (?<host>\\\\w+) is (?<state>\\\\w+)"
}
"""


def pair(folder):
    sandbox = Sandbox(folder)
    relay = Relay(folder, sandbox.port, more=ROUTES)
    wait_for("the fronts", lambda: relay.control("GET", "/healthcheck").status == 200)
    return sandbox, relay


def by_daemon(relay, mail, **asked):
    answer = relay.control("POST", "/explain", dict(asked, mail=base64.b64encode(mail).decode()))
    check(answer.status == 200, str(answer))
    return answer.json


def by_program(relay, mail, status=None, **asked):
    words = []
    for name, value in asked.items():
        for one in value if isinstance(value, list) else [value]:
            words += ["--" + name, one]
    done = subprocess.run([program("pmrelayd"), "-c", relay.config_path, "--explain", "-", "--json", *words],
                          input=mail, capture_output=True, timeout=60)
    check(done.returncode in ((0, 65) if status is None else (status,)),
          "status %d: %s" % (done.returncode, done.stderr.decode()))
    told = json.loads(done.stdout)
    check(told["ok"] == (done.returncode == 0), "status %d for %s" % (done.returncode, told["ok"]))
    return told


def same_everywhere(folder):
    sandbox, relay = pair(folder)
    mails = sorted(glob.glob(os.path.join(SOURCE, "tests/corpus/mails/*.eml")))[::24]
    check(len(mails) > 15, "only %d mails" % len(mails))
    asked = {"from": SENDER, "to": ["a@reader.example", "b@strict.example", "c@staging.example",
                                    "boss@staging.example", "d@kept.example", "e@receipts.example"],
             "client": "203.0.113.9", "listener": "127.0.0.1:25", "user": "shop"}
    for path in mails:
        with open(path, "rb") as f:
            mail = f.read()
        for words in ({}, asked, dict(asked, client="192.0.2.1")):
            one, other = by_daemon(relay, mail, **words), by_program(relay, mail, **words)
            check(one == other, "%s: the daemon says\n%s\nand the program\n%s" % (path, one, other))
            check(len(one["routes"]) > 0 or not one["ok"], "%s: no route" % path)
    check(sandbox.counts()["kept"] == 0, "an explanation sent something")


MAIL = (b"From: Shop <shop@sender.example>\r\nTo: Ann <ann@reader.example>, bo@receipts.example\r\n"
        b"Cc: cy@staging.example\r\nSubject: order 4711\r\nMessage-ID: <4711@sender.example>\r\n"
        b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain;"
        b" charset=iso-8859-1\r\n\r\nGr\xfc\xdfe\r\n--b\r\nContent-Type: text/csv; name=a.csv\r\n"
        b"Content-Disposition: attachment; filename=a.csv\r\n\r\na;b\r\n--b--\r\n")


def without_id(request):
    request = dict(request, Metadata=dict(request.get("Metadata", {})))
    request["Metadata"].pop("relay-id", None)
    return request


def what_is_told_is_what_goes(folder):
    sandbox, relay = pair(folder)
    envelope = ["ann@reader.example", "bo@receipts.example", "cy@staging.example", "di@kept.example",
                "boss@staging.example", "blind@reader.example"]
    told = by_program(relay, MAIL, 0, **{"from": SENDER, "to": envelope, "client": "127.0.0.1",
                                         "listener": "127.0.0.1:%d" % relay.port})
    fates = {(r["name"], r["fate"]): r for r in told["routes"]}
    check(set(fates) == {("default", "goes"), ("receipts", "goes"), ("staging", "redirected"),
                         ("staging", "goes"), ("kept", "captured")}, fates.keys())
    check(fates["staging", "redirected"]["redirected_to"] ==
          ["test@company.example", "Team@company.example"], told)
    check([w["why"] for w in fates["receipts", "goes"]["why_not"]][0].startswith("client: 127.0.0.1"), told)
    with relay.smtp() as s:
        check(s.sendmail(SENDER, envelope, MAIL) == {}, "a recipient was refused")
    goes = [i for i in told["items"] if i["route"] != "kept"]
    found = {tuple(sorted(m["Recipients"])): without_id(m["Request"])
             for m in sandbox.await_messages(len(goes))}
    wanted = {tuple(sorted(i["recipients"])): without_id(i["json"]) for i in goes}
    check(found == wanted, "told\n%s\nand sent\n%s" % (wanted, found))
    kept = relay.ask("GET", "/queue/list", query={"state": "captured"})["items"]
    check([i["recipients"] for i in kept] ==
          [i["recipients"] for i in told["items"] if i["route"] == "kept"], kept)


def refusals(folder):
    _, relay = pair(folder)
    head = b"From: shop@sender.example\r\nTo: ann@reader.example\r\nMIME-Version: 1.0\r\n"
    attached = head + (b"Content-Type: application/octet-stream; name=%s\r\n"
                       b"Content-Disposition: attachment; filename=%s\r\n"
                       b"Content-Transfer-Encoding: base64\r\n\r\n")
    line = b"A" * 76 + b"\r\n"
    cases = {
        "an extension": (attached % (b"a.exe", b"a.exe") + b"QUJD\r\n", "ann@reader.example"),
        "over Postmark's 10 MB": (attached % (b"a.dat", b"a.dat") + line * (10 * 1024 * 1024 // 76 + 1),
                                  "ann@reader.example"),
        "over the session's limit": (attached % (b"a.dat", b"a.dat") + line * 152000,
                                     "ann@reader.example"),
        "a subject too long": (head + b"Subject: " + (b"x" * 900 + b"\r\n ") * 3 + b"\r\n\r\nhi\r\n",
                               "ann@reader.example"),
        "a tag too long": (head + b"X-PM-Tag: " + b"x" * 990 + b"\r\n " + b"x" * 90 + b"\r\n\r\nhi\r\n",
                           "ann@reader.example"),
        "a policy": (head + b"Content-Type: application/ms-tnef; name=winmail.dat\r\n"
                     b"Content-Transfer-Encoding: base64\r\n\r\neJ8+Ig==\r\n", "bo@strict.example"),
    }
    for name, (mail, recipient) in cases.items():
        told = by_program(relay, mail, 65, **{"from": SENDER, "to": [recipient]})["refusal"]
        try:
            with relay.smtp() as s:
                s.sendmail(SENDER, [recipient], mail)
            check(False, "%s: was taken" % name)
        except smtplib.SMTPResponseException as e:
            heard = "%d %s" % (e.smtp_code, e.smtp_error.decode().replace("\n" + told["status"], ""))
        # The session has the figure from SIZE.
        heard = heard.replace("declared size", "mail")
        check(heard == "%d %s %s" % (told["code"], told["status"], told["text"]),
              "%s: told %s, heard %s" % (name, told, heard))
    with open(os.path.join(folder, "fits.eml"), "wb") as f:
        f.write(attached % (b"a.dat", b"a.dat") + line * (99 * 1024 * 1024 // 760))
    done = subprocess.run([program("pmrelayd"), "-c", relay.config_path, "--explain",
                           os.path.join(folder, "fits.eml")], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0 and "message is near its limit" in done.stdout, done.stdout[:2000])


def a_template(folder):
    sandbox, relay = pair(folder)
    mail = (b"From: shop@sender.example\r\nTo: ops@status.example\r\nSubject: web1 is down\r\n"
            b"Message-ID: <1@sender.example>\r\n\r\nSee above.\r\n")
    told = by_program(relay, mail, 0)
    route, = told["routes"]
    item, = told["items"]
    check(route["template"] == "status" and item["kind"] == "template", told)
    check(item["json"]["TemplateModel"] == {"host": "web1", "state": "down"}, item)
    told = by_program(relay, mail.replace(b"web1 is down", b"Lunch"), 0)
    check(told["routes"][0]["template"] is None and told["items"][0]["kind"] == "email", told)
    check("no-template" in [lost["word"] for lost in told["lost"]], told)
    wait_for("nothing", lambda: sandbox.counts()["kept"] == 0)


run([same_everywhere, what_is_told_is_what_goes, refusals, a_template], "explain")
