#!/usr/bin/env python3
"""Webhooks of this instance: made, listed, mended, rotated and deleted as a set; suppressed addresses
read from Postmark, refused at RCPT, and let in again when they are lifted."""

import contextlib
import http.client
import json
import os
import smtplib
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, TOKEN, check, run, wait_for  # noqa: E402

SECOND_TOKEN = "second-server-token"
HERE = "https://relay.example.com/hooks"
STRAY = "/" + "stray-" * 5 + "01"  # secrets that no relay knows
WANTED = "open click delivery bounce"


class Stage:
    def __init__(self, folder, settings=None):
        config = os.path.join(folder, "sandbox.json")
        with open(config, "w") as f:
            json.dump({"servers": [{"Name": "First", "tokens": [TOKEN]},
                                   {"Name": "Second", "tokens": [SECOND_TOKEN]}],
                       "switches": {"verify_webhooks": False}}, f)
        self.sandbox = Sandbox(folder, "--config", config)
        merged = {"webhook": {"public-url": HERE, "triggers": WANTED.split()},
                  "suppression": {"sync": "no"},
                  "connection second": {"token": SECOND_TOKEN},
                  "route news": {"envelope-to": "@news.example", "message-stream": "broadcast"}}
        for section, options in (settings or {}).items():
            merged.setdefault(section, {}).update(options)
        self.relay = Relay(folder, self.sandbox.port, merged)

    def api(self, method, path, body=None, token=TOKEN):
        c = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=30)
        c.request(method, path, None if body is None else json.dumps(body),
                  {"X-Postmark-Server-Token": token, "Accept": "application/json",
                   "Content-Type": "application/json"})
        answer = c.getresponse()
        text = answer.read()
        c.close()
        check(answer.status == 200, "%s %s: %d %s" % (method, path, answer.status, text))
        return json.loads(text)

    def hooks(self, token=TOKEN):
        return {w["MessageStream"]: w for w in self.api("GET", "/webhooks", token=token)["Webhooks"]}

    def ensure(self, **arguments):
        return self.relay.ask("POST", "/webhook/ensure", arguments)

    def secrets(self, stream=None):
        """Those that the relay knows: (secret, whether it is for good)."""
        with contextlib.closing(sqlite3.connect(
                "file:%s?mode=ro" % os.path.join(self.relay.spool, "spool.db"), uri=True)) as db:
            return [(path, ends_ms == 0) for path, of, ends_ms in db.execute(
                "SELECT path, stream, ends_ms FROM hook") if stream in (None, of)]

    def repaired(self, *wrong, stream="outbound"):
        """One ensure mends that of the default connection's stream, and the next finds nothing."""
        before = self.ensure(**{"dry-run": True})
        rows = [w for w in before["Webhooks"] if w["Wrong"]]
        check(len(rows) == 1 and rows[0]["Done"].startswith("would"), "dry run: %s" % before)
        answer = self.ensure()
        rows = [w for w in answer["Webhooks"] if w["Wrong"]]
        check(answer["Failed"] == 0 and len(rows) == 1, "%s" % answer)
        row = rows[0]
        check(row["MessageStream"] == stream and row["Connection"] == "default", "%s" % row)
        for word in wrong:
            check(word in row["Wrong"], "%s is not told: %s" % (word, row))
        again = self.ensure()
        check(not [w for w in again["Webhooks"] if w["Wrong"]], "not mended: %s" % again)
        return row


def is_right(webhook):
    check(webhook["Url"].startswith(HERE + "/") and len(webhook["Url"]) == len(HERE) + 33, webhook)
    check(webhook["HttpAuth"]["Username"] == "pmrelay" and
          len(webhook["HttpAuth"]["Password"]) == 32, webhook)
    on = {name for name, t in webhook["Triggers"].items() if t["Enabled"]}
    check({"Open", "Click", "Delivery", "Bounce"} <= on, webhook)
    check(webhook["Status"] == "verified", webhook)


