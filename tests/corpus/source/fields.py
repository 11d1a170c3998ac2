"""Header fields: encoded words, addresses, controls, and what becomes of each field."""
import base64

from corpus import item, mails
from by_hand import add, whole


def words(charset, text, codec=None, kind="B"):
    data = text.encode(codec or charset)
    if kind == "B":
        return f"=?{charset}?B?{base64.b64encode(data).decode()}?="
    quoted = "".join(chr(b) if chr(b).isalnum() and b < 128 else "_" if b == 32 else f"={b:02X}"
                     for b in data)
    return f"=?{charset}?Q?{quoted}?="


def subject(name, raw, text, about, **more):
    add(f"subject-{name}", about, "\nx\n", subject_raw=raw, subject=text, text="x\n", **more)


for charset, text, codec, kind in [
        ("utf-8", "Gr\u00fc\u00dfe \U0001f600", None, "Q"),
        ("iso-8859-1", "Gr\u00fc\u00dfe", None, "Q"),
        ("iso-8859-15", "5 \u20ac", None, "B"),
        ("windows-1251", "\u041f\u0440\u0438\u0432\u0435\u0442", None, "Q"),
        ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442", None, "B"),
        ("iso-2022-jp", "\u65e5\u672c\u8a9e", None, "B"),
        ("shift_jis", "\u65e5\u672c\u8a9e", None, "B"),
        ("euc-jp", "\u65e5\u672c\u8a9e", None, "B"),
        ("gb2312", "\u4f60\u597d", None, "B"),
        ("gb18030", "\u4f60\u597d \U00020000", None, "B"),
        ("big5", "\u4f60\u597d", None, "Q"),
        ("euc-kr", "\ud55c\uad6d\uc5b4", None, "B"),
        ("ks_c_5601-1987", "\ub618\ubc29", "cp949", "B"),
        ("utf-7", "\u00fc\u00df", None, "Q"),
        ("x-mac-roman", "\u00fc\u2022", "mac_roman", "Q"),
        ("windows-1255", "\u05e9\u05dc\u05d5\u05dd", None, "B"),
        ("windows-1256", "\u0645\u0631\u062d\u0628\u0627", None, "B")]:
    subject(f"in-{charset}", words(charset, text, codec, kind), text,
            f"A subject in {charset}, {kind} encoded.")

subject("in-hz", words("hz-gb-2312", "\u4f60\u597d", "hz"), "\u4f60\u597d", "A subject in HZ.")
subject("in-iso-2022-jp-nec", "=?ISO-2022-JP?B?GyRCLSFGfBsoQg==?=", "\u2460\u65e5",
        "A subject of Outlook's with NEC's row 13.", oracle="Python's iso2022_jp has no row 13")
subject("mixed-encodings", "=?UTF-8?B?w7w=?= =?utf-8?Q?=C3=BC?= =?iso-8859-1?q?=FC?=",
        "\u00fc\u00fc\u00fc", "Adjacent words of several kinds, without the space between.")
subject("space-between-words-and-text", "=?utf-8?Q?=C3=BC?= and =?utf-8?Q?_=C3=A4?= .",
        "\u00fc and  \u00e4 .", "Spaces beside ordinary text stay, and an underscore is one.")
subject("folded", "one\n two\n   three", "one two   three",
        "RFC 5322 2.2.3: only the line ends go.")
subject("folded-words", "=?utf-8?Q?=C3=BC?=\n =?utf-8?Q?=C3=A4?=\n\t=?utf-8?Q?=C3=B6?=",
        "\u00fc\u00e4\u00f6", "Words on lines of their own.")
subject("language", "=?utf-8*de?Q?gr=C3=BCn?=", "gr\u00fcn", "RFC 2231 5: a language.")
subject("unknown-charset", "=?x-none?Q?a=C3=BC?=", "a\u00fc",
        "A charset nobody knows: UTF-8 when it is valid.", malformed="unknown charset")
subject("lying-charset", "=?us-ascii?Q?J=C3=BCrgen?=", "J\u00fcrgen",
        "ASCII with UTF-8 in it.", malformed="lying charset")
