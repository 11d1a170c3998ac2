#!/usr/bin/env python3
"""A notice as another program reads it: Python's email."""

import email
import email.policy
import os
import subprocess
import unittest

PROGRAM = os.path.join(os.environ["top_builddir"], "tests/unit/mail/dsn_test")


def notice(which):
    raw = subprocess.run([PROGRAM, which], stdout=subprocess.PIPE, check=True).stdout
    return email.message_from_bytes(raw, policy=email.policy.default)


class Notice(unittest.TestCase):
    def parts(self, mail):
        self.assertEqual(mail.get_content_type(), "multipart/report")
        self.assertEqual(mail.get_param("report-type"), "delivery-status")
        self.assertEqual(mail.defects, [])
        parts = list(mail.iter_parts())
        self.assertEqual([part.get_content_type() for part in parts],
                         ["text/plain", "message/delivery-status", "text/rfc822-headers"])
        for part in parts:
            self.assertEqual(part.defects, [])
        return parts

    def test_plain(self):
        mail = notice("plain")
        text, report, headers = self.parts(mail)
        self.assertEqual(mail["to"], "ann@shop.example")
        self.assertEqual(mail["from"], "Mail Delivery System <postmaster@shop.example>")
        self.assertEqual(mail["subject"], "Undelivered: Invoice 1007")
        self.assertEqual(mail["auto-submitted"], "auto-replied")
        self.assertEqual(mail["in-reply-to"], "<q1@shop.example>")
        self.assertIn("550 5.1.1 no such user", text.get_content())
        self.assertIn("  bo@reader.example", text.get_content().splitlines())
        of_mail, of_recipient = report.get_payload()
        self.assertEqual(of_mail["reporting-mta"], "dns; relay.shop.example")
        self.assertEqual(of_mail["arrival-date"], "Sat, 5 Sep 2026 22:00:00 +0000")
        self.assertEqual(of_recipient["final-recipient"], "rfc822; bo@reader.example")
        self.assertEqual(of_recipient["action"], "failed")
        self.assertEqual(of_recipient["status"], "5.1.1")
        self.assertEqual(of_recipient["diagnostic-code"], "smtp; 550 5.1.1 no such user")
        self.assertIsNotNone(of_recipient["last-attempt-date"])
        old = email.message_from_string(headers.get_content(), policy=email.policy.default)
        self.assertEqual(old["subject"], "Invoice 1007")
        self.assertEqual(old["message-id"], "<q1@shop.example>")
        self.assertEqual(old["to"], "bo@reader.example, cy@reader.example")

    def test_strange(self):
        mail = notice("strange")
        text, report, headers = self.parts(mail)
        self.assertEqual(set(map(str.lower, mail.keys())), {
            "date", "from", "to", "subject", "message-id",
            "auto-submitted", "mime-version", "content-type"})
        self.assertEqual(mail["from"].addresses[0].display_name, "Zustellung für Käufer")
        self.assertEqual(mail["from"].addresses[0].addr_spec, "postmaster@shop.example")
        self.assertTrue(mail["subject"].startswith("Undelivered: Rechnung für März"))
        self.assertIn("für Sie", text.get_content())
        of_mail, *of_recipients = report.get_payload()
        self.assertEqual([r["final-recipient"] for r in of_recipients],
                         ["rfc822; bo@reader.example", "rfc822; cy@reader.example"])
        self.assertEqual({r["status"] for r in of_recipients}, {"5.7.26"})
        for recipient in of_recipients:
            self.assertEqual(set(map(str.lower, recipient.keys())), {
                "final-recipient", "action", "status", "diagnostic-code",
                "last-attempt-date"})
        old = email.message_from_string(headers.get_content(), policy=email.policy.default)
        self.assertEqual(set(map(str.lower, old.keys())),
                         {"from", "to", "subject", "message-id", "date"})
        self.assertTrue(old["subject"].startswith("Rechnung für März"))
        self.assertEqual(old["from"].addresses[0].display_name, 'Jürgen "J" Müller')


if __name__ == "__main__":
    unittest.main()
