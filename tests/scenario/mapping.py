"""Real mails through the real daemon: what Postmark gets of them, and what their senders see."""

import base64
import email.message
import email.mime.application
import email.mime.image
import email.mime.multipart
import email.mime.text
import hashlib
import http.client
import json
import os
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import SOURCE, TOKEN, Relay, Sandbox, check, installed, run, wait_for  # noqa: E402

SENDER, READER = "shop@sender.example", "ann@reader.example"
MEGABYTE = 1024 * 1024

# One pixel.
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
                       "rkJggg==")


def pair(folder, settings=None, *sandbox_options):
    sandbox = Sandbox(folder, *sandbox_options)
    return sandbox, Relay(folder, sandbox.port, settings)


def send(relay, content, sender=SENDER, to=(READER,)):
    """The text of the 250; an SMTPResponseException of what is refused."""
    if isinstance(content, email.message.Message):
        content = content.as_bytes().replace(b"\n", b"\r\n")
    with relay.smtp(300) as client:
        client.ehlo()
        code, text = client.mail(sender, ["size=%d" % len(content)])
        for one in to:
            if code == 250:
                code, text = client.rcpt(one)
        if code in (250, 251):
            code, text = client.data(content)
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        return text.decode()


def refused(relay, *args, **named):
    try:
        text = send(relay, *args, **named)
    except smtplib.SMTPResponseException as why:
        return why.smtp_code, why.smtp_error.decode()
    check(False, "it was taken: %s" % text)


def headed(message, subject, sender=SENDER, to=READER):
    message["From"] = "Shop <%s>" % sender
    message["To"] = "Ann <%s>" % to
    message["Subject"] = subject
    message["Message-ID"] = "<%s@sender.example>" % re.sub(r"\W+", ".", subject)
    return message


def text_mail(subject, body="Good morning.\n", **named):
    return headed(email.mime.text.MIMEText(body), subject, **named)


def content_of(attachment):
    return base64.b64decode(attachment["Content"], validate=True)


def ledger_of(relay, subject_id):
    """The ledger of the mail with this id, in the log."""
    match = relay.await_log(r"event=accepted mail=%s.*?(?:ledger=(\S+))?(?: |\n)(?:ms=)" % subject_id)
    return (match.group(1) or "").strip('"').split(",")


def id_of(reply):
    return re.search(r"queued as ([0-9A-Z]{26})", reply).group(1)


# --- shapes that users see ------------------------------------------------------------------------


def inline_images(folder):
    """As PHPMailer nests it: mixed of related of alternative, with images that the HTML shows."""
    sandbox, relay = pair(folder)
    mixed = headed(email.mime.multipart.MIMEMultipart("mixed"), "inline images")
    alternative = email.mime.multipart.MIMEMultipart("alternative")
    alternative.attach(email.mime.text.MIMEText("Your order, Zoë.\n", "plain", "utf-8"))
    related = email.mime.multipart.MIMEMultipart("related")
    related.attach(email.mime.text.MIMEText(
        '<p>Your order, Zo\u00eb.</p><img src="cid:logo@phpmailer.0"><img src="cid:sign">', "html", "iso-8859-1"))
    for cid, name in (("logo@phpmailer.0", "logo.png"), ("sign", "sign.png")):
        image = email.mime.image.MIMEImage(PNG, "png", name=name)
        image["Content-ID"] = "<%s>" % cid
        image["Content-Disposition"] = 'inline; filename="%s"' % name
        related.attach(image)
    alternative.attach(related)
    mixed.attach(alternative)
    pdf = email.mime.application.MIMEApplication(b"%PDF-1.4 \0\xff" * 1000, "pdf", name="invoice 7.pdf")
    pdf["Content-Disposition"] = 'attachment; filename="invoice 7.pdf"'
    mixed.attach(pdf)
    send(relay, mixed)
    request = sandbox.await_subjects(["inline images"])[0]["Request"]
    check(request["TextBody"] == "Your order, Zoë.\n", request["TextBody"])
    check("Zoë" in request["HtmlBody"] and "cid:logo@phpmailer.0" in request["HtmlBody"], request["HtmlBody"])
    logo, sign, invoice = request["Attachments"]
    check((logo["ContentID"], sign["ContentID"]) == ("cid:logo@phpmailer.0", "cid:sign"), (logo, sign))
    check(content_of(logo) == PNG and content_of(sign) == PNG, "the images are not the same")
    check(invoice["Name"] == "invoice 7.pdf" and invoice.get("ContentID") is None, invoice)
    check(content_of(invoice) == b"%PDF-1.4 \0\xff" * 1000, "the PDF is not the same")