def created(folder):
    stage = Stage(folder)
    answer = stage.relay.ask("POST", "/webhook/create", {"instance": True})
    made = {(w["Connection"], w["MessageStream"]) for w in answer["Webhooks"] if w["Done"] == "made"}
    check(made == {("default", "outbound"), ("default", "broadcast"), ("second", "outbound")}, answer)
    hooks = list(stage.hooks().values()) + list(stage.hooks(SECOND_TOKEN).values())
    check(len(hooks) == 3, hooks)
    for hook in hooks:
        is_right(hook)
    check(len({h["Url"] for h in hooks}) == 3, "one secret for several: %s" % hooks)
    check(len({h["HttpAuth"]["Password"] for h in hooks}) == 3, hooks)
    check(not [w for w in stage.ensure()["Webhooks"] if w["Wrong"]], "ensure finds something")
    # Nothing is made twice.
    stage.relay.ask("POST", "/webhook/create", {"instance": True})
    check(len(stage.api("GET", "/webhooks")["Webhooks"]) == 2, "made twice")
    # Secrets are for those alone who ask for them.
    shown = json.dumps(stage.relay.ask("GET", "/webhook/list"))
    for hook in hooks:
        check(hook["Url"].rsplit("/", 1)[1] not in shown, "a secret path in %s" % shown)
        check(hook["HttpAuth"]["Password"] not in shown, "a password in %s" % shown)
        check(hook["Url"].rsplit("/", 1)[1] not in stage.relay.log(), "a secret path in the log")
        check(hook["HttpAuth"]["Password"] not in stage.relay.log(), "a password in the log")
    shown = stage.relay.ask("GET", "/webhook/list", query={"tokens": "show"})["Webhooks"]
    check({w["Url"] for w in shown} == {h["Url"] for h in stage.hooks().values()}, shown)
    check([w["Secret"] for w in shown] == ["known", "known"], shown)
    stage.api("POST", "/webhooks", {"Url": HERE + "/made-by-somebody-else", "Verify": False})
    shown = stage.relay.ask("GET", "/webhook/list")["Webhooks"]
    check(sorted(w["Secret"] for w in shown) == ["known", "known", "unknown secret"], shown)


def one_stream(folder):
    stage = Stage(folder)
    stage.relay.ask("POST", "/webhook/create", {
        "instance": True, "stream": "broadcast", "connection": "default",
        "triggers": {"Open": {"Enabled": True}, "SpamComplaint": {"Enabled": True}}})
    check(list(stage.hooks()) == ["broadcast"] and not stage.hooks(SECOND_TOKEN), stage.hooks())
    stage.ensure()
    on = {n for n, t in stage.hooks()["broadcast"]["Triggers"].items() if t["Enabled"]}
    check("SpamComplaint" in on, "ensure has undone a choice: %s" % on)
    is_right(stage.hooks()["broadcast"])


def mended(folder):
    stage = Stage(folder)
    stage.ensure()

    def number():
        return stage.hooks()["outbound"]["ID"]

    def same_secret(change, *wrong):
        before = stage.hooks()["outbound"]
        change()
        stage.repaired(*wrong)
        after = stage.hooks()["outbound"]
        is_right(after)
        check(after["Url"] == before["Url"] and after["HttpAuth"] == before["HttpAuth"],
              "%s became %s" % (before, after))

    same_secret(lambda: stage.api("DELETE", "/webhooks/%d" % number()), "missing")
    same_secret(lambda: stage.api("PUT", "/webhooks/%d" % number(),
                                  {"Url": "https://old.example/x"}), "wrong URL")
    same_secret(lambda: stage.api("PUT", "/webhooks/%d" % number(), {"Url": HERE + "/x"}), "wrong URL")
    same_secret(lambda: stage.api("PUT", "/webhooks/%d" % number(), {
        "Triggers": {"Bounce": {"Enabled": False}}}), "no trigger Bounce")
    same_secret(lambda: stage.api("PUT", "/webhooks/%d" % number(), {
        "HttpAuth": {"Username": "pmrelay", "Password": "other"}}), "wrong secret")
    same_secret(lambda: stage.api("PUT", "/webhooks/%d" % number(), {"Verify": False}), "paused")
    # All at once.
    same_secret(lambda: stage.api("PUT", "/webhooks/%d" % number(), {
        "Url": HERE + "/y", "HttpAuth": {"Username": "", "Password": ""}, "Verify": False,
        "Triggers": {"Delivery": {"Enabled": False}}}),
        "wrong URL", "wrong secret", "no trigger Delivery", "paused")
    # There twice: ours stays.
    before = number()
    stage.api("POST", "/webhooks", {"Url": HERE + STRAY, "Verify": False})
    row = stage.repaired("one too many")
    check(row["ID"] != before and number() == before, row)
    # What points elsewhere is nobody's business.
    other = stage.api("POST", "/webhooks", {"Url": "https://shop.example/x"})["ID"]
    check(not [w for w in stage.ensure()["Webhooks"] if w["Wrong"]], "ensure finds something")
    stage.api("GET", "/webhooks/%d" % other)


