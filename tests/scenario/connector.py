#!/usr/bin/env python3
"""Every action of the Postmark connector, asked of pmrelayd's control plane: what reaches Postmark,
for each input and for each default.  doc/connector.md names these functions."""

import base64
import email.parser
import email.policy
import http.client
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, TOKEN, check, program, run, wait_for  # noqa: E402

ACCOUNT_TOKEN = "sandbox-account-token"
SECOND_TOKEN, SECOND_ACCOUNT_TOKEN = "second-server-token", "second-account-token"
HERE = "https://relay.example.com/hooks"
FROM, TO = "Shop <shop@sender.example>", "ann@reader.example"
TRIGGERS = {
    "Open": {"Enabled": True, "PostFirstOpenOnly": False},
    "Click": {"Enabled": True},
    "Delivery": {"Enabled": True},
    "Bounce": {"Enabled": False, "IncludeContent": False},
    "SpamComplaint": {"Enabled": False, "IncludeContent": False},
    "SubscriptionChange": {"Enabled": False},
}


class Seen:
    """A request as it reached Postmark."""

    def __init__(self, handler, body):
        self.method = handler.command
        self.path, _, query = handler.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers = handler.headers
        self.body = body
        self.at = time.monotonic()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def token(self):
        """(which header, its value)"""
        found = [(name, self.headers["X-Postmark-%s-Token" % name]) for name in ("Server", "Account")
                 if "X-Postmark-%s-Token" % name in self.headers]
        check(len(found) == 1, "one token in a request: %s" % found)
        return found[0]


class Tap:
    """Stands before the sandbox and notes what comes.  Answers that are put into `answers` by path
    are given instead of the sandbox's, one for each request."""

    def __init__(self, port):
        tap = self
        self.port, self.seen, self.answers = port, [], {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen = Seen(self, body)
                tap.seen.append(seen)
                own = tap.answers.get(seen.path)
                if own:
                    status, kind, text = own.pop(0)
                else:
                    status, kind, text = tap.forward(self, body)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, handler, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(handler.command, handler.path, body,
                               {k: v for k, v in handler.headers.items()
                                if k.lower() not in ("host", "connection")})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):  # the test has ended
            return 0, "", b""
        finally:
            connection.close()
        return answer.status, answer.headers.get("Content-Type", "text/plain"), text

    def since(self, count, path=None):
        return [s for s in self.seen[count:] if path is None or s.path == path]


class Stage:
    """Sandbox, tap and relay."""

    def __init__(self, folder, settings=None):
        config = os.path.join(folder, "sandbox.json")
        with open(config, "w") as f:
            json.dump({
                "account_tokens": [ACCOUNT_TOKEN, SECOND_ACCOUNT_TOKEN],
                "servers": [{"Name": "First", "tokens": [TOKEN]},
                            {"Name": "Second", "tokens": [SECOND_TOKEN]}],
                "switches": {"verify_webhooks": False, "delete_servers": False},
            }, f)
        self.sandbox = Sandbox(folder, "--config", config)
        self.tap = Tap(self.sandbox.port)
        merged = {
            "postmark": {"account-token": ACCOUNT_TOKEN},
            "connection second": {"token": SECOND_TOKEN, "account-token": SECOND_ACCOUNT_TOKEN},
            "webhook": {"public-url": HERE},
            # It asks unasked, and requests are counted here.
            "suppression": {"sync": "no"},
        }
        for section, options in (settings or {}).items():
            merged.setdefault(section, {}).update(options)
        self.relay = Relay(folder, self.tap.server.server_address[1], merged)

    def ask(self, method, path, arguments=None, status=200):
        """One operation; its answer and the requests that it made of Postmark."""
        before = len(self.tap.seen)
        if method == "GET":
            answer = self.relay.ask(method, path, query=arguments, status=status)
        else:
            answer = self.relay.ask(method, path, arguments or {}, status=status)
        return answer, self.tap.since(before)

    def one(self, method, path, arguments, remote, account=False, body=None, query=None):
        """The operation makes this one request, with this body and this query alone, by the usual
        connection."""
        answer, seen = self.ask(method, path, arguments)
        check(len(seen) == 1, "%s: %d requests" % (path, len(seen)))
        self.is_request(seen[0], remote, body, query)
        check(seen[0].token == (("Account", ACCOUNT_TOKEN) if account else ("Server", TOKEN)),
              "%s: token %s" % (path, seen[0].token))
        return answer

    @staticmethod
    def is_request(seen, remote, body, query):
        got = "%s %s" % (seen.method, seen.path)
        check(got == remote, "wanted %s, got %s" % (remote, got))
        check(seen.query == (query or {}), "%s: query %s, wanted %s" % (got, seen.query, query))
        if body is None:
            check(seen.body == b"", "%s: body %s" % (got, seen.body))
        else:
            check(seen.json == body, "%s: body %s, wanted %s" % (got, seen.body.decode(), body))

    def by_second(self, method, path, arguments, account=False):
        """The input Connection: the request goes by that connection's token."""
        _, seen = self.ask(method, path, dict(arguments, connection="second"))
        wanted = ("Account", SECOND_ACCOUNT_TOKEN) if account else ("Server", SECOND_TOKEN)
        check([s.token for s in seen] == [wanted] * len(seen) and seen,
              "%s by the second connection: %s" % (path, [s.token for s in seen]))

    def messages(self, count, before):
        """The messages that reached Postmark by the sending paths since then, however they were
        gathered into batches."""
        paths = {"/email": lambda j: [j], "/email/batch": lambda j: j,
                 "/email/withTemplate": lambda j: [j],
                 "/email/batchWithTemplates": lambda j: j["Messages"]}

        def found():
            messages = [(s, m) for s in self.tap.since(before) if s.path in paths
                        for m in paths[s.path](s.json)]
            return len(messages) >= count and messages
        messages = wait_for("%d messages at Postmark" % count, found)
        check(len(messages) == count, "%d messages instead of %d" % (len(messages), count))
        return messages


