"""More shapes: text that is marked up or flowed, transfer encodings as they come, rare multiparts,
and what is cut off, doubled or malformed."""
from corpus import (add as add_mail, ANN, attachment, crlf, GIF, item, noise, PDF, PNG, verbatim)
from by_hand import add, b64, FOOTER, head


def mixed(name, about, *parts, boundary="m", params="", subtype="mixed", end=True, **expected):
    """Parts: header and body, LF, without the line end before the delimiter."""
    body = b"".join(f"--{boundary}\n".encode() + (p.encode() if isinstance(p, str) else p) + b"\n"
                    for p in parts)
    add(name, about, f"Content-Type: multipart/{subtype}; boundary=\"{boundary}\"{params}\n\n"
        .encode() + body + (f"--{boundary}--\n".encode() if end else b""), **expected)


# --- format=flowed, RFC 3676 ----------------------------------------------------

def flowed(name, about, raw, text, params="", **more):
    add(f"flowed-{name}", about, f"Content-Type: text/plain; charset=utf-8; format=flowed{params}"
        f"\n\n{raw}", text=text, **more)


flowed("paragraphs", "Lines that end with a space go on; the others do not.",
       "This is one \nparagraph that \nflows.\n\nThis is not.\nNor this.\n",
       "This is one paragraph that flows.\n\nThis is not.\nNor this.\n")
flowed("delsp", "DelSp: the space that flows is none of the text, as East Asian text needs it.",
       "\u65e5\u672c\u8a9e\u306e \n\u6587\u7ae0\u3067\u3059\u3002\nA  \nB\n",
       "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0\u3067\u3059\u3002\nA B\n", params="; DelSp=yes")
flowed("delsp-quoted", "DelSp in quotes and capitals.", "a \nb\n", "ab\n", params='; delsp="YES"')
flowed("stuffed", "Space-stuffing is taken out.",
       " From here\n >not a quote\n  indented\nplain\n",
       "From here\n>not a quote\n indented\nplain\n")
flowed("quotes", "Quoted paragraphs flow within their depth.",
       "> Quoted text \n> that flows.\n>> deeper \n>> still\nanswer\n",
       "> Quoted text that flows.\n>> deeper still\nanswer\n")
flowed("depth-changes", "RFC 3676 4.5: a change of depth ends the paragraph.",
       "> quoted \nnot quoted\n", "> quoted \nnot quoted\n")
flowed("signature", "RFC 3676 4.3: the signature separator flows not.",
       "last \n-- \nAnn\n", "last \n-- \nAnn\n")
flowed("last-line", "The last line would flow into nothing.", "one \ntwo \n", "one two \n")
add("flowed-quoted-printable", "Flowed, and in quoted-printable.",
    "Content-Type: text/plain; charset=utf-8; format=flowed; delsp=no\n"
    "Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe=20\nund mehr\n",
    text="Gr\u00fc\u00dfe und mehr\n")
add("flowed-html", "Of an HTML the parameter says nothing.",
    "Content-Type: text/html; charset=utf-8; format=flowed\n\n<p>a \nb</p>\n",
    html="<p>a \nb</p>\n")
add("fixed", "format=fixed: the lines are as they are.",
    "Content-Type: text/plain; format=fixed\n\na \nb\n", text="a \nb\n")

# --- text of other kinds --------------------------------------------------------

add("enriched", "RFC 1896: text/enriched becomes the text that it shows: a line end alone is a "
    "space, and << is <.",
    "Content-Type: text/enriched; charset=utf-8\n\n<bold>Gr\u00fc\u00dfe</bold> and\n"
    "more << less\n\nnext\n", text="Gr\u00fc\u00dfe and more < less\nnext\n",
    oracle="Python knows nothing of text/enriched")
mixed("enriched-alternative", "Beside plain text it is one more format of the same.",
      "Content-Type: text/plain\n\nplain", "Content-Type: text/enriched\n\n<bold>rich</bold>",
      subtype="alternative", text="plain", ledger="date,alternatives")
add("markdown", "RFC 2046 4.1.4: text of a kind nobody knows, when it is all there is, is text.",
    "Content-Type: text/markdown; charset=utf-8\n\n# Gr\u00fc\u00dfe\n",
    text="# Gr\u00fc\u00dfe\n")
