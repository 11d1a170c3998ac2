#!/usr/bin/env python3
"""The built pmrelay-sandbox, driven over HTTP: what Postmark would say, and every fault."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

PROGRAM = os.path.join(os.environ.get("top_builddir", "."), "pmrelay-sandbox")
TOKEN = "sandbox-server-token"
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
SUBMITTED_AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Sandbox:
    """One running sandbox; ends with the block."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [PROGRAM, "--port", "0", "--log-level", "warning", *options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"pmrelay-sandbox listening on http://127\.0\.0\.1:(\d+)\n", line)
        if match is None:
            raise RuntimeError("first line: %r" % line)
        self.port = int(match.group(1))
        self.connection = None

    def __enter__(self):
        return self

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def __exit__(self, *exception):
        self.hang_up()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        if status != 0 and exception[0] is None:
            raise RuntimeError("exit status %d" % status)

    def call(self, method, path, body=None, headers=None, fresh=False, timeout=20):
        """One request on the kept connection, or on a fresh one."""
        if fresh:
            self.hang_up()
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if headers is None:
            headers = {"X-Postmark-Server-Token": TOKEN, "Accept": "application/json",
                       "Content-Type": "application/json"}
        try:
            self.connection.request(method, path, body, headers)
            return Answer(self.connection.getresponse())
        except (http.client.HTTPException, OSError):
            self.hang_up()
            raise

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def email(self, **fields):
        return self.call("POST", "/email", message(**fields))

    def faults(self, *rules):
        answer = self.call("PUT", "/sandbox/faults", list(rules))
        if answer.status != 200:
            raise RuntimeError(answer.body)

    def counts(self):
        return self.get("/sandbox/counts").json


def message(**fields):
    made = {"From": "a@shop.example", "To": "ann@reader.example", "Subject": "s", "TextBody": "t"}
    made.update(fields)
    return {key: value for key, value in made.items() if value is not None}


