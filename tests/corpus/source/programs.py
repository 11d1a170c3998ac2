"""Mails in the form of well-known programs, written after their habits: the usual order of fields
and parts, the odd boundaries, the encodings they choose."""
from corpus import (add as add_mail, attachment, crlf, DATE, GIF, noise, PDF, PNG)
from by_hand import b64, FOOTER

MID = "<{}@corpus.example>"


def add(name, about, content, order="", **expected):
    """content: all of the mail but {date} and {id}.  order: the expected Headers, one a line, with
    MID in the place of the Message-ID."""
    name = "program-" + name
    content = content.replace("{date}", DATE).replace("{id}", MID.format(name))
    fields = []
    for line in order.strip().splitlines():
        field, value = line.strip().split(": ", 1)
        fields.append((field, value))
    at = [i for i, (field, _) in enumerate(fields) if field == "MID"]
    if at:
        expected["before"] = fields[:at[0]]
        expected["headers"] = fields[at[0] + 1:]
    else:
        expected["headers"] = fields
        if MID.format(name) not in content:
            expected["message_id"] = ""
    expected.setdefault("to", "ann@reader.example")
    content = content.encode().replace(b"PLACEHOLDER", b"Gr\xf6\xdfe: 98% \xb0C")
    add_mail(name, "hand", crlf(content), about, **expected)


TEXT_QP = "Gr=C3=BC=C3=9Fe =E2=80=93 5=E2=82=AC"
TEXT = "Gr\u00fc\u00dfe \u2013 5\u20ac"
TEXT_LINE = TEXT + "\n"
FLOWED = crlf("Gr\u00fc\u00dfe \naus dem Laden\n")

add("phpmailer", "PHPMailer: alternative in related in mixed, with inline pictures.",
    f"""Date: {{date}}
To: Ann <ann@reader.example>
From: Shop <shop@shop.example>
Subject: =?utf-8?Q?Ihre_Rechnung_f=C3=BCr_M=C3=A4rz?=
Message-ID: {{id}}
X-Mailer: PHPMailer 6.9.1 (https://github.com/PHPMailer/PHPMailer)
MIME-Version: 1.0
Content-Type: multipart/mixed;
 boundary="b1=_x6Tk1N9jZ0"
Content-Transfer-Encoding: 8bit

--b1=_x6Tk1N9jZ0
Content-Type: multipart/alternative;
 boundary="b2=_x6Tk1N9jZ0"

--b2=_x6Tk1N9jZ0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

{TEXT_QP}

--b2=_x6Tk1N9jZ0
Content-Type: multipart/related;
 boundary="b3=_x6Tk1N9jZ0";
 type="text/html"

--b3=_x6Tk1N9jZ0
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>{TEXT_QP}</p><img src=3D"cid:logo_1" alt=3D"">

--b3=_x6Tk1N9jZ0
Content-Type: image/png; name=logo.png
Content-Transfer-Encoding: base64
Content-ID: <logo_1>
Content-Disposition: inline; filename=logo.png

{b64(PNG)}

--b3=_x6Tk1N9jZ0--

--b2=_x6Tk1N9jZ0--

--b1=_x6Tk1N9jZ0
Content-Type: application/pdf; name="=?utf-8?Q?Rechnung_M=C3=A4rz.pdf?="
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
 filename="=?utf-8?Q?Rechnung_M=C3=A4rz.pdf?="

{b64(PDF)}

--b1=_x6Tk1N9jZ0--
""", """MID: x
X-Mailer: PHPMailer 6.9.1 (https://github.com/PHPMailer/PHPMailer)""",
    subject="Ihre Rechnung f\u00fcr M\u00e4rz", to='"Ann" <ann@reader.example>', text=TEXT + "\n",
    html=f'<p>{TEXT}</p><img src="cid:logo_1" alt="">\n',
    attachments=[attachment("logo.png", "image/png", PNG, "logo_1"),
                 attachment("Rechnung M\u00e4rz.pdf", "application/pdf", PDF)])