subject("spaces-in-word", "=?utf-8?Q?two words=C3=BC?=", "two words\u00fc",
        "A space within an encoded word.", malformed="RFC 2047 2: no white space")
subject("no-space-around", "a=?utf-8?Q?=C3=BC?=b", "a\u00fcb",
        "An encoded word stuck to its neighbours.", malformed="RFC 2047 5 (1)")
subject("question-mark", "=?utf-8?Q?why??=", "why?",
        "A question mark that should have been encoded.", malformed="RFC 2047 4.2")
subject("no-such-encoding", "=?utf-8?X?abc?= x", "=?utf-8?X?abc?= x",
        "An encoding that does not exist is text.")
subject("never-ends", "=?utf-8?Q?abc", "=?utf-8?Q?abc", "No end: text.")
subject("empty-word", "=?utf-8?Q??= x", "x", "A word of nothing.",
        malformed="RFC 2047 2: encoded-text has at least one character")
subject("base64-unpadded", "=?utf-8?B?SGVsbG8?=", "Hello", "Padding left out.",
        malformed="RFC 2047 4.1, RFC 2045 6.8")
subject("long-q-words", " ".join(words("utf-8", c * 12, kind="Q") for c in
                                 "\u00e4\u00f6\u00fc\u00df").replace(" ", "\n "),
        "\u00e4" * 12 + "\u00f6" * 12 + "\u00fc" * 12 + "\u00df" * 12,
        "Many words, folded between.")
subject("surrogates", "=?utf-8?Q?=ED=A0=BD=ED=B8=80?=", "\ufffd" * 6,
        "CESU-8 is no UTF-8.", malformed="not UTF-8")
subject("encoded-line-end", "=?utf-8?Q?Hi=0D=0ABcc:_eve@x.example?=",
        "Hi  Bcc: eve@x.example", "A line end that is hidden in a word does not get out.",
        malformed="RFC 2047 5: no line ends")
subject("decoded-once", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?=", "=?utf-8?Q?a?=",
        "What a word decodes to is not decoded again.")
subject("iso-2022-jp-two-words",
        "=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\n =?ISO-2022-JP?B?GyRCOGwbKEI=?=",
        "\u65e5\u672c\u8a9e", "Each word returns to ASCII.")
subject("iso-2022-jp-split-state",
        "=?ISO-2022-JP?B?GyRCRnxL?=\n =?ISO-2022-JP?B?XDhsGyhC?=", "\u65e5\u672c\u8a9e",
        "Cut within a character and within a state.",
        malformed="RFC 2047 5: each word holds whole characters and ends in ASCII")
subject("empty", "", "", "A subject of nothing.")
subject("2000-units", "s" * 2000, "s" * 2000, "Postmark's limit, exactly.")
add("subject-2001-units", "One more than Postmark's limit.", "\nx\n", subject_raw="s" * 2001,
    refusal="554 5.6.0 the subject has 2001 characters")
add("subject-1001-emoji", "Each character beyond the BMP counts twice.", "\nx\n",
    subject_raw="\U0001f600" * 1001, refusal="554 5.6.0 the subject has 2002 characters")
whole("subject-missing", "No subject at all.",
      'From: "Shop" <shop@shop.example>\nTo: Ann <ann@reader.example>\n\nx\n', subject="",
      message_id="", text="x\n", ledger="")
whole("subject-twice", "Two subjects: the first counts.",
      'From: "Shop" <shop@shop.example>\nTo: Ann <ann@reader.example>\nSubject: first\n'
      'Subject: second\n\nx\n', subject="first", message_id="", text="x\n", ledger="headers",
      malformed="RFC 5322 3.6: at most one Subject")


# --- addresses ---------------------------------------------------------------

def addresses(name, about, top, recipients=("ann@reader.example",), **more):
    """top: the address fields, in place of the usual ones."""
    more.setdefault("ledger", "")
    whole(name, about, f"{top}Subject: {name}\n\nx\n", recipients=recipients, message_id="",
          text="x\n", **more)


SHOP = 'From: "Shop" <shop@shop.example>\n'