class SandboxTest(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox()
        self.addCleanup(self.sandbox.__exit__, None, None, None)

    def refused(self, answer, status, code, text=None):
        self.assertEqual((answer.status, answer.json["ErrorCode"]), (status, code), answer.body)
        self.assertEqual(set(answer.json), {"ErrorCode", "Message"})
        self.assertEqual(answer.headers["X-PM-ApiErrorCode"], str(code))
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        if text is not None:
            self.assertEqual(answer.json["Message"], text)


class Sending(SandboxTest):
    def test_one(self):
        answer = self.sandbox.email(To="ann@reader.example, \"Bo, B\" <bo@reader.example>",
                                    Cc="carl@reader.example", Bcc="d@reader.example")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(set(answer.json),
                         {"To", "SubmittedAt", "MessageID", "ErrorCode", "Message"})
        self.assertEqual(answer.json["To"],
                         "ann@reader.example, \"Bo, B\" <bo@reader.example>")
        self.assertEqual((answer.json["ErrorCode"], answer.json["Message"]), (0, "OK"))
        self.assertRegex(answer.json["MessageID"], UUID)
        self.assertRegex(answer.json["SubmittedAt"], SUBMITTED_AT)
        self.assertRegex(answer.headers["X-Request-Id"], UUID)
        self.assertIsNone(answer.headers["X-PM-ApiErrorCode"])
        kept = self.sandbox.get("/sandbox/messages/" + answer.json["MessageID"]).json
        self.assertEqual(kept["Recipients"], ["ann@reader.example", "bo@reader.example",
                                              "carl@reader.example", "d@reader.example"])

    def test_paths(self):
        for path in "/email", "/email/", "/EMAIL", "/Email/Batch/":
            body = [message()] if "atch" in path else message()
            self.assertEqual(self.sandbox.call("POST", path, body).status, 200, path)
        self.assertEqual(self.sandbox.call("POST", "/emails", message()).status, 404)
        self.assertEqual(self.sandbox.get("/email").status, 404)

    def test_tokens(self):
        json_type = {"Content-Type": "application/json"}
        no_token = ("No Account or Server API tokens were supplied in the HTTP headers. Please "
                    "add a header for either X-Postmark-Server-Token or "
                    "X-Postmark-Account-Token.")
        bad_token = "Request does not contain a valid Server token."
        call = self.sandbox.call
        self.refused(call("POST", "/email", message(), json_type), 401, 10, no_token)
        self.refused(call("POST", "/email", message(),
                          {"X-Postmark-Server-Token": "x", **json_type}), 401, 10, bad_token)
        self.refused(call("POST", "/email", message(),
                          {"X-Postmark-Account-Token": TOKEN, **json_type}), 401, 10, bad_token)
        answer = call("POST", "/email", message(),
                      {"x-postmark-server-token": TOKEN.upper(),
                       "content-type": "application/json; charset=utf-8"})
        self.assertEqual(answer.status, 200)

    def test_test_token(self):
        headers = {"X-Postmark-Server-Token": "POSTMARK_API_TEST",
                   "Content-Type": "application/json"}
        answer = self.sandbox.call("POST", "/email", message(), headers)
        self.assertEqual(answer.json["Message"], "Test job accepted")
        self.assertEqual(answer.json["ErrorCode"], 0)
        self.assertRegex(answer.json["MessageID"], UUID)
        self.refused(self.sandbox.call("POST", "/email", message(To="x"), headers), 422, 300)
        answer = self.sandbox.call("POST", "/email/batch", [message(), message(To="x")], headers)
        self.assertEqual([one["ErrorCode"] for one in answer.json], [0, 300])
        counts = self.sandbox.counts()
        self.assertEqual((counts["accepted"], counts["test_messages"]), (0, 2))

    def test_order_of_checks(self):
        token = {"X-Postmark-Server-Token": TOKEN}
        call = self.sandbox.call
        self.assertEqual(call("POST", "/email", "{", {}).status, 401)
        self.assertEqual(call("POST", "/email", "{", token).status, 415)
        self.refused(call("POST", "/email", "{"), 422, 402)
        self.refused(call("POST", "/email", ""), 422, 402)
        self.refused(call("POST", "/email", "[]"), 422, 403)
        self.refused(call("POST", "/email", b'{"Subject":"\xff"}'), 422, 402)
        self.refused(call("POST", "/email", '{"To":"a","To":"b"}'), 422, 402)
        self.refused(call("POST", "/email/batch", b"[1\0]"), 422, 402,
                     "Received invalid JSON input: a NUL byte.")
        self.refused(call("POST", "/email/batch", message()), 422, 403)
        self.refused(call("POST", "/email/batch", [message(), 1]), 422, 403)
        self.refused(call("POST", "/email/batch", [message()] * 501), 422, 410,
                     "You may only send up to 500 messages in a single batched request.")

    def test_wire_texts(self):
        for fields, code, text in [
                ({"To": "x"}, 300, "Error parsing 'To': Illegal email address 'x'. It must "
                                   "contain the '@' symbol."),
                ({"Cc": "user@+"}, 300,
                 "Error parsing 'Cc': Illegal email domain '+' in address 'user@+'."),
                ({"From": None}, 300, "Invalid 'From' value."),
                ({"To": None}, 300, "Zero recipients specified"),
                ({"TextBody": None}, 300, "Provide either email TextBody or HtmlBody or both."),
                ({"Headers": [{"Name": "Date", "Value": "x"}]}, 300,
                 "Header 'Date' not allowed."),
                ({"From": 1}, 403, "Invalid request field(s): 'From'."),
                ({"MessageStream": "x"}, 1235,
                 "The stream provided: 'x' does not exist on this server."),
                ({"Attachments": [{"Name": "a.exe", "Content": "", "ContentType": "a/b"}]}, 411,
                 None)]:
            self.refused(self.sandbox.email(**fields), 422, code, text)
        answer = self.sandbox.email(Metadata={"k" * 21: "v"})
        self.refused(answer, 422, 300)
        self.assertTrue(answer.json["Message"].startswith(
            "Invalid metadata content. Field names are limited to 20 characters"))

    def test_sizes(self):
        pdf = {"Name": "a.pdf", "ContentType": "application/pdf"}
        part = dict(pdf, Content="A" * 5242880)
        answer = self.sandbox.call("POST", "/email/batch",
                                   [message(Attachments=[part, part]), message()])
        self.assertEqual([one["ErrorCode"] for one in answer.json], [300, 0])
        self.assertEqual(answer.json[0]["Message"], "Attachments too big. The total size should "
                                                    "be less than 10485760 bytes.")
        self.assertEqual(self.sandbox.email(Attachments=[part, part]).status, 413)
        answer = self.sandbox.email(Attachments=[part])
        self.assertEqual(answer.status, 200)
        # The content of a large attachment is not kept, what is known of it is.
        kept = self.sandbox.get("/sandbox/messages/" + answer.json["MessageID"]).json
        self.assertEqual(kept["Bytes"], 5242881)
        self.assertEqual(kept["Request"]["Attachments"],
                         [dict(pdf, Content=None, ContentLength=3932160)])
        answer = self.sandbox.call("POST", "/email/batch", b" " * (50 * 1024 * 1024) + b"[]")
        self.assertEqual(answer.status, 413)
        answer = self.sandbox.call("POST", "/email/batch", b" " * (53 * 1024 * 1024), fresh=True)
        self.assertEqual(answer.status, 413)

    def test_batch(self):
        batch = [message(To="a@x.example", TextBody='quote " and ]} \\'), message(To="x"),
                 message(To="c@x.example", Metadata={"relay-id": "r3"})]
        text = json.dumps(batch, indent=3)
        answer = self.sandbox.call("POST", "/email/batch", " " + text + "\r\n")
        self.assertEqual(answer.status, 200)
        self.assertIsNone(answer.headers["X-PM-ApiErrorCode"])
        self.assertEqual([one["ErrorCode"] for one in answer.json], [0, 300, 0])
        self.assertEqual(set(answer.json[1]), {"ErrorCode", "Message"})
        self.assertEqual(answer.json[2]["To"], "c@x.example")
        kept = self.sandbox.get("/").json
        self.assertEqual([one["Request"] for one in kept], [batch[0], batch[2]])
        self.assertEqual([one["BatchSize"] for one in kept], [3, 3])
        self.assertEqual(self.sandbox.call("POST", "/email/batch", []).json, [])

    def test_suppressions(self):
        put = self.sandbox.call("PUT", "/sandbox/suppressions",
                                ["Gone@x.example", {"EmailAddress": "ann@reader.example",
                                                    "MessageStream": "broadcast",
                                                    "SuppressionReason": "SpamComplaint"}])
        self.assertEqual(put.status, 200, put.body)
        text = ("You tried to send to recipient(s) that have been marked as inactive. Found "
                "inactive addresses: gone@x.example. Inactive recipients are ones that have "
                "generated a hard bounce, a spam complaint, or a manual suppression.")
        self.refused(self.sandbox.email(To="gone@X.example"), 422, 406, text)
        answer = self.sandbox.call("POST", "/email/batch", [message(To="gone@x.example")])
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json, [{"ErrorCode": 406, "Message": text.replace(
            "recipient(s) that have", "a recipient that has") + " "}])
        answer = self.sandbox.email(To="ann@reader.example", Bcc="Gone@x.example")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["ErrorCode"], 0)
        self.assertEqual(answer.json["Message"],
                         "Message OK, but will not deliver to these inactive addresses: "
                         "gone@x.example. Inactive recipients are ones that have generated a "
                         "hard bounce or a spam complaint.")
        self.assertRegex(answer.json["MessageID"], UUID)
        self.refused(self.sandbox.email(MessageStream="broadcast"), 422, 406)
        self.assertEqual(self.sandbox.call("DELETE", "/sandbox/suppressions").status, 200)
        self.assertEqual(self.sandbox.email(To="gone@x.example").status, 200)

    def test_client_patterns(self):
        """The expressions of clients, as they stand there."""
        self.sandbox.call("PUT", "/sandbox/suppressions", ["a@x.example", "b@x.example"])
        text = self.sandbox.email(To="a@x.example, b@x.example").json["Message"]
        found = re.search(r"Found inactive addresses: (.+?)\.? Inactive", text).group(1)
        self.assertEqual(found.split(", "), ["a@x.example", "b@x.example"])
        found = re.search(r"inactive addresses:\s*(.*)\.\s*Inactive recipients", text).group(1)
        self.assertEqual(found.split(", "), ["a@x.example", "b@x.example"])
        text = self.sandbox.email(To="a@x.example, c@x.example").json["Message"]
        found = re.search(r"these inactive addresses: (.+?)\.?$", text).group(1)
        self.assertTrue(found.startswith("a@x.example. Inactive"))
        found = re.search(r"inactive addresses:\s*(.*)\.\s*Inactive recipients", text).group(1)
        self.assertEqual(found, "a@x.example")

    def test_bounce_testing(self):
        soft = "soft_bounce@bounce-testing.postmarkapp.com"
        hard = "HardBounce@bounce-testing.postmarkapp.com"
        for _ in range(2):
            self.assertEqual(self.sandbox.email(To=soft).status, 200)
        answer = self.sandbox.email(To=hard)
        self.assertEqual(answer.status, 200)
        self.refused(self.sandbox.email(To=hard), 422, 406)
        details = self.sandbox.get(
            "/messages/outbound/%s/details" % answer.json["MessageID"]).json
        self.assertEqual(details["MessageEvents"][0]["Type"], "Bounced")
        self.assertEqual(self.sandbox.email(To="test@blackhole.postmarkapp.com").status, 200)


