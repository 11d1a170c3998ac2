#!/usr/bin/env python3
"""Where posts of webhooks are taken, by the real daemon: over TCP of both kinds and a Unix socket, in
the clear and by TLS, whose certificate comes, is renewed and goes while the daemon runs; and what a
client is told while the core is dead or stands still."""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, Skip, UnixHTTPConnection, check, free_port, role_pid, run, wait_for  # noqa: E402

SECRET = "a-secret-for-this-test-alone"


def event(number):
    return {"RecordType": "Delivery", "ServerID": 23, "MessageStream": "outbound",
            "MessageID": "00000000-0000-4000-8000-%012d" % number, "Recipient": "ann@reader.example",
            "Tag": "", "DeliveredAt": "2026-11-05T16:33:54Z", "Details": "Test", "Metadata": {}}


def click(number):
    return {"RecordType": "Click", "MessageStream": "outbound", "MessageID": event(number)["MessageID"],
            "Recipient": "ann@reader.example", "ReceivedAt": "2026-11-05T16:34:54Z", "Platform": "Desktop",
            "OriginalLink": "https://shop.example/reset?token=for-nobody-else"}


def post(connection, number, secret=SECRET, make=event):
    """The status; of a front that has just been started and knows no secrets yet, that of the next try."""
    for _ in range(100):
        try:
            connection.request("POST", "/" + secret, json.dumps(make(number)),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if b"not ready yet" not in text:
            return answer.status
        time.sleep(0.05)
    return answer.status


def kept(relay):
    """The MessageIDs of all events, in their order."""
    db = sqlite3.connect("file:%s/spool.db?mode=ro" % relay.spool, uri=True, timeout=30)
    with contextlib.closing(db):
        return [row[0] for row in db.execute("SELECT message_id FROM event ORDER BY 1")]


def are_kept(relay, *numbers):
    found = kept(relay)
    check(found == [event(n)["MessageID"] for n in sorted(numbers)], found)


def certificate(folder, name, serial):
    """(certificate, key): for localhost and 127.0.0.1, signed by itself."""
    paths = [os.path.join(folder, name + end) for end in (".crt", ".key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-set_serial", str(serial),
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    os.chmod(paths[1], 0o600)
    return paths


def start(folder, listen, **webhook):
    sandbox = Sandbox(folder)
    return Relay(folder, sandbox.port, {"webhook": {"listen": listen, "secret": SECRET, **webhook}})


def reload(relay, **webhook):
    for name, value in webhook.items():
        if value is None:
            relay.settings["webhook"].pop(name.replace("_", "-"), None)
        else:
            relay.settings["webhook"][name.replace("_", "-")] = value
    relay.write_config(relay.settings)
    before = relay.log().count("event=reloaded")
    relay.signal(signal.SIGHUP)
    wait_for("the reload", lambda: relay.log().count("event=reloaded") > before)


def everywhere(folder):
    """IPv4, IPv6 and a Unix socket at once."""
    port, path = free_port(), os.path.join(folder, "hooks.sock")
    if len(path) > 100:
        raise Skip("the path of the folder is too long for a Unix socket")
    listen = ["127.0.0.1:%d" % port, "[::1]:%d" % port, "unix:" + path]
    relay = start(folder, listen)
    ways = [lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=30),
            lambda: http.client.HTTPConnection("::1", port, timeout=30),
            lambda: UnixHTTPConnection(path, 30)]
    for number, way in enumerate(ways):
        check(post(way(), number) == 200, "way %d" % number)
        check(post(way(), 90 + number, "x" * len(SECRET)) == 401, "way %d without secret" % number)
    are_kept(relay, 0, 1, 2)
    check(relay.stop() == 0, "stopped with %s" % relay.log()[-500:])
    check(not os.path.exists(path), "the Unix socket is left behind")


def encrypted(folder):
    """TLS from the start; the certificate is renewed; plain HTTP finds no answer; then plain again."""
    port = free_port()
    first, second = certificate(folder, "first", 1001), certificate(folder, "second", 1002)
    relay = start(folder, ["127.0.0.1:%d" % port],
                  **{"certificate-file": first[0], "key-file": first[1]})

    def https(trusted):
        context = ssl.create_default_context(cafile=trusted)
        return http.client.HTTPSConnection("localhost", port, timeout=30, context=context)

    def serial(trusted):
        connection = https(trusted)
        connection.connect()
        found = int(connection.sock.getpeercert()["serialNumber"], 16)
        connection.close()
        return found

    def refused(number):
        try:
            return post(http.client.HTTPConnection("127.0.0.1", port, timeout=30), number) >= 400
        except (http.client.HTTPException, OSError):
            return True

    check(post(https(first[0]), 1) == 200, "over TLS")
    check(refused(2), "plain HTTP was answered where TLS is spoken")
    old = https(first[0])
    old.connect()  # stays, over the reload

    reload(relay, certificate_file=second[0], key_file=second[1])
    wait_for("the new certificate", lambda: quiet(lambda: serial(second[0])) == 1002)
    check(post(https(second[0]), 3) == 200, "with the new certificate")
    check(post(old, 4) == 200, "a connection from before")
    # What is wrong changes nothing.
    before = relay.log().count("event=webhook-certificate")
    relay.settings["webhook"]["key-file"] = first[1]
    relay.write_config(relay.settings)
    relay.signal(signal.SIGHUP)
    wait_for("the complaint", lambda: relay.log().count("event=webhook-certificate") > before)
    check(post(https(second[0]), 5) == 200, "after a reload with another's key")

    reload(relay, certificate_file=None, key_file=None)
    plain = lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=30)  # noqa: E731
    wait_for("plain HTTP", lambda: quiet(lambda: post(plain(), 6)) == 200)
    reload(relay, certificate_file=first[0], key_file=first[1])
    wait_for("TLS again", lambda: quiet(lambda: serial(first[0])) == 1001)
    check(post(https(first[0]), 7) == 200, "TLS again")
    are_kept(relay, 1, 3, 4, 5, 6, 7)


def quiet(what):
    try:
        return what()
    except (http.client.HTTPException, OSError):
        return None


def core_gone(folder):
    """Nobody says 200 for a core that stands still or is dead, and what comes again is kept once."""
    port = free_port()
    relay = start(folder, ["127.0.0.1:%d" % port])
    way = lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=60)  # noqa: E731
    check(post(way(), 1) == 200, "before")

    core = role_pid(relay, "core")
    os.kill(core, signal.SIGSTOP)
    impatient = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    status = quiet(lambda: post(impatient, 2))
    os.kill(core, signal.SIGCONT)
    check(status is None, "%s from a core that stands still" % status)
    wait_for("the event again", lambda: quiet(lambda: post(way(), 2)) == 200)

    os.kill(core, signal.SIGKILL)
    seen = set()
    wait_for("the event", lambda: seen.add(quiet(lambda: post(way(), 3))) or 200 in seen)
    check(seen <= {200, 503, None}, seen)
    are_kept(relay, 1, 2, 3)


