#!/usr/bin/env python3
"""Random well-formed mails, on which Python and the conversion must agree as on the corpus.

    random_mails.py                 300 mails, the same ones each time
    random_mails.py SEED COUNT      others; what differs is left in the folder that is named
"""
import base64
import binascii
import json
import os
import quopri
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import oracle  # noqa: E402

WORDS = ["plain", "Gr\u00fc\u00dfe", "\u65e5\u672c\u8a9e", "\u041f\u0440\u0438\u0432\u0435\u0442",
         "a=b", "<b>", "&amp;", "5 \u20ac", "\U0001f600", ".", "From me", "--", "--b", "\ud55c\uad6d",
         "\u05e9\u05dc\u05d5\u05dd", "end ", " indented", "=3D", "\t", "x" * 70, "cid:", "</p>"]
CHARSETS = ["utf-8", "UTF-8", "iso-8859-1", "iso-8859-15", "windows-1251", "koi8-r", "iso-2022-jp",
            "shift_jis", "gb18030", "euc-kr", "big5", "windows-1255", "utf-16", "us-ascii"]
NAMES = ["a.pdf", "with space.txt", "Gr\u00fcn.png", "\u65e5\u672c.doc", "n", "a;b=c.txt",
         "long-" * 20 + "name.csv", "100%.txt", "it's.txt"]


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ids = []

    def chance(self, part):
        return self.random.random() < part

    def words(self, charset="utf-8", most=12):
        out = []
        for _ in range(self.random.randrange(most)):
            word = self.random.choice(WORDS)
            try:
                word.encode(oracle.CODECS.get(charset.lower(), charset))
            except UnicodeEncodeError:
                continue
            out.append(word + self.random.choice([" ", "\r\n", "\r\n\r\n", " "]))
        return "".join(out)

    def case(self, text):
        return self.random.choice([text, text, text.upper(), text.lower(), text.title()])

    def parameter(self, name, value):
        """As RFC 2231 wants it, in one or more sections, or quoted."""
        start = ";" + self.random.choice(["\r\n ", "\r\n\t", " ", "", "  "]) + self.case(name)
        if value.isascii() and self.chance(0.7):
            if self.chance(0.3):
                value = "".join("\\" + c if self.chance(0.2) else c for c in value)
            return f'{start}="{value}"'
        octets = [f"%{b:02X}" if not chr(b).isalnum() or b > 127 else chr(b)
                  for b in value.encode()]
        if self.chance(0.5):
            return start + self.random.choice(["*=utf-8''", "*=UTF-8'de'"]) + "".join(octets)
        size = self.random.randrange(1, 20)
        pieces = ["".join(octets[i:i + size]) for i in range(0, len(octets), size)]
        pieces = [f"{start}*{i}*=" + ("utf-8''" if i == 0 else "") + piece
                  for i, piece in enumerate(pieces)]
        return "".join(pieces)

    def encoded(self, data, text):
        ways = ["base64", "quoted-printable"]
        if b"\0" not in data and b"\r" not in data.replace(b"\r\n", b"") and \
                b"\n" not in data.replace(b"\r\n", b"") and b"\n--" not in data and \
                not data.startswith(b"--"):
            ways += ["8bit"] if text else []
            ways += ["7bit", None] if text and all(b < 128 for b in data) else []
        if not text and self.chance(0.1):
            ways = ["x-uuencode"]
        way = self.random.choice(ways)
        if way == "x-uuencode":
            lines = [binascii.b2a_uu(data[i:i + 45]).rstrip(b"\n") for i in
                     range(0, len(data), 45)]
            data = b"\r\n".join([b"begin 644 a.dat", *lines, b"`", b"end"])
        elif way == "base64":
            width = self.random.choice([76, 72, 60, 4, 500])
            body = base64.b64encode(data)
            data = b"\r\n".join(body[i:i + width] for i in range(0, len(body), width))
            data += b"\r\n" if self.chance(0.3) else b""
        elif way == "quoted-printable":
            # Python's encoder leaves line ends as they are.
            if not text or b"\r" in data.replace(b"\r\n", b""):
                data = b"=\r\n".join(b"".join(b"=%02X" % b for b in data[i:i + 20])
                                     for i in range(0, len(data), 20))
            else:
                data = quopri.encodestring(data.replace(b"\r\n", b"\n"))
                data = data.replace(b"\n", b"\r\n").replace(b"\n--", b"\n=2D-")
                data = b"=2D" + data[1:] if data.startswith(b"--") else data
        return way, data

    def leaf(self, kind=None):
        kind = kind or self.random.choices(
            ["text/plain", "text/html", "image/png", "application/pdf", "message/rfc822",
             "text/calendar", "text/csv", "application/octet-stream"],
            [8, 6, 4, 2, 1, 1, 1, 1])[0]
        head, text = self.case("Content-Type") + ": " + self.case(kind), kind.startswith("text/")
        if kind == "message/rfc822":
            inner = "Subject: inner\r\nX-Y: z\r\n\r\n" + "inside\r\n" * self.random.randrange(3)
            return (head + "\r\n\r\n" + inner).encode()
        if text:
            charset = self.random.choice(CHARSETS)
            body = self.words(charset)
            if kind == "text/html":
                body = f"<p>{body}"
                if self.ids and self.chance(0.5):
                    body += f'<img src="cid:{self.random.choice(self.ids)}">'
                body += self.random.choice(["", "</body></html>", "</BODY>\r\n"])
            data = body.encode(oracle.CODECS.get(charset.lower(), charset))
            head += self.random.choice([f"; charset={charset}", f'; charset="{charset}"',
                                        f';\r\n\tCharset="{charset}"; x-other="a;b=c"'])
        else:
            data = self.random.randbytes(self.random.randrange(200))
        name = self.random.choice(NAMES) if self.chance(0.1 if text else 0.8) else None
        if name and self.chance(0.5):
            head += self.parameter("name", name)
        if self.chance(0.2 if text else 0.7):
            head += "\r\n" + self.case("Content-Disposition") + ": " + \
                self.case(self.random.choice(["inline", "attachment"]))
            if name:
                head += self.parameter("filename", name)
        if kind == "image/png" and self.chance(0.8):
            identifier = f"id{len(self.ids)}@x.example"
            self.ids.append(identifier)
            head += f"\r\nContent-ID: <{identifier}>"
        way, data = self.encoded(data, text)
        if way:
            head += "\r\n" + self.case("Content-Transfer-Encoding") + ": " + self.case(way)
        return head.encode() + b"\r\n\r\n" + data

    def part(self, depth):
        if depth == 0 or self.chance(0.35):
            return self.leaf()
        kind = self.random.choices(["mixed", "alternative", "related", "signed", "x-odd"],
                                   [5, 5, 4, 1, 1])[0]
        boundary = f"=_{self.random.randrange(1 << 40):x}"
        if kind == "signed":
            parts = [self.part(depth - 1),
                     b"Content-Type: application/pgp-signature\r\n\r\nSIG\r\n"]
        else:
            parts = [self.part(depth - 1) for _ in range(self.random.randrange(1, 4))]
        out = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
        out += b"preamble\r\n" if self.chance(0.3) else b""
        for one in parts:
            out += f"--{boundary}\r\n".encode() + one + b"\r\n"
        out += f"--{boundary}--\r\n".encode()
        out += b"epilogue\r\n" if self.chance(0.2) else b""
        return out

    def subject(self):
        """Ordinary and encoded words; whole characters in each, as RFC 2047 5 wants it."""
        out = []
        for _ in range(self.random.randrange(8)):
            if self.chance(0.4):
                out.append(self.random.choice(["plain", "Re:", "a=b", "1?2", "(x)", "=x?="]))
                continue
            charset = self.random.choice(CHARSETS)
            codec = oracle.CODECS.get(charset.lower(), charset)
            text = self.random.choice(WORDS)[:10]
            try:
                data = text.encode(codec)
            except UnicodeEncodeError:
                continue
            if self.chance(0.5):
                coded = "B?" + base64.b64encode(data).decode()
            else:
                coded = "Q?" + "".join(chr(b) if chr(b).isalnum() and b < 128 else
                                       "_" if b == 32 else f"={b:02X}" for b in data)
            out.append(f"=?{self.case(charset)}?{coded}?=")
        return "".join(word + self.random.choice([" ", "\r\n ", "  "]) for word in out).strip()

    def mailbox(self, address):
        kind = self.random.randrange(5)
        if kind == 0:
            return address
        if kind == 1:
            return f"<{address}>"
        if kind == 2:
            return self.random.choice(["Ann", "Ann B Smith", "O'Neil", "a-b.c"]) + f" <{address}>"
        if kind == 3:
            name = self.random.choice(["Smith, Ann", 'A \\"B\\" C', "x@y.example", "a;b:c", "(x)",
                                       "J\u00fcrgen", "\u65e5\u672c, \u8a9e", "<b>"])
            return f'"{name}" <{address}>'
        word = self.random.choice(["J\u00fcrgen", "\u65e5\u672c\u8a9e", "a, b", "<c>", '"d"'])
        return " ".join(f"=?utf-8?B?{base64.b64encode(word.encode()).decode()}?="
                        for _ in range(self.random.randrange(1, 3))) + f" <{address}>"

    def addresses(self):
        """The fields, and the envelope, which is never quite the same."""
        all_of_them = [f"r{i}@reader.example" for i in range(9)] + ["U@B\u00fccher.example"]
        self.random.shuffle(all_of_them)
        fields = []
        for field in ("To", "Cc", "Reply-To"):
            boxes = [self.mailbox(a) for a in
                     self.random.sample(all_of_them, self.random.randrange(4))]
            if self.chance(0.2):
                boxes.append("undisclosed-recipients:;")
            if self.chance(0.2) and boxes:
                boxes = ["Team: " + ", ".join(boxes) + ";"]
            if boxes and self.chance(0.9):
                fields.append(f"{self.case(field)}: " + self.random.choice([", ", ",\r\n "])
                              .join(boxes) + "\r\n")
        envelope = [a.replace("B\u00fccher", "xn--bcher-kva") for a in
                    self.random.sample(all_of_them, self.random.randrange(1, 6))]
        return "".join(fields), envelope

    def fields(self):
        """Others, some of which must stay behind."""
        out = []
        for _ in range(self.random.randrange(5)):
            name = self.random.choice(["X-A", "x-b", "References", "In-Reply-To", "Comments",
                                       "Received", "Delivered-To", "List-Unsubscribe", "X-A",
                                       "Content-Language", "X-PM-Bounce-Type", "DKIM-Signature"])
            value = self.subject()
            if name in ("References", "In-Reply-To"):
                value = "<1@x.example>\r\n <2@x.example>"
            elif name == "List-Unsubscribe":
                value = "<https://x.example/u?a=b>,\r\n <mailto:u@x.example>"
            out.append(f"{self.case(name)}:{self.random.choice([' ', '', '  '])}{value}\r\n")
        return "".join(out)

    def mail(self):
        fields, envelope = self.addresses()
        return (f"From: {self.mailbox('shop@shop.example')}\r\n{fields}Subject: "
                f"{self.subject()}\r\n{self.fields()}MIME-Version: 1.0\r\n").encode() + \
            self.part(self.random.randrange(5)), envelope


def main():
    seed, count = (int(a) for a in sys.argv[1:]) if len(sys.argv) == 3 else (2026, 300)
    folder = tempfile.mkdtemp(prefix="random-mails-")
    for i in range(count):
        path = os.path.join(folder, f"{seed}-{i}")
        with open(path + ".eml", "wb") as file:
            content, envelope = Writer(f"{seed}-{i}").mail()
            file.write(content)
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump({"envelope": {"from": "", "to": envelope}, "expect": []}, file)
    failed = oracle.compare(folder)
    if failed == 0 or len(sys.argv) != 3:
        subprocess.run(["rm", "-r", folder], check=True)
    else:
        print("what differs is in", folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