def winmail(folder):
    """Outlook's rich text: the file goes as it is, and the ledger says that nobody read it."""
    sandbox, relay = pair(folder)
    tnef = b"\x78\x9f\x3e\x22" + bytes(range(256)) * 40
    mixed = headed(email.mime.multipart.MIMEMultipart("mixed"), "winmail")
    mixed.attach(email.mime.text.MIMEText("See the file.\n", "plain", "us-ascii"))
    part = email.mime.application.MIMEApplication(tnef, "ms-tnef", name="winmail.dat")
    part["Content-Disposition"] = 'attachment; filename="winmail.dat"'
    mixed.attach(part)
    reply = send(relay, mixed)
    request = sandbox.await_subjects(["winmail"])[0]["Request"]
    check(request["TextBody"] == "See the file.\n", request["TextBody"])
    check([a["Name"] for a in request["Attachments"]] == ["winmail.dat"], request["Attachments"])
    check(content_of(request["Attachments"][0]) == tnef, "winmail.dat is not the same")
    check("tnef" in ledger_of(relay, id_of(reply)), relay.log()[-2000:])
    history = relay.ask("GET", "/status/%s" % id_of(reply))["items"][0]
    check("tnef" in json.dumps(history), history)


INVITATION = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Shop//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
              "UID:1@sender.example\r\nDTSTART:20261124T090000Z\r\nSUMMARY:Caf\u00e9\r\nEND:VEVENT\r\n"
              "END:VCALENDAR\r\n")


def invitation(folder):
    sandbox, relay = pair(folder)
    alternative = headed(email.mime.multipart.MIMEMultipart("alternative"), "invitation")
    alternative.attach(email.mime.text.MIMEText("Come.\n", "plain", "us-ascii"))
    alternative.attach(email.mime.text.MIMEText("<b>Come.</b>\n", "html", "us-ascii"))
    calendar = email.mime.text.MIMEText(INVITATION, "calendar", "utf-8")
    calendar.set_param("method", "REQUEST")
    alternative.attach(calendar)
    reply = send(relay, alternative)
    request = sandbox.await_subjects(["invitation"])[0]["Request"]
    check((request["TextBody"], request["HtmlBody"]) == ("Come.\n", "<b>Come.</b>\n"), request)
    ics = request["Attachments"][0]
    check(ics["Name"].endswith(".ics") and ics["ContentType"].startswith("text/calendar")
          and "method=REQUEST" in ics["ContentType"], ics)
    check(content_of(ics).decode() == INVITATION, content_of(ics))
    check("calendar" in ledger_of(relay, id_of(reply)), relay.log()[-2000:])


# --- signed, by each policy -----------------------------------------------------------------------


def signed_by_each_policy(folder):
    openssl = installed("openssl")

    def call(*words, input=None):
        done = subprocess.run([openssl, *words], input=input, capture_output=True, timeout=60)
        check(done.returncode == 0, done.stderr.decode())
        return done.stdout

    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    call("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=Shop/emailAddress=" + SENDER)
    sandbox = Sandbox(folder, smtp=True)
    relay = Relay(folder, sandbox.port, {
        **sandbox.smtp_settings(),
        "route untouched": {"envelope-from": ["untouched@sender.example"], "on-signed": "smtp", "tag": "signed"},
        "route refused": {"envelope-from": ["refused@sender.example"], "on-signed": "reject"},
    })

    def signed(subject, sender):
        body = email.mime.text.MIMEText("I owe you 7.\n").as_bytes().replace(b"\n", b"\r\n")
        mime = call("smime", "-sign", "-signer", certificate, "-inkey", key, input=body).replace(b"\r\n", b"\n")
        head = ("From: Shop <%s>\nTo: Ann <%s>\nBcc: hidden@reader.example\nSubject: %s\n"
                "Message-ID: <%s@sender.example>\n" % (sender, READER, subject, subject)).encode()
        return (head + mime).replace(b"\n", b"\r\n")

    # convert, the default: readable, the signature as a file that proves nothing.
    reply = send(relay, signed("converted", SENDER))
    request = sandbox.await_subjects(["converted"])[0]["Request"]
    check(request["TextBody"].strip() == "I owe you 7.", request)
    check([a["Name"] for a in request["Attachments"]] == ["smime.p7s"], request["Attachments"])
    check("signed" in ledger_of(relay, id_of(reply)), relay.log()[-2000:])

    # reject: the sender hears why.
    code, text = refused(relay, signed("refused", SENDER), sender="refused@sender.example")
    check(code == 554 and text.startswith("5.6.1") and "signed" in text, (code, text))

    # smtp: what arrives is what was signed.
    reply = send(relay, signed("untouched", SENDER), sender="untouched@sender.example",
                 to=(READER, "hidden@reader.example"))
    relay.await_log(r"event=sent .*%s" % id_of(reply))
    message = wait_for("the signed mail at the sandbox", lambda: [
        m for m in sandbox.messages() if m["Request"].get("Subject") == "untouched"])[0]
    check(sorted(message["Recipients"]) == [READER, "hidden@reader.example"], message["Recipients"])
    item = relay.ask("GET", "/status/%s" % id_of(reply))["items"][0]
    check(item["state"] == "sent", item)
    found = sandbox_search(sandbox, item["id"])
    check(found["TotalCount"] == 1 and found["Messages"][0]["Tag"] == "signed", found)
    raw = sandbox_dump(sandbox, found["Messages"][0]["MessageID"]).encode("utf-8", "surrogateescape")
    check(b"hidden@" not in raw.partition(b"\r\n\r\n")[0], raw[:2000])
    verified = call("smime", "-verify", "-CAfile", certificate, "-purpose", "any", input=raw)
    check(b"I owe you 7." in verified, verified)


