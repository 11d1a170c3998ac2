"""Mails that Python's email package writes: its present interface and the older one."""
import email.charset
import email.encoders
import email.mime.application
import email.mime.audio
import email.mime.base
import email.mime.image
import email.mime.message
import email.mime.multipart
import email.mime.nonmultipart
import email.mime.text
from email.generator import BytesGenerator
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
import io

from corpus import add as add_mail, attachment, DATE, GIF, item, noise, PDF, PNG

TEXT = "Dear Ann,\n\nGr\u00fc\u00dfe from the shop \u2013 5 \u20ac.\n"
HTML = "<html><body><p>Gr\u00fc\u00dfe \u2013 5 \u20ac</p></body></html>\n"


def start(name, policy=SMTP):
    message = EmailMessage(policy=policy)
    message["From"] = Address("Shop", "shop", "shop.example")
    message["To"] = Address("Ann", "ann", "reader.example")
    message["Subject"] = name
    message["Date"] = DATE
    message["Message-ID"] = f"<{name}@corpus.example>"
    return message


def whole(message, policy=None):
    """The bytes, with boundaries that do not change."""
    for number, part in enumerate(p for p in message.walk() if p.is_multipart()):
        if part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_python_{number}_")
    out = io.BytesIO()
    BytesGenerator(out, policy=policy or message.policy).flatten(message)
    return out.getvalue()


def add(name, about, build, **expected):
    name = "python-" + name
    message = start(name)
    build(message)
    add_mail(name, "python", whole(message), about, **expected)


# --- shapes -------------------------------------------------------------------

add("text", "A plain text, 7bit.", lambda m: m.set_content("hello\nyou\n"), text="hello\nyou\n")
add("text-8bit", "A text in 8bit.", lambda m: m.set_content(TEXT, cte="8bit"), text=TEXT)
add("text-quoted-printable", "A text in quoted-printable.",
    lambda m: m.set_content(TEXT, cte="quoted-printable"), text=TEXT)
add("text-base64", "A text in base64.", lambda m: m.set_content(TEXT, cte="base64"), text=TEXT)
add("text-latin1", "A text in ISO-8859-1.",
    lambda m: m.set_content("Gr\u00fc\u00dfe\n", charset="iso-8859-1"), text="Gr\u00fc\u00dfe\n")
add("text-koi8-r", "A text in KOI8-R, base64.",
    lambda m: m.set_content("\u041f\u0440\u0438\u0432\u0435\u0442\n", charset="koi8-r",
                            cte="base64"), text="\u041f\u0440\u0438\u0432\u0435\u0442\n")
LONG = "word " * 400 + "\nend\n"
add("text-long-lines", "Lines of 2000 characters, which quoted-printable cuts softly.",
    lambda m: m.set_content(LONG, cte="quoted-printable"), text=LONG)
DOTS = ".\n..\n.hidden\nFrom here\n>From there\n"
add("text-dots", "Dots and From at the start of lines.", lambda m: m.set_content(DOTS), text=DOTS)
SPACES = "trailing \t\n  leading\n=3D equals\n\ttab\n"
add("text-spaces", "White space at the ends of lines, and equals signs.",
    lambda m: m.set_content(SPACES, cte="quoted-printable"), text=SPACES)
add("text-empty-lines", "Empty lines at both ends.",
    lambda m: m.set_content("\n\nbody\n\n\n"), text="\n\nbody\n\n\n")
add("html", "HTML alone.", lambda m: m.set_content(HTML, subtype="html"), html=HTML)


def alternative(m):
    m.set_content(TEXT)
    m.add_alternative(HTML, subtype="html")


add("alternative", "Text and HTML.", alternative, text=TEXT, html=HTML)

PICTURE = '<p><img src="cid:logo@shop.example"></p>\n'


def related(m):
    m.set_content(TEXT)
    m.add_alternative(PICTURE, subtype="html")
    m.get_payload()[1].add_related(PNG, "image", "png", cid="<logo@shop.example>",
                                   filename="logo.png")