class Reading(SandboxTest):
    def test_server(self):
        server = self.sandbox.get("/server/").json
        self.assertEqual(server["ApiTokens"], [TOKEN])
        self.assertEqual(server["DeliveryType"], "Live")
        self.assertIs(server["TrackOpens"], False)
        self.assertEqual(len(server), 22)
        self.refused(self.sandbox.get("/server", headers={"X-Postmark-Server-Token": "x"}),
                     401, 10)

    def search(self, query):
        answer = self.sandbox.get("/messages/outbound?" + query)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["TotalCount"], [one["Subject"] for one in answer.json["Messages"]]

    def test_search(self):
        for number in range(5):
            answer = self.sandbox.email(
                Subject="mail %d" % number, Tag="even" if number % 2 == 0 else "odd",
                To="\"R %d\" <r%d@reader.example>" % (number, number),
                Metadata={"relay-id": "id-%d" % number, "colour": "red" if number else "blue"},
                MessageStream="broadcast" if number == 4 else None)
            self.assertEqual(answer.status, 200)
        newest_first = ["mail 3", "mail 2", "mail 1", "mail 0"]
        self.assertEqual(self.search("count=10&offset=0"), (4, newest_first))
        self.assertEqual(self.search("count=2&offset=1"), (4, newest_first[1:3]))
        self.assertEqual(self.search("Count=10&OFFSET=0&Recipient=R2@reader.example"),
                         (1, ["mail 2"]))
        self.assertEqual(self.search("count=10&offset=0&fromemail=a@shop.example")[0], 4)
        self.assertEqual(self.search("count=10&offset=0&fromemail=b@shop.example")[0], 0)
        self.assertEqual(self.search("count=10&offset=0&tag=even")[1], ["mail 2", "mail 0"])
        self.assertEqual(self.search("count=10&offset=0&subject=MAIL%201")[1], ["mail 1"])
        self.assertEqual(self.search("count=10&offset=0&status=sent")[0], 4)
        self.assertEqual(self.search("count=10&offset=0&status=queued")[0], 0)
        self.assertEqual(self.search("count=10&offset=0&messagestream=broadcast")[1], ["mail 4"])
        self.assertEqual(self.search("count=1&offset=0&metadata_relay-id=id-2"), (1, ["mail 2"]))
        self.assertEqual(self.search("count=1&offset=0&metadata_Relay-ID=id-9"), (0, []))
        self.assertEqual(self.search("count=9&offset=0&metadata_colour=red")[0], 3)
        self.assertEqual(self.search("count=9&offset=0&fromdate=2020-01-01")[0], 4)
        self.assertEqual(self.search("count=9&offset=0&todate=2020-01-01T00:00:00")[0], 0)

    def test_search_refused(self):
        for query in ("", "count=1", "offset=0", "count=0&offset=0", "count=501&offset=0",
                      "count=x&offset=0", "count=1&offset=-1", "count=1&offset=10000",
                      "count=1&offset=0&status=lost", "count=1&offset=0&fromdate=yesterday",
                      "count=1&offset=0&metadata_a=1&metadata_b=2"):
            self.refused(self.sandbox.get("/messages/outbound?" + query), 422, 700)
        self.refused(self.sandbox.get("/messages/outbound?count=1&offset=0&messagestream=x"),
                     422, 1226)

    def test_details(self):
        sent = self.sandbox.email(
            To="\"Ann, A\" <ann@reader.example>", Bcc="b@reader.example", Tag="t",
            HtmlBody="<p>", Metadata={"relay-id": "r"},
            Attachments=[{"Name": "a.pdf", "Content": "QQ==", "ContentType": "a/b"}],
            Headers=[{"Name": "X-A", "Value": "v"}]).json
        path = "/messages/outbound/%s/" % sent["MessageID"].upper()
        found = self.sandbox.get(path + "details").json
        self.assertEqual(found["MessageID"], sent["MessageID"])
        self.assertEqual(found["To"], [{"Email": "ann@reader.example", "Name": "Ann, A"}])
        self.assertEqual(found["Bcc"], [{"Email": "b@reader.example", "Name": None}])
        self.assertEqual(found["Recipients"], ["ann@reader.example", "b@reader.example"])
        self.assertEqual(found["Attachments"], ["a.pdf"])
        self.assertEqual((found["TextBody"], found["HtmlBody"]), ("t", "<p>"))
        self.assertEqual(found["Metadata"], {"relay-id": "r"})
        self.assertEqual(found["Status"], "Sent")
        self.assertEqual([event["Type"] for event in found["MessageEvents"]],
                         ["Delivered", "Delivered"])
        self.assertRegex(found["ReceivedAt"], r"\.\d{7}-05:00$")
        self.assertIn("X-A: v\r\n", self.sandbox.get(path + "dump").json["Body"])
        self.refused(self.sandbox.get(
            "/messages/outbound/00000000-0000-4000-8000-000000000000/details"), 422, 701)


