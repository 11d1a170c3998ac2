"""Mails written byte by byte: what no library writes, or not that way."""
import base64

from corpus import (add as add_mail, attachment, crlf, DATE, GIF, PDF, PNG)


def head(name, subject=None, extra=""):
    return (f'From: "Shop" <shop@shop.example>\nTo: Ann <ann@reader.example>\n'
            f"Subject: {name if subject is None else subject}\nDate: {DATE}\n"
            f"Message-ID: <{name}@corpus.example>\nMIME-Version: 1.0\n{extra}")


def add(name, about, rest, *, subject_raw=None, extra="", **expected):
    """rest: what follows the usual fields, with further fields first; str or bytes, LF."""
    if isinstance(rest, str):
        rest = rest.encode()
    if isinstance(extra, str):
        extra = extra.encode()
    top = head(name, None if isinstance(subject_raw, bytes) else subject_raw)
    top = top.encode()
    if isinstance(subject_raw, bytes):
        top = top.replace(f"Subject: {name}\n".encode(), b"Subject: " + subject_raw + b"\n")
    add_mail(name, "hand", crlf(top + extra + rest), about, **expected)


def whole(name, about, content, **expected):
    add_mail(name, "hand", crlf(content), about, **expected)


def b64(data, width=76):
    text = base64.b64encode(data).decode()
    return "\n".join(text[i:i + width] for i in range(0, len(text), width))


# --- the shape of the tree ---------------------------------------------------

add("text-only", "The plainest mail of all.",
    "Content-Type: text/plain; charset=us-ascii\n\nHello Ann,\n\nline 3.\n",
    text="Hello Ann,\n\nline 3.\n")

add("no-content-type", "RFC 2045 5.2: no Content-Type is text/plain in US-ASCII.",
    "\nplain\n", text="plain\n")

add("type-text", "Content-Type: text, as before MIME was finished: RFC 2045 5.2, text/plain.",
    "Content-Type: text\n\nold\n", text="old\n", malformed="no subtype")

add("type-garbage", "A type that cannot be read, of all there is: RFC 2045 5.2, text/plain.",
    "Content-Type: ;;=\n\nold\n", text="old\n", malformed="no type")

add("html-only", "One part of HTML and nothing else.",
    "Content-Type: text/html; charset=utf-8\n\n<p>Gr\u00fc\u00dfe</p>\n",
    html="<p>Gr\u00fc\u00dfe</p>\n")

add("empty-body", "A header and an empty line: Postmark wants a body.",
    "Content-Type: text/plain\n\n", text=".", ledger="date,no-body")

add("header-only", "The content ends with the header.", "X-Last: 1\n",
    headers=[("X-Last", "1")], text=".", ledger="date,no-body")

add("blank-body", "White space alone is no body that Postmark is known to take.",
    "\n \n\t\n\n", text=".", ledger="date,no-body")

add("attachment-only", "A file without any text beside it.",
    "Content-Type: application/pdf; name=invoice.pdf\nContent-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment; filename=invoice.pdf\n\n" + b64(PDF) + "\n",
    text=".", attachments=[attachment("invoice.pdf", "application/pdf", PDF)],
    ledger="date,no-body")

add("alternative", "Text and HTML of the same.",
    """Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=utf-8

plain
--a
Content-Type: text/html; charset=utf-8

<b>rich</b>
--a--
""", text="plain", html="<b>rich</b>")

add("alternative-reversed", "HTML before text: each kind still has its one best part.",
    """Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/html; charset=utf-8

<b>rich</b>
--a
Content-Type: text/plain; charset=utf-8

plain
--a--
""", text="plain", html="<b>rich</b>")

add("alternative-two-html", "RFC 2046 5.1.4: of the same kind the last is the best.",
    """Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain

plain
--a
Content-Type: text/html

<p>simple</p>
--a
Content-Type: text/html

<p>best</p>
--a--
""", text="plain", html="<p>best</p>")

