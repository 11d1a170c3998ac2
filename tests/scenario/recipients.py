"""The envelope says who gets mail: nobody else does, each of them does once, and nobody who is
blind is seen, however many there are."""

import collections
import email.utils
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import Relay, Sandbox, check, run, wait_for  # noqa: E402

SENDER = "shop@sender.example"


def pair(folder):
    sandbox = Sandbox(folder)
    return sandbox, Relay(folder, sandbox.port)


def mail(subject, *headers):
    return "\r\n".join(["From: Shop <%s>" % SENDER, "Subject: " + subject, *headers,
                        "", "Good morning.", ""])


def addresses(field):
    return [a for _, a in email.utils.getaddresses([field])] if field else []


def reach(messages):
    return collections.Counter(r for m in messages for r in m["Recipients"])


def check_messages(messages, envelope, visible):
    """Each of the envelope once, and visible is all that anybody could read."""
    check(reach(messages) == collections.Counter(envelope), "reached %s" % (
        (reach(messages) - collections.Counter(envelope)) or
        (collections.Counter(envelope) - reach(messages))))
    for message in messages:
        request = message["Request"]
        shown = addresses(request.get("To")) + addresses(request.get("Cc"))
        check(len(message["Recipients"]) <= 50, "%d recipients in one message" % len(message["Recipients"]))
        check(addresses(request.get("To")), "nobody in To")
        alone = message["Recipients"] == shown and len(shown) == 1
        check(alone or set(shown) <= set(visible), "shows %s" % (set(shown) - set(visible)))
        # A blind address stands in Bcc, or alone in To, and nowhere else in the whole request.
        for blind in set(envelope) - set(visible):
            rest = {k: v for k, v in request.items() if k not in ("Bcc", "Metadata")}
            check(blind not in str(rest) or (alone and shown == [blind]), "%s can be read" % blind)


def blind_copies(folder):
    sandbox, relay = pair(folder)
    for count in (51, 120, 1000):
        envelope = ["b%d@reader.example" % i for i in range(count)]
        with relay.smtp() as s:
            # All blind: each is alone, and does not see the others.
            refused = s.sendmail(SENDER, envelope, mail("all blind", "To: undisclosed-recipients:;"))
            check(refused == {}, refused)
        wait_for("all %d" % count, lambda: sum(reach(sandbox.messages()).values()) >= count)
        messages = sandbox.messages()
        check_messages(messages, envelope, [])
        check(len(messages) == count, "%d messages for %d blind recipients" % (len(messages), count))
        sandbox.clear()


def blind_copies_beside_visible(folder):
    sandbox, relay = pair(folder)
    for count in (1, 49, 50, 51, 120, 997):
        visible = ["ann@reader.example", "bo@reader.example", "carl@reader.example"]
        envelope = visible + ["b%d@reader.example" % i for i in range(count)]
        with relay.smtp() as s:
            refused = s.sendmail(SENDER, envelope, mail(
                "some blind", "To: Ann <ann@reader.example>, \"Bo, the other\" <bo@reader.example>",
                "Cc: carl@reader.example", "Bcc: b0@reader.example, stranger@elsewhere.example"))
            check(refused == {}, refused)
        wait_for("all", lambda: sum(reach(sandbox.messages()).values()) >= len(envelope))
        check_messages(sandbox.messages(), envelope, visible)
        sandbox.clear()


