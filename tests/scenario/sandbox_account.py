#!/usr/bin/env python3
"""The account of pmrelay-sandbox: servers, streams, suppressions, bounces, webhooks, messages."""

import base64
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

from sandbox_api import PROGRAM, TOKEN, UUID, Sandbox, message

ACCOUNT = "sandbox-account-token"
HARD = "hardbounce@bounce-testing.postmarkapp.com"
EASTERN = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}-05:00$")


class Server:
    """Calls with the token of one server."""

    def __init__(self, sandbox, token):
        self.sandbox, self.token = sandbox, token

    def call(self, method, path, body=None):
        headers = {"X-Postmark-Server-Token": self.token, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.sandbox.call(method, path, body, headers)

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body=None):
        return self.call("POST", path, body)

    def put(self, path, body=None):
        return self.call("PUT", path, body)

    def delete(self, path):
        return self.call("DELETE", path)

    def send(self, **fields):
        return self.post("/email", message(**fields))


class AccountTest(unittest.TestCase):
    options = ()

    def setUp(self):
        self.sandbox = Sandbox(*self.options)
        self.addCleanup(self.sandbox.__exit__, None, None, None)
        self.server = Server(self.sandbox, TOKEN)

    def account(self, method, path, body=None):
        headers = {"X-Postmark-Account-Token": ACCOUNT}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self.sandbox.call(method, path, body, headers)

    def other_server(self, name="other"):
        made = self.ok(self.account("POST", "/servers", {"Name": name}))
        return Server(self.sandbox, made["ApiTokens"][0])

    def switch(self, **switches):
        self.assertEqual(self.sandbox.call("PUT", "/sandbox/switches", switches).status, 200)

    def ok(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIsNone(answer.headers["X-PM-ApiErrorCode"])
        return answer.json

    def refused(self, answer, code, status=422):
        self.assertEqual((answer.status, answer.json["ErrorCode"]), (status, code), answer.body)
        self.assertEqual(set(answer.json), {"ErrorCode", "Message"})
        self.assertEqual(answer.headers["X-PM-ApiErrorCode"], str(code))


class Tokens(AccountTest):
    def test_kinds(self):
        self.ok(self.account("GET", "/servers?count=1&offset=0"))
        self.refused(self.server.get("/servers?count=1&offset=0"), 10, 401)
        for path in "/server", "/bounces?count=1&offset=0", "/webhooks", "/message-streams":
            self.refused(self.account("GET", path), 10, 401)
            self.refused(self.sandbox.call("GET", path, None, {}), 10, 401)
            self.refused(Server(self.sandbox, "POSTMARK_API_TEST").get(path), 10, 401)
        self.refused(self.account("GET", "/nothing"), 404, 404)

    def test_json(self):
        headers = {"X-Postmark-Account-Token": ACCOUNT}
        call = self.sandbox.call
        self.assertEqual(call("POST", "/servers", "{}", headers).status, 415)
        headers["Content-Type"] = "application/json"
        self.refused(call("POST", "/servers", "{", headers), 402)
        self.refused(call("POST", "/servers", "[]", headers), 403)


class Servers(AccountTest):
    def test_life(self):
        made = self.ok(self.account("POST", "/Servers/", {
            "Name": "shop", "Color": "Turquoise", "DeliveryType": "sandbox", "TrackOpens": True,
            "TrackLinks": "htmlonly", "InboundSpamThreshold": 30, "InboundDomain": "in.shop.example",
            "InboundHookUrl": "https://u:p@shop.example/in", "Unknown": 1, "RawEmailEnabled": None}))
        self.assertEqual(len(made), 22)
        self.assertEqual((made["ID"], made["Name"], made["Color"]), (2, "shop", "turquoise"))
        self.assertEqual((made["DeliveryType"], made["TrackLinks"]), ("Sandbox", "HtmlOnly"))
        self.assertEqual(made["ServerLink"], "https://postmarkapp.com/servers/2/streams")
        self.assertEqual(made["InboundAddress"],
                         made["InboundHash"] + "@inbound.postmarkapp.com")
        self.assertRegex(made["ApiTokens"][0], UUID)
        self.assertEqual(self.ok(self.account("GET", "/servers/2")), made)
        shop = Server(self.sandbox, made["ApiTokens"][0])
        self.assertEqual(self.ok(shop.get("/server")), made)
        self.assertEqual([one["ID"] for one in self.ok(shop.get("/message-streams"))[
            "MessageStreams"]], ["outbound", "inbound", "broadcast"])

        edited = self.ok(shop.put("/server", {"Name": "shop", "Color": "Red"}))
        self.assertEqual(edited, dict(made, Color="red"))
        edited = self.ok(self.account("PUT", "/servers/2", {
            "Name": "shop 2", "DeliveryType": "Sandbox", "InboundHookUrl": ""}))
        self.assertEqual(edited, dict(made, Color="red", Name="shop 2", InboundHookUrl=""))

        listed = self.ok(self.account("GET", "/servers?count=10&offset=0"))
        self.assertEqual((listed["TotalCount"], [one["Name"] for one in listed["Servers"]]),
                         (2, ["sandbox", "shop 2"]))
        listed = self.ok(self.account("GET", "/servers?Count=1&Offset=1&Name=S"))
        self.assertEqual((listed["TotalCount"], listed["Servers"]), (2, [edited]))
        listed = self.ok(self.account("GET", "/servers?count=1&offset=0&name=HOP"))
        self.assertEqual(listed["TotalCount"], 1)

        self.assertEqual(self.ok(self.account("DELETE", "/servers/2")),
                         {"ErrorCode": 0, "Message": "Server shop 2 removed."})
        self.refused(shop.get("/server"), 10, 401)
        self.refused(self.account("GET", "/servers/2"), 422)
        self.refused(self.account("DELETE", "/servers/2"), 422)
        self.assertEqual(self.other_server().get("/server").json["ID"], 3)

    def test_refused(self):
        self.account("POST", "/servers", {"Name": "taken", "InboundDomain": "in.shop.example"})
        for body, code in [
                (None, 609), ({}, 609), ({"Color": "Red"}, 608), ({"Name": " "}, 608),
                ({"Name": "Sandbox"}, 603), ({"Name": 1}, 403), ({"Name": "x", "Color": "pink"}, 607),
                ({"Name": "x", "InboundHookUrl": "shop"}, 606),
                ({"Name": "x", "BounceHookUrl": "ftp://a/b"}, 606),
                ({"Name": "x", "InboundSpamThreshold": 31}, 611),
                ({"Name": "x", "InboundSpamThreshold": "5"}, 403),
                ({"Name": "x", "TrackLinks": "All"}, 612), ({"Name": "x", "DeliveryType": "x"}, 613),
                ({"Name": "x", "InboundDomain": "in.postmarkapp.com"}, 608),
                ({"Name": "x", "InboundDomain": "IN.shop.example"}, 602)]:
            self.refused(self.account("POST", "/servers", body), code)
        self.assertEqual(self.ok(self.account("GET", "/servers?count=9&offset=0"))["TotalCount"], 2)
        for query in "", "count=1", "offset=0", "count=0&offset=0", "count=501&offset=0", \
                "count=a&offset=0", "count=1&offset=-1":
            self.refused(self.account("GET", "/servers?" + query), 600)
        self.refused(self.server.put("/server", {"DeliveryType": "Sandbox"}), 613)
        self.refused(self.server.put("/server", {"Name": "taken"}), 603)
        self.refused(self.server.put("/server", {}), 609)
        self.refused(self.account("PUT", "/servers/x", {"Name": "y"}), 422)
        self.switch(delete_servers=False)
        self.refused(self.account("DELETE", "/servers/2"), 604)

    def test_isolation(self):
        other = self.other_server()
        hook = self.ok(self.server.post("/webhooks", {"Url": "http://x.example/"}))
        sent = self.ok(self.server.send(To=HARD))
        bounce = self.ok(self.server.get("/bounces?count=1&offset=0"))["Bounces"][0]
        inbound = self.ok(self.sandbox.call("POST", "/sandbox/inbound", {"From": "a@x.example"}))
        rule = self.ok(self.server.post("/triggers/inboundrules", {"Rule": "x.example"}))
        self.ok(self.server.post("/message-streams", {
            "ID": "own", "Name": "own", "MessageStreamType": "Transactional"}))
        for path, code in [
                ("/webhooks/%d" % hook["ID"], 1352),
                ("/messages/outbound/%s/details" % sent["MessageID"], 701),
                ("/messages/outbound/%s/dump" % sent["MessageID"], 701),
                ("/messages/outbound/opens/%s?count=1&offset=0" % sent["MessageID"], 701),
                ("/messages/inbound/%s/details" % inbound["MessageID"], 701),
                ("/bounces/%d" % bounce["ID"], 1001), ("/bounces/%d/dump" % bounce["ID"], 1001),
                ("/message-streams/own", 1226)]:
            self.assertEqual(self.server.get(path).status, 200, path)
            self.refused(other.get(path), code)
        self.refused(other.put("/bounces/%d/activate" % bounce["ID"]), 1001)
        self.refused(other.delete("/triggers/inboundrules/%d" % rule["ID"]), 812)
        for path in ("/messages/outbound", "/messages/inbound", "/bounces", "/messages/outbound/opens",
                     "/triggers/inboundrules"):
            self.assertEqual(self.ok(other.get(path + "?count=1&offset=0"))["TotalCount"], 0, path)
        self.assertEqual(self.ok(other.get("/deliverystats")),
                         {"InactiveMails": 0, "Bounces": [{"Name": "All", "Count": 0}]})
        # What is suppressed for one may be mailed to by the other.
        self.refused(self.server.send(To=HARD), 406)
        self.ok(other.send(To=HARD))
        self.refused(other.send(MessageStream="own"), 1235)


class Streams(AccountTest):
    def create(self, **fields):
        made = {"ID": "news", "Name": "News", "MessageStreamType": "Broadcasts"}
        made.update(fields)
        return self.server.post("/message-streams", made)

    def test_life(self):
        made = self.ok(self.create(Description="Of the week"))
        self.assertRegex(made.pop("CreatedAt"), EASTERN)
        self.assertEqual(made, {
            "ID": "news", "ServerID": 1, "Name": "News", "Description": "Of the week",
            "MessageStreamType": "Broadcasts", "UpdatedAt": None, "ArchivedAt": None,
            "ExpectedPurgeDate": None,
            "SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": "Postmark"}})
        self.ok(self.server.send(MessageStream="news"))
        edited = self.ok(self.server.call("PATCH", "/message-streams/news", {
            "Name": "Newer", "Description": ""}))
        self.assertEqual((edited["Name"], edited["Description"]), ("Newer", None))
        self.assertRegex(edited["UpdatedAt"], EASTERN)
        archived = self.ok(self.server.post("/message-streams/news/archive"))
        self.assertEqual((archived["ID"], archived["ServerID"]), ("news", 1))
        self.assertEqual(set(archived), {"ID", "ServerID", "ExpectedPurgeDate"})
        self.refused(self.server.post("/message-streams/news/archive"), 1241)
        self.refused(self.server.send(MessageStream="news"), 1235)
        self.assertEqual(self.ok(self.server.get("/message-streams"))["TotalCount"], 3)
        self.assertEqual(self.ok(self.server.get(
            "/message-streams?IncludeArchivedStreams=true&MessageStreamType=broadcasts"))[
                "TotalCount"], 2)
        self.assertIsNotNone(self.ok(self.server.get("/message-streams/news"))["ArchivedAt"])
        again = self.ok(self.server.post("/message-streams/news/unarchive", {}))
        self.assertIsNone(again["ArchivedAt"])
        self.refused(self.server.post("/message-streams/news/unarchive"), 1232)
        self.ok(self.server.send(MessageStream="news"))

    def test_refused(self):
        custom = {"UnsubscribeHandlingType": "Custom"}
        for fields, code in [
                ({"ID": None}, 1222), ({"ID": "News"}, 1227), ({"ID": "1a"}, 1227),
                ({"ID": "a" * 31}, 1227), ({"ID": "a.b"}, 1227), ({"ID": "pm-a"}, 1233),
                ({"ID": "all"}, 1237), ({"ID": "outbound"}, 1230), ({"ID": 1}, 403),
                ({"Name": ""}, 1223), ({"Name": "n" * 101}, 1224),
                ({"Description": "d" * 1001}, 1231), ({"Description": "<b>d</b>"}, 1234),
                ({"MessageStreamType": None}, 1221), ({"MessageStreamType": "Odd"}, 1221),
                ({"MessageStreamType": "Inbound"}, 1228),
                ({"SubscriptionManagementConfiguration": custom}, 1238),
                ({"SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": "x"}}, 1240),
                ({"SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": "None"}}, 1239),
                ({"SubscriptionManagementConfiguration": {"UnsubscribeHandlingType": 1}}, 403),
                ({"SubscriptionManagementConfiguration": []}, 403)]:
            self.refused(self.create(**fields), code)
        self.switch(custom_unsubscribe=True)
        self.ok(self.create(SubscriptionManagementConfiguration=custom))
        for number in range(6):
            self.ok(self.create(ID="n%d" % number))
        self.refused(self.create(ID="n6"), 1225)
        self.refused(self.server.get("/message-streams?MessageStreamType=x"), 1221)
        self.refused(self.server.get("/message-streams/x"), 1226)
        self.refused(self.server.post("/message-streams/x/archive"), 1226)
        self.refused(self.server.post("/message-streams/outbound/archive"), 1229)
        self.refused(self.server.call("PATCH", "/message-streams/news", {"Name": "n" * 101}), 1224)
        self.refused(self.server.send(MessageStream="inbound"), 1236)