add("mixed-alternative-related",
    "The usual nesting: mixed holds an alternative and a file, the alternative a related with "
    "the HTML and its picture.",
    f"""Content-Type: multipart/mixed; boundary="m"

This is a message in MIME format.
--m
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe, soft=
 break
--a
Content-Type: multipart/related; boundary="r"; type="text/html"

--r
Content-Type: text/html; charset=utf-8

<img src="cid:logo@shop.example">
--r
Content-Type: image/png; name="logo.png"
Content-ID: <logo@shop.example>
Content-Disposition: inline; filename="logo.png"
Content-Transfer-Encoding: base64

{b64(PNG)}
--r--
--a--
--m
Content-Type: application/pdf
Content-Disposition: attachment; filename="invoice.pdf"
Content-Transfer-Encoding: base64

{b64(PDF)}
--m--
epilogue, which nobody sees
""", text="Gr\u00fc\u00dfe, soft break", html='<img src="cid:logo@shop.example">',
    attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example"),
                 attachment("invoice.pdf", "application/pdf", PDF)])

add("related-alternative-mixed",
    "The other way round: related holds an alternative, whose HTML stands in a mixed with a "
    "file.",
    f"""Content-Type: multipart/related; boundary="r"

--r
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain

plain
--a
Content-Type: multipart/mixed; boundary="m"

--m
Content-Type: text/html

<img src="cid:logo@shop.example">
--m
Content-Type: application/pdf
Content-Disposition: attachment; filename="invoice.pdf"
Content-Transfer-Encoding: base64

{b64(PDF)}
--m--
--a--
--r
Content-Type: image/png; name="logo.png"
Content-ID: <logo@shop.example>
Content-Transfer-Encoding: base64

{b64(PNG)}
--r--
""", text="plain", html='<img src="cid:logo@shop.example">',
    attachments=[attachment("invoice.pdf", "application/pdf", PDF),
                 attachment("logo.png", "image/png", PNG, "logo@shop.example")])

add("alternative-in-related-in-mixed", "As Apple's and many web applications' libraries nest.",
    f"""Content-Type: multipart/mixed; boundary="m"

--m
Content-Type: multipart/related; boundary="r"

--r
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain

plain
--a
Content-Type: text/html

<img src="cid:1"><img src='cid:2'>
--a--

--r
Content-Type: image/png
Content-ID: <1>
Content-Disposition: inline; filename=1.png
Content-Transfer-Encoding: base64

{b64(PNG)}
--r
Content-Type: image/gif; name=2.gif
Content-ID: <2>
Content-Transfer-Encoding: base64

{b64(GIF)}
--r--

--m
Content-Type: text/csv; name=list.csv; charset=utf-8
Content-Disposition: attachment; filename=list.csv
Content-Transfer-Encoding: base64

{b64(b"a;b" + bytes([10]) + b"1;2")}
--m--
""", text="plain", html="<img src=\"cid:1\"><img src='cid:2'>",
    attachments=[attachment("1.png", "image/png", PNG, "1"),
                 attachment("2.gif", "image/gif", GIF, "2"),
                 attachment("list.csv", "text/csv; charset=utf-8", b"a;b\n1;2")])

add("related-start", "RFC 2387 3.2: start names the root, which need not come first.",
    f"""Content-Type: multipart/related; boundary="r"; start="<root@x.example>"; type="text/html"

--r
Content-Type: image/png; name="logo.png"
Content-ID: <logo@x.example>
Content-Transfer-Encoding: base64

{b64(PNG)}
--r
Content-Type: text/html
Content-ID: <root@x.example>

<img src="cid:logo@x.example">
--r--
""", html='<img src="cid:logo@x.example">',
    attachments=[attachment("logo.png", "image/png", PNG, "logo@x.example")])

add("several-texts", "Two inline texts of a mixed are both read.",
    """Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/plain

first
--m
Content-Type: text/plain

second
--m--
""", text="first\nsecond")

FOOTER = '<div style="white-space: pre-wrap">{}</div>\n'

