#!/usr/bin/env python3
"""The control plane of a running relay: who may ask, what bad requests cost, every operation of
the table, the queue in the operator's hand."""

import http.client
import json
import os
import pwd
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import (SOURCE, Failure, Relay, Sandbox, Skip, TOKEN, check, free_port, need_open_build,  # noqa: E402
                     installed, load, load_result, program, run, wait_for)

ACCOUNT_TOKEN = "sandbox-account-token"
SENDER, READER = "shop@sender.example", "ann@reader.example"
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def pair(folder, settings=None):
    config = os.path.join(folder, "sandbox.json")
    with open(config, "w") as f:
        json.dump({"account_tokens": [ACCOUNT_TOKEN],
                   "servers": [{"Name": "First", "tokens": [TOKEN]}],
                   "switches": {"verify_webhooks": False, "delete_servers": True}}, f)
    sandbox = Sandbox(folder, "--config", config)
    merged = {"postmark": {"account-token": ACCOUNT_TOKEN}}
    for section, options in (settings or {}).items():
        merged.setdefault(section, {}).update(options)
    return sandbox, Relay(folder, sandbox.port, merged)


def send(relay, subject, reader=READER):
    """By SMTP."""
    with relay.smtp() as s:
        s.ehlo()
        s.mail(SENDER)
        s.rcpt(reader)
        code, text = s.data("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMessage-ID: <%s@sender.example>\r\n"
                            "\r\nHello.\r\n" % (SENDER, reader, subject, subject))
    check(code == 250, (code, text))


def listed(relay, **query):
    return relay.ask("GET", "/queue/list", query=query)["items"]


def item_of(relay, subject, state="all"):
    """The one item with this subject, when it is there."""
    items = wait_for("an item %s" % subject, lambda: listed(relay, subject=subject, state=state))
    check(len(items) == 1, items)
    return items[0]


def await_state(relay, item, *states):
    return wait_for("%s is %s" % (item, " or ".join(states)), lambda: (
        lambda shown: shown["state"] in states and shown)(relay.ask("GET", "/queue/show/" + item)))


# --- who may ask ----------------------------------------------------------------------------------