addresses("to-names-kept", "Display names of envelope recipients are kept, quoted as needed.",
          SHOP + "To: \"Smith, Ann\" <ann@reader.example>, Bo <bo@reader.example>\n"
          "Cc: =?utf-8?Q?J=C3=BCrgen_=22X=22?= <cy@reader.example>\n",
          ["ann@reader.example", "bo@reader.example", "cy@reader.example"],
          to='"Smith, Ann" <ann@reader.example>, "Bo" <bo@reader.example>',
          cc='"J\u00fcrgen \\"X\\"" <cy@reader.example>')
addresses("to-outside-envelope", "Who is not in the envelope is neither shown nor mailed.",
          SHOP + "To: ann@reader.example, eve@reader.example\nCc: mallory@reader.example\n",
          to="ann@reader.example", ledger="shown-recipients")
addresses("blind", "Who is in the envelope only is blind.",
          SHOP + "To: ann@reader.example\nBcc: bo@reader.example\n",
          ["ann@reader.example", "bo@reader.example"], to="ann@reader.example",
          bcc="bo@reader.example")
addresses("blind-only", "Blind recipients only: an item each.",
          SHOP + "To: undisclosed-recipients:;\n", ["ann@reader.example", "bo@reader.example"],
          items=[item("blind-only", 1, to="ann@reader.example", message_id="", text="x\n"),
                 item("blind-only", 2, to="bo@reader.example", message_id="", text="x\n")])
addresses("cc-only", "Cc takes the place of an empty To.",
          SHOP + "Cc: Ann <ann@reader.example>\n", to='"Ann" <ann@reader.example>')
addresses("group", "A group is its members.",
          SHOP + "To: Team: ann@reader.example, Bo <bo@reader.example>;, cy@reader.example\n",
          ["ann@reader.example", "bo@reader.example", "cy@reader.example"],
          to='ann@reader.example, "Bo" <bo@reader.example>, cy@reader.example')
addresses("comments-and-folds", "RFC 5322 A.5: comments, folds and spaces around the at sign.",
          SHOP + "To: Ann(the boss)\n <ann(x)@(y)reader.example>,\n\tbo@reader.example (Bo)\n",
          ["ann@reader.example", "bo@reader.example"],
          to='"Ann" <ann@reader.example>, "Bo" <bo@reader.example>',
          oracle="a comment after an address is a name by custom, which Python does not know")
addresses("quoted-local-part", "Quotes that are not needed go.",
          SHOP + 'To: "ann"@reader.example\n', to="ann@reader.example")
addresses("encoded-word-in-quotes", "RFC 2047 5 (3) forbids it, and clients do it.",
          SHOP + 'To: "=?utf-8?Q?J=C3=BCrgen?=" <ann@reader.example>\n',
          to='"J\u00fcrgen" <ann@reader.example>', malformed="an encoded word in quotes")
addresses("encoded-word-hides-address", "An encoded word is never an address or a separator.",
          SHOP + "To: =?utf-8?Q?=22=2C_=3Ceve=40x=2Eexample=3E=2C_=22?= <ann@reader.example>\n",
          to='"\\", <eve@x.example>, \\"" <ann@reader.example>')
addresses("to-name-utf8", "A name in UTF-8 as it is.",
          SHOP + "To: J\u00fcrgen M\u00fcller <ann@reader.example>\n",
          to='"J\u00fcrgen M\u00fcller" <ann@reader.example>')
addresses("to-name-comma", "A comma in a name that is not quoted.",
          SHOP + "To: Smith, Ann <ann@reader.example>\n",
          to='"Smith, Ann" <ann@reader.example>', malformed="RFC 5322 3.4: a phrase has no comma")
addresses("idn-domain", "U-labels go out as A-labels.",
          SHOP + "To: Ann <ann@B\u00fccher.example>\n", ["ann@xn--bcher-kva.example"],
          to='"Ann" <ann@xn--bcher-kva.example>')
addresses("a-label-domain", "A-labels stay as they are.",
          SHOP + "To: Ann <ann@xn--bcher-kva.example>\n", ["ann@xn--bcher-kva.example"],
          to='"Ann" <ann@xn--bcher-kva.example>')