class Suppressions(AccountTest):
    def entries(self, path, *addresses):
        return self.server.post(path, {"Suppressions": [
            {"EmailAddress": address} for address in addresses]})

    def test_life(self):
        path = "/message-streams/outbound/suppressions"
        self.assertEqual(self.ok(self.entries(path, "Bo@reader.example", "nonsense")), {
            "Suppressions": [
                {"EmailAddress": "Bo@reader.example", "Status": "Suppressed", "Message": None},
                {"EmailAddress": "nonsense", "Status": "Failed",
                 "Message": "An invalid email address was provided."}]})
        self.refused(self.server.send(To="bo@reader.example"), 406)
        self.ok(self.server.send(To="bo@reader.example", MessageStream="broadcast"))
        dump = self.ok(self.server.get(path + "/dump"))["Suppressions"]
        self.assertRegex(dump[0].pop("CreatedAt"), EASTERN)
        self.assertEqual(dump, [{"EmailAddress": "bo@reader.example", "Origin": "Customer",
                                 "SuppressionReason": "ManualSuppression"}])
        for query, count in (("SuppressionReason=manualsuppression", 1), ("Origin=Customer", 1),
                             ("SuppressionReason=HardBounce", 0), ("Origin=Admin", 0),
                             ("EmailAddress=BO@reader.example", 1), ("EmailAddress=a@b.example", 0),
                             ("fromdate=2020-01-01", 1), ("todate=2020-01-01", 0)):
            found = self.ok(self.server.get(path + "/dump?" + query))["Suppressions"]
            self.assertEqual(len(found), count, query)
        gone = self.ok(self.entries(path + "/delete", "BO@reader.example", "new@x.example", "?"))
        self.assertEqual([one["Status"] for one in gone["Suppressions"]],
                         ["Deleted", "Deleted", "Failed"])
        self.ok(self.server.send(To="bo@reader.example"))

    def test_not_ours(self):
        self.sandbox.call("PUT", "/sandbox/suppressions", [
            {"EmailAddress": "spam@x.example", "SuppressionReason": "SpamComplaint"},
            {"EmailAddress": "hard@x.example", "SuppressionReason": "HardBounce"}])
        path = "/message-streams/outbound/suppressions"
        gone = self.ok(self.entries(path + "/delete", "spam@x.example", "hard@x.example"))
        self.assertEqual([one["Status"] for one in gone["Suppressions"]], ["Failed", "Deleted"])
        self.assertIsInstance(gone["Suppressions"][0]["Message"], str)
        self.refused(self.server.send(To="spam@x.example"), 406)

    def test_refused(self):
        path = "/message-streams/outbound/suppressions"
        for end in "", "/delete":
            self.refused(self.server.post(path + end), 1409)
            self.refused(self.server.post(path + end, {}), 1409)
            self.refused(self.server.post(path + end, {"Suppressions": {}}), 403)
            self.refused(self.server.post(path + end, {"Suppressions": [1]}), 403)
            self.refused(self.server.post(path + end, {"Suppressions": [{}]}), 1411)
            self.refused(self.entries(path + end, *["a@x.example"] * 51), 1410)
            self.refused(self.entries("/message-streams/x/suppressions" + end, "a@x.example"), 1226)
        self.refused(self.server.get(path + "/dump?SuppressionReason=x"), 1404)
        self.refused(self.server.get(path + "/dump?Origin=x"), 1405)
        self.refused(self.server.get(path + "/dump?fromdate=x"), 900)
        self.refused(self.server.get(path + "/dump?EmailAddress=x"), 1408)


