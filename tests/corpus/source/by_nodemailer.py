"""Mails that nodemailer writes, from what an application hands to it."""
import base64
import functools
import json
import os
import subprocess

from corpus import add as add_mail, attachment, GIF, noise, PDF, PNG

HERE = os.path.dirname(os.path.abspath(__file__))
orders = []


@functools.cache
def written():
    run = subprocess.run(["node", os.path.join(HERE, "nodemailer.js")],
                         input=json.dumps(orders).encode(), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    if b"Cannot find module" in run.stderr:
        raise FileNotFoundError("nodemailer")
    run.check_returncode()
    return {name: base64.b64decode(text) for name, text in json.loads(run.stdout).items()}


def add(name, about, mail, **expected):
    name = "nodemailer-" + name
    orders.append({"name": name, "mail": mail})
    add_mail(name, "nodemailer", lambda: written()[name], about, **expected)


def file(name, data, kind=None, **more):
    out = {"filename": name, "content": base64.b64encode(data).decode(), "encoding": "base64"}
    if kind:
        out["contentType"] = kind
    return {**out, **more}


# A body alone gets a line end when it has none.
TEXT = "Dear Ann,\n\nGr\u00fc\u00dfe \u2013 5 \u20ac.\n"
HTML = "<p>Gr\u00fc\u00dfe <b>5 \u20ac</b></p>"
PICTURE = '<p>\u00fc <img src="cid:logo@shop.example"></p>'

add("text", "A text, quoted-printable.", {"text": TEXT}, text=TEXT)
add("text-ascii", "A text, 7bit.", {"text": "hello\nyou"}, text="hello\nyou\n")
LONG = ("A paragraph of plain text that goes on for longer than a line of mail may be, so that it "
        "has to come out as it went in.\n\n> quoted\n\n From stuffed\nEnd")
add("text-long-lines", "Long lines of ASCII, which quoted-printable cuts softly.", {"text": LONG},
    text=LONG + "\n")
add("text-base64", "A text in base64.", {"text": TEXT, "textEncoding": "base64"}, text=TEXT)
add("html", "HTML alone.", {"html": HTML}, html=HTML + "\n")
add("alternative", "Text and HTML.", {"text": TEXT, "html": HTML}, text=TEXT, html=HTML)
add("watch-html", "Apple Watch's HTML between: the last is the best.",
    {"text": TEXT, "watchHtml": "<b>watch</b>", "html": HTML}, text=TEXT, html=HTML,
    ledger="date,alternatives")
add("amp", "AMP between: of no use to Postmark.",
    {"text": TEXT, "amp": "<!doctype html><html amp4email><body>\u00fc</body></html>",
     "html": HTML}, text=TEXT, html=HTML, ledger="date,alternatives")
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:Gr\u00fc\u00dfe\r\nEND:VCALENDAR\r\n"
add("calendar", "icalEvent: an alternative and a file.",
    {"text": TEXT, "html": HTML, "icalEvent": {"method": "REQUEST", "content": ICS}},
    text=TEXT, html=HTML,
    attachments=[attachment("invite.ics", "text/calendar; charset=utf-8; method=REQUEST",
                            ICS.encode()),
                 attachment("invite.ics", "application/ics", ICS.encode())],
    ledger="date,calendar,names")
add("attachments", "Files.",
    {"text": TEXT, "attachments": [file("a.pdf", PDF), file("b.gif", GIF),
                                   file("noise.dat", noise(3, 999), "application/octet-stream")]},
    text=TEXT,
    attachments=[attachment("a.pdf", "application/pdf", PDF),
                 attachment("b.gif", "image/gif", GIF),
                 attachment("noise.dat", "application/octet-stream", noise(3, 999))])
add("related", "HTML with a picture: related in alternative.",
    {"text": TEXT, "html": PICTURE,
     "attachments": [file("logo.png", PNG, cid="logo@shop.example")]},
    text=TEXT, html=PICTURE,
    attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example")])
add("related-and-files", "All three: mixed, alternative, related.",
    {"text": TEXT, "html": PICTURE,
     "attachments": [file("logo.png", PNG, cid="logo@shop.example"), file("a.pdf", PDF)]},
    text=TEXT, html=PICTURE,
    attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example"),
                 attachment("a.pdf", "application/pdf", PDF)])
add("related-html-only", "Related without a text.",
    {"html": PICTURE, "attachments": [file("logo.png", PNG, cid="logo@shop.example")]},
    html=PICTURE, attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example")])
NAMES = ["Gr\u00fc\u00dfe.pdf", "\u65e5\u672c\u8a9e\u306e\u3068\u3066\u3082\u9577\u3044\u540d"
         "\u524d\u306e\u30d5\u30a1\u30a4\u30eb\u3067\u3059.pdf", "with space.pdf",
         "it's.pdf", "a" * 90 + ".pdf", "\U0001f600.pdf", "semi;colon.pdf"]
add("names", "Names as nodemailer writes them: RFC 2231 and RFC 2047 at once.",
    {"text": TEXT, "attachments": [file(name, PDF) for name in NAMES]}, text=TEXT,
    attachments=[attachment(name, "application/pdf", PDF) for name in NAMES])
add("name-none", "A file without a name gets one from nodemailer.",
    {"text": TEXT, "attachments": [{"content": "abc", "contentType": "text/plain"}]},
    text=TEXT, attachments=[attachment("attachment-1.txt", "text/plain", b"abc")])
add("text-file", "A text file in 7bit.",
    {"text": TEXT, "attachments": [{"filename": "n.txt", "content": "one\r\ntwo",
                                    "contentTransferEncoding": "7bit"}]},
    text=TEXT, attachments=[attachment("n.txt", "text/plain", b"one\r\ntwo")])
add("file-quoted-printable", "A file in quoted-printable.",
    {"text": TEXT, "attachments": [file("n.csv", "\u00fc;\u00e4\r\n".encode() * 30, "text/csv",
                                        contentTransferEncoding="quoted-printable")]},
    text=TEXT, attachments=[attachment("n.csv", "text/csv",
                                       "\u00fc;\u00e4\r\n".encode() * 30)])
INNER = ("From: x@y.example\r\nSubject: inner\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n"
         "--z\r\n\r\nx\r\n--z--\r\n")
add("forwarded", "A message within.",
    {"text": TEXT, "attachments": [{"filename": "old.eml", "contentType": "message/rfc822",
                                    "content": INNER}]},
    text=TEXT, attachments=[attachment("old.eml", "message/rfc822", INNER.encode())],
    ledger="date,messages")
add("attachment-only", "A file and no text.", {"attachments": [file("a.pdf", PDF)]}, text=".",
    attachments=[attachment("a.pdf", "application/pdf", PDF)], ledger="date,no-body")
add("empty", "Nothing in it.", {}, text=".", ledger="date,no-body")
LONG_SUBJECT = "\u00dcber die Sch\u00f6nheit langer Betreffzeilen und ihrer Umbr\u00fcche " * 4
add("subject-long", "A long subject in UTF-8.", {"subject": LONG_SUBJECT, "text": TEXT},
    subject=LONG_SUBJECT.strip(), text=TEXT)
add("subject-base64", "A subject mostly beyond ASCII.",
    {"subject": "\u65e5\u672c\u8a9e\u306e\u4ef6\u540d \U0001f600" * 5, "text": TEXT},
    subject="\u65e5\u672c\u8a9e\u306e\u4ef6\u540d \U0001f600" * 5, text=TEXT)
add("addresses", "Names, groups and IDN.",
    {"from": {"name": "M\u00fcller, J\u00fcrgen", "address": "shop@b\u00fccher.example"},
     "to": '"Ann \\"A\\"" <ann@reader.example>, Team: \u65e5 <bo@reader.example>;',
     "cc": "cy@reader.example", "bcc": "blind@reader.example",
     "replyTo": "Help <help@shop.example>", "text": TEXT},
    recipients=["ann@reader.example", "bo@reader.example", "cy@reader.example",
                "blind@reader.example"],
    sender='"M\u00fcller, J\u00fcrgen" <shop@xn--bcher-kva.example>',
    to='"Ann \\"A\\"" <ann@reader.example>, "\u65e5" <bo@reader.example>',
    cc="cy@reader.example", bcc="blind@reader.example",
    reply_to='"Help" <help@shop.example>', text=TEXT)
add("list-headers", "nodemailer's list option.",
    {"text": TEXT, "list": {"unsubscribe": {"url": "https://shop.example/u", "comment": "Leave"},
                            "id": {"url": "news.shop.example", "comment": "News"}},
     "headers": {"X-Custom": "Gr\u00fc\u00dfe", "List-Unsubscribe-Post":
                 "List-Unsubscribe=One-Click"}},
    before=[("X-Custom", "Gr\u00fc\u00dfe"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")],
    headers=[("List-Unsubscribe", "<https://shop.example/u> (Leave)"),
             ("List-ID", '"News" <news.shop.example>')], text=TEXT)
add("reply", "inReplyTo and references.",
    {"text": TEXT, "inReplyTo": "<1@x.example>", "references": ["<0@x.example>", "<1@x.example>"],
     "priority": "high"},
    before=[("In-Reply-To", "<1@x.example>"), ("References", "<0@x.example> <1@x.example>")],
    headers=[("X-Priority", "1 (Highest)"), ("X-Msmail-Priority", "High"),
             ("Importance", "High")], text=TEXT)
add("postmark-controls", "An application that was written for Postmark's SMTP service; nodemailer "
    "has its own idea of capitals.",
    {"text": TEXT, "headers": {"X-PM-Tag": "invoice", "X-PM-Metadata-order": "1007",
                               "X-PM-TrackOpens": "true", "X-PM-TrackLinks": "HtmlOnly",
                               "X-PM-Message-Stream": "outbound"}},
    tag="invoice", metadata={"Order": "1007"}, track_opens=True, track_links="HtmlOnly",
    stream="outbound", text=TEXT)
add("sender", "A Sender beside the author.", {"text": TEXT, "sender": "desk@shop.example"},
    ledger="date,sender", text=TEXT)
add("encoding-8bit-file", "A binary file nobody may touch, in base64 with CRLF.",
    {"text": TEXT, "attachments": [file("n.dat", b"\r\n\0\r\r\n\n" * 20, "application/x-n")]},
    text=TEXT, attachments=[attachment("n.dat", "application/x-n", b"\r\n\0\r\r\n\n" * 20)])
