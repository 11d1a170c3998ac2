#!/usr/bin/env python3
"""Postmark's SMTP service as pmrelay-sandbox offers it, to real clients: swaks, curl, smtplib."""

import base64
import email
import email.message
import email.policy
import json
import os
import smtplib
import ssl
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import (TOKEN, Failure, Sandbox, Wire, check, installed, program, run)  # noqa: E402

FROM, ANN, BO, CY = "a@shop.example", "ann@reader.example", "bo@reader.example", "cy@reader.example"


# --- clients --------------------------------------------------------------------------------------


def connect(sandbox, token=TOKEN, tls=True, login=True, timeout_s=30):
    client = smtplib.SMTP("localhost", sandbox.smtp_port, "client.test.example", timeout_s)
    if tls:
        client.starttls(context=ssl.create_default_context(cafile=sandbox.ca_file))
    if login:
        client.login(token, token)
    return client


def mail(subject="Hello", body="Hello, Ann.\n", **fields):
    """A mail; underscores in the names of fields stand for hyphens."""
    message = email.message.EmailMessage()
    message["From"] = fields.pop("From", FROM)
    message["To"] = fields.pop("To", ANN)
    message["Subject"] = subject
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            message.add_header(name.replace("_", "-"), one)
    message.set_content(body)
    return message


def send(sandbox, message, recipients=(ANN,), **options):
    with connect(sandbox, **options) as client:
        return client.sendmail(FROM, list(recipients), message.as_bytes(policy=email.policy.SMTP))