def adopted(folder):
    """One that points here with a secret that nobody knows is given another, and stays."""
    stage = Stage(folder)
    number = stage.api("POST", "/webhooks", {"Url": HERE + STRAY, "Verify": False})["ID"]
    answer = stage.ensure()
    row = [w for w in answer["Webhooks"] if w["ID"] == number][0]
    check("unknown secret" in row["Wrong"] and row["Done"] == "mended", row)
    is_right(stage.hooks()["outbound"])


def rotated(folder):
    stage = Stage(folder)
    stage.ensure()
    before = stage.hooks()["outbound"]
    answer = stage.ensure(rotate=True)
    check(answer["Failed"] == 0, answer)
    after = stage.hooks()["outbound"]
    is_right(after)
    check(after["ID"] == before["ID"] and after["Url"] != before["Url"] and
          after["HttpAuth"] != before["HttpAuth"], after)
    check(not [w for w in stage.ensure()["Webhooks"] if w["Wrong"]], "not what was made")


def deleted(folder):
    """As a set: what this relay made, and no application's of the same host."""
    stage = Stage(folder)
    stage.ensure()
    stage.ensure(rotate=True)
    stage.api("POST", "/webhooks", {"Url": HERE + STRAY, "Verify": False})
    other = stage.api("POST", "/webhooks", {"Url": HERE + "/crm/postmark.php", "Verify": False})
    kept = {secret for secret, active in stage.secrets() if not active}
    check(len(kept) == 3, kept)
    # One of them is gone by the time, as the answer to a DELETE that was lost tells as well.
    stage.sandbox.faults({"method": "DELETE", "path": "/webhooks/*", "times": 1,
                          "error_code": 1352, "accept": True})
    deleted = stage.relay.ask("POST", "/webhook/delete", {"instance": True})["deleted"]
    check(len(deleted) == 3, deleted)
    left = stage.api("GET", "/webhooks")["Webhooks"]
    check([w["ID"] for w in left] == [other["ID"]], left)
    check(len(stage.hooks(SECOND_TOKEN)) == 1, "of another connection")
    # Their secrets are gone; those that posts may still come with are not.
    found = stage.secrets()
    check(kept == {secret for secret, active in found if not active}, found)
    check(len([secret for secret, active in found if active]) == 1, found)
    check([w["ID"] for w in stage.ensure(connection="default")["Webhooks"]
           if "unknown" in w["Wrong"] or "too many" in w["Wrong"]] == [], "the application's")
    stage.api("GET", "/webhooks/%d" % other["ID"])


def gone(folder):
    """One too many that somebody else deleted meanwhile is as good as deleted."""
    stage = Stage(folder)
    stage.ensure()
    stage.api("POST", "/webhooks", {"Url": HERE + STRAY, "Verify": False})
    stage.sandbox.faults({"method": "DELETE", "path": "/webhooks/*", "times": 1,
                          "error_code": 1352, "accept": True})
    stage.repaired("one too many")


def failed(folder):
    """What Postmark refuses is told, fails the command, and leaves no secrets behind."""
    stage = Stage(folder)
    stage.sandbox.call("PUT", "/sandbox/switches", {"verify_webhooks": True})
    answer = stage.ensure(stream="outbound", connection="default")
    check(answer["Failed"] == 1 and answer["Webhooks"][0]["Done"].startswith("failed"), answer)
    code = stage.relay.ctl("webhook", "ensure", "--stream", "outbound")[0]
    check(code != 0, "pmrelayctl says %d" % code)
    stage.sandbox.call("PUT", "/sandbox/switches", {"verify_webhooks": False})
    answer = stage.ensure()
    check(answer["Failed"] == 0, answer)
    check(not [w for w in answer["Webhooks"] if "secrets of no webhook" in w["Wrong"]], answer)