def without_relay_id(message):
    """The message as its sender gave it: the relay's own mark taken away."""
    message = json.loads(json.dumps(message))
    check("relay-id" in message["Metadata"], "no relay-id in %s" % message)
    del message["Metadata"]["relay-id"]
    if not message["Metadata"]:
        del message["Metadata"]
    return message


# --- servers --------------------------------------------------------------------------------------


def test_createserver(folder):
    stage = Stage(folder)
    answer = stage.one("POST", "/server/create", {"name": "Plain"}, "POST /servers", True, {
        "Name": "Plain", "SmtpApiActivated": False, "RawEmailEnabled": False, "DeliveryType": "Live"})
    check(answer["Name"] == "Plain" and answer["DeliveryType"] == "Live", answer)
    check(all(set(t) == {"*"} for t in answer["ApiTokens"]), "tokens are shown: %s" % answer)
    stage.one("POST", "/server/create", {
        "name": "Full", "color": "green", "smtp-api-activated": True, "raw-email-enabled": True,
        "delivery-type": "Sandbox", "inbound-hook-url": "https://in.example/hook"},
        "POST /servers", True, {
        "Name": "Full", "Color": "Green", "SmtpApiActivated": True, "RawEmailEnabled": True,
        "DeliveryType": "Sandbox", "InboundHookUrl": "https://in.example/hook"})
    shown, _ = stage.ask("POST", "/server/create", {"name": "Shown", "tokens": "show"})
    check(shown["ApiTokens"] and "*" not in shown["ApiTokens"][0], "no token in %s" % shown)
    stage.by_second("POST", "/server/create", {"name": "By the second"}, True)
    error, _ = stage.ask("POST", "/server/create", {"name": "Plain"}, 422)
    check(error["error"]["postmark"]["ErrorCode"] == 603, error)
    error, seen = stage.ask("POST", "/server/create", {}, 400)
    check(not seen and "name" in error["error"]["message"], error)


def new_server(stage, name="Shop"):
    return stage.ask("POST", "/server/create", {"name": name})[0]["ID"]


def test_deleteserver(folder):
    stage = Stage(folder)
    number = new_server(stage)
    error, _ = stage.ask("POST", "/server/delete", {"id": number}, 422)
    check(error["error"]["postmark"]["ErrorCode"] in (604, 602), error)
    stage.sandbox.call("PUT", "/sandbox/switches", {"delete_servers": True})
    stage.one("POST", "/server/delete/%d" % number, None, "DELETE /servers/%d" % number, True)
    stage.ask("GET", "/server/get/%d" % number, status=404 if gone_is_404(stage, number) else 422)
    stage.by_second("POST", "/server/delete", {"id": new_server(stage, "Other")}, True)
    _, seen = stage.ask("POST", "/server/delete", {}, 400)
    check(not seen, "a request without an ID")


