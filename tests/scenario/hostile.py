"""Mails and clients that mean harm: each gets a clear reply, nothing gets through that the mail
did not openly say, and the daemon goes on with what it is worth in memory."""

import base64
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import daemons  # noqa: E402
from daemons import Relay, Sandbox, Wire, check, run  # noqa: E402

SENDER, READER = "shop@sender.example", "ann@reader.example"
# What a mail may cost at its worst moment, over all processes.
MOST_RISE_BYTES = 60 * 1000 * 1000


def pair(folder):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port)


def say(wire, content):
    """One transaction; the reply to the end of the data."""
    wire.ask(250, "MAIL FROM:<%s>" % SENDER)
    wire.ask(250, "RCPT TO:<%s>" % READER)
    wire.ask(354, "DATA")
    wire.send(content + b"\r\n.\r\n")
    return wire.reply()


def alive(relay, sandbox, subject="and after that"):
    """Nothing died, and the next mail goes through."""
    check("event=died" not in relay.log(), "a process died:\n" + relay.log()[-2000:])
    with relay.smtp() as s:
        s.sendmail(SENDER, [READER], "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\nHello.\r\n" % (
            SENDER, READER, subject))
    sandbox.await_subjects([subject])


def header_strings(request):
    """All of a message that ends up in a header line at Postmark's."""
    for key in ("From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "Tag"):
        yield request.get(key, "")
    for header in request.get("Headers", []):
        yield header["Name"]
        yield header["Value"]
    for key, value in request.get("Metadata", {}).items():
        yield key
        yield value
    for attachment in request.get("Attachments", []):
        for key in ("Name", "ContentType", "ContentID"):
            yield attachment.get(key) or ""


def word(text):
    return "=?utf-8?b?%s?=" % base64.b64encode(text.encode()).decode()


INJECTION = "x\r\nBcc: evil@elsewhere.example\r\n\r\nbody"
HIDDEN = {
    "CR LF in a subject, quoted-printable": ["Subject: =?utf-8?q?x=0D=0ABcc:_evil@elsewhere.example?="],
    "CR LF in a subject, base64": ["Subject: " + word(INJECTION)],
    "LF alone": ["Subject: =?utf-8?q?x=0ABcc:_evil@elsewhere.example?="],
    "CR alone": ["Subject: =?utf-8?q?x=0DBcc:_evil@elsewhere.example?="],
    "NUL": ["Subject: =?utf-8?q?x=00y?="],
    "CR LF split over two words": ["Subject: =?utf-8?q?x=0D?= =?utf-8?q?=0ABcc:_evil@elsewhere.example?="],
    "CR LF as UTF-16": ["Subject: =?utf-16be?b?AHgADQAKAEIAYwBj?="],
    "display name of From": ["From: %s <%s>" % (word(INJECTION), SENDER)],
    "display name of To": ["To: %s <%s>" % (word('a" <evil@elsewhere.example>,\r\n'), READER)],
    "second recipient in a display name": ["To: %s <%s>" % (word("evil@elsewhere.example, b"), READER)],
    "Reply-To": ["Reply-To: %s <%s>" % (word(INJECTION), SENDER)],
    "header of one's own": ["X-Order: " + word(INJECTION)],
    "References": ["References: <a@b> =?utf-8?q?=0D=0ABcc:_evil@elsewhere.example?="],
    "tag": ["X-PM-Tag: " + word(INJECTION)],
    "metadata": ["X-PM-Metadata-a: " + word(INJECTION)],
    "file name, RFC 2231": ["MIME-Version: 1.0", "Content-Type: text/csv; name*=utf-8''x%0D%0ABcc:%20evil.csv",
                            "Content-Disposition: attachment; filename*=utf-8''x%0D%0A%00y.csv"],
    "file name, RFC 2047": ["MIME-Version: 1.0", "Content-Type: text/csv",
                            'Content-Disposition: attachment; filename="%s"' % word("x\r\n\0y.csv")],
    "file name that is a path": ["MIME-Version: 1.0", "Content-Type: text/csv",
                                 'Content-Disposition: attachment; filename="../../etc/passwd.csv"'],
    "content id": ["MIME-Version: 1.0", "Content-Type: image/png", "Content-ID: <x%0D%0A\"> y>",
                   "Content-Disposition: inline"],
    "raw NUL": ["X-Raw: a\0b"],
    "raw control characters": ["X-Raw: a\x01\x08\x1b[31mb"],
    "bytes that are no UTF-8": ["X-Raw: a\udcff\udcfeb", "Subject: \udce4\udcf6"],
}


def hidden_line_ends(folder):
    sandbox, relay = pair(folder)
    usual = {"From": "From: <%s>" % SENDER, "To": "To: <%s>" % READER, "Subject": "Subject: usual"}
    taken = refused = 0
    for number, (reason, headers) in enumerate(HIDDEN.items()):
        names = {h.split(":")[0] for h in headers}
        lines = [l for name, l in usual.items() if name not in names] + headers
        lines.append("Message-ID: <hidden.%d@sender.example>" % number)
        content = ("\r\n".join(lines) + "\r\n\r\nHello.").encode("utf-8", "surrogateescape")
        before = sandbox.counts()["accepted"]
        with Wire(relay.port) as wire:
            wire.hello()
            code, text = say(wire, content)
        check(code == 250 or 500 <= code < 600, "%s: %d %s" % (reason, code, text))
        if code != 250:
            check(len(text) > 15, "%s: no clear reply: %s" % (reason, text))
            refused += 1
            continue
        taken += 1
        request = sandbox.await_messages(before + 1)[-1]
        check(request["Recipients"] == [READER], "%s: reaches %s" % (reason, request["Recipients"]))
        request = request["Request"]
        for string in header_strings(request):
            check(not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", string), "%s: %r" % (reason, string))
            check("/" not in string or not string.endswith("passwd.csv"), "%s: %r" % (reason, string))
        names = [h["Name"].lower() for h in request.get("Headers", [])]
        check("bcc" not in names and "Bcc" not in request, "%s: a Bcc out of nothing" % reason)
        # A path that tells that the file name is all there is.
        alive_count = sandbox.counts()["refused"]
        check(not alive_count, "%s: Postmark would refuse it: %s" % (reason, alive_count))
    print("      %d taken, %d refused" % (taken, refused))
    alive(relay, sandbox)


def large(folder, contents):
    """Sends each content, made by a function; judges replies, survival and memory."""
    sandbox, relay = pair(folder)
    alive(relay, sandbox, "before")
    before = sum(daemons_high_water(relay).values())
    for reason, make, wanted in contents:
        with Wire(relay.port, 300) as wire:
            wire.hello()
            code, text = say(wire, make())
            check(code in wanted, "%s: %d %s" % (reason, code, text))
            check(code == 250 or len(text) > 15, "%s: no clear reply: %s" % (reason, text))
            print("      %s: %d %s" % (reason, code, text))
        alive(relay, sandbox, "after " + reason)
    check_memory(relay, before)


def daemons_high_water(relay):
    found = {}
    for pid in daemons.tree(relay.pid):
        with open("/proc/%d/status" % pid) as f:
            found[pid] = int(re.search(r"^VmHWM:\s*(\d+)", f.read(), re.M).group(1)) * 1024
    return found


def check_memory(relay, before):
    rise = sum(daemons_high_water(relay).values()) - before
    print("      the high water of all processes rose by %.1f MB" % (rise / 1e6))
    check(daemons.sanitized() or rise < MOST_RISE_BYTES, "memory rose by %d" % rise)


def head(subject, *lines):
    return "\r\n".join(["From: <%s>" % SENDER, "To: <%s>" % READER, "Subject: " + subject, *lines, ""])


def nested(depth):
    text = head("nested", "MIME-Version: 1.0")
    for i in range(depth):
        text += "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
    return (text + "\r\nHello.\r\n").encode()


def nested_messages(depth):
    text = head("nested messages", "MIME-Version: 1.0")
    for i in range(depth):
        text += "Content-Type: message/rfc822\r\n\r\nSubject: %d\r\nMIME-Version: 1.0\r\n" % i
    return (text + "\r\nHello.\r\n").encode()


def many_parts(count):
    text = head("parts", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b") + "\r\n"
    return (text + "--b\r\nContent-Type: text/csv; name=a.csv\r\n\r\n1;2\r\n" * count + "--b--\r\n").encode()


def too_much_structure(folder):
    REFUSED = (550, 552, 554)
    large(folder, [
        ("10,000 headers", lambda: (head("headers", *("X-H-%d: %d" % (i, i) for i in range(10000)))
                                    + "\r\nHello.").encode(), REFUSED),
        ("the same header 10,000 times", lambda: (head("headers", *["X-H: x"] * 10000)
                                                  + "\r\nHello.").encode(), REFUSED),
        ("1,000-deep MIME", lambda: nested(1000), REFUSED),
        ("20,000-deep MIME", lambda: nested(20000), REFUSED),
        ("1,000 messages in messages", lambda: nested_messages(1000), (250,) + REFUSED),
        ("100,000 parts", lambda: many_parts(100000), REFUSED),
        ("30,000 addresses", lambda: (head("addresses", "Cc: " + ",\r\n ".join(
            "c%d@reader.example" % i for i in range(30000))) + "\r\nHello.").encode(), (250,) + REFUSED),
        ("a header folded 100,000 times", lambda: (head("folded", "X-F: a" + "\r\n b" * 100000)
                                                   + "\r\nHello.").encode(), (250,) + REFUSED),
        ("comments in comments", lambda: (head("comments", "Reply-To: " + "(" * 50000 + ")" * 50000)
                                          + "\r\nHello.").encode(), (250,) + REFUSED),
        ("a boundary of 100 KB", lambda: (head("boundary", "MIME-Version: 1.0",
                                               "Content-Type: multipart/mixed; boundary=" + "b" * 100000)
                                          + "\r\nHello.").encode(), (250,) + REFUSED),
    ])


def endless(wire, first, megabytes):
    """Bytes without a line end; false when the other side hung up on the way."""
    wire.send(first)
    block = b"x" * (1 << 20)
    try:
        for _ in range(megabytes):
            wire.socket.sendall(block)
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        return False
    return True


def endless_lines(folder):
    sandbox, relay = pair(folder)
    alive(relay, sandbox, "before")
    before = sum(daemons_high_water(relay).values())
    for reason, first in (("body", head("long line").encode() + b"\r\n"), ("header", b"X-Long: ")):
        with Wire(relay.port, 300) as wire:
            wire.hello()
            wire.ask(250, "MAIL FROM:<%s>" % SENDER)
            wire.ask(250, "RCPT TO:<%s>" % READER)
            wire.ask(354, "DATA")
            whole = endless(wire, first, 100)
            code, text = (0, "")
            if whole:
                wire.send(b"\r\n.\r\n")
            try:
                code, text = wire.reply()
            except ConnectionResetError:
                pass
            check(code in (552, 554, 500, 550, 421), "100 MB in one line of the %s: %d %s" % (reason, code, text))
            print("      100 MB in one line of the %s: %d %s" % (reason, code, text))
        alive(relay, sandbox, "after a long line in the " + reason)
    with Wire(relay.port, 300) as wire:
        wire.hello()
        endless(wire, b"NOOP ", 100)
        try:
            wire.send(b"\r\n")
            code, text = wire.reply()
        except (BrokenPipeError, ConnectionResetError):
            code, text = 0, "hung up"
        check(code in (0, 500, 421), "100 MB in one command: %d %s" % (code, text))
        print("      100 MB in one command: %d %s" % (code, text))
    alive(relay, sandbox, "after a long command")
    check_memory(relay, before)


def size_limits(folder):
    sandbox, relay = pair(folder)
    with Wire(relay.port, 300) as wire:
        size = int(re.search(r"SIZE (\d+)", wire.hello()).group(1))
        wire.send("MAIL FROM:<%s> SIZE=%d" % (SENDER, size + 1))
        code, text = wire.reply()
        check(code == 552, "declared too large: %d %s" % (code, text))
        # Said small, sent large; and as large as Postmark never takes it.
        line = b"x" * 76 + b"\r\n"
        code, text = say(wire, head("large").encode() + b"\r\n" + line * (size // len(line) + 100))
        check(code == 552, "too large: %d %s" % (code, text))
        code, text = say(wire, head("large body").encode() + b"\r\n" + line * (6 * 1024 * 1024 // len(line)))
        check(code == 552 or code == 554, "a body over 5 MB: %d %s" % (code, text))
        check(re.search(r"\d{6,}|MB", text), "the limit is not told: %s" % text)
        code, text = say(wire, head("program", "MIME-Version: 1.0", "Content-Type: application/octet-stream",
                                    'Content-Disposition: attachment; filename="a.exe"').encode() + b"\r\nMZ")
        check(500 <= code < 600 and "exe" in text, "a.exe: %d %s" % (code, text))
    alive(relay, sandbox)
    check(len(sandbox.messages()) == 1, "something refused reached Postmark")


def smuggling(folder):
    """Line ends that one program reads as the end of the data and another does not."""
    sandbox, relay = pair(folder)
    for end in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n"):
        with Wire(relay.port, 20) as wire:
            wire.hello()
            wire.ask(250, "MAIL FROM:<%s>" % SENDER)
            wire.ask(250, "RCPT TO:<%s>" % READER)
            wire.ask(354, "DATA")
            wire.send(head("outer").encode() + b"\r\nHello." + end +
                      b"MAIL FROM:<evil@elsewhere.example>\r\nRCPT TO:<victim@elsewhere.example>\r\nDATA\r\n"
                      + head("smuggled").encode() + b"\r\nEvil.\r\n.\r\n", "QUIT")
            codes = []
            while not codes or codes[-1] not in (0, 221):
                codes.append(wire.reply()[0])
            check(354 not in codes, "%r ended the data: %s" % (end, codes))
    alive(relay, sandbox)
    for message in sandbox.messages():
        check(message["Recipients"] == [READER], "reached %s" % message["Recipients"])
        check(message["Request"]["Subject"] != "smuggled", "a smuggled mail")


def rude_clients(folder):
    sandbox = Sandbox(folder)
    relay = Relay(folder, sandbox.port, {"smtp": {"command-timeout": "1s", "data-timeout": "1s", "errors": 5,
                                                  "connections-per-client": 30}})
    # Noise instead of SMTP, and what is not for us.
    for noise in (os.urandom(65536), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10, b"\x16\x03\x01\x02\0" * 100,
                  b"\r\n" * 10000, b"\0" * 10000, b"EHLO " + b"a" * 300 + b"\r\n", b"RCPT TO:<" * 1000):
        with Wire(relay.port, 20) as wire:
            try:
                wire.send(noise)
                wire.socket.shutdown(socket.SHUT_WR)
                while wire.reply()[0] != 0:
                    pass
            except (BrokenPipeError, ConnectionResetError, ValueError):
                pass
    # Silence at each stage ends with a word and a closed connection.
    for begin in ([], ["EHLO x"], ["EHLO x", "MAIL FROM:<%s>" % SENDER, "RCPT TO:<%s>" % READER, "DATA"]):
        with Wire(relay.port, 20) as wire:
            wire.expect(220)
            for line in begin:
                wire.send(line)
                wire.reply()
            start = time.monotonic()
            code, text = wire.reply()
            check(code in (0, 421) and time.monotonic() - start < 15, "silence: %d %s" % (code, text))
    # Gone in the middle of the data: no mail.
    with Wire(relay.port, 20) as wire:
        wire.hello()
        wire.ask(250, "MAIL FROM:<%s>" % SENDER)
        wire.ask(250, "RCPT TO:<%s>" % READER)
        wire.ask(354, "DATA")
        wire.send(head("half").encode() + b"\r\nHel")
    # More connections than one client may have.
    wires = [Wire(relay.port, 20) for _ in range(100)]
    codes = [wire.reply()[0] for wire in wires]
    check(421 in codes and 220 in codes, "100 connections: %s" % set(codes))
    for wire in wires:
        wire.close()
    time.sleep(0.3)
    alive(relay, sandbox)
    check(len(sandbox.messages()) == 1, "half a mail reached Postmark")


run([hidden_line_ends, too_much_structure, endless_lines, size_limits, smuggling, rude_clients], "hostile")