addresses("to-twice", "Two To fields.",
          SHOP + "To: ann@reader.example\nTo: bo@reader.example\n",
          ["ann@reader.example", "bo@reader.example"],
          to="ann@reader.example, bo@reader.example",
          malformed="RFC 5322 3.6: at most one To")
addresses("to-and-cc-same", "In To and Cc: To it is, once.",
          SHOP + "To: ann@reader.example\nCc: Ann <ann@READER.example>\n",
          to="ann@reader.example")
addresses("local-part-case", "Local parts are compared exactly.",
          SHOP + "To: ANN@reader.example\n", ["ann@reader.example"], to="ann@reader.example",
          ledger="shown-recipients")
addresses("route-address", "RFC 5322 4.4: an obsolete route is passed over.",
          SHOP + "To: Ann <@a.example,@b.example:ann@reader.example>\n",
          to='"Ann" <ann@reader.example>',
          oracle="Python loses the name before a route")
addresses("semicolons", "Semicolons between addresses, as an Outlook user types them.",
          SHOP + "To: ann@reader.example; bo@reader.example\n",
          ["ann@reader.example", "bo@reader.example"],
          to="ann@reader.example, bo@reader.example",
          malformed="RFC 5322 3.4: commas")
addresses("from-several", "Several authors: the first, when nobody says who sent it.",
          "From: A <a@shop.example>, B <b@shop.example>\nTo: Ann <ann@reader.example>\n",
          sender='"A" <a@shop.example>', ledger="authors")
addresses("from-several-with-sender", "RFC 5322 3.6.2: Sender decides.",
          "From: A <a@shop.example>, B <b@shop.example>\nSender: S <s@shop.example>\n"
          "To: Ann <ann@reader.example>\n", sender='"S" <s@shop.example>', ledger="authors")
addresses("sender-beside-from", "A Sender cannot be said beside one author.",
          SHOP + "Sender: Other <o@shop.example>\nTo: Ann <ann@reader.example>\n",
          ledger="sender")
addresses("from-missing", "No From: the envelope sender.", "To: Ann <ann@reader.example>\n",
          sender="bounce@shop.example", ledger="from",
          malformed="RFC 5322 3.6: From is required")
addresses("from-missing-null-sender", "No From, and the envelope sender is <>.",
          "To: Ann <ann@reader.example>\n", reverse_path="", refusal="550 5.6.0 no author")
addresses("from-local-name", "Cron's From without a domain: the envelope sender.",
          "From: root (Cron Daemon)\nTo: Ann <ann@reader.example>\n",
          sender="bounce@shop.example", ledger="from", malformed="RFC 5322 3.4.1: a domain")
addresses("from-idn", "U-labels in From, too.",
          "From: =?utf-8?Q?B=C3=BCcher?= <info@b\u00fccher.example>\n"
          "To: Ann <ann@reader.example>\n", sender='"B\u00fccher" <info@xn--bcher-kva.example>')
addresses("reply-to", "Reply-To is a field of Postmark's, with several addresses.",
          SHOP + "To: Ann <ann@reader.example>\nReply-To: Help <help@shop.example>,\n"
          " b@shop.example\n", reply_to='"Help" <help@shop.example>, b@shop.example')
addresses("over-50", "Over the limit of recipients: several items, each shows its own.",
          SHOP + "To: a1@x.example, a2@x.example\nCc: a3@x.example\n",
          ["a1@x.example", "a2@x.example", "a3@x.example", "b1@x.example"],
          options={"most_recipients": 2},
          items=[item("over-50", 1, to="a1@x.example, a2@x.example", message_id="", text="x\n"),
                 item("over-50", 2, to="a3@x.example", bcc="b1@x.example", message_id="",
                      text="x\n")])


# --- other fields ------------------------------------------------------------