def gone_is_404(stage, number):
    """What the sandbox says of a server that is gone, asked without the relay."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.sandbox.port, timeout=60)
    connection.request("GET", "/servers/%d" % number, headers={"X-Postmark-Account-Token": ACCOUNT_TOKEN})
    status = connection.getresponse().status
    connection.close()
    return status == 404


def test_editservers(folder):
    stage = Stage(folder)
    number = new_server(stage)
    remote = "PUT /servers/%d" % number
    answer = stage.one("POST", "/server/edit", {
        "id": number, "name": "Shop two", "color": "blue", "smtp-api-activated": True,
        "raw-email-enabled": True, "inbound-hook-url": "https://in.example/hook",
        "enable-smtp-api-error-hooks": True}, remote, True, {
        "Name": "Shop two", "Color": "Blue", "SmtpApiActivated": True, "RawEmailEnabled": True,
        "InboundHookUrl": "https://in.example/hook", "EnableSmtpApiErrorHooks": True})
    check(answer["SmtpApiActivated"] and answer["RawEmailEnabled"], answer)
    # As the connector does it: what has a default is set to it.
    answer = stage.one("POST", "/server/edit/%d" % number, {"color": "red"}, remote, True, {
        "Color": "Red", "SmtpApiActivated": False, "RawEmailEnabled": False,
        "EnableSmtpApiErrorHooks": False})
    check(not answer["SmtpApiActivated"] and answer["Name"] == "Shop two", answer)
    stage.one("POST", "/server/edit", {"id": number, "color": "grey", "keep": True}, remote, True,
              {"Color": "Grey"})
    stage.by_second("POST", "/server/edit", {"id": number, "color": "green"}, True)


def test_editserver(folder):
    stage = Stage(folder)
    answer = stage.one("POST", "/server/edit", {"name": "Renamed", "color": "Turquoise"},
                       "PUT /server", False, {"Name": "Renamed", "Color": "Turquoise"})
    check(answer["Name"] == "Renamed", answer)
    stage.one("POST", "/server/edit", {"color": "Red"}, "PUT /server", False, {"Color": "Red"})
    stage.by_second("POST", "/server/edit", {"color": "Yellow"})


def test_getservers(folder):
    stage = Stage(folder)
    number = new_server(stage)
    answer = stage.one("GET", "/server/get/%d" % number, None, "GET /servers/%d" % number, True)
    check(answer["ID"] == number and answer["Name"] == "Shop", answer)
    check(all(set(t) == {"*"} for t in answer["ApiTokens"]), "tokens are shown: %s" % answer)
    stage.by_second("GET", "/server/get/%d" % number, {}, True)


def test_getserver(folder):
    stage = Stage(folder)
    answer = stage.one("GET", "/server/get", None, "GET /server")
    check(answer["Name"] == "First", answer)
    stage.by_second("GET", "/server/get", {})
    check(stage.ask("GET", "/server/get", {"connection": "second"})[0]["Name"] == "Second", "")


def test_listservers(folder):
    stage = Stage(folder)
    answer = stage.one("GET", "/server/list", None, "GET /servers", True,
                       query={"count": "100", "offset": "0"})
    check([s["Name"] for s in answer["Servers"]] == ["First", "Second"], answer)
    answer = stage.one("GET", "/server/list", {"count": 1, "offset": 1, "name": "s"}, "GET /servers",
                       True, query={"count": "1", "offset": "1", "name": "s"})
    check(len(answer["Servers"]) == 1, answer)
    stage.by_second("GET", "/server/list", {}, True)
    stage.ask("GET", "/server/list", {"count": 501}, 400)
    # More than Postmark gives at once.
    answer, seen = stage.ask("GET", "/server/list", {"all": "true"})
    check(answer["TotalCount"] == 2 and len(answer["Servers"]) == 2, answer)
    check(seen[0].query["count"] == "500", seen[0].query)


# --- webhooks -------------------------------------------------------------------------------------


def new_webhook(stage, url, **more):
    return stage.ask("POST", "/webhook/create", dict(more, url=url, verify=False))[0]["ID"]


def test_createwebhook(folder):
    stage = Stage(folder)
    answer = stage.one("POST", "/webhook/create", {"url": "https://shop.example/a"}, "POST /webhooks",
                       False, {"Url": "https://shop.example/a", "MessageStream": "outbound",
                               "Triggers": TRIGGERS, "Verify": True})
    check(answer["Triggers"]["Open"]["Enabled"] and not answer["Triggers"]["Bounce"]["Enabled"], answer)
    bounces = {"Bounce": {"Enabled": True, "IncludeContent": True}}
    answer = stage.one("POST", "/webhook/create", {
        "url": "https://shop.example/b", "stream": "broadcast", "triggers": bounces, "verify": False,
        "http-auth-user": "u", "http-auth-password": "p", "headers": {"X-Key": "k"}},
        "POST /webhooks", False, {
        "Url": "https://shop.example/b", "MessageStream": "broadcast", "Triggers": bounces,
        "Verify": False, "HttpAuth": {"Username": "u", "Password": "p"},
        "HttpHeaders": [{"Name": "X-Key", "Value": "k"}]})
    check(answer["HttpAuth"]["Password"] != "p", "a password is shown: %s" % answer)
    stage.by_second("POST", "/webhook/create", {"url": "https://shop.example/c"})
    # This instance's own.
    answer, seen = stage.ask("POST", "/webhook/create", {"instance": True, "connection": "default"})
    check(["%s %s" % (s.method, s.path) for s in seen] == ["GET /webhooks", "POST /webhooks"], seen)
    body = seen[1].json
    check(body["Url"].startswith(HERE + "/") and len(body["Url"]) == len(HERE) + 33, body)
    check(body["Triggers"] == TRIGGERS and body["MessageStream"] == "outbound", body)
    check(body["HttpAuth"]["Username"] == "pmrelay" and len(body["HttpAuth"]["Password"]) == 32, body)
    check(answer["Webhooks"][0]["Done"] == "made" and answer["Failed"] == 0, answer)
    check(body["HttpAuth"]["Password"] not in json.dumps(answer), "a password is shown")
    stage.ask("POST", "/webhook/create", {}, 400)


def test_getwebhook(folder):
    stage = Stage(folder)
    number = new_webhook(stage, "https://shop.example/a")
    answer = stage.one("GET", "/webhook/get/%d" % number, None, "GET /webhooks/%d" % number)
    check(answer["ID"] == number and answer["Url"] == "https://shop.example/a", answer)
    second = new_webhook(stage, "https://shop.example/b", connection="second")
    stage.by_second("GET", "/webhook/get/%d" % second, {})
    stage.ask("GET", "/webhook/get", status=400)


def test_listwebhooks(folder):
    stage = Stage(folder)
    for url in ("https://shop.example/a", HERE, HERE + "/x?key=1", "https://u:p@relay.example.com/hooks/y",
                "https://relay.example.com/hooksandmore", "https://relay.example.com.evil.example/hooks"):
        new_webhook(stage, url)
    answer = stage.one("GET", "/webhook/list", None, "GET /webhooks")
    check([w["Url"].split("/hooks", 1)[1] for w in answer["Webhooks"]] == ["", "/x?key=1", "/y"],
          "those of this instance: %s" % [w["Url"] for w in answer["Webhooks"]])
    check("u:p" not in json.dumps(answer), "credentials in a URL are shown")
    for all_of_them in ({"instance": "false"}, {"all": "true"}):
        answer, _ = stage.ask("GET", "/webhook/list", all_of_them)
        check(len(answer["Webhooks"]) == 6, answer)
    stage.one("GET", "/webhook/list", {"stream": "outbound"}, "GET /webhooks",
              query={"MessageStream": "outbound"})
    stage.by_second("GET", "/webhook/list", {})


def test_editwebhook(folder):
    stage = Stage(folder)
    number = new_webhook(stage, "https://shop.example/a")
    remote = "PUT /webhooks/%d" % number
    click = {"Click": {"Enabled": False}}
    answer = stage.one("POST", "/webhook/edit", {
        "id": number, "url": "https://shop.example/new", "triggers": click, "verify": False}, remote,
        False, {"Url": "https://shop.example/new", "Triggers": click, "Verify": False})
    check(answer["Url"].endswith("/new") and not answer["Triggers"]["Click"]["Enabled"], answer)
    check(answer["Triggers"]["Open"]["Enabled"], "a trigger that was not named changed: %s" % answer)
    # As the connector does it: triggers that are not given are set to the default.
    stage.one("POST", "/webhook/edit/%d" % number, {"url": "https://shop.example/b"}, remote, False,
              {"Url": "https://shop.example/b", "Triggers": TRIGGERS, "Verify": True})
    stage.one("POST", "/webhook/edit", {"id": number, "url": "https://shop.example/c", "keep": True},
              remote, False, {"Url": "https://shop.example/c", "Verify": True})
    second = new_webhook(stage, "https://shop.example/d", connection="second")
    stage.by_second("POST", "/webhook/edit", {"id": second, "url": "https://shop.example/e"})


def test_deletewebhook(folder):
    stage = Stage(folder)
    number = new_webhook(stage, "https://shop.example/a")
    stage.one("POST", "/webhook/delete/%d" % number, None, "DELETE /webhooks/%d" % number)
    check(stage.ask("GET", "/webhook/list", {"all": "true"})[0]["Webhooks"] == [], "it is there")
    second = new_webhook(stage, "https://shop.example/b", connection="second")
    stage.by_second("POST", "/webhook/delete", {"id": second})
    _, seen = stage.ask("POST", "/webhook/delete", {}, 400)
    check(not seen, "a request without an ID")


def test_deleteinstancedwebhooks(folder):
    stage = Stage(folder)
    others = [new_webhook(stage, url) for url in ("https://shop.example/a", HERE + "/shop")]
    ours = [new_webhook(stage, HERE + "/%032d" % i) for i in range(3)]
    answer, seen = stage.ask("POST", "/webhook/delete", {"instance": True})
    check(sorted(answer["deleted"]) == sorted(ours), answer)
    check(["%s %s" % (s.method, s.path) for s in seen] ==
          ["GET /webhooks"] + ["DELETE /webhooks/%d" % n for n in ours], [s.path for s in seen])
    left = stage.ask("GET", "/webhook/list", {"all": "true"})[0]["Webhooks"]
    check([w["ID"] for w in left] == others, left)
    stage.by_second("POST", "/webhook/delete", {"instance": True})
    stage.ask("POST", "/webhook/delete", {"instance": True, "id": others[0]}, 400)
    # One that fails half-way tells what is gone.
    ours = [new_webhook(stage, HERE + "/%032d" % i) for i in range(3)]
    stage.tap.answers["/webhooks/%d" % ours[1]] = [(500, "application/json", b"{}")]
    error = stage.ask("POST", "/webhook/delete", {"instance": True}, 502)[0]["error"]
    check(error["code"] == "half-way" and error["postmark"]["deleted"] == ours[:1], error)
    check("1 of 3 are deleted" in error["todo"], error)
    # Before that it is a failure like any other.
    stage.tap.answers["/webhooks/%d" % ours[1]] = [(500, "application/json", b"{}")]
    error = stage.ask("POST", "/webhook/delete", {"instance": True}, 502)[0]["error"]
    check(error["code"] == "postmark", error)
    answer, _ = stage.ask("POST", "/webhook/delete", {"instance": True})
    check(answer["deleted"] == ours[1:], answer)


# --- every page -------------------------------------------------------------------------------------


def test_pages(folder):
    """All that there is, or all that Postmark lists, and then how to ask for the rest."""
    stage = Stage(folder)

    def page(first, count, total):
        return 200, "application/json", json.dumps({"TotalCount": total, "Messages": [
            {"MessageID": "%d" % i, "Subject": "s"} for i in range(first, first + count)]}).encode()
    answers = stage.tap.answers["/messages/outbound"] = [page(i, 500, 1200) for i in (0, 500)]
    answers.append(page(1000, 200, 1200))
    answer, seen = stage.ask("GET", "/message/list", {"all": "true"})
    check([m["MessageID"] for m in answer["Messages"]] == ["%d" % i for i in range(1200)], len(seen))
    check("cut" not in answer and "note" not in answer, sorted(answer))

    refusal = 422, "application/json", json.dumps({
        "ErrorCode": 600, "Message": "The sum of 'count' and 'offset' may not exceed 10,000."}).encode()

    def beyond(last=refusal, start=0):
        stage.tap.answers["/messages/outbound"] = [
            page(i, min(500, 10000 - i), 12000) for i in range(start, 10000, 500)] + [last]
    beyond()
    answer, seen = stage.ask("GET", "/message/list", {"all": "true"})
    check(len(answer["Messages"]) == 10000 and answer["cut"] is True, len(answer["Messages"]))
    check("from-date" in answer["note"], answer["note"])
    check(len(seen) == 21, len(seen))
    # From the middle of a page on: the last page is as short as it must be.
    beyond(start=300)
    answer, seen = stage.ask("GET", "/message/list", {"all": "true", "offset": 300})
    check(len(answer["Messages"]) == 9700 and answer["cut"] is True, len(answer["Messages"]))
    check(all(int(s.query["offset"]) + int(s.query["count"]) <= 10000 for s in seen[:-1]), "a page beyond")
    # Another failure is no end.
    beyond((500, "application/json", b"{}"))
    stage.ask("GET", "/message/list", {"all": "true"}, 502)
    beyond()
    if program("pmrelayctl") is not None:
        done = subprocess.run(
            [program("pmrelayctl"), "--socket", stage.relay.control_path, "message", "list", "--all"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        check(done.returncode == 0 and "Note: " in done.stderr and "from-date" in done.stderr, done.stderr)
        check(len(done.stdout.splitlines()) == 10001, len(done.stdout.splitlines()))


# --- the raw request ------------------------------------------------------------------------------


def form_of(seen):
    """Parts of a multipart body: {field: (file name, bytes)}."""
    text = b"Content-Type: " + seen.headers["Content-Type"].encode() + b"\r\n\r\n" + seen.body
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    return {part.get_param("name", header="content-disposition"):
            (part.get_filename(), part.get_payload(decode=True)) for part in message.iter_parts()}


def test_rawrequest(folder):
    stage = Stage(folder)
    relay, tap = stage.relay, stage.tap

    def raw(status=200, **arguments):
        return stage.ask("POST", "/raw", dict({"method": "GET", "path": "/x"}, **arguments), status)

    def will(*answers):
        tap.answers["/x"] = list(answers)

    good, bad, busy = ((status, "application/json", b'{"a":1}') for status in (200, 500, 429))

    # The URL and the method, as they are; without an answer of the tap's own, the sandbox's.
    answer, seen = raw(path="/server")
    check(answer["status"] == 200 and answer["body"]["Name"] == "First", answer)
    stage.is_request(seen[0], "GET /server", None, None)
    check(seen[0].token == ("Server", TOKEN), seen[0].token)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        will(good)
        answer, seen = raw(method=method)
        check(seen[0].method == method and answer["status"] == 200, (method, answer))
        check(seen[0].body == b"", "%s: a body that nobody gave: %s" % (method, seen[0].body))
    # A status of Postmark's is no error of ours: it is the answer.
    answer, _ = raw(path="/nothing")
    check(answer["status"] in (404, 422), answer)
    for wrong in ("x", "//evil.example/", "/a b", "/a\r\nX: y"):
        _, seen = raw(400, path=wrong)
        check(not seen, "%r went out" % wrong)

    # Data: JSON, or a text as it is.
    for data, wanted in (({"a": [1, None]}, b'{"a":[1,null]}'), ("a,b\n", b"a,b\n"), ([], b"[]")):
        will(good)
        _, seen = raw(method="POST", data=data)
        check(seen[0].body == wanted, "%s, wanted %s" % (seen[0].body, wanted))
        check(seen[0].headers["Content-Type"] == "application/json", seen[0].headers["Content-Type"])

    # Form data, file data, file names.
    will(good)
    files = {"f": base64.b64encode(b"\0\xff\r\n--x").decode(), "g": base64.b64encode(b"g").decode()}
    _, seen = raw(method="POST", form={"k": "v\u00fc", "l": ""}, files=files,
                  **{"file-names": {"f": "r\u00e9sum\u00e9 \"1\".txt"}})
    check(seen[0].headers["Content-Type"].startswith("multipart/form-data; boundary="),
          seen[0].headers["Content-Type"])
    parts = form_of(seen[0])
    check(sorted(parts) == ["f", "g", "k", "l"], parts)
    check(parts["k"] == (None, "v\u00fc".encode()) and parts["l"] == (None, b""), parts)
    check(parts["f"][1] == b"\0\xff\r\n--x" and parts["g"] == ("g", b"g"), parts)
    check("%221%22.txt" in parts["f"][0], parts["f"])
    raw(400, method="POST", files=files, **{"file-names": {"h": "h"}})
    raw(400, method="POST", form={"k": "v"}, data={})
    raw(400, method="HEAD", data={})

    # Query parameters and headers.
    will(good)
    _, seen = raw(path="/x?first=1", query={"a b": "c&d=\u00fc", "e": ""},
                  headers=[{"Name": "X-One", "Value": "1"}, {"Name": "X-One", "Value": "2"}])
    check(seen[0].query == {"first": "1", "a b": "c&d=\u00fc", "e": ""}, seen[0].query)
    check(seen[0].headers.get_all("X-One") == ["1", "2"], seen[0].headers.items())
    raw(400, headers=[{"Name": "X-One", "Value": "1\r\nX-Two: 2"}])

    # Response type: json, text, binary.
    will((200, "application/json", b'{"a":1}'), (200, "text/plain", b'{"a":1}'),
         (200, "application/octet-stream", b"\0\xff"), (200, "text/plain", b"no JSON"))
    check(raw()[0]["body"] == {"a": 1}, "json by default")
    check(raw(**{"response-type": "text"})[0]["body"] == '{"a":1}', "text")
    binary = raw(**{"response-type": "binary"})[0]["body"]
    check(base64.b64decode(binary) == b"\0\xff", binary)
    check(raw()[0]["body"] == "no JSON", "what is no JSON is a text")
    # A text that many would read to its first NUL alone; the answer says what its body is.
    will(good, (200, "text/plain", b"a\0b"), (200, "text/plain", b"ab"))
    check(raw()[0]["body_type"] == "json", "the type of a body")
    answer = raw(**{"response-type": "text"})[0]
    check((answer["body_type"], base64.b64decode(answer["body"])) == ("binary", b"a\0b"), answer)
    answer = raw(**{"response-type": "text"})[0]
    check((answer["body_type"], answer["body"]) == ("text", "ab"), answer)
    # More than can be had is told.
    will((200, "text/plain", b"x" * ((128 << 20) + 1)))
    error = raw(502, **{"response-type": "text"})[0]["error"]
    check(error["code"] == "answer" and "128 MiB" in error["message"], error)

    # Retries: none by default; 5xx and lost connections; others when all errors count.
    will(bad, good)
    answer, seen = raw()
    check((answer["status"], answer["tries"], len(seen)) == (500, 1, 1), answer)
    will(bad, (0, "", b""), good)
    answer, seen = raw(**{"max-retries": 5})
    # A kept connection that was closed is tried anew below us, and does not count.
    check(answer["status"] == 200 and answer["tries"] in (2, 3) and len(seen) == 3, answer)
    check(seen[-1].at - seen[0].at < 2, "the delay is 0 by default: %g s" % (seen[-1].at - seen[0].at))
    will(bad, bad, bad, good)
    answer, _ = raw(**{"max-retries": 2})
    check((answer["status"], answer["tries"]) == (500, 3), answer)
    will(busy, good)
    check(raw(**{"max-retries": 2})[0]["tries"] == 1, "429 is no reason without retry-all-errors")
    will(busy, (404, "application/json", b"{}"), (302, "text/plain", b""), good)
    answer, _ = raw(**{"max-retries": 3, "retry-all-errors": True})
    check((answer["status"], answer["tries"]) == (200, 4), answer)
    will(bad, bad, good)
    _, seen = raw(**{"max-retries": 2, "retry-delay": 300})
    gaps = [b.at - a.at for a, b in zip(seen, seen[1:])]
    check(all(gap >= 0.29 for gap in gaps), "a retry delay of 300 ms: %s" % gaps)
    will(bad, bad, good)
    _, seen = raw(**{"max-retries": 2, "retry-delay": 1, "exponential-backoff": True})
    gaps = [b.at - a.at for a, b in zip(seen, seen[1:])]
    check(gaps[0] >= 0.49 and gaps[1] >= 0.99, "500 ms, then twice that: %s" % gaps)

    # Timeout: the sandbox waits longer than that.
    stage.sandbox.faults({"path": "/server", "delay_before_ms": 3000})
    start = time.monotonic()
    error, _ = raw(504, path="/server", timeout=300)
    check(time.monotonic() - start < 2.5, "a timeout of 300 ms took %g s" % (time.monotonic() - start))
    check(error["error"]["code"] == "unreachable", error)
    stage.sandbox.faults()

    # Debug: the request is logged, and no token.
    check("event=raw-request" not in relay.log(), "logged without debug")
    will(good)
    raw(debug=True)
    relay.await_log("event=raw-request")
    check(TOKEN not in relay.log() and ACCOUNT_TOKEN not in relay.log(), "a token in the log")

    stage.by_second("POST", "/raw", {"method": "GET", "path": "/server"})
    _, seen = raw(path="/servers", query={"count": "1", "offset": "0"}, account=True)
    check(seen[0].token == ("Account", ACCOUNT_TOKEN), seen[0].token)


# --- sending --------------------------------------------------------------------------------------

FULL = {
    "from": FROM, "to": "ann@reader.example, \"Bo, B\" <bo@reader.example>", "cc": "cy@reader.example",
    "bcc": "di@reader.example", "tag": "t", "reply-to": "r@sender.example", "track-opens": False,
    "headers": [{"Name": "X-One", "Value": "1"}], "metadata": {"color": "green"},
    "attachments": [{"Name": "a.txt", "Content": "Zm9v", "ContentType": "text/plain"}],
}
FULL_REMOTE = {
    "From": FULL["from"], "To": FULL["to"], "Cc": FULL["cc"], "Bcc": FULL["bcc"], "Tag": "t",
    "ReplyTo": FULL["reply-to"], "TrackOpens": False, "Headers": FULL["headers"],
    "Metadata": FULL["metadata"], "Attachments": FULL["attachments"],
}


def sent(stage, path, arguments, kind, remote):
    """By the spool and directly: the same message reaches Postmark, by the stream of its
    connection if it names none."""
    remote = dict({"MessageStream": "outbound"}, **remote)
    before = len(stage.tap.seen)
    answer, _ = stage.ask("POST", path, dict(arguments, wait=True))
    check(answer["state"] == "sent" and len(answer["message_id"]) == 36, answer)
    (seen, message), = stage.messages(1, before)
    check(seen.path in kind, seen.path)
    check(seen.token == ("Server", TOKEN), seen.token)
    check(without_relay_id(message) == remote, "%s\nwanted %s" % (message, remote))
    check(message["Metadata"]["relay-id"] == answer["id"], (message["Metadata"], answer))
    answer, seen = stage.ask("POST", path, dict(arguments, direct=True))
    check(answer["ErrorCode"] == 0 and len(answer["MessageID"]) == 36, answer)
    stage.is_request(seen[0], "POST " + kind[0], remote, None)


def test_sendsingleemail(folder):
    stage = Stage(folder)
    kind = ("/email", "/email/batch")
    sent(stage, "/send", {"from": FROM, "to": TO, "subject": "s", "text-body": "t"}, kind,
         {"From": FROM, "To": TO, "Subject": "s", "TextBody": "t", "TrackOpens": True})
    sent(stage, "/send", dict(FULL, subject="Gr\u00fc\u00dfe", **{"html-body": "<p>", "text-body": "t"}),
         kind, dict(FULL_REMOTE, Subject="Gr\u00fc\u00dfe", HtmlBody="<p>", TextBody="t"))
    sent(stage, "/send", {"from": FROM, "to": TO, "text-body": "t", "stream": "broadcast",
                          "attachments": {"a.txt": "Zm9v"}, "headers": {"X-One": "1"}}, kind,
         {"From": FROM, "To": TO, "TextBody": "t", "TrackOpens": True, "MessageStream": "broadcast",
          "Attachments": [{"Name": "a.txt", "Content": "Zm9v", "ContentType": "text/plain"}],
          "Headers": [{"Name": "X-One", "Value": "1"}]})
    # Without waiting: its id at once.
    answer, _ = stage.ask("POST", "/send", {"from": FROM, "to": TO, "subject": "later", "text-body": "t"})
    check(answer["state"] == "spooled" and answer["id"].endswith("-1"), answer)
    stage.sandbox.await_subjects(["later"])
    # The connection decides the token.
    before = len(stage.tap.seen)
    stage.ask("POST", "/send", {"from": FROM, "to": TO, "text-body": "t", "wait": True,
                                "connection": "second"})
    (seen, _), = stage.messages(1, before)
    check(seen.token == ("Server", SECOND_TOKEN), seen.token)
    stage.by_second("POST", "/send", {"from": FROM, "to": TO, "text-body": "t", "direct": True})
    # Fifty recipients together, and not one more; nothing goes out otherwise.
    many = ",".join("r%d@reader.example" % i for i in range(25))
    more = ",".join("s%d@reader.example" % i for i in range(25))
    stage.ask("POST", "/send", {"from": FROM, "to": many, "bcc": more, "text-body": "t", "wait": True})
    before = len(stage.tap.seen)
    error, _ = stage.ask("POST", "/send", {"from": FROM, "to": many, "cc": TO, "bcc": more,
                                           "text-body": "t"}, 422)
    check("51 recipients" in error["error"]["message"], error)
    check(not stage.tap.since(before), "a mail for 51 went out")
    # What Postmark refuses is told to whoever waits.
    stage.sandbox.suppress("gone@reader.example")
    error, _ = stage.ask("POST", "/send", {"from": FROM, "to": "gone@reader.example", "text-body": "t",
                                           "wait": True}, 422)
    check(error["error"]["postmark"]["ErrorCode"] == 406, error)


def test_sendbatchemail(folder):
    stage = Stage(folder)
    ours = {"fromAddress": "test@example.com", "toAddress": "user@example.com",
            "ccAddress": "cc@example.com", "bccAddress": "bcc@example.com",
            "subject": "Hello, world!", "tag": "tag-example", "htmlBody": "<p>Hello, world!</p>",
            "textBody": "Hello, world!", "replyTo": "reply@example.com",
            "headers": [{"Name": "CUSTOM-HEADER", "Value": "value"}],
            "metadata": {"color": "green", "client-id": "12345"},
            "attachments": [
                {"Name": "readme.txt", "Content": "dGVzdCBjb250ZW50", "ContentType": "text/plain"},
                {"Name": "report.pdf", "Content": "dGVzdCBjb250ZW50",
                 "ContentType": "application/octet-stream"}]}
    remote = {"From": "test@example.com", "To": "user@example.com", "Cc": "cc@example.com",
              "Bcc": "bcc@example.com", "Subject": "Hello, world!", "Tag": "tag-example",
              "HtmlBody": "<p>Hello, world!</p>", "TextBody": "Hello, world!",
              "ReplyTo": "reply@example.com", "Headers": ours["headers"],
              "Metadata": ours["metadata"], "Attachments": ours["attachments"],
              "MessageStream": "outbound"}
    # The connector's own example, whose second mail is empty, with one in Postmark's shape.
    plain = {"From": FROM, "To": TO, "Subject": "Plain", "TextBody": "t", "MessageStream": "outbound"}
    before = len(stage.tap.seen)
    answer, _ = stage.ask("POST", "/send/batch", {"emails": [ours, {}, plain], "wait": True})
    check([r["state"] for r in answer["results"]] == ["sent", "refused", "sent"], answer)
    check((answer["sent"], answer["failed"], answer["spooled"]) == (2, 1, 0), answer)
    check("From" in answer["results"][1]["message"], answer)
    messages = [without_relay_id(m) for _, m in stage.messages(2, before)]
    check(sorted(messages, key=lambda m: m["Subject"]) == [remote, plain], messages)
    # Directly, as an array alone; the answers are Postmark's.
    answer, seen = stage.ask("POST", "/send/batch", {"emails": [ours, plain], "direct": True})
    stage.is_request(seen[0], "POST /email/batch", [remote, plain], None)
    check([r["ErrorCode"] for r in answer["results"]] == [0, 0], answer)
    answer, _ = stage.ask("POST", "/send/batch?wait=true", [plain])
    check(answer["sent"] == 1, answer)
    # More than 500 go in several requests.
    many = [dict(plain, Subject="m%d" % i) for i in range(701)]
    answer, seen = stage.ask("POST", "/send/batch", {"emails": many, "direct": True})
    check([len(s.json) for s in seen] == [500, 201], [len(s.json) for s in seen])
    check(len(answer["results"]) == 701, len(answer["results"]))
    before = len(stage.tap.seen)
    answer, _ = stage.ask("POST", "/send/batch", {"emails": many, "wait": True, "timeout": "120s"})
    check(answer["sent"] == 701, {k: answer[k] for k in ("sent", "failed", "spooled")})
    stage.messages(701, before)
    # Whoever asks for lines is told how far it is.
    lines = stage.relay.control("POST", "/send/batch", {"emails": many, "wait": True},
                                headers={"Accept": "application/x-ndjson"}).lines
    progress = [line["progress"] for line in lines[:-1]]
    check(lines[-1]["result"]["sent"] == 701 and progress[-1]["done"] == progress[-1]["of"] == 701,
          lines[-2:])
    check([p["done"] for p in progress if p["text"] == "stored"][-1] == 701, progress[:5])
    stage.by_second("POST", "/send/batch", {"emails": [plain], "direct": True})
    error, _ = stage.ask("POST", "/send/batch", {"emails": [plain, dict(plain, Form="x")]}, 422)
    check("mail 2 of 2" in error["error"]["message"], error)
    stage.ask("POST", "/send/batch", {"emails": []}, 400)


def new_template(stage, **more):
    """Number of a template called code-your-own."""
    return stage.ask("POST", "/template/create", dict({
        "name": "Own", "alias": "code-your-own", "subject": "{{fizz}}", "html-body": "<p>{{fizz}}</p>",
        "text-body": "{{fizz}}"}, **more))[0]["TemplateId"]


def test_sendemailwithtemplate(folder):
    stage = Stage(folder)
    number = new_template(stage)
    kind = ("/email/withTemplate", "/email/batchWithTemplates")
    # Every default: the model, opens and styles.
    sent(stage, "/send/template", {"from": FROM, "to": TO, "template-id": number}, kind, {
        "From": FROM, "To": TO, "TrackOpens": True, "TemplateId": number,
        "TemplateModel": {"fizz": "buzz", "test": "case"}, "InlineCss": True})
    sent(stage, "/send/template", dict(FULL, **{
        "template-alias": "code-your-own", "template-model": {"fizz": "a"}, "inline-css": False}), kind,
        dict(FULL_REMOTE, TemplateAlias="code-your-own", TemplateModel={"fizz": "a"}, InlineCss=False))
    # Inputs of the connector that Postmark refuses beside a template: before anything goes out.
    for name in ("subject", "html-body", "text-body"):
        before = len(stage.tap.seen)
        error, _ = stage.ask("POST", "/send/template", {"from": FROM, "to": TO, "template-id": number,
                                                        name: "x"}, 422)
        check("1123" in error["error"]["message"], error)
        check(not stage.tap.since(before), "%s went out" % name)
    error, _ = stage.ask("POST", "/send/template", {"from": FROM, "to": TO}, 422)
    check("TemplateId or TemplateAlias" in error["error"]["message"], error)
    # A template that is not there may be made: the mail is held until then.
    answer, _ = stage.ask("POST", "/send/template", {"from": FROM, "to": TO, "template-alias": "none",
                                                     "wait": True})
    check((answer["state"], answer["error_code"]) == ("held", 1101), answer)
    error, _ = stage.ask("POST", "/send/template", {"from": FROM, "to": TO, "template-alias": "none",
                                                    "direct": True}, 422)
    check(error["error"]["postmark"]["ErrorCode"] == 1101, error)
    new_template(stage, connection="second")
    stage.by_second("POST", "/send/template", {"from": FROM, "to": TO, "direct": True,
                                               "template-alias": "code-your-own"})


def test_sendbatchemailwithtemplate(folder):
    stage = Stage(folder)
    number = new_template(stage)
    one = {"From": "sender@example.com", "To": "receiver@example.com", "TemplateId": number,
           "TemplateModel": {"fizz": "buzz"}, "MessageStream": "outbound"}
    two = {"From": "sender@example.com", "To": "receiver@example.com",
           "TemplateAlias": "code-your-own", "TemplateModel": {"fizz": "buzz"},
           "MessageStream": "outbound"}
    for given in ({"Messages": [one, two]}, [one, two]):
        before = len(stage.tap.seen)
        answer, _ = stage.ask("POST", "/send/template-batch", {"messages": given, "wait": True})
        check([r["state"] for r in answer["results"]] == ["sent", "sent"], answer)
        messages = [without_relay_id(m) for _, m in stage.messages(2, before)]
        check(sorted(messages, key=lambda m: "TemplateAlias" in m) == [one, two], messages)
    answer, seen = stage.ask("POST", "/send/template-batch", {"messages": [one, two], "direct": True})
    stage.is_request(seen[0], "POST /email/batchWithTemplates", {"Messages": [one, two]}, None)
    # Alone as Postmark has it, too, and beyond 500.
    answer, _ = stage.ask("POST", "/send/template-batch?wait=true", {"Messages": [one]})
    check(answer["sent"] == 1, answer)
    answer, seen = stage.ask("POST", "/send/template-batch", {"messages": [one] * 501, "direct": True})
    check([len(s.json["Messages"]) for s in seen] == [500, 1], len(seen))
    before = len(stage.tap.seen)
    answer, _ = stage.ask("POST", "/send/template-batch", {"messages": [one] * 501, "wait": True,
                                                           "timeout": "120s"})
    check(answer["sent"] == 501, {k: answer[k] for k in ("sent", "failed", "spooled")})
    check(all(len(s.json["Messages"]) <= 500 for s in stage.tap.since(before)
              if s.path == "/email/batchWithTemplates"), "a batch above 500")
    # One that Postmark refuses costs none of the others.
    answer, _ = stage.ask("POST", "/send/template-batch", {
        "messages": [one, dict(two, TemplateAlias="none"), two], "wait": True})
    check([r["state"] for r in answer["results"]] == ["sent", "held", "sent"], answer)
    check(answer["results"][1]["error_code"] == 1101, answer)
    new_template(stage, connection="second")
    stage.by_second("POST", "/send/template-batch", {"messages": [two], "direct": True})


run([test_createserver, test_deleteserver, test_editservers, test_editserver, test_getservers,
     test_getserver, test_listservers, test_createwebhook, test_getwebhook, test_listwebhooks,
     test_editwebhook, test_deletewebhook, test_deleteinstancedwebhooks, test_pages, test_rawrequest,
     test_sendsingleemail, test_sendbatchemail, test_sendemailwithtemplate,
     test_sendbatchemailwithtemplate], "connector")
