"""Names and types of attachments: parameters as RFC 2231, RFC 2047 and real clients write them."""
from corpus import attachment
from by_hand import add, b64

DATA = b"content of a file\n"


def named(name, fields, wanted, about, kind="application/x-thing", data=DATA, ledger="date",
          **more):
    """One file beside a text; fields: its header, without the transfer encoding."""
    top = (f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n").encode()
    if isinstance(fields, str):
        fields = fields.encode()
    add(f"name-{name}", about, top + fields + b"\nContent-Transfer-Encoding: base64\n\n" +
        b64(data).encode() + b"\n--m--\n", text="see",
        attachments=[attachment(wanted, kind, data)], ledger=ledger, **more)


CT = "Content-Type: application/x-thing\n"
CD = CT + "Content-Disposition: attachment"

named("plain", CD + "; filename=report.txt", "report.txt", "A token.")
named("quoted", CD + '; filename="my report.txt"', "my report.txt", "A quoted string.")
named("escaped", CD + '; filename="a\\"b\\\\c.txt"', "c.txt",
      "Escapes in a quoted string: a quote, and a backslash, which separates folders.")
named("in-content-type", 'Content-Type: application/x-thing; name="n.txt"', "n.txt",
      "name of Content-Type, where there is no other.")
named("both", 'Content-Type: application/x-thing; name="old.txt"\nContent-Disposition: '
      'attachment; filename="new.txt"', "new.txt", "RFC 2183: filename is the one.")
named("no-name", CD, "attachment-1.dat", "A name is made up, with the extension of the type.",
      ledger="date,names")
named("no-name-pdf", "Content-Type: application/pdf\nContent-Disposition: attachment",
      "attachment-1.pdf", "A made-up name of a type that is known.", "application/pdf",
      ledger="date,names")
named("empty", CD + '; filename=""', "attachment-1.dat", "An empty name is none.",
      ledger="date,names")
named("octet-stream-no-name", "Content-Type: application/octet-stream\n"
      "Content-Disposition: attachment", "attachment-1.dat",
      "Not .bin, which Postmark refuses.", "application/octet-stream", ledger="date,names")

# RFC 2231
named("2231", CD + "; filename*=utf-8''Gr%C3%BC%C3%9Fe.txt", "Gr\u00fc\u00dfe.txt",
      "RFC 2231: a charset.")
named("2231-latin1", CD + "; filename*=iso-8859-1'de'Gr%FC%DFe.txt", "Gr\u00fc\u00dfe.txt",
      "RFC 2231: a charset and a language.")
named("2231-no-charset", CD + "; filename*=''Gr%C3%BCn.txt", "Gr\u00fcn.txt",
      "RFC 2231 4: charset and language may be empty.")
named("2231-unknown-charset", CD + "; filename*=x-none''Gr%C3%BCn.txt", "Gr\u00fcn.txt",
      "A charset nobody knows: UTF-8 when it is valid.", malformed="unknown charset")
named("2231-euc-kr", CD + "; filename*=ks_c_5601-1987''%C7%D1.txt", "\ud55c.txt",
      "RFC 2231 in a Korean charset.")
named("2231-gb18030", CD + "; filename*=gb18030''%C4%E3.txt", "\u4f60.txt",
      "RFC 2231 in a Chinese charset.")
named("2231-windows-1255", CD + "; filename*=windows-1255''%F9%EC%E5%ED",
      "\u05e9\u05dc\u05d5\u05dd", "RFC 2231 in a Hebrew charset, to the last letter.")
named("2231-iso-2022-jp", CD + "; filename*=iso-2022-jp''%1B$BF%7CK%5C%1B%28B.txt",
      "\u65e5\u672c.txt", "RFC 2231 in ISO-2022-JP.")
named("2231-continued", CD + ';\n filename*0="a very long name ";\n filename*1="of two parts.txt"',
      "a very long name of two parts.txt", "RFC 2231 3: continuations without a charset.")
named("2231-continued-charset", CD + ";\n filename*0*=utf-8''%E6%97%A5;\n filename*1*=%E6%9C%AC;"
      "\n filename*2=.txt", "\u65e5\u672c.txt", "RFC 2231 4.1: both together, mixed.")
named("2231-split-character", CD + ";\n filename*0*=utf-8''%E6%97;\n filename*1*=%A5.txt",
      "\u65e5.txt", "A character cut between two sections.")
named("2231-out-of-order", CD + ";\n filename*1*=%E6%9C%AC.txt;\n filename*0*=utf-8''%E6%97%A5",
      "\u65e5\u672c.txt", "RFC 2231 3: the order of sections does not matter.")
named("2231-ten-sections", CD + "".join(f";\n filename*{i}={chr(97 + i)}" for i in range(12)) +
      "", "abcdefghijkl", "More than ten sections: numbers, not letters, are sorted.")
named("2231-and-plain", CD + "; filename=\"ascii.txt\"; filename*=utf-8''r%C3%A9sum%C3%A9.txt",
      "r\u00e9sum\u00e9.txt", "RFC 6266 4.3: the extended one is the better.")
named("2231-before-plain", CD + "; filename*=utf-8''r%C3%A9sum%C3%A9.txt; filename=\"ascii.txt\"",
      "r\u00e9sum\u00e9.txt", "The same the other way round.")
named("2231-percent", CD + "; filename*=utf-8''100%25.txt", "100%.txt", "An encoded percent sign.")
named("2231-bad-percent", CD + "; filename*=utf-8''50%ZZ%4.txt", "50%ZZ%4.txt",
      "Percent signs that encode nothing are themselves.", malformed="RFC 2231 7")
named("2231-quoted", CD + "; filename*=\"utf-8''Gr%C3%BCn.txt\"", "Gr\u00fcn.txt",
      "In quotes, as some clients have it.", malformed="RFC 2231 7: no quotes")
named("percent-in-plain", CD + '; filename="100%25.txt"', "100%25.txt",
      "Without the star a percent sign is a percent sign.")
named("2231-name", "Content-Type: application/x-thing;\n name*=utf-8''Gr%C3%BCn.txt",
      "Gr\u00fcn.txt", "RFC 2231 in Content-Type.")

# RFC 2047, which forbids itself here, and which most clients write
W2047 = "RFC 2047 5: no encoded word in a parameter"
named("2047-quoted", CD + '; filename="=?utf-8?Q?Gr=C3=BCn=2Etxt?="', "Gr\u00fcn.txt",
      "An encoded word in quotes.", malformed=W2047)
named("2047-token", CD + "; filename==?utf-8?B?R3LDvG4udHh0?=", "Gr\u00fcn.txt",
      "An encoded word without quotes.", malformed=W2047)
named("2047-folded", CD + ';\n filename="=?utf-8?B?5pel5pys?=\n =?utf-8?B?6Kqe?=.txt"',
      "\u65e5\u672c\u8a9e.txt", "Several words, folded between.", malformed=W2047)
named("2047-split-character", CD + '; filename="=?utf-8?B?5pel5pw=?= =?utf-8?B?rC50eHQ=?="',
      "\u65e5\u672c.txt", "Cut within a character.", malformed=W2047)
named("2047-latin1", CD + '; filename="=?iso-8859-1?Q?r=E9sum=E9?=.doc"', "r\u00e9sum\u00e9.doc",
      "A word and more after it.", malformed=W2047)
named("2047-gb2312", CD + '; filename="=?gb2312?B?xOM=?=.txt"', "\u4f60.txt",
      "As Foxmail writes it.", malformed=W2047)
named("2047-in-name", 'Content-Type: application/x-thing; name="=?koi8-r?B?8NI=?=.txt"',
      "\u041f\u0440.txt", "In Content-Type.", malformed=W2047)
named("2047-semicolon", CD + '; filename="=?utf-8?Q?a=3Bb=22c?=.txt"', "a;b_c.txt",
      "What a word hides never takes part in the syntax; a quote is not for a file's name.",
      malformed=W2047)
named("2047-path", CD + '; filename="=?utf-8?Q?=2E=2E=2F=2E=2E=2Fetc=2Fpasswd?="', "passwd",
      "A path hidden in a word.", malformed=W2047)

# Raw bytes
named("8bit-utf8", CD + '; filename="Gr\u00fcn.txt"', "Gr\u00fcn.txt", "UTF-8 as it is (RFC 6532).")
named("8bit-latin1", (CD + '; filename="Gr').encode() + b'\xfcn.txt"', "Gr\u00fcn.txt",
      "Other bytes as they are.", malformed="8bit in a header")

# Paths and other traps
named("path-windows", CD + '; filename="C:\\\\docs\\\\x.doc"', "x.doc", "A path of Windows.")
named("path-up", CD + '; filename="../../etc/passwd"', "passwd", "A path upward.")
named("path-root", CD + '; filename="/etc/passwd"', "passwd", "An absolute path.")
named("path-only-dots", CD + '; filename=".."', "attachment-1.dat", "No name is left.",
      ledger="date,names")
named("path-ends-in-slash", CD + '; filename="dir/"', "attachment-1.dat", "No name is left.",
      ledger="date,names")
named("line-end", CD + "; filename*=utf-8''a%0D%0Ab.txt", "a  b.txt",
      "Line ends become spaces.", malformed="control characters")
named("right-to-left", CD + "; filename*=utf-8''a%E2%80%AEfdp.txt", "afdp.txt",
      "Characters that turn the direction are left out.")
named("very-long", CD + f'; filename="{"x" * 300}.pdf"', "x" * 196 + ".pdf",
      "Cut so that file systems take it; the extension stays.")
named("dot-file", CD + '; filename=".profile"', ".profile", "A name that begins with a dot.")
named("two-dispositions", CT + "Content-Disposition: inline\nContent-Disposition: attachment; "
      "filename=second.txt", "second.txt", "Two Content-Dispositions: the one with the name.",
      malformed="a field twice")
named("disposition-unknown", CT + "Content-Disposition: x-show; filename=n.txt", "n.txt",
      "RFC 2183 2.8: an unknown disposition is attachment.")
named("disposition-only-name", CT + 'Content-Disposition: filename="n.txt"', "n.txt",
      "The type of the disposition is missing.", malformed="RFC 2183 2")
named("disposition-case", CT + 'CONTENT-DISPOSITION: ATTACHMENT; FILENAME="n.txt"', "n.txt",
      "Names of fields and parameters have no case.")
named("spaces-around", CT + 'Content-Disposition: attachment ;  filename = "n.txt" ', "n.txt",
      "Spaces around the equals sign.", malformed="RFC 2045 5.1: none there")
named("trailing-semicolon", CD + '; filename="n.txt";', "n.txt", "A semicolon at the end.",
      malformed="RFC 2045 5.1")
named("other-parameters", CD + '; size=18; creation-date="Mon, 23 Nov 2026 09:00:00 +0000"; '
      'filename=n.txt', "n.txt", "RFC 2183's other parameters.")
named("twice", CD + "; filename=first.txt; filename=second.txt", "first.txt",
      "A parameter twice.", malformed="a parameter twice")

for extension in ("exe", "bat", "vbs", "SCR", "jse"):
    add(f"forbidden-{extension.lower()}", "An extension that Postmark refuses (ErrorCode 411).",
        f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n{CD}; "
        f"filename=tool.{extension}\n\nx\n--m--\n",
        refusal=f"554 5.7.1 attachment tool.{extension}: Postmark does not take files with the "
                f"extension .{extension.lower()}")
add("forbidden-trailing-dot", "Windows takes the dot off, and finds the extension.",
    f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n{CD}; filename=\"a.exe.\"\n\n"
    "x\n--m--\n", refusal="554 5.7.1 attachment a.exe:")
add("forbidden-inside-zip", "An archive is not looked into.",
    f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n"
    f"Content-Type: application/zip; name=tool.exe.zip\nContent-Transfer-Encoding: base64\n\n"
    f"{b64(DATA)}\n--m--\n", text="see",
    attachments=[attachment("tool.exe.zip", "application/zip", DATA)])

# Types
for name, header, kind, about, more in [
        ("parameters", "Content-Type: text/csv; charset=UTF-8; header=present; name=n.csv",
         "text/csv; charset=UTF-8", "Of a type's parameters those go on that a reader needs.", {}),
        ("method", "Content-Type: text/calendar; method=CANCEL; name=n.ics",
         "text/calendar; method=CANCEL", "method goes on.", {"ledger": "date,calendar"}),
        ("case", "Content-Type: Application/PDF; Name=n.pdf", "application/pdf",
         "Types have no case.", {}),
        ("missing", "Content-Disposition: attachment; filename=n.txt", "text/plain",
         "RFC 2045 5.2: no type is text/plain.", {}),
        ("malformed", "Content-Type: pdf\nContent-Disposition: attachment; filename=n.pdf",
         "application/octet-stream", "A type that cannot be read, of a file: bytes. As text its "
         "line ends would be in danger.", {"malformed": "no subtype"}),
        ("image-inline", "Content-Type: image/png; name=n.png\nContent-Disposition: inline",
         "image/png", "Inline without an id is a file like another.", {})]:
    named(f"type-{name}", header, "n." + header.split("ame=n.")[1][:3], about, kind, **more)

named("unquoted-spaces", CD + "; filename=my report.txt", "my report.txt", "Spaces without quotes.",
      malformed="RFC 2045 5.1")
named("quote-never-ends", CD + '; filename="my report.txt', "my report.txt",
      "The second quote is missing.", malformed="RFC 2045 5.1")
named("no-semicolon", CD + ' filename="n.txt"', "n.txt", "The semicolon is missing.",
      malformed="RFC 2183 2")
named("encoded-extension", CD + "; filename*=utf-8''a%2Etxt", "a.txt", "An encoded dot.")
named("device", CD + '; filename="con:aux?.txt"', "con_aux?.txt",
      "A colon starts a second name for a file on some systems.")
named("spaces-only", CD + '; filename="   "', "attachment-1.dat", "A name of spaces is none.",
      ledger="date,names")
named("utf8-cut", CD + "; filename*=utf-8''" + "%C3%A4" * 150 + ".txt",
      "\u00e4" * 98 + ".txt", "Cut at a character, not within one.")
named("two-dots", CD + '; filename="a..pdf"', "a..pdf", "Dots within a name stay.")
add("forbidden-2047", "An extension that is hidden in an encoded word.",
    f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n{CD}; "
    'filename="=?utf-8?B?YS5leGU=?="\n\nx\n--m--\n', refusal="554 5.7.1 attachment a.exe:")
add("forbidden-2231-split", "An extension that is cut over two sections.",
    f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n{CD};\n "
    "filename*0=\"a.e\";\n filename*1=xe\n\nx\n--m--\n", refusal="554 5.7.1 attachment a.exe:")
add("forbidden-right-to-left", "Characters that turn the direction do not hide it.",
    f"Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n{CD}; "
    "filename*=utf-8''x.s%E2%80%AEcr\n\nx\n--m--\n", refusal="554 5.7.1 attachment x.scr:")