add("outlook", "Outlook: related around an alternative, thread fields, windows-1252.",
    f"""From: "Shop" <shop@shop.example>
To: "Ann" <ann@reader.example>
Subject: AW: =?iso-8859-1?Q?Angebot_f=FCr_Sie?=
Date: {{date}}
Message-ID: {{id}}
MIME-Version: 1.0
Content-Type: multipart/related;
	boundary="----=_NextPart_000_0001_01DC5C00.00000000"
X-Mailer: Microsoft Outlook 16.0
Thread-Index: Adxc1yzGgBW7wH3iTQ6Mq3Z9gNn5Pw==
Content-Language: de

This is a multipart message in MIME format.

------=_NextPart_000_0001_01DC5C00.00000000
Content-Type: multipart/alternative;
	boundary="----=_NextPart_001_0002_01DC5C00.00000000"


------=_NextPart_001_0002_01DC5C00.00000000
Content-Type: text/plain;
	charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe =96 5 =80


------=_NextPart_001_0002_01DC5C00.00000000
Content-Type: text/html;
	charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable

<html><body>Gr=FC=DFe <img src=3D"cid:image001.png@01DC5C00.00000000"></body>=
</html>
------=_NextPart_001_0002_01DC5C00.00000000--

------=_NextPart_000_0001_01DC5C00.00000000
Content-Type: image/png;
	name="image001.png"
Content-Transfer-Encoding: base64
Content-ID: <image001.png@01DC5C00.00000000>

{b64(PNG)}

------=_NextPart_000_0001_01DC5C00.00000000--
""", """MID: x
X-Mailer: Microsoft Outlook 16.0
Thread-Index: Adxc1yzGgBW7wH3iTQ6Mq3Z9gNn5Pw==""",
    subject="AW: Angebot f\u00fcr Sie", to='"Ann" <ann@reader.example>',
    text="Gr\u00fc\u00dfe \u2013 5 \u20ac\n\n",
    html='<html><body>Gr\u00fc\u00dfe <img src="cid:image001.png@01DC5C00.00000000"></body>'
         "</html>",
    attachments=[attachment("image001.png", "image/png", PNG,
                            "image001.png@01DC5C00.00000000")])

add("outlook-winmail", "Outlook with rich text: winmail.dat.",
    f"""From: "Shop" <shop@shop.example>
To: <ann@reader.example>
Subject: Termin
Date: {{date}}
Message-ID: {{id}}
MIME-Version: 1.0
Content-Type: multipart/mixed;
	boundary="----=_NextPart_000_0000_01DC5C01.00000000"
X-Mailer: Microsoft Outlook 14.0
X-MS-TNEF-Correlator: 00000000A1B2

This is a multipart message in MIME format.

------=_NextPart_000_0000_01DC5C01.00000000
Content-Type: text/plain;
	charset="us-ascii"
Content-Transfer-Encoding: 7bit

See the attachment.


------=_NextPart_000_0000_01DC5C01.00000000
Content-Type: application/ms-tnef;
	name="winmail.dat"
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
	filename="winmail.dat"

{b64(noise(31, 300))}

------=_NextPart_000_0000_01DC5C01.00000000--
""", """MID: x
X-Mailer: Microsoft Outlook 14.0
X-MS-TNEF-Correlator: 00000000A1B2""", subject="Termin", text="See the attachment.\n\n",
    attachments=[attachment("winmail.dat", "application/ms-tnef", noise(31, 300))],
    ledger="date,tnef")

ICS = crlf("BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:Tee\nEND:VEVENT\n"
           "END:VCALENDAR\n")
