#!/usr/bin/env python3
"""Every mail that doc/mapping.md names as the test of a row is in the corpus."""
import fnmatch
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("top_srcdir", os.path.join(HERE, "..", ".."))
MAILS = [f[:-5] for f in os.listdir(os.path.join(SOURCE, "tests", "corpus", "mails"))
         if f.endswith(".json")]


def main():
    named, missing = 0, 0
    has_tests = False
    with open(os.path.join(SOURCE, "doc", "mapping.md"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.startswith("|"):
                has_tests = False
                continue
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|\n"))]
            if cells[-1] == "test":
                has_tests = True
                continue
            if not has_tests or set(cells[-1]) <= {"-", " "}:
                continue
            # *tables* and `files` of unit tests are named otherwise.
            for name in re.sub(r"\*[a-z]+\*|`[^`]*`", "", cells[-1]).split(","):
                name = name.strip()
                if not name:
                    continue
                named += 1
                if not fnmatch.filter(MAILS, name):
                    missing += 1
                    print(f"doc/mapping.md:{number}: there is no mail {name}")
    print(f"{named - missing} passed, {missing} failed")
    return 1 if missing or named == 0 else 0


sys.exit(main())