add("footer-after-alternative",
    "What a mailing list adds joins both bodies, in HTML escaped and before the end of it.",
    """Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain

plain
--a
Content-Type: text/html

<html><body><p>rich</p></body></html>
--a--

--m
Content-Type: text/plain

___
List <list@x.example> & more
--m--
""", text="plain\n___\nList <list@x.example> & more",
    html="<html><body><p>rich</p>" +
    FOOTER.format("___\nList &lt;list@x.example&gt; &amp; more") + "</body></html>")

add("footer-after-html", "Under HTML alone the footer is no text body of its own.",
    """Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/html

<p>rich</p>
--m
Content-Type: text/plain

footer
--m--
""", html="<p>rich</p>" + FOOTER.format("footer"))

add("several-html", "Two HTML parts with a picture between, as Apple Mail writes them.",
    f"""Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/html

<p>one</p>
--m
Content-Type: image/png; name=p.png
Content-Disposition: inline; filename=p.png
Content-Transfer-Encoding: base64

{b64(PNG)}
--m
Content-Type: text/html

<p>two</p>
--m--
""", html="<p>one</p><p>two</p>", attachments=[attachment("p.png", "image/png", PNG)],
    ledger="date,html-parts")

add("text-between-files", "Text, file, text: both texts are read, the file stays a file.",
    f"""Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/plain

before
--m
Content-Type: image/png; name=p.png
Content-Transfer-Encoding: base64

{b64(PNG)}
--m
Content-Type: text/plain

after
--m--
""", text="before\nafter", attachments=[attachment("p.png", "image/png", PNG)])

add("named-text-is-a-file", "A text with a name in a mixed is a file, also without a disposition.",
    """Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/plain

see log
--m
Content-Type: text/plain; name="log.txt"

a log
--m--
""", text="see log", attachments=[attachment("log.txt", "text/plain", b"a log")])

add("text-attachment-without-name", "attachment makes a file of a text, and the name is made up.",
    """Content-Type: multipart/mixed; boundary=m

--m
Content-Type: text/plain

see
--m
Content-Type: text/plain
Content-Disposition: attachment

a log
--m--
""", text="see", attachments=[attachment("attachment-1.txt", "text/plain", b"a log")],
    ledger="date,names")

add("single-part-mixed", "A mixed of one part is that part.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nonly\n--m--\n", text="only")

add("empty-part", "A part without header and body between others.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\none\n--m\n\n--m\n\ntwo\n--m--\n",
    text="one\ntwo")

add("unknown-multipart", "RFC 2046 5.1.7: a subtype nobody knows is a mixed.",
    "Content-Type: multipart/x-fancy; boundary=m\n\n--m\n\none\n--m\n\ntwo\n--m--\n",
    text="one\ntwo")

add("parallel", "RFC 2046 5.1.6: parallel is a mixed here.",
    f"Content-Type: multipart/parallel; boundary=m\n\n--m\n\none\n--m\nContent-Type: image/gif; "
    f"name=g.gif\nContent-Transfer-Encoding: base64\n\n{b64(GIF)}\n--m--\n",
    text="one", attachments=[attachment("g.gif", "image/gif", GIF)])

add("boundary-like-outer", "An inner boundary that begins with the outer one.",
    """Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=bb

--bb
Content-Type: text/plain

plain
--bb
Content-Type: text/html

<p>rich</p>
--bb--
--b
Content-Type: text/plain; name=n.txt

file
--b--
""", text="plain", html="<p>rich</p>", attachments=[attachment("n.txt", "text/plain", b"file")])

add("boundary-of-signs", "A boundary of all the characters that RFC 2046 5.1.1 allows.",
    "Content-Type: multipart/mixed; boundary=\"'()+_,-./:=? x\"\n\n--'()+_,-./:=? x\n\none\n"
    "--'()+_,-./:=? x  \n\ntwo\n--'()+_,-./:=? x--\n", text="one\ntwo")