class Control(SandboxTest):
    def test_list(self):
        for number in range(5):
            self.sandbox.email(Subject=str(number))

        def subjects(query):
            answer = self.sandbox.get("/sandbox/messages" + query)
            self.assertEqual(answer.headers["X-Total-Count"], "5")
            return "".join(one["Request"]["Subject"] for one in answer.json)

        self.assertEqual(subjects(""), "01234")
        self.assertEqual(subjects("?limit=2&offset=1"), "12")
        self.assertEqual(subjects("?order=newest&limit=2"), "43")
        self.assertEqual(subjects("?offset=7"), "")
        self.assertEqual(self.sandbox.get("/sandbox/messages?limit=x").status, 400)
        self.assertEqual(self.sandbox.get("/sandbox/nothing").status, 404)
        self.assertEqual(self.sandbox.call("DELETE", "/sandbox/counts").status, 405)
        self.assertEqual(self.sandbox.get("/sandbox/messages/x").status, 404)

    def test_accounting(self):
        for relay_id in "a", "b", "a":
            self.sandbox.email(Metadata={"relay-id": relay_id})
        self.sandbox.call("POST", "/email/batch",
                          [message(Metadata={"relay-id": "c%d" % i}) for i in range(30)])
        self.sandbox.email(To="x")
        answer = self.sandbox.get("/sandbox/relay-ids")
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        lines = answer.body.decode().splitlines()
        self.assertEqual(lines[:3], ["a 2", "b 1", "c0 1"])
        self.assertEqual(len(lines), 32)
        counts = self.sandbox.counts()
        self.assertEqual(counts["accepted"], 33)
        self.assertEqual(counts["relay_ids"], 32)
        self.assertEqual(counts["relay_id_repeats"], 1)
        self.assertEqual(counts["largest_batch"], 30)
        self.assertEqual(counts["batches"]["26-50"], 1)
        self.assertEqual(counts["refused"], {"300": 1})
        self.assertEqual(counts["requests"]["POST /email"], 4)
        self.assertEqual(counts["requests"]["POST /email/batch"], 1)
        self.assertEqual(self.sandbox.call("DELETE", "/sandbox/messages").status, 200)
        counts = self.sandbox.counts()
        self.assertEqual((counts["accepted"], counts["relay_ids"], counts["largest_batch"]),
                         (0, 0, 0))
        self.assertEqual(self.sandbox.get("/sandbox/relay-ids").body, b"")

    def test_bad_input(self):
        for path in "/sandbox/faults", "/sandbox/suppressions":
            for text in "{", "[\u671b", "[" + 4 * "\u671b", "[1]\0", '{"a":1,"a":2}':
                answer = self.sandbox.call("PUT", path, text.encode())
                self.assertEqual(answer.status, 400)
                self.assertIn("Error", answer.json)
            self.assertEqual(self.sandbox.call("PUT", path, {}).status, 422)
            self.assertEqual(self.sandbox.call("PUT", path, [1]).status, 422)