def sandbox_api(sandbox, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=30)
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body),
                       {"X-Postmark-Server-Token": TOKEN, "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    check(answer.status == 200, "%s: %d %s" % (path, answer.status, text[:300]))
    return json.loads(text)


def sandbox_search(sandbox, item_id):
    return sandbox_api(sandbox, "/messages/outbound?count=10&offset=0&metadata_relay-id=" + item_id)


def sandbox_dump(sandbox, message_id):
    return sandbox_api(sandbox, "/messages/outbound/%s/dump" % message_id)["Body"]


SIGNED = ("From: Shop <%s>\r\nTo: Ann <%s>\r\nSubject: %%s\r\nMIME-Version: 1.0\r\n"
          "Content-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\"\r\n\r\n"
          "--b\r\nContent-Type: text/plain\r\n\r\nI owe you 7.\r\n--b\r\n"
          "Content-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n--b--\r\n"
          % (SENDER, READER))


def smtp_on_a_bad_day(folder):
    """Whatever happens to a mail that goes by SMTP, it arrives once."""
    sandbox = Sandbox(folder, smtp=True)
    relay = Relay(folder, sandbox.port, {**sandbox.smtp_settings(),
                                         "route untouched": {"on-signed": "smtp"}})
    days = [("busy", {"path": "/mail", "status": 451}),
            ("going down", {"path": "/mail", "status": 421}),
            ("full", {"path": "/content", "status": 452}),
            ("cut before the dot", {"path": "/data", "cut": "after"}),
            ("cut at the dot", {"path": "/content", "cut": "before"}),
            ("taken, and no answer", {"path": "/content", "cut": "after"})]
    for subject, fault in days:
        sandbox.faults({"method": "SMTP", "times": 1, **fault})
        reply = send(relay, (SIGNED % subject).encode())
        wait_for("%s: sent" % subject, lambda: relay.ask(
            "GET", "/status/%s" % id_of(reply))["items"][0]["state"] == "sent", 60)
        sandbox.call("DELETE", "/sandbox/faults")
    subjects = [m["Request"].get("Subject") for m in sandbox.messages()]
    check(sorted(subjects) == sorted(s for s, _ in days), subjects)

    sandbox.faults({"method": "SMTP", "path": "/content", "status": 554, "message": "5.6.0 no"})
    reply = send(relay, (SIGNED % "refused").encode())
    item = wait_for("refused", lambda: [i for i in relay.ask(
        "GET", "/status/%s" % id_of(reply))["items"] if i["state"] == "failed"])[0]
    check("554 5.6.0 no" in json.dumps(item), item)


# --- sizes ----------------------------------------------------------------------------------------


def sized(subject, base64_bytes):
    """A mail whose attachment has so many bytes of base64, as Postmark counts it."""
    mixed = headed(email.mime.multipart.MIMEMultipart("mixed"), subject)
    mixed.attach(email.mime.text.MIMEText("The film.\n", "plain", "us-ascii"))
    data = os.urandom(base64_bytes * 3 // 4)
    part = email.mime.application.MIMEApplication(data, "octet-stream", name="film.mov")
    part["Content-Disposition"] = 'attachment; filename="film.mov"'
    mixed.attach(part)
    return mixed.as_bytes().replace(b"\n", b"\r\n"), hashlib.sha256(data).hexdigest()


def sizes(folder):
    sandbox, relay = pair(folder, {"route kept": {"envelope-from": ["@kept.example"], "capture": True}})
    fits, digest = sized("fits", int(9.9 * MEGABYTE))
    send(relay, fits)
    message = sandbox.await_subjects(["fits"], 60)[0]["Request"]
    check(message["Attachments"][0]["ContentLength"] == int(9.9 * MEGABYTE) * 3 // 4, message)
    reply = send(relay, fits, sender="app@kept.example")
    shown = relay.ask("GET", "/queue/show/%s-1" % id_of(reply), query={"content": "true"})
    data = content_of(shown["message"]["Attachments"][0])
    check(hashlib.sha256(data).hexdigest() == digest, "the film is not the same")

    too_large, _ = sized("does not fit", int(10.1 * MEGABYTE))
    code, text = refused(relay, too_large)
    check(code in (552, 554) and text.startswith("5.3.4") and "10485760" in text, (code, text))
    check(sandbox.counts()["kept"] == 1, sandbox.counts())
    with relay.smtp() as client:
        client.ehlo()
        check(int(client.esmtp_features["size"]) > len(fits), client.esmtp_features)


# --- routes ---------------------------------------------------------------------------------------


def several_servers(folder):
    """One transaction for two servers: each recipient's mail takes its own way, all or none."""
    setup = os.path.join(folder, "sandbox.json")
    with open(setup, "w") as f:
        json.dump({"servers": [{"Name": "shop", "tokens": ["shop-token"]},
                               {"Name": "news", "tokens": ["news-token"]}]}, f)
    sandbox, relay = pair(folder, {
        "postmark": {"token": "shop-token"},
        "connection letters": {"token": "news-token"},
        "route news": {"envelope-to": ["*@readers.example"], "connection": "letters", "tag": "news",
                       "metadata": ["campaign=autumn"]},
        "route alarms": {"header": [r"Subject: ^\[alarm\]"], "tag": "alarm", "header-controls": ["metadata"]},
    }, "--config", setup)
    both = text_mail("both")
    both["Cc"] = "bo@readers.example"
    both["X-PM-Tag"] = "mine"
    reply = send(relay, both, to=(READER, "bo@readers.example"))
    check(len(re.findall(r"[0-9A-Z]{26}", reply)) == 2, reply)
    messages = [m for m in sandbox.await_messages(2)]
    by_recipient = {m["Recipients"][0]: m for m in messages}
    check(sorted(by_recipient) == [READER, "bo@readers.example"], messages)
    news = by_recipient["bo@readers.example"]["Request"]
    check(news["Metadata"]["campaign"] == "autumn" and news["Tag"] == "mine", news)
    check(READER not in json.dumps(news), "the other route's recipient is shown: %s" % news)
    routes = {r["name"]: r for r in relay.ask("GET", "/route/list")["routes"]}
    check(routes["news"]["sent"] == 1 and routes["default"]["sent"] == 1, routes)

    alarm = text_mail("[alarm] disk")
    alarm["X-PM-Tag"] = "mine"
    alarm["X-PM-Metadata-host"] = "db1"
    send(relay, alarm)
    request = sandbox.await_subjects(["[alarm] disk"])[0]["Request"]
    check(request["Tag"] == "alarm" and request["Metadata"]["host"] == "db1", request)


def staging(folder):
    sandbox, relay = pair(folder, {
        "route test": {"envelope-from": ["@test.example"], "redirect-to": ["developer@sender.example"],
                       "allow-recipients": ["*@sender.example"]},
        "route kept": {"envelope-from": ["@kept.example"], "capture": True},
        "route trial": {"envelope-from": ["@trial.example"], "sandbox": True},
    })
    send(relay, text_mail("redirected"), sender="app@test.example", to=(READER, "ci@sender.example"))
    messages = sandbox.await_messages(2)
    check(sorted(m["Recipients"] for m in messages) == [["ci@sender.example"], ["developer@sender.example"]],
          messages)
    redirected = [m["Request"] for m in messages if m["Recipients"] == ["developer@sender.example"]][0]
    told = {h["Name"]: h["Value"] for h in redirected["Headers"]}
    check(told.get("X-Redirected-For") == READER, redirected)

    reply = send(relay, text_mail("kept"), sender="app@kept.example")
    item = relay.ask("GET", "/status/%s" % id_of(reply))["items"][0]
    check(item["state"] == "captured", item)
    shown = relay.ask("GET", "/queue/show/%s" % item["id"], query={"content": "true"})
    check(shown["message"]["Subject"] == "kept", shown)
    check(sandbox.counts()["kept"] == 2, sandbox.counts())
    relay.ask("POST", "/queue/retry", {"id": [item["id"]]})
    sandbox.await_subjects(["kept"])

    reply = send(relay, text_mail("trial"), sender="app@trial.example")
    relay.await_log(r"event=sent .*%s" % id_of(reply))
    check("trial" not in [m["Request"].get("Subject") for m in sandbox.messages()
                          if m.get("Token") != "POSTMARK_API_TEST"], sandbox.messages())


def manual_example(name):
    """A marked literal block of pmrelay.conf(5), as people see it."""
    with open(os.path.join(SOURCE, "doc/pmrelay.conf.5")) as f:
        text = re.search(r'^\.\\" Example: %s\n\.Bd [^\n]*\n(.*?)^\.Ed$' % name, f.read(), re.M | re.S).group(1)
    for escape, char in ((r"\(ha", "^"), (r"\(aq", "'"), (r"\&", ""), (r"\-", "-"), (r"\e", "\\")):
        text = text.replace(escape, char)
    return text


def template_without_a_change(folder):
    """The example of the manual: a status mail of an old program goes out by a template."""
    sandbox = Sandbox(folder)
    relay = Relay(folder, sandbox.port, more=manual_example("status settings"))
    sandbox_api(sandbox, "/templates", {
        "Name": "Backup report", "Alias": "backup-report", "Subject": "{{job}} of {{company}}: {{result}}",
        "TextBody": "{{host}}\n{{#each volumes}}{{path}} {{size}} {{state}}\n{{/each}}"})
    mail = manual_example("status mail")
    send(relay, mail.replace("\n", "\r\n").encode(), sender="backup@db1.example.com", to=("ops@example.com",))
    request = sandbox.await_messages(1)[0]["Request"]
    check(request["TemplateAlias"] == "backup-report", request)
    check(request["TemplateModel"] == json.loads(manual_example("status model")), request["TemplateModel"])
    check(request["Subject"] == "db1 of Example Ltd.: FAILED"
          and request["TextBody"].splitlines()[-1] == "/srv/mail 31 GB failed", request)
    # A mail of that subject which says something else goes out as it is.
    send(relay, mail.replace("Host:", "Nothing:").replace("\n", "\r\n").encode(),
         sender="backup@db1.example.com", to=("ops@example.com",))
    request = sandbox.await_subjects(["Backup of db1: FAILED"])[0]["Request"]
    check("TemplateAlias" not in request and "Nothing: db1" in request["TextBody"], request)


def replies_of_postmark(folder):
    sandbox, relay = pair(folder, {
        "route asked": {"envelope-from": ["@asked.example"], "reply": "postmark", "reply-timeout": "3s"},
        "route sure": {"envelope-from": ["@sure.example"], "reply": "postmark-or-refuse",
                       "reply-timeout": "3s"},
    })
    text = send(relay, text_mail("asked"), sender="app@asked.example")
    message = sandbox.await_subjects(["asked"])[0]
    check(message["MessageID"] in text, text)

    sandbox.suppress("gone@reader.example")
    code, text = refused(relay, text_mail("gone", to="gone@reader.example"), sender="app@asked.example",
                         to=("gone@reader.example",))
    check(code == 550 and text.startswith("5.1.1") and "406" in text, (code, text))

    sandbox.call("PUT", "/sandbox/faults", [{"status": 503}])
    text = send(relay, text_mail("late"), sender="app@asked.example")
    check("queued" in text and "Postmark" in text, text)
    code, text = refused(relay, text_mail("never"), sender="app@sure.example")
    check(code == 451, (code, text))
    sandbox.call("DELETE", "/sandbox/faults")
    relay.ask("POST", "/queue/flush", {})
    sandbox.await_subjects(["late"])
    check("never" not in [m["Request"].get("Subject") for m in sandbox.messages()], "refused, and sent")


run([inline_images, winmail, invitation, signed_by_each_policy, smtp_on_a_bad_day, sizes, several_servers, staging,
     template_without_a_change, replies_of_postmark], "mapping")