add("boundary-look-alikes", "Lines that look like the delimiter and are none.",
    "Content-Type: multipart/mixed; boundary=bound\n\n--bound\n\n--boun\n-- bound\n --bound\n"
    "--boundless\n--bound--\n",
    text="--boun\n-- bound\n --bound\n--boundless")

# --- messages within, reports, signatures ------------------------------------

INNER = crlf("From: x@y.example\nSubject: =?utf-8?Q?=C3=BC?=\nContent-Type: text/plain\n\n"
             "inner text\n")

add("forwarded-message", "message/rfc822 is a file, byte for byte.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee below\n--m\n"
    "Content-Type: message/rfc822\n\n" + INNER.decode() + "\n--m--\n",
    text="see below", attachments=[attachment("message.eml", "message/rfc822", INNER)],
    ledger="date,messages")

add("forwarded-message-named", "The name of a message keeps to .eml.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee below\n--m\n"
    "Content-Type: message/rfc822; name=\"Old offer\"\nContent-Disposition: attachment; "
    "filename=\"Old offer\"\n\n" + INNER.decode() + "\n--m--\n",
    text="see below", attachments=[attachment("Old offer.eml", "message/rfc822", INNER)],
    ledger="date,messages")

add("digest", "RFC 2046 5.1.5: the parts of a digest are messages unless they say otherwise.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nThree topics\n--m\n"
    "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\n1\n--d\n\n"
    "Subject: two\n\n2\n--d--\n--m--\n",
    text="Three topics",
    attachments=[attachment("message.eml", "message/rfc822", b"Subject: one\r\n\r\n1"),
                 attachment("message.eml", "message/rfc822", b"Subject: two\r\n\r\n2")],
    ledger="date,messages")

STATUS = crlf("Reporting-MTA: dns; mx.x.example\n\nFinal-Recipient: rfc822; bo@x.example\n"
              "Action: failed\nStatus: 5.1.1\n")

add("report-delivery-status", "RFC 6522 and 3464: a bounce with the message that it is about.",
    "Auto-Submitted: auto-replied\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=m\n\n--m\n\n"
    "It could not be delivered.\n--m\nContent-Type: message/delivery-status\n\n" +
    STATUS.decode() + "\n--m\nContent-Type: message/rfc822\n\n" + INNER.decode() + "\n--m--\n",
    headers=[("Auto-Submitted", "auto-replied")], text="It could not be delivered.",
    attachments=[attachment("delivery-status.txt", "message/delivery-status", STATUS),
                 attachment("message.eml", "message/rfc822", INNER)],
    ledger="date,messages,names", recipients=["ann@reader.example"], reverse_path="")

add("report-headers-only", "A bounce with the header of the message only.",
    "Content-Type: multipart/report; report-type=delivery-status; boundary=m\n\n--m\n\n"
    "It could not be delivered.\n--m\nContent-Type: message/delivery-status\n\n" +
    STATUS.decode() + "\n--m\nContent-Type: text/rfc822-headers\n\nSubject: s\nTo: bo@x.example\n"
    "\n--m--\n",
    text="It could not be delivered.",
    attachments=[attachment("delivery-status.txt", "message/delivery-status", STATUS),
                 attachment("headers.txt", "text/rfc822-headers",
                            b"Subject: s\r\nTo: bo@x.example\r\n")],
    ledger="date,names", reverse_path="")

PGP = ("-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n")

add("signed-pgp", "RFC 3156: readable content, and the signature beside it.",
    "Content-Type: multipart/signed; micalg=pgp-sha512;\n protocol=\"application/pgp-signature\";"
    " boundary=s\n\n--s\nContent-Type: text/plain; charset=utf-8\n\nsigned \u00fc\n--s\n"
    "Content-Type: application/pgp-signature; name=\"signature.asc\"\n"
    "Content-Description: OpenPGP digital signature\n\n" + PGP + "\n--s--\n",
    text="signed \u00fc",
    attachments=[attachment("signature.asc", "application/pgp-signature", crlf(PGP))],
    ledger="date,signed")

P7S = bytes.fromhex("3082010a06092a864886f70d010702a0") + b"signature" * 9

