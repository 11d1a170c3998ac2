#!/usr/bin/env python3
"""The events of pmrelay-sandbox, as a receiver sees them: what is posted, and what follows."""

import base64
import email
import email.message
import email.policy
import http.server
import os
import re
import select
import smtplib
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import json

from sandbox_api import TOKEN, UUID, Sandbox, message

SEVEN = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")
DOMAIN = "@bounce-testing.postmarkapp.com"
TRIGGERS = ("Open", "Click", "Delivery", "Bounce", "SpamComplaint", "SubscriptionChange")
HTML = "<p>Hello</p><a href='mailto:x@shop.example'>m</a> <A HREF = \"https://shop.example/?a=1&amp;b=2\">x</A>"


class Post:
    """One that was received."""

    def __init__(self, handler, body):
        self.path, self.headers, self.raw = handler.path, handler.headers, body
        self.json = json.loads(body)
        self.time = time.monotonic()
        self.early = handler.early
        self.client = handler.client_address

    @property
    def kind(self):
        return self.json.get("RecordType", "Inbound")

    @property
    def user(self):
        text = self.headers["Authorization"]
        return None if text is None else base64.b64decode(text[len("Basic "):]).decode()


class Receiver:
    """An HTTP server that remembers posts and answers as it is told: 200, unless answer says."""

    def __init__(self, context=None):
        receiver = self
        self.posts, self.lock = [], threading.Condition()
        self.answer = lambda post, before: 200
        self.location, self.says_continue = None, True

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            early = None

            def handle_expect_100(self):
                # True: the body came without waiting.
                self.early = bool(select.select([self.connection], [], [], 0.2)[0])
                return super().handle_expect_100() if receiver.says_continue else True

            def body(self):
                if self.headers["Transfer-Encoding"] != "chunked":
                    return self.rfile.read(int(self.headers["Content-Length"]))
                body = b""
                while True:
                    size = int(self.rfile.readline(), 16)
                    body += self.rfile.read(size)
                    self.rfile.readline()
                    if size == 0:
                        return body

            def do_POST(self):
                post = Post(self, self.body())
                with receiver.lock:
                    before = sum(one.headers["X-PM-Webhook-Trace-Id"] ==
                                 post.headers["X-PM-Webhook-Trace-Id"] for one in receiver.posts)
                    receiver.posts.append(post)
                    receiver.lock.notify_all()
                status = receiver.answer(post, before)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                if receiver.location and 300 <= status < 400:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.http = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def wait(self, count, seconds=20):
        """The posts, once there are so many."""
        with self.lock:
            self.lock.wait_for(lambda: len(self.posts) >= count, seconds)
            return list(self.posts)


