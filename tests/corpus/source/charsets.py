"""Texts in the charsets that mail is still written in, right, wrong and missing.

Encoded by Python's codecs, or byte by byte where Python has none; the relay uses iconv.
"""
import base64

from by_hand import add


def body(name, label, text, codec=None, raw=None, about=None, params="", **more):
    """A body in 8bit or, where it has NULs, in base64.  raw: the bytes, else Python encodes."""
    data = text.replace("\n", "\r\n").encode(codec) if raw is None else raw
    charset = f"; charset={label}" if label is not None else ""
    top = f"Content-Type: text/plain{charset}{params}\n".encode()
    if b"\0" in data:
        top += b"Content-Transfer-Encoding: base64\n\n"
        data = base64.encodebytes(data)
    else:
        top += b"Content-Transfer-Encoding: 8bit\n\n"
        data = data.replace(b"\r\n", b"\n")
    add(f"charset-{name}", about or f"A text in {label}.", top + data, text=text, **more)


SINGLE = [
    ("iso-8859-1", "Gr\u00fc\u00dfe, \u00e7a va \u00bfno?\n", None),
    ("iso-8859-2", "P\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148\n", None),
    ("iso-8859-3", "E\u0125o\u015dan\u011do \u0109iu\u0135a\u016dde\n", None),
    ("iso-8859-4", "\u0113\u016b\u012b\u0101\u0161\u0123\u0137\u013c\u017e\u010d\u0146\n", None),
    ("iso-8859-5", "\u041f\u0440\u0438\u0432\u0435\u0442, \u045e\u0456\u045f\n", None),
    ("iso-8859-6", "\u0645\u0631\u062d\u0628\u0627\n", None),
    ("iso-8859-7", "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5\n", None),
    ("iso-8859-8", "\u05e9\u05dc\u05d5\u05dd\n", None),
    ("iso-8859-9", "\u0130stanbul \u011f\u0131\u015f\n", None),
    ("iso-8859-10", "\u0104\u0113\u0123 \u0160\u0167\u0142\n".replace("\u0142", "\u0146"), None),
    ("iso-8859-13", "\u0105\u010d\u0119\u0117\u012f\u0161\u0173\u016b\u017e\n", None),
    ("iso-8859-14", "\u1e82\u0175\u1e83 t\u0177\n", None),
    ("iso-8859-15", "5 \u20ac, \u0153uvre, \u017ee\n", None),
    ("iso-8859-16", "\u0218i \u021bar\u0103\n", None),
    ("windows-1250", "P\u0159\u00edli\u0161 \u201e\u017elu\u0165\u201c \u20ac\n", None),
    ("windows-1251", "\u041f\u0440\u0438\u0432\u0435\u0442 \u2116 5 \u2014 \u0451\n", None),
    ("windows-1252", "\u201cso\u201d \u2013 5 \u20ac\u2026 \u0152\n", None),
    ("windows-1253", "\u0393\u03b5\u03b9\u03ac \u20ac\n", None),
    ("windows-1254", "\u0130stanbul \u011f\u0131\u015f \u20ac\n", None),
    ("windows-1255", "\u05e9\u05dc\u05d5\u05dd \u20aa\n", None),
    ("windows-1256", "\u0645\u0631\u062d\u0628\u0627 \u067e\n", None),
    ("windows-1257", "\u0105\u010d\u0119\u0117 \u201e\u20ac\u201c\n", None),
    ("windows-874", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u20ac\n", "cp874"),
    ("tis-620", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\n", None),
    ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442 \u0451\u2591\n", None),
    ("koi8-u", "\u041f\u0440\u0438\u0432\u0456\u0442 \u0457\u0454\u0491\n", None),
    ("ibm866", "\u041f\u0440\u0438\u0432\u0435\u0442 \u2551\n", None),
    ("cp437", "Gr\u00fc\u00dfe \u2551\n", None),
    ("ibm850", "Gr\u00fc\u00dfe \u00d8\n", None),
    ("cp852", "P\u0159\u00edli\u0161\n", None),
    ("macintosh", "Gr\u00fc\u00dfe \u201cso\u201d \u20ac \u2022\n", "mac_roman"),
    ("x-mac-roman", "Gr\u00fc\u00dfe \u201cso\u201d\n", "mac_roman"),
    ("x-mac-cyrillic", "\u041f\u0440\u0438\u0432\u0435\u0442 \u0451\n", "mac_cyrillic"),
    ("x-mac-ce", "P\u0159\u00edli\u0161 \u017elu\u0165\n", "mac_latin2"),
    ("x-mac-greek", "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5\n", "mac_greek"),
    ("x-mac-turkish", "\u0130stanbul \u011f\u0131\u015f\n", "mac_turkish"),
]
for label, text, codec in SINGLE:
    body(label, label, text, codec or label)

MULTI = [
    ("utf-8", "Gr\u00fc\u00dfe \u65e5\u672c\u8a9e \U0001f600\n", None),
    ("iso-2022-jp", "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8 and ascii\n", None),
    ("iso-2022-jp-1", "\u65e5\u672c\u8a9e \u4e02\n", None),
    ("iso-2022-jp-2", "\u65e5\u672c \ud55c\uad6d \u00e9\n", None),
    ("iso-2022-kr", "\ud55c\uad6d\uc5b4 ascii\n", None),
    ("shift_jis", "\u65e5\u672c\u8a9e \uff71\uff72 \\ ~\n", "cp932"),
    ("euc-jp", "\u65e5\u672c\u8a9e \uff71 \u4e02\n", None),
    ("gb2312", "\u4f60\u597d\u4e16\u754c\n", None),
    ("gbk", "\u4f60\u597d \u9555 \u9f98\n", None),
    ("gb18030", "\u4f60\u597d \U00020000 \U0001f600 \u00fc\n", None),
    ("hz-gb-2312", "\u4f60\u597d ~ ok\n", "hz"),
    ("big5", "\u4f60\u597d\u4e16\u754c\n", None),
    ("big5-hkscs", "\u4f60\u5605 \u5497\n", "big5hkscs"),
    ("euc-kr", "\ud55c\uad6d\uc5b4\n", None),
    ("ks_c_5601-1987", "\ud55c\uad6d\uc5b4 \ub618\ubc29\uac01\ud558\n", "cp949"),
    ("cp949", "\ub618\ubc29\uac01\ud558\n", None),
    ("utf-7", "Hi \u00fc\u00df 1+1 \u65e5\n", None),
    ("utf-16", "Gr\u00fc\u00dfe \u65e5 \U0001f600\n", None),
    ("utf-16le", "Gr\u00fc\u00dfe \u65e5\n", None),
    ("utf-16be", "Gr\u00fc\u00dfe \u65e5\n", None),
    ("utf-32", "Gr\u00fc\u00dfe \U0001f600\n", None),
]
for label, text, codec in MULTI:
    body(label, label, text, codec or label)

# Not every Python writes a letter of two code points.
for label, escape in [("iso-2022-jp-3", b"O"), ("iso-2022-jp-2004", b"Q")]:
    body(label, label, "\u65e5\u672c \u304b\u309a\n",
         raw=b"\x1b$BF|K\\\x1b(B \x1b$(" + escape + b"$w\x1b(B\r\n")

# What the label says is less than what its senders mean by it (Encoding Standard).
body("gb2312-is-gbk", "gb2312", "\u6731\u9555\u57fa\n", "gbk",
     about="gb2312 of a Windows has all of GBK: the name of a prime minister needs it.")
body("shift-jis-nec", "Shift_JIS", "\u2460 \u2116 \u9ad9\n", "cp932",
     about="Shift_JIS of a Windows has NEC's and IBM's characters.")
body("euc-jp-nec", "euc-jp", "\u2460\u3231\n", raw=b"\xad\xa1\xad\xea\r\n",
     about="NEC's row 13 in EUC-JP, which Windows and all browsers have.",
     oracle="Python's euc_jp has no row 13")
body("euc-kr-is-uhc", "euc-kr", "\ub618\ubc29\uac01\ud558\n", "cp949",
     about="EUC-KR of a Windows has the syllables of the Unified Hangul Code.")
body("big5-eten", "big5", "\u7881\u92b9\u88cf\n", "cp950",
     about="Big5 with the characters that Windows took from ETEN.")
body("iso-2022-jp-nec", "iso-2022-jp", "\u2460\u3231\u65e5\n",
     raw=b"\x1b$B-!-jF|\x1b(B\r\n",
     about="NEC's row 13 in ISO-2022-JP, as Outlook sends it (CP50220).",
     oracle="Python's iso2022_jp has no row 13")
body("iso-2022-jp-katakana", "iso-2022-jp", "\uff71\uff72\uff73 \u65e5\n",
     raw=b"\x1b(I123\x1b(B \x1b$BF|\x1b(B\r\n",
     about="Half-width katakana in ISO-2022-JP (CP50221; Encoding Standard).",
     oracle="Python's iso2022_jp has no katakana set")
body("iso-2022-jp-ms", "iso-2022-jp-ms", "\u2460\u65e5\n", raw=b"\x1b$B-!F|\x1b(B\r\n",
     about="The extension by its own name.", oracle="no codec of this name")
body("cp50221", "cp50221", "\uff71\u65e5\n", raw=b"\x1b(I1\x1b$BF|\x1b(B\r\n",
     about="The extension by its Windows number.", oracle="no codec of this name")
body("iso-2022-jp-no-return", "iso-2022-jp", "\u65e5\nx\n", raw=b"\x1b$BF|\r\nx\r\n",
     about="The return to ASCII is missing at the end of a line: RFC 1468 and the Encoding "
           "Standard differ; a line end is ASCII for both, and what follows is no text of two "
           "bytes each.", malformed="RFC 1468: a line ends in ASCII")
body("iso-2022-cn", "iso-2022-cn", "\u4f60\u597d ok\n", raw=b"\x1b$)A\x0e" +
     bytes(b & 0x7F for b in "\u4f60\u597d".encode("gb2312")) + b"\x0f ok\r\n",
     about="RFC 1922.", oracle="no codec of this name")
body("hz-mixed", "HZ-GB-2312", "a ~ \u4f60 b\n", "hz", about="RFC 1843 with a tilde.")
body("utf-16-no-mark", "utf-16", "Gr\u00fc\u00dfe\n", "utf-16le",
     about="UTF-16 without a mark: RFC 2781 4.3 says big-endian, browsers and practice little-"
           "endian; the text tells.", malformed="no byte order mark")
body("utf-8-mark", "utf-8", "Gr\u00fc\u00dfe\n", raw=b"\xef\xbb\xbfGr\xc3\xbc\xc3\x9fe\r\n",
     about="A byte order mark at the start of a UTF-8 text is none of it.",
     oracle="Python leaves the mark in")
body("utf-8-four-bytes", "utf-8", "\U0001f469\u200d\U0001f680 \U00020bb7\n", "utf-8",
     about="Beyond the BMP, with a joiner.")
body("unicode-1-1-utf-7", "unicode-1-1-utf-7", "J\u00fcrgen\n", "utf-7")

# Labels as they come.
for name, label, text, codec in [
        ("label-utf8", "utf8", "\u00fc\n", "utf-8"),
        ("label-upper", "UTF-8", "\u00fc\n", "utf-8"),
        ("label-quoted", '"utf-8"', "\u00fc\n", "utf-8"),
        ("label-latin1", "latin1", "\u00fc\n", "latin1"),
        ("label-iso8859-1", "ISO8859-1", "\u00fc\n", "latin1"),
        ("label-iso-8859-1-year", '"ISO_8859-1:1987"', "\u00fc\n", "latin1"),
        ("label-cp1252", "cp1252", "\u20ac\n", "cp1252"),
        ("label-windows-31j", "Windows-31J", "\u2460\n", "cp932"),
        ("label-x-sjis", "x-sjis", "\u65e5\n", "cp932"),
        ("label-ms932", "ms932", "\u2460\n", "cp932"),
        ("label-x-gbk", "x-gbk", "\u4f60\n", "gbk"),
        ("label-cp936", "cp936", "\u4f60\n", "gbk"),
        ("label-korean", "korean", "\ud55c\n", "cp949"),
        ("label-x-windows-949", "x-windows-949", "\ub618\n", "cp949"),
        ("label-koi8r", "koi8r", "\u041f\n", "koi8-r"),
        ("label-koi", "koi8", "\u041f\n", "koi8-r"),
        ("label-x-cp1251", "x-cp1251", "\u041f\n", "cp1251"),
        ("label-cp-850", "cp850", "\u00fc\n", "cp850"),
        ("label-iso-8859-8-i", "iso-8859-8-i", "\u05e9\u05dc\n", "iso-8859-8"),
        ("label-iso-8859-11", "iso-8859-11", "\u0e2a\n", "iso-8859-11")]:
    body(name, label, text, codec, about=f"The charset by the name {label}.")

for name, label, raw, text, why in [
        ("wrong-ascii-latin1", "us-ascii", b"Gr\xfc\xdfe\r\n", "Gr\u00fc\u00dfe\n",
         "ASCII with other bytes"),
        ("wrong-ascii-utf8", "us-ascii", "Gr\u00fc\u00dfe\r\n".encode(), "Gr\u00fc\u00dfe\n",
         "ASCII with other bytes"),
        ("wrong-none-latin1", None, b"Gr\xfc\xdfe\r\n", "Gr\u00fc\u00dfe\n", "no charset"),
        ("wrong-unknown-8bit", "unknown-8bit", b"Gr\xfc\xdfe\r\n", "Gr\u00fc\u00dfe\n",
         "RFC 1428: nobody knows"),
        ("wrong-x-unknown-utf8", "x-unknown", "Gr\u00fc\u00dfe\r\n".encode(),
         "Gr\u00fc\u00dfe\n", "an unknown name"),
        ("wrong-empty", '""', "Gr\u00fc\u00dfe\r\n".encode(), "Gr\u00fc\u00dfe\n",
         "an empty name"),
        ("wrong-path", '"../../etc/x"', b"Gr\xfc\xdfe\r\n", "Gr\u00fc\u00dfe\n",
         "a path for a name"),
        ("wrong-iconv-option", '"utf-8//TRANSLIT"', "Gr\u00fc\u00dfe\r\n".encode(),
         "Gr\u00fc\u00dfe\n", "an option of iconv in the name"),
        ("wrong-single-quotes", "'utf-8'", "Gr\u00fc\u00dfe\r\n".encode(), "Gr\u00fc\u00dfe\n",
         "single quotes are part of the name")]:
    body(name, label, text, raw=raw, about=why + ".", malformed=why)

body("wrong-latin1-is-utf8", "utf-8", "Gr\ufffd\ufffde\n", raw=b"Gr\xfc\xdfe\r\n",
     about="Latin-1 that says UTF-8.", malformed="not what it says", undecodable=2)
body("wrong-shift-jis", "shift_jis", "\u65e5\ufffd\n", raw=b"\x93\xfa\x93\r\n",
     about="A lead byte at the end of a line.", malformed="not what it says", undecodable=1)
body("wrong-two-charsets", "utf-8", "\u00fc\n", "utf-8", params="; charset=iso-8859-1",
     about="Two charset parameters: the first counts.", malformed="a parameter twice")

# A converter that waits for a combining character must give its last one out (glibc's do wait).
for label, text, codec in [("windows-1255", "\u05e9\u05dc\u05d5\u05dd", None),
                           ("windows-1258", "Vi\u1ec7t".replace("\u1ec7", "\u00ea\u0323"), None),
                           ("big5-hkscs", "\u4f60\u00ca", "big5hkscs"),
                           ("iso-2022-jp-3", "\u65e5\u304b", None),
                           ("koi8-r", "\u041f", None), ("utf-7", "J\u00fc", None),
                           ("iso-2022-jp", "\u65e5", None), ("gb18030", "\u4f60", None)]:
    data = text.encode(codec or label)
    add(f"charset-{label}-end", f"A text in {label} that ends with its last character.",
        f"Content-Type: text/plain; charset={label}\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.b64encode(data).decode()}\n",
        text=text.replace("\u00ea\u0323", "\u1ec7"),
        **({"oracle": "Python leaves the accent by itself"} if label == "windows-1258" else {}))
body("windows-1255-bad", "windows-1255", "\u05e9\u05dd\ufffdx\n", raw=b"\xf9\xed\xd9x\r\n",
     about="What stood before a bad byte comes out before its U+FFFD.",
     malformed="not of the charset", undecodable=1)
body("windows-1258", "windows-1258", "Ti\u1ebfng Vi\u1ec7t\n",
     raw=b"Ti\xea\xecng Vi\xea\xf2t\r\n",
     about="Vietnamese: a letter and its combining accent become one.",
     oracle="Python leaves the accents by themselves")

for label, text, codec in [("x-mac-croatian", "\u010de\u0161\u017ee \u0111\n", "mac_croatian"),
                           ("x-mac-romanian", "\u0218i \u021bar\u0103\n", "mac_romanian"),
                           ("x-mac-icelandic",
                            "\u00dea\u00f0 er g\u00f3\u00f0 \u00fdta, \u00d0\u00dd\u00fe\n",
                            "mac_iceland"),
                           ("x-mac-ukrainian", "\u041f\u0440\u0438\u0432\u0456\u0442 \u0457\n",
                            "mac_cyrillic")]:
    body(label, label, text, codec)
for name, label, text, codec in [
        ("label-win-1251", "win-1251", "\u041f\n", "cp1251"),
        ("label-latin-1", "latin-1", "\u00fc\n", "latin1"),
        ("label-iso8859_15", "iso8859_15", "\u20ac\n", "iso-8859-15"),
        ("label-windows1252", "windows1252", "\u20ac\n", "cp1252"),
        ("label-shift-jis", "shift-jis", "\u65e5\n", "cp932"),
        ("label-x-euc-jp", "x-euc-jp", "\u65e5\n", "euc-jp"),
        ("label-gb_2312-80", "GB_2312-80", "\u4f60\n", "gb2312"),
        ("label-big5-spelling", "Big-5", "\u4f60\n", "big5"),
        ("label-csisolatin2", "csISOLatin2", "\u0159\n", "iso-8859-2"),
        ("label-utf-8-quoted-twice", '"\\"utf-8\\""', "\u00fc\n", "utf-8")]:
    body(name, label, text, codec, about=f"The charset by the name {label}.",
         oracle="the name is not Python's")

body("big5-symbols", "big5", "\uffe3 \u02cd \u2574Z\n", "cp950",
     about="Three characters of plain Big5 that glibc's BIG5-HKSCS has not.")
body("macintosh-increment", "macintosh", "\u2206 \u03a9\n", "mac_roman",
     about="Apple's 0xC6 is the increment, not a Greek letter.")
body("x-mac-cyrillic-euro", "x-mac-cyrillic", "5 \u20ac\n", "mac_cyrillic",
     about="Apple's 0xFF is the euro (Encoding Standard).")
