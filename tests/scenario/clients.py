"""Real clients send to a real pmrelayd, and a strict Postmark shows what it got of them."""

import email.message
import email.utils
import os
import shutil
import smtplib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))
from daemons import Relay, Sandbox, Skip, Wire, check, installed, load, run, wait_for  # noqa: E402
import bench  # noqa: E402

SENDER, READER = "shop@sender.example", "ann@reader.example"


def pair(folder):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port)


def client(argv, text=None):
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, "%s ended with %d: %s" % (
        argv[0], done.returncode, done.stdout + done.stderr))


def plain(subject, body="Good morning.\r\n", to=READER):
    return ("From: Shop <%s>\r\nTo: Ann <%s>\r\nSubject: %s\r\nDate: %s\r\n"
            "Message-ID: <%s@sender.example>\r\n\r\n%s" % (
                SENDER, to, subject, email.utils.formatdate(), subject.replace(" ", "."), body))


def check_plain(message, body="Good morning.", to=READER):
    request = message["Request"]
    check(message["Recipients"] == [to], "recipients %s" % message["Recipients"])
    check(SENDER in request["From"], "From %s" % request["From"])
    check(to in request["To"] and "Bcc" not in request, "To %s" % request["To"])
    check(request["TextBody"].strip() == body, "TextBody %r" % request["TextBody"])
    check("HtmlBody" not in request, "an HtmlBody out of nothing")


def swaks(folder):
    command = installed("swaks")
    sandbox, relay = pair(folder)
    attachment = os.path.join(folder, "list.csv")
    with open(attachment, "w") as f:
        f.write("article;price\n1;2\n")
    common = [command, "--server", "127.0.0.1", "--port", str(relay.port), "--helo", "client.example",
              "--from", SENDER, "--to", READER, "--silent", "2"]
    client(common + ["--header", "Subject: swaks plain", "--body", "Good morning."])
    client(common + ["--header", "Subject: swaks pipelined", "--pipeline", "--body", "Good morning."])
    client(common + ["--header", "Subject: swaks attached", "--body", "Good morning.",
                     "--attach-type", "text/csv", "--attach", "@" + attachment])
    one, two, three = sandbox.await_subjects(["swaks plain", "swaks pipelined", "swaks attached"])
    check_plain(one)
    check_plain(two)
    check_plain(three)
    attachments = three["Request"]["Attachments"]
    check(len(attachments) == 1 and attachments[0]["Name"] == "list.csv", "attachments %s" % attachments)
    check(attachments[0]["Content"] == "YXJ0aWNsZTtwcmljZQoxOzIK", "content %s" % attachments)


def msmtp(folder):
    command = installed("msmtp")
    sandbox, relay = pair(folder)
    common = [command, "--file=/dev/null", "--host=127.0.0.1", "--port=%d" % relay.port,
              "--domain=client.example", "--from=" + SENDER]
    client(common + ["--", READER], plain("msmtp plain").replace("\r\n", "\n"))
    # -t takes the recipients from the headers; the Bcc header goes no further than msmtp.
    client(common + ["-t"], plain("msmtp blind").replace("\r\n", "\n").replace(
        "Date:", "Bcc: hidden@reader.example\nDate:", 1))
    one, two = sandbox.await_subjects(["msmtp plain", "msmtp blind"])
    check_plain(one)
    check(sorted(two["Recipients"]) == [READER, "hidden@reader.example"], two["Recipients"])
    check(two["Request"]["Bcc"] == "hidden@reader.example", two["Request"].get("Bcc"))
    check("hidden" not in two["Request"]["To"], two["Request"]["To"])