def api(sandbox, path, method="GET", body=None, token=TOKEN):
    request = urllib.request.Request(
        "http://127.0.0.1:%d%s" % (sandbox.port, path), None if body is None else json.dumps(body).encode(),
        {"X-Postmark-Server-Token": token, "Accept": "application/json", "Content-Type": "application/json"},
        method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def bounces(sandbox, token=TOKEN):
    """The oldest first."""
    return api(sandbox, "/bounces?count=500&offset=0", token=token)["Bounces"][::-1]


def only(found):
    check(len(found) == 1, "wanted one, got %s" % found)
    return found[0]


def same(got, wanted, what=""):
    check(got == wanted, "%s: wanted %r, got %r" % (what, wanted, got))


def refusal(code, action):
    """What was said by whom refused with this code."""
    try:
        action()
    except smtplib.SMTPRecipientsRefused as why:
        got, text = list(why.recipients.values())[0]
    except smtplib.SMTPResponseException as why:
        got, text = why.smtp_code, why.smtp_error
    else:
        raise Failure("not refused")
    check(got == code, "wanted %d, got %d %s" % (code, got, text))
    return text.decode()


def raises(kind, action):
    try:
        action()
    except kind as why:
        return why
    raise Failure("no %s" % (kind,))


# --- tests ----------------------------------------------------------------------------------------


def lines_on_stdout(folder):
    sandbox = Sandbox(folder, smtp=True)
    lines = sandbox.output().splitlines()
    same(lines, ["pmrelay-sandbox listening on http://127.0.0.1:%d" % sandbox.port,
                 "pmrelay-sandbox listening on smtp://127.0.0.1:%d" % sandbox.smtp_port])
    sandbox.stop()
    sandbox = Sandbox(folder)
    time.sleep(0.1)
    same(len(sandbox.output().splitlines()), 1, "lines without SMTP")


def swaks(folder):
    tool = installed("swaks")
    sandbox = Sandbox(folder, smtp=True)

    def talk(*options, password=TOKEN, status=0):
        done = subprocess.run(
            [tool, "--server", "127.0.0.1:%d" % sandbox.smtp_port, "--auth-user", TOKEN, "--auth-password",
             password, "--from", FROM, "--to", ANN, *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        check(done.returncode == status, "swaks ended with %d: %s" % (done.returncode, done.stdout[-2000:]))
        return done.stdout

    verified = ("--tls", "--tls-verify", "--tls-ca-path", sandbox.ca_file)
    for number, options in enumerate((
            (*verified, "--auth", "PLAIN"), (*verified, "--auth", "LOGIN"), ("--auth", "PLAIN"), ("--auth", "LOGIN"))):
        talk(*options, "--header", "Subject: swaks %d" % number, "--header", "X-PM-Tag: swaks")
        found = sandbox.messages()[-1]
        same((found["Request"]["Subject"], found["Request"]["Tag"]), ("swaks %d" % number, "swaks"))
        same(found["Recipients"], [ANN])
    said = talk(*verified, "--auth", "PLAIN", password="wrong", status=28)
    check("535 5.7.8 Error: authentication failed:" in said, said)
    same(len(sandbox.messages()), 4)
    same(sandbox.counts()["smtp_mails"], 4)


def curl(folder):
    tool = installed("curl")
    sandbox = Sandbox(folder, smtp=True)
    path = os.path.join(folder, "mail.eml")
    with open(path, "wb") as f:
        f.write(mail("by curl", X_PM_Metadata_relay_id="01CURL-1").as_bytes(policy=email.policy.SMTP))

    def talk(ca_file, token=TOKEN):
        return subprocess.run(
            [tool, "-sS", "--ssl-reqd", "--cacert", ca_file, "-u", "%s:%s" % (token, token), "--mail-from", FROM,
             "--mail-rcpt", ANN, "--mail-rcpt", BO, "-T", path, "smtp://localhost:%d" % sandbox.smtp_port],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).returncode

    same(talk(sandbox.ca_file), 0, "curl")
    found = only(sandbox.messages())
    same(found["Recipients"], [ANN, BO])
    same(found["RelayID"], "01CURL-1")
    same(talk(sandbox.ca_file, "nobody"), 67, "curl with a wrong token")
    other = os.path.join(folder, "other")
    os.mkdir(other)
    stranger = Sandbox(other, smtp=True)
    same(talk(stranger.ca_file), 60, "curl with another authority")
    same(len(sandbox.messages()), 1)


def controls(folder):
    """The header's X-PM fields, in whatever letters, become the message's."""
    sandbox = Sandbox(folder, smtp=True)
    send(sandbox, mail(
        "Grüße", "Grüße an Ann.\n", Cc="Bo <%s>" % BO, Reply_To="desk@shop.example", X_Mailer="tests",
        x_pm_tag="invoice", X_PM_TRACKOPENS="true", X_PM_Track_Links="htmlonly",
        X_PM_MESSAGE_STREAM="broadcast", X_PM_Metadata_relay_id="01AB-1", X_PM_Metadata_color=["red", "blue"],
        X_PM_Bounce_Type="SoftBounce", Message_ID="<1@shop.example>"), [ANN, BO])
    found = only(sandbox.messages())
    request = found["Request"]
    for key, wanted in {
            "From": FROM, "To": ANN, "ReplyTo": "desk@shop.example", "Subject": "Grüße",
            "TextBody": "Grüße an Ann.\n", "Tag": "invoice", "TrackOpens": True, "TrackLinks": "HtmlOnly",
            "MessageStream": "broadcast",
            "Metadata": {"relay-id": "01AB-1", "color": "red", "color1": "blue"}}.items():
        same(request.get(key), wanted, key)
    check(BO in request["Cc"], request["Cc"])
    check("Bcc" not in request, request)
    same(request["Headers"], [{"Name": "X-Mailer", "Value": "tests"},
                              {"Name": "X-PM-Bounce-Type", "Value": "SoftBounce"}])
    same((found["MessageStream"], found["RelayID"], found["BySMTP"]), ("broadcast", "01AB-1", True))
    # As the API shows it, and finds it.
    found = only(api(sandbox, "/messages/outbound?count=5&offset=0&messagestream=broadcast"
                              "&metadata_relay-id=01AB-1")["Messages"])
    same(found["Recipients"], [ANN, BO])
    same((found["Tag"], found["TrackOpens"], found["TrackLinks"]), ("invoice", True, "HtmlOnly"))
    # X-PM-MessageStream and the spelling of the JSON are fine, too; the first of two counts.
    send(sandbox, mail(X_PM_TrackOpens="false", X_PM_TrackLinks="None", X_PM_MessageStream="broadcast",
                       X_PM_Tag=["one", "two"]))
    request = sandbox.messages()[-1]["Request"]
    same((request["TrackOpens"], request["TrackLinks"], request["MessageStream"], request["Tag"]),
         (False, "None", "broadcast", "one"))


def dump_and_source(folder):
    sandbox = Sandbox(folder, smtp=True)
    content = (b"X-PM-Tag: a\r\nX-PM-Metadata-k:\r\n v\r\nFrom: a@shop.example\r\nBCC: hidden@reader.example,\r\n"
               b"\tmore@reader.example\r\nTo: ann@reader.example\r\nMessage-Id: <own@shop.example>\r\n"
               b"Subject: raw\r\n%sContent-Transfer-Encoding: 8bit\r\n\r\n..dots\r\n.\r\n8 bit: \xe4\r\n")
    for keep in (False, True):
        sent = content % (b"X-PM-KeepID: TRUE\r\n" if keep else b"")
        with connect(sandbox) as client:
            client.sendmail(FROM, [ANN], sent)
        found = sandbox.messages()[-1]
        same(sandbox.source(found), sent, "source")
        dump = api(sandbox, "/messages/outbound/%s/dump" % found["MessageID"])["Body"]
        head, _, body = dump.partition("\r\n\r\n")
        same(body, "..dots\r\n.\r\n8 bit: \ufffd\r\n", "body")
        wanted = ["From: a@shop.example", "To: ann@reader.example"]
        wanted += ["Message-Id: <own@shop.example>"] if keep else []
        wanted += ["Subject: raw", "Content-Transfer-Encoding: 8bit"]
        wanted += [] if keep else ["Message-ID: <%s@mtasv.net>" % found["MessageID"]]
        same(head.split("\r\n"), wanted + ["X-PM-Message-Id: " + found["MessageID"]])
        headers = {h["Name"]: h["Value"] for h in found["Request"].get("Headers", [])}
        same(headers.get("Message-ID"), "<own@shop.example>" if keep else None)
    raises(Failure, lambda: sandbox.source({"MessageID": "no-such-id"}))


def the_envelope_decides(folder):
    sandbox = Sandbox(folder, smtp=True)
    send(sandbox, mail(To="%s, elsewhere@reader.example" % ANN, Bcc="other@reader.example"), [ANN, BO])
    found = only(sandbox.messages())
    same(found["Recipients"], [ANN, BO])
    same(found["Request"]["To"], "%s, elsewhere@reader.example" % ANN)
    same(found["Request"]["Bcc"], BO)
    check("other@" not in json.dumps(found), found)
    # No header needs to name anybody.
    with connect(sandbox) as client:
        client.sendmail("", [ANN], "From: %s\r\nSubject: nobody\r\n\r\n" % FROM)
    found = sandbox.messages()[-1]
    same((found["Recipients"], found["Request"]["Bcc"], "To" in found["Request"]), ([ANN], ANN, False))
    # 60 in To are no 60 recipients; 51 recipients are too many.
    many = ["r%d@reader.example" % i for i in range(60)]
    send(sandbox, mail("list", To=", ".join(many)), many[:50])
    same(len(sandbox.messages()[-1]["Recipients"]), 50)
    send(sandbox, mail("list", To=", ".join(many)), many[:51])
    same(len(sandbox.messages()), 3)
    same(len(bounces(sandbox)), 51)


def shapes(folder):
    """Bodies, attachments and names, of which the API would have made the same."""
    sandbox = Sandbox(folder, smtp=True)
    message = mail("shapes", "plain\n")
    message.add_alternative("<p>rich <img src=\"cid:pic\"></p>\n", subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG\0", "image", "png", cid="<pic>", disposition="inline")
    message.add_attachment(b"%PDF-1.4\0\xff", "application", "pdf", filename="Rechnung März.pdf")
    message.add_attachment(mail("inner"))
    send(sandbox, message)
    request = only(sandbox.messages())["Request"]
    same((request["TextBody"], request["HtmlBody"]), ("plain\n", "<p>rich <img src=\"cid:pic\"></p>\n"))
    got = [(a["Name"], a["ContentType"], a.get("ContentID")) for a in request["Attachments"]]
    same(got[0][1:], ("image/png", "cid:pic"))
    same(got[1], ("Rechnung März.pdf", "application/pdf", None))
    same(got[2][1], "message/rfc822")
    same(base64.b64decode(request["Attachments"][1]["Content"]), b"%PDF-1.4\0\xff")
    with connect(sandbox) as client:  # signed, with a part that has no name
        client.sendmail(FROM, [ANN], (
            "From: %s\r\nSubject: signed\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n"
            "--b\r\n\r\nsigned text\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nsig\r\n--b--\r\n") % FROM)
    request = sandbox.messages()[-1]["Request"]
    same(request["TextBody"], "signed text")
    same([a["ContentType"] for a in request["Attachments"]], ["application/pgp-signature"])
    # No MIME at all, and what only looks like it.
    for content in (b"\r\n", b"x", b"no header here\r\n\r\n", b"From: a@shop.example\r\nContent-Type: multipart/mixed\r\n\r\n--",
                    b"From: a@shop.example\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe\r\n"):
        with connect(sandbox) as client:
            client.sendmail(FROM, [ANN], content)
    same(sandbox.counts()["smtp_mails"], 7)


def refused_afterwards(folder):
    """Accepted with 250, and then a bounce of the type SMTPApiError."""
    sandbox = Sandbox(folder, "--sender-domain", "shop.example", smtp=True)
    attached = mail("exe")
    attached.add_attachment(b"MZ", "application", "octet-stream", filename="setup.exe")
    deep = b"From: %s\r\nX-PM-Metadata-relay-id: 01DEEP-1\r\n" % FROM.encode() + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(200)) + b"\r\n"
    cases = (
        (1235, mail("no stream", X_PM_Message_Stream="nope")),
        (1236, mail("inbound", X_PM_Message_Stream="inbound")),
        (400, mail("not ours", From="a@other.example")),
        (300, mail("tag", X_PM_Tag="t" * 1001)),
        (300, mail("metadata", X_PM_Metadata_key="v" * 81)),
        (300, mail("metadata", **{"X_PM_Metadata_" + "k" * 21: "v"})),
        (403, mail("tracking", X_PM_TrackLinks="perhaps")),
        (403, mail("tracking", X_PM_TrackOpens="maybe")),
        (411, attached),
        (300, email.message_from_string("To: ann@reader.example\nSubject: no From\n\nx\n", policy=email.policy.SMTP)),
        (300, deep),
    )
    for number, (code, message) in enumerate(cases):
        content = message if isinstance(message, bytes) else message.as_bytes(policy=email.policy.SMTP)
        with connect(sandbox) as client:
            client.sendmail(FROM, [ANN, BO], content)
        found = bounces(sandbox)[2 * number:]
        same([b["Email"] for b in found], [ANN, BO], "bounces of case %d" % number)
        for bounce in found:
            same((bounce["Type"], bounce["TypeCode"], bounce["Name"]), ("SMTPApiError", 100007, "SMTP API error"))
            check(bounce["Details"].startswith("ErrorCode %d: " % code), bounce)
            check(bounce["Details"].endswith(bounce["Description"]), bounce)
            check(not bounce["Inactive"] and not bounce["CanActivate"], bounce)
            dump = api(sandbox, "/bounces/%d/dump" % bounce["ID"])["Body"]
            check(bounce["Details"] in dump, dump)
    check(bounces(sandbox)[-1]["Metadata"] == {"relay-id": "01DEEP-1"}, bounces(sandbox)[-1])
    same(sandbox.messages(), [])
    same(api(sandbox, "/messages/outbound?count=5&offset=0")["Messages"], [])
    counts = sandbox.counts()
    same((counts["smtp_mails"], counts["smtp_errors"]), (len(cases), len(cases)))
    # Nothing was suppressed by it.
    send(sandbox, mail("fine"))
    same(only(sandbox.messages())["Request"]["Subject"], "fine")


def suppressed(folder):
    sandbox = Sandbox(folder, smtp=True)
    sandbox.suppress(BO)
    send(sandbox, mail("two", X_PM_Metadata_relay_id="01TWO-1"), [ANN, BO])
    found = only(sandbox.messages())
    same((found["Recipients"], found["Suppressed"]), ([ANN, BO], [BO]))
    bounce = only(bounces(sandbox))
    same((bounce["Type"], bounce["Email"], bounce["MessageID"]), ("SMTPApiError", BO, found["MessageID"]))
    check(bounce["Details"].startswith("ErrorCode 406: ") and BO in bounce["Description"], bounce)
    same(bounce["Metadata"], {"relay-id": "01TWO-1"})
    send(sandbox, mail("one"), [BO])
    same(len(sandbox.messages()), 1)
    same([b["Subject"] for b in bounces(sandbox)], ["two", "one"])
    # An address that bounces is suppressed for the next mail.
    bad = "HardBounce@bounce-testing.postmarkapp.com"
    send(sandbox, mail("hard"), [bad])
    send(sandbox, mail("hard again"), [bad])
    same([b["Type"] for b in bounces(sandbox)[2:]], ["HardBounce", "SMTPApiError"])


def who_may_send(folder):
    path = os.path.join(folder, "config.json")
    with open(path, "w") as f:
        json.dump({"servers": [
            {"Name": "shop", "tokens": ["shop-1", "shop-2"]},
            {"Name": "silent", "tokens": ["silent-1"], "SmtpApiActivated": False}]}, f)
    sandbox = Sandbox(folder, "--config", path, smtp=True)
    for token in ("silent-1", "nobody", "sandbox-account-token"):
        text = refusal(535, lambda: connect(sandbox, token=token))
        same(text, "5.7.8 Error: authentication failed:")
    with connect(sandbox, login=False) as client:
        refusal(535, lambda: client.login("shop-1", "shop-2"))
        refusal(530, lambda: client.sendmail(FROM, [ANN], "x"))
        client.login("shop-2", "shop-2")
        client.sendmail(FROM, [ANN], mail().as_bytes(policy=email.policy.SMTP))
    same(only(sandbox.messages())["TokenNumber"], 2)
    # The switch of the API is heeded at once.
    api(sandbox, "/server", "PUT", {"SmtpApiActivated": True}, token="silent-1")
    send(sandbox, mail(), token="silent-1")
    same([m["ServerID"] for m in sandbox.messages()], [1, 2])
    api(sandbox, "/server", "PUT", {"SmtpApiActivated": False}, token="silent-1")
    refusal(535, lambda: connect(sandbox, token="silent-1"))
    # The test token takes everything and keeps nothing.
    send(sandbox, mail(), token="POSTMARK_API_TEST")
    same(len(sandbox.messages()), 2)
    same(sandbox.counts()["test_messages"], 1)


def fault(path, **what):
    return dict({"method": "SMTP", "path": path, "times": 1}, **what)


def faults_of_replies(folder):
    sandbox = Sandbox(folder, smtp=True)
    for path, code in (("/mail", 451), ("/mail", 550), ("/rcpt", 450), ("/rcpt", 550), ("/data", 452), ("/data", 554),
                       ("/content", 451), ("/content", 552), ("/auth", 454)):
        # A client whose PLAIN fails tries LOGIN.
        sandbox.faults(fault(path, status=code, message="%d.3.9 as you wish" % (code // 100),
                             times=2 if path == "/auth" else 1))
        text = refusal(code, lambda: send(sandbox, mail()))
        same(text, "%d.3.9 as you wish" % (code // 100), path)
        same(sandbox.messages(), [], path)
        send(sandbox, mail())
        same(len(sandbox.messages()), 1, path)
        sandbox.clear()
    # One of two recipients.
    sandbox.faults(fault("/rcpt", status=550, after=1))
    same(list(send(sandbox, mail(), [ANN, BO])), [BO])
    same(only(sandbox.messages())["Recipients"], [ANN])
    sandbox.clear()
    # Refused, and sent all the same.
    sandbox.faults(fault("/content", status=451, accept=True))
    refusal(451, lambda: send(sandbox, mail()))
    same(len(sandbox.messages()), 1)
    # 421 ends the session.
    sandbox.faults(fault("/mail", status=421))
    with connect(sandbox) as client:
        refusal(421, lambda: client.sendmail(FROM, [ANN], "x"))
        raises(smtplib.SMTPServerDisconnected, client.noop)
    # Rules for the API do not count here, and the reverse.
    sandbox.clear()
    sandbox.faults({"status": 500}, {"path": "*", "method": "POST", "cut": "before"})
    send(sandbox, mail())
    same(len(sandbox.messages()), 1)
    sandbox.faults({"method": "SMTP", "path": "/m*", "status": 451})
    api(sandbox, "/email", "POST", {"From": FROM, "To": ANN, "TextBody": "x"})
    refusal(451, lambda: send(sandbox, mail()))
    same(sandbox.get("/sandbox/faults")[0]["fired"], 1)


def faults_that_cut(folder):
    sandbox = Sandbox(folder, smtp=True)
    for tls in (False, True):
        for path, cut, kept in (("/mail", "before", 0), ("/rcpt", "before", 0), ("/data", "before", 0),
                                ("/data", "after", 0), ("/content", "before", 0), ("/content", "after", 1)):
            sandbox.faults(fault(path, cut=cut))
            raises((smtplib.SMTPServerDisconnected, OSError), lambda: send(sandbox, mail(), tls=tls))
            same(len(sandbox.messages()), kept, (path, cut))
            sandbox.clear()
    # Cut before the dot: the reply to DATA came.
    sandbox.faults(fault("/data", cut="after"))
    with Wire(sandbox.smtp_port) as wire:
        wire.hello()
        wire.ask(235, "AUTH PLAIN " + base64.b64encode(b"\0%s\0%s" % ((TOKEN.encode(),) * 2)).decode())
        wire.ask(250, "MAIL FROM:<%s>" % FROM)
        wire.ask(250, "RCPT TO:<%s>" % ANN)
        wire.ask(354, "DATA")
        same(wire.reply(), (0, ""))
    same(sandbox.messages(), [])


def faults_that_delay(folder):
    sandbox = Sandbox(folder, smtp=True)
    for path in ("/auth", "/mail", "/rcpt", "/data", "/content"):
        sandbox.faults(fault(path, delay_before_ms=150, delay_after_ms=150))
        start = time.monotonic()
        send(sandbox, mail(path))
        check(time.monotonic() - start >= 0.3, "%s was not delayed" % path)
        same(sandbox.messages()[-1]["Request"]["Subject"], path)
    sandbox.clear()
    # A client that does not wait: before it is obeyed nothing was accepted, afterwards it was.
    for when, kept in (("delay_before_ms", 0), ("delay_after_ms", 1)):
        sandbox.faults(fault("/content", **{when: 2000}))
        raises(OSError, lambda: send(sandbox, mail(), timeout_s=0.5))
        same(len(sandbox.messages()), kept, when)
        sandbox.clear()
    # Ends while answers are owed.
    sandbox.faults(fault("/content", delay_after_ms=60000))
    raises(OSError, lambda: send(sandbox, mail(), timeout_s=0.5))
    same(sandbox.stop(), 0, "the sandbox's end")


def no_starttls(folder):
    sandbox = Sandbox(folder, smtp=True)
    sandbox.call("PUT", "/sandbox/switches", {"smtp_starttls": False})
    with connect(sandbox, tls=False) as client:
        check(not client.has_extn("starttls") and client.has_extn("auth"), client.esmtp_features)
        same(client.docmd("STARTTLS")[0], 500)
    sandbox.call("PUT", "/sandbox/switches", {"smtp_starttls": True})
    send(sandbox, mail())


def commands_sent_along_with_starttls(folder):
    sandbox = Sandbox(folder, smtp=True)
    with Wire(sandbox.smtp_port) as wire:
        wire.hello()
        wire.ask(220, "STARTTLS", "EHLO evil.example", "AUTH LOGIN")
        context = ssl.create_default_context(cafile=sandbox.ca_file)
        inside = context.wrap_socket(wire.socket, server_hostname="localhost")
        inside.sendall(b"MAIL FROM:<a@shop.example>\r\nQUIT\r\n")
        got = b""
        while b"221" not in got:
            more = inside.recv(4096)
            check(more, "the end after %r" % got)
            got += more
        check(got.startswith(b"503 ") and got.count(b"\r\n") == 2, got)
    check("sent along with STARTTLS" in sandbox.log(), sandbox.log())


def own_certificate(folder):
    tool = installed("openssl")
    certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run([tool, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=smtp.test.example",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    path = os.path.join(folder, "config.json")
    with open(path, "w") as f:
        json.dump({"smtp": {"port": 0, "certificate_file": certificate, "key_file": key}}, f)
    sandbox = Sandbox(folder, "--config", path)
    sandbox.smtp_port = int(sandbox.await_text(sandbox.output, r"smtp://[^:]*:(\d+)").group(1))
    sandbox.ca_file = certificate
    send(sandbox, mail())
    same(len(sandbox.messages()), 1)
    sandbox.stop()
    for options, why in (
            (("--smtp-port", "0", "--smtp-certificate", certificate), "a certificate needs its key"),
            (("--smtp-port", "0", "--smtp-certificate", key, "--smtp-key", key), "certificate"),
            (("--smtp-port", "0", "--smtp-ca-file", folder + "/no/such/folder.pem"), "cannot write"),
            (("--smtp-port", str(sandbox.port), "--port", str(sandbox.port)), "cannot listen")):
        done = subprocess.run([program("pmrelay-sandbox"), *options], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30)
        check(done.returncode == 1 and why in done.stderr, "%s: %d %s" % (options, done.returncode, done.stderr))
        same(done.stdout, "")
    for smtp, why in (({}, "smtp.port"), ({"port": 70000}, "smtp.port"), ({"port": 0, "x": 1}, "no \\\"x\\\""),
                      ({"port": 0, "ca_file": 1}, "smtp.ca_file"), ([], "wanted an object")):
        with open(path, "w") as f:
            json.dump({"smtp": smtp}, f)
        done = subprocess.run([program("pmrelay-sandbox"), "--config", path], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30)
        check(done.returncode == 1 and why in done.stderr, "%s: %d %s" % (smtp, done.returncode, done.stderr))


def large_mails(folder):
    """10 MB of what the API counts is the end, and 20480000 bytes that of SMTP."""
    sandbox = Sandbox(folder, smtp=True)
    for size, kept in ((5000000, 1), (7000000, 1), (9000000, 1)):
        message = mail("large %d" % size)
        message.add_attachment(os.urandom(size), "application", "octet-stream", filename="large.dat")
        send(sandbox, message, timeout_s=120)
        kept = 1 if (size + 2) // 3 * 4 < 10485760 else 0
        same(len([m for m in sandbox.messages() if m["Request"]["Subject"] == "large %d" % size]), kept, size)
    check("too big" in only(bounces(sandbox))["Description"], bounces(sandbox))
    with connect(sandbox) as client:
        refusal(552, lambda: client.sendmail(FROM, [ANN], b"x" * 20480001))


def many_clients(folder):
    """Each on a connection of its own, in turns."""
    sandbox = Sandbox(folder, smtp=True)
    clients = [connect(sandbox, tls=i % 2 == 0) for i in range(20)]
    for turn in range(3):
        for number, client in enumerate(clients):
            client.sendmail(FROM, [ANN], mail("%d %d" % (turn, number)).as_bytes(policy=email.policy.SMTP))
    same(len(sandbox.messages()), 60)
    for client in clients[:10]:
        client.quit()
    same(sandbox.stop(), 0, "the sandbox's end")


run([lines_on_stdout, swaks, curl, controls, dump_and_source, the_envelope_decides, shapes, refused_afterwards, suppressed,
     who_may_send, faults_of_replies, faults_that_cut, faults_that_delay, no_starttls,
     commands_sent_along_with_starttls, own_certificate, large_mails, many_clients], "sandbox-smtp")