add("exchange-invitation", "Exchange: the calendar in base64 as the last alternative.",
    f"""From: Shop <shop@shop.example>
To: "ann@reader.example" <ann@reader.example>
Subject: Tee
Thread-Topic: Tee
Date: {{date}}
Message-ID: {{id}}
Accept-Language: de-DE, en-US
X-MS-Has-Attach:
Content-Type: multipart/alternative;
	boundary="_000_abc_"
MIME-Version: 1.0

--_000_abc_
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

{b64("Kommt zum Tee, Grüße".encode())}

--_000_abc_
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: base64

{b64("<p>Kommt zum Tee, Grüße</p>".encode())}

--_000_abc_
Content-Type: text/calendar; charset="utf-8"; method=REQUEST
Content-Transfer-Encoding: base64

{b64(ICS)}

--_000_abc_--
""", """Thread-Topic: Tee
MID: x
Accept-Language: de-DE, en-US""", subject="Tee", to='"ann@reader.example" <ann@reader.example>',
    text="Kommt zum Tee, Gr\u00fc\u00dfe", html="<p>Kommt zum Tee, Gr\u00fc\u00dfe</p>",
    attachments=[attachment("invite.ics", "text/calendar; charset=utf-8; method=REQUEST", ICS)],
    ledger="date,calendar,names")

add("gmail", "Gmail: id of an attachment, RFC 2047 in the name, an empty display name.",
    f"""MIME-Version: 1.0
Date: {{date}}
Message-ID: {{id}}
Subject: Re: =?UTF-8?B?8J+OgSBHZXNjaGVuaw==?=
From: =?UTF-8?B?SsO8cmdlbiBNw7xsbGVy?= <shop@shop.example>
To: Ann <ann@reader.example>
Content-Type: multipart/mixed; boundary="000000000000f1e2d306"

--000000000000f1e2d306
Content-Type: multipart/alternative; boundary="000000000000f1e2d104"

--000000000000f1e2d104
Content-Type: text/plain; charset="UTF-8"
Content-Transfer-Encoding: base64

{b64(crlf(TEXT_LINE))}
--000000000000f1e2d104
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable

<div dir=3D"ltr">{TEXT_QP}</div>

--000000000000f1e2d104--
--000000000000f1e2d306
Content-Type: application/pdf; name="=?UTF-8?B?R3LDvMOfZS5wZGY=?="
Content-Disposition: attachment; filename="=?UTF-8?B?R3LDvMOfZS5wZGY=?="
Content-Transfer-Encoding: base64
Content-ID: <f_mb2x0>
X-Attachment-Id: f_mb2x0

{b64(PDF)}
--000000000000f1e2d306--
""", "MID: x", subject="Re: \U0001f381 Geschenk", sender='"J\u00fcrgen M\u00fcller" '
    "<shop@shop.example>", to='"Ann" <ann@reader.example>', text=TEXT + "\n",
    html=f'<div dir="ltr">{TEXT}</div>\n',
    attachments=[attachment("Gr\u00fc\u00dfe.pdf", "application/pdf", PDF)])

add("apple-mail", "Apple Mail: text, picture, text in a mixed within the alternative.",
    f"""From: Shop <shop@shop.example>
Content-Type: multipart/alternative;
	boundary="Apple-Mail=_0A"
Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3776.700.51\\))
Subject: Bild
Message-Id: {{id}}
Date: {{date}}
To: ann@reader.example
X-Mailer: Apple Mail (2.3776.700.51)


--Apple-Mail=_0A
Content-Transfer-Encoding: quoted-printable
Content-Type: text/plain;
	charset=utf-8

Davor

=EF=BF=BC

danach=

--Apple-Mail=_0A
Content-Type: multipart/mixed;
	boundary="Apple-Mail=_0B"


--Apple-Mail=_0B
Content-Transfer-Encoding: 7bit
Content-Type: text/html;
	charset=us-ascii

<html><body>Davor<br></body></html>
--Apple-Mail=_0B
Content-Disposition: inline;
	filename=bild.png
Content-Type: image/png;
	name="bild.png";
	x-unix-mode=0644
Content-Transfer-Encoding: base64

{b64(PNG)}
--Apple-Mail=_0B
Content-Transfer-Encoding: 7bit
Content-Type: text/html;
	charset=us-ascii

<html><body><br>danach</body></html>
--Apple-Mail=_0B--

--Apple-Mail=_0A--
""", """MID: x
X-Mailer: Apple Mail (2.3776.700.51)""", subject="Bild", text="Davor\n\n\ufffc\n\ndanach",
    html="<html><body>Davor<br><html><body><br>danach</body></html></body></html>",
    attachments=[attachment("bild.png", "image/png", PNG)], ledger="date,html-parts")

