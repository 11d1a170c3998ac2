/*
 * Whole mails: raw bytes in, JSON read back with jansson and held against what Postmark should
 * get.  Lines end with \n in the table and with CRLF on the way in.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "lab.h"

struct whole_mail {
	const char *reason;
	const char *sender;
	const char *recipients;
	const char *content;
	/* A JSON array: for each item what must be in it; null: the field is absent. */
	const char *expected;
	const char *ledger;
};

#define HEAD "From: s@shop.example\nTo: ann@x.example\n"
#define ANN  "'From':'s@shop.example','To':'ann@x.example'"

static const struct whole_mail whole_mails[] = {
	{ "the simplest mail", "bounce@shop.example", "ann@x.example",
	    HEAD "Subject: Hello\nDate: Mon, 23 Nov 2026 06:00:00 +0000\n\nLine 1\nLine 2\n",
	    "[{" ANN ",'Cc':null,'Bcc':null,'Subject':'Hello','TextBody':'Line 1\\nLine 2\\n',"
	    "'HtmlBody':null,'Attachments':null,'Headers':null,'ReplyTo':null,'Tag':null,"
	    "'MessageStream':null,'TrackOpens':null,'TrackLinks':null,"
	    "'Metadata':{'relay-id':'" MAIL_ID "-1'}}]",
	    "date" },

	/* --- recipients --- */
	{ "header recipients outside the envelope are neither shown nor mailed", "",
	    "ann@x.example",
	    "From: s@shop.example\nTo: ann@x.example, eve@x.example\nCc: mallory@x.example\n\nx\n",
	    "[{'To':'ann@x.example','Cc':null,'Bcc':null}]", "shown-recipients" },
	{ "names are kept, everybody else is blind", "",
	    "ann@x.example cc@x.example blind@x.example b2@x.example",
	    "From: s@shop.example\nTo: \"Ann, A\" <ann@X.example>\nCc: =?utf-8?Q?J=C3=BCrgen?= "
	    "<cc@x.example>\nBcc: blind@x.example\n\nx\n",
	    "[{'To':'\"Ann, A\" <ann@x.example>','Cc':'\"J\u00fcrgen\" <cc@x.example>',"
	    "'Bcc':'blind@x.example, b2@x.example','Headers':null}]",
	    "" },
	{ "Cc takes the place of a missing To", "", "cc@x.example b@x.example",
	    "From: s@shop.example\nTo: undisclosed-recipients:;\nCc: cc@x.example\n\nx\n",
	    "[{'To':'cc@x.example','Cc':null,'Bcc':'b@x.example'}]", "" },
	{ "blind recipients only: one item each", "", "a@x.example b@x.example a@x.example",
	    "From: s@shop.example\nTo: undisclosed-recipients:;\n\nx\n",
	    "[{'To':'a@x.example','Cc':null,'Bcc':null,'Metadata':{'relay-id':'" MAIL_ID "-1'}},"
	    "{'To':'b@x.example','Cc':null,'Bcc':null,'TextBody':'x\\n',"
	    "'Metadata':{'relay-id':'" MAIL_ID "-2'}}]",
	    "" },
	{ "no To, no Cc at all", "", "a@x.example", "From: s@shop.example\n\nx\n",
	    "[{'To':'a@x.example'}]", "" },
	{ "in To and in Cc: To wins; twice in To: once", "", "ann@x.example",
	    "From: s@shop.example\nTo: ann@x.example, Ann <ann@x.example>\nCc: "
	    "ann@x.example\n\nx\n",
	    "[{'To':'ann@x.example','Cc':null,'Bcc':null}]", "" },
	{ "two To fields", "", "ann@x.example bo@x.example",
	    "From: s@shop.example\nTo: ann@x.example\nTo: bo@x.example\n\nx\n",
	    "[{'To':'ann@x.example, bo@x.example','Bcc':null}]", "" },
	{ "what one To field leaves open does not swallow the next", "",
	    "ann@x.example bo@x.example",
	    "From: s@shop.example\nTo: \"x (y, z@x.example\nTo: ann@x.example\nCc: (bo\nCc: "
	    "bo@x.example\n\nx\n",
	    "[{'To':'ann@x.example','Cc':'bo@x.example','Bcc':null}]", "shown-recipients" },
	{ "groups are flattened", "", "ann@x.example bo@x.example",
	    "From: s@shop.example\nTo: Team: ann@x.example, Bo <bo@x.example>;\n\nx\n",
	    "[{'To':'ann@x.example, \"Bo\" <bo@x.example>'}]", "" },
	{ "the local part is compared exactly", "", "Ann@x.example",
	    "From: s@shop.example\nTo: ann@x.example\n\nx\n", "[{'To':'Ann@x.example','Bcc':null}]",
	    "shown-recipients" },
	{ "U-labels in the header, A-labels in the envelope", "",
	    "ann@xn--bcher-kva.example b@x.example",
	    "From: s@shop.example\nTo: Ann <ann@B\u00fccher.example>\n\nx\n",
	    "[{'To':'\"Ann\" <ann@xn--bcher-kva.example>','Bcc':'b@x.example'}]", "" },
	{ "comments, folds and quoted local parts", "", "ann@x.example bo@x.example cy@x.example",
	    "From: s@shop.example\nTo: ann (the boss) @ x.example,\n\t\"bo\"@x.example,\n"
	    " Cy <cy@x.example>\n\nx\n",
	    "[{'To':'ann@x.example, bo@x.example, \"Cy\" <cy@x.example>',"
	    "'Bcc':null}]",
	    "" },
	{ "an encoded word never becomes an address", "", "ann@x.example bo@x.example",
	    "From: s@shop.example\nTo: ann@x.example, =?utf-8?Q?bo=40x=2Eexample?=\n\nx\n",
	    "[{'To':'ann@x.example','Bcc':'bo@x.example'}]", "shown-recipients" },
	{ "fields that tell who got a copy stay behind", "", "ann@x.example b@x.example",
	    HEAD "Delivered-To: b@x.example\nX-Original-To: b@x.example\nApparently-To: "
		 "b@x.example\nbcc : b@x.example\nResent-Bcc: b@x.example\nX-A: 1\n\nx\n",
	    "[{" ANN ",'Bcc':'b@x.example','Headers':[{'Name':'X-A','Value':'1'}]}]", "" },
	{ "a malformed line does not turn a Bcc field into text", "", "ann@x.example b@x.example",
	    "From: s@shop.example\nThis is no header\nTo: ann@x.example\nAnd this\nBcc: "
	    "b@x.example\n\nx\n",
	    "[{" ANN ",'Bcc':'b@x.example','TextBody':'x\\n'}]", "" },

	/* --- injection --- */
	{ "CR and LF in encoded words", "", "ann@x.example",
	    "From: =?utf-8?Q?S=0D=0ABcc:_eve@x.example?= <s@shop.example>\nTo: "
	    "=?utf-8?Q?A=22=0D=0A,_eve@x.example?= <ann@x.example>\n"
	    "Subject: =?utf-8?B?SGkNCkJjYzogZXZlQHguZXhhbXBsZQ0KDQpib2R5AA==?=\n"
	    "X-Foo: =?utf-8?Q?a=0Ab=00c=0Dd=C2=85e?=\n\nx\n",
	    "[{'From':'\"S  Bcc: eve@x.example\" <s@shop.example>',"
	    "'To':'\"A\\\\\"  , eve@x.example\" <ann@x.example>','Cc':null,'Bcc':null,"
	    "'Subject':'Hi  Bcc: eve@x.example    body',"
	    "'Headers':[{'Name':'X-Foo','Value':'a b c d e'}]}]",
	    "" },
	{ "a comma hidden in a name adds no recipient", "", "ann@x.example",
	    "From: s@shop.example\nTo: =?utf-8?Q?=22=2C_=3Ceve=40x=2Eexample=3E=2C_=22?= "
	    "<ann@x.example>\n\nx\n",
	    "[{'To':'\"\\\\\", <eve@x.example>, \\\\\"\" <ann@x.example>','Bcc':null}]", "" },
	{ "line ends in parameters", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n"
		 "Content-Type: text/x-y; name*=utf-8''a%0d%0ab%00.txt\n"
		 "Content-Disposition: attachment\nContent-ID: <i\n d>\n\ny\n--b--\n",
	    "[{'Attachments':[{'Name':'a  b .txt','ContentType':'text/x-y','Content':'eQ=='}]}]",
	    "" },

	/* --- authors --- */
	{ "several authors and a sender", "", "ann@x.example",
	    "From: A <a@shop.example>, b@shop.example\nSender: \"S\" <s@shop.example>\nTo: "
	    "ann@x.example\n\nx\n",
	    "[{'From':'\"S\" <s@shop.example>'}]", "authors" },
	{ "several authors without a sender", "", "ann@x.example",
	    "From: A <a@shop.example>, b@shop.example\nTo: ann@x.example\n\nx\n",
	    "[{'From':'\"A\" <a@shop.example>'}]", "authors" },
	{ "a sender beside one author", "", "ann@x.example",
	    HEAD "Sender: other@shop.example\n\nx\n", "[{" ANN ",'Headers':null}]", "sender" },
	{ "no From: the envelope sender", "bounce@shop.example", "ann@x.example",
	    "To: ann@x.example\n\nx\n", "[{'From':'bounce@shop.example'}]", "from" },
	{ "a From without a domain", "root@shop.example", "ann@x.example",
	    "From: Cron Daemon <root>\nTo: ann@x.example\n\nx\n", "[{'From':'root@shop.example'}]",
	    "from" },
	{ "Reply-To is a field of its own", "", "ann@x.example",
	    HEAD "Reply-To: Help <help@shop.example>, h2@shop.example\n\nx\n",
	    "[{'ReplyTo':'\"Help\" <help@shop.example>, h2@shop.example','Headers':null}]", "" },

	/* --- headers --- */
	{ "what goes on and what stays behind", "", "ann@x.example",
	    "Return-Path: <x@y.example>\nReceived: from a\n\tby b; now\nDKIM-Signature: v=1\n"
	    "ARC-Seal: i=1\nAuthentication-Results: x\n" HEAD
	    "MIME-Version: 1.0\nMessage-ID: <1@shop.example>\nReferences: <0@shop.example>\n"
	    "\t<00@shop.example>\nIn-Reply-To: <0@shop.example>\nList-Unsubscribe:\n "
	    "<https://shop.example/u>\nAuto-Submitted: auto-generated\nPrecedence: bulk\n"
	    "Importance: high\nX-Sch\u00f6n: 8bit name\nX-Utf8: \u00fc\nX-Empty:\nTag: "
	    "t\nMessage-Stream: s\nContent-Language: de\n\nx\n",
	    "[{" ANN ",'Headers':["
	    "{'Name':'Message-ID','Value':'<1@shop.example>'},"
	    "{'Name':'References','Value':'<0@shop.example> <00@shop.example>'},"
	    "{'Name':'In-Reply-To','Value':'<0@shop.example>'},"
	    "{'Name':'List-Unsubscribe','Value':'<https://shop.example/u>'},"
	    "{'Name':'Auto-Submitted','Value':'auto-generated'},"
	    "{'Name':'Precedence','Value':'bulk'},{'Name':'Importance','Value':'high'},"
	    "{'Name':'X-Utf8','Value':'\u00fc'},{'Name':'X-PM-KeepID','Value':'true'}]}]",
	    "headers" },
	{ "Postmark's controls", "", "ann@x.example",
	    HEAD "x-pm-tag: invoice\nX-PM-TrackOpens: TRUE\nX-PM-Track-Links: htmlonly\n"
		 "X-PM-Metadata-order: 1007\nX-PM-Metadata-Order: 1008\nX-PM-Metadata-relay-id: z\n"
		 "X-PM-Message-Stream: broadcast\nX-PM-Bounce-Type: HardBounce\nX-PM-KeepID: "
		 "false\nMessage-ID: <1@x>\nX-PM-Message-Options: v\n\nx\n",
	    "[{" ANN ",'Tag':'invoice','TrackOpens':true,'TrackLinks':'HtmlOnly',"
	    "'MessageStream':'broadcast','Metadata':{'relay-id':'" MAIL_ID "-1','order':'1007',"
	    "'Order2':'1008','relay-id2':'z'},"
	    "'Headers':[{'Name':'X-PM-Bounce-Type','Value':'HardBounce'}]}]",
	    "x-pm" },
	{ "subjects of several words, cut within a character, padded, in several charsets", "",
	    "ann@x.example",
	    HEAD "Subject: =?UTF-8?B?44GT44KT?= =?UTF-8?Q?=E3=81?=\n =?UTF-8?Q?=AB?= and "
		 "=?iso-8859-1?Q?J=FCrgen?= =?UTF-8?B?YQ==?= =?UTF-8?B?Yg==?=\n\nx\n",
	    "[{'Subject':'\u3053\u3093\u306b and J\u00fcrgenab'}]", "" },
	{ "a charset nobody knows, and one that lies", "", "ann@x.example",
	    HEAD "Subject: =?x-what?Q?J=FCrgen?= =?us-ascii?Q?J=C3=BCrgen?=\n\nx\n",
	    "[{'Subject':'J\u00fcrgenJ\u00fcrgen'}]", "" },

	/* --- bodies --- */
	{ "ISO-2022-JP", "", "ann@x.example",
	    HEAD "Subject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= =?ISO-2022-JP?B?GyRCOGwbKEI=?=\n"
		 "Content-Type: text/plain; charset=ISO-2022-JP\n\n\033$BF|K\\8l\033(B.\n",
	    "[{'Subject':'\u65e5\u672c\u8a9e','TextBody':'\u65e5\u672c\u8a9e.\\n'}]", "" },
	{ "quoted-printable in latin-1 that is windows-1252", "", "ann@x.example",
	    HEAD "Content-Type: text/plain; charset=\"iso-8859-1\"\nContent-Transfer-Encoding: "
		 "quoted-printable\n\nGr=FC=DFe =80 5=\n0\n",
	    "[{'TextBody':'Gr\u00fc\u00dfe \u20ac 50\\n'}]", "" },
	{ "UTF-8 that is not", "", "ann@x.example",
	    HEAD "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
		 "quoted-printable\n\nGr=FC=DFe\n",
	    "[{'TextBody':'Gr\ufffd\ufffde\\n'}]", "undecodable=2" },
	{ "no charset said, UTF-8 meant", "", "ann@x.example", HEAD "\nGr\u00fc\u00dfe\n",
	    "[{'TextBody':'Gr\u00fc\u00dfe\\n'}]", "" },
	{ "an unknown charset, not UTF-8", "", "ann@x.example",
	    HEAD "Content-Type: text/plain; charset=x-no-such\nContent-Transfer-Encoding: "
		 "base64\n\nR3L83w==\n",
	    "[{'TextBody':'Gr\u00fc\u00df'}]", "" },
	{ "alternative with related and mixed", "", "ann@x.example",
	    HEAD
	    "Content-Type: multipart/mixed; boundary=m\n\npreamble\n--m\n"
	    "Content-Type: multipart/alternative; boundary=\"a b\"\n\n--a b\n"
	    "Content-Type: text/plain\n\nplain\n--a b\n"
	    "Content-Type: multipart/related; boundary=r; start=\"<h@x>\"\n\n--r\n"
	    "Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n"
	    "Content-Transfer-Encoding: base64\nContent-Disposition: inline\n\niVBO\nRw==\n--r\n"
	    "Content-Type: text/html; charset=utf-8\nContent-ID: <h@x>\n\n"
	    "<p>html</p>\n--r--\n--a b--\n--m\n"
	    "Content-Type: application/pdf; name=\"r.pdf\"\nContent-Disposition: attachment; "
	    "filename=\"../../r\u00e9.pdf\"\nContent-Transfer-Encoding: base64\n\nJVBE\n--m--\n"
	    "epilogue\n",
	    "[{'TextBody':'plain','HtmlBody':'<p>html</p>','Attachments':["
	    "{'Name':'logo.png','ContentType':'image/png','ContentID':'cid:logo@x',"
	    "'Content':'iVBORw=='},"
	    "{'Name':'r\u00e9.pdf','ContentType':'application/pdf','Content':'JVBE'}]}]",
	    "" },
	{ "bodies with a name are bodies in an alternative and at the root of a related", "",
	    "ann@x.example",
	    HEAD "Content-Type: multipart/alternative; boundary=a\n\n--a\n"
		 "Content-Type: text/plain; name=a.txt\n\nplain\n--a\n"
		 "Content-Type: multipart/related; boundary=r\n\n--r\n"
		 "Content-Type: text/html; name=a.html\nContent-Disposition: inline; "
		 "filename=a.html\n\n<p>html</p>\n--r--\n--a\n"
		 "Content-Type: text/plain; name=log.txt\n\nlog\n--a--\n",
	    "[{'TextBody':'plain','HtmlBody':'<p>html</p>','Attachments':["
	    "{'Name':'log.txt','ContentType':'text/plain','Content':'bG9n'}]}]",
	    "" },
	{ "what the HTML refers to is inline wherever it stands", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=m\n\n--m\n"
		 "Content-Type: text/html\n\n<img src=\"cid:a@x\"><img src=cid:none>\n--m\n"
		 "Content-Type: image/gif; name=a.gif\nContent-ID: <a@x>\n\nG\n--m\n"
		 "Content-Type: image/gif; name=b.gif\nContent-ID: <a@>\n\nG\n--m--\n",
	    "[{'Attachments':[{'Name':'a.gif','ContentType':'image/gif','ContentID':'cid:a@x',"
	    "'Content':'Rw=='},{'Name':'b.gif','ContentType':'image/gif',"
	    "'Content':'Rw=='}]}]",
	    "" },
	{ "a footer joins both bodies, escaped", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=m\n\n--m\n"
		 "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\n"
		 "Content-Type: text/html\n\n<html><body>html</body></html>\n--a--\n--m\n\n"
		 "<list & more>\n--m--\n",
	    "[{'TextBody':'plain\\n<list & more>','HtmlBody':'<html><body>html<div "
	    "style=\"white-space: pre-wrap\">&lt;list &amp; more&gt;</div>\\n</body></html>'}]",
	    "" },
	{ "a footer under HTML only does not pose as the text", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: text/html\n\n<b>h"
		 "</b>\n--m\n\nfooter\n--m--\n",
	    "[{'TextBody':null,'HtmlBody':'<b>h</b><div style=\"white-space: "
	    "pre-wrap\">footer</div>\\n'}]",
	    "" },
	{ "several HTML parts", "", "ann@x.example",
	    HEAD
	    "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: text/html\n\n<b>1"
	    "</b>\n--m\nContent-Type: image/gif\n\nG\n--m\nContent-Type: text/html\n\n<b>2</b>\n"
	    "--m--\n",
	    "[{'HtmlBody':'<b>1</b><b>2</b>','Attachments':[{'Name':'attachment-1.gif',"
	    "'ContentType':'image/gif','Content':'Rw=='}]}]",
	    "html-parts,names" },
	{ "an attachment only", "", "ann@x.example",
	    HEAD "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n",
	    "[{'TextBody':'.','Attachments':[{'Name':'attachment-1.pdf','ContentType':'application/"
	    "pdf','Content':'JVBERi0='}]}]",
	    "names,no-body" },
	{ "nothing at all", "s@shop.example", "ann@x.example", "",
	    "[{'From':'s@shop.example','To':'ann@x.example','TextBody':'.'}]", "from,no-body" },
	{ "NUL and other controls in a body", "", "ann@x.example",
	    HEAD "Content-Transfer-Encoding: quoted-printable\n\na=00b=0Dc=1Bd\n",
	    "[{'TextBody':'ab\\nc\\u001bd\\n'}]", "" },
	{ "a multipart without its boundary is shown as it came", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed\n\ntext\n", "[{'TextBody':'text\\n'}]", "" },
	{ "a multipart that never ends", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n",
	    "[{'TextBody':'text\\n'}]", "" },
	{ "no empty line before the body", "", "ann@x.example", HEAD "Hello there\nyou\n",
	    "[{" ANN ",'TextBody':'Hello there\\nyou\\n'}]", "" },
	{ "an mbox line first", "", "ann@x.example", "From s@x Mon Nov 23\n" HEAD "\nx\n",
	    "[{" ANN ",'TextBody':'x\\n'}]", "" },

	/* --- attachments --- */
	{ "names as clients send them", "", "ann@x.example",
	    HEAD
	    "Content-Type: multipart/mixed; boundary=m\n\n"
	    "--m\nContent-Type: a/b\nContent-Disposition: attachment;\n "
	    "filename*0*=utf-8''%e6%97;\n"
	    " filename*1*=%a5;\n filename*2=\".txt\"\n\n1\n"
	    "--m\nContent-Type: a/b; name=\"=?utf-8?B?5pel5pys?=\n =?utf-8?B?6Kqe?=.txt\"\n\n2\n"
	    "--m\nContent-Type: a/b\nContent-Disposition: attachment; "
	    "filename==?iso-8859-1?Q?=FC=2Epdf?=\n\n3\n"
	    "--m\nContent-Type: a/b\nContent-Disposition: attachment; "
	    "filename=\"C:\\\\dir\\\\x.doc\"\n\n4\n"
	    "--m\nContent-Type: a/b\nContent-Disposition: attachment; filename=\"..\"\n\n5\n"
	    "--m--\n",
	    "[{'Attachments':["
	    "{'Name':'\u65e5.txt','ContentType':'a/b','Content':'MQ=='},"
	    "{'Name':'\u65e5\u672c\u8a9e.txt','ContentType':'a/b','Content':'Mg=='},"
	    "{'Name':'\u00fc.pdf','ContentType':'a/b','Content':'Mw=='},"
	    "{'Name':'x.doc','ContentType':'a/b','Content':'NA=='},"
	    "{'Name':'attachment-5.dat','ContentType':'a/b','Content':'NQ=='}]}]",
	    "names,no-body" },
	{ "an invitation", "", "ann@x.example",
	    HEAD
	    "Content-Type: multipart/alternative; boundary=m\n\n--m\n\nplain\n--m\n"
	    "Content-Type: text/calendar; method=REQUEST; charset=\"utf-8\"; name=i.ics\n\nBEGIN\n"
	    "--m--\n",
	    "[{'TextBody':'plain','Attachments':[{'Name':'i.ics','ContentType':'text/calendar; "
	    "charset=utf-8; method=REQUEST','Content':'QkVHSU4='}]}]",
	    "calendar" },
	{ "a message within, byte for byte", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n"
		 "Content-Type: message/rfc822\n\nSubject: in\n\nX\n--m--\n",
	    "[{'TextBody':'see','Attachments':[{'Name':'message.eml','ContentType':'message/"
	    "rfc822',"
	    "'Content':'U3ViamVjdDogaW4NCg0KWA=='}]}]",
	    "messages" },
	{ "signed: readable, the signature beside it", "", "ann@x.example",
	    HEAD "Content-Type: multipart/signed; boundary=m; micalg=pgp-sha256; "
		 "protocol=\"application/pgp-signature\"\n\n--m\n\nsigned text\n--m\n"
		 "Content-Type: application/pgp-signature\n\nSIG\n--m--\n",
	    "[{'TextBody':'signed text','Attachments':[{'Name':'signature.asc','ContentType':"
	    "'application/pgp-signature','Content':'U0lH'}]}]",
	    "signed,names" },
	{ "encrypted: all of it beside the stand-in", "", "ann@x.example",
	    HEAD "Content-Type: multipart/encrypted; boundary=m; "
		 "protocol=\"application/pgp-encrypted\"\n\n--m\nContent-Type: "
		 "application/pgp-encrypted\n\nVersion: 1\n--m\nContent-Type: "
		 "application/octet-stream; name=encrypted.asc\n\nPGP\n--m--\n",
	    "[{'TextBody':'.','Attachments':[{'Name':'version.txt','ContentType':"
	    "'application/pgp-encrypted','Content':'VmVyc2lvbjogMQ=='},{'Name':'encrypted.asc',"
	    "'ContentType':'application/octet-stream','Content':'UEdQ'}]}]",
	    "encrypted,names,no-body" },
	{ "base64 that is not clean is encoded again", "", "ann@x.example",
	    HEAD "Content-Type: multipart/mixed; boundary=m\n\n"
		 "--m\nContent-Type: a/b; name=1\nContent-Transfer-Encoding: base64\n\nYQ==YmM=\n"
		 "--m\nContent-Type: a/b; name=2\nContent-Transfer-Encoding: base64\n\nY!W\n J j\n"
		 "--m\nContent-Type: a/b; name=3\nContent-Transfer-Encoding: base64\n\nYQ\n"
		 "--m\nContent-Type: a/b; name=4\nContent-Transfer-Encoding: base64\n\nYWJj\n \n"
		 "YWJj  \n\n--m--\n",
	    "[{'Attachments':[{'Name':'1','ContentType':'a/b','Content':'YWJj'},"
	    "{'Name':'2','ContentType':'a/b','Content':'YWJj'},"
	    "{'Name':'3','ContentType':'a/b','Content':'YQ=='},"
	    "{'Name':'4','ContentType':'a/b','Content':'YWJjYWJj'}]}]",
	    "no-body" },
};

static void
test_whole_mails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(whole_mails) / sizeof(whole_mails[0]); i++) {
		const struct whole_mail *m = &whole_mails[i];
		const struct lab_run run = {
			.options = lab_options(), .sender = m->sender, .recipients = m->recipients
		};
		json_t *expected = lab_expectation(m->expected);
		struct mail *mail = lab_mail(m->reason, &run, m->content);

		if (mail->item_count != json_array_size(expected))
			fail_msg("%s: %zu items", m->reason, mail->item_count);
		for (size_t j = 0; j < mail->item_count; j++) {
			json_t *got = lab_item(mail, j);

			lab_compare(m->reason, json_array_get(expected, j), got);
			json_decref(got);
		}
		if (strcmp(mail->ledger, m->ledger) != 0)
			fail_msg("%s: ledger %s", m->reason, mail->ledger);
		assert_string_equal(mail->id, MAIL_ID);
		mail_free(&mail);
		json_decref(expected);
	}
}

