"""The words in which a mail and what must become of it are written down.

A module of this folder adds its mails with add().  What is expected is said by hand, from what
went into the mail and from the rules of doc/mapping.md: no parser has a say in it, least of all
the relay's own.
"""
import hashlib
import random
import re

MAIL_ID = "01J8ZZZZZZZZZZZZZZZZZZZZZZ"
DATE = "Mon, 23 Nov 2026 09:00:00 +0000"
FROM = '"Shop" <shop@shop.example>'
TO = '"Ann" <ann@reader.example>'
ANN = "ann@reader.example"

# As the relay prints them, in this order.
LEDGER = (
    "date", "sender", "authors", "from", "from-name", "shown-recipients", "headers", "x-pm",
    "signed", "encrypted", "calendar", "alternatives", "html-parts", "messages", "tnef", "names",
    "no-body", "from-rewritten", "template", "redirected",
)

# The smallest PNG there is: one red pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082")
GIF = bytes.fromhex("47494638396101000100800000ff0000ffffff21f90400000000002c000000000100010000"
                    "02024401003b")
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def noise(seed, size):
    """Bytes of every value; the same ones each time."""
    return random.Random(seed).randbytes(size)


def crlf(text):
    """A mail written with LF; str is UTF-8."""
    if isinstance(text, str):
        text = text.encode()
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Mail:
    def __init__(self, name, writer, content, record):
        self.name = name
        self.writer = writer
        self.content = content  # bytes, or a function that calls the writer
        self.record = record    # what NAME.json holds


mails = {}


def attachment(name, kind, data, cid=None):
    """data: the original bytes."""
    out = {"Name": name, "ContentType": kind}
    if cid is not None:
        out["ContentID"] = "cid:" + cid
    out["bytes"] = len(data)
    out["sha256"] = hashlib.sha256(data).hexdigest()
    return out


def item(name, number=1, sender=FROM, to=TO, cc=None, bcc=None, reply_to=None, subject=None,
         before=(), headers=(), message_id=None, keep_id=True, text=None, html=None,
         attachments=(), metadata=None, tag=None, track_opens=None, track_links=None,
         stream=None):
    """One Postmark message.  subject None: the name of the mail; "": none."""
    if message_id is None:
        message_id = f"<{name}@corpus.example>"
    fields = [{"Name": n, "Value": v} for n, v in before]
    if message_id and keep_id:
        fields.append({"Name": "Message-ID", "Value": message_id})
    fields += [{"Name": n, "Value": v} for n, v in headers]
    if message_id and keep_id:
        fields.append({"Name": "X-PM-KeepID", "Value": "true"})
    out = {"From": sender, "To": to}
    for key, value in (
            ("Cc", cc), ("Bcc", bcc), ("ReplyTo", reply_to),
            ("Subject", name if subject is None else subject), ("Tag", tag),
            ("TrackOpens", track_opens), ("TrackLinks", track_links), ("MessageStream", stream),
            ("Headers", fields), ("TextBody", text), ("HtmlBody", html),
            ("Attachments", list(attachments))):
        if value is not None and value != "" and value != []:
            out[key] = value
    out["Metadata"] = {"relay-id": f"{MAIL_ID}-{number}", **(metadata or {})}
    return out


def verbatim(content, number=1, recipients=(ANN,), without=(), keep_id=True, controls=()):
    """A mail that goes as it is; without: the lines of its header that do not."""
    header, body = content.split(b"\r\n\r\n", 1)
    lines = [line for line in header.decode().split("\r\n") if line not in without]
    return {"smtp-recipients": list(recipients),
            "smtp-header": [f"X-PM-Metadata-relay-id: {MAIL_ID}-{number}", *controls,
                            *(["X-PM-KeepID: true"] if keep_id else []), *lines],
            "smtp-bytes": len(body), "smtp-sha256": hashlib.sha256(body).hexdigest()}


def add(name, writer, content, about, *, recipients=(ANN,), reverse_path="bounce@shop.example",
        items=None, refusal=None, ledger="date", undecodable=0, malformed=None, oracle=None,
        options=None, **expected):
    """
    expected: of the only item, see item(); or items, a list of several; or refusal, the beginning
    of the reply.  malformed: no MIME reader is bound to agree about this mail, and why.  oracle:
    why Python's own reading of a well-formed one is not compared.
    """
    assert name not in mails, name
    words = [word for word in ledger.split(",") if word]
    assert all(word in LEDGER for word in words), ledger
    words.sort(key=LEDGER.index)
    if undecodable:
        words.append(f"undecodable={undecodable}")
    record = {"about": about, "writer": writer}
    if malformed:
        record["malformed"] = malformed
    if oracle:
        record["oracle"] = oracle
    record["envelope"] = {"from": reverse_path, "to": list(recipients)}
    if options:
        record["options"] = options
    if refusal is not None:
        record["expect"] = refusal
    else:
        record["expect"] = items if items is not None else [item(name, **expected)]
        record["ledger"] = ",".join(words)
    mails[name] = Mail(name, writer, content, record)


def fixed_boundaries(content, prefix):
    """For writers that make new ones each time."""
    found = []
    for match in re.finditer(rb'boundary=(?:"([^"\r\n]+)"|([^\s;"]+))', content):
        boundary = match.group(1) or match.group(2)
        if boundary not in found:
            found.append(boundary)
    for number, boundary in enumerate(found):
        content = content.replace(boundary, f"=_{prefix}_{number}_".encode())
    return content