add("thunderbird-signed", "Thunderbird with OpenPGP and protected headers.",
    f"""Message-ID: {{id}}
Date: {{date}}
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Content-Language: de-DE
To: ann@reader.example
From: Shop <shop@shop.example>
Subject: Signiert
Autocrypt: addr=shop@shop.example; keydata=
 xjMEZ
 abcd
Content-Type: multipart/signed; micalg=pgp-sha256;
 protocol="application/pgp-signature";
 boundary="------------0d"

This is an OpenPGP/MIME signed message (RFC 4880 and 3156)
--------------0d
Content-Type: multipart/mixed; boundary="------------0e";
 protected-headers="v1"
From: Shop <shop@shop.example>
To: ann@reader.example
Message-ID: <inner@corpus.example>
Subject: Signiert

--------------0e
Content-Type: multipart/mixed; boundary="------------0f"

--------------0f
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: base64

{b64(FLOWED)}

--------------0f
Content-Type: application/pgp-keys; name="OpenPGP_0x1.asc"
Content-Disposition: attachment; filename="OpenPGP_0x1.asc"
Content-Description: OpenPGP public key
Content-Transfer-Encoding: quoted-printable

-----BEGIN PGP PUBLIC KEY BLOCK-----

--------------0f--

--------------0e--

--------------0d
Content-Type: application/pgp-signature; name="OpenPGP_signature.asc"
Content-Description: OpenPGP digital signature
Content-Disposition: attachment; filename="OpenPGP_signature.asc"

-----BEGIN PGP SIGNATURE-----

--------------0d--
""", """MID: x
User-Agent: Mozilla Thunderbird
Autocrypt: addr=shop@shop.example; keydata= xjMEZ abcd""", subject="Signiert",
    text="Gr\u00fc\u00dfe aus dem Laden\n",
    attachments=[attachment("OpenPGP_0x1.asc", "application/pgp-keys",
                            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n"),
                 attachment("OpenPGP_signature.asc", "application/pgp-signature",
                            b"-----BEGIN PGP SIGNATURE-----\r\n")],
    ledger="date,signed")

add("mailman", "Mailman: the list's footer as a part of its own, list fields, X-BeenThere.",
    """Date: {date}
To: list@reader.example
Message-ID: {id}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="===============1=="
Subject: [List] Frage
X-BeenThere: list@reader.example
X-Mailman-Version: 2.1.39
Precedence: list
List-Id: Discussion <list.reader.example>
List-Unsubscribe: <https://reader.example/options/list>,
 <mailto:list-request@reader.example?subject=unsubscribe>
List-Archive: <https://reader.example/pipermail/list/>
List-Post: <mailto:list@reader.example>
From: Shop via List <list@reader.example>
Reply-To: Shop <shop@shop.example>
Errors-To: list-bounces@reader.example
Sender: "List" <list-bounces@reader.example>

--===============1==
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset="UTF-8"

Wie geht das?

--inner
Content-Type: text/html; charset="UTF-8"

<div>Wie geht das?</div>

--inner--

--===============1==
Content-Type: text/plain; charset="us-ascii"
MIME-Version: 1.0
Content-Transfer-Encoding: 7bit
Content-Disposition: inline

_______________________________________________
List mailing list
list@reader.example

--===============1==--
""", """MID: x
X-BeenThere: list@reader.example
X-Mailman-Version: 2.1.39
Precedence: list
List-Id: Discussion <list.reader.example>
List-Unsubscribe: <https://reader.example/options/list>, <mailto:list-request@reader.example?subject=unsubscribe>
List-Archive: <https://reader.example/pipermail/list/>
List-Post: <mailto:list@reader.example>
Errors-To: list-bounces@reader.example""", subject="[List] Frage",
    sender='"Shop via List" <list@reader.example>', reply_to='"Shop" <shop@shop.example>',
    text="Wie geht das?\n_______________________________________________\nList mailing list\n"
         "list@reader.example\n",
    html="<div>Wie geht das?</div>\n" +
    FOOTER.format("_______________________________________________\nList mailing list\n"
                  "list@reader.example\n"),
    ledger="date,sender,shown-recipients")

add("cron", "Vixie cron: no MIME, X-Cron fields, a local name in To.",
    """From: root@shop.example (Cron Daemon)
To: root
Subject: Cron <root@web1> /usr/local/bin/backup
X-Cron-Env: <SHELL=/bin/sh>
X-Cron-Env: <PATH=/usr/bin:/bin>
Date: {date}

tar: Removing leading `/' from member names
""", """X-Cron-Env: <SHELL=/bin/sh>
X-Cron-Env: <PATH=/usr/bin:/bin>""", sender='"Cron Daemon" <root@shop.example>',
    subject="Cron <root@web1> /usr/local/bin/backup",
    text="tar: Removing leading `/' from member names\n", ledger="date,shown-recipients")

add("mailx-latin1", "An old mailx: 8bit of a Latin-1 system without a word on it.",
    """To: ann@reader.example
Subject: Platte voll
From: nagios@shop.example

PLACEHOLDER
""", sender="nagios@shop.example", subject="Platte voll", text="Gr\u00f6\u00dfe: 98% \u00b0C\n",
    ledger="", malformed="8bit without MIME")

add("jenkins", "JavaMail: boundary with dots, a text and a zipped log.",
    f"""Date: {{date}}
From: jenkins@shop.example
To: ann@reader.example
Message-ID: {{id}}
Subject: Build failed in Jenkins: shop #42
MIME-Version: 1.0
Content-Type: multipart/mixed;
	boundary="----=_Part_17_1234567.1732352400000"
X-Jenkins-Job: shop
X-Jenkins-Result: FAILURE
Precedence: bulk

------=_Part_17_1234567.1732352400000
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 7bit

See <https://ci.shop.example/job/shop/42/>

------=_Part_17_1234567.1732352400000
Content-Type: application/zip; name=build.zip
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=build.zip

{b64(noise(41, 90))}
------=_Part_17_1234567.1732352400000--
""", """MID: x
X-Jenkins-Job: shop
X-Jenkins-Result: FAILURE
Precedence: bulk""", sender="jenkins@shop.example",
    subject="Build failed in Jenkins: shop #42",
    text="See <https://ci.shop.example/job/shop/42/>\n",
    attachments=[attachment("build.zip", "application/zip", noise(41, 90))])

add("scanner", "A network printer: no names in its MIME but the file's, TIFF, no Message-ID.",
    f"""From: scanner@shop.example
To: ann@reader.example
Subject: Scan
Date: {{date}}
Mime-Version: 1.0
Content-Type: multipart/mixed; boundary="DC_BOUND_PRE_<1.2>"

--DC_BOUND_PRE_<1.2>
Content-Type: text/plain; charset=ISO-8859-1

This is scanned.

--DC_BOUND_PRE_<1.2>
Content-Type: application/octet-stream; name="DOC001.PDF"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="DOC001.PDF"

{b64(PDF, 72)}

--DC_BOUND_PRE_<1.2>--
""", sender="scanner@shop.example", subject="Scan", text="This is scanned.\n",
    attachments=[attachment("DOC001.PDF", "application/octet-stream", PDF)],
    malformed="RFC 2046 5.1.1: < is no character of a boundary")

add("notes", "Lotus Notes: related with ids of its own and a GIF without a name.",
    f"""To: ann@reader.example
Subject: Report
MIME-Version: 1.0
From: Shop <shop@shop.example>
Date: {{date}}
Message-ID: {{id}}
X-MIMETrack: Serialize by Router on shop/EXAMPLE
Content-Type: multipart/related; boundary="=_related 0045A1_="

--=_related 0045A1_=
Content-Type: multipart/alternative; boundary="=_alternative 0045A1_="


--=_alternative 0045A1_=
Content-Type: text/plain; charset="US-ASCII"

See chart.

--=_alternative 0045A1_=
Content-Type: text/html; charset="US-ASCII"


<img src=cid:_1_0A>

--=_alternative 0045A1_=--
--=_related 0045A1_=
Content-Type: image/gif
Content-ID: <_1_0A>
Content-Transfer-Encoding: base64

{b64(GIF)}

--=_related 0045A1_=--
""", """MID: x
X-MIMETrack: Serialize by Router on shop/EXAMPLE""", subject="Report", text="See chart.\n",
    html="\n<img src=cid:_1_0A>\n",
    attachments=[attachment("attachment-1.gif", "image/gif", GIF, "_1_0A")],
    ledger="date,names")

add("exim-bounce", "A bounce of Exim's: a report with the whole message in it.",
    """X-Failed-Recipients: bo@x.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@shop.example>
To: ann@reader.example
References: <1@reader.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=1732352400-eximdsn-1
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: {id}
Date: {date}

--1732352400-eximdsn-1
Content-type: text/plain; charset=us-ascii

This message was created automatically.

--1732352400-eximdsn-1
Content-type: message/delivery-status

Reporting-MTA: dns; shop.example

Action: failed
Final-Recipient: rfc822;bo@x.example
Status: 5.0.0

--1732352400-eximdsn-1
Content-type: message/rfc822

Return-path: <ann@reader.example>
Subject: Hello

Hi Bo

--1732352400-eximdsn-1--
""", """X-Failed-Recipients: bo@x.example
Auto-Submitted: auto-replied
References: <1@reader.example>
MID: x""", sender='"Mail Delivery System" <Mailer-Daemon@shop.example>', reverse_path="",
    subject="Mail delivery failed: returning message to sender",
    text="This message was created automatically.\n",
    attachments=[attachment("delivery-status.txt", "message/delivery-status",
                            crlf("Reporting-MTA: dns; shop.example\n\nAction: failed\n"
                                 "Final-Recipient: rfc822;bo@x.example\nStatus: 5.0.0\n")),
                 attachment("message.eml", "message/rfc822",
                            crlf("Return-path: <ann@reader.example>\nSubject: Hello\n\nHi Bo\n"))],
    ledger="date,messages,names")

add("foxmail", "Foxmail: GB2312 that is GBK, in header, name and text.",
    """Date: {date}
From: =?gb2312?B?1uzpRrv5?= <shop@shop.example>
To: ann <ann@reader.example>
Subject: =?gb2312?B?xOO6ww==?=
X-Mailer: Foxmail 7.2
Mime-Version: 1.0
Message-ID: {id}
Content-Type: multipart/alternative;
	boundary="----=_001_NextPart1_=----"

This is a multi-part message in MIME format.

------=_001_NextPart1_=----
Content-Type: text/plain;
	charset="gb2312"
Content-Transfer-Encoding: base64

xOO6ww0K

------=_001_NextPart1_=----
Content-Type: text/html;
	charset="gb2312"
Content-Transfer-Encoding: quoted-printable

<div>=C4=E3=BA=C3 =D6=EC=E9F=BB=F9</div>
------=_001_NextPart1_=------
""", """X-Mailer: Foxmail 7.2
MID: x""", sender='"\u6731\u9555\u57fa" <shop@shop.example>', to='"ann" <ann@reader.example>',
    subject="\u4f60\u597d", text="\u4f60\u597d\n",
    html="<div>\u4f60\u597d \u6731\u9555\u57fa</div>")

add("becky", "Becky!: ISO-2022-JP throughout.",
    """Date: {date}
From: =?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= <shop@shop.example>
To: ann@reader.example
Subject: =?ISO-2022-JP?B?GyRCJDQwRkZiGyhC?=
Message-Id: {id}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="------_5A1B_MULTIPART_MIXED_"
X-Mailer: Becky! ver. 2.81

--------_5A1B_MULTIPART_MIXED_
Content-Type: text/plain; charset="ISO-2022-JP"
Content-Transfer-Encoding: 7bit

\x1b$B;3ED\x1b(B 1
--------_5A1B_MULTIPART_MIXED_
Content-Type: application/octet-stream; name="=?ISO-2022-JP?B?GyRCO3FOQRsoQi5wZGY=?="
Content-Disposition: attachment;
 filename="=?ISO-2022-JP?B?GyRCO3FOQRsoQi5wZGY=?="
Content-Transfer-Encoding: base64

eA==
--------_5A1B_MULTIPART_MIXED_--
""", """MID: x
X-Mailer: Becky! ver. 2.81""", sender='"\u5c71\u7530" <shop@shop.example>',
    subject="\u3054\u6848\u5185", text="\u5c71\u7530 1",
    attachments=[attachment("\u8cc7\u6599.pdf", "application/octet-stream", b"x")])

add("drupal-8bit", "A web application with HTML in one 8bit line and a Return-Path of its own.",
    """MIME-Version: 1.0
Content-Type: text/html; charset=UTF-8; format=flowed; delsp=yes
Content-Transfer-Encoding: 8Bit
X-Mailer: Drupal
Return-Path: shop@shop.example
From: "Shop" <shop@shop.example>
Reply-to: help@shop.example
To: ann@reader.example
Subject: Passwort

<p>Gr\u00fc\u00dfe</p>
""", "X-Mailer: Drupal", reply_to="help@shop.example", subject="Passwort",
    html="<p>Gr\u00fc\u00dfe</p>\n", ledger="")

add("sap", "SAP: no text part, PDF named in Content-Type only, priority fields.",
    f"""Date: {{date}}
From: SAP <shop@shop.example>
To: ann@reader.example
Message-ID: {{id}}
Subject: Bestellung 4500017
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_1A"
X-Priority: 5
Importance: Low

--=_1A
Content-Type: application/pdf; name="Bestellung 4500017.PDF"
Content-Transfer-Encoding: base64
Content-Description: Bestellung 4500017.PDF

{b64(PDF)}
--=_1A--
""", """MID: x
X-Priority: 5
Importance: Low""", sender='"SAP" <shop@shop.example>', subject="Bestellung 4500017", text=".",
    attachments=[attachment("Bestellung 4500017.PDF", "application/pdf", PDF)],
    ledger="date,no-body")

add("dotnet", "System.Net.Mail: alternative of base64 with CRLF, us-ascii said of nothing.",
    f"""MIME-Version: 1.0
From: "Shop" <shop@shop.example>
To: ann@reader.example
Date: {{date}}
Subject: =?utf-8?B?w5xiZXIgdW5zIHVuZCBlaW5lbiBzZWhyIGxhbmdlbiBCZXRyZWZm?=
 =?utf-8?B?IGluIHp3ZWkgV8O2cnRlcm4=?=
Content-Type: multipart/alternative;
 boundary=--boundary_0_2a


----boundary_0_2a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

{b64(crlf(TEXT_LINE))}
----boundary_0_2a
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>{TEXT_QP}</p>
----boundary_0_2a--

""", subject="\u00dcber uns und einen sehr langen Betreff in zwei W\u00f6rtern", text=TEXT + "\n",
    html=f"<p>{TEXT}</p>")