/* --- refusals -------------------------------------------------------------- */

static void
repeat(struct buf *out, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		buf_adds(out, text);
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *reason;
		const char *before;
		const char *repeated;
		size_t times;
		const char *after;
		int code;
		const char *enhanced;
		const char *text;
	} cases[] = {
		{ "no author", "To: ann@x.example\r\n\r\nx", "", 0, "", 550, "5.6.0", "no author" },
		{ "subject", "From: s@x.e\r\nSubject: ", "s", 2001, "\r\n\r\nx", 554, "5.6.0",
		    "the subject has 2001 characters as Postmark counts, and its limit is 2000" },
		{ "subject of surrogates", "From: s@x.e\r\nSubject: ", "\U0001F600", 1001,
		    "\r\n\r\nx", 554, "5.6.0", "2002" },
		{ "tag", "From: s@x.e\r\nX-PM-Tag: ", "t", 1001, "\r\n\r\nx", 554, "5.6.0",
		    "1001" },
		{ "metadata value", "From: s@x.e\r\nX-PM-Metadata-a: ", "v", 81, "\r\n\r\nx", 554,
		    "5.6.0", "has 81 characters as Postmark counts, and its limit is 80" },
		{ "metadata key", "From: s@x.e\r\nX-PM-Metadata-", "k", 21, ": v\r\n\r\nx", 554,
		    "5.6.0", "has 21" },
		{ "metadata keys", "From: s@x.e\r\n", "X-PM-Metadata-k: v\r\n", 10, "\r\nx", 554,
		    "5.6.0", "more than 9" },
		{ "metadata without a key", "From: s@x.e\r\nX-PM-Metadata-: v\r\n\r\nx", "", 0, "",
		    554, "5.6.0", "key" },
		{ "track opens", "From: s@x.e\r\nX-PM-TrackOpens: maybe\r\n\r\nx", "", 0, "", 554,
		    "5.6.0", "true or false" },
		{ "track links", "From: s@x.e\r\nX-PM-TrackLinks: all\r\n\r\nx", "", 0, "", 554,
		    "5.6.0", "HtmlAndText" },
		{ "stream", "From: s@x.e\r\nX-PM-Message-Stream: a b\r\n\r\nx", "", 0, "", 554,
		    "5.6.0", "stream" },
		{ "text body", "From: s@x.e\r\n\r\n", "0123456789abcdef", 327681, "", 552, "5.3.4",
		    "the body has 5242896 bytes as TextBody, and Postmark's limit is 5242880" },
		{ "10,000 header fields", "From: s@x.e\r\n", "X-Y: z\r\n", 10000, "\r\nx", 554,
		    "5.6.0", "the header has 10001 fields, and the limit is 1000" },
		{ "10,000 malformed header lines", "", "no header\r\n", 10000,
		    "To: a@b.example\r\n\r\nx", 550, "5.6.0", "no author" },
		{ "address fields", "From: s@x.e\r\nTo: ", "ann@x.example, ", 20000, "\r\n\r\nx",
		    554, "5.6.0", "262144" },
		{ "parts", "From: s@x.e\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
		    "--b\r\n\r\nx\r\n", 1001, "--b--\r\n", 554, "5.6.0", "1000" },
		{ "empty parts", "From: s@x.e\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
		    "--b\n\n", 2000000, "--b--\r\n", 554, "5.6.0", "1000" },
		{ "10,000 levels of one boundary", "From: s@x.e\r\n",
		    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 10000, "\r\nx", 554,
		    "5.6.0", "limit" },
		{ "extension",
		    "From: s@x.e\r\nContent-Disposition: attachment; "
		    "filename=\"a\\\"b.ExE. \"\r\n\r\nx",
		    "", 0, "", 554, "5.7.1",
		    "a_b.ExE: Postmark does not take files with the "
		    "extension .exe" },
		{ "extension behind a right-to-left mark",
		    "From: s@x.e\r\nContent-Type: a/b; "
		    "name*=utf-8''x.s%E2%80%AEcr\r\n\r\nx",
		    "", 0, "", 554, "5.7.1", "extension .scr" },
	};
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf content;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, cases[i].before);
		repeat(&content, cases[i].repeated, cases[i].times);
		buf_adds(&content, cases[i].after);
		lab_refused(cases[i].reason, &run, content.data, content.len, cases[i].code,
		    cases[i].enhanced, cases[i].text);
		buf_free(&content);
	}
}