add("headers-kept", "What goes on, in its order, decoded.",
    "References: <0@x.example>\n\t<00@x.example>\nIn-Reply-To: <0@x.example>\n"
    "List-Unsubscribe: <mailto:u@x.example>,\n <https://x.example/u?a=b>\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\nList-Id: News <news.x.example>\n"
    "Auto-Submitted: auto-generated\nPrecedence: bulk\nImportance: high\nX-Priority: 1\n"
    "X-Mailer: =?utf-8?Q?M=C3=BCller?= 1.0\nX-Same: 1\nX-Same: 2\nOrganization: Shop\n"
    "Comments: a\nKeywords: b\nUser-Agent: U\n\nx\n",
    headers=[("References", "<0@x.example> <00@x.example>"), ("In-Reply-To", "<0@x.example>"),
             ("List-Unsubscribe", "<mailto:u@x.example>, <https://x.example/u?a=b>"),
             ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
             ("List-Id", "News <news.x.example>"), ("Auto-Submitted", "auto-generated"),
             ("Precedence", "bulk"), ("Importance", "high"), ("X-Priority", "1"),
             ("X-Mailer", "M\u00fcller 1.0"), ("X-Same", "1"), ("X-Same", "2"),
             ("Organization", "Shop"), ("Comments", "a"), ("Keywords", "b"),
             ("User-Agent", "U")], text="x\n")

add("headers-dropped", "Transport noise, and who got it, stays behind without a word.",
    "Received: from a by b;\n\tMon, 23 Nov 2026 09:00:00 +0000\nReturn-Path: <b@x.example>\n"
    "DKIM-Signature: v=1; a=rsa-sha256\nARC-Seal: i=1\nARC-Message-Signature: i=1\n"
    "ARC-Authentication-Results: i=1\nAuthentication-Results: x\nBcc: eve@x.example\n"
    "Delivered-To: ann@reader.example\nContent-Language: de\n\nx\n", text="x\n")

add("headers-refused", "What Postmark's own client keeps back is told.",
    "Tag: t\nAttachment: a\nTrack-Opens: true\nTrack-Links: None\nMessage-Stream: s\n"
    "Postmark-Template-Alias: a\n\nx\n", text="x\n", ledger="date,headers")

add("header-name-odd", "A name of characters that RFC 5322 does not allow does not go on.",
    "X-Sch\u00f6n: 1\nX-Good: 3\n\nx\n", headers=[("X-Good", "3")], text="x\n",
    malformed="RFC 5322 2.2: names are printable ASCII")

add("header-line-odd", "A line that is no field does not end a header that goes on after it.",
    "X Space: 2\nthis neither\nX-Good: 3\nX-Mailer: m\n\nx\n",
    headers=[("X-Good", "3"), ("X-Mailer", "m")], text="x\n",
    malformed="lines that are no header fields")

add("controls", "Postmark's own SMTP header fields, in any letter case and both spellings.",
    "x-pm-tag: invoice\nX-PM-TrackOpens: TRUE\nX-PM-Track-Links: htmlandtext\n"
    "X-PM-Metadata-order: 1007\nX-PM-Metadata-colour: =?utf-8?Q?gr=C3=BCn?=\n"
    "X-PM-Message-Stream: broadcast\nX-PM-Bounce-Type: HardBounce\n\nx\n",
    tag="invoice", track_opens=True, track_links="HtmlAndText", stream="broadcast",
    metadata={"order": "1007", "colour": "gr\u00fcn"},
    headers=[("X-PM-Bounce-Type", "HardBounce")], text="x\n")

add("controls-keep-id-false", "X-PM-KeepID: false gives the Message-ID up.",
    "X-PM-KeepID: false\n\nx\n", keep_id=False, text="x\n")

add("controls-unknown", "An X-PM field that nobody knows.", "X-PM-Colour: red\n\nx\n", text="x\n",
    ledger="date,x-pm")

add("control-tag-too-long", "A tag of 1001.", "X-PM-Tag: " + "t" * 1001 + "\n\nx\n",
    refusal="554 5.6.0 X-PM-Tag has 1001")

add("control-metadata-key-too-long", "A key of 21.",
    "X-PM-Metadata-" + "k" * 21 + ": v\n\nx\n", refusal="554 5.6.0")

add("control-metadata-value-too-long", "A value of 81.",
    "X-PM-Metadata-k: " + "v" * 81 + "\n\nx\n", refusal="554 5.6.0")

whole("message-id-folded", "A Message-ID on the line after its name.",
      'From: "Shop" <shop@shop.example>\nTo: Ann <ann@reader.example>\nSubject: s\n'
      "Message-ID:\n <very-long-identifier@corpus.example>\n\nx\n", subject="s",
      message_id="<very-long-identifier@corpus.example>", text="x\n", ledger="")