class Faults(SandboxTest):
    def accepted(self):
        return self.sandbox.counts()["accepted"]

    def test_status(self):
        for rule, status, code in [
                ({"status": 500}, 500, 101), ({"status": 503}, 503, 100),
                ({"status": 429}, 429, 429), ({"error_code": 10}, 401, 10),
                ({"error_code": 412, "message": "pending"}, 422, 412),
                ({"status": 403, "error_code": 1480}, 403, 1480)]:
            self.sandbox.faults(dict(rule, path="/email*", times=1))
            self.refused(self.sandbox.email(), status, code, rule.get("message"))
        self.assertEqual(self.accepted(), 0)
        self.assertEqual(self.sandbox.email().status, 200)

    def test_obeyed_all_the_same(self):
        self.sandbox.faults({"status": 500, "accept": True})
        self.refused(self.sandbox.email(), 500, 101)
        self.assertEqual(self.accepted(), 1)

    def test_retry_after(self):
        self.sandbox.faults({"status": 429, "retry_after": 2, "times": 1}, {"status": 429})
        self.assertEqual(self.sandbox.email().headers["Retry-After"], "2")
        self.assertIsNone(self.sandbox.email().headers["Retry-After"])

    def test_which_requests(self):
        self.sandbox.faults({"path": "/email/batch", "status": 500, "after": 1, "times": 2})
        self.assertEqual(self.sandbox.email().status, 200)
        self.assertEqual([self.sandbox.call("POST", "/Email/Batch/", [message()]).status
                          for _ in range(4)], [200, 500, 500, 200])
        rules = self.sandbox.get("/sandbox/faults").json
        self.assertEqual((rules[0]["met"], rules[0]["fired"]), (4, 2))
        self.assertEqual(self.sandbox.counts()["faults"], 2)
        self.sandbox.call("DELETE", "/sandbox/faults")
        self.assertEqual(self.sandbox.get("/sandbox/faults").json, [])

    def test_chance(self):
        runs = []
        for _ in range(2):
            self.sandbox.faults({"status": 500, "probability": 0.3, "seed": 7})
            runs.append([self.sandbox.email().status for _ in range(40)])
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(set(runs[0]), {200, 500})

    def test_delays(self):
        self.sandbox.faults({"path": "/email", "delay_before_ms": 150, "delay_after_ms": 150})
        other = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=20)
        self.assertEqual(self.sandbox.counts()["accepted"], 0)
        start = time.monotonic()
        other.request("POST", "/email", json.dumps(message()),
                      {"X-Postmark-Server-Token": TOKEN, "Content-Type": "application/json"})
        self.assertEqual(self.accepted(), 0)
        # Nobody else waits.
        self.assertLess(time.monotonic() - start, 0.15)
        self.assertEqual(other.getresponse().status, 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.29)
        self.assertEqual(self.accepted(), 1)
        other.close()

    def test_cut(self):
        for when, accepted in ("before", 0), ("after", 1):
            for delay in 0, 50:
                self.sandbox.call("DELETE", "/sandbox/messages")
                self.sandbox.faults({"path": "/email", "cut": when, "delay_before_ms": delay,
                                     "delay_after_ms": delay})
                with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
                    self.sandbox.email()
                self.assertEqual(self.accepted(), accepted, when)

    def test_client_leaves_during_a_delay(self):
        self.sandbox.faults({"path": "/email", "delay_before_ms": 50, "delay_after_ms": 50})
        body = json.dumps(message())
        head = ("POST /email HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                "X-Postmark-Server-Token: %s\r\nContent-Length: %d\r\n\r\n" % (TOKEN, len(body)))
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.sandbox.port)) as client:
                client.sendall((head + body).encode())
        deadline = time.monotonic() + 10
        while self.accepted() < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(self.accepted(), 5)

    def test_ends_during_a_delay(self):
        self.sandbox.faults({"path": "/email", "delay_before_ms": 60000})
        body = json.dumps(message())
        head = ("POST /email HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                "X-Postmark-Server-Token: %s\r\nContent-Length: %d\r\n\r\n" % (TOKEN, len(body)))
        with socket.create_connection(("127.0.0.1", self.sandbox.port)) as client:
            client.sendall((head + body).encode())
            while self.sandbox.counts()["faults"] == 0:
                time.sleep(0.01)
            self.sandbox.process.send_signal(signal.SIGINT)
            self.assertEqual(self.sandbox.process.wait(timeout=20), 0)

    def test_answers(self):
        def answer(kind, **more):
            self.sandbox.faults(dict(more, answer=kind))
            return self.sandbox.email()

        html = answer("html", status=502)
        self.assertEqual(html.status, 502)
        self.assertIn("text/html", html.headers["Content-Type"])
        self.assertIn(b"<html>", html.body)
        self.assertEqual(self.accepted(), 0)
        self.assertEqual(answer("html").status, 200)
        self.assertEqual(self.accepted(), 1)
        self.assertEqual(answer("empty").body, b"")
        no_code = answer("no-error-code").json
        self.assertNotIn("ErrorCode", no_code)
        self.assertRegex(no_code["MessageID"], UUID)
        delayed = answer("delayed-text").json
        self.assertEqual(set(delayed), {"Message", "MessageID", "SubmittedAt", "To"})
        self.assertEqual(delayed["Message"], "Message accepted, but delivery may be delayed.")
        with self.assertRaises(http.client.IncompleteRead):
            answer("truncated")
        self.assertEqual(self.accepted(), 5)

    def test_wrong_length(self):
        self.sandbox.faults({"answer": "wrong-length"})
        answer = self.sandbox.call("POST", "/email/batch", [message()] * 3)
        self.assertEqual(len(answer.json), 2)
        self.assertEqual(self.sandbox.call("POST", "/email/batch", [message()]).json, [])
        self.assertEqual(self.accepted(), 4)

    def test_partial_suppression(self):
        self.sandbox.faults({"partial_suppression": True})
        answer = self.sandbox.email(To="a@x.example, B@x.example")
        self.assertEqual(answer.status, 200)
        self.assertIn("inactive addresses: b@x.example. ", answer.json["Message"])
        self.assertEqual(self.sandbox.email().json["Message"], "OK")

    def test_framing(self):
        self.sandbox.faults({"framing": "chunked", "times": 1}, {"connection_close": True})
        answer = self.sandbox.email()
        self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
        self.assertIsNone(answer.headers["Content-Length"])
        self.assertEqual(answer.json["Message"], "OK")
        answer = self.sandbox.email()
        self.assertEqual(answer.headers["Connection"], "close")
        self.assertEqual(answer.json["Message"], "OK")


class Options(unittest.TestCase):
    def test_strictness(self):
        with Sandbox("--sender-domain", "shop.example", "--allow-empty-to", "--token", "t1",
                     "--token", "t2", "--base-path", "/Postmark/", "--search-lag", "3600000",
                     "--max-messages", "2") as sandbox:
            headers = {"X-Postmark-Server-Token": "t2", "Content-Type": "application/json"}
            call = sandbox.call
            answer = call("POST", "/email", message(From="a@other.example"), headers)
            self.assertEqual(answer.status, 422)
            self.assertEqual(
                answer.json["Message"],
                "The 'From' address you supplied (a@other.example) is not a Sender Signature on "
                "your account. Please add and confirm this address in order to be able to use it "
                "in the 'From' field of your messages.")
            answer = call("POST", "/postmark/email", message(To=None, Bcc="b@x.example"), headers)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertNotIn("To", answer.json)
            for _ in range(3):
                self.assertEqual(call("POST", "/email", message(), headers).status, 200)
            answer = call("POST", "/email", message(), {**headers,
                                                        "X-Postmark-Server-Token": TOKEN})
            self.assertEqual(answer.status, 401)
            kept = call("GET", "/sandbox/messages").json
            self.assertEqual([(one["Number"], one["TokenNumber"]) for one in kept],
                             [(3, 2), (4, 2)])
            # A search does not find yet what was just accepted.
            found = call("GET", "/messages/outbound?count=1&offset=0", headers=headers).json
            self.assertEqual(found, {"TotalCount": 0, "Messages": []})

    def test_usage(self):
        def run(*options):
            return subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=20,
                                  check=False)

        self.assertEqual(run("--help").returncode, 0)
        self.assertIn("--allow-remote", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"^pmrelay-sandbox \d")
        for wrong in (["--port", "x"], ["--port", "65536"], ["--port"], ["--nonsense"], ["x"],
                      ["--address", "0.0.0.0"], ["--address", "192.0.2.1"],
                      ["--log-level", "loud"], ["--base-path", "x"]):
            result = run(*wrong)
            self.assertEqual(result.returncode, 64, wrong)
            self.assertIn("pmrelay-sandbox: ", result.stderr)
        self.assertEqual(run("--address", "192.0.2.1", "--allow-remote").returncode, 1)
        with Sandbox() as sandbox:
            result = run("--port", str(sandbox.port))
            self.assertEqual(result.returncode, 1)
            self.assertIn("start-failed", result.stderr)

    def test_hostile_bytes(self):
        with Sandbox() as sandbox:
            for raw in (b"GARBAGE\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n",
                        b"GET /%00%ff%zz?%zz=%00&&&== HTTP/1.1\r\nHost: x\r\n\r\n",
                        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
                        b"POST /email HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                        b"POST /email HTTP/1.1\r\nContent-Length: 99\r\n\r\nx"):
                with socket.create_connection(("127.0.0.1", sandbox.port), timeout=20) as client:
                    try:  # it may hang up at any time
                        client.sendall(raw)
                        client.shutdown(socket.SHUT_WR)
                        while client.recv(65536):
                            pass
                    except OSError as why:
                        self.assertNotIsInstance(why, TimeoutError)
            self.assertEqual(sandbox.call("POST", "/email", b"[" * 100000).status, 422)
            self.assertEqual(sandbox.email().status, 200)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False).result.wasSuccessful() else 1)