add("alternative-related", "Text, and HTML with a picture of its own.", related, text=TEXT,
    html=PICTURE, attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example")])


def related_files(m):
    related(m)
    m.add_attachment(PDF, "application", "pdf", filename="invoice.pdf")
    m.add_attachment("a,b\n1,2\n", subtype="csv", filename="list.csv")


add("mixed-alternative-related", "The same, with two files.", related_files, text=TEXT,
    html=PICTURE,
    attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example"),
                 attachment("invoice.pdf", "application/pdf", PDF),
                 attachment("list.csv", "text/csv; charset=utf-8", b"a,b\r\n1,2\r\n")])


def related_outside(m):
    m.set_content(PICTURE, subtype="html")
    m.add_related(PNG, "image", "png", cid="<logo@shop.example>")


add("html-related", "HTML with a picture and without a text; the picture has no name.",
    related_outside, html=PICTURE,
    attachments=[attachment("attachment-1.png", "image/png", PNG, "logo@shop.example")],
    ledger="date,names")


def one_file(m):
    m.set_content("see\n")
    m.add_attachment(noise(1, 3000), "application", "octet-stream", filename="noise.dat")


add("mixed", "A text and a file of every byte.", one_file, text="see\n",
    attachments=[attachment("noise.dat", "application/octet-stream", noise(1, 3000))])


def many_files(m):
    m.set_content("twenty\n")
    for i in range(20):
        m.add_attachment(noise(i, i), "application", "x-part", filename=f"part-{i}.dat")


add("twenty-files", "Twenty files of 0 to 19 bytes: all remainders of base64.", many_files,
    text="twenty\n",
    attachments=[attachment(f"part-{i}.dat", "application/x-part", noise(i, i))
                 for i in range(20)])


def names(m):
    m.set_content("names\n")
    for i, name in enumerate(NAMES):
        m.add_attachment(noise(i, 10), "application", "x-n", filename=name)


NAMES = ["Gr\u00fc\u00dfe.pdf", "\u65e5\u672c\u8a9e\u306e\u9577\u3044\u540d\u524d.txt" ,
         "with space.txt", 'it\'s "quoted".txt', "semi;colon.txt", "a" * 120 + ".txt",
         "\U0001f600.txt", "\u041f\u0440\u0438\u0432\u0435\u0442 " * 6 + ".doc"]
add("names", "Names as Python's RFC 2231 writes them.", names, text="names\n",
    attachments=[attachment(name.replace('"', "_"), "application/x-n", noise(i, 10))
                 for i, name in enumerate(NAMES)])


def forwarded(m):
    inner = start("inner")
    inner.set_content("inside\n")
    m.set_content("see\n")
    m.add_attachment(inner)


INNER = start("inner")
INNER.set_content("inside\n")
add("forwarded", "A message within.", forwarded, text="see\n",
    attachments=[attachment("message.eml", "message/rfc822", whole(INNER))],
    ledger="date,messages")


def calendar(m):
    m.set_content("Tea?\n")
    m.add_alternative("<p>Tea?</p>\n", subtype="html")
    m.add_alternative("BEGIN:VCALENDAR\nEND:VCALENDAR\n", subtype="calendar",
                      params={"method": "REQUEST"})


