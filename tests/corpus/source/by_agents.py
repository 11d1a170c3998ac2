"""Mails that mail programs write: mutt and s-nail, each run once for a mail, with a sendmail that
keeps what it is given."""
import os
import re
import shutil
import subprocess
import tempfile

from corpus import add as add_mail, attachment, crlf, DATE, fixed_boundaries, noise, PDF, PNG

KEEP = "#!/bin/sh\ncat > \"$KEPT\"\n"


def run(command, name, text, files, rc):
    """command: arguments, with {rc} and {folder}.  The bytes that went to sendmail."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    with tempfile.TemporaryDirectory() as folder:
        for file, data in {**files, "rc": rc.format(folder=folder).encode(),
                           "sendmail": KEEP.encode()}.items():
            with open(os.path.join(folder, file), "wb") as out:
                out.write(data)
        os.chmod(os.path.join(folder, "sendmail"), 0o755)
        kept = os.path.join(folder, "kept")
        subprocess.run([c.format(folder=folder) for c in command], input=text.encode(),
                       check=True, stdout=subprocess.DEVNULL, cwd=folder,
                       env={"PATH": os.environ["PATH"], "HOME": folder, "KEPT": kept,
                            "LC_ALL": "C.UTF-8", "TZ": "UTC", "EMAIL": "shop@shop.example"})
        with open(kept, "rb") as file:
            content = file.read()
    return fixed(name, content)


def fixed(name, content):
    """What is new each time, or differs with the version."""
    head, body = content.split(b"\n\n", 1)
    head = re.sub(rb"(?m)^Date:.*$", b"Date: " + DATE.encode(), head)
    head = re.sub(rb"(?m)^Message-ID:.*(?:\n[ \t].*)*$", f"Message-ID: <{name}@corpus.example>"
                  .encode(), head, flags=re.I)
    head = re.sub(rb"(?m)^User-Agent:.*\n?", b"", head)
    return fixed_boundaries(crlf(head + b"\n\n" + body), name.split("-")[0])


MUTT = """set from="shop@shop.example" realname="Shop" use_from=yes use_envelope_from=no
set sendmail="{folder}/sendmail" hostname="corpus.example" copy=no record="" user_agent=no
set send_charset="us-ascii:iso-8859-1:utf-8" charset="utf-8" rfc2047_parameters=yes
"""
SNAIL = """set v15-compat mta={folder}/sendmail from="Shop <shop@shop.example>"
set hostname=corpus.example sendcharsets=us-ascii,iso-8859-1,utf-8 ttycharset=utf-8
set mime-encoding=quoted-printable stealthmua nosave
"""


def mutt(name, about, text, options=(), files=None, rc="", to=("Ann <ann@reader.example>",),
         **expected):
    name = "mutt-" + name
    files = files or {}
    command = ["mutt", "-n", "-F", "{folder}/rc", "-s", expected.get("subject") or name, *options]
    if files:
        command += ["-a", *files]
    command += ["--", *to]
    add_mail(name, "mutt", lambda: run(command, name, text, files, MUTT + rc), about, text=text,
             **expected)


def s_nail(name, about, text, options=(), files=None, rc="", to=("ann@reader.example",),
           **expected):
    name = "s-nail-" + name
    files = files or {}
    command = ["s-nail", "-:u", "-X", "source {folder}/rc", "-s",
               expected.get("subject") or name, *options]
    for file in files:
        command += ["-a", file]
    command += ["-.", *to]
    expected.setdefault("to", "ann@reader.example")
    expected["message_id"] = ""  # stealthmua leaves it out
    add_mail(name, "s-nail", lambda: run(command, name, text, files, SNAIL + rc), about,
             text=text, **expected)


TEXT = "Dear Ann,\n\nGr\u00fc\u00dfe \u2013 5 \u20ac.\n"
for write in (mutt, s_nail):
    write("ascii", "A text in ASCII.", "hello\nyou\n")
    write("latin1", "A text that fits ISO-8859-1.", "Gr\u00fc\u00dfe\n")
    write("utf8", "A text that needs UTF-8.", TEXT)
    write("from-lines", "Lines that an mbox would spoil, and a dot.",
          "From here\n>From there\n.\n..\nend\n")
    write("subject", "A subject beyond ASCII.", TEXT,
          subject="\u00dcber die Sch\u00f6nheit langer Betreffzeilen und ihrer vielen "
                  "Umbr\u00fcche \u65e5\u672c\u8a9e")
    write("file", "A file.", TEXT, files={"a.pdf": PDF},
          attachments=[attachment("a.pdf", "application/pdf", PDF)])
    write("files", "Several files, one of noise, one of text.", TEXT,
          files={"a.pdf": PDF, "p.png": PNG, "noise.dat": noise(9, 500),
                 "log.txt": b"line 1\nline 2\n"},
          attachments=[attachment("a.pdf", "application/pdf", PDF),
                       attachment("p.png", "image/png", PNG),
                       attachment("noise.dat", "application/octet-stream", noise(9, 500)),
                       attachment("log.txt", "text/plain; charset=us-ascii",
                                  b"line 1\r\nline 2\r\n")])
    write("file-name", "A name beyond ASCII.", TEXT, files={"Gr\u00fcn \u65e5.pdf": PDF},
          attachments=[attachment("Gr\u00fcn \u65e5.pdf", "application/pdf", PDF)])
    write("copies", "Copies, seen and blind.", TEXT,
          options=["-c", "bo@reader.example", "-b", "cy@reader.example"],
          recipients=["ann@reader.example", "bo@reader.example", "cy@reader.example"],
          cc="bo@reader.example", bcc="cy@reader.example")