class WebhookTest(unittest.TestCase):
    options = ("--webhook-speed", "6000", "--webhook-delay", "10")

    def setUp(self):
        self.sandbox = Sandbox(*self.options)
        self.addCleanup(self.sandbox.__exit__, None, None, None)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.url = "http://127.0.0.1:%d/pm" % self.receiver.port

    def ok(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def hook(self, triggers=TRIGGERS, **fields):
        wanted = {"Url": self.url, "Triggers": {name: {"Enabled": True} for name in triggers}}
        wanted.update(fields)
        return self.ok(self.sandbox.call("POST", "/webhooks", wanted))

    def send(self, **fields):
        return self.ok(self.sandbox.email(**fields))["MessageID"]

    def settings(self, **settings):
        return self.ok(self.sandbox.call("PUT", "/sandbox/events/settings", settings))

    def control(self, what, **fields):
        return self.ok(self.sandbox.call("POST", "/sandbox/" + what, fields))

    def settle(self, hurry=False):
        """The events, once none is pending."""
        counts = self.ok(self.sandbox.call(
            "POST", "/sandbox/events/fire", {"wait_ms": 15000, "hurry": hurry}))
        self.assertEqual(counts["pending"], 0, counts)
        return self.ok(self.sandbox.get("/sandbox/events"))

    def posts(self, count, hurry=False):
        """All that is received, which is so many."""
        self.settle(hurry)
        posts = self.receiver.wait(count)
        self.assertEqual(len(posts), count, [post.json for post in posts])
        return posts


class Events(WebhookTest):
    def test_delivery(self):
        self.hook(["Delivery"], HttpAuth={"Username": "u", "Password": "p"},
                  HttpHeaders=[{"Name": "X-Key", "Value": "k"}, {"Name": "X-None", "Value": ""}])
        id_ = self.send(Tag="t", Metadata={"relay-id": "r1"}, Cc="bo@reader.example")
        posts = self.posts(2)
        self.assertEqual({post.json["Recipient"] for post in posts},
                         {"ann@reader.example", "bo@reader.example"})
        post = posts[0]
        self.assertRegex(post.json.pop("DeliveredAt"), SEVEN)
        post.json.pop("Recipient")
        self.assertEqual(post.json, {
            "RecordType": "Delivery", "MessageStream": "outbound", "ServerID": 1, "MessageID": id_,
            "Tag": "t", "Details": "250 2.0.0 OK, taken by the sandbox",
            "Metadata": {"relay-id": "r1"}})
        self.assertEqual((post.path, post.user), ("/pm", "u:p"))
        for name, value in (("Content-Type", "application/json"), ("User-Agent", "Postmark"),
                            ("X-PM-Retries-Remaining", "6"), ("X-Key", "k"), ("X-None", ""),
                            ("Expect", None), ("Accept", None)):
            self.assertEqual(post.headers[name], value, name)
        for name in "X-PM-Webhook-Trace-Id", "X-PM-Webhook-Event-Id":
            self.assertRegex(post.headers[name], UUID)
            self.assertNotEqual(post.headers[name], posts[1].headers[name])
        listed = self.settle()
        self.assertEqual([one["State"] for one in listed["events"]], ["done", "done"])
        self.assertEqual((listed["events"][0]["LastStatus"], listed["events"][0]["Tries"]), (200, 1))
        stats = self.ok(self.sandbox.get("/webhooks/1/statistics"))
        self.assertEqual((stats["Total"], stats["Succeeded"], stats["Failed"]), (2, 2, 0))

    def test_silence(self):
        """Nothing is queued that nobody wants to know."""
        self.hook(["Bounce"])
        self.hook(MessageStream="broadcast")
        self.hook(["Delivery"], Verify=False)
        self.send()
        self.sandbox.call("POST", "/email", message(), {
            "X-Postmark-Server-Token": "POSTMARK_API_TEST", "Content-Type": "application/json"})
        self.send(To="test@blackhole.postmarkapp.com")
        self.assertEqual(self.settle()["counts"]["events"], 0)
        self.send(MessageStream="broadcast")
        self.assertEqual(self.posts(1)[0].json["MessageStream"], "broadcast")

    def test_bounces(self):
        made = self.hook(["Bounce", "SubscriptionChange", "Delivery", "SpamComplaint"])
        self.hook(["Bounce"], Url=self.url + "/full", Triggers={
            "Bounce": {"Enabled": True, "IncludeContent": True}})
        id_ = self.send(To="hard_bounce" + DOMAIN, Tag="t", Metadata={"relay-id": "r"})
        posts = {(post.path, post.kind): post for post in self.posts(3)}
        bounce = posts["/pm", "Bounce"].json
        content = posts["/pm/full", "Bounce"].json.pop("Content")
        self.assertEqual(posts["/pm/full", "Bounce"].json, bounce)
        self.assertIn("<hard_bounce%s>" % DOMAIN, content)
        shown = self.ok(self.sandbox.get("/bounces/%d" % bounce["ID"]))
        shown.pop("Content")
        when = shown.pop("BouncedAt")
        self.assertRegex(bounce["BouncedAt"], SEVEN)
        # The API shows the time of New York.
        self.assertEqual(bounce.pop("BouncedAt")[14:27], when[14:27])
        self.assertEqual(bounce, shown)
        self.assertEqual((bounce["Type"], bounce["TypeCode"], bounce["Inactive"]),
                         ("HardBounce", 1, True))
        change = posts["/pm", "SubscriptionChange"].json
        self.assertRegex(change.pop("ChangedAt"), SEVEN)
        self.assertEqual(change, {
            "RecordType": "SubscriptionChange", "MessageID": id_, "ServerID": 1,
            "MessageStream": "outbound", "Recipient": "hard_bounce" + DOMAIN, "Origin": "Recipient",
            "SuppressSending": True, "SuppressionReason": "HardBounce", "Tag": "t",
            "Metadata": {"relay-id": "r"}})

        self.sandbox.call("DELETE", "/webhooks/2")
        for local, kind in (("SoftBounce", "SoftBounce"), ("dns_error", "DnsError"),
                            ("nobody", "HardBounce"), ("SpamComplaint", "HardBounce")):
            self.receiver.posts.clear()
            self.send(To=local + DOMAIN)
            posts = self.posts(1 if kind != "HardBounce" else 2)
            self.assertEqual({post.kind: post.json.get("Type") for post in posts}["Bounce"], kind)
        self.receiver.posts.clear()
        self.send(To="x" + DOMAIN, Headers=[{"Name": "X-PM-Bounce-Type", "Value": "Blocked"}])
        self.assertEqual(self.posts(1)[0].json["Type"], "Blocked")

        self.receiver.posts.clear()
        id_ = self.send()
        self.control("bounce", MessageID=id_, Type="SpamComplaint")
        posts = {post.kind: post.json for post in self.posts(3)}
        self.assertEqual(set(posts), {"Delivery", "SpamComplaint", "SubscriptionChange"})
        self.assertEqual((posts["SpamComplaint"]["TypeCode"], posts["SpamComplaint"]["CanActivate"],
                          posts["SubscriptionChange"]["SuppressionReason"]),
                         (100001, False, "SpamComplaint"))
        self.assertEqual(made["Status"], "verified")

    def test_suppressions(self):
        self.hook(["SubscriptionChange"])
        path = "/message-streams/outbound/suppressions"
        body = {"Suppressions": [{"EmailAddress": "bo@reader.example"}]}
        for where, suppress, reason in (("", True, "ManualSuppression"), ("", None, None),
                                        ("/delete", False, None), ("/delete", None, None)):
            self.receiver.posts.clear()
            self.ok(self.sandbox.call("POST", path + where, body))
            posts = self.posts(suppress is not None)
            if posts:
                self.assertRegex(posts[0].json.pop("ChangedAt"), SEVEN)
                self.assertEqual(posts[0].json, {
                    "RecordType": "SubscriptionChange", "MessageID": None, "ServerID": 1,
                    "MessageStream": "outbound", "Recipient": "bo@reader.example",
                    "Origin": "Customer", "SuppressSending": suppress,
                    "SuppressionReason": reason, "Tag": None, "Metadata": {}})
        bounce = self.control("bounce", Email="cy@reader.example")
        self.posts(1)
        self.receiver.posts.clear()
        self.ok(self.sandbox.call("PUT", "/bounces/%d/activate" % bounce["ID"]))
        self.assertIs(self.posts(1)[0].json["SuppressSending"], False)

    def test_readers(self):
        self.hook(["Click"])
        self.hook(["Open"], Url=self.url + "/all")
        self.hook(Url=self.url + "/first", Triggers={
            "Open": {"Enabled": True, "PostFirstOpenOnly": True}})
        id_ = self.send(HtmlBody=HTML, Metadata={"a": "b"}, Tag="t")
        self.control("open", MessageID=id_)
        self.control("open", MessageID=id_)
        self.control("click", MessageID=id_, OriginalLink="https://a.example/")
        self.control("click", MessageID=id_, OriginalLink="https://a.example/")
        posts = self.posts(4)
        self.assertEqual(sorted((post.path, post.json.get("FirstOpen")) for post in posts
                                if post.kind == "Open"),
                         [("/pm/all", False), ("/pm/all", True), ("/pm/first", True)])
        click = next(post.json for post in posts if post.kind == "Click")
        opened = next(post.json for post in posts if post.kind == "Open")
        common = {"RecordType", "MessageStream", "Client", "OS", "Platform", "UserAgent", "Geo",
                  "MessageID", "Metadata", "ReceivedAt", "Tag", "Recipient"}
        self.assertEqual(set(click), common | {"ClickLocation", "OriginalLink"})
        self.assertEqual(set(opened), common | {"FirstOpen", "ReadSeconds"})
        self.assertRegex(click["ReceivedAt"], SEVEN)
        self.assertEqual(click["Metadata"], {"a": "b"})

    def test_script(self):
        """Messages that open themselves, and are clicked."""
        self.hook(["Delivery", "Open", "Click"])
        self.settings(open_after_ms=50, click_after_ms=50)
        self.send(HtmlBody=HTML)
        self.send()
        posts = self.posts(4)
        kinds = [post.kind for post in posts]
        self.assertEqual(sorted(kinds), ["Click", "Delivery", "Delivery", "Open"])
        self.assertLess(kinds.index("Open"), kinds.index("Click"))
        self.assertEqual(next(post.json for post in posts if post.kind == "Click")["OriginalLink"],
                         "https://shop.example/?a=1&b=2")

    def test_sandbox_server(self):
        made = self.ok(self.sandbox.call("POST", "/servers", {
            "Name": "try", "DeliveryType": "Sandbox"}, {
                "X-Postmark-Account-Token": "sandbox-account-token",
                "Content-Type": "application/json"}))
        headers = {"X-Postmark-Server-Token": made["ApiTokens"][0],
                   "Content-Type": "application/json"}
        self.ok(self.sandbox.call("POST", "/webhooks", {
            "Url": self.url, "Triggers": {"Delivery": {"Enabled": True}}}, headers))
        self.ok(self.sandbox.call("POST", "/email", message(), headers))
        self.assertEqual(self.posts(1)[0].json["ServerID"], made["ID"])


class Reactions(WebhookTest):
    def test_table(self):
        """All seven posts, and how the times between them grow."""
        self.settings(webhook_speed=3000)
        self.hook(["Delivery"])
        self.receiver.answer = lambda post, before: 500
        self.send()
        posts = self.posts(7)
        self.assertEqual([post.headers["X-PM-Retries-Remaining"] for post in posts],
                         ["6", "5", "4", "3", "2", "1", "0"])
        self.assertEqual(len({post.headers["X-PM-Webhook-Trace-Id"] for post in posts}), 1)
        self.assertEqual(len({post.raw for post in posts}), 1)
        self.assertEqual(len({post.client for post in posts}), 1, "one connection")
        for i, minutes in enumerate((1, 5, 10, 10, 10, 15)):
            waited, wanted = posts[i + 1].time - posts[i].time, minutes * 60 / 3000
            self.assertGreater(waited, wanted - 0.01)
            self.assertLess(waited, wanted + 0.5)
        event = self.settle()["events"][0]
        self.assertEqual((event["State"], event["Tries"], event["LastStatus"]), ("dropped", 7, 500))
        stats = self.ok(self.sandbox.get("/webhooks/1/statistics"))
        self.assertEqual((stats["Total"], stats["Failed"]), (7, 7))

    def test_answers(self):
        self.hook(["Delivery"])
        for status, tries, state in ((200, 1, "done"), (204, 1, "done"), (403, 1, "dropped"),
                                     (401, 1, "dropped"), (404, 1, "dropped"), (410, 1, "dropped"),
                                     (408, 2, "done"), (429, 2, "done"), (500, 2, "done"),
                                     (503, 2, "done"), (302, 2, "done")):
            self.sandbox.call("DELETE", "/sandbox/events")
            self.receiver.posts.clear()
            self.receiver.answer = lambda post, before: status if before == 0 else 200
            self.send()
            event = self.settle()["events"][0]
            self.assertEqual((event["Tries"], event["State"]), (tries, state), status)
            self.assertEqual(len(self.receiver.posts), tries, status)
        # On a connection that was kept, libcurl tries once more by itself.
        self.receiver.posts.clear()
        self.receiver.answer = lambda post, before: None if before < 2 else 200
        self.send()
        event = self.settle()["events"][-1]
        self.assertEqual((event["Tries"], event["State"]), (2, "done"))
        self.assertEqual(len(self.receiver.posts), 3)

    def test_timeout(self):
        self.settings(timeout_ms=200)
        self.hook(["Delivery"])
        self.receiver.answer = lambda post, before: before > 0 and 200 or time.sleep(0.6)
        self.send()
        self.posts(2)
        self.assertEqual(self.settle()["events"][0]["State"], "done")

    def test_refused(self):
        other = Receiver()
        other.close()
        self.hook(["Delivery"], Url="http://127.0.0.1:%d/" % other.port)
        self.send()
        event = self.settle(hurry=True)["events"][0]
        self.assertEqual((event["Tries"], event["LastStatus"], event["State"]), (7, 0, "dropped"))
        self.assertIn("could not be reached", event["Why"])

    def test_world(self):
        """What is not of the loopback is not looked up, nor tried."""
        self.hook(["Delivery"], Url="https://relay.example/pm")
        self.send()
        event = self.settle()["events"][0]
        self.assertEqual((event["Tries"], event["State"]), (0, "dropped"))

    def test_redirects(self):
        self.hook(["Delivery"])
        self.receiver.location = "/other?x=1"
        for status in 301, 302, 303, 307, 308:
            self.receiver.posts.clear()
            self.receiver.answer = lambda post, before: status if before == 0 else 200
            self.send()
            posts = self.posts(2)
            self.assertEqual([post.path for post in posts], ["/pm", "/other?x=1"])
            self.assertEqual(posts[0].raw, posts[1].raw)
        self.receiver.answer = lambda post, before: 302
        self.settings(webhook_speed=1)
        self.receiver.posts.clear()
        self.send()
        self.assertEqual(len(self.receiver.wait(11)), 11, "ten are followed")
        time.sleep(0.2)
        self.assertEqual(len(self.receiver.posts), 11)
        self.assertEqual(self.sandbox.get("/sandbox/events?state=pending").json["counts"]["pending"], 1)

    def test_gone(self):
        """A webhook that is deleted, or paused, gets no more."""
        self.settings(webhook_speed=1, pause_after=2)
        self.hook(["Delivery"])
        self.receiver.answer = lambda post, before: 503
        self.send()
        self.receiver.wait(1)
        self.sandbox.call("DELETE", "/webhooks/1")
        self.assertEqual(self.settle(hurry=True)["events"][0]["State"], "dropped")
        self.assertEqual(len(self.receiver.posts), 1)
        self.receiver.answer = lambda post, before: 403
        made = self.hook(["Delivery"])
        self.send()
        self.send()
        self.settle()
        shown = self.ok(self.sandbox.get("/webhooks/%d" % made["ID"]))
        self.assertEqual(shown["Status"], "unverified")
        self.send()
        self.assertEqual(self.settle()["counts"]["events"], 3)
        self.ok(self.sandbox.call("PUT", "/sandbox/webhooks/%d" % made["ID"],
                                  {"Status": "verified"}))
        self.send()
        self.assertEqual(self.settle()["counts"]["events"], 4)


class Faults(WebhookTest):
    def test_duplicates(self):
        self.hook(["Delivery"])
        for other, traces in (False, 4), (True, 6):
            self.sandbox.call("DELETE", "/sandbox/events")
            self.receiver.posts.clear()
            self.settings(duplicate_every=2, duplicate_other_trace=other)
            for _ in range(4):
                self.send()
            posts = self.posts(6)
            self.assertEqual(len({post.raw for post in posts}), 4)
            self.assertEqual(len({post.headers["X-PM-Webhook-Trace-Id"] for post in posts}), traces)
        self.sandbox.call("DELETE", "/sandbox/events")
        self.receiver.posts.clear()
        self.settings(duplicate_every=0, duplicate_probability=0.5, seed=7)
        for _ in range(40):
            self.send()
        self.settle()
        self.assertTrue(50 <= len(self.receiver.posts) <= 70, len(self.receiver.posts))

    def test_shuffle(self):
        self.hook(["Delivery"])
        self.settings(shuffle_ms=300, parallel=1)
        sent = [self.send() for _ in range(30)]
        came = [post.json["MessageID"] for post in self.posts(30)]
        self.assertEqual(set(sent), set(came))
        self.assertNotEqual(sent, came)

    def test_credentials(self):
        auth = {"Username": "u", "Password": "p"}
        self.hook(["Delivery"], HttpAuth=auth, HttpHeaders=[{"Name": "X-Key", "Value": "k"}])
        seen = []
        for setting in "wrong_password", "no_auth", "wrong_path", "parallel":
            self.receiver.posts.clear()
            self.settings(**{setting: 1})
            self.send()
            post = self.posts(1)[0]
            seen.append((post.user, post.headers["X-Key"], post.path))
        self.assertEqual(seen, [("u:px", "kx", "/pm"), (None, None, "/pm"), ("u:p", "k", "/pmx"),
                                ("u:p", "k", "/pm")])

    def test_user_info(self):
        """HttpAuth goes before what stands in the URL."""
        url = self.url.replace("://", "://a%40b:c%20d@")
        self.hook(["Delivery"], Url=url)
        self.send()
        self.assertEqual(self.posts(1)[0].user, "a@b:c d")
        self.receiver.posts.clear()
        self.ok(self.sandbox.call("PUT", "/webhooks/1", {
            "HttpAuth": {"Username": "u", "Password": "p"}}))
        self.send()
        self.assertEqual(self.posts(1)[0].user, "u:p")

    def test_old_server_id(self):
        self.hook(["Delivery"])
        self.settings(old_server_id=True)
        self.send()
        post = self.posts(1)[0]
        self.assertEqual((post.json.get("ServerId"), "ServerID" in post.json), (1, False))

    def test_expect(self):
        self.hook(["Delivery"])
        self.settings(expect=True)
        self.send()
        post = self.posts(1)[0]
        self.assertEqual((post.headers["Expect"], post.early), ("100-continue", False))
        self.receiver.says_continue = False
        self.receiver.posts.clear()
        began = time.monotonic()
        self.send()
        self.posts(1)
        self.assertGreater(time.monotonic() - began, 0.9, "waits for a second")

    def test_framing(self):
        self.hook(["Delivery"])
        for settings in ({"chunked": True}, {"chunked": True, "slow_body_ms": 200},
                         {"chunked": False, "slow_body_ms": 200},
                         {"chunked": True, "slow_body_ms": 200, "expect": True}):
            self.settings(**settings)
            self.receiver.posts.clear()
            began = time.monotonic()
            id_ = self.send()
            post = self.posts(1)[0]
            self.assertEqual(post.json["MessageID"], id_)
            self.assertEqual(post.headers["Transfer-Encoding"],
                             "chunked" if settings["chunked"] else None)
            if "slow_body_ms" in settings:
                self.assertGreater(time.monotonic() - began, 0.19)

    def test_settings(self):
        usual = self.ok(self.sandbox.get("/sandbox/events/settings"))
        self.assertEqual((usual["webhook_speed"], usual["delay_ms"]), (6000, 10))
        for body in ({"delay_ms": -1}, {"delay_ms": "1"}, {"x": 1}, {"expect": 1}, [],
                     {"duplicate_probability": 2}, {"parallel": 0}):
            self.assertEqual(
                self.sandbox.call("PUT", "/sandbox/events/settings", body).status, 422, body)
        self.assertEqual(self.sandbox.call("PUT", "/sandbox/events/settings", "{").status, 400)
        self.assertEqual(self.ok(self.sandbox.get("/sandbox/events/settings")), usual)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"events": {"webhook_speed": 60, "expect": True}}, file)
            file.flush()
            with Sandbox("--config", file.name, "--webhook-delay", "5") as sandbox:
                shown = sandbox.get("/sandbox/events/settings").json
        self.assertEqual((shown["webhook_speed"], shown["expect"], shown["delay_ms"]), (60, True, 5))

    def test_delay(self):
        self.settings(delay_ms=3600000)
        self.hook(["Delivery"])
        self.send()
        listed = self.ok(self.sandbox.get("/sandbox/events"))
        self.assertEqual(listed["events"][0]["State"], "pending")
        self.assertGreater(listed["events"][0]["DueInMs"], 3500000)
        self.posts(1, hurry=True)
        self.ok(self.sandbox.call("DELETE", "/sandbox/events"))
        self.assertEqual(self.settle(), {"counts": dict.fromkeys(listed["counts"], 0), "events": []})

    def test_flood(self):
        self.assertEqual(self.sandbox.get("/sandbox/events/flood").json, {})
        path = "/sandbox/events/flood"
        self.assertEqual(self.sandbox.call("POST", path, {"count": 1}).status, 422, "no webhook")
        self.hook(["Delivery", "Open"])
        sent = [self.send(Metadata={"relay-id": "r%d" % i}) for i in range(10)]
        self.posts(10)
        self.receiver.posts.clear()
        failed = set()

        def answer(post, before):
            # Some are to come again.
            with self.receiver.lock:
                if before == 0 and len(failed) < 50:
                    failed.add(post.headers["X-PM-Webhook-Trace-Id"])
                    return 503
            return 200

        self.receiver.answer = answer
        self.settings(webhook_speed=60000)
        flood = self.ok(self.sandbox.call("POST", path, {
            "count": 1000, "parallel": 16, "kinds": ["Delivery", "Open"],
            "message_ids": sent[:5], "relay_ids": ["r5", "r6", "r7", "r8", "unknown"]}))
        self.assertTrue(flood["running"])
        self.assertEqual(self.sandbox.call("POST", path, {"count": 1}).status, 409)
        posts = self.posts(1050)
        flood = self.ok(self.sandbox.get(path))
        self.assertEqual([flood[key] for key in ("running", "made", "posts", "answered_200",
                                                 "retried", "done", "dropped", "pending")],
                         [False, 1000, 1050, 1000, 50, 1000, 0, 0])
        self.assertTrue(0 < flood["p50_ms"] <= flood["p99_ms"] <= flood["max_ms"], flood)
        self.assertEqual(len({post.raw for post in posts}), 1000, "each is distinct")
        self.assertEqual({post.kind for post in posts}, {"Delivery", "Open"})
        about = {(post.json["MessageID"], post.json["Metadata"].get("relay-id")) for post in posts}
        self.assertEqual(len(about), 10)
        self.assertTrue({(sent[i], "r%d" % i) for i in range(9)} < about)
        for body in ({}, {"count": 0}, {"count": 1, "kinds": ["Bounce"]}, {"count": 1, "kinds": []},
                     {"count": 1, "message_ids": ["x"]}, {"count": 1, "stream": "x"}, [],
                     {"count": 1, "parallel": 1000}):
            self.assertEqual(self.sandbox.call("POST", path, body).status, 422, body)
        self.ok(self.sandbox.call("POST", path, {"count": 100000}))
        self.ok(self.sandbox.call("DELETE", "/sandbox/events"))
        self.assertEqual(self.sandbox.get(path).json, {})