class Bounces(AccountTest):
    def list(self, query=""):
        return self.ok(self.server.get("/bounces?count=500&offset=0&" + query))

    def test_life(self):
        sent = self.ok(self.server.send(To="HARD_bounce@bounce-testing.postmarkapp.com", Tag="t",
                                        Subject="about", Metadata={"relay-id": "r"}))
        listed = self.list()
        bounce = listed["Bounces"][0]
        self.assertEqual(listed["TotalCount"], 1)
        self.assertGreater(bounce["ID"], 2 ** 32)
        self.assertRegex(bounce["BouncedAt"], EASTERN)
        expected = {
            "RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "Name": "Hard bounce",
            "MessageStream": "outbound", "MessageID": sent["MessageID"], "ServerID": 1, "Tag": "t",
            "Email": "HARD_bounce@bounce-testing.postmarkapp.com", "From": "a@shop.example",
            "Subject": "about", "Metadata": {"relay-id": "r"}, "DumpAvailable": True,
            "Inactive": True, "CanActivate": True}
        self.assertEqual({key: bounce[key] for key in expected}, expected)
        path = "/bounces/%d" % bounce["ID"]
        one = self.ok(self.server.get(path))
        self.assertIn("550 5.1.1", one.pop("Content"))
        self.assertEqual(one, bounce)
        self.assertIn("550 5.1.1", self.ok(self.server.get(path + "/dump"))["Body"])
        self.assertEqual(self.ok(self.server.get("/deliveryStats")), {
            "InactiveMails": 1, "Bounces": [
                {"Name": "All", "Count": 1},
                {"Type": "HardBounce", "Name": "Hard bounce", "Count": 1}]})
        self.refused(self.server.send(To=bounce["Email"]), 406)
        again = self.ok(self.server.put(path + "/activate"))
        self.assertEqual((again["Message"], again["Bounce"]), ("OK", dict(bounce, Inactive=False)))
        self.ok(self.server.put(path + "/activate", {}))
        self.ok(self.server.send(To=bounce["Email"]))
        events = self.ok(self.server.get("/messages/outbound/%s/details" % sent["MessageID"]))[
            "MessageEvents"]
        self.assertEqual([event["Type"] for event in events], ["Bounced", "SubscriptionChanged"])
        self.assertEqual(events[0]["Details"]["BounceID"], str(bounce["ID"]))

    def test_types(self):
        for local, wanted in (("softbounce", "SoftBounce"), ("soft_bounce", "SoftBounce"),
                              ("DNSERROR", "DnsError"), ("nonsense", "HardBounce"),
                              ("SpamComplaint", "HardBounce"), ("transient", "Transient"),
                              ("Blocked", "Blocked"), ("dmarc_policy", "DMARCPolicy")):
            self.ok(self.server.send(To=local + "@bounce-testing.postmarkapp.com"))
            bounce = self.list()["Bounces"][0]
            self.assertEqual(bounce["Type"], wanted)
            self.assertEqual(bounce["Inactive"], wanted == "HardBounce")
            if wanted != "HardBounce":
                self.refused(self.server.put("/bounces/%d/activate" % bounce["ID"]), 1003)
        self.ok(self.server.send(To="x@bounce-testing.postmarkapp.com",
                                 Headers=[{"Name": "X-PM-Bounce-Type", "Value": "auto_responder"}]))
        self.assertEqual(self.list()["Bounces"][0]["Type"], "AutoResponder")

    def test_filters(self):
        one = self.ok(self.server.send(To=HARD, Tag="a"))
        self.ok(self.server.send(To="softbounce@bounce-testing.postmarkapp.com", Tag="b"))
        self.ok(self.server.send(To=HARD, MessageStream="broadcast"))
        for query, count in (("", 2), ("type=softbounce", 1), ("type=Blocked", 0), ("inactive=true", 1),
                             ("inactive=false", 1), ("emailFilter=SOFT", 1), ("tag=a", 1),
                             ("messageID=" + one["MessageID"], 1), ("messagestream=broadcast", 1),
                             ("fromdate=2020-01-01", 2), ("todate=2020-01-01", 0)):
            self.assertEqual(self.list(query)["TotalCount"], count, query)
        self.assertEqual(len(self.ok(self.server.get("/bounces?count=1&offset=1"))["Bounces"]), 1)
        for query in ("", "count=1", "count=501&offset=0", "count=1&offset=-1", "count=1&offset=10000",
                      "count=1&offset=0&type=x", "count=1&offset=0&inactive=x",
                      "count=1&offset=0&fromdate=x"):
            self.refused(self.server.get("/bounces?" + query), 1000)
        self.refused(self.server.get("/bounces?count=1&offset=0&messagestream=x"), 1226)
        self.refused(self.server.get("/bounces/1"), 1001)
        self.refused(self.server.get("/bounces/x/dump"), 1001)
        self.refused(self.server.get("/bounces//dump"), 1002, 400)

    def test_control(self):
        sent = self.ok(self.server.send(To="a@x.example, b@x.example"))
        call = self.sandbox.call
        made = self.ok(call("POST", "/sandbox/bounce", {
            "MessageID": sent["MessageID"], "Email": "B@x.example", "Type": "SpamComplaint"}))
        self.assertEqual((made["RecordType"], made["TypeCode"], made["Email"]),
                         ("SpamComplaint", 100001, "b@x.example"))
        self.assertEqual((made["Inactive"], made["CanActivate"]), (True, False))
        self.refused(self.server.put("/bounces/%d/activate" % made["ID"]), 1003)
        self.refused(self.server.send(To="b@x.example"), 406)
        made = self.ok(call("POST", "/sandbox/bounce", {"Email": "c@x.example", "Details": "d"}))
        self.assertEqual((made["Type"], made["MessageID"], made["Details"]), ("HardBounce", "", "d"))
        for body, status in (({}, 422), ("[]", 422), ("{", 400), ({"MessageID": "x"}, 404),
                             ({"Email": "c@x.example", "Type": "x"}, 422), ({"Email": 1}, 422),
                             ({"MessageID": sent["MessageID"], "Email": "z@x.example"}, 422)):
            self.assertEqual(call("POST", "/sandbox/bounce", body).status, status, body)
        self.assertEqual(call("POST", "/sandbox/bounce?server=9",
                              {"Email": "c@x.example"}).status, 404)