def curl(folder):
    command = installed("curl")
    sandbox, relay = pair(folder)
    path = os.path.join(folder, "mail")
    with open(path, "w", newline="") as f:
        f.write(plain("curl plain"))
    url = "smtp://127.0.0.1:%d/client.example" % relay.port
    client([command, "-sS", url, "--mail-from", SENDER, "--mail-rcpt", READER, "--upload-file", path])
    # Its own MIME: a text, and a file in base64.
    client([command, "-sS", url, "--mail-from", SENDER, "--mail-rcpt", READER,
            "-H", "From: Shop <%s>" % SENDER, "-H", "To: %s" % READER, "-H", "Subject: curl form",
            "-F", "=Good morning.;type=text/plain", "-F", "file=@%s;type=application/octet-stream;"
            "filename=copy.txt;encoder=base64" % path])
    one, two = sandbox.await_subjects(["curl plain", "curl form"])
    check_plain(one)
    check_plain(two)
    check([a["Name"] for a in two["Request"]["Attachments"]] == ["copy.txt"], two["Request"])


def python_smtplib(folder):
    sandbox, relay = pair(folder)
    mail = email.message.EmailMessage()
    mail["From"] = email.utils.formataddr(("Bücher & Mehr", SENDER))
    mail["To"] = "Ann Müller <ann@reader.example>, bo@reader.example"
    mail["Cc"] = "Carl <carl@reader.example>"
    mail["Subject"] = "Rechnung Nº 7 – 12,50 €"
    mail["X-PM-Tag"] = "invoice"
    mail["X-PM-Metadata-Order"] = "4711"
    mail["References"] = "<1001@sender.example>"
    mail.set_content("Guten Tag, 12,50 €.\n")
    mail.add_alternative('<p>Guten Tag, 12,50 €. <img src="cid:logo@shop"></p>\n', subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG....", "image", "png", cid="<logo@shop>", filename="logo.png")
    mail.add_attachment(b"%PDF-1.4 ...", "application", "pdf", filename="Rechnung Müller.pdf")
    with relay.smtp() as s:
        refused = s.send_message(mail, SENDER, ["ann@reader.example", "bo@READER.example",
                                                "carl@reader.example", "boss@sender.example"])
    check(refused == {}, refused)
    message, = sandbox.await_messages(1)
    request = message["Request"]
    check(request["Subject"] == "Rechnung Nº 7 – 12,50 €", request["Subject"])
    check("Bücher & Mehr" in request["From"], request["From"])
    check("Ann Müller" in request["To"] and "bo@" in request["To"], request["To"])
    check("carl@reader.example" in request["Cc"], request["Cc"])
    check(request["Bcc"] == "boss@sender.example", request["Bcc"])
    check(request["Tag"] == "invoice" and request["Metadata"]["Order"] == "4711", request)
    check("12,50 €" in request["TextBody"] and "cid:logo@shop" in request["HtmlBody"], request)
    names = {h["Name"].lower() for h in request["Headers"]}
    check("references" in names and "x-pm-tag" not in names and "date" not in names, names)
    by_name = {a["Name"]: a for a in request["Attachments"]}
    check(by_name["logo.png"]["ContentID"] == "cid:logo@shop", by_name)
    check(by_name["Rechnung Müller.pdf"]["ContentType"] == "application/pdf", by_name)


PERL = r"""
use strict; use warnings; use Net::SMTP;
my ($port, $from, $to) = @ARGV;
my $smtp = Net::SMTP->new("127.0.0.1", Port => $port, Hello => "client.example", Timeout => 30)
	or die "no connection: $@";
for my $number (1 .. 3) {
	$smtp->mail($from) && $smtp->to($to) && $smtp->data() or die $smtp->message;
	$smtp->datasend("From: Shop <$from>\nTo: Ann <$to>\nSubject: perl $number\n\nGood morning.\n");
	$smtp->dataend() or die $smtp->message;
}
$smtp->quit or die $smtp->message;
"""


def perl_net_smtp(folder):
    command = installed("perl")
    if subprocess.run([command, "-MNet::SMTP", "-e", "1"], capture_output=True).returncode != 0:
        raise Skip("Net::SMTP is not installed")
    sandbox, relay = pair(folder)
    client([command, "-e", PERL, str(relay.port), SENDER, READER])
    for message in sandbox.await_subjects(["perl 1", "perl 2", "perl 3"]):
        check_plain(message)


def postfix_relayhost(folder):
    why = bench.postfix_missing()
    if why is not None:
        raise Skip("Postfix: " + why)
    sandbox, relay = pair(folder)
    # Not in the build folder: Postfix's user must be able to get there, and /root is closed to it.
    private = tempfile.mkdtemp(prefix="pmrelay-postfix-")
    os.chmod(private, 0o755)
    try:
        through_postfix(sandbox, private, relay)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def through_postfix(sandbox, private, relay):
    postfix = bench.Postfix(private, None, next_port=relay.port, processes=20)
    try:
        subjects = ["postfix %d" % i for i in range(10)]
        with smtplib.SMTP("127.0.0.1", postfix.port, "client.example", 30) as s:
            for subject in subjects:
                s.sendmail(SENDER, [READER], plain(subject))
            s.sendmail(SENDER, [READER, "hidden@reader.example"], plain("postfix blind"))
        for message in sandbox.await_subjects(subjects):
            check_plain(message)
            names = [h["Name"].lower() for h in message["Request"]["Headers"]]
            check("received" not in names, "Postfix's Received went on to Postmark")
        blind, = sandbox.await_subjects(["postfix blind"])
        check(sorted(blind["Recipients"]) == [READER, "hidden@reader.example"], blind["Recipients"])
        check("hidden" not in blind["Request"]["To"], blind["Request"]["To"])

        def queue_is_empty():
            return not any(files for queue in ("incoming", "active", "deferred")
                           for _, _, files in os.walk(os.path.join(private, "queue", queue)))
        wait_for("Postfix's queue is empty", queue_is_empty)
    finally:
        postfix.stop()


def many_mails_one_connection(folder):
    sandbox, relay = pair(folder)
    subjects = ["session %d" % i for i in range(20)]
    with relay.smtp() as s:
        for subject in subjects:
            s.sendmail(SENDER, [READER], plain(subject))
        # A transaction that is broken off leaves no trace, and the next one is whole.
        s.mail(SENDER)
        s.rcpt("never@reader.example")
        s.rset()
        s.sendmail(SENDER, [READER], plain("after RSET"))
    for message in sandbox.await_subjects(subjects + ["after RSET"]):
        check_plain(message)
    check(len(sandbox.messages()) == 21, "%d messages of 21 mails" % len(sandbox.messages()))


def pipelined(folder):
    sandbox, relay = pair(folder)
    with Wire(relay.port) as wire:
        check("PIPELINING" in wire.hello(), "no PIPELINING")
        begin = ["MAIL FROM:<%s>" % SENDER, "RCPT TO:<%s>" % READER, "DATA"]
        wire.send(*begin)
        for number in range(3):
            for code in (250, 250, 354):
                wire.expect(code)
            # RFC 2920: the end of the data may be followed by the next commands in one segment.
            wire.send(plain("pipelined %d" % number).encode() + b".\r\n", *(begin if number < 2 else ["QUIT"]))
            wire.expect(250)
        wire.expect(221)
    for message in sandbox.await_subjects(["pipelined %d" % i for i in range(3)]):
        check_plain(message)
    # Whole mails ahead of their replies, as no well-mannered client does; still one item each.
    result = load(relay, "--pipelined-depth", 10, "--connections", 3, "--mails", 300, "--size", "2K")
    check(result["accepted"] == 300, result)
    messages = sandbox.await_messages(303)
    check(len({m["Request"]["Subject"] for m in messages}) == 303 == len(messages), len(messages))


run([swaks, msmtp, curl, python_smtplib, perl_net_smtp, postfix_relayhost, many_mails_one_connection,
     pipelined], "clients")