class Tls(WebhookTest):
    options = ()

    def test_https(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                            key, "-out", cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                           check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            receiver = Receiver(context)
            self.addCleanup(receiver.close)
            wanted = {"Url": "https://localhost:%d/pm" % receiver.port,
                      "Triggers": {"Delivery": {"Enabled": True}}}
            self.ok(self.sandbox.call("PUT", "/sandbox/switches", {"verify_webhooks": True}))
            refused = self.sandbox.call("POST", "/webhooks", wanted)
            self.assertEqual(refused.json["ErrorCode"], 1364)
            self.assertIn("certificate", refused.json["Results"][0]["Message"])
            with Sandbox("--webhook-ca-file", cert, "--webhook-delay", "0") as sandbox:
                sandbox.call("PUT", "/sandbox/switches", {"verify_webhooks": True})
                self.ok(sandbox.call("POST", "/webhooks", wanted))
                self.assertEqual(len(receiver.wait(1)), 1, "the verification")
                self.ok(sandbox.email())
                self.assertEqual(receiver.wait(2)[1].kind, "Delivery")


class Smtp(WebhookTest):
    options = ("--smtp-port", "0", "--webhook-delay", "0")

    def submit(self, content, recipients=("ann@reader.example",)):
        with smtplib.SMTP("127.0.0.1", self.port) as smtp:
            smtp.login(TOKEN, TOKEN)
            smtp.sendmail("a@shop.example", list(recipients), content)

    def setUp(self):
        super().setUp()
        line = self.sandbox.process.stdout.readline()
        self.port = int(re.search(r"smtp://127\.0\.0\.1:(\d+)", line).group(1))

    def test_errors(self):
        self.hook(["Bounce", "Delivery"])
        bad = "From: a@shop.example\r\nTo: ann@reader.example\r\nX-PM-Tag: %s\r\n\r\nx\r\n" % ("t" * 1001)
        self.submit(bad)
        self.assertEqual(self.settle()["counts"]["events"], 0)
        self.ok(self.sandbox.call("PUT", "/server", {"EnableSmtpApiErrorHooks": True}))
        self.submit(bad.replace("X-PM-Tag", "X-PM-Metadata-relay-id: r\r\nX-PM-Tag"))
        post = self.posts(1)[0].json
        self.assertEqual((post["RecordType"], post["Type"], post["TypeCode"], post["Name"],
                          post["Metadata"]),
                         ("Bounce", "SMTPApiError", 100007, "SMTP API error", {"relay-id": "r"}))
        self.receiver.posts.clear()
        self.submit("From: a@shop.example\r\nTo: ann@reader.example\r\n\r\nx\r\n")
        self.assertEqual(self.posts(1)[0].kind, "Delivery")

    def test_circle(self):
        """A mail that is sent to a server's address comes in there as it was."""
        self.ok(self.sandbox.call("PUT", "/server", {
            "InboundHookUrl": self.url, "InboundDomain": "in.shop.example",
            "RawEmailEnabled": True}))
        self.submit(
            "From: a@shop.example\r\nTo: ann@reader.example\r\nX-PM-Tag: t\r\nX-Own: 1\r\n"
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            "--b\r\n\r\nfailed\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            "Action: failed\r\n\r\n--b--\r\n", ["b@in.shop.example", "ann@reader.example"])
        post = self.posts(1)[0].json
        self.assertEqual((post["OriginalRecipient"], post["To"], post["Bcc"]),
                         ("b@in.shop.example", "ann@reader.example", "b@in.shop.example"))
        mail = email.message_from_string(post["RawEmail"])
        self.assertEqual((mail.get_content_type(), mail["X-Own"], mail["X-PM-Tag"],
                          mail["X-PM-Message-Id"] is not None),
                         ("multipart/report", "1", None, True))
        self.assertEqual(mail.get_payload()[1].get_content_type(), "message/delivery-status")


class Inbound(WebhookTest):
    def setUp(self):
        super().setUp()
        self.server = self.ok(self.sandbox.call("PUT", "/server", {
            "InboundHookUrl": self.url.replace("://", "://in:secret@") + "/in",
            "InboundDomain": "in.shop.example"}))
        self.address = self.server["InboundAddress"]

    def test_json(self):
        made = self.control(
            "inbound", From="Ann <ann@reader.example>", Subject="Re: s", TextBody="Thanks\n",
            To='"Shop" <%s>' % self.address.replace("@", "+o77@"),
            Headers=[{"Name": "Message-ID", "Value": "<q1@reader.example>"}],
            Date="Sat, 5 Sep 2026 23:10:00 +0200",
            Attachments=[{"Name": "a.txt", "Content": "aGk=", "ContentType": "text/plain"}])
        self.assertEqual(made["Status"], "Queued")
        post = self.posts(1)[0]
        to = self.address.replace("@", "+o77@")
        self.assertEqual(post.json, {
            "FromName": "Ann", "MessageStream": "inbound", "From": "ann@reader.example",
            "FromFull": {"Email": "ann@reader.example", "Name": "Ann", "MailboxHash": ""},
            "To": '"Shop" <%s>' % to,
            "ToFull": [{"Email": to, "Name": "Shop", "MailboxHash": "o77"}], "Cc": "",
            "CcFull": [], "Bcc": "", "BccFull": [], "OriginalRecipient": to, "Subject": "Re: s",
            "MessageID": made["MessageID"], "ReplyTo": "", "MailboxHash": "o77",
            "Date": "Sat, 5 Sep 2026 23:10:00 +0200", "TextBody": "Thanks\n", "HtmlBody": "",
            "StrippedTextReply": "", "Tag": "",
            "Headers": [{"Name": "Message-ID", "Value": "<q1@reader.example>"}],
            "Attachments": [{"Name": "a.txt", "Content": "aGk=", "ContentType": "text/plain",
                             "ContentLength": 2, "ContentID": ""}]})
        self.assertEqual((post.path, post.user, post.headers["X-PM-Retries-Remaining"]),
                         ("/pm/in", "in:secret", "10"))
        self.assertEqual(self.status(made), "Processed")

    def status(self, made):
        return self.ok(self.sandbox.get(
            "/messages/inbound/%s/details" % made["MessageID"]))["Status"]

    def test_retries(self):
        self.settings(webhook_speed=60000)
        for status, tries, state in ((200, 1, "Processed"), (403, 1, "Failed"),
                                     (204, 2, "Processed"), (404, 2, "Processed"),
                                     (500, 2, "Processed"), (302, 2, "Processed")):
            self.receiver.posts.clear()
            self.receiver.location = "/pm/elsewhere"
            self.receiver.answer = lambda post, before: status if before == 0 else 200
            made = self.control("inbound", From="ann@reader.example")
            posts = self.posts(tries)
            self.assertEqual({post.path for post in posts}, {"/pm/in"})
            self.assertEqual(self.status(made), state, status)
        self.receiver.posts.clear()
        self.receiver.answer = lambda post, before: 500
        made = self.control("inbound", From="ann@reader.example")
        posts = self.posts(11)
        self.assertEqual([int(post.headers["X-PM-Retries-Remaining"]) for post in posts],
                         list(range(10, -1, -1)))
        self.assertEqual(self.status(made), "Failed")
        self.receiver.answer = lambda post, before: 200
        self.ok(self.sandbox.call("PUT", "/messages/inbound/%s/retry" % made["MessageID"]))
        self.posts(12)
        self.assertEqual(self.status(made), "Processed")

    def test_blocked(self):
        self.ok(self.sandbox.call("POST", "/triggers/inboundrules", {"Rule": "reader.example"}))
        made = self.control("inbound", From="ann@reader.example")
        self.assertEqual(made["Status"], "Blocked")
        self.posts(0)
        self.ok(self.sandbox.call("PUT", "/messages/inbound/%s/bypass" % made["MessageID"]))
        self.posts(1)

    def mail(self):
        mail = email.message.EmailMessage(policy=email.policy.SMTP)
        mail["From"] = "Bücher <buch@reader.example>"
        mail["To"] = "Shop <%s>" % self.address
        mail["Subject"] = "Größe"
        mail["Message-ID"] = "<m1@reader.example>"
        mail["References"] = "<m0@shop.example>"
        mail.set_content("Hallo Ä\n")
        mail.add_alternative("<b>Hallo</b>", subtype="html")
        mail.add_attachment(bytes(range(256)) * 1000, maintype="application", subtype="x-bin",
                            filename="b.bin")
        return mail

    def post_mail(self, content, query=""):
        return self.ok(self.sandbox.call("POST", "/sandbox/inbound" + query, content,
                                         {"Content-Type": "message/rfc822"}))

    def test_mail(self):
        content = self.mail().as_bytes()
        self.post_mail(content)
        post = self.posts(1)[0].json
        self.assertEqual((post["From"], post["FromName"], post["Subject"], post["TextBody"].strip(),
                          post["HtmlBody"].strip(), post["OriginalRecipient"], "RawEmail" in post),
                         ("buch@reader.example", "Bücher", "Größe", "Hallo Ä", "<b>Hallo</b>",
                          self.address, False))
        headers = {one["Name"]: one["Value"] for one in post["Headers"]}
        self.assertEqual((headers["Message-ID"], headers["References"], headers["X-Spam-Status"]),
                         ("<m1@reader.example>", "<m0@shop.example>", "No"))
        one = post["Attachments"][0]
        self.assertEqual((one["Name"], one["ContentType"], one["ContentLength"]),
                         ("b.bin", "application/x-bin", 256000))
        self.assertEqual(base64.b64decode(one["Content"]), bytes(range(256)) * 1000)

        self.ok(self.sandbox.call("PUT", "/server", {"RawEmailEnabled": True}))
        self.receiver.posts.clear()
        self.post_mail(content, "?recipient=any%2Bx1@in.shop.example")
        post = self.posts(1)[0].json
        self.assertEqual(post["RawEmail"].encode(), content)
        self.assertEqual((post["OriginalRecipient"], post["MailboxHash"], post["Bcc"]),
                         ("any+x1@in.shop.example", "x1", "any+x1@in.shop.example"))
        self.receiver.posts.clear()
        self.post_mail(b"Subject: bare\xff\0\r\n\r\n\xe4\r\n",
                       "?sender=c@reader.example&recipient=" + self.address)
        post = self.posts(1)[0].json
        self.assertEqual((post["From"], post["To"], post["Bcc"]),
                         ("c@reader.example", "", self.address))
        self.assertEqual(self.sandbox.call("POST", "/sandbox/inbound", "x", {
            "Content-Type": "message/rfc822"}).status, 422)
        self.assertEqual(self.sandbox.call("POST", "/sandbox/inbound?recipient=x", "x", {
            "Content-Type": "message/rfc822"}).status, 422)

    def test_circle(self):
        """What is sent to an address of a server comes in there, whole."""
        self.hook(["Delivery"])
        self.ok(self.sandbox.call("PUT", "/server", {"RawEmailEnabled": True}))
        large = os.urandom(300000)
        id_ = self.send(
            From="Änne <a@shop.example>", To="x+h@in.shop.example", Cc="ann@reader.example",
            Bcc=self.address, Subject="Größe", HtmlBody="<img src='cid:p1'>", Headers=[
                {"Name": "In-Reply-To", "Value": "<q@reader.example>"},
                {"Name": "X-PM-KeepID", "Value": "true"},
                {"Name": "Message-ID", "Value": "<own@shop.example>"}],
            Attachments=[
                {"Name": "größe.dat", "ContentType": "application/octet-stream",
                 "Content": base64.b64encode(large).decode()},
                {"Name": "p.png", "ContentType": "image/png", "ContentID": "cid:p1",
                 "Content": "aGk="}])
        posts = self.posts(5)
        came = {post.json["OriginalRecipient"]: post.json for post in posts
                if post.kind == "Inbound"}
        self.assertEqual(set(came), {"x+h@in.shop.example", self.address})
        shown = came["x+h@in.shop.example"]
        self.assertEqual((shown["FromName"], shown["Subject"], shown["MailboxHash"], shown["Bcc"],
                          shown["Cc"]), ("Änne", "Größe", "h", "", "ann@reader.example"))
        self.assertEqual(came[self.address]["Bcc"], self.address)
        headers = {one["Name"]: one["Value"] for one in shown["Headers"]}
        self.assertEqual((headers["Message-ID"], headers["In-Reply-To"],
                          headers["X-PM-Message-Id"]),
                         ("<own@shop.example>", "<q@reader.example>", id_))
        self.assertEqual([(one["Name"], one["ContentLength"], one["ContentID"])
                          for one in shown["Attachments"]],
                         [("größe.dat", 300000, ""), ("p.png", 2, "p1")])
        self.assertEqual(base64.b64decode(shown["Attachments"][0]["Content"]), large)
        mail = email.message_from_string(shown["RawEmail"], policy=email.policy.default)
        self.assertEqual((mail["From"], mail["To"], mail["Subject"], mail["Bcc"],
                          mail["Message-ID"]),
                         ("Änne <a@shop.example>", "x+h@in.shop.example", "Größe", None,
                          "<own@shop.example>"))
        parts = [part for part in mail.walk() if not part.is_multipart()]
        self.assertEqual([part.get_content_type() for part in parts],
                         ["text/plain", "text/html", "application/octet-stream", "image/png"])
        self.assertEqual(parts[0].get_content(), "t")
        self.assertEqual((parts[2].get_filename(), parts[2].get_content()), ("größe.dat", large))
        self.assertEqual((parts[3]["Content-ID"], parts[3].get_content()), ("<p1>", b"hi"))
        # What is kept of the message has been cut all the same.
        kept = self.sandbox.get("/sandbox/messages/" + id_).json["Request"]["Attachments"][0]
        self.assertEqual((kept["Content"], kept["ContentLength"]), (None, 300000))


if __name__ == "__main__":
    unittest.main()
