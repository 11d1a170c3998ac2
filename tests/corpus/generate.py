#!/usr/bin/env python3
"""Writes the corpus: mails/NAME.eml and mails/NAME.json for every mail of source/.

    generate.py             all of it; a writer that is not installed leaves its .eml as they are
    generate.py --check     tells what would change, and writes nothing

README.md says what the writers are and where they come from.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MAILS = os.path.join(HERE, "mails")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "source"))

import corpus  # noqa: E402

MODULES = ["by_hand", "charsets", "fields", "names", "shapes", "programs",
           "by_python", "by_nodemailer", "by_perl", "by_agents"]
for module in MODULES:
    if os.path.exists(os.path.join(HERE, "source", module + ".py")):
        __import__(module)


class WriterMissing(Exception):
    pass


def write(path, data, check):
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return False
    except FileNotFoundError:
        pass
    if not check:
        with open(path, "wb") as file:
            file.write(data)
    print(os.path.relpath(path, HERE))
    return True


def main():
    check = sys.argv[1:] == ["--check"]
    changed, missing = 0, set()
    wanted = set()
    os.makedirs(MAILS, exist_ok=True)
    for mail in corpus.mails.values():
        path = os.path.join(MAILS, mail.name)
        wanted |= {mail.name + ".eml", mail.name + ".json"}
        record = json.dumps(mail.record, indent=1, ensure_ascii=False) + "\n"
        changed += write(path + ".json", record.encode(), check)
        try:
            content = mail.content() if callable(mail.content) else mail.content
        except FileNotFoundError:
            missing.add(mail.writer)
            if not os.path.exists(path + ".eml"):
                print(f"{mail.name}: no {mail.writer}, and no mail of an earlier run")
            continue
        changed += write(path + ".eml", content, check)
    for name in sorted(set(os.listdir(MAILS)) - wanted):
        print(f"{name}: of no source any more")
        changed += 1
        if not check:
            os.unlink(os.path.join(MAILS, name))
    if missing:
        print("not installed, their mails are as they were:", ", ".join(sorted(missing)))
    print(f"{len(corpus.mails)} mails, {changed} files changed")
    return 1 if check and changed else 0


sys.exit(main())