def spare(folder):
    """What is one too many stays as long as the one that is to stay cannot be mended."""
    stage = Stage(folder)
    stage.ensure()
    stage.api("PUT", "/webhooks/%d" % stage.hooks()["outbound"]["ID"], {"Verify": False})
    second = stage.api("POST", "/webhooks", {"Url": HERE + STRAY, "Verify": True})["ID"]
    stage.sandbox.faults({"method": "PUT", "path": "/webhooks/*", "times": 1, "error_code": 1364})
    answer = stage.ensure()
    row = [w for w in answer["Webhooks"] if w["ID"] == second][0]
    check(answer["Failed"] == 1 and row["Done"].startswith("kept"), answer)
    check(len(stage.api("GET", "/webhooks")["Webhooks"]) == 3, "one was removed")
    check(stage.ensure()["Failed"] == 0, "not mended")
    check(len(stage.api("GET", "/webhooks")["Webhooks"]) == 2, "still one too many")


def unreadable(folder):
    """Postmark did it, and its answer cannot be read: the secrets are known the next time."""
    stage = Stage(folder)
    for answered in ("truncated", "empty", "html"):
        for method, arguments in (("POST", {}), ("PUT", {"rotate": True})):
            stage.sandbox.faults({"method": method, "path": "/webhooks*", "answer": answered})
            answer = stage.ensure(connection="default", **arguments)
            check(answer["Failed"] == 2, "%s %s: %s" % (method, answered, answer))
            stage.sandbox.faults()
            after = stage.hooks()
            answer = stage.ensure(connection="default")
            wrong = {w["Wrong"] for w in answer["Webhooks"]}
            check(wrong <= {"", "secrets of no webhook"}, "%s %s: %s" % (method, answered, answer))
            check(stage.hooks() == after, "%s became %s" % (after, stage.hooks()))
            known = {secret for secret, active in stage.secrets() if active}
            check({w["Url"].rsplit("/", 1)[1] for w in after.values()} == known, known)
        stage.relay.ask("POST", "/webhook/delete", {"instance": True})


def one_at_a_time(folder):
    """Of two that change the same webhooks one says to come again, and nothing is made twice."""
    stage = Stage(folder)
    changes = (("/webhook/ensure", {}), ("/webhook/ensure", {"rotate": True}),
               ("/webhook/create", {"instance": True}), ("/webhook/delete", {"instance": True}))
    stage.sandbox.faults({"method": "POST", "path": "/webhooks", "delay_before_ms": 1500})
    first = threading.Thread(target=stage.ensure)
    first.start()
    wait_for("the first secrets", stage.secrets)
    for path, arguments in changes:
        error = stage.relay.ask("POST", path, arguments, status=409)["error"]
        check(error["code"] == "busy" and "webhook ensure of" in error["message"] and
              "try again" in error["todo"], error)
    check(stage.ensure(**{"dry-run": True})["Failed"] == 0, "a look is no change")
    first.join()
    check(len(stage.api("GET", "/webhooks")["Webhooks"]) == 2, "made twice")
    stage.sandbox.faults()
    for path, arguments in changes:
        stage.relay.ask("POST", path, arguments)
    # By itself it waits without complaint.
    stage.relay.settings["webhook"]["ensure"] = "yes"
    stage.relay.write_config(stage.relay.settings)
    stage.relay.ask("POST", "/reload", {})
    stage.sandbox.faults({"method": "POST", "path": "/webhooks", "delay_before_ms": 2500})
    answer = stage.ensure()
    check(answer["Failed"] == 0 and len(stage.hooks()) == 2, answer)
    check("event=chore-failed" not in stage.relay.log(), "the chore complains")