add("calendar", "An invitation as an alternative.", calendar, text="Tea?\n", html="<p>Tea?</p>\n",
    attachments=[attachment("invite.ics", "text/calendar; charset=utf-8; method=REQUEST",
                            b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")],
    ledger="date,calendar,names")


def text_inline_file(m):
    m.set_content("first\n")
    m.add_attachment("a file\n", filename="n.txt", disposition="inline")


add("inline-text-file", "An inline text with a name is a file.", text_inline_file, text="first\n",
    attachments=[attachment("n.txt", "text/plain; charset=utf-8", b"a file\r\n")])


def two_texts(m):
    m.make_mixed()
    for text in ("one\n", "two\n"):
        part = EmailMessage(policy=SMTP)
        part.set_content(text)
        m.attach(part)


add("two-texts", "Two texts in a mixed.", two_texts, text="one\ntwo\n")


def empty_alternative(m):
    m.set_content("")
    m.add_alternative(HTML, subtype="html")


add("empty-text-alternative", "An empty text beside HTML is no body.", empty_alternative, html=HTML)


def deep(m):
    inner = EmailMessage(policy=SMTP)
    inner.set_content("deep\n")
    for _ in range(11):
        outer = EmailMessage(policy=SMTP)
        outer.make_mixed()
        outer.attach(inner)
        inner = outer
    m.make_mixed()
    m.attach(inner)


add("nested-twelve", "A text under twelve multiparts.", deep, text="deep\n")

# --- header -------------------------------------------------------------------


def with_headers(**fields):
    def build(m):
        for name, value in fields.items():
            name = name.replace("_", "-")
            del m[name]
            m[name] = value
        m.set_content("x\n")
    return build


LONG_SUBJECT = "\u00dcber die Sch\u00f6nheit der langen Betreffzeilen, " * 5 + "Ende"
add("subject-long", "A long subject, which Python cuts into words.",
    with_headers(Subject=LONG_SUBJECT), subject=LONG_SUBJECT, text="x\n")
MIXED_SUBJECT = "Re: \u65e5\u672c\u8a9e and ascii \U0001f600 100% =?x?="
add("subject-mixed", "Scripts, an emoji, and what looks like an encoded word.",
    with_headers(Subject=MIXED_SUBJECT), subject=MIXED_SUBJECT, text="x\n")
add("addresses", "Names beyond ASCII, with commas and quotes, and several of them.",
    with_headers(
        From=Address("M\u00fcller, J\u00fcrgen", "shop", "shop.example"),
        To=[Address("\u65e5\u672c", "ann", "reader.example"),
            Address('Bo "B" O\'Neil', "bo", "reader.example")],
        Cc=[Address("", "cy", "reader.example")], Reply_To="help@shop.example"),
    recipients=["ann@reader.example", "bo@reader.example", "cy@reader.example",
                "blind@reader.example"],
    sender='"M\u00fcller, J\u00fcrgen" <shop@shop.example>',
    to='"\u65e5\u672c" <ann@reader.example>, "Bo \\"B\\" O\'Neil" <bo@reader.example>',
    cc="cy@reader.example", bcc="blind@reader.example", reply_to="help@shop.example", text="x\n")
add("group", "A group as Python writes it.",
    with_headers(To=[Group("Readers", (Address("Ann", "ann", "reader.example"),
                                       Address("Bo", "bo", "reader.example")))]),
    recipients=["ann@reader.example", "bo@reader.example"],
    to='"Ann" <ann@reader.example>, "Bo" <bo@reader.example>', text="x\n")
MANY = [Address(f"Reader {i}", f"r{i}", "reader.example") for i in range(60)]
add("sixty-recipients", "Sixty in To: two items, 50 and 10.", with_headers(To=MANY),
    recipients=[a.addr_spec for a in MANY],
    items=[item("python-sixty-recipients", 1, text="x\n",
                to=", ".join(f'"{a.display_name}" <{a.addr_spec}>' for a in MANY[:50])),
           item("python-sixty-recipients", 2, text="x\n",
                to=", ".join(f'"{a.display_name}" <{a.addr_spec}>' for a in MANY[50:]))])
add("references", "Long References, folded.",
    with_headers(References=" ".join(f"<{i}.{'x' * 30}@shop.example>" for i in range(8))),
    headers=[("References", " ".join(f"<{i}.{'x' * 30}@shop.example>" for i in range(8)))],
    text="x\n")
add("controls", "X-PM fields from Python.",
    with_headers(X_PM_Tag="t\u00e4g", X_PM_Metadata_order="\u65e5", X_PM_TrackLinks="None"),
    tag="t\u00e4g", metadata={"order": "\u65e5"}, track_links="None", text="x\n")


def smtputf8():
    message = start("python-smtputf8", SMTPUTF8)
    del message["Subject"], message["To"]
    message["Subject"] = "Gr\u00fc\u00dfe \u65e5\u672c"
    message["To"] = Address("J\u00fcrgen", "ann", "reader.example")
    message.set_content(TEXT)
    message.add_attachment(PDF, "application", "pdf", filename="Gr\u00fcn.pdf")
    return whole(message)


add_mail("python-smtputf8", "python", smtputf8(),
         "RFC 6532: UTF-8 in every field, also in a parameter.",
         subject="Gr\u00fc\u00dfe \u65e5\u672c", to='"J\u00fcrgen" <ann@reader.example>', text=TEXT,
         attachments=[attachment("Gr\u00fcn.pdf", "application/pdf", PDF)])

# --- the older interface, as Django and many scripts use it ---------------------


def old(name, about, root, **expected):
    name = "python-old-" + name
    root["From"] = "Shop <shop@shop.example>"
    root["To"] = "Ann <ann@reader.example>"
    root["Subject"] = name
    root["Date"] = DATE
    root["Message-ID"] = f"<{name}@corpus.example>"
    add_mail(name, "python", whole(root, root.policy.clone(linesep="\r\n")), about, **expected)


def multipart(kind, *parts):
    root = email.mime.multipart.MIMEMultipart(kind)
    for part in parts:
        root.attach(part)
    return root


def file(part, name, cid=None, disposition="attachment"):
    part.add_header("Content-Disposition", disposition, filename=name)
    if cid:
        part.add_header("Content-ID", f"<{cid}>")
    return part


MIMEText = email.mime.text.MIMEText
old("text", "MIMEText in UTF-8 is base64.", MIMEText(TEXT, "plain", "utf-8"), text=TEXT)
old("text-ascii", "MIMEText in ASCII is 7bit.", MIMEText("x\n"), text="x\n")
old("text-iso-2022-jp", "MIMEText in ISO-2022-JP is 7bit.",
    MIMEText("\u65e5\u672c\u8a9e\n", "plain", "iso-2022-jp"), text="\u65e5\u672c\u8a9e\n")
old("alternative", "Both in base64.",
    multipart("alternative", MIMEText(TEXT, "plain", "utf-8"), MIMEText(HTML, "html", "utf-8")),
    text=TEXT, html=HTML)
old("mixed", "Files of several kinds by their own classes.",
    multipart("mixed", MIMEText("see", "plain"),
              file(email.mime.application.MIMEApplication(PDF, "pdf"), "a.pdf"),
              file(email.mime.image.MIMEImage(GIF, "gif"), "b.gif"),
              file(email.mime.audio.MIMEAudio(noise(7, 50), "mpeg"), "c.mp3"),
              file(MIMEText("a text file", "plain", "utf-8"), "d.txt")),
    text="see",
    attachments=[attachment("a.pdf", "application/pdf", PDF),
                 attachment("b.gif", "image/gif", GIF),
                 attachment("c.mp3", "audio/mpeg", noise(7, 50)),
                 attachment("d.txt", "text/plain; charset=utf-8", b"a text file")])
old("related", "Related with an alternative in it, as many recipes have it.",
    multipart("related",
              multipart("alternative", MIMEText("plain", "plain"), MIMEText(PICTURE, "html")),
              file(email.mime.image.MIMEImage(PNG, "png"), "logo.png", "logo@shop.example",
                   "inline")),
    text="plain", html=PICTURE,
    attachments=[attachment("logo.png", "image/png", PNG, "logo@shop.example")])
old("name-2231", "A name beyond ASCII: RFC 2231 in one piece.",
    multipart("mixed", MIMEText("see", "plain"),
              file(email.mime.application.MIMEApplication(PDF, "pdf"),
                   ("utf-8", "de", "Gr\u00fc\u00dfe und mehr.pdf"))),
    text="see", attachments=[attachment("Gr\u00fc\u00dfe und mehr.pdf", "application/pdf", PDF)])


def quoted_part():
    part = email.mime.base.MIMEBase("application", "x-text")
    part.set_payload(b"\x00\xff=\r\n.\r\n" * 40)
    email.encoders.encode_quopri(part)
    return file(part, "q.dat")


old("quoted-printable-file", "Bytes in quoted-printable.",
    multipart("mixed", MIMEText("see", "plain"), quoted_part()), text="see",
    attachments=[attachment("q.dat", "application/x-text", b"\x00\xff=\r\n.\r\n" * 40)])
old("digest", "Messages in a digest.",
    multipart("digest", email.mime.message.MIMEMessage(MIMEText("one")),
              email.mime.message.MIMEMessage(MIMEText("two"))),
    text=".",
    attachments=[attachment("message.eml", "message/rfc822",
                            b'Content-Type: text/plain; charset="us-ascii"\r\nMIME-Version: 1.0'
                            b"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + word)
                 for word in (b"one", b"two")],
    ledger="date,messages,no-body")