class Messages(AccountTest):
    def test_tracking(self):
        self.ok(self.server.put("/server", {"TrackOpens": True, "TrackLinks": "TextOnly"}))
        sent = self.ok(self.server.send(To="a@x.example", Cc="b@x.example", Tag="t",
                                        TrackOpens=False))
        given = {"MessageID": sent["MessageID"], "Recipient": "B@x.example", "Platform": "Mobile",
                 "Client": {"Name": "c", "Company": "o", "Family": "f"}, "ReadSeconds": 7}
        call = self.sandbox.call
        first = self.ok(call("POST", "/sandbox/open", given))
        self.assertEqual((first["FirstOpen"], first["Recipient"]), (True, "b@x.example"))
        self.assertFalse(self.ok(call("POST", "/sandbox/open", given))["FirstOpen"])
        self.assertTrue(self.ok(call("POST", "/sandbox/open", {
            "MessageID": sent["MessageID"]}))["FirstOpen"])
        click = self.ok(call("POST", "/sandbox/click", dict(
            given, OriginalLink="https://shop.example/1", ClickLocation="Text")))
        self.assertEqual((click["OriginalLink"], click["ClickLocation"]),
                         ("https://shop.example/1", "Text"))
        self.assertNotIn("FirstOpen", click)
        for name, count in ("opens", 3), ("clicks", 1):
            for path in "/messages/outbound/" + name, "/messages/outbound/%s/%s" % (
                    name, sent["MessageID"]):
                found = self.ok(self.server.get(path + "?count=500&offset=0"))
                self.assertEqual((found["TotalCount"], len(found[name.capitalize()])),
                                 (count, count))
                self.refused(self.server.get(path + "?count=0&offset=0"), 700)
                self.refused(self.server.get(path + "?count=1&offset=10000"), 700)
            self.refused(self.server.get("/messages/outbound/%s/x?count=1&offset=0" % name), 701)
        opens = "/messages/outbound/opens?count=500&offset=0&"
        for query, count in (("recipient=b@x.example", 2), ("tag=t", 3), ("tag=u", 0),
                             ("client_name=c", 2), ("client_family=f&client_company=o", 2),
                             ("platform=mobile", 2), ("os_family=Linux", 3), ("country=Germany", 3),
                             ("city=Bonn", 0), ("messagestream=broadcast", 0)):
            self.assertEqual(self.ok(self.server.get(opens + query))["TotalCount"], count, query)
        self.refused(self.server.get(opens + "messagestream=x"), 1226)
        found = self.ok(self.server.get("/messages/outbound/%s/details" % sent["MessageID"]))
        self.assertEqual((found["TrackOpens"], found["TrackLinks"]), (True, "TextOnly"))
        self.assertEqual([(event["Recipient"][0], event["Type"]) for event in
                          found["MessageEvents"]],
                         [("a", "Delivered"), ("a", "Opened"), ("b", "Delivered"), ("b", "Opened"),
                          ("b", "Opened"), ("b", "LinkClicked")])
        for path in "/sandbox/open", "/sandbox/click":
            self.assertEqual(call("POST", path, {"MessageID": "x"}).status, 404)
            self.assertEqual(call("POST", path, dict(given, Recipient="z@x.example")).status, 422)
            self.assertEqual(call("POST", path, dict(given, Client=1)).status, 422)
        self.assertEqual(call("POST", "/sandbox/click", given).status, 422)
        self.assertEqual(call("POST", "/sandbox/click", dict(
            given, OriginalLink="x", ClickLocation="x")).status, 422)

    def test_sandboxed(self):
        made = self.ok(self.account("POST", "/servers", {"Name": "s", "DeliveryType": "Sandbox"}))
        server = Server(self.sandbox, made["ApiTokens"][0])
        server.send()
        found = self.ok(server.get("/messages/outbound?count=1&offset=0"))["Messages"]
        self.assertIs(found[0]["Sandboxed"], True)

    def test_inbound(self):
        call = self.sandbox.call
        self.ok(self.server.post("/triggers/inboundrules", {"Rule": "bad.example"}))
        hash_ = self.ok(self.server.get("/server"))["InboundHash"]
        made = self.ok(call("POST", "/sandbox/inbound", {
            "From": "\"Ann\" <ann@reader.example>", "Subject": "Re: Invoice", "TextBody": "Thanks",
            "To": "Shop <%s+o77@inbound.postmarkapp.com>" % hash_, "Cc": "c@x.example",
            "Headers": [{"Name": "X-A", "Value": "v"}],
            "Attachments": [{"Name": "a.txt", "Content": "aGk=", "ContentType": "text/plain",
                             "ContentLength": 2}]}))
        self.assertEqual((made["FromName"], made["From"], made["MailboxHash"], made["Status"]),
                         ("Ann", "ann@reader.example", "o77", "Processed"))
        self.assertEqual(made["FromFull"],
                         {"Email": "ann@reader.example", "Name": "Ann", "MailboxHash": ""})
        self.assertEqual(made["ToFull"][0]["Name"], "Shop")
        blocked = self.ok(call("POST", "/sandbox/inbound", {"From": "x@bad.example"}))
        self.assertEqual(blocked["Status"], "Blocked")
        failed = self.ok(call("POST", "/sandbox/inbound", {"From": "f@x.example",
                                                           "Status": "failed"}))
        listed = self.ok(self.server.get("/messages/inbound?count=9&offset=0"))
        self.assertEqual(listed["TotalCount"], 3)
        self.assertNotIn("TextBody", listed["InboundMessages"][2])
        self.assertEqual(listed["InboundMessages"][2]["Attachments"],
                         [{"Name": "a.txt", "ContentType": "text/plain", "ContentLength": 2}])
        for query, count in (("status=blocked", 1), ("status=scheduled", 0),
                             ("recipient=C@x.example", 1), ("fromemail=ann@reader.example", 1),
                             ("subject=invoice", 1), ("mailboxhash=o77", 1), ("tag=x", 0),
                             ("fromdate=2020-01-01", 3), ("todate=2020-01-01", 0)):
            found = self.ok(self.server.get("/messages/inbound?count=9&offset=0&" + query))
            self.assertEqual(found["TotalCount"], count, query)
        for query in "", "count=1&offset=0&status=x", "count=1&offset=10000", \
                "count=1&offset=0&todate=x":
            self.refused(self.server.get("/messages/inbound?" + query), 700)
        path = "/messages/inbound/%s/"
        details = self.ok(self.server.get(path % made["MessageID"] + "details"))
        self.assertEqual((details["TextBody"], details["Headers"][0]["Name"]), ("Thanks", "X-A"))
        self.refused(self.server.get(path % "x" + "details"), 701)
        for done, action, one in (("bypassed", "bypass", blocked), ("rescheduled failed", "retry",
                                                                     failed)):
            self.refused(self.server.put(path % made["MessageID"] + action), 701)
            answer = self.ok(self.server.put(path % one["MessageID"] + action))
            self.assertEqual(answer, {"ErrorCode": 0, "Message": "Successfully %s message: %s." % (
                done, one["MessageID"])})
            self.refused(self.server.put(path % one["MessageID"] + action), 701)
        for body in ({}, {"From": "x"}, {"From": "a@x.example, b@x.example"}, {"From": 1},
                     {"From": "a@x.example", "Status": "x"}, {"From": "a@x.example", "To": "x"},
                     {"From": "a@x.example", "Attachments": [1]}):
            self.assertEqual(call("POST", "/sandbox/inbound", body).status, 422, body)

    def test_inbound_rules(self):
        path = "/triggers/inboundRules"
        made = self.ok(self.server.post(path, {"Rule": "spam@x.example"}))
        self.assertEqual(made, {"ID": 1, "Rule": "spam@x.example"})
        self.ok(self.server.post(path, {"Rule": "x.example"}))
        self.assertEqual(self.ok(self.server.get(path + "?count=1&offset=1")),
                         {"TotalCount": 2, "InboundRules": [{"ID": 2, "Rule": "x.example"}]})
        for body, code in ((None, 809), ({}, 809), ({"Rule": "X.example"}, 810),
                           ({"Rule": "not one"}, 813), ({"Rule": "a@"}, 813), ({"Rule": 1}, 403)):
            self.refused(self.server.post(path, body), code)
        self.refused(self.server.get(path), 800)
        self.assertEqual(self.ok(self.server.delete(path + "/1"))["ErrorCode"], 0)
        self.refused(self.server.delete(path + "/1"), 812)

    def test_removals(self):
        body = {"RequestedBy": "a@shop.example", "RequestedFor": "b@x.example",
                "NotifyWhenCompleted": True}
        self.assertEqual(self.ok(self.account("POST", "/data-removals", body)),
                         {"ID": 1, "Status": "Pending"})
        self.assertEqual(self.ok(self.account("GET", "/data-removals/1")),
                         {"ID": 1, "Status": "Done"})
        self.refused(self.account("GET", "/data-removals/2"), 1301)
        self.refused(self.account("POST", "/data-removals"), 1300)
        self.refused(self.account("POST", "/data-removals", dict(body, RequestedFor="x")), 1300)
        self.refused(self.account("POST", "/data-removals", dict(body, RequestedBy=1)), 403)
        self.refused(self.server.get("/data-removals/1"), 10, 401)

    def test_answers_for_approval_and_partly_suppressed(self):
        self.switch(pending_approval=True)
        self.refused(self.server.send(), 412)
        self.ok(self.server.send(To="b@Shop.example"))
        self.switch(pending_approval=False, refuse_partly_suppressed=True)
        self.sandbox.call("PUT", "/sandbox/suppressions", ["b@x.example"])
        self.refused(self.server.send(To="a@x.example, b@x.example"), 406)