def young(folder):
    """Postmark does late what it was asked for: the secrets are let in all the same."""
    stage = Stage(folder)
    stage.ensure()
    stage.sandbox.faults({"method": "PUT", "path": "/webhooks/*", "status": 500})
    check(stage.ensure(rotate=True, connection="default")["Failed"] == 2, "500 is no failure")
    stage.sandbox.faults()
    before = {secret for secret, active in stage.secrets()}
    answer = stage.ensure()
    check(len([w for w in answer["Webhooks"] if w["Done"] == "forgotten"]) == 2, answer)
    check({secret for secret, active in stage.secrets()} == before, "dropped at once")
    check(len([secret for secret, active in stage.secrets() if active]) == 3, "for ever")


def inbound_stage(folder):
    stage = Stage(folder, {"inbound": {"deliver": "maildir:%s" % os.path.join(folder, "mails")}})

    def url():
        return stage.api("GET", "/server")["InboundHookUrl"]

    def ensure(**arguments):
        answer = stage.ensure(connection="default", **arguments)
        return answer["Failed"], [w for w in answer["Webhooks"] if w["MessageStream"] == "inbound"][0]
    return stage, url, ensure


def active(stage):
    return [secret for secret, is_active in stage.secrets("inbound") if is_active]


def inbound_of_others(folder):
    """Whoever takes a server's mails keeps them, until an operator says otherwise."""
    stage, url, ensure = inbound_stage(folder)
    theirs = "https://user:pass-word@in.example/hook/Th3ir-secret"
    stage.api("PUT", "/server", {"InboundHookUrl": theirs})
    for arguments in ({}, {"dry-run": True}, {"rotate": True}):
        failed, row = ensure(**arguments)
        check(failed == 0 and row["Done"].startswith("left alone"), row)
        check("in.example/hook" in row["Wrong"] and "pass-word" not in row["Wrong"], row)
        check(url() == theirs and not active(stage), url())
    log = stage.relay.log()
    check("level=warning process=core event=webhook" in log and "in.example" in log, log[-2000:])
    check("pass-word" not in log and "Th3ir" not in log, "a secret in the log")
    check(ensure(**{"dry-run": True, "inbound": "take"})[1]["Done"] == "would be taken over", "dry")
    check(url() == theirs, url())
    failed, row = ensure(inbound="take")
    check(failed == 0 and row["Done"] == "taken over" and "in.example" in row["Wrong"], row)
    ours = url()
    check(ours.startswith(HERE.replace("://", "://pmrelay:")[:16]) and
          ours.rsplit("/", 1)[1] == active(stage)[0], ours)
    check(ensure()[1]["Wrong"] == "" and url() == ours, "not what was made")
    # What is empty, and what was ours, is mended without a word.
    for changed in ("", HERE + STRAY, ours.replace("relay.example.com", "old.example.com")):
        stage.api("PUT", "/server", {"InboundHookUrl": changed})
        check(ensure()[1]["Done"] == "mended" and url() == ours, "%s became %s" % (changed, url()))


def inbound_rotated(folder):
    """A change that is refused leaves nothing behind, one that is lost nothing valid for ever."""
    stage, url, ensure = inbound_stage(folder)
    check(ensure()[1]["Done"] == "mended", "the first")
    first, = active(stage)
    stage.sandbox.faults({"method": "PUT", "path": "/server", "error_code": 606})
    check(ensure(rotate=True)[0] == 1 and active(stage) == [first], active(stage))
    # Not done, as far as the relay knows; once it was.
    stage.sandbox.faults({"method": "PUT", "path": "/server", "status": 500})
    check(ensure(rotate=True)[0] == 1 and len(active(stage)) == 2, active(stage))
    stage.sandbox.faults({"method": "PUT", "path": "/server", "answer": "truncated"})
    check(ensure(rotate=True)[0] == 1 and len(active(stage)) == 3, active(stage))
    stage.sandbox.faults()
    third = url()
    check(first not in third, third)
    stage.relay.stop()
    stage.relay = stage.relay.again(stage.sandbox.port)
    check(ensure()[1]["Wrong"] == "" and url() == third, "%s became %s" % (third, url()))
    check(active(stage) == [third.rsplit("/", 1)[1]], active(stage))
    # All former ones get their end.
    stage.sandbox.faults({"method": "PUT", "path": "/server", "status": 500})
    for _ in range(3):
        ensure(rotate=True)
    stage.sandbox.faults()
    check(len(active(stage)) == 4, active(stage))
    check(ensure(rotate=True)[0] == 0, "not rotated")
    check(active(stage) == [url().rsplit("/", 1)[1]], active(stage))
    check(len(stage.secrets("inbound")) == 7, stage.secrets("inbound"))


