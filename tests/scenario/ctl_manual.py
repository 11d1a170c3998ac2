#!/usr/bin/env python3
"""pmrelayctl as people use it: on a terminal, in scripts, with daemons that answer anything.

The daemon here is a stand-in that answers what a test wants; the last tests speak to the real one.
"""

import atexit
import fcntl
import http.server
import json
import os
import pty
import re
import select
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import BUILD, SOURCE, Failure, Relay, Sandbox, Skip, check, installed, need, need_open_build, program, run, wait_for

HOSTILE = "a\x1b[2J\x1b]0;owned\x07b\u009b31m\u202egpj\r\n\tc"
# What we print ourselves on a terminal: hues, the other screen, the cursor, clearing.
OURS = re.compile(r"\x1b\[(\d*m|\?1049[hl]|\?25[hl]|H|J|K)")


# --- the stand-in -------------------------------------------------------------------------------


def short_folder():
    """A Unix socket's path ends at 107 bytes."""
    path = tempfile.mkdtemp(prefix="ctl-")
    atexit.register(shutil.rmtree, path, True)
    return path


class Stub:
    """An HTTP server on a Unix socket (or over TLS) that answers by a function."""

    def __init__(self, folder, answer, tls=None):
        self.requests = []
        self.path = os.path.join(folder, "stub.sock")
        if len(self.path) > 100:
            self.path = os.path.join(short_folder(), "stub.sock")
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def address_string(self):
                return "unix"

            def run(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = {"method": self.command, "path": self.path,
                           "accept": self.headers.get("Accept", ""),
                           "json": json.loads(body) if body else None}
                stub.requests.append(request)
                answer(self, request)

            do_GET = do_POST = run

            def reply(self, value, status=200, kind="application/json"):
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def begin(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()

            def line(self, value):
                data = json.dumps(value).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            def end(self):
                self.wfile.write(b"0\r\n\r\n")

        class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        class Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        if tls is None:
            self.server = Unix(self.path, Handler)
            os.chmod(self.path, 0o666)
        else:
            self.server = Tcp(("127.0.0.1", 0), Handler)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.url = "https://localhost:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def always(value, status=200, kind="application/json"):
    return lambda handler, request: handler.reply(value, status, kind)


def error(status, code, message, **more):
    return always({"error": dict({"status": status, "code": code, "message": message}, **more)}, status)


# --- running it ---------------------------------------------------------------------------------


def environment(**more):
    kept = {k: v for k, v in os.environ.items()
            if k not in ("NO_COLOR", "PMRELAYCTL_SOCKET", "PMRELAY_CONTROL_SOCKET")}
    kept.update({"TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "xterm"})
    kept.update(more)
    return kept


def ctl(where, *words, status=0, text=None, **more):
    """Without a terminal; the result has stdout and stderr.  where: a socket's path or a stub."""
    path = getattr(where, "path", where)
    done = subprocess.run([program("pmrelayctl"), "--socket", path, *words], text=True,
                          input=text if text is not None else "", capture_output=True, timeout=60,
                          env=environment(**more))
    check(done.returncode == status, "%s: status %d, wanted %d: %s%s" % (
        " ".join(words), done.returncode, status, done.stdout[-2000:], done.stderr[-2000:]))
    return done


class Terminal:
    """The program on a pseudo-terminal of 80 by 24."""

    def __init__(self, argv, columns=80, rows=24, **more):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = ""
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=environment(**more),
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def read(self, timeout_s=0.05):
        ready = select.select([self.master], [], [], timeout_s)[0]
        if ready:
            try:
                self.text += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:
                return
        return

    def expect(self, pattern, timeout_s=20):
        def found():
            self.read()
            return re.search(pattern, self.text, re.S)
        try:
            return wait_for(pattern, found, timeout_s, 0)
        except Failure:
            raise Failure("the terminal does not show %r: %r" % (pattern, self.text[-3000:])) from None

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, status=0, timeout_s=20):
        wait_for("the end on the terminal",
                 lambda: self.read() or self.process.poll() is not None, timeout_s, 0)
        for _ in range(20):
            self.read(0.01)
        after = termios.tcgetattr(self.slave)
        os.close(self.slave)
        os.close(self.master)
        check(self.process.returncode == status, "status %d, wanted %d: %r" % (
            self.process.returncode, status, self.text[-2000:]))
        check(after == self.before, "the terminal is not as it was")
        return self.text


def on_terminal(where, *words, status=0, keys=None, **more):
    """All that it shows; keys: (what to wait for, what to type)."""
    t = Terminal([program("pmrelayctl"), "--socket", getattr(where, "path", where), *words], **more)
    for pattern, text in keys or []:
        t.expect(pattern)
        t.type(text)
    return t.end(status)


def check_harmless(shown, where):
    rest = OURS.sub("", shown)
    bad = [c for c in rest if (ord(c) < 32 and c not in "\r\n") or 0x7f <= ord(c) < 0xa0
           or 0x202a <= ord(c) <= 0x202e]
    check(not bad, "%s: %r got through: %r" % (where, bad, rest))


ITEM = {"id": "01KAQ8Z6Y7M0W9V5T3R1P2N4J6-1", "state": "held", "route": "default", "kind": "email",
        "attempts": 1, "accepted": "2026-11-23T06:29:25.123Z", "due": None, "ended": None,
        "from": "a@example.com", "recipients": ["b@example.com"], "subject": "Hello", "bytes": 1234567,
        "postmark_id": None, "put_aside": False}


def look(n=0):
    return {"now": "2026-11-23T06:29:%02d.000Z" % (25 + n), "version": "0.1.0",
            "started": "2026-11-23T03:17:25.000Z",
            "queue": {"spooled": 5, "sending": 2, "waiting": 3, "held": 1, "unsure": 0, "sent": 120,
                      "failed": 1},
            "oldest": "2026-11-23T06:26:13.000Z", "put_aside": 0, "accepted": 1000 + 30 * n,
            "refused": 2, "commits": 500, "syncs": 500, "fronts": 2,
            "routes": [{"name": "default", "mode": "paused", "why": "token refused " + HOSTILE,
                        "in_flight": 3, "window": 8, "sent": 100 + 10 * n, "refused": 1, "waiting": 2}],
            "events": [{"at": "2026-11-23T06:29:25.123Z", "kind": "sent", "item": ITEM["id"],
                        "route": "default", "text": "to b@example.com " + HOSTILE}] * 40}


# --- scripts ------------------------------------------------------------------------------------


def exits(folder):
    """Each exit status, with a sentence that says what to do."""
    nowhere = os.path.join(folder, "nowhere.sock")[-100:]
    done = ctl(nowhere, "queue", "list", status=69)
    check("is pmrelayd running?" in done.stderr and "--socket" in done.stderr, done.stderr)

    stale = socket.socket(socket.AF_UNIX)
    path = os.path.join(short_folder(), "stale.sock")
    stale.bind(path)
    stale.close()
    done = ctl(path, "queue", "list", status=69)
    check("pmrelayd is not running" in done.stderr, done.stderr)
    done = ctl("/" + "x" * 120, "queue", "list", status=69)
    check("too long" in done.stderr, done.stderr)

    done = ctl(nowhere, "servr", "list", status=64)
    check("did you mean server list?" in done.stderr, done.stderr)
    done = ctl(nowhere, "send", "batch", "@" + folder + "/none.json", status=66)
    check("none.json cannot be read" in done.stderr, done.stderr)
    done = ctl(nowhere, "server", "delete", "1", status=64)
    check("--yes" in done.stderr, done.stderr)

    cases = [
        (always({"ok": 1}), 0, ""),
        (error(400, "arguments", "id is no number"), 64, "id is no number"),
        (error(403, "permission", "uid 1000 may look", todo="run it as root"), 77, "run it as root"),
        (error(404, "not-found", "there is no server 5"), 1, "there is no server 5"),
        (error(409, "state", "it was sent"), 1, "it was sent"),
        (error(413, "size", "too large"), 1, "too large"),
        (error(422, "postmark", "refused", postmark={"ErrorCode": 603, "Message": "Not deletable"}),
         1, "Postmark's code 603: Not deletable"),
        (error(502, "unreachable", "no way"), 1, "no way"),
        (error(503, "busy", "too much"), 75, "too much"),
        (error(504, "late", "no answer"), 75, "no answer"),
        (error(500, "broken", "our fault"), 70, "our fault"),
        (always(b"<html>hello", kind="text/html"), 70, "is not pmrelayd"),
        (always(b"", 200), 70, "is not pmrelayd"),
        (error(404, "unknown", "there is no such operation"), 69, "older than this pmrelayctl"),
        (lambda handler, request: handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"), 75,
         "was cut"),
    ]
    for answer, status, text in cases:
        own = short_folder()
        with Stub(own, lambda h, r, answer=answer: (answer(h, r), setattr(h, "close_connection", True))) as stub:
            done = ctl(stub, "server", "get", "5", status=status)
            check(text in done.stderr, "wanted %r: %r" % (text, done.stderr))

    with Stub(folder, always({"healthy": False, "checks": [
            {"name": "token", "ok": False, "text": "refused", "todo": "put a new one in"}]}, 503)) as stub:
        done = ctl(stub, "healthcheck", status=1)
        check("FAILED" in done.stdout and "put a new one in" in done.stdout, done.stdout)

    if os.geteuid() == 0:
        closed = short_folder()
        with Stub(closed, always({})) as stub:
            os.chmod(closed, 0o755)
            os.chmod(stub.path, 0o600)
            need_open_build()
            done = subprocess.run([program("pmrelayctl"), "--socket", stub.path, "version"], text=True,
                                  capture_output=True, env=environment(), user=65534, group=65534,
                                  extra_groups=[], cwd="/")
            check(done.returncode == 77 and "members of the group root" in done.stderr,
                  "%d %s" % (done.returncode, done.stderr))


def on_the_wire(folder):
    """What is asked for, as the contract has it."""
    with Stub(folder, always({"items": [], "next": None, "scanned_all": True, "Servers": []})) as stub:
        cases = [
            (["server", "get", "4711"], "GET", "/server/get/4711", None),
            (["server", "get"], "GET", "/server/get", None),
            (["--connection", "eu", "server", "get"], "GET", "/server/get?connection=eu", None),
            (["queue", "list", "--state", "held", "--state", "failed", "--subject", "a b&c=d/ä"], "GET",
             "/queue/list?state=held&state=failed&subject=a%20b%26c%3Dd%2F%C3%A4", None),
            (["message", "list", "--metadata", "a=b=c"], "GET", "/message/list?metadata=a%3Db%3Dc", None),
            (["template", "get", "a/b?c"], "GET", "/template/get/a%2Fb%3Fc", None),
            (["stats", "opens/platforms"], "GET", "/stats/opens/platforms", None),
            (["status", "<a@b>"], "GET", "/status/%3Ca%40b%3E", None),
            (["queue", "hold", "01A", "01B", "--reason", "x"], "POST", "/queue/hold",
             {"id": ["01A", "01B"], "reason": "x"}),
            (["queue", "hold", "01A"], "POST", "/queue/hold/01A", {}),
            (["server", "edit", "5", "--no-track-opens", "--color", "red"], "POST", "/server/edit/5",
             {"track-opens": False, "color": "red"}),
            (["log-level", "debug"], "POST", "/log-level/debug", {}),
            (["reload"], "POST", "/reload", {}),
            (["openapi"], "GET", "/openapi.json", None),
        ]
        for words, method, path, body in cases:
            ctl(stub, *words, status=1 if words[0] == "status" else 0)
            got = stub.requests[-1]
            check((got["method"], got["path"], got["json"]) == (method, path, body),
                  "%s: %s" % (" ".join(words), got))
            check("ndjson" not in got["accept"], "progress without a terminal: %s" % got)
        secret = os.path.join(folder, "password")
        with open(secret, "w") as f:
            f.write("s3cret\n")
        ctl(stub, "webhook", "create", "--url", "https://x", "--http-auth-user", "u",
            "--http-auth-password-file", secret)
        check(stub.requests[-1]["json"]["http-auth-password"] == "s3cret", str(stub.requests[-1]))
        ctl(stub, "send", "batch", "-", text='[{"To":"a@x"}]')
        check(stub.requests[-1]["json"] == {"emails": [{"To": "a@x"}]}, str(stub.requests[-1]))
        # The variables, and which of them wins.
        path = stub.path
        for variables in ({"PMRELAYCTL_SOCKET": path}, {"PMRELAY_CONTROL_SOCKET": path},
                          {"PMRELAYCTL_SOCKET": path, "PMRELAY_CONTROL_SOCKET": "/none"}):
            done = subprocess.run([program("pmrelayctl"), "version"], env=environment(**variables),
                                  capture_output=True, text=True)
            check(done.returncode == 0, "%s: %s" % (variables, done.stderr))


def outputs(folder):
    """Tables, --json as it came, --quiet for loops."""
    answer = {"items": [ITEM, dict(ITEM, id="01B-1", state="sent", subject="Größe 御注文")],
              "next": None, "scanned_all": True}
    with Stub(folder, always(answer)) as stub:
        done = ctl(stub, "queue", "list")
        lines = done.stdout.splitlines()
        check(len(lines) == 3 and lines[0].startswith("Item  ") and "\x1b" not in done.stdout, done.stdout)
        check("2026-11-23 06:29:25" in lines[1], lines[1])
        check(lines[1].index("Hello") == lines[0].index("Subject"), done.stdout)
        check("2026-11-23 07:29:25" in ctl(stub, "queue", "list", TZ="Europe/Berlin").stdout, "local time")
        done = ctl(stub, "queue", "list", "--quiet")
        check(done.stdout == "01KAQ8Z6Y7M0W9V5T3R1P2N4J6-1\n01B-1\n", done.stdout)
        done = ctl(stub, "queue", "list", "--json")
        check(done.stdout == json.dumps(answer) + "\n", done.stdout)
        done = ctl(stub, "--color", "always", "queue", "list")
        check("\x1b[31mheld\x1b[0m" in done.stdout and "\x1b[32msent" in done.stdout, done.stdout)
    with Stub(short_folder(), error(404, "none", "there is none")) as stub:
        done = ctl(stub, "server", "get", "5", "--json", status=1)
        check(json.loads(done.stdout)["error"]["code"] == "none", done.stdout)
    with Stub(short_folder(), always({"items": [], "next": None, "scanned_all": True})) as stub:
        done = ctl(stub, "queue", "list")
        check(done.stdout == "" and "Nothing was found" in done.stderr, done.stdout + done.stderr)


def pages(folder):
    """The client follows the pages: to a count, or to the end."""
    def answer(handler, request):
        query = dict(p.split("=") for p in request["path"].partition("?")[2].split("&") if p)
        start, count = int(query.get("from", 0)), int(query.get("count", 50))
        some = [dict(ITEM, id="item-%d" % i) for i in range(start, min(start + count, 1234))]
        # A page may be short because it took too long.
        some = some[:199]
        end = start + len(some)
        handler.reply({"items": some, "next": str(end) if end < 1234 else None, "scanned_all": end >= 1234})

    def ids(*words):
        return ctl(stub, "queue", "list", "--quiet", *words).stdout.split()

    with Stub(folder, answer) as stub:
        check(len(ids()) == 50, "the usual page")
        check(len(ids("--count", "199")) == 199, "a page")
        got = ids("--count", "700")
        check(len(got) == 700 and len(set(got)) == 700 and got[699] == "item-699", "several pages")
        got = ids("--all")
        check(got == ["item-%d" % i for i in range(1234)], "all of them: %d" % len(got))
        got = json.loads(ctl(stub, "queue", "list", "--count", "700", "--json").stdout)
        check(len(got["items"]) == 700 and got["next"] == "700", str(got["next"]))


def foreign_bytes(folder):
    """Whatever stands in a subject, an answer or an error, the terminal does not obey it."""
    item = dict(ITEM, subject=HOSTILE, recipients=[HOSTILE], route=HOSTILE, id="01A" + HOSTILE,
                **{"from": HOSTILE})
    shown = dict(item, reverse_path=HOSTILE, listener=HOSTILE, client=HOSTILE, helo=HOSTILE,
                 message_id=HOSTILE, ledger=HOSTILE, inactive=HOSTILE, has_message=True,
                 message={"Subject": HOSTILE, HOSTILE: HOSTILE},
                 history=[{"at": "2026-11-23T06:29:26.000Z", "attempt": 1, "to": "failed",
                           "http_status": 422, "error_code": 300, "answer": HOSTILE}])
    event = {"number": 1, "at": "2026-11-23T06:29:25.123Z", "kind": HOSTILE, "item": HOSTILE,
             "route": HOSTILE, "text": HOSTILE, "attempt": 2}
    explained = {"ok": False, "refusal": {"code": 554, "status": HOSTILE, "text": HOSTILE},
                 "envelope": {"reverse_path": HOSTILE, "recipients": [HOSTILE]}, "subject": HOSTILE,
                 "origin": {"listener": HOSTILE, "client": HOSTILE, "user": HOSTILE},
                 "routes": [{"name": HOSTILE, "recipients": [HOSTILE], "fate": "redirected",
                             "redirected_to": [HOSTILE], "connection": HOSTILE, "tag": HOSTILE,
                             "stream": HOSTILE, "template": HOSTILE, "reply": HOSTILE,
                             "policies": [{"word": HOSTILE, "policy": HOSTILE, "applies": True}],
                             "why_not": [{"route": HOSTILE, "recipient": HOSTILE, "why": HOSTILE}],
                             "refusal": {"code": 554, "status": HOSTILE, "text": HOSTILE}}],
                 "items": [{"number": 1, "to": HOSTILE, "cc": HOSTILE, "bcc": HOSTILE, "bytes": 5,
                            "route": HOSTILE, "kind": HOSTILE, "json": {HOSTILE: HOSTILE}},
                           {"number": 1, "kind": "smtp", "recipients": [HOSTILE], "json": None,
                            "head": HOSTILE, "removed": [HOSTILE]}],
                 "sizes": [{"what": HOSTILE, "bytes": 5, "limit": 1, "unit": HOSTILE}],
                 "lost": [{"word": HOSTILE, "text": HOSTILE}], "warnings": [HOSTILE], "from": HOSTILE}

    def answer(handler, request):
        path = request["path"].partition("?")[0]
        if path == "/queue/list":
            handler.reply({"items": [item], "next": HOSTILE if "from" not in request["path"] else None,
                           "scanned_all": False})
        elif path.startswith("/queue/show"):
            handler.reply(shown)
        elif path.startswith("/status"):
            handler.reply({"id": HOSTILE, "items": [shown]})
        elif path == "/explain":
            handler.reply(explained)
        elif path == "/events":
            handler.begin()
            handler.line(event)
            handler.line({"missed": True})
            handler.end()
        elif path == "/top":
            handler.begin()
            handler.line(look())
            handler.end()
        elif path == "/healthcheck":
            handler.reply({"healthy": False, "checks": [{"name": HOSTILE, "ok": False, "text": HOSTILE,
                                                         "todo": HOSTILE}]}, 503)
        elif path == "/show/config":
            handler.reply({"config": HOSTILE})
        elif path == "/raw":
            handler.reply({"status": 200, "elapsed_ms": 1, "tries": 1, "body": HOSTILE})
        elif path.startswith("/message/dump"):
            handler.reply({"Body": HOSTILE})
        elif path == "/server/list":
            handler.reply({"error": {"status": 422, "code": HOSTILE, "message": HOSTILE, "todo": HOSTILE,
                                     "postmark": {"ErrorCode": 1, "Message": HOSTILE}}}, 422)
        else:
            handler.reply({HOSTILE: HOSTILE, "a": [{HOSTILE: [HOSTILE]}], "Name": HOSTILE})

    mail = os.path.join(folder, "mail.eml")
    with open(mail, "w") as f:
        f.write("From: a@example.com\n\nHi\n")
    with Stub(folder, answer) as stub:
        for words, status in [(["queue", "list"], 0), (["queue", "show", "1"], 0), (["status", "1"], 0),
                              (["explain", mail], 1), (["events"], 0), (["top", "--once"], 0),
                              (["healthcheck"], 1), (["show", "config"], 0), (["raw", "GET", "/x"], 0),
                              (["message", "dump", "1"], 0), (["server", "list"], 1),
                              (["server", "get", "1"], 0), (["template", "get", "w"], 0)]:
            for more in ([], ["--json"], ["--quiet"]):
                check_harmless(on_terminal(stub, *words, *more, status=status), " ".join(words + more))
            done = ctl(stub, *words, status=status)
            check_harmless(done.stdout + done.stderr, "a pipe: " + " ".join(words))
        # Words of the command line, too, may have come from elsewhere.
        check_harmless(on_terminal(stub, "x" + HOSTILE, status=64), "an unknown command")
        check_harmless(on_terminal(stub, "send", "--" + HOSTILE, status=64), "an unknown option")
        check_harmless(on_terminal(stub, "explain", HOSTILE, status=66), "an unknown file")
        check_harmless(on_terminal(stub, "template", "delete", "a\u202eb", status=1,
                                   keys=[(r"\[y/N\]", "n\n")]), "a question")


# --- terminals ----------------------------------------------------------------------------------


def questions(folder):
    """What destroys asks first, and does nothing without a yes."""
    with Stub(folder, always({"ErrorCode": 0, "Message": "Server removed."})) as stub:
        for typed in ("n\n", "\n", "\x04", "yesterday\n"):
            shown = on_terminal(stub, "server", "delete", "4711", status=1,
                                keys=[(r"Delete server 4711\? \[y/N\] ", typed)])
            check("Nothing was done" in shown and not stub.requests, shown)
        shown = on_terminal(stub, "server", "delete", "4711", keys=[(r"\[y/N\] ", "y\n")])
        check(stub.requests.pop()["path"] == "/server/delete/4711", shown)
        on_terminal(stub, "server", "delete", "4711", "--yes")
        check(len(stub.requests) == 1, "--yes")
        ctl(stub, "server", "delete", "4711", "--yes")
        check(len(stub.requests) == 2, "--yes in a script")
        on_terminal(stub, "webhook", "delete", "--instance", status=1,
                    keys=[(r"Delete webhook --instance\? \[y/N\] ", "n\n")])
        on_terminal(stub, "queue", "delete", "--all", "--state", "held", "--state", "failed", status=1,
                    keys=[(r"Delete items of the queue: --all --state held --state failed\?", "n\n")])
        on_terminal(stub, "queue", "delete", "01A", "01B", "--reason", "x", status=1,
                    keys=[(r"Delete from the queue: 01A 01B\?", "n\n")])


def colours(folder):
    answer = {"items": [ITEM], "next": None, "scanned_all": True}
    with Stub(folder, always(answer)) as stub:
        held = "\x1b[31mheld\x1b[0m"
        check(held in on_terminal(stub, "queue", "list", columns=200), "colour on a terminal")
        check("\x1b" not in on_terminal(stub, "queue", "list", NO_COLOR="1"), "NO_COLOR")
        check("\x1b" not in on_terminal(stub, "queue", "list", TERM="dumb"), "a dumb terminal")
        check("\x1b" not in on_terminal(stub, "--color", "never", "queue", "list"), "--color never")
        shown = on_terminal(stub, "queue", "list", columns=130)
        for line in OURS.sub("", shown).split("\r\n"):
            check(len(line) <= 130, "wider than the terminal: %r" % line)
        check("01KAQ8Z6Y7M0W9V5T3R1P2N4J6-1" in shown, "an id is whole: " + shown)
        shown = on_terminal(stub, "queue", "list", "--json")
        check(json.loads(shown) == answer and "\n  " in shown, shown)
    with Stub(short_folder(), always(dict(ITEM, content_bytes=1234567))) as stub:
        check("1.2 MB" in on_terminal(stub, "server", "get", "1"), "a size for people")
        check("1234567" in ctl(stub, "server", "get", "1").stdout, "a size for programs")


def progress(folder):
    """Long work shows how far it is, on a terminal alone, and the answer at its end."""
    def answer(handler, request):
        if "ndjson" not in request["accept"]:
            return handler.reply(result)
        handler.begin()
        for n in (0, 60, 120):
            handler.line({"progress": {"done": n, "of": 120, "text": "sent " + HOSTILE}})
            time.sleep(0.05)
        handler.line(last[0])
        handler.end()

    result = {"results": [{"id": "01A-1", "state": "sent", "message_id": "x", "error_code": 0,
                           "message": "OK"}]}
    last = [{"result": result}]
    with Stub(folder, answer) as stub:
        shown = on_terminal(stub, "send", "batch", '[{"To":"a@x"}]')
        check("[............" in shown and "60 of 120 sent" in shown, shown)
        check(shown.rstrip().endswith("OK") and "01A-1" in shown, shown)
        check_harmless(shown.replace("\r", ""), "progress")
        done = ctl(stub, "send", "batch", '[{"To":"a@x"}]')
        check("of 120" not in done.stdout + done.stderr and "01A-1" in done.stdout, done.stderr)
        shown = on_terminal(stub, "send", "batch", '[{"To":"a@x"}]', "--quiet")
        check("of 120" not in shown and shown.strip() == "01A-1", shown)
        last[0] = {"error": {"status": 503, "code": "busy", "message": "too much", "todo": "wait"}}
        shown = on_terminal(stub, "send", "batch", '[{"To":"a@x"}]', status=75)
        check("too much" in shown, shown)
        last[0] = {"progress": {"done": 120, "of": 120, "text": "sent"}}
        shown = on_terminal(stub, "send", "batch", '[{"To":"a@x"}]', status=75)
        check("ended before it was complete" in shown, shown)
        result["results"][0]["state"] = "failed"
        ctl(stub, "send", "batch", '[{"To":"a@x"}]', status=1)


def live_view(folder):
    """top draws over itself, fits 80 by 24, ends by q or ^C, and leaves the terminal as it was."""
    def answer(handler, request):
        handler.begin()
        count = 1 if "count=1" in request["path"] else 1000
        for n in range(count):
            handler.line(look(min(n, 30)))
            time.sleep(0.05 if n < 3 else 1)
        handler.end()

    with Stub(folder, answer) as stub:
        for key in ("q", "\x03"):
            shown = on_terminal(stub, "top", "--interval", "1s", keys=[(r"30\.0/s", key)])
            check(shown.count("\x1b[H") >= 2, "drawn again: %r" % shown[:300])
            check("\x1b[?1049h" in shown and shown.rstrip().endswith("\x1b[?25h\x1b[?1049l"), repr(shown[-100:]))
            check_harmless(shown, "top")
            frame = OURS.sub("", shown.split("\x1b[H")[2].split("\x1b[?25h")[0]).split("\r\n")
            check(len(frame) <= 24, "%d lines" % len(frame))
            check(max(len(l) for l in frame) <= 80, "%r" % max(frame, key=len))
            check("interval=1s" in stub.requests[-1]["path"], stub.requests[-1]["path"])
        # A signal, too, leaves the terminal as it was.
        t = Terminal([program("pmrelayctl"), "--socket", stub.path, "top"])
        t.expect(r"accepted 1030")
        t.process.terminate()
        check("\x1b[?1049l" in t.end(), "after SIGTERM")
        done = ctl(stub, "top", "--once")
        check("\x1b" not in done.stdout and "accepted 1000 (-)" in done.stdout, done.stdout)
        done = ctl(stub, "top", "--once", "--json")
        check(json.loads(done.stdout)["accepted"] == 1000, done.stdout)
        check("\x1b[?1049h" not in on_terminal(stub, "top", "--once"), "--once has no screen")


def follow(folder):
    """Events are printed as they come."""
    gate = threading.Event()

    def answer(handler, request):
        handler.begin()
        handler.line({"number": 1, "at": "2026-11-23T06:29:25.123Z", "kind": "sent", "item": "01A-1"})
        gate.wait(20)
        handler.line({"number": 2, "at": "2026-11-23T06:29:26.123Z", "kind": "failed", "item": "01B-1"})
        handler.end()

    with Stub(folder, answer) as stub:
        t = Terminal([program("pmrelayctl"), "--socket", stub.path, "events", "--follow"])
        t.expect("sent\x1b\\[0m .*01A-1")
        check("01B-1" not in t.text, t.text)
        gate.set()
        shown = t.end()
        check("\x1b[31mfailed" in shown, shown)
        check("follow=true" in stub.requests[-1]["path"], stub.requests[-1]["path"])
        lines = ctl(stub, "events", "--json").stdout.splitlines()
        check([json.loads(l)["number"] for l in lines] == [1, 2], str(lines))


def over_tls(folder):
    """The listener with client certificates."""
    openssl = installed("openssl")

    def make(name, *more):
        subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-keyout", folder + "/" + name + ".key", "-out", folder + "/" + name + ".pem",
                        "-days", "2", "-subj", "/CN=" + name, *more], check=True, capture_output=True)

    make("server", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    make("admin")
    make("stranger")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder + "/server.pem", folder + "/server.key")
    tls.load_verify_locations(folder + "/admin.pem")
    tls.verify_mode = ssl.CERT_REQUIRED

    def call(*words, status=0):
        done = subprocess.run([program("pmrelayctl"), "--url", stub.url, *words, "version"], text=True,
                              capture_output=True, env=environment())
        check(done.returncode == status, "%s: %d %s" % (words, done.returncode, done.stderr))
        return done

    with Stub(folder, always({"version": "9"}), tls) as stub:
        ca = ["--cacert", folder + "/server.pem"]
        admin = ["--cert", folder + "/admin.pem", "--key", folder + "/admin.key"]
        check("9" in call(*ca, *admin).stdout, "an answer")
        check("--cacert" in call(*admin, status=69).stderr, "an unknown authority")
        call(*ca, status=77)
        call(*ca, "--cert", folder + "/stranger.pem", "--key", folder + "/stranger.key", status=77)
        check("none.pem cannot be read" in call(*ca, "--cert", folder + "/none.pem", status=66).stderr, "no file")
        stub.url = stub.url.replace("https", "http")
        check("https://HOST:PORT" in call(*ca, *admin, status=69).stderr, "plain HTTP")


# --- completion ---------------------------------------------------------------------------------

COMPLETIONS = [
    # what is typed, what must be offered, what must not
    ("pmrelayctl ser", ["server"], ["webhook"]),
    ("pmrelayctl server ", ["create", "get", "list", "edit", "delete"], ["pause"]),
    ("pmrelayctl message inbound ", ["list", "get", "bypass", "retry"], ["opens"]),
    ("pmrelayctl server create --col", ["--color"], ["--name"]),
    ("pmrelayctl server create --color ", ["Purple", "Turquoise"], ["create"]),
    ("pmrelayctl --color ", ["auto", "always", "never"], ["Purple"]),
    ("pmrelayctl --json webhook ", ["create", "verify"], []),
    ("pmrelayctl --socket /x queue ", ["hold", "drain"], []),
    ("pmrelayctl help rou", ["route"], []),
    ("pmrelayctl help route ", ["pause", "resume"], ["--yes"]),
    ("pmrelayctl log-level ", ["error", "warning", "info", "debug"], []),
    ("pmrelayctl send --te", ["--text-body"], ["--template-alias"]),
    ("pmrelayctl send template --te", ["--template-alias"], []),
    ("pmrelayctl completion ", ["bash", "zsh", "fish"], []),
    ("pmrelayctl explain ma", ["mail.eml"], []),
    ("pmrelayctl send batch @ma", ["@mail.eml"], []),
    ("pmrelayctl webhook create --http-auth-password-file ma", ["mail.eml"], []),
    ("pmrelayctl queue list --state ", ["held", "failed"], []),
]


def completion_folder(folder, shell):
    path = installed(shell)
    with open(folder + "/script", "w") as f:
        f.write(ctl("/none", "completion", shell).stdout)
    with open(folder + "/mail.eml", "w") as f:
        f.write("x\n")
    return path


def check_offered(shell, typed, offered, wanted, unwanted):
    for word in wanted:
        check(word in offered, "%s: %r does not offer %s: %s" % (shell, typed, word, offered[:40]))
    for word in unwanted:
        check(word not in offered, "%s: %r offers %s: %s" % (shell, typed, word, offered[:40]))


def bash(folder):
    shell = completion_folder(folder, "bash")
    for typed, wanted, unwanted in COMPLETIONS + [("pmrelayctl server create --color=Pu", ["Purple"], [])]:
        # As bash splits what is typed: an equals sign is a word of its own.
        words = [w for w in re.split(r"\s+|(=)", typed) if w] + ([""] if typed.endswith((" ", "=")) else [])
        script = 'source ./script; COMP_WORDS=(%s); COMP_CWORD=%d; _pmrelayctl; printf "%%s\\n" "${COMPREPLY[@]}"' % (
            " ".join("'%s'" % w for w in words), len(words) - 1)
        done = subprocess.run([shell, "--norc", "-c", script], cwd=folder, capture_output=True, text=True)
        check(done.stderr == "", done.stderr)
        check_offered("bash", typed, done.stdout.split(), wanted, unwanted)


def fish(folder):
    shell = completion_folder(folder, "fish")
    home = {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
    for typed, wanted, unwanted in COMPLETIONS + [("pmrelayctl server create --color=Pu", ["--color=Purple"], [])]:
        done = subprocess.run([shell, "--no-config", "-c", "source ./script; complete -C '%s'" % typed],
                              cwd=folder, capture_output=True, text=True, env=environment(**home))
        check(done.stderr == "", done.stderr)
        check_offered("fish", typed, [line.split("\t")[0] for line in done.stdout.splitlines()], wanted, unwanted)


def zsh(folder):
    """A real line editor: zsh completes nowhere else."""
    shell = completion_folder(folder, "zsh")
    os.makedirs(folder + "/functions", exist_ok=True)
    os.rename(folder + "/script", folder + "/functions/_pmrelayctl")
    with open(folder + "/.zshrc", "w") as f:
        f.write("PS1='> '\nfpath=(%s/functions $fpath)\nautoload -U compinit && compinit -u -D\n"
                "zstyle ':completion:*' list-colors ''\nLISTMAX=10000\nunsetopt LIST_AMBIGUOUS MENU_COMPLETE AUTO_MENU\n"
                "bindkey '^I' list-choices\n"
                "pmrelayctl() { : }\necho ready\n" % folder)
    os.chdir(folder)
    try:
        for typed, wanted, unwanted in COMPLETIONS + [("pmrelayctl server create --color=Pu", ["Purple"], [])]:
            t = Terminal([shell, "-i"], columns=250, rows=200, ZDOTDIR=folder, HOME=folder)
            t.expect("ready.*> ")
            start = len(t.text)
            t.type(typed + "\t")
            end = time.monotonic() + 10
            while time.monotonic() < end:
                t.read(0.1)
                offered = re.split(r"[\s\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]", " ", t.text[start:]))
                if all(w in offered or w.lstrip("@") in offered for w in wanted):
                    break
            t.process.kill()
            t.process.wait()
            os.close(t.slave)
            os.close(t.master)
            for word in wanted:
                check(word in offered or word.lstrip("@") in offered,
                      "zsh: %r does not offer %s: %r" % (typed, word, t.text[start:][:2000]))
            for word in set(unwanted) - set(typed.split()):
                check(word not in offered, "zsh: %r offers %s" % (typed, word))
    finally:
        os.chdir("/")


# --- the manual ---------------------------------------------------------------------------------


def manual(folder):
    """The commands of pmrelayctl(8) are what the table says."""
    with open(os.path.join(SOURCE, "doc/pmrelayctl.8")) as f:
        page = f.read()
    begin, end = ".\\\" Commands, from the table:\n", ".\\\" End of the commands.\n"
    found = page[page.index(begin) + len(begin):page.index(end)]
    wanted = ctl("/none", "--manual-commands").stdout
    for a, b in zip(found.splitlines(), wanted.splitlines()):
        check(a == b, "pmrelayctl.8 says %r, the table %r; run make manual-commands" % (a, b))
    own = ctl("/none", "help").stdout
    for option in re.findall(r"^  --([a-z-]+)", own[own.index("\nOptions"):], re.M):
        check(re.search(r"Fl -%s\b" % option, page), "pmrelayctl.8 does not know --%s" % option)
    check(found == wanted, "pmrelayctl.8 is not as long as the table; run make manual-commands")


def examples(folder):
    """The EXAMPLES of the manual page, one after another, by a shell, against the real thing."""
    with open(os.path.join(SOURCE, "doc/pmrelayctl.8")) as f:
        page = f.read()
    text = page[page.index(".Sh EXAMPLES"):]
    text = text[:text.index("\n.Sh ", 5)]
    blocks = re.findall(r"\.Bd -literal[^\n]*\n(.*?)\.Ed\n", text, re.S)
    check(len(blocks) >= 8, "only %d examples" % len(blocks))
    sandbox = Sandbox(folder)
    relay = Relay(folder, sandbox.port, {"postmark": {"account-token": "sandbox-account-token"}})
    bin_folder = os.path.join(folder, "bin")
    os.makedirs(bin_folder)
    os.symlink(program("pmrelayctl"), os.path.join(bin_folder, "pmrelayctl"))
    with open(os.path.join(folder, "mail.eml"), "w") as f:
        f.write("From: sender@example.com\nTo: receiver@example.com\nSubject: Hello\n\nHello\n")
    with open(os.path.join(folder, "mails.json"), "w") as f:
        json.dump([{"From": "sender@example.com", "To": "receiver@example.com", "Subject": "One",
                    "TextBody": "First"}] * 3, f)
    for block in blocks:
        script = ""
        for line in block.replace("\\e", "\\").replace("\\(dq", '"').splitlines():
            # They show commands alone, so what has no prompt continues one.
            script += line[2:] + "\n" if line.startswith("$ ") else line + "\n"
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, text=True,
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL,
                              env=environment(PMRELAYCTL_SOCKET=relay.control_path,
                                              PATH=bin_folder + ":" + os.environ["PATH"]))
        check(done.returncode == 0, "%s: %d\n%s%s" % (script, done.returncode, done.stdout, done.stderr))