def many_visible(folder):
    sandbox, relay = pair(folder)
    for count in (50, 51, 120, 1000):
        envelope = ["v%d@reader.example" % i for i in range(count)]
        half = count // 2
        with relay.smtp() as s:
            s.sendmail(SENDER, envelope, mail("visible", "To: " + ",\r\n ".join(envelope[:half]),
                                              "Cc: " + ",\r\n ".join(envelope[half:])))
        wait_for("all", lambda: sum(reach(sandbox.messages()).values()) >= count)
        messages = sandbox.messages()
        check_messages(messages, envelope, envelope)
        check(len(messages) == -(-count // 50), "%d messages for %d" % (len(messages), count))
        sandbox.clear()


def one_transaction_per_recipient(folder):
    """As web shops and list managers do it: N times the same mail, each with one recipient."""
    sandbox, relay = pair(folder)
    everybody = ["p%d@reader.example" % i for i in range(60)]
    text = mail("to each", "To: " + ", ".join(everybody[:40]), "Cc: " + ", ".join(everybody[40:]))
    with relay.smtp() as s:
        for one in everybody:
            s.sendmail(SENDER, [one], text)
    messages = sandbox.await_messages(60)
    check(len(messages) == 60, "%d messages" % len(messages))
    check_messages(messages, everybody, everybody)
    for message in messages:
        check(addresses(message["Request"]["To"]) == message["Recipients"], message["Request"]["To"])
        check("Cc" not in message["Request"] and "Bcc" not in message["Request"], message["Request"])


def headers_reach_nobody(folder):
    sandbox, relay = pair(folder)
    with relay.smtp() as s:
        s.sendmail(SENDER, ["ann@reader.example"], mail(
            "only ann", "To: ann@reader.example, stranger@elsewhere.example",
            "Cc: =?utf-8?q?Foreign?= <foreign@elsewhere.example>", "Bcc: hidden@elsewhere.example",
            "Resent-To: resent@elsewhere.example"))
        # The same mailbox in several spellings is one recipient.
        s.sendmail(SENDER, ["bo@reader.example", "bo@READER.example", "bo@Reader.Example"], mail(
            "bo once", "To: Bo <bo@reader.EXAMPLE>, bo@reader.example"))
    one, two = sandbox.await_subjects(["only ann", "bo once"])
    check(one["Recipients"] == ["ann@reader.example"], one["Recipients"])
    check("Cc" not in one["Request"] and "Bcc" not in one["Request"], one["Request"])
    check(len(two["Recipients"]) == 1 and two["Recipients"][0].lower() == "bo@reader.example", two)
    check(len(sandbox.messages()) == 2, "%d messages" % len(sandbox.messages()))


def addresses_postmark_cannot_take(folder):
    """Refused at RCPT, so that the client knows which; the rest of the mail goes."""
    sandbox, relay = pair(folder)
    with relay.smtp() as s:
        s.ehlo()
        for path, options, wanted in (
                ('"a b"@reader.example', [], b"5.1.3"),
                ("b\u00fccher@reader.example", ["SMTPUTF8"], b"5.6.7"),
                ("ann@reader.example> <bo@reader.example", [], None),
                ("ann@reader.example,bo@reader.example", [], None),
                ("ann@reader.example\rRCPT TO:<bo@reader.example>", [], None),
                ("no-at-sign", [], None)):
            s.command_encoding = "utf-8"
            code, text = s.docmd("RSET")
            code, text = s.docmd("MAIL", "FROM:<%s>%s" % (SENDER, " SMTPUTF8" if options else ""))
            check(code == 250, text)
            try:
                code, text = s.docmd("RCPT", "TO:<%s>" % path)
            except ValueError:  # smtplib itself knows what a CR in a command would do
                continue
            check(500 <= code < 600, "%r: %d %s" % (path, code, text))
            check(wanted is None or wanted in text, "%r: %d %s" % (path, code, text))
        s.docmd("RSET")
        refused = s.sendmail(SENDER, ["ann@reader.example", '"a b"@reader.example'], mail("rest"))
        check(list(refused) == ['"a b"@reader.example'], refused)
        code, _ = s.docmd("RSET")
        check(code == 250, "RSET: %d" % code)
        try:
            s.sendmail(SENDER, ["no-at-sign@"], mail("nobody"))
            check(False, "a mail for nobody was taken")
        except smtplib.SMTPRecipientsRefused:
            pass
    rest, = sandbox.await_subjects(["rest"])
    check(rest["Recipients"] == ["ann@reader.example"], rest["Recipients"])
    check(len(sandbox.messages()) == 1, "%d messages" % len(sandbox.messages()))


run([blind_copies, blind_copies_beside_visible, many_visible, one_transaction_per_recipient,
     headers_reach_nobody, addresses_postmark_cannot_take], "recipients")
