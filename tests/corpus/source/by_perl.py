"""Mails that Perl writes: MIME::Lite, in so many old scripts, and MIME::Entity of MIME::Tools."""
import base64
import functools
import json
import os
import subprocess

from corpus import (add as add_mail, attachment, crlf, fixed_boundaries, GIF, noise, PDF, PNG)

HERE = os.path.dirname(os.path.abspath(__file__))
orders = {"mime-lite": [], "mime-tools": []}


@functools.cache
def written(writer):
    run = subprocess.run(["perl", os.path.join(HERE, writer.replace("-", "_") + ".pl")],
                         input=json.dumps(orders[writer]).encode(), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    if b"Can't locate" in run.stderr:
        raise FileNotFoundError(writer)
    run.check_returncode()
    return {name: fixed_boundaries(crlf(base64.b64decode(text)), writer)
            for name, text in json.loads(run.stdout).items()}


def add(writer, name, about, top, *parts, **expected):
    name = f"{writer}-{name}"
    orders[writer].append({"name": name, **top, "parts": parts})
    if writer == "mime-lite":
        expected["headers"] = [("X-Mailer", "MIME::Lite")]
    add_mail(name, writer, lambda: written(writer)[name], about, **expected)


def part(*parts, data=None, **arguments):
    """MIME::Lite and MIME::Entity share the names of their arguments, but for two."""
    if data is not None:
        data = data.encode() if isinstance(data, str) else data
        arguments["Data"] = base64.b64encode(data).decode()
    return {"arguments": arguments, "parts": parts}


TEXT = "Dear Ann,\n\nGr\u00fc\u00dfe \u2013 5 \u20ac.\n"
HTML = "<p>Gr\u00fc\u00dfe</p>\n"
PICTURE = '<img src="cid:logo@shop.example">\n'
PLAIN = {"Type": "text/plain; charset=UTF-8"}
RICH = {"Type": "text/html; charset=UTF-8"}

for writer in orders:
    for encoding in ("8bit", "quoted-printable", "base64"):
        add(writer, f"text-{encoding}", f"A text in {encoding}.",
            part(data=TEXT, Encoding=encoding, **PLAIN), text=TEXT)
    add(writer, "html", "HTML alone.", part(data=HTML, Encoding="quoted-printable", **RICH),
        html=HTML)
    add(writer, "alternative", "Text and HTML.", part(Type="multipart/alternative"),
        part(data=TEXT, Encoding="quoted-printable", **PLAIN),
        part(data=HTML, Encoding="base64", **RICH), text=TEXT, html=HTML)
    add(writer, "mixed", "A text and files.", part(Type="multipart/mixed"),
        part(data=TEXT, Encoding="quoted-printable", **PLAIN),
        part(data=PDF, Type="application/pdf", Encoding="base64", Filename="a.pdf",
             Disposition="attachment"),
        part(data=noise(5, 777), Type="application/x-noise", Encoding="base64",
             Filename="noise.dat", Disposition="attachment"),
        text=TEXT,
        attachments=[attachment("a.pdf", "application/pdf", PDF),
                     attachment("noise.dat", "application/x-noise", noise(5, 777))])
    add(writer, "related", "HTML and its picture.", part(Type="multipart/related"),
        part(data=PICTURE, Encoding="quoted-printable", **RICH),
        part(data=PNG, Type="image/png", Encoding="base64", Id="<logo@shop.example>",
             Filename="logo.png", Disposition="inline"),
        html=PICTURE,
        attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example")])
    add(writer, "nested", "mixed, alternative, related.", part(Type="multipart/mixed"),
        part(part(data=TEXT, Encoding="8bit", **PLAIN),
             part(part(data=PICTURE, Encoding="8bit", **RICH),
                  part(data=GIF, Type="image/gif", Encoding="base64", Id="<logo@shop.example>",
                       Filename="l.gif", Disposition="inline"),
                  Type="multipart/related"),
             Type="multipart/alternative"),
        part(data=PDF, Type="application/pdf", Encoding="base64", Filename="a.pdf",
             Disposition="attachment"),
        text=TEXT, html=PICTURE,
        attachments=[attachment("l.gif", "image/gif", GIF, "logo@shop.example"),
                     attachment("a.pdf", "application/pdf", PDF)])
    add(writer, "quoted-printable-file", "A file in quoted-printable.",
        part(Type="multipart/mixed"),
        part(data="see\n", Type="text/plain", Encoding="7bit"),
        part(data="a;b\n\u00fc;1\n", Type="text/csv", Encoding="quoted-printable",
             Filename="n.csv", Disposition="attachment"),
        text="see\n",
        attachments=[attachment("n.csv", "text/csv", crlf("a;b\n\u00fc;1\n"))])
    add(writer, "file-only", "A file and nothing else.",
        part(data=PDF, Type="application/pdf", Encoding="base64", Filename="a.pdf",
             Disposition="attachment"), text=".",
        attachments=[attachment("a.pdf", "application/pdf", PDF)], ledger="date,no-body")
    add(writer, "name-utf8", "A name with raw UTF-8, as scripts write it.",
        part(Type="multipart/mixed"),
        part(data="see\n", Type="text/plain", Encoding="7bit"),
        part(data=PDF, Type="application/pdf", Encoding="base64", Filename="Gr\u00fcn.pdf",
             Disposition="attachment"),
        text="see\n", attachments=[attachment("Gr\u00fcn.pdf", "application/pdf", PDF)])

add("mime-lite", "subject-raw", "MIME::Lite encodes no subject: UTF-8 as it is.",
    part(data=TEXT, Encoding="8bit", Subject="Gr\u00fc\u00dfe", **PLAIN),
    subject="Gr\u00fc\u00dfe", text=TEXT)
add("mime-lite", "binary-text", "Encoding binary: the lines are not touched.",
    part(data="x" * 1200 + "\n", Encoding="binary", **PLAIN), text="x" * 1200 + "\n")
add("mime-tools", "digest", "A digest of MIME::Entity's.", part(Type="multipart/digest"),
    part(data="Subject: one\n\n1\n", Type="message/rfc822", Encoding="7bit"),
    part(data="Subject: two\n\n2\n", Type="message/rfc822", Encoding="7bit"),
    text=".",
    attachments=[attachment("message.eml", "message/rfc822", b"Subject: one\r\n\r\n1\r\n"),
                 attachment("message.eml", "message/rfc822", b"Subject: two\r\n\r\n2\r\n")],
    ledger="date,messages,no-body")