def links_are_secrets(folder):
    """What opens a link stands in the spool, for who may ask, and not in the log."""
    port = free_port()
    relay = start(folder, ["127.0.0.1:%d" % port])
    check(post(http.client.HTTPConnection("127.0.0.1", port, timeout=30), 1, make=click) == 200, "a click")
    relay.await_log("kind=click .*why=https://shop.example/reset( |$)")
    check("for-nobody-else" not in relay.log(), "the token is in the log")
    status, shown, errors = relay.ctl("events", "--history", "--kind", "click")
    check(status == 0 and "for-nobody-else" in shown, shown + errors)


def slow_and_many(folder):
    """Connections that say nothing, or a little, end; beyond the limit one is turned away; others go on."""
    port = free_port()
    relay = start(folder, ["127.0.0.1:%d" % port], timeout="2s", connections=20)
    idle = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(60)]
    drip = socket.create_connection(("127.0.0.1", port), 30)
    drip.sendall(b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" % SECRET.encode())

    def ended(connection):
        connection.settimeout(0.05)
        try:
            while connection.recv(4096):
                pass
            return True
        except socket.timeout:
            return False
        except OSError:
            return True

    def all_ended():
        try:
            drip.sendall(b"{")
        except OSError:
            pass
        return all(ended(c) for c in idle) and ended(drip)
    wait_for("the end of what is slow", all_ended, 30, 0.2)
    way = lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=30)  # noqa: E731
    check(post(way(), 1) == 200, "after it")
    are_kept(relay, 1)


if __name__ == "__main__":
    run([everywhere, encrypted, core_gone, links_are_secrets, slow_and_many], "webhook")