add("signed-smime", "RFC 8551 3.5.3: an S/MIME signature over an alternative.",
    f"""Content-Type: multipart/signed; protocol="application/pkcs7-signature";
 micalg=sha-256; boundary="s"

This is an S/MIME signed message
--s
Content-Type: multipart/alternative; boundary="a"

--a
Content-Type: text/plain

plain
--a
Content-Type: text/html

<p>rich</p>
--a--
--s
Content-Type: application/pkcs7-signature; name="smime.p7s"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="smime.p7s"

{b64(P7S)}
--s--
""", text="plain", html="<p>rich</p>",
    attachments=[attachment("smime.p7s", "application/pkcs7-signature", P7S)],
    ledger="date,signed")

add("encrypted-pgp", "RFC 3156 4: nothing of it can be read, all of it goes along.",
    "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\n\n"
    "--e\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--e\n"
    "Content-Type: application/octet-stream; name=\"encrypted.asc\"\n\n"
    "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n\n--e--\n",
    text=".",
    attachments=[attachment("version.txt", "application/pgp-encrypted", b"Version: 1\r\n"),
                 attachment("encrypted.asc", "application/octet-stream",
                            crlf("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n"
                                 "-----END PGP MESSAGE-----\n"))],
    ledger="date,encrypted,names,no-body")

add("encrypted-smime", "An S/MIME envelope is one opaque file.",
    "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=\"smime.p7m\"\n"
    "Content-Disposition: attachment; filename=\"smime.p7m\"\n"
    "Content-Transfer-Encoding: base64\n\n" + b64(P7S) + "\n",
    text=".",
    attachments=[attachment("smime.p7m", "application/pkcs7-mime; smime-type=enveloped-data",
                            P7S)],
    ledger="date,encrypted,no-body")

TNEF = bytes.fromhex("789f3e2201000690080004000000000001000100") + b"TNEF" * 20

add("winmail", "Outlook's TNEF goes as it is.",
    "X-MS-Has-Attach: yes\nX-MS-TNEF-Correlator: <c@x.example>\n"
    "Content-Type: multipart/mixed; boundary=\"_000_\"\n\n--_000_\n"
    "Content-Type: text/plain; charset=\"us-ascii\"\nContent-Transfer-Encoding: 7bit\n\n"
    "see attached\n\n--_000_\n"
    "Content-Disposition: attachment; filename=\"winmail.dat\"\n"
    "Content-Type: application/ms-tnef; name=\"winmail.dat\"\n"
    "Content-Transfer-Encoding: base64\n\n" + b64(TNEF) + "\n\n--_000_--\n",
    headers=[("X-MS-Has-Attach", "yes"), ("X-MS-TNEF-Correlator", "<c@x.example>")],
    text="see attached\n",
    attachments=[attachment("winmail.dat", "application/ms-tnef", TNEF)], ledger="date,tnef")

ICS = crlf("BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:Tee\nEND:VEVENT\n"
           "END:VCALENDAR\n")

add("invitation-alternative", "RFC 6047: an invitation as the third alternative.",
    "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nCome to tea\n--a\n"
    "Content-Type: text/html\n\n<p>Come to tea</p>\n--a\n"
    "Content-Type: text/calendar; charset=\"utf-8\"; method=REQUEST\n\n" + ICS.decode() +
    "\n--a--\n", text="Come to tea", html="<p>Come to tea</p>",
    attachments=[attachment("invite.ics", "text/calendar; charset=utf-8; method=REQUEST", ICS)],
    ledger="date,calendar,names")