static void
test_deep_nesting(void **state)
{
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };

	(void)state;
	/* depth 100 is fine, 101 is not, and 10,000 is as quick to refuse. */
	for (size_t depth = 100; depth <= 10000; depth = depth == 100 ? 101 : depth * 99) {
		struct mail *mail = NULL;
		struct refusal refusal;
		struct buf content;

		buf_init(&content, SIZE_MAX / 4);
		buf_adds(&content, "From: s@x.e\r\n");
		for (size_t i = 0; i < depth; i++)
			buf_addf(&content,
			    "Content-Type: multipart/mixed; boundary=b%zu\r\n\r\n--b%zu\r\n", i, i);
		buf_adds(&content, "\r\ndeep\r\n");
		if (depth == 100) {
			assert_int_equal(
			    lab_convert(&run, content.data, content.len, &mail, &refusal), 0);
			mail_free(&mail);
		} else {
			lab_refused(
			    "depth", &run, content.data, content.len, 554, "5.6.0", "limit of 100");
		}
		buf_free(&content);
	}
}

/* The figure is exact: at the limit the mail is taken, one byte more and it is refused. */
static void
test_size_is_counted_exactly(void **state)
{
	/* One item, and two that share what they say. */
	static const char *const recipients[] = { "ann@x.example", "bo@x.example cy@x.example" };
	static const char content[] =
	    "From: s@x.e\nTo: ann@x.example\nSubject: Subj\nX-A: b\n"
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
	    "Content-Type: application/pdf; name=n.pdf\n"
	    "Content-Transfer-Encoding: base64\n\nAA\nAA\n--b--\n";
	struct lab_run run = { 0 };
	struct mail *mail = NULL;
	struct refusal refusal;

	(void)state;
	for (size_t i = 0; i < sizeof(recipients) / sizeof(recipients[0]); i++) {
		run = (struct lab_run){ .options = lab_options(), .recipients = recipients[i] };
		mail = lab_mail("size", &run, content);
		assert_int_equal(mail->item_count, i + 1);
		run.options.most_api_bytes = mail->items[0].payload.len + mail->shared.len;
		mail_free(&mail);
		mail = lab_mail("at the limit", &run, content);
		mail_free(&mail);
		run.options.most_api_bytes--;
		assert_int_equal(lab_convert_text(&run, content, &mail, &refusal), -1);
		assert_int_equal(refusal.code, 552);
		assert_string_equal(refusal.enhanced, "5.3.4");
		assert_non_null(strstr(refusal.text, "limit is"));
	}
	assert_int_equal(run.options.most_api_bytes + 1,
	    strlen("{'From':'s@x.e','To':'cy@x.example','Metadata':{'relay-id':'" MAIL_ID "-2'},"
		   "'Subject':'Subj','Headers':[{'Name':'X-A','Value':'b'}],'TextBody':'text',"
		   "'Attachments':[{'Name':'n.pdf','ContentType':'application/pdf','Content':"
		   "'AAAA'}]}"));
}