class Receiver:
    """Where webhooks go: answers with what the path says, and keeps what came."""

    def __init__(self):
        seen = self.seen = []
        self.hold = threading.Event()
        hold = self.hold

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, dict(self.headers), json.loads(body)))
                if "hold" in self.path:
                    hold.wait(20)
                self.send_response(int(re.split("[/?]", self.path)[1]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.hold.set()
        self.http.shutdown()
        self.http.server_close()


class Webhooks(AccountTest):
    ALL = {"Open": {"Enabled": True}, "Bounce": {"Enabled": True, "IncludeContent": True}}

    def test_life(self):
        made = self.ok(self.server.post("/webhooks", {
            "Url": "https://relay.example/pm?x=1", "HttpAuth": {"Username": "u", "Password": "p"},
            "HttpHeaders": [{"Name": "X-Key", "Value": "k"}], "Triggers": self.ALL}))
        expected = {
            "ID": 1, "Url": "https://relay.example/pm?x=1", "MessageStream": "outbound",
            "HttpAuth": {"Username": "u", "Password": "p"}, "Status": "verified",
            "HttpHeaders": [{"Name": "X-Key", "Value": "k"}],
            "Triggers": {
                "Open": {"Enabled": True, "PostFirstOpenOnly": False}, "Click": {"Enabled": False},
                "Delivery": {"Enabled": False}, "Bounce": {"Enabled": True, "IncludeContent": True},
                "SpamComplaint": {"Enabled": False, "IncludeContent": False},
                "SubscriptionChange": {"Enabled": False}}}
        self.assertEqual(made, expected)
        edited = self.ok(self.server.put("/webhooks/1", {
            "Triggers": {"Open": {"Enabled": False}, "Delivery": {"Enabled": True}},
            "ID": 1, "MessageStream": "outbound", "Status": "verified", "HttpAuth": None}))
        expected["Triggers"]["Open"]["Enabled"] = False
        expected["Triggers"]["Delivery"]["Enabled"] = True
        self.assertEqual(edited, expected)
        self.assertEqual(self.ok(self.server.get("/webhooks/1")), expected)
        other = self.ok(self.server.post("/webhooks", {
            "Url": "http://x.example", "MessageStream": "broadcast", "Verify": False}))
        self.assertEqual((other["Status"], other["HttpAuth"], other["HttpHeaders"]),
                         ("unverified", None, []))
        for query, ids in (("", [1, 2]), ("?MessageStream=broadcast", [2]), ("?Status=verified", [1])):
            listed = self.ok(self.server.get("/webhooks" + query))["Webhooks"]
            self.assertEqual([one["ID"] for one in listed], ids)
        result = self.ok(self.server.post("/webhooks/2/verify"))
        self.assertEqual((result["Id"], result["Success"]), (2, True))
        self.assertEqual(self.ok(self.server.get("/webhooks/2"))["Status"], "verified")
        self.assertEqual(self.ok(self.server.get("/webhooks/2/statistics")),
                         {"Id": 2, "Total": 0, "Succeeded": 0, "Failed": 0, "Triggers": []})
        self.assertEqual(self.ok(self.server.delete("/webhooks/1")),
                         {"ErrorCode": 0, "Message": "Webhook 1 removed."})
        for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/verify"),
                             ("GET", "/statistics")):
            self.refused(self.server.call(method, "/webhooks/1" + path, {}), 1352)

    def test_refused(self):
        url = {"Url": "http://x.example/"}
        self.ok(self.server.post("/message-streams", {
            "ID": "old", "Name": "o", "MessageStreamType": "Transactional"}))
        self.ok(self.server.post("/message-streams/old/archive"))
        for body, code in [
                (None, 1355), ({}, 1355), ({"Url": ""}, 1354), ({"Url": "x"}, 1354),
                ({"Url": "http://"}, 1354), ({"Url": "http://x/\r\nA: b"}, 1354), ({"Url": 1}, 403),
                (dict(url, ID=1), 1356), (dict(url, Status="verified"), 1363),
                (dict(url, MessageStream="inbound"), 1351), (dict(url, MessageStream="old"), 1350),
                (dict(url, MessageStream="x"), 1226), (dict(url, HttpAuth="x"), 403),
                (dict(url, HttpAuth={"Username": 1}), 403), (dict(url, HttpHeaders={}), 403),
                (dict(url, HttpHeaders=[{"Name": "a b", "Value": "x"}]), 1358),
                (dict(url, HttpHeaders=[{"Value": "x"}]), 1358),
                (dict(url, HttpHeaders=[{"Name": "a", "Value": "x\r\ny"}]), 1358),
                (dict(url, HttpHeaders=["a"]), 403), (dict(url, Triggers=[]), 403),
                (dict(url, Triggers={"Open": 1}), 403),
                (dict(url, Triggers={"Open": {"Enabled": "x"}}), 403),
                (dict(url, Triggers={"Inbound": {"Enabled": True}}), 1353),
                (dict(url, Verify="x"), 403)]:
            self.refused(self.server.post("/webhooks", body), code)
        self.assertEqual(self.ok(self.server.get("/webhooks"))["Webhooks"], [])
        self.ok(self.server.post("/webhooks", url))
        self.refused(self.server.put("/webhooks/1", {"ID": 2}), 1357)
        self.refused(self.server.put("/webhooks/1", {"MessageStream": "broadcast"}), 1357)
        self.refused(self.server.put("/webhooks/1", {"Status": "unverified"}), 1363)
        self.refused(self.server.put("/webhooks/1", {"Url": ""}), 1354)
        self.refused(self.server.put("/webhooks/1", {}), 1355)
        for _ in range(9):
            self.ok(self.server.post("/webhooks", url))
        self.refused(self.server.post("/webhooks", url), 1359)
        self.ok(self.server.post("/webhooks", dict(url, MessageStream="broadcast")))
        self.refused(self.server.get("/webhooks?MessageStream=x"), 1226)
        self.refused(self.server.get("/webhooks?Status=x"), 1362)

    def receiver(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.switch(verify_webhooks=True)
        return receiver

    def test_verification(self):
        receiver = self.receiver()
        hook = {"Url": receiver.url + "/200?x=%20", "HttpAuth": {"Username": "u", "Password": "p"},
                "HttpHeaders": [{"Name": "X-Key", "Value": "k"}], "Triggers": self.ALL}
        made = self.ok(self.server.post("/webhooks", hook))
        self.assertEqual(made["Status"], "verified")
        self.assertEqual(sorted(body["RecordType"] for _, _, body in receiver.seen),
                         ["Bounce", "Open"])
        path, headers, _ = receiver.seen[0]
        self.assertEqual((path, headers["X-Key"]), ("/200?x=%20", "k"))
        self.assertEqual(headers["Authorization"],
                         "Basic " + base64.b64encode(b"u:p").decode())

        answer = self.server.put("/webhooks/1", {"Url": receiver.url.replace(
            "//", "//us:pw@") + "/204", "HttpAuth": {"Username": "", "Password": ""}})
        self.assertEqual((answer.status, answer.json["ErrorCode"]), (422, 1364))
        self.assertEqual(answer.headers["X-PM-ApiErrorCode"], "1364")
        self.assertEqual((answer.json["Id"], answer.json["Success"]), (1, False))
        self.assertIn("0/2 triggers", answer.json["Message"])
        self.assertEqual(answer.json["Results"][0], {
            "TriggerType": "Open", "Success": False, "StatusCode": 204,
            "Message": "Remote server returned an HTTP status code of 204."})
        self.assertEqual(receiver.seen[-1][1]["Authorization"],
                         "Basic " + base64.b64encode(b"us:pw").decode())
        self.assertEqual(self.ok(self.server.get("/webhooks/1")), made)

        count = len(receiver.seen)
        self.assertEqual(self.ok(self.server.put("/webhooks/1?verify=false", {
            "Url": receiver.url + "/500"}))["Status"], "unverified")
        self.assertEqual(len(receiver.seen), count)
        result = self.ok(self.server.post("/webhooks/1/verify"))
        self.assertEqual((result["Success"], result["Url"]), (False, receiver.url + "/500"))
        self.assertEqual(result["Message"], "0/2 triggers verified successfully")
        # Nothing enabled, nothing to ask.
        self.ok(self.server.post("/webhooks", {"Url": receiver.url + "/500"}))

        for url in "http://127.0.0.1:1/", "https://127.0.0.1/", "http://127.evil.example/", \
                "http://192.0.2.1/", "http://[::2]/":
            answer = self.server.post("/webhooks", dict(hook, Url=url))
            self.assertEqual((answer.status, answer.json["ErrorCode"]), (422, 1364), url)
            self.assertEqual(answer.json["Results"][0]["StatusCode"], 0)

    def test_others_do_not_wait(self):
        receiver = self.receiver()
        other = Sandbox.__new__(Sandbox)
        other.port, other.connection = self.sandbox.port, None
        self.addCleanup(other.hang_up)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(Server(other, TOKEN).post(
            "/webhooks", {"Url": receiver.url + "/200/hold", "Triggers": self.ALL})))
        thread.start()
        while len(receiver.seen) < 2:
            self.ok(self.server.send())
        # The stream fills up meanwhile.
        for _ in range(10):
            self.ok(self.server.post("/webhooks", {"Url": "http://x.example", "Verify": False}))
        self.assertEqual(answers, [])
        receiver.hold.set()
        thread.join(20)
        self.refused(answers[0], 1359)

    def test_end_while_waiting(self):
        receiver = self.receiver()
        other = Sandbox.__new__(Sandbox)
        other.port, other.connection = self.sandbox.port, None
        self.addCleanup(other.hang_up)

        def ask():
            try:
                Server(other, TOKEN).post("/webhooks", {"Url": receiver.url + "/200/hold",
                                                        "Triggers": self.ALL})
            except OSError:
                pass

        thread = threading.Thread(target=ask)
        thread.start()
        while len(receiver.seen) < 2:
            self.ok(self.server.send())
        self.sandbox.process.terminate()
        self.assertEqual(self.sandbox.process.wait(20), 0)
        receiver.hold.set()
        thread.join(20)


class Config(unittest.TestCase):
    def file(self, content):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "sandbox.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def test_good(self):
        path = self.file({
            "account_tokens": ["acc-1"],
            "servers": [
                {"Name": "shop", "tokens": ["tok-1"], "DeliveryType": "Sandbox", "Color": "green",
                 "streams": [{"ID": "news", "Name": "News", "MessageStreamType": "Broadcasts"}],
                 "suppressions": ["a@x.example", {
                     "EmailAddress": "b@x.example", "MessageStream": "news",
                     "SuppressionReason": "SpamComplaint", "Origin": "Recipient"}]},
                {"Name": "bare"}],
            "sender_domains": ["shop.example"], "senders": ["ann@other.example"],
            "switches": {"delete_servers": False, "to_optional": True}})
        with Sandbox("--config", path, "--token", "tok-0", "--account-token", "acc-0") as sandbox:
            shop, account = Server(sandbox, "tok-1"), {"X-Postmark-Account-Token": "acc-1"}
            server = shop.get("/server").json
            self.assertEqual((server["Name"], server["ApiTokens"], server["Color"]),
                             ("shop", ["tok-1", "tok-0"], "green"))
            self.assertEqual(Server(sandbox, "tok-0").get("/server").json["ID"], 1)
            listed = sandbox.get("/servers?count=9&offset=0", headers=account).json["Servers"]
            self.assertEqual([one["Name"] for one in listed], ["shop", "bare"])
            self.assertRegex(listed[1]["ApiTokens"][0], UUID)
            self.assertEqual(sandbox.get("/servers/1", headers={
                "X-Postmark-Account-Token": "acc-0"}).status, 200)
            self.assertEqual(shop.send(To="a@x.example").json["ErrorCode"], 406)
            self.assertEqual(shop.send(To="b@x.example", MessageStream="news").json["ErrorCode"], 406)
            self.assertEqual(shop.send(From="ann@other.example").status, 200)
            self.assertEqual(shop.send(From="bo@other.example").json["ErrorCode"], 400)
            self.assertEqual(shop.send(To=None, Cc="c@x.example").status, 200)
            switches = sandbox.get("/sandbox/switches").json
            self.assertEqual((switches["delete_servers"], switches["check_senders"]), (False, True))
            self.assertEqual(sandbox.call("DELETE", "/servers/1", headers=account).json["ErrorCode"],
                             604)
            for wrong in {"x": True}, {"to_optional": 1}, []:
                self.assertEqual(sandbox.call("PUT", "/sandbox/switches", wrong).status, 422)
            sandbox.call("PUT", "/sandbox/switches", {"check_senders": False})
            self.assertEqual(shop.send(From="bo@other.example").status, 200)

    def test_manual(self):
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc",
                            "pmrelay-sandbox.8")
        with open(page, encoding="utf-8") as file:
            text = file.read()
        example = re.search(r"^(\{ \"account_tokens.*?\})\n\.Ed", text, re.DOTALL | re.MULTILINE)
        with Sandbox("--config", self.file(example.group(1))) as sandbox:
            self.assertEqual(Server(sandbox, "try-1").get("/server").json["Name"], "try")
            switches = sandbox.get("/sandbox/switches").json
            settings = sandbox.get("/sandbox/events/settings").json
        for name in switches:
            self.assertIn(".It Cm %s\n" % name, text)
        for name in settings:
            self.assertRegex(text, r"\n\.It Cm (\w+ , )*%s( ,|\n)" % name)
        usage = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=20,
                               check=True).stdout
        self.assertEqual(set(re.findall(r"--([a-z-]+)", usage)),
                         set(re.findall(r"Fl -([a-z-]+)", text)))

    def test_bad(self):
        server = {"Name": "s"}
        for content, where in [
                ("{", "line 1, column 1"), ([], "wanted an object"), ({"x": 1}, '"x"'),
                ({"account_tokens": "x"}, "account_tokens: wanted a list"),
                ({"events": {"x": 1}}, 'events: there is no setting "x"'),
                ({"events": {"parallel": 0}}, "events: parallel: wanted a number from 1 to 256"),
                ({"webhook_ca_file": 1}, "webhook_ca_file: wanted the name of a file"),
                ({"account_tokens": ["a", 1]}, "account_tokens[1]: "),
                ({"servers": [server, {}]}, "servers[1]: wanted a Name"),
                ({"servers": [server, server]}, "servers[1]: code 603"),
                ({"servers": [{"Name": "s", "Colour": "red"}]}, 'servers[0]: there is no "Colour"'),
                ({"servers": [{"Name": "s", "Color": 1}]}, "servers[0]: Invalid request field(s)"),
                ({"servers": [{"Name": "s", "Color": "pink"}]}, "servers[0]: code 607"),
                ({"servers": [{"Name": "s", "tokens": ["a", "A"]}]}, "servers[0].tokens[1]: "),
                ({"servers": [{"Name": "s", "tokens": ["POSTMARK_API_TEST"]}]}, "the test token"),
                ({"servers": [{"Name": "s", "streams": [{"ID": "a"}]}]},
                 "servers[0].streams[0]: code 1221"),
                ({"servers": [{"Name": "s", "streams": [1]}]}, "servers[0].streams[0]: wanted"),
                ({"servers": [{"Name": "s", "suppressions": ["x"]}]},
                 "servers[0].suppressions[0]: wanted an address"),
                ({"servers": [{"Name": "s", "suppressions": [
                    {"EmailAddress": "a@x.example", "MessageStream": "y"}]}]}, '"y" is no stream'),
                ({"senders": ["x"]}, "senders[0]: "), ({"sender_domains": [""]}, "sender_domains[0]"),
                ({"switches": {"y": True}}, 'switches: there is no switch "y"'),
                ({"switches": {"to_optional": "yes"}}, "switches: to_optional: ")]:
            path = self.file(content)
            result = subprocess.run([PROGRAM, "--config", path], capture_output=True, text=True,
                                    timeout=20, check=False)
            self.assertEqual(result.returncode, 1, content)
            self.assertIn(path, result.stderr)
            self.assertIn(where, result.stderr.replace('\\"', '"'), content)
        result = subprocess.run([PROGRAM, "--config", "/nowhere/x.json"], capture_output=True,
                                text=True, timeout=20, check=False)
        self.assertEqual(result.returncode, 1)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False).result.wasSuccessful() else 1)