add("invitation-twice", "As Google sends it: the alternative, and the same again as a file.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n"
    "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nCome to tea\n--a\n"
    "Content-Type: text/html\n\n<p>Come to tea</p>\n--a\n"
    "Content-Type: text/calendar; charset=\"UTF-8\"; method=REQUEST\n"
    "Content-Transfer-Encoding: 7bit\n\n" + ICS.decode() + "\n--a--\n\n--m\n"
    "Content-Type: application/ics; name=\"invite.ics\"\nContent-Disposition: attachment; "
    "filename=\"invite.ics\"\nContent-Transfer-Encoding: base64\n\n" + b64(ICS) + "\n--m--\n",
    text="Come to tea", html="<p>Come to tea</p>",
    attachments=[attachment("invite.ics", "text/calendar; charset=UTF-8; method=REQUEST", ICS),
                 attachment("invite.ics", "application/ics", ICS)],
    ledger="date,calendar,names")

add("amp", "Google's AMP between text and HTML is of no use to Postmark's readers.",
    "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\n"
    "Content-Type: text/x-amp-html; charset=\"UTF-8\"\n\n<!doctype html><html amp4email>"
    "</html>\n--a\nContent-Type: text/html\n\n<p>rich</p>\n--a--\n",
    text="plain", html="<p>rich</p>", ledger="date,alternatives")

add("uuencoded-in-text", "A uuencoded block in a text is text: nobody said that it is a file.",
    "Content-Type: text/plain\n\nHere it is:\n\nbegin 644 cat.txt\n#0V%T\n`\nend\n\nBye\n",
    text="Here it is:\n\nbegin 644 cat.txt\n#0V%T\n`\nend\n\nBye\n")

add("uuencoded-part", "x-uuencode as a transfer encoding, as old gateways use it.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n"
    "Content-Type: application/octet-stream; name=cat.dat\n"
    "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 cat.dat\n#0V%T\n`\nend\n--m--\n",
    text="see", attachments=[attachment("cat.dat", "application/octet-stream", b"Cat")])

# --- what is broken ----------------------------------------------------------

add("no-boundary", "A multipart without a boundary is shown as it came.",
    "Content-Type: multipart/mixed\n\n--x\n\ntext\n--x--\n", text="--x\n\ntext\n--x--\n",
    malformed="RFC 2046 5.1.1: boundary is required")

add("wrong-boundary", "The boundary that is said never comes.",
    "Content-Type: multipart/mixed; boundary=right\n\n--wrong\n\ntext\n--wrong--\n",
    text="--wrong\n\ntext\n--wrong--\n", malformed="the boundary does not occur")

add("never-closed", "The last part has no end: what there is is read.",
    f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n--m\nContent-Type: image/gif; "
    f"name=g.gif\nContent-Transfer-Encoding: base64\n\n{b64(GIF)}\n",
    text="text", attachments=[attachment("g.gif", "image/gif", GIF)],
    malformed="no closing delimiter")

add("inner-never-closed", "The outer delimiter ends an inner multipart, too (RFC 2046 5.1.2).",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; "
    "boundary=a\n\n--a\n\nplain\n--a\nContent-Type: text/html\n\n<p>rich</p>\n--m\n"
    "Content-Type: text/plain; name=n.txt\n\nfile\n--m--\n",
    text="plain", html="<p>rich</p>", attachments=[attachment("n.txt", "text/plain", b"file")],
    malformed="no closing delimiter of the inner multipart")

add("truncated-base64", "Cut off in the middle of a base64 group: whole bytes are kept.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n--m\nContent-Type: image/png; "
    "name=p.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgoAAAANSUhE\nUgAAAA",
    text="text", attachments=[attachment("p.png", "image/png", PNG[:19])],
    malformed="cut off")

add("base64-foreign-characters", "RFC 2045 6.8: what is not of the alphabet is left out.",
    "Content-Type: application/x-thing; name=t.dat\nContent-Transfer-Encoding: base64\n\n"
    "iVBO*Rw0K\n Ggo!AAAAN\n\n", text=".",
    attachments=[attachment("t.dat", "application/x-thing", PNG[:12])],
    malformed="base64 with foreign characters", ledger="date,no-body")

add("unknown-encoding", "RFC 2045 6.4: an encoding nobody knows; the bytes stay as they are.",
    "Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n--m\nContent-Type: image/x-y; "
    "name=y.dat\nContent-Transfer-Encoding: x-secret\n\nabc=3D\n--m--\n",
    text="text", attachments=[attachment("y.dat", "image/x-y", b"abc=3D")],
    malformed="unknown transfer encoding")