/* What the items share is made once, and is a memfd when it is large. */
static void
test_large_and_many(void **state)
{
	struct lab_run run = { .options = lab_options() };
	struct mail *mail = NULL;
	struct refusal refusal;
	struct buf content, recipients;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_init(&recipients, SIZE_MAX / 4);
	buf_adds(&content, "From: s@x.e\r\nTo: ann@x.example\r\nContent-Type: a/b; name=n\r\n"
			   "Content-Transfer-Encoding: base64\r\n\r\n");
	repeat(&content,
	    "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n",
	    2000);
	for (int i = 0; i < 60; i++)
		buf_addf(&recipients, "r%d@x.example ", i);
	run.recipients = recipients.data;
	assert_int_equal(lab_convert(&run, content.data, content.len, &mail, &refusal), 0);
	assert_int_equal(mail->item_count, 60);
	for (size_t i = 0; i < 60; i++) {
		json_t *json = lab_item(mail, i);
		char id[ITEM_ID_SIZE];

		item_id(id, MAIL_ID, (unsigned)i + 1);
		assert_int_equal(
		    json_string_length(json_object_get(
			json_array_get(json_object_get(json, "Attachments"), 0), "Content")),
		    76 * 2000);
		assert_string_equal(json_string_value(json_object_get(
					json_object_get(json, "Metadata"), "relay-id")),
		    id);
		assert_int_equal(mail->items[i].recipients.count, 1);
		assert_string_equal(json_string_value(json_object_get(json, "To")),
		    mail->items[i].recipients.items[0]);
		json_decref(json);
	}
	mail_free(&mail);
	buf_free(&recipients);
	buf_free(&content);
}