whole("message-id-twice", "Two Message-IDs: the first counts.",
      'From: "Shop" <shop@shop.example>\nTo: Ann <ann@reader.example>\nSubject: s\n'
      "Message-ID: <1@corpus.example>\nMessage-ID: <2@corpus.example>\n\nx\n", subject="s",
      message_id="<1@corpus.example>", text="x\n", ledger="headers",
      malformed="RFC 5322 3.6: at most one Message-ID")

addresses("cc-twice", "Two Cc fields.",
          SHOP + "To: ann@reader.example\nCc: bo@reader.example\nCc: cy@reader.example\n",
          ["ann@reader.example", "bo@reader.example", "cy@reader.example"],
          to="ann@reader.example", cc="bo@reader.example, cy@reader.example",
          malformed="RFC 5322 3.6: at most one Cc")
addresses("reply-to-twice", "Two Reply-To fields.",
          SHOP + "To: ann@reader.example\nReply-To: a@shop.example\nReply-To: b@shop.example\n",
          to="ann@reader.example", reply_to="a@shop.example, b@shop.example",
          malformed="RFC 5322 3.6: at most one Reply-To")
addresses("from-twice", "Two From fields are two authors.",
          "From: A <a@shop.example>\nFrom: b@shop.example\nTo: ann@reader.example\n",
          to="ann@reader.example", sender='"A" <a@shop.example>', ledger="authors",
          malformed="RFC 5322 3.6: one From")
addresses("from-null-address", "From: <>, as a bounce has it.",
          "From: <>\nTo: ann@reader.example\n", to="ann@reader.example",
          sender="bounce@shop.example", ledger="from", malformed="RFC 5322 3.4: no empty address")
addresses("from-quoted-local-part", "A local part that Postmark does not take in From.",
          'From: "a b"@shop.example\nTo: ann@reader.example\n', to="ann@reader.example",
          sender="bounce@shop.example", ledger="from")
addresses("to-domain-literal", "A domain literal is shown to nobody.",
          SHOP + "To: ann@reader.example, x@[192.0.2.1]\n", to="ann@reader.example",
          ledger="shown-recipients")
addresses("to-name-is-address", "An address as a name.",
          SHOP + 'To: "bo@reader.example" <ann@reader.example>\n',
          to='"bo@reader.example" <ann@reader.example>')
addresses("to-trailing-comma", "Commas without an address between (RFC 5322 4.4).",
          SHOP + "To: , ann@reader.example,,\n", to="ann@reader.example")
addresses("to-name-iso-2022-jp", "A name in ISO-2022-JP beside another of the field.",
          SHOP + "To: =?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= <ann@reader.example>,\n"
          " =?iso-8859-1?Q?J=FCrgen?= <bo@reader.example>\n",
          ["ann@reader.example", "bo@reader.example"],
          to='"\u5c71\u7530" <ann@reader.example>, "J\u00fcrgen" <bo@reader.example>')
addresses("to-raw-latin1-name", "Latin-1 as it is in a name.",
          SHOP + "To: LATIN <ann@reader.example>\n", to='"J\u00fcrgen" <ann@reader.example>',
          malformed="8bit in a header")
mails["to-raw-latin1-name"].content = mails["to-raw-latin1-name"].content.replace(
    b"LATIN", b"J\xfcrgen")

add("headers-of-recipients", "Fields that tell who got a copy stay behind.",
    "X-Original-To: eve@x.example\nOriginal-Recipient: rfc822;eve@x.example\n"
    "Envelope-To: eve@x.example\nX-Forwarded-To: eve@x.example\nApparently-To: eve@x.example\n"
    "Resent-Bcc: eve@x.example\nX-Rcpt-To: eve@x.example\nX-PM-RCPT: eve@x.example\nX-A: 1\n\nx\n",
    headers=[("X-A", "1")], text="x\n")
add("headers-resent", "Resent-To and its like name people who need not be in the envelope.",
    "Resent-To: bo@x.example\nResent-Cc: cy@x.example\n\nx\n", text="x\n", ledger="date,headers")