def one_server(folder):
    """Two connections with one token are one server: each stream has one webhook, and peace."""
    stage = Stage(folder, {
        "connection second": {"token": TOKEN},
        "route offers": {"envelope-to": "@offers.example", "connection": "second",
                         "message-stream": "offers"}})
    check("it has the server token of connection default" in stage.relay.log(), "no warning")
    stage.api("POST", "/message-streams", {"ID": "offers", "Name": "Offers",
                                           "MessageStreamType": "Broadcasts"})
    answer = stage.ensure()
    rows = [w for w in answer["Webhooks"] if w["Connection"] == "second"]
    check(answer["Failed"] == 0 and len(rows) == 1 and "default" in rows[0]["Wrong"], answer)
    before = stage.api("GET", "/webhooks")["Webhooks"]
    check({w["MessageStream"] for w in before} == {"outbound", "broadcast", "offers"} and
          len(before) == 3, before)
    for _ in range(2):
        stage.ensure()
        stage.ensure(connection="second")
        check(stage.api("GET", "/webhooks")["Webhooks"] == before, "changed")


def unasked(folder):
    """At the start, when the configuration says so, and without a control socket."""
    stage = Stage(folder, {"webhook": {"ensure": "yes"}, "control": {"socket": ""}})
    wait_for("the webhooks", lambda: len(stage.hooks()) == 2 and stage.hooks(SECOND_TOKEN))
    for hook in stage.hooks().values():
        is_right(hook)


def suppressed(folder):
    stage = Stage(folder, {"suppression": {"sync": "yes"}})
    stage.api("POST", "/message-streams/outbound/suppressions",
              {"Suppressions": [{"EmailAddress": "gone@reader.example"}]})
    stage.api("POST", "/message-streams/broadcast/suppressions",
              {"Suppressions": [{"EmailAddress": "gone@news.example"}]})
    wait_for("the list", lambda: stage.relay.log().count("event=suppressions ") >= 3)
    answer = stage.relay.ask("POST", "/suppression/sync", {})
    check(answer["Failed"] == 0 and len(answer["Streams"]) == 3, answer)

    def rcpt(address):
        with stage.relay.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("shop@sender.example")
            code, text = smtp.rcpt(address)
            return code, text.decode()

    def becomes(code, address):
        wait_for("%d for %s" % (code, address), lambda: rcpt(address)[0] == code)

    becomes(550, "gone@reader.example")
    code, text = rcpt("Gone@reader.example")
    check("5.7.1" in text and "stream outbound since 20" in text and "ManualSuppression" in text, text)
    becomes(550, "gone@news.example")
    check(rcpt("ann@reader.example")[0] == 250, "somebody else is refused")
    check(rcpt("gone@third.example")[0] == 250, "somebody else is refused")

    found = stage.relay.ask("GET", "/suppression/check/gone@reader.example")
    check(found["suppressed"] and found["Suppressions"][0]["Stream"] == "outbound" and
          found["Suppressions"][0]["SyncedAt"], found)
    check(not stage.relay.ask("GET", "/suppression/check/ann@reader.example")["suppressed"], "ann")
    # What an operator does is known at once.
    stage.relay.ask("POST", "/suppression/delete", {"address": ["gone@reader.example"]})
    becomes(250, "gone@reader.example")
    stage.relay.ask("POST", "/suppression/create", {"address": ["new@reader.example"]})
    becomes(550, "new@reader.example")
    # And survives a restart.
    check(stage.relay.ask("GET", "/suppression/check/new@reader.example")["suppressed"], "new")


if __name__ == "__main__":
    sys.exit(run([created, one_stream, mended, adopted, rotated, deleted, gone, failed, spare, unreadable, one_at_a_time, young, inbound_of_others, inbound_rotated, one_server, unasked, suppressed],
                 "webhook_ensure"))