static void
test_from_is_cut(void **state)
{
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	struct mail *mail = NULL;
	struct buf content;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, "From: \"");
	repeat(&content, "\u00fc\\\"", 300);
	buf_adds(&content, "\" <s@x.e>\n\nx");
	mail = lab_mail("cut", &run, content.data);
	json_t *json = lab_item(mail, 0);
	const char *from = json_string_value(json_object_get(json, "From"));
	assert_non_null(strstr(from, "\" <s@x.e>"));
	assert_in_range(strlen(from), 255, 400);
	assert_non_null(strstr(mail->ledger, "from-name"));
	json_decref(json);
	mail_free(&mail);
	buf_free(&content);
}

static void
test_envelope_is_checked(void **state)
{
	static const char *const bad[] = { "postmaster", "\"a b\"@x.example", "ann@X.example",
		"ann@x.example,eve@x.example", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct lab_run run = { .options = lab_options(), .recipients = bad[i] };
		struct mail *mail = NULL;
		struct refusal refusal;

		assert_int_equal(lab_convert_text(&run, "From: s@x.e\n\nx", &mail, &refusal), -1);
		assert_int_equal(refusal.code, bad[i][0] == '\0' ? 554 : 553);
	}
}

/* What follows a malformed line is no text when it tells who got the mail, and is heeded where it
 * is for the relay. */