add("headers-list-url", "A URL that looks like an encoded word is none, and a fold within goes.",
    "List-Unsubscribe: <https://x.example/u?a==?utf-8?Q?b?=>,\n <https://x.example/very\n long>\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nx\n",
    headers=[("List-Unsubscribe", "<https://x.example/u?a==?utf-8?Q?b?=>, "
                                  "<https://x.example/verylong>"),
             ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")], text="x\n")
add("headers-references-fold", "References of many lines.",
    "References:" + "".join(f"\n\t<{i}@x.example>" for i in range(30)) + "\n\nx\n",
    headers=[("References", " ".join(f"<{i}@x.example>" for i in range(30)))], text="x\n")
add("headers-empty", "Fields without a value do not go on.", "X-Empty:\nX-Blank:   \nX-A: 1\n\nx\n",
    headers=[("X-A", "1")], text="x\n")
add("headers-tab", "A tab is a control character, and becomes a space.", "X-A: one\ttwo\n\nx\n",
    headers=[("X-A", "one two")], text="x\n")
add("headers-long-value", "A value of 20000 in one line.", f"X-A: {'v' * 20000}\n\nx\n",
    headers=[("X-A", "v" * 20000)], text="x\n")
add("controls-twice", "The first of a kind counts, and the second is told.",
    "X-PM-Tag: first\nX-PM-Tag: second\n\nx\n", tag="first", text="x\n", ledger="date,x-pm",
    malformed="a field twice")
add("controls-metadata-repeated", "As on Postmark's SMTP service a repeated key gets a number.",
    "X-PM-Metadata-order: 1\nX-PM-Metadata-Order: 2\nX-PM-Metadata-relay-id: z\n\nx\n",
    metadata={"order": "1", "Order2": "2", "relay-id2": "z"}, text="x\n")
add("controls-metadata-nine", "Nine keys, and the relay's own: Postmark's limit.",
    "".join(f"X-PM-Metadata-k{i}: {i}\n" for i in range(9)) + "\nx\n",
    metadata={f"k{i}": str(i) for i in range(9)}, text="x\n")
add("control-metadata-ten", "Ten keys are one too many.",
    "".join(f"X-PM-Metadata-k{i}: {i}\n" for i in range(10)) + "\nx\n", refusal="554 5.6.0")
add("control-track-links-wrong", "A value that Postmark does not know.",
    "X-PM-TrackLinks: all\n\nx\n", refusal="554 5.6.0")
add("control-stream-wrong", "A stream that cannot be.", "X-PM-Message-Stream: A B\n\nx\n",
    refusal="554 5.6.0")
add("control-tag-1000", "A tag of 1000, Postmark's limit.", f"X-PM-Tag: {'t' * 1000}\n\nx\n",
    tag="t" * 1000, text="x\n")
whole("message-id-no-brackets", "A Message-ID without its brackets goes as it is.",
      'From: "Shop" <shop@shop.example>\nTo: Ann <ann@reader.example>\nSubject: s\n'
      "Message-ID: 12345@corpus.example\n\nx\n", subject="s",
      message_id="12345@corpus.example", text="x\n", ledger="",
      malformed="RFC 5322 3.6.4: brackets")

whole("header-control-only", "All there is is a field whose name is a control character.",
      b"\x18:\n", sender="bounce@shop.example", to="ann@reader.example", subject="",
      message_id="", text=".", ledger="from,no-body", malformed="RFC 5322 2.2")
whole("header-8bit-only", "All there is is a field whose name is beyond ASCII.",
      "\u00fc: x\n", sender="bounce@shop.example", to="ann@reader.example", subject="",
      message_id="", text=".", ledger="from,no-body", malformed="RFC 5322 2.2")
whole("line-without-end", "All there is is a word without a line end.",
      b"hello", sender="bounce@shop.example", to="ann@reader.example", subject="",
      message_id="", text="hello", ledger="from", malformed="no header")
whole("colon-only", "All there is is a colon.", b":\n", sender="bounce@shop.example",
      to="ann@reader.example", subject="", message_id="", text=":\n", ledger="from",
      malformed="RFC 5322 2.2")