whole("no-empty-line", "The empty line before the body is missing.",
      "From: \"Shop\" <shop@shop.example>\nTo: Ann <ann@reader.example>\nSubject: s\n"
      "Hello there\nand you\n", text="Hello there\nand you\n", subject="s", message_id="",
      ledger="", malformed="no empty line after the header")

whole("mbox-line", "An mbox From line at the top, as some delivery agents leave it.",
      "From shop@shop.example Mon Nov 23 09:00:00 2026\nFrom: \"Shop\" <shop@shop.example>\n"
      "To: Ann <ann@reader.example>\nSubject: s\n\nbody\n", text="body\n", subject="s",
      message_id="", ledger="", malformed="an mbox line is no header field")

whole("malformed-first-line", "A first line that is no field: GMime alone gives no message.",
      "so it begins\nFrom: \"Shop\" <shop@shop.example>\nTo: Ann <ann@reader.example>\n"
      "Subject: s\n\nbody\n", text="body\n", subject="s", message_id="", ledger="",
      malformed="the first line is no header field")

whole("nothing", "No content at all.", b"", sender="bounce@shop.example", to="ann@reader.example",
      subject="", message_id="", text=".", ledger="from,no-body",
      malformed="RFC 5322 3.6: From and Date are required")

# --- charsets, a first handful -----------------------------------------------

add("charset-latin1-euro", "iso-8859-1 that is windows-1252, as browsers have it.",
    b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
    b"Gr\xfc\xdfe f\xfcr 5 \x80 \x93so\x94\n",
    text="Gr\u00fc\u00dfe f\u00fcr 5 \u20ac \u201cso\u201d\n",
    oracle="Python reads iso-8859-1 by the letter, and shows C1 controls")

add("charset-utf8-broken", "Bytes that are no UTF-8 become U+FFFD and are counted.",
    b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xfc\xdfe\n",
    text="Gr\ufffd\ufffde\n", undecodable=2, malformed="not in the charset that it says")

add("charset-none-utf8", "No charset said, UTF-8 meant.", "\nGr\u00fc\u00dfe\n",
    text="Gr\u00fc\u00dfe\n", malformed="8bit without a charset")

add("charset-unknown", "A charset nobody knows is read as windows-1252 when it is no UTF-8.",
    b"Content-Type: text/plain; charset=x-no-such\n\nGr\xfc\xdfe\n", text="Gr\u00fc\u00dfe\n",
    malformed="unknown charset")

# --- header fields, a first handful ------------------------------------------

add("subject-joined-base64", "Adjacent words that are padded each; GMime stops at the first.",
    "\nx\n", subject_raw="=?UTF-8?B?TXlTdXJ2ZXk=?= =?UTF-8?B?LmNvbQ==?=",
    subject="MySurvey.com", text="x\n")

add("subject-split-character", "An encoded word cut within a character: RFC 2047 5 forbids it.",
    "\nx\n", subject_raw="=?UTF-8?B?w7zDvMM=?=\n =?UTF-8?B?vMO8?= and =?UTF-8?Q?=E2=82?= "
    "=?UTF-8?Q?=AC?=", subject="\u00fc\u00fc\u00fc\u00fc and \u20ac", text="x\n",
    malformed="an encoded word must hold whole characters")

add("subject-raw-utf8", "RFC 6532, or careless: UTF-8 in a header as it is.", "\nx\n",
    subject_raw="Gr\u00fc\u00dfe \u65e5\u672c", subject="Gr\u00fc\u00dfe \u65e5\u672c", text="x\n")

add("subject-raw-latin1", "Raw bytes in a header that are no UTF-8.", "\nx\n",
    subject_raw=b"Gr\xfc\xdfe", subject="Gr\u00fc\u00dfe", text="x\n",
    malformed="8bit in a header")