static void
test_stray_line(void **state)
{
	static const char *const names[] = { "Bcc", "Resent-Bcc", "Resent-To", "X-Bcc",
		"Delivered-To", "X-Delivered-To", "X-Original-To", "Original-Recipient",
		"X-Original-Recipient", "Envelope-To", "X-Envelope-To", "Apparently-To",
		"X-Apparently-To", "Rcpt-To", "X-Rcpt-To", "X-RcptTo", "X-Real-To",
		"X-Forwarded-To", "X-Redirected-For", "X-MDRcpt-To", "X-MDaemon-Deliver-To",
		"X-PM-RCPT", "x-original-to " };
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	json_t *json;
	struct mail *mail;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char content[300], *text;

		snprintf(content, sizeof(content),
		    "From: s@shop.example\nSubject: hi\na stray line\nX-Other: y\n%s: "
		    "blind@x.example\n\nbody\n",
		    names[i]);
		mail = lab_mail(names[i], &run, content);
		json = lab_item(mail, 0);
		text = json_dumps(json, JSON_COMPACT);
		if (strstr(text, "blind") != NULL)
			fail_msg("%s: %s", names[i], text);
		assert_string_equal(json_string_value(json_object_get(json, "TextBody")), "body\n");
		free(text);
		json_decref(json);
		mail_free(&mail);
	}
	mail = lab_mail(
	    "a control", &run, "From: s@shop.example\na stray line\nX-PM-Tag: welcome\n\nbody\n");
	json = lab_item(mail, 0);
	assert_string_equal(json_string_value(json_object_get(json, "Tag")), "welcome");
	assert_string_equal(json_string_value(json_object_get(json, "TextBody")), "body\n");
	json_decref(json);
	mail_free(&mail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_mails),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_size_is_counted_exactly),
		cmocka_unit_test(test_large_and_many),
		cmocka_unit_test(test_from_is_cut),
		cmocka_unit_test(test_envelope_is_checked),
		cmocka_unit_test(test_stray_line),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