def first_day(folder):
    """A mail is refused; why, what to do, and it goes out."""
    sandbox = Sandbox(folder)
    relay = Relay(folder, sandbox.port, {"postmark": {"account-token": "sandbox-account-token"}})
    where = relay.control_path
    sandbox.suppress("gone@example.com")
    done = ctl(where, "send", "--from", "a@example.com", "--to", "gone@example.com", "--subject", "Hi",
               "--text-body", "Hello", "--wait", status=1)
    check("406" in done.stderr or "inactive" in done.stderr, done.stderr)
    item = ctl(where, "queue", "list", "--state", "failed", "--quiet").stdout.strip()
    check(item != "" and "\n" not in item, item)
    story = ctl(where, "status", item).stdout
    check("failed" in story and "code 406" in story and "pmrelayctl queue retry " + item in story, story)
    sandbox.clear()
    ctl(where, "queue", "retry", item)
    wait_for("the mail is sent", lambda: "\n" not in ctl(where, "queue", "count").stdout or
             '"sent":1' in ctl(where, "queue", "count", "--json").stdout.replace(" ", ""))
    check("sent" in ctl(where, "status", item).stdout, "its story goes on")
    shown = on_terminal(where, "top", keys=[(r"accepted 1 ", "q")])
    check("default" in shown, shown)
    shown = on_terminal(where, "queue", "drain")
    check("yes" in shown, shown)
    ctl(where, "status", "nothing-has-this-id", status=1)


need("pmrelayctl")
run([exits, on_the_wire, outputs, pages, foreign_bytes, questions, colours, progress, live_view, follow,
     over_tls, bash, fish, zsh, manual, examples, first_day], "ctl")