ICS = crlf("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
add("calendar-only", "An invitation without any text.",
    "Content-Type: text/calendar; method=REQUEST; charset=utf-8\n\n" + ICS.decode(), text=".",
    attachments=[attachment("invite.ics", "text/calendar; charset=utf-8; method=REQUEST", ICS)],
    ledger="date,calendar,names,no-body")
mixed("calendar-in-mixed", "A calendar beside a text.",
      "Content-Type: text/plain\n\nTea", "Content-Type: text/calendar; method=PUBLISH; "
      "name=tea.ics\n\nBEGIN:VCALENDAR\nEND:VCALENDAR", text="Tea",
      attachments=[attachment("tea.ics", "text/calendar; method=PUBLISH", ICS[:-2])],
      ledger="date,calendar")
mixed("vcard", "A visiting card is a file.", "Content-Type: text/plain\n\nme",
      "Content-Type: text/vcard; charset=utf-8\n\nBEGIN:VCARD\nEND:VCARD", text="me",
      attachments=[attachment("attachment-1.vcf", "text/vcard; charset=utf-8",
                              b"BEGIN:VCARD\r\nEND:VCARD")], ledger="date,names")

# --- transfer encodings -----------------------------------------------------------

DATA = noise(11, 600)


def encoded(name, about, field, body, data=DATA, **more):
    mixed(f"encoding-{name}", about, "Content-Type: text/plain\n\nsee",
          (f"Content-Type: application/x-d; name=d.dat\n{field}\n\n").encode() +
          (body.encode() if isinstance(body, str) else body), text="see",
          attachments=[attachment("d.dat", "application/x-d", data)], **more)


CTE = "Content-Transfer-Encoding: "
encoded("base64-one-line", "Base64 in one line of 800 characters.", CTE + "base64", b64(DATA, 800))
encoded("base64-short-lines", "Base64 in lines of four.", CTE + "base64", b64(DATA, 4))
encoded("base64-odd-lines", "Base64 in lines that are no whole groups.", CTE + "base64",
        b64(DATA, 75))
encoded("base64-spaces", "White space around the lines.", CTE + "base64",
        b64(DATA).replace("\n", " \n\t"))
encoded("base64-capitals", "RFC 2045 6.1: encodings have no case.", CTE + "BASE64", b64(DATA))
encoded("base64-semicolon", "A semicolon after it.", CTE + "base64;", b64(DATA),
        malformed="RFC 2045 6.1: no parameters")
encoded("base64-comment", "A comment after it.", CTE + "base64 (as they say)", b64(DATA),
        oracle="Python does not take comments off this field")
encoded("base64-quoted", "Quotes around it.", CTE + '"base64"', b64(DATA),
        malformed="RFC 2045 6.1: a token")
encoded("base64-no-padding", "Padding left out.", CTE + "base64", b64(DATA[:-1]).rstrip("="),
        DATA[:-1], malformed="RFC 2045 6.8")
encoded("base64-more-padding", "More padding than due.", CTE + "base64", b64(DATA) + "\n==",
        malformed="RFC 2045 6.8")
encoded("base64-joined", "Two encoded pieces joined, each with its padding.", CTE + "base64",
        b64(DATA[:100]) + "\n" + b64(DATA[100:]), malformed="RFC 2045 6.8")
encoded("base64-empty", "A file of no bytes.", CTE + "base64", "", b"")
encoded("quoted-printable-lower", "Hexadecimal digits in lower case.", CTE + "quoted-printable",
        "a=3db=c3=bc=0d=0a", b"a=b\xc3\xbc\r\n", malformed="RFC 2045 6.7 (1): upper case")
encoded("quoted-printable-broken", "Equals signs that encode nothing stay.", CTE +
        "quoted-printable", "50=% a=ZZ b=4", b"50=% a=ZZ b=4", malformed="RFC 2045 6.7")
encoded("quoted-printable-soft-spaces", "RFC 2045 6.7 (3): white space after a soft line break "
        "is a gateway's.", CTE + "quoted-printable", "one= \t\ntwo", b"onetwo",
        oracle="Python takes such an equals sign for itself")
encoded("quoted-printable-8bit", "8bit within quoted-printable stays.", CTE + "quoted-printable",
        "\u00fc=3D", "\u00fc=".encode(), malformed="RFC 2045 6.7: not allowed")
encoded("quoted-printable-end", "An equals sign at the very end.", CTE + "quoted-printable",
        "abc=", b"abc", malformed="RFC 2045 6.7: a soft line break before nothing")
encoded("7bit-is-8bit", "7bit that is not: the bytes stay.", CTE + "7bit", b"\xfc\xff",
        b"\xfc\xff", malformed="RFC 2045 6.2")
encoded("8-bit", "A misspelt 8bit.", CTE + "8-bit", b"\xfc", b"\xfc",
        malformed="RFC 2045 6.4: unknown")
encoded("binary", "BINARYMIME: bytes with bare line ends, as long as no delimiter is hit.", CTE +
        "binary", b"\x00\x01\xfe=\x7f", b"\x00\x01\xfe=\x7f")
encoded("twice", "Two different encodings: the last, which is GMime's and most readers'.", CTE +
        "7bit\n" + CTE + "base64", b64(DATA), malformed="a field twice")
encoded("none", "No encoding said: 7bit.", "X-None: 1", "text=3D", b"text=3D")

INNER = crlf("From: x@y.example\nSubject: inner\n\ninside\n")
mixed("message-in-base64", "RFC 2046 5.2.1 forbids it, and servers do it: the file is the message.",
      "Content-Type: text/plain\n\nsee",
      f"Content-Type: message/rfc822; name=m.eml\n{CTE}base64\n\n{b64(INNER)}", text="see",
      attachments=[attachment("m.eml", "message/rfc822", INNER)], ledger="date,messages",
      malformed="RFC 2046 5.2.1: no base64")
mixed("text-in-base64-no-line-end", "A text without a line end at its end.",
      f"Content-Type: text/plain; charset=utf-8\n{CTE}base64\n\n" +
      b64("Gr\u00fc\u00dfe".encode()), text="Gr\u00fc\u00dfe")
add("text-base64-crlf", "The line ends within base64 are CRLF (RFC 2045 6.8).",
    f"Content-Type: text/plain; charset=utf-8\n{CTE}base64\n\n" + b64(b"a\r\nb\r\n") + "\n",
    text="a\nb\n")
add("text-base64-lf", "Or LF, as most libraries do.",
    f"Content-Type: text/plain; charset=utf-8\n{CTE}base64\n\n" + b64(b"a\nb\n") + "\n",
    text="a\nb\n")
add("text-base64-cr", "Or CR alone, of an old Macintosh.",
    f"Content-Type: text/plain; charset=utf-8\n{CTE}base64\n\n" + b64(b"a\rb\r") + "\n",
    text="a\nb\n")
add("text-nul", "A NUL in a text goes; the text around it stays.",
    f"Content-Type: text/plain; charset=utf-8\n{CTE}base64\n\n" + b64(b"a\0b\n") + "\n",
    text="ab\n")
add("text-controls", "Other control characters stay: JSON can say them.",
    f"Content-Type: text/plain; charset=utf-8\n{CTE}base64\n\n" + b64(b"a\x07\x1b[1mb\x0c\n") +
    "\n", text="a\x07\x1b[1mb\x0c\n")
add("text-very-long-line", "A line of 20000, against RFC 5322 2.1.1.", "\n" + "x" * 20000 + "\n",
    text="x" * 20000 + "\n")
add("quoted-printable-soft-end", "Soft line breaks, encoded spaces at line ends, a dot.",
    f"{CTE}quoted-printable\n\none=\ntwo=20\n=2E\n.=\n.\n", text="onetwo \n.\n..\n")

# --- multiparts --------------------------------------------------------------------

mixed("appledouble", "RFC 1740: the file, and the Macintosh's own half beside it.",
      "Content-Type: text/plain\n\nsee",
      "Content-Type: multipart/appledouble; boundary=d\n\n--d\n"
      f"Content-Type: application/applefile; name=a.pdf\n{CTE}base64\n\n{b64(noise(2, 30))}\n--d\n"
      f"Content-Type: application/pdf; name=a.pdf\n{CTE}base64\n\n{b64(PDF)}\n--d--",
      text="see",
      attachments=[attachment("a.pdf", "application/applefile", noise(2, 30)),
                   attachment("a.pdf", "application/pdf", PDF)])
mixed("mixed-in-mixed", "Mixed within mixed within mixed.",
      "Content-Type: multipart/mixed; boundary=n\n\n--n\n"
      "Content-Type: multipart/mixed; boundary=o\n\n--o\n\none\n--o--\n--n\n\ntwo\n--n--",
      "\nthree", text="one\ntwo\nthree")
mixed("alternative-in-alternative", "An alternative within an alternative.",
      "Content-Type: text/plain\n\nplain",
      "Content-Type: multipart/alternative; boundary=n\n\n--n\nContent-Type: text/plain\n\nbetter\n"
      "--n\nContent-Type: text/html\n\n<p>best</p>\n--n--", subtype="alternative",
      text="better", html="<p>best</p>")
mixed("related-in-related", "Related within related: every picture is found.",
      "Content-Type: multipart/related; boundary=n\n\n--n\nContent-Type: text/html\n\n"
      f'<img src="cid:a@x"><img src="cid:b@x">\n--n\nContent-Type: image/gif; name=a.gif\n'
      f"Content-ID: <a@x>\n{CTE}base64\n\n{b64(GIF)}\n--n--",
      f"Content-Type: image/gif; name=b.gif\nContent-ID: <b@x>\n{CTE}base64\n\n{b64(GIF)}",
      subtype="related", html='<img src="cid:a@x"><img src="cid:b@x">',
      attachments=[attachment("a.gif", "image/gif", GIF, "a@x"),
                   attachment("b.gif", "image/gif", GIF, "b@x")])
mixed("related-without-html", "Related of a text and a picture.",
      "Content-Type: text/plain\n\nplain",
      f"Content-Type: image/gif; name=a.gif\nContent-ID: <a@x>\n{CTE}base64\n\n{b64(GIF)}",
      subtype="related", text="plain", attachments=[attachment("a.gif", "image/gif", GIF, "a@x")])
mixed("picture-beside-html", "In a mixed the picture that the HTML refers to is inline all the "
      "same, and the other is not.",
      'Content-Type: text/html\n\n<img src="cid:a@x">',
      f"Content-Type: image/gif; name=a.gif\nContent-ID: <a@x>\n{CTE}base64\n\n{b64(GIF)}",
      f"Content-Type: image/gif; name=b.gif\nContent-ID: <b@x>\n{CTE}base64\n\n{b64(GIF)}",
      html='<img src="cid:a@x">',
      attachments=[attachment("a.gif", "image/gif", GIF, "a@x"),
                   attachment("b.gif", "image/gif", GIF)])
mixed("picture-percent", "RFC 2392: the id in a cid: URL is percent-encoded.",
      'Content-Type: text/html\n\n<img src="cid:a%2Bb@x.example">',
      f"Content-Type: image/gif; name=a.gif\nContent-ID: <a+b@x.example>\n{CTE}base64\n\n"
      f"{b64(GIF)}", html='<img src="cid:a%2Bb@x.example">',
      attachments=[attachment("a.gif", "image/gif", GIF, "a+b@x.example")])
mixed("picture-css", "A picture in a style.",
      "Content-Type: text/html\n\n<p style=\"background:url(cid:bg)\">",
      f"Content-Type: image/gif; name=a.gif\nContent-ID: <bg>\n{CTE}base64\n\n{b64(GIF)}",
      html="<p style=\"background:url(cid:bg)\">",
      attachments=[attachment("a.gif", "image/gif", GIF, "bg")])
mixed("content-id-bare", "A Content-ID without its angle brackets.",
      'Content-Type: text/html\n\n<img src="cid:a@x">',
      f"Content-Type: image/gif; name=a.gif\nContent-ID: a@x\n{CTE}base64\n\n{b64(GIF)}",
      subtype="related", html='<img src="cid:a@x">',
      attachments=[attachment("a.gif", "image/gif", GIF, "a@x")], malformed="RFC 2045 7")
mixed("same-picture-twice", "One picture, referred to twice.",
      'Content-Type: text/html\n\n<img src="cid:a@x"><img src=\'CID:a@x\'>',
      f"Content-Type: image/gif; name=a.gif\nContent-ID: <a@x>\n{CTE}base64\n\n{b64(GIF)}",
      subtype="related", html='<img src="cid:a@x"><img src=\'CID:a@x\'>',
      attachments=[attachment("a.gif", "image/gif", GIF, "a@x")])
mixed("html-file", "HTML with the disposition attachment is a file.",
      "Content-Type: text/plain\n\nsee", "Content-Type: text/html; name=r.html\n"
      "Content-Disposition: attachment; filename=r.html\n\n<p>r</p>", text="see",
      attachments=[attachment("r.html", "text/html", b"<p>r</p>")])
mixed("only-attachments", "Two files and no text.",
      f"Content-Type: application/pdf; name=a.pdf\n{CTE}base64\n\n{b64(PDF)}",
      f"Content-Type: image/png; name=b.png\n{CTE}base64\n\n{b64(PNG)}", text=".",
      attachments=[attachment("a.pdf", "application/pdf", PDF),
                   attachment("b.png", "image/png", PNG)], ledger="date,no-body")
mixed("footer-html-and-text", "A footer below text alone.", "Content-Type: text/plain\n\nbody",
      "Content-Type: text/plain\n\n--\nfooter", text="body\n--\nfooter")
mixed("text-then-html", "A text, and then an HTML that is no alternative: HTML readers see both.",
      "Content-Type: text/plain\n\nintro <1>", "Content-Type: text/html\n\n<p>report</p>",
      text="intro <1>\nreport\n", html=FOOTER.format("intro &lt;1&gt;") + "<p>report</p>",
      oracle="the text form of the HTML is the relay's own")
mixed("byteranges-like", "A multipart of a kind that mail does not know.",
      "Content-Type: text/plain\n\none", "Content-Type: application/x-r; name=r\n\nrange",
      subtype="byteranges", text="one",
      attachments=[attachment("r", "application/x-r", b"range")])
mixed("hundred-parts", "A hundred small files.", "\nsee",
      *[f"Content-Type: application/x-n; name=n{i}\n\n{i}" for i in range(100)], text="see",
      attachments=[attachment(f"n{i}", "application/x-n", str(i).encode()) for i in range(100)])

# --- signed, encrypted, reports ------------------------------------------------------

P7 = noise(21, 200)
add("signed-opaque", "RFC 8551 3.5.2: signed, and readable to S/MIME only.",
    "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n"
    f"Content-Disposition: attachment; filename=smime.p7m\n{CTE}base64\n\n{b64(P7)}\n", text=".",
    attachments=[attachment("smime.p7m", "application/pkcs7-mime; smime-type=signed-data", P7)],
    ledger="date,signed,no-body")
mixed("signed-in-mixed", "A list's footer beside what was signed.",
      "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\n\n--s\n"
      "Content-Type: text/plain\n\nsigned\n--s\nContent-Type: application/pgp-signature; "
      "name=signature.asc\n\nSIG\n--s--", "Content-Type: text/plain\n\nfooter",
      text="signed\nfooter",
      attachments=[attachment("signature.asc", "application/pgp-signature", b"SIG")],
      ledger="date,signed")
mixed("signed-mixed-with-file", "A signature over a mixed with a file.",
      f"Content-Type: multipart/mixed; boundary=n\n\n--n\n\ntext\n--n\n"
      f"Content-Type: application/pdf; name=a.pdf\n{CTE}base64\n\n{b64(PDF)}\n--n--",
      f"Content-Type: application/pkcs7-signature; name=smime.p7s\n{CTE}base64\n\n{b64(P7)}",
      subtype="signed", params='; protocol="application/pkcs7-signature"; micalg=sha-256',
      text="text",
      attachments=[attachment("a.pdf", "application/pdf", PDF),
                   attachment("smime.p7s", "application/pkcs7-signature", P7)],
      ledger="date,signed")
mixed("signed-html", "A signature over HTML with a picture.",
      'Content-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\n'
      '<img src="cid:a@x">\n--r\nContent-Type: image/gif; name=a.gif\nContent-ID: <a@x>\n'
      f"{CTE}base64\n\n{b64(GIF)}\n--r--",
      "Content-Type: application/pgp-signature\n\nSIG", subtype="signed",
      params='; protocol="application/pgp-signature"', html='<img src="cid:a@x">',
      attachments=[attachment("a.gif", "image/gif", GIF, "a@x"),
                   attachment("signature.asc", "application/pgp-signature", b"SIG")],
      ledger="date,signed,names")
add("pgp-inline", "PGP without MIME is text.",
    "\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- -- dash\n"
    "-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n",
    text="-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- -- dash\n"
         "-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n")
mixed("report-read", "RFC 8098: a receipt.", "\nYour mail was read.",
      "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; ann@x.example\n"
      "Disposition: manual-action/MDN-sent-manually; displayed\n", subtype="report",
      params="; report-type=disposition-notification", text="Your mail was read.",
      attachments=[attachment("disposition-notification.txt", "message/disposition-notification",
                              crlf("Final-Recipient: rfc822; ann@x.example\nDisposition: "
                                   "manual-action/MDN-sent-manually; displayed\n"))],
      ledger="date,names", oracle="Python writes an empty line after a header without a body")
mixed("report-abuse", "RFC 5965: a complaint.", "\nAbuse.",
      "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n",
      "Content-Type: message/rfc822\n\nSubject: spam\n\nbuy\n", subtype="report",
      params="; report-type=feedback-report", text="Abuse.",
      attachments=[attachment("feedback-report.txt", "message/feedback-report",
                              b"Feedback-Type: abuse\r\nVersion: 1\r\n"),
                   attachment("message.eml", "message/rfc822", b"Subject: spam\r\n\r\nbuy\r\n")],
      ledger="date,messages,names",
      oracle="Python writes an empty line after a header without a body")
mixed("external-body", "RFC 2046 5.2.3: a file that is elsewhere.", "\nFetch it.",
      "Content-Type: message/external-body; access-type=URL; URL=\"https://x.example/f\"\n\n"
      "Content-Type: application/pdf\n", text="Fetch it.",
      attachments=[attachment("external-body.txt", "message/external-body",
                              b"Content-Type: application/pdf\r\n")], ledger="date,names",
      oracle="Python writes an empty line after a header without a body")
mixed("winmail-octet-stream", "winmail.dat of a sender that does not know TNEF's type.",
      "\nsee", "Content-Type: application/octet-stream; name=winmail.dat\n"
      f"{CTE}base64\n\n{b64(P7)}", text="see",
      attachments=[attachment("winmail.dat", "application/octet-stream", P7)], ledger="date,tnef")

mixed("certs-only", "RFC 8551 3.2.2: certificates, nothing signed and nothing hidden.", "\nmy key",
      "Content-Type: application/pkcs7-mime; smime-type=certs-only; name=smime.p7c\n"
      f"{CTE}base64\n\n{b64(P7)}", text="my key",
      attachments=[attachment("smime.p7c", "application/pkcs7-mime; smime-type=certs-only", P7)])
mixed("signed-in-signed", "A list that signs what was signed.",
      "Content-Type: multipart/signed; boundary=n\n\n--n\n\ninner\n--n\n"
      "Content-Type: application/pgp-signature; name=a.asc\n\nA\n--n--",
      "Content-Type: application/pgp-signature; name=b.asc\n\nB", subtype="signed", text="inner",
      attachments=[attachment("a.asc", "application/pgp-signature", b"A"),
                   attachment("b.asc", "application/pgp-signature", b"B")], ledger="date,signed")
mixed("signed-invitation", "An invitation that is signed.",
      "Content-Type: multipart/alternative; boundary=n\n\n--n\n\nTea\n--n\n"
      "Content-Type: text/calendar; method=REQUEST; name=i.ics\n\nBEGIN\n--n--",
      f"Content-Type: application/pkcs7-signature; name=smime.p7s\n{CTE}base64\n\n{b64(P7)}",
      subtype="signed", text="Tea",
      attachments=[attachment("i.ics", "text/calendar; method=REQUEST", b"BEGIN"),
                   attachment("smime.p7s", "application/pkcs7-signature", P7)],
      ledger="date,signed,calendar")
mixed("signed-without-signature", "Signed, and the signature is missing.", "\ntext",
      subtype="signed", text="text", ledger="date,signed", malformed="RFC 1847 2.1: two parts")
mixed("encrypted-in-mixed", "A gateway's note beside what is encrypted.", "\nnote",
      "Content-Type: multipart/encrypted; boundary=n\n\n--n\n"
      "Content-Type: application/pgp-encrypted\n\nVersion: 1\n--n\n"
      "Content-Type: application/octet-stream; name=m.asc\n\nPGP\n--n--", text="note",
      attachments=[attachment("version.txt", "application/pgp-encrypted", b"Version: 1"),
                   attachment("m.asc", "application/octet-stream", b"PGP")],
      ledger="date,encrypted,names")
mixed("form-data", "A form that was mailed.",
      'Content-Disposition: form-data; name="a"\n\none', 'Content-Disposition: form-data; '
      'name="b"; filename="b.txt"\nContent-Type: text/plain\n\ntwo', subtype="form-data",
      text="one", attachments=[attachment("b.txt", "text/plain", b"two")])
mixed("message-global", "RFC 6532: a message in UTF-8.", "\nsee",
      "Content-Type: message/global; name=m.eml\n\nSubject: \u00fc\n\nx", text="see",
      attachments=[attachment("m.eml", "message/global",
                              "Subject: \u00fc\r\n\r\nx".encode())], ledger="date,messages")
mixed("message-deep", "A message in a message in a message is one file.", "\nsee",
      "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: 2\n\n2",
      text="see", attachments=[attachment(
          "message.eml", "message/rfc822",
          b"Content-Type: message/rfc822\r\n\r\nSubject: 2\r\n\r\n2")],
      ledger="date,messages")
mixed("message-with-boundary", "The message within has the boundary of another multipart.",
      "\nsee", "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=z\n\n"
      "--z\n\nx\n--z--\n", text="see",
      attachments=[attachment("message.eml", "message/rfc822",
                              crlf("Content-Type: multipart/mixed; boundary=z\n\n--z\n\nx\n"
                                   "--z--\n"))], ledger="date,messages")
mixed("alternative-with-file", "A PDF as an alternative: it may be the better one.",
      "\nplain", f"Content-Type: application/pdf; name=a.pdf\n{CTE}base64\n\n{b64(PDF)}",
      subtype="alternative", text="plain",
      attachments=[attachment("a.pdf", "application/pdf", PDF)], ledger="date,alternatives")
mixed("alternative-html-only", "An alternative of HTML alone.",
      "Content-Type: text/html\n\n<p>x</p>", subtype="alternative", html="<p>x</p>")
mixed("alternative-blank-html", "An HTML of white space is not the better one.",
      "\nplain", "Content-Type: text/html\n\n \n ", subtype="alternative", text="plain")
mixed("alternative-of-mixed", "Each alternative is a mixed with its own file.",
      "Content-Type: multipart/mixed; boundary=n\n\n--n\n\nplain\n--n\n"
      "Content-Type: application/x-a; name=a\n\nA\n--n--",
      "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: text/html\n\n<p>x</p>\n"
      "--o\nContent-Type: application/x-b; name=b\n\nB\n--o--", subtype="alternative",
      text="plain", html="<p>x</p>",
      attachments=[attachment("a", "application/x-a", b"A"),
                   attachment("b", "application/x-b", b"B")])
mixed("related-alternative-calendar", "Text, HTML with a picture, invitation.", "\nTea",
      'Content-Type: multipart/related; boundary=n\n\n--n\nContent-Type: text/html\n\n'
      '<img src="cid:a@x">\n--n\nContent-Type: image/gif; name=a.gif\nContent-ID: <a@x>\n'
      f"{CTE}base64\n\n{b64(GIF)}\n--n--",
      "Content-Type: text/calendar; method=REQUEST; name=i.ics\n\nBEGIN", subtype="alternative",
      text="Tea", html='<img src="cid:a@x">',
      attachments=[attachment("a.gif", "image/gif", GIF, "a@x"),
                   attachment("i.ics", "text/calendar; method=REQUEST", b"BEGIN")],
      ledger="date,calendar")
add("root-attachment", "All of the mail is a text that says attachment: it is a file.",
    "Content-Type: text/plain\nContent-Disposition: attachment; filename=log.txt\n\na log\n",
    text=".", attachments=[attachment("log.txt", "text/plain", b"a log\r\n")],
    ledger="date,no-body")
add("root-named", "All of the mail is a text with a name: it is the body all the same.",
    "Content-Type: text/plain; name=log.txt\n\na log\n", text="a log\n")
add("root-csv", "All of the mail is a CSV with a name: a file.",
    "Content-Type: text/csv; name=n.csv\n\na,b\n", text=".",
    attachments=[attachment("n.csv", "text/csv", b"a,b\r\n")], ledger="date,no-body")

# --- policies -------------------------------------------------------------------------

SIGNED = ("Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\n\n"
          "--s\n\nsigned\n--s\nContent-Type: application/pgp-signature; name=signature.asc\n\n"
          "SIG\n--s--\n")
add("policy-signed-reject", "A route that refuses what it would spoil.", SIGNED,
    options={"policy": {"signed": "reject"}}, refusal="554 5.6.1")
add("policy-date-reject", "Even the Date, when the operator says so.", "\nx\n",
    options={"policy": {"date": "reject"}}, refusal="554 5.6.1")
add("policy-calendar-reject", "A calendar that would no longer be an alternative.",
    "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nTea\n--a\nContent-Type: "
    "text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n--a--\n",
    options={"policy": {"calendar": "reject"}}, refusal="554 5.6.1")
add("policy-other", "The policy of another kind says nothing of this one.", SIGNED,
    options={"policy": {"encrypted": "reject", "tnef": "reject"}}, text="signed",
    attachments=[attachment("signature.asc", "application/pgp-signature", b"SIG")],
    ledger="date,signed")

def as_it_is(name, about, rest, policy, recipients=(ANN,), without=(), controls=(),
             **more):
    content = crlf(head(name) + rest)
    add_mail(name, "hand", content, about, options={"policy": {policy: "smtp"}}, ledger="",
             recipients=recipients,
             items=[verbatim(content, 1, recipients, without, controls=controls)], **more)


as_it_is("policy-signed-smtp", "A signed mail that goes as it is: not a byte of the body changes.",
         SIGNED, "signed")
as_it_is("policy-calendar-smtp", "An invitation that stays an alternative.",
         "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nTea\n--a\nContent-Type: "
         "text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n--a--\n", "calendar")
as_it_is("policy-encrypted-smtp", "Encrypted, with a blind copy: the Bcc field goes, the recipient "
         "stays.", "Bcc: bo@reader.example\nContent-Type: application/pkcs7-mime; "
         "smime-type=enveloped-data; name=smime.p7m\n" + CTE + "base64\n\n" + b64(P7) + "\n",
         "encrypted",
         recipients=("ann@reader.example", "bo@reader.example"),
         without=("Bcc: bo@reader.example",))
as_it_is("policy-tnef-smtp", "winmail.dat stays where it can be read.",
         "Content-Type: application/ms-tnef; name=winmail.dat\n" + CTE + "base64\n\n" +
         b64(P7) + "\n", "tnef")
as_it_is("policy-messages-smtp", "A digest stays a digest; the mail's own tag goes with it.",
         "X-PM-Tag: digest\nContent-Type: multipart/digest; boundary=d\n\n--d\n\n"
         "Subject: one\n\n1\n--d--\n", "messages",
         without=("X-PM-Tag: digest",), controls=("X-PM-Tag: digest",))

# --- templates, SPEC 5 --------------------------------------------------------------------


def template(name, about, fields, wanted, rest="\nnever shown\n", **more):
    """wanted: TemplateAlias and the like, in the place of subject and bodies."""
    if isinstance(wanted, dict):
        one = item(f"template-{name}", subject="")
        one.update(wanted)
        more.update(items=[one], ledger=more.get("ledger", "date,template"))
    else:
        more["refusal"] = wanted
    add(f"template-{name}", about, fields + rest, **more)


template("alias", "A template by its alias, the model folded.",
         'X-PM-Template-Alias: welcome\nX-PM-Template-Model: {"name": "Ann",\n "lines":\n'
         '\t[{"sku": "1", "price": 9.5}, {"sku": "2", "price": 12}]}\n',
         {"TemplateAlias": "welcome",
          "TemplateModel": {"name": "Ann", "lines": [{"sku": "1", "price": 9.5},
                                                     {"sku": "2", "price": 12}]}})
template("id", "A template by its number, the model numbered.",
         'X-PM-Template-Id: 4711\nX-PM-Template-Model-1: {"a": "b\nX-PM-Template-Model-2: c", '
         '"d":\nX-PM-Template-Model-3: [1, 2, {"e": true}]}\n',
         {"TemplateId": 4711, "TemplateModel": {"a": "bc", "d": [1, 2, {"e": True}]}})
template("encoded", "A model in encoded words.",
         "X-PM-Template-Alias: welcome\nX-PM-Template-Model: =?utf-8?Q?=7B=22name=22=3A_=22?=\n"
         " =?utf-8?B?SsO8cmdlbiJ9?=\n",
         {"TemplateAlias": "welcome", "TemplateModel": {"name": "J\u00fcrgen"}})
template("part", "The model as a part, which is no attachment then; another file is.",
         "X-PM-Template-Alias: welcome\n",
         {"TemplateAlias": "welcome", "TemplateModel": {"name": "J\u00fcrgen"},
          "Attachments": [attachment("a.pdf", "application/pdf", PDF)]},
         "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nfor people\n--m\n"
         "Content-Type: application/json; name=template-model.json\nContent-Disposition: "
         'attachment; filename=template-model.json\n\n{"name": "J\u00fcrgen"}\n--m\n'
         f"Content-Type: application/pdf; name=a.pdf\n{CTE}base64\n\n{b64(PDF)}\n--m--\n")
template("no-model", "No model: an empty one.", "X-PM-Template-Alias: welcome\n",
         {"TemplateAlias": "welcome", "TemplateModel": {}})
template("inline-css", "X-PM-Inline-Css: false.",
         "X-PM-Template-Alias: welcome\nX-PM-Inline-Css: false\nX-PM-Tag: t\n",
         {"TemplateAlias": "welcome", "TemplateModel": {}, "InlineCss": False, "Tag": "t"})
template("bad-json", "A model that is no JSON is refused, and the reply says where.",
         'X-PM-Template-Alias: welcome\nX-PM-Template-Model: {"name": }\n', "554 5.6.0")
template("no-object", "A model must be an object.",
         "X-PM-Template-Alias: welcome\nX-PM-Template-Model: [1]\n", "554 5.6.0")
template("model-alone", "A model without a template.", 'X-PM-Template-Model: {"a": 1}\n',
         "554 5.6.0")

# --- what is broken --------------------------------------------------------------------

add("boundary-unquoted-equals", "A boundary that needs quotes, without them.",
    "Content-Type: multipart/mixed; boundary=----=_Part_1.2\n\n------=_Part_1.2\n\none\n"
    "------=_Part_1.2--\n", text="one", malformed="RFC 2045 5.1: = needs quotes")
add("boundary-trailing-space", "A boundary that ends with a space in its parameter.",
    'Content-Type: multipart/mixed; boundary="b "\n\n--b\n\none\n--b--\n', text="one",
    malformed="RFC 2046 5.1.1: no space at the end")
add("boundary-twice", "Two boundary parameters: the first.",
    "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n\none\n--b--\n", text="one",
    malformed="a parameter twice")
add("boundary-2231", "RFC 2231: a boundary in two sections.",
    "Content-Type: multipart/mixed;\n boundary*0=\"=_abc\";\n boundary*1=\"def\"\n\n--=_abcdef\n\n"
    "one\n--=_abcdef--\n", text="one")
add("delimiter-without-empty-line", "A part's text begins at once after the delimiter.",
    "Content-Type: multipart/mixed; boundary=b\n\n--b\nHello, no header\n--b--\n",
    text="Hello, no header", malformed="RFC 2046 5.1.1: an empty line")
add("only-preamble", "A multipart that has a preamble and an end.",
    "Content-Type: multipart/mixed; boundary=b\n\nThis is all there is\n--b--\n",
    text="This is all there is", malformed="RFC 2046 5.1.1: at least one part")
add("epilogue", "Text before and after is not of the message.",
    "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b--\nepilogue\n--b\n\n"
    "no part\n", text="one")
add("multipart-in-base64", "RFC 2045 6.4 forbids it: the encoding of a multipart says nothing.",
    f"Content-Type: multipart/mixed; boundary=b\n{CTE}base64\n\n--b\n\none\n--b--\n", text="one",
    malformed="RFC 2045 6.4")
add("truncated-in-text", "Cut off in the middle of a text.",
    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none and a ha", text="one and a ha",
    malformed="cut off")
add("content-type-twice", "Two Content-Types: the last, which is GMime's.",
    "Content-Type: text/plain\nContent-Type: text/html\n\n<p>x</p>\n", html="<p>x</p>\n",
    malformed="a field twice")
add("html-as-plain", "HTML that says it is plain is plain.",
    "Content-Type: text/plain\n\n<p>x</p>\n", text="<p>x</p>\n")
add("charset-in-html", "The HTML's own word on its charset is not asked when the header says one.",
    b"Content-Type: text/html; charset=utf-8\n\n"
    b"<meta charset=iso-8859-1><p>\xc3\xbc</p>\n",
    html="<meta charset=iso-8859-1><p>\u00fc</p>\n")
add("mime-version-missing", "No MIME-Version, and MIME all the same.",
    "Content-Type: text/html\n\n<p>x</p>\n", html="<p>x</p>\n")
mixed("boundary-same-twice", "An alternative with the boundary of the mixed around it, as an old "
      "Outlook Express wrote it.",
      "Content-Type: multipart/alternative; boundary=m\n\n--m\nContent-Type: text/plain\n\nplain\n"
      "--m\nContent-Type: text/html\n\n<p>rich</p>\n--m--\n",
      f"Content-Type: image/gif; name=g.gif\n{CTE}base64\n\n{b64(GIF)}", text="plain",
      html="<p>rich</p>", attachments=[attachment("g.gif", "image/gif", GIF)],
      malformed="RFC 2046 5.1.2: inner and outer boundary differ")