def as_user(name, function):
    """What function() returns in a child of that user, without any group."""
    user = pwd.getpwnam(name)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.write(writing, json.dumps(function()).encode())
        except BaseException as why:  # nothing of the child may run on in the parent's code
            os.write(writing, json.dumps({"failed": repr(why)}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as f:
        text = f.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def permissions(folder):
    if os.geteuid() != 0:
        raise Skip("only root can be somebody else")
    need_open_build()
    sandbox, relay = pair(folder)
    mode = os.stat(relay.control_path).st_mode & 0o777
    check(mode == 0o660, "the socket's mode is %o" % mode)

    def status(method, path, body=None):
        answer = relay.control(method, path, body)
        return [answer.status, answer.body.decode()]
    looks = (("GET", "/version"), ("GET", "/queue/list"), ("GET", "/route/list"), ("GET", "/show/config"),
             ("GET", "/server/get"), ("GET", "/events"), ("POST", "/explain"))
    changes = ("/reload", "/log-level/debug", "/queue/flush", "/queue/drain", "/route/pause/default",
               "/queue/hold", "/queue/delete", "/send", "/raw", "/server/create", "/server/delete/1",
               "/webhook/create", "/template/create")
    mail = {"mail": "RnJvbTogYUB4LmV4YW1wbGUNCg0KSGkNCg==", "to": [READER]}
    for method, path in looks:
        got = status(method, path, mail if method == "POST" else None)
        check(got[0] == 200, "root, %s: %s" % (path, got))
    # Nobody but root and the group comes in at all.
    got = as_user("nobody", lambda: status("GET", "/version"))
    check("PermissionError" in got["failed"] if "failed" in got else False, got)
    # Whoever the mode lets in may look, and change nothing.
    os.chmod(relay.control_path, 0o666)
    for method, path in looks:
        got = as_user("nobody", lambda: status(method, path, mail if method == "POST" else None))
        check(got[0] == 200, "nobody, %s: %s" % (path, got))
    for path in changes:
        got = as_user("nobody", lambda: status("POST", path, {}))
        check(got[0] == 403 and json.loads(got[1])["error"]["code"] == "permission", "%s: %s" % (path, got))
        check("uid" in json.loads(got[1])["error"]["message"], got)
    # Secrets are for those who may change.
    got = as_user("nobody", lambda: status("GET", "/server/get?tokens=show"))
    check(got[0] == 403, got)
    # So is what mails say, wherever it is; about them everybody may know.
    relay.ask("POST", "/route/pause/default", {})
    item = relay.ask("POST", "/send", {"from": SENDER, "to": READER, "text-body": "a secret"})["id"]
    got = as_user("nobody", lambda: status("GET", "/queue/show/%s?content=true" % item))
    check(got[0] == 403 and "argument content of queue show" in got[1], got)
    got = as_user("nobody", lambda: status("GET", "/queue/show/%s?content=false" % item))
    check(got[0] == 200 and READER in got[1] and "a secret" not in got[1], got)
    relay.ask("POST", "/route/resume/default", {})
    name = wait_for("Postmark's id", lambda: relay.ask("GET", "/queue/show/" + item)["postmark_id"])
    got = as_user("nobody", lambda: status("GET", "/message/get/" + name))
    check(got[0] == 200 and READER in got[1] and "a secret" not in got[1], got)
    check("administrators" in json.loads(got[1])["note"], got)
    got = as_user("nobody", lambda: status("GET", "/message/dump/" + name))
    check(got[0] == 403, got)
    shown = relay.ask("GET", "/message/get/" + name)
    check(shown["TextBody"] == "a secret" and "note" not in shown, shown)
    check("a secret" in json.dumps(relay.ask("GET", "/message/dump/" + name)), "a dump without its mail")
    # Whoever may only look does not make Postmark be asked as often as he likes.
    first, second = (json.loads(as_user("nobody", lambda: status("GET", "/healthcheck"))[1])
                     for _ in range(2))
    check(first["healthy"] and first["checked"] == second["checked"], (first, second))
    check(relay.ask("GET", "/healthcheck")["checked"] > first["checked"], "root gets an old answer")
    shown = relay.ask("GET", "/server/get", query={"tokens": "show"})
    check(shown["ApiTokens"] == [TOKEN], shown)
    check("operation=reload" in relay.log(), "a refused reload is not in the log")
    check(not re.search("operation=reload .*status=200", relay.log()), "a refused reload was run")


def certificates(folder):
    """A CA, and keys and certificates of a server and of three clients."""
    openssl = installed("openssl")

    def run_openssl(*words):
        subprocess.run([openssl, *words], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for ca in ("ca", "other-ca"):
        run_openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", ca + ".key", "-out", ca + ".pem", "-subj", "/CN=" + ca, "-days", "2")
    for name, ca in (("server", "ca"), ("admin", "ca"), ("reader", "ca"), ("stranger", "ca"),
                     ("foreign", "other-ca")):
        run_openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    name + ".key", "-out", name + ".csr", "-subj",
                    "/CN=" + ("admin" if name == "foreign" else name))
        with open(os.path.join(folder, "extensions"), "w") as f:
            f.write("subjectAltName=IP:127.0.0.1\n" if name == "server" else "extendedKeyUsage=clientAuth\n")
        run_openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key",
                    "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile", "extensions")


def client_certificates(folder):
    """Over TCP only who shows a certificate with a name that the settings have."""
    certificates(folder)
    port = free_port()
    sandbox, relay = pair(folder, {"control": {
        "listen": "127.0.0.1:%d" % port, "certificate-file": os.path.join(folder, "server.pem"),
        "key-file": os.path.join(folder, "server.key"), "client-ca-file": os.path.join(folder, "ca.pem"),
        "admins": ["admin"], "readers": ["reader"]}})

    def status(who, method, path, headers=None):
        context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
        if who is not None:
            context.load_cert_chain(os.path.join(folder, who + ".pem"), os.path.join(folder, who + ".key"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
        try:
            connection.request(method, path, b"{}" if method == "POST" else None,
                               headers or {"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None  # no connection at all
        finally:
            connection.close()
    for who, look, change in (("admin", 200, 200), ("reader", 200, 403), ("stranger", 403, 403),
                              ("foreign", None, None), (None, None, None)):
        got = status(who, "GET", "/version"), status(who, "POST", "/queue/flush")
        check(got == (look, change), "%s: %s" % (who, got))
    # What a browser sends to other sites unasked is not taken.
    check(status("admin", "POST", "/queue/flush", {"Content-Type": "text/plain"}) == 400, "text/plain")
    check(status("admin", "POST", "/queue/flush", {"Content-Type": "application/json",
                                                   "Origin": "https://elsewhere.example"}) == 403, "Origin")
    check("by=\"CN admin\"" in relay.log(), "the name of a certificate is not marked as one")
    check(relay.ask("GET", "/version")["name"] == "pmrelay", "the Unix socket")


# --- bad requests ---------------------------------------------------------------------------------


def talk(relay, data, over=True, timeout_s=20):
    """Bytes to the socket, no more of them when it is over, and all that comes back."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout_s)
        s.connect(relay.control_path)
        try:
            s.sendall(data)
            if over:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        heard = b""
        try:
            while True:
                some = s.recv(65536)
                if not some:
                    return heard
                heard += some
        except ConnectionResetError:
            return heard


def bad_requests(folder):
    sandbox, relay = pair(folder)
    for method, path, body, status, word in (
            ("GET", "/nothing", None, 404, "no such operation"),
            ("GET", "/queue/lost", None, 404, "no such operation"),
            ("POST", "/version", {}, 405, "GET"),
            ("GET", "/reload", None, 405, "POST"),
            ("DELETE", "/server/get", None, 405, "GET"),
            ("POST", "/send", b"{", 400, "not JSON"),
            ("POST", "/send", b"[]", 400, "not a JSON object"),
            ("POST", "/send", b'{"from":"a","from":"b"}', 400, "not JSON"),
            ("POST", "/send", b"\xff\xfe", 400, "not JSON"),
            ("POST", "/send", b"[" * 100000, 400, "not JSON"),
            ("POST", "/send", {"form": "a"}, 400, "from"),
            ("POST", "/send", {"from": [7], "to": READER}, 400, "from"),
            ("GET", "/queue/list?count=many", None, 400, "count"),
            ("GET", "/queue/list?count=501", None, 400, "count"),
            ("GET", "/queue/list?state=gone", None, 400, "state"),
            ("GET", "/queue/list?count=1&count=2", None, 400, "twice"),
            ("GET", "/queue/list?from=xyz", None, 400, "from"),
            ("GET", "/queue/list?%63ount=501", None, 400, "count: "),
            ("GET", "/queue/list?%ff=1", None, 400, "UTF-8"),
            ("GET", "/queue/list?=1", None, 400, "NAME=VALUE"),
            ("GET", "/server/get/x", None, 400, "number"),
            ("GET", "/server/get?connection=none", None, 400, "none"),
            ("POST", "/queue/hold", {}, 400, "IDs"),
            ("POST", "/queue/hold", {"id": ["a"], "all": True}, 400, "not both"),
            ("GET", "/queue/show/nothing", None, 404, "nothing under"),
            ("GET", "/status/%3Cx@y%3E", None, 404, "nothing under"),
            ("POST", "/route/pause/none", {}, 404, "route"),
            ("POST", "/log-level/loud", {}, 400, "error"),
            ("POST", "/explain", {"mail": "no base64!"}, 400, "base64")):
        answer = relay.control(method, path, body)
        check(answer.status == status and answer.headers["Content-Type"] == "application/json",
              "%s %s: wanted %d, got %s" % (method, path, status, answer))
        error = answer.error
        check(error["status"] == status and error["code"] and word in json.dumps(error),
              "%s %s: %s is not in %s" % (method, path, word, error))
    # A near miss is told.
    check("queue list" in relay.control("GET", "/queue/lisst").error["todo"], "no suggestion")
    # No HTTP at all, and HTTP that proxies read in two ways.
    for data in (b"\0" * 1000, b"EHLO x\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"POST /send HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                 b"GET /version HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100000 + b"\r\n\r\n"):
        heard = talk(relay, data)
        check(heard[:7] in (b"HTTP/1.", b"") and b" 200 " not in heard[:20], heard[:200])
    check(relay.ask("GET", "/version")["name"] == "pmrelay", "it answers no more")


def hostile_clients_while_mail_flows(folder):
    """Huge, slow, aborted and very many requests: mail goes on as if nothing were."""
    sandbox, relay = pair(folder, {
        "control": {"body-size": "64K", "timeout": "1s", "connections": 20}})
    mails = load(relay, "--mails", 2000, "--connections", 4, wait=False)
    huge = relay.control("POST", "/send", b"x" * 70000, headers={"Content-Type": "application/json"})
    check(huge.status == 413, str(huge))
    heard = talk(relay, b"POST /send HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
    check(b" 413 " in heard[:20], heard[:200])
    # Slow: one byte, and then nothing.
    start = time.monotonic()
    heard = talk(relay, b"G", over=False)
    check(b" 408 " in heard[:20] or heard == b"", heard[:200])
    check(0.5 < time.monotonic() - start < 10, "a slow request took %g s" % (time.monotonic() - start))
    # Very many, of which some say half a request and some go away.
    crowd = []
    for i in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        try:
            s.connect(relay.control_path)
            s.sendall(b"POST /send HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"[:i % 60 + 1])
        except OSError:
            pass
        if i % 3 == 0:
            s.close()
        else:
            crowd.append(s)
    for s in crowd:
        s.close()
    for _ in range(50):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(relay.control_path)
            s.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
        except OSError:
            pass
        s.close()
    result = load_result(mails)
    check(result["accepted"] == 2000, result)

    def answers():
        try:
            return relay.control("GET", "/version").status == 200
        except (OSError, http.client.HTTPException):
            return False
    wait_for("an answer after the crowd", answers, 10)
    sandbox.await_messages(2000, 60)
    # One who follows and never reads costs nothing but himself.
    lazy = socket.socket(socket.AF_UNIX)
    lazy.connect(relay.control_path)
    lazy.sendall(b"GET /events?follow=true HTTP/1.1\r\nHost: a\r\n\r\n")
    check(load(relay, "--mails", 1000, "--connections", 4)["accepted"] == 1000, "mails refused")
    check(relay.ask("GET", "/version")["name"] == "pmrelay", "it answers no more")
    lazy.close()


# --- every operation ------------------------------------------------------------------------------


def examples_of(relay):
    """Name, method, path and example of every operation, as the OpenAPI document has them."""
    document = relay.ask("GET", "/openapi.json")
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post"):
                found.append((operation["operationId"], method.upper(), path, operation))
    return document, found


def openapi(folder):
    sandbox, relay = pair(folder)
    document, operations = examples_of(relay)
    check(document["openapi"].startswith("3.1"), document["openapi"])
    check(len(operations) >= 90, "%d operations" % len(operations))
    for name, method, path, operation in operations:
        # What is documented is there: any answer but "no such operation" and a wrong method.
        real = re.sub(r"\{[^}]*\}", "x", path)
        if method == "GET" and ("events" in path or "top" in path):
            continue
        answer = relay.control(method, real, {"no-such-argument": 1} if method == "POST" else None,
                               {"no-such-argument": 1} if method == "GET" else None)
        if path != "/openapi.json":
            check(answer.status == 400, "%s %s: %s" % (method, path, answer))
    npm, node = installed("npm"), installed("node")
    place = os.path.join(folder, "validator")
    os.mkdir(place)
    with open(os.path.join(place, "package.json"), "w") as f:
        f.write('{"private": true, "type": "module"}\n')
    try:
        done = subprocess.run(
            [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--cache",
             os.path.join(folder, "npm-cache"), "@apidevtools/swagger-parser"], cwd=place,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=120)
    except subprocess.TimeoutExpired:
        raise Skip("npm did not install the validator in time") from None
    if done.returncode != 0:
        raise Skip("npm cannot install the validator: %s" % done.stdout[-300:])
    with open(os.path.join(place, "openapi.json"), "w") as f:
        json.dump(document, f)
    with open(os.path.join(place, "validate.js"), "w") as f:
        f.write('import * as all from "@apidevtools/swagger-parser";\n'
                'const Parser = all.default ?? all.SwaggerParser;\n'
                'const api = await Parser.validate("openapi.json");\n'
                'console.log("valid", Object.keys(api.paths).length);\n')
    done = subprocess.run([node, "validate.js"], cwd=place, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120)
    check(done.returncode == 0 and done.stdout.startswith("valid"), done.stdout[-2000:])
    print("      " + done.stdout.strip())


def examples():
    """{name: example arguments} of the table, with their placeholders."""
    found = {}
    folder = os.path.join(SOURCE, "src/operations")
    for file in sorted(os.listdir(folder)):
        if file.endswith(".inc"):
            with open(os.path.join(folder, file)) as f:
                text = f.read()
            for row in re.split(r"(?m)^\t\{\n", text)[1:]:
                name = re.search(r'\.name = "([^"]*)"', row).group(1)
                start = row.index(".example_body = JSON(") + len(".example_body = JSON(")
                found[name] = json.JSONDecoder().raw_decode(row[start:])[0]
    return found


class Places:
    """What "{server-id}" and the like stand for: made when an example needs it."""

    def __init__(self, sandbox, relay):
        self.sandbox, self.relay, self.count = sandbox, relay, 0

    def fresh(self):
        self.count += 1
        return self.count

    def sent(self):
        """A mail that Postmark has: its item's and its MessageID."""
        return self.relay.ask("POST", "/send", {
            "from": "sender@example.com", "to": "r%d@example.com" % self.fresh(), "subject": "Hello",
            "text-body": "Hello", "wait": True})

    def post(self, path, body):
        return self.relay.ask("POST", path, body)

    def sandbox_post(self, path, body):
        return json.loads(self.sandbox.call("POST", path, body))

    def value(self, name):
        n = self.fresh()
        if name == "server-id":
            return self.post("/server/create", {"name": "Example %d" % n})["ID"]
        if name == "webhook-id":
            return self.post("/webhook/create", {"url": "https://shop.example/%d" % n, "verify": False})["ID"]
        if name == "template":
            return str(self.post("/template/create", {
                "name": "T", "alias": "t-%d" % n, "subject": "s", "text-body": "t"})["TemplateId"])
        if name in ("stream", "archived-stream"):
            made = self.post("/stream/create", {"id": "s-%d" % n, "name": "S", "type": "Transactional"})["ID"]
            if name != "stream":
                self.post("/stream/archive", {"id": made})
            return made
        if name == "domain-id":
            return self.post("/domain/create", {
                "name": "d%d.example" % n, "return-path-domain": "pm.d%d.example" % n})["ID"]
        if name == "return-path":
            return "bounces.d%d.example" % (n - 1)  # of the domain that was made just before
        if name == "sender-id":
            return self.post("/sender/create", {"from-email": "s%d@example.org" % n, "name": "S"})["ID"]
        if name == "rule-id":
            return self.post("/inbound-rule/create", {"rule": "r%d.example.net" % n})["ID"]
        if name == "removal-id":
            return self.post("/data-removal/create", {
                "requested-by": "owner@example.com", "requested-for": "r%d@example.com" % n})["ID"]
        if name == "message-id":
            return self.sent()["message_id"]
        if name == "bounce-id":
            self.sandbox_post("/sandbox/bounce", {"MessageID": self.sent()["message_id"], "Type": "HardBounce"})
            return self.relay.ask("GET", "/bounce/list", query={"count": 1})["Bounces"][0]["ID"]
        if name in ("inbound-id", "blocked-id", "failed-id"):
            return self.sandbox_post("/sandbox/inbound", {
                "From": "x@y.example", "To": "in@example.com", "Subject": "s", "TextBody": "t",
                "Status": {"i": "Processed", "b": "Blocked", "f": "Failed"}[name[0]]})["MessageID"]
        if name == "item-id":
            self.relay.ask("POST", "/route/pause/default", {})
            answer = self.post("/send", {"from": "sender@example.com", "to": "receiver@example.com",
                                         "text-body": "t"})
            return answer["id"]
        raise Failure("nothing is known of {%s}" % name)

    def fill(self, value):
        if isinstance(value, dict):
            return {k: self.fill(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        if isinstance(value, str):
            whole = re.fullmatch(r"\{([a-z-]+)\}", value)
            if whole:
                return self.value(whole.group(1))
            return value
        return value


# A key that was just made cannot be made anew, as Postmark has it.
MAY_REFUSE = {"domain rotate-dkim": 505, "sender new-dkim": 505}


def every_example(folder):
    sandbox, relay = pair(folder, {"webhook": {"public-url": "https://relay.example.com/hooks"}})
    document, operations = examples_of(relay)
    methods = {path: method for _, method, path, _ in operations}
    places = Places(sandbox, relay)
    table = examples()
    check(len(table) >= 90, "%d examples in the table" % len(table))
    failed = []
    for name, arguments in table.items():
        path = "/openapi.json" if name == "openapi" else "/" + name.replace(" ", "/")
        in_path = [p for p in methods if p == path or p.startswith(path + "/{")]
        method = methods[in_path[0]]
        try:
            filled = places.fill(arguments)
            if method == "GET":
                query = {k: v if isinstance(v, (list, str)) else json.dumps(v) for k, v in filled.items()}
                answer = relay.control("GET", path, query=query)
            else:
                answer = relay.control("POST", path, filled)
            if answer.status != 200 and not (
                    answer.status == 422 and
                    answer.error["postmark"]["ErrorCode"] == MAY_REFUSE.get(name)):
                failed.append("%s %s: %s" % (name, json.dumps(filled)[:200], answer))
        except Failure as why:
            failed.append("%s: %s" % (name, why))
        finally:
            relay.ask("POST", "/route/resume/default", {})
    check(not failed, "%d of %d:\n%s" % (len(failed), len(table), "\n".join(failed)))


# --- the queue ------------------------------------------------------------------------------------


def queue(folder):
    sandbox, relay = pair(folder)
    route = relay.ask("POST", "/route/pause", {"route": "default", "reason": "migration"})
    check(route == {"route": "default", "mode": "held"}, route)
    shown, = relay.ask("GET", "/route/list")["routes"]
    check(shown["mode"] == "held" and "migration" in shown["why"] and "root" in shown["why"], shown)
    for subject in ("one", "two", "three", "four"):
        send(relay, subject, subject + "@reader.example")
    counts = relay.ask("GET", "/queue/count")
    check(counts["spooled"] == 4 and counts["sent"] == 0, counts)
    time.sleep(0.5)
    check(sandbox.counts()["kept"] == 0, "mail went out over a route that is paused")
    # Filters and pages.
    check([i["subject"] for i in listed(relay)] == ["four", "three", "two", "one"], listed(relay))
    check([i["subject"] for i in listed(relay, **{"oldest-first": "true", "count": 2})] ==
          ["one", "two"], "oldest first")
    page = relay.ask("GET", "/queue/list", query={"count": 3})
    rest = relay.ask("GET", "/queue/list", query={"count": 3, "from": page["next"]})
    check(len(page["items"]) == 3 and [i["subject"] for i in rest["items"]] == ["one"] and
          rest["next"] is None, rest)
    for query, wanted in (({"recipient": "TWO@reader"}, 1), ({"recipient": "nobody"}, 0),
                          ({"sender": "shop@"}, 4), ({"subject": "thr"}, 1), ({"route": "default"}, 4),
                          ({"route": "other"}, 0), ({"state": "waiting"}, 0), ({"state": "all"}, 4),
                          ({"state": ["spooled", "held"]}, 4), ({"since": "1h"}, 4), ({"until": "1h"}, 0)):
        got = listed(relay, **query)
        check(len(got) == wanted, "%s: %d instead of %d" % (query, len(got), wanted))
    one, two, three, four = (item_of(relay, s)["id"] for s in ("one", "two", "three", "four"))
    # Show, with the message and the history.
    shown = relay.ask("GET", "/queue/show/" + one, query={"content": "true"})
    check(shown["message"]["Subject"] == "one" and shown["recipients"] == ["one@reader.example"], shown)
    check(shown["message"]["Metadata"]["relay-id"] == one and shown["state"] == "spooled", shown)
    # Hold and release.
    answer = relay.ask("POST", "/queue/hold", {"id": [one, two], "reason": "wrong price list"})
    check(answer["changed"] == 2, answer)
    shown = relay.ask("GET", "/queue/show/" + one)
    check(shown["state"] == "held" and "wrong price list" in shown["history"][-1]["answer"] and
          "root" in shown["history"][-1]["answer"], shown)
    check({i["id"] for i in listed(relay, state="held")} == {one, two}, "those held")
    relay.ask("POST", "/queue/hold/" + one, {}, status=409)
    relay.ask("POST", "/queue/release/" + three, {}, status=409)
    relay.ask("POST", "/queue/hold/01HZZZZZZZZZZZZZZZZZZZZZZZ-1", {}, status=404)
    # A mail's id stands for its items.
    answer = relay.ask("POST", "/queue/release", {"id": [two.rpartition("-")[0]]})
    check(answer["changed"] == 1, answer)
    answer = relay.ask("POST", "/queue/delete/" + four, {"reason": "test"})
    check(answer["changed"] == 1, answer)
    relay.ask("GET", "/queue/show/" + four, status=404)
    # The route goes again: what is not held goes out.
    relay.ask("POST", "/route/resume/default", {})
    messages = sandbox.await_messages(2)
    check(sorted(m["Request"]["Subject"] for m in messages) == ["three", "two"], messages)
    answer = relay.ask("POST", "/queue/drain", {"timeout": "10s"})
    check(answer == {"drained": True, "left": 0, "held": 1}, answer)
    relay.ask("POST", "/queue/release", {"state": ["held"], "route": "default", "all": True})
    await_state(relay, one, "sent")
    check(relay.ask("GET", "/queue/count")["sent"] == 3, relay.ask("GET", "/queue/count"))
    # A failure, its cause taken away, and once more.
    sandbox.suppress("gone@reader.example")
    send(relay, "five", "gone@reader.example")
    five = item_of(relay, "five")["id"]
    shown = await_state(relay, five, "failed")
    check(shown["history"][-1]["error_code"] == 406, shown)
    sandbox.suppress()
    answer = relay.ask("POST", "/queue/retry", {"id": [five]})
    check(answer["changed"] == 1, answer)
    await_state(relay, five, "sent")
    relay.ask("POST", "/queue/retry/" + five, {}, status=409)
    check(relay.stop() == 0, "the relay's end")


def waiting_and_flush(folder):
    """What waits for its next try goes at once when it is asked for, and a paused route stays so
    over a restart."""
    sandbox, relay = pair(folder, {"retry": {"min": "60s", "max": "120s", "probe": "60s"}})
    sandbox.faults({"path": "/email*", "status": 503})
    send(relay, "one")
    item = item_of(relay, "one")["id"]
    await_state(relay, item, "waiting")
    # A drain that cannot end tells what is left.
    answer = relay.ask("POST", "/queue/drain", {"timeout": "1s"})
    check(not answer["drained"] and answer["left"] == 1, answer)
    sandbox.faults()
    lines = relay.control("POST", "/queue/drain", {"timeout": "30s"},
                          headers={"Accept": "application/x-ndjson"}).lines
    check(lines[-1]["result"]["drained"], lines)
    await_state(relay, item, "sent")
    sandbox.faults({"path": "/email*", "status": 503})
    send(relay, "two")
    item = item_of(relay, "two")["id"]
    await_state(relay, item, "waiting")
    sandbox.faults()
    check(relay.ask("POST", "/queue/flush", {})["changed"] == 1, "one waited")
    await_state(relay, item, "sent")
    relay.ask("POST", "/route/pause/default", {"reason": "night"})
    send(relay, "three")
    check(relay.stop() == 0, "the relay's end")
    relay = relay.again(sandbox.port)
    shown, = relay.ask("GET", "/route/list")["routes"]
    check(shown["mode"] == "held" and "night" in shown["why"], shown)
    check(relay.ask("POST", "/queue/flush", {})["changed"] >= 0, "")
    time.sleep(0.5)
    check(sandbox.counts()["kept"] == 2, "a flush sent over a route that is paused")
    relay.ask("POST", "/route/resume/default", {})
    sandbox.await_messages(3)


def batches(folder):
    """More mails than there are events in memory; a batch that fails half-way; a body of many values."""
    sandbox, relay = pair(folder)
    mails = [{"From": SENDER, "To": READER, "Subject": "%d" % i, "TextBody": "t"} for i in range(4200)]
    sandbox.suppress("gone@reader.example")
    mails[0]["To"] = "gone@reader.example"
    answer = relay.ask("POST", "/send/batch", {"emails": mails, "wait": True, "timeout": "60s"})
    check((answer["sent"], answer["failed"], answer["spooled"]) == (len(mails) - 1, 1, 0),
          (answer["sent"], answer["failed"], answer["spooled"]))
    # Whose event was overwritten, too, is told why.
    first = answer["results"][0]
    check((first["state"], first["error_code"]) == ("failed", 406) and "inactive" in first["message"], first)
    mails[0]["To"] = READER
    sandbox.faults({"path": "/email/batch", "status": 500, "after": 1})
    answer = relay.control("POST", "/send/batch", {"emails": mails[:1200], "direct": True})
    check(answer.status == 502 and answer.error["code"] == "half-way", str(answer))
    check(len(answer.error["postmark"]["results"]) == 500 and "500" in answer.error["todo"], answer.error["todo"])
    answer = relay.control("POST", "/explain", b'{"mail":"","x":[' + b"[]," * 20000 + b"[]]}",
                           headers={"Content-Type": "application/json"})
    check(answer.status == 400 and "too many values" in answer.error["message"], str(answer))


def drain_of_one_route(folder):
    """What waits for another route, even for a long time, holds up nobody."""
    sandbox, relay = pair(folder, {"connection second": {"token": TOKEN}})
    relay.ask("POST", "/route/pause/second", {})
    mail = {"from": SENDER, "to": READER, "text-body": "t"}
    for connection in ("default", "second"):
        relay.ask("POST", "/send", dict(mail, connection=connection))
    answer = relay.ask("POST", "/queue/drain", {"route": "default", "timeout": "20s"})
    check(answer == {"drained": True, "left": 0, "held": 0}, answer)
    answer = relay.ask("POST", "/queue/drain", {"route": "second", "timeout": "1s"})
    check(answer == {"drained": False, "left": 1, "held": 0}, answer)
    check(relay.ask("POST", "/queue/hold", {"all": True, "route": "second"})["changed"] == 1, "")
    answer = relay.ask("POST", "/queue/drain", {"route": "second", "timeout": "20s"})
    check(answer == {"drained": True, "left": 0, "held": 1}, answer)


def status_by_any_id(folder):
    sandbox, relay = pair(folder)
    sandbox.faults({"path": "/email*", "status": 503, "times": 1})
    send(relay, "one")
    item = item_of(relay, "one")["id"]
    shown = await_state(relay, item, "sent")
    check(UUID.match(shown["postmark_id"]), shown)
    check(sandbox.messages()[0]["MessageID"] == shown["postmark_id"], shown)
    for name in (item, item.rpartition("-")[0], shown["postmark_id"], "<one@sender.example>",
                 "one@sender.example"):
        answer = relay.ask("GET", "/status/" + urllib.parse.quote(name, safe=""))
        check([i["id"] for i in answer["items"]] == [item], "%s: %s" % (name, answer))
        history = answer["items"][0]["history"]
        check([line["to"] for line in history if line["attempt"]] == ["waiting", "sent"], history)
        check(history[0]["http_status"] == 503 and history[-1]["http_status"] == 200, history)


def events(folder):
    sandbox, relay = pair(folder)
    connection = relay.control_connection()
    connection.request("GET", "/events?follow=true")
    follower = connection.getresponse()
    check(follower.status == 200, follower.status)
    seen = []

    def read():
        for line in follower:
            seen.append(json.loads(line))
    threading.Thread(target=read, daemon=True).start()
    send(relay, "one")
    item = item_of(relay, "one")["id"]
    wait_for("the events of a mail", lambda: {"accepted", "sent"} <= {e["kind"] for e in seen})
    numbers = [e["number"] for e in seen]
    check(numbers == sorted(set(numbers)), numbers)
    sent = [e for e in seen if e["kind"] == "sent"][0]
    check(sent["item"] == item and READER in sent["text"] and sent["http_status"] == 200, sent)
    relay.ask("POST", "/route/pause/default", {})
    relay.ask("POST", "/route/resume/default", {})
    wait_for("an event of the route", lambda: any(e["kind"].startswith("route-") for e in seen))
    # What was, by kind, item, number and count.
    lines = relay.control("GET", "/events", query={"kind": "sent"}).lines
    check([e["kind"] for e in lines] == ["sent"], lines)
    lines = relay.control("GET", "/events", query={"item": item.rpartition("-")[0]}).lines
    check({e["kind"] for e in lines} == {"accepted", "sent"}, lines)
    check(len(relay.control("GET", "/events", query={"count": 1}).lines) == 1, "count")
    check(all(e["number"] > 1 for e in relay.control("GET", "/events", query={"since": 1}).lines), "since")
    # Of a change that left some alone, no event says of any that it was changed.
    answer = relay.ask("POST", "/queue/delete", {"id": [item, "nothing"]})
    check((answer["changed"], answer["unknown"]) == (1, 1), answer)
    lines = relay.control("GET", "/events", query={"kind": "deleted"}).lines
    check([(e["item"], "1 items" in e["text"]) for e in lines] == [(None, True)], lines)
    # A relay ends at once, whoever follows it.
    start = time.monotonic()
    check(relay.stop() == 0 and time.monotonic() - start < 10, "an end held up by a follower")


# --- the daemon -----------------------------------------------------------------------------------


def explain_and_top(folder):
    sandbox, relay = pair(folder)
    mail = (b"From: shop@sender.example\r\nTo: ann@reader.example\r\nCc: bo@reader.example\r\n"
            b"Subject: Why\r\n\r\nHello.\r\n")
    answer = relay.control("POST", "/explain?from=shop@sender.example", mail,
                           headers={"Content-Type": "message/rfc822"})
    check(answer.status == 200, str(answer))
    item, = answer.json["items"]
    text = json.dumps(answer.json)
    check("ann@reader.example" in text and "bo@reader.example" in text and "Why" in text, text)
    check(sandbox.counts()["kept"] == 0 and relay.ask("GET", "/queue/count")["spooled"] == 0,
          "an explanation sent something")
    send(relay, "one")
    sandbox.await_messages(1)
    lines = relay.control("GET", "/top", query={"count": 1}).lines
    check(len(lines) == 1, lines)
    look = lines[0]
    check(look["accepted"] == 1 and look["fronts"] == 2 and look["routes"][0]["name"] == "default", look)
    start = time.monotonic()
    check(len(relay.control("GET", "/top", query={"count": 3, "interval": "200ms"}).lines) == 3, "three looks")
    # The coarse clock of timers may be some ticks early.
    check(time.monotonic() - start >= 0.36, "looks without an interval")


def healthcheck(folder):
    sandbox, relay = pair(folder)
    answer = relay.ask("GET", "/healthcheck")
    check(answer["healthy"] and all(c["ok"] for c in answer["checks"]), answer)
    check({c["name"] for c in answer["checks"]} >= {"spool", "fronts", "route default",
                                                   "connection default"}, answer)
    relay.ask("POST", "/route/pause/default", {})
    answer = relay.ask("GET", "/healthcheck", status=503)
    bad, = [c for c in answer["checks"] if not c["ok"]]
    check(bad["name"] == "route default" and "resume" in bad["todo"], bad)
    relay.ask("POST", "/route/resume/default", {})
    # A token that Postmark does not know.
    wrong = json.loads(json.dumps(relay.settings))
    wrong["postmark"]["token"] = "wrong-token"
    relay.write_config(wrong)
    check(relay.ask("POST", "/reload", {})["reloaded"], "no reload")
    answer = wait_for("an unhealthy relay", lambda: (
        lambda got: got.status == 503 and got.json)(relay.control("GET", "/healthcheck")))
    bad = [c for c in answer["checks"] if c["name"] == "connection default"]
    check(not bad[0]["ok"] and "401" in bad[0]["text"] and "token" in bad[0]["todo"], bad)
    check("wrong-token" not in json.dumps(answer), "a token in an answer")


def settings(folder):
    sandbox, relay = pair(folder)
    text = relay.ask("GET", "/show/config")["config"]
    check("sandbox-" not in text and TOKEN not in text, "a token in: %s" % text)
    check("fronts" in text and "127.0.0.1:%d" % relay.port in text, text)
    # A good file, and a broken one, of which nothing counts.
    good = json.loads(json.dumps(relay.settings))
    good["smtp"]["message-size"] = "3M"
    relay.write_config(good)
    answer = relay.ask("POST", "/reload", {})
    check(answer["reloaded"], answer)
    wait_for("the new setting", lambda: "3M" in relay.ask("GET", "/show/config")["config"] or
             "3145728" in relay.ask("GET", "/show/config")["config"])
    good["smtp"]["message-size"] = "2M"
    good["smtp"]["recipiants"] = 5
    relay.write_config(good)
    answer = relay.control("POST", "/reload", {})
    check(answer.status >= 400 and "recipiants" in answer.error["message"], str(answer))
    text = relay.ask("GET", "/show/config")["config"]
    check("2M" not in text and "2097152" not in text, text)
    send(relay, "after")
    sandbox.await_messages(1)
    # The log's level, until the next reload.
    check("level=debug" not in relay.log(), "debug lines without debug")
    check(relay.ask("POST", "/log-level/debug", {}) == {"level": "debug"}, "")
    # The supervisor hands it on to all processes: what is asked meanwhile may still be at info.
    wait_for("a debug line of a request", lambda: relay.ask("GET", "/version") and re.search(
        "level=debug .*event=control operation=version", relay.log()), 30)
    relay.ask("POST", "/log-level", {"level": "info"})
    check(TOKEN not in relay.log() and ACCOUNT_TOKEN not in relay.log(), "a token in the log")


def in_background(relay, method, path, body=None):
    """A request whose answer (or None, when there was none) comes into a list."""
    answers = []

    def ask():
        try:
            answers.append(relay.control(method, path, body))
        except (OSError, http.client.HTTPException):
            answers.append(None)
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread, answers


def waits_for_changes(folder):
    """Whoever waits for a mail is told of its hold or end, however the operator names it."""
    sandbox, relay = pair(folder)
    relay.ask("POST", "/route/pause/default", {})

    def waiting(count=1):
        """Mails of a request that waits for them, and its (thread, answers)."""
        before = {i["id"] for i in listed(relay, count=500)}
        mails = [{"From": SENDER, "To": READER, "TextBody": "t"}] * count
        under_way = in_background(relay, "POST", "/send/batch", {"emails": mails, "wait": True})
        ids = wait_for("the mails", lambda: (
            lambda new: len(new) == count and sorted(new))(
                {i["id"] for i in listed(relay, count=500)} - before))
        time.sleep(0.3)  # it waits only when all are stored
        return ids, under_way

    def states(under_way):
        thread, answers = under_way
        thread.join(10)
        check(answers and answers[0] is not None and answers[0].status == 200, [str(a) for a in answers])
        return answers[0].json["results"]

    # By the id of the mail.
    (one,), under_way = waiting()
    relay.ask("POST", "/queue/hold", {"id": [one.rpartition("-")[0]], "reason": "by the mail's id"})
    result, = states(under_way)
    check(result["state"] == "held" and "by the mail's id" in result["message"], result)
    (two,), under_way = waiting()
    relay.ask("POST", "/queue/delete", {"id": [two.rpartition("-")[0]]})
    check([r["state"] for r in states(under_way)] == ["deleted"], "deleted by the mail's id")
    # As people type it.
    (small,), under_way = waiting()
    relay.ask("POST", "/queue/delete", {"id": [small.lower()]})
    check([r["state"] for r in states(under_way)] == ["deleted"], "deleted in small letters")
    # One that can be changed, and one that cannot.
    (three,), under_way = waiting()
    answer = relay.ask("POST", "/queue/delete", {"id": [three, "nothing"]})
    check((answer["changed"], answer["unknown"]) == (1, 1), answer)
    check([r["state"] for r in states(under_way)] == ["deleted"], "deleted with an unknown one")
    # All there are; and one of two, which goes on.
    ids, under_way = waiting(2)
    relay.ask("POST", "/queue/delete", {"id": [ids[0].rpartition("-")[0]]})
    time.sleep(0.5)
    check(not under_way[1], "answered while one is there still")
    relay.ask("POST", "/queue/hold", {"all": True, "reason": "all of them"})
    results = states(under_way)
    check(sorted(r["state"] for r in results) == ["deleted", "held"], results)
    _, under_way = waiting(3)
    relay.ask("POST", "/queue/delete", {"all": True, "state": ["spooled", "waiting", "held"]})
    check([r["state"] for r in states(under_way)] == ["deleted"] * 3, "all deleted")


def room_for_each_kind(folder):
    """Requests that hang or wait leave room for those of other kinds, and say what the limit is."""
    sandbox, relay = pair(folder, {"control": {"connections": 400}})
    sandbox.faults({"path": "/server", "delay_before_ms": 2500})
    raws = [in_background(relay, "POST", "/raw", {"method": "GET", "path": "/server"}) for _ in range(12)]
    time.sleep(0.5)
    start = time.monotonic()
    answer = relay.ask("GET", "/healthcheck")
    check(answer["healthy"], answer)
    relay.ask("GET", "/stream/list")
    check(time.monotonic() - start < 2, "beside raw requests it took %g s" % (time.monotonic() - start))
    # Any call may hang: health has connections of its own.
    calls = [in_background(relay, "GET", "/server/get") for _ in range(8)]
    time.sleep(0.3)
    start = time.monotonic()
    check(relay.ask("GET", "/healthcheck")["healthy"], "unhealthy")
    check(time.monotonic() - start < 2, "beside calls it took %g s" % (time.monotonic() - start))
    for thread, answers in raws + calls:
        thread.join(20)
        check(answers and answers[0].status == 200, [str(a) for a in answers])
    sandbox.faults()
    # One that goes while it waits for its turn takes nobody's.
    sandbox.faults({"path": "/server", "delay_before_ms": 1000})
    raws = [in_background(relay, "POST", "/raw", {"method": "GET", "path": "/server"}) for _ in range(6)]
    time.sleep(0.3)
    for _ in range(6):
        body = b'{"method":"GET","path":"/server"}'
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(relay.control_path)
            s.sendall(b"POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.05)
    raws += [in_background(relay, "POST", "/raw", {"method": "GET", "path": "/server"}) for _ in range(6)]
    for thread, answers in raws:
        thread.join(20)
        check(answers and answers[0].status == 200, [str(a) for a in answers])
    sandbox.faults()
    # Sends that wait.
    relay.ask("POST", "/route/pause/default", {})
    mail = {"from": SENDER, "to": READER, "text-body": "t"}
    waiting = [in_background(relay, "POST", "/send", dict(mail, wait=True)) for _ in range(128)]
    wait_for("128 mails", lambda: relay.ask("GET", "/queue/count")["spooled"] == 128)
    time.sleep(0.3)
    answer = relay.control("POST", "/send", dict(mail, wait=True))
    check(answer.status == 503 and answer.error["code"] == "busy", str(answer))
    check("128 requests that send" in answer.error["message"], answer.error)
    relay.ask("GET", "/version")
    relay.ask("POST", "/raw", {"method": "GET", "path": "/server"})
    relay.ask("GET", "/server/get")
    relay.ask("POST", "/route/resume/default", {})
    for thread, answers in waiting:
        thread.join(20)
        check(answers and answers[0].status == 200, [str(a) for a in answers])
    relay.ask("POST", "/send", dict(mail, wait=True))


def cut_short(folder):
    """Requests under way when the settings change, and when the relay ends."""
    sandbox, relay = pair(folder)
    sandbox.faults({"path": "/server", "delay_before_ms": 5000})
    slow, answers = in_background(relay, "GET", "/server/get")
    change, unknown = in_background(relay, "POST", "/server/edit", {"name": "Second"})
    time.sleep(0.3)
    changed = json.loads(json.dumps(relay.settings))
    changed["postmark"]["url"] += "/"
    relay.write_config(changed)
    check(relay.ask("POST", "/reload", {})["reloaded"], "no reload")
    slow.join(3)
    check(answers and answers[0].status == 503 and answers[0].error["code"] == "reloaded",
          [str(a) for a in answers])
    # What may have been done is not to be repeated unseen.
    change.join(3)
    check(unknown and unknown[0].status == 504 and "not known" in unknown[0].error["todo"],
          [str(a) for a in unknown])
    relay.ask("POST", "/route/pause/default", {})
    send(relay, "one")
    item_of(relay, "one")
    under_way = [in_background(relay, *request) for request in (
        ("GET", "/events?follow=true"), ("GET", "/top"), ("POST", "/queue/drain", {}),
        ("POST", "/send", {"from": SENDER, "to": READER, "text-body": "t", "wait": True}),
        ("GET", "/server/get"),
        ("POST", "/raw", {"method": "GET", "path": "/nothing", "max-retries": 5, "retry-delay": 60000,
                          "retry-all-errors": True}))]
    time.sleep(0.5)
    check(not any(answers for _, answers in under_way), "answered already")
    start = time.monotonic()
    check(relay.stop() == 0, "the relay's end")
    check(time.monotonic() - start < 15, "an end after %g s" % (time.monotonic() - start))
    for thread, _ in under_way:
        thread.join(10)
        check(not thread.is_alive(), "a client waits still")


def pmrelayctl(folder):
    """The same by the admin's command."""
    if program("pmrelayctl") is None:
        raise Skip("pmrelayctl is not built")
    sandbox, relay = pair(folder)
    code, out, err = relay.ctl("version")
    check(code == 0 and json.loads(out)["name"] == "pmrelay", (code, out, err))
    code, out, err = relay.ctl("send", "--from", SENDER, "--to", READER, "--subject", "by command",
                               "--text-body", "Hello", "--wait")
    check(code == 0 and json.loads(out)["state"] == "sent", (code, out, err))
    code, out, err = relay.ctl("status", json.loads(out)["id"])
    check(code == 0 and json.loads(out)["items"][0]["subject"] == "by command", (code, out, err))
    code, out, err = relay.ctl("queue", "lisst")
    check(code != 0 and "queue list" in err, (code, out, err))
    code, out, err = relay.ctl("queue", "show", "nothing")
    check(code != 0, (code, out, err))


run([permissions, client_certificates, bad_requests, hostile_clients_while_mail_flows, openapi,
     every_example, queue, waiting_and_flush, drain_of_one_route, batches, status_by_any_id, events,
     waits_for_changes, room_for_each_kind, explain_and_top, healthcheck, settings, cut_short,
     pmrelayctl], "control")
