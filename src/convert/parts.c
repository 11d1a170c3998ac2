/*
 * Parts to bodies and attachments.
 *
 * Each multipart is reduced to at most one text and one HTML, by its kind: an alternative takes
 * the last of each, everything else joins its parts in order.  Whatever is neither becomes an
 * attachment, so that nothing readable is lost.
 */

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/plain.h"
#include "mail/refusal.h"
#include "convert/attachment.h"
#include "convert/convert.h"
#include "convert/ledger.h"
#include "convert/parts.h"

/* Postmark refuses an empty body, and whether white space passes is not known. */
#define STAND_IN "."

#define MOST_ID_BYTES 1000

struct reading {
	struct parts *parts;
	const struct mime *mime;
	struct ledger *ledger;
	struct refusal *refusal;
	size_t attachment_room;
	bool failed;
};

/* What a part and all within it come to, besides attachments. */
struct content {
	struct buf text;
	struct buf html;
	bool has_text;
	bool has_html;
};

static void
content_init(struct content *content)
{
	*content = (struct content){ 0 };
	buf_init(&content->text, SIZE_MAX / 4);
	buf_init(&content->html, SIZE_MAX / 4);
}

static void
content_free(struct content *content)
{
	buf_free(&content->text);
	buf_free(&content->html);
}

static void
buf_move(struct buf *to, struct buf *from)
{
	buf_free(to);
	*to = *from;
	buf_init(from, SIZE_MAX / 4);
}

/* --- attachments ---------------------------------------------------------- */

/* RFC 8551 3.2.2: opaque signing and a bag of certificates have the type of encryption. */
static void
smime_note(struct reading *r, const struct mime_part *part)
{
	char *kind = mime_part_parameter(part, "smime-type");

	if (kind == NULL || !text_same(kind, "certs-only"))
		ledger_note(r->ledger, kind != NULL && text_same(kind, "signed-data")
					   ? LEDGER_SIGNED
					   : LEDGER_ENCRYPTED);
	free(kind);
}

static bool
has_name(const struct mime_part *part)
{
	char *name = mime_part_file_name(part);
	bool named = name != NULL && name[0] != '\0';

	free(name);
	return named;
}

/* Not a file with dates in it.  RFC 6047 2.4: an invitation has a method. */
static bool
is_invitation(const struct mime_part *part)
{
	char *method;
	bool has_method;

	if (strcmp(part->type, "text/calendar") != 0 || mime_part_is_attachment(part))
		return false;
	method = mime_part_parameter(part, "method");
	has_method = method != NULL && method[0] != '\0';
	free(method);
	return has_method || mime_part_is_inline(part) || !has_name(part);
}

/* RFC 8551 3.2.1: gateways that do not know the type leave the name. */
static bool
is_smime(const struct mime_part *part, const char *name)
{
	size_t len = strlen(name);

	return strcmp(part->type, "application/pkcs7-mime") == 0 ||
	       strcmp(part->type, "application/x-pkcs7-mime") == 0 ||
	       (strcmp(part->type, "application/octet-stream") == 0 && len > 4 &&
		   text_same(name + len - 4, ".p7m"));
}

static void
attachment_note(struct reading *r, const struct mime_part *part, const char *name)
{
	if (is_invitation(part))
		ledger_note(r->ledger, LEDGER_CALENDAR);
	else if (strcmp(part->type, "application/ms-tnef") == 0 ||
		 strcmp(part->type, "application/vnd.ms-tnef") == 0 ||
		 text_same(name, "winmail.dat"))
		ledger_note(r->ledger, LEDGER_TNEF);
	else if (is_smime(part, name))
		smime_note(r, part);
	if (part->kind == MIME_MESSAGE)
		ledger_note(r->ledger, LEDGER_MESSAGES);
}

static void
attach(struct reading *r, const struct mime_part *part, bool related)
{
	struct parts *parts = r->parts;
	struct attachment *to;
	bool made_up;

	if (parts->attachment_count == r->attachment_room) {
		r->attachment_room = r->attachment_room == 0 ? 4 : r->attachment_room * 2;
		parts->attachments =
		    mem_resize(parts->attachments, r->attachment_room, sizeof(*parts->attachments));
	}
	char *name = attachment_name(part, parts->attachment_count + 1, &made_up);
	if (made_up)
		ledger_note(r->ledger, LEDGER_NAMES);
	attachment_note(r, part, name);
	to = &parts->attachments[parts->attachment_count++];
	*to = (struct attachment){ .name = name, .part = part };
	to->content_type = attachment_type(part);
	/* Elsewhere a Content-ID is often set without being referred to, and a reader that hides
	 * inline parts would hide the file. */
	if (part->content_id != NULL &&
	    (related || (mime_part_is_inline(part) && strncmp(part->type, "image/", 6) == 0)))
		to->content_id = mem_format("cid:%s", part->content_id);
	if (attachment_name_check(name, r->refusal) != 0)
		r->failed = true;
}

/* A part and all within it, as attachments. */
static void
attach_all(struct reading *r, size_t index, bool related)
{
	for (size_t i = index; i < r->mime->parts[index].end; i++)
		if (r->mime->parts[i].kind != MIME_MULTIPART)
			attach(r, &r->mime->parts[i], related);
}

/* --- bodies --------------------------------------------------------------- */

static bool
is_enriched(const struct mime_part *part)
{
	return strcmp(part->type, "text/enriched") == 0 || strcmp(part->type, "text/richtext") == 0;
}

static bool
is_body_type(const struct mime_part *part)
{
	return strcmp(part->type, "text/plain") == 0 || strcmp(part->type, "text/html") == 0 ||
	       is_enriched(part);
}

/* RFC 2046 4.1.4: text of a kind that is not known is text; but not what is read by programs. */
static bool
is_readable(const struct mime_part *part)
{
	static const char *const files[] = { "text/calendar", "text/vcard", "text/x-vcard",
		"text/directory", "text/rtf", "text/rfc822-headers" };

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		if (strcmp(part->type, files[i]) == 0)
			return false;
	return strncmp(part->type, "text/", 5) == 0;
}

/* Shown in the mail itself, and not as a file beside it. */
static bool
is_body(const struct mime *mime, const struct mime_part *part)
{
	if (part->kind != MIME_LEAF || mime_part_is_attachment(part))
		return false;
	/* The whole mail. */
	if (part == &mime->parts[0])
		return is_body_type(part) || (is_readable(part) && !has_name(part));
	return is_body_type(part) && !has_name(part);
}

static void
add_escaped(struct buf *out, const struct buf *text)
{
	size_t start = 0;

	buf_adds(out, "<div style=\"white-space: pre-wrap\">");
	for (size_t i = 0; i < text->len; i++) {
		const char *entity = text->data[i] == '<'   ? "&lt;"
				     : text->data[i] == '>' ? "&gt;"
				     : text->data[i] == '&' ? "&amp;"
							    : NULL;
		if (entity == NULL)
			continue;
		buf_add(out, text->data + start, i - start);
		buf_adds(out, entity);
		start = i + 1;
	}
	buf_add(out, text->data + start, text->len - start);
	buf_adds(out, "</div>\n");
}

/* Before the end of the document, when that is near the end of the text. */
static void
html_insert(struct buf *html, const struct buf *more)
{
	size_t near = html->len > 4096 ? html->len - 4096 : 0;
	size_t at = html->len;

	for (size_t i = html->len; i >= near + 7; i--)
		if (text_same_n(html->data + i - 7, "</body>", 7)) {
			at = i - 7;
			break;
		}
	if (more->len == 0 || buf_reserve(html, more->len) == NULL)
		return;
	memmove(html->data + at + more->len, html->data + at, html->len - at);
	memcpy(html->data + at, more->data, more->len);
	buf_grown(html, more->len);
}

/* What follows in the same multipart joins what was there. */
static void
content_join(struct reading *r, struct content *to, struct content *more)
{
	struct buf escaped;

	if (!more->has_text && !more->has_html)
		return;
	if (!to->has_text && !to->has_html) {
		buf_move(&to->text, &more->text);
		buf_move(&to->html, &more->html);
		to->has_text = more->has_text;
		to->has_html = more->has_html;
		return;
	}
	if (to->has_html && more->has_html)
		ledger_note(r->ledger, LEDGER_HTML_PARTS);
	if (to->has_html || more->has_html) {
		if (!to->has_html)
			add_escaped(&to->html, &to->text);
		to->has_html = true;
		if (more->has_html) {
			html_insert(&to->html, &more->html);
		} else {
			buf_init(&escaped, SIZE_MAX / 4);
			add_escaped(&escaped, &more->text);
			html_insert(&to->html, &escaped);
			buf_free(&escaped);
		}
	}
	/* A footer alone would pose as the whole text where the first part has HTML only. */
	if (to->has_text) {
		if (to->text.len > 0 && to->text.data[to->text.len - 1] != '\n')
			buf_addc(&to->text, '\n');
		if (more->has_text)
			buf_add(&to->text, more->text.data, more->text.len);
		else
			plain_add_html(&to->text, more->html.data, more->html.len);
	}
}

static bool
is_blank(const struct buf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if ((unsigned char)text->data[i] > ' ')
			return false;
	return true;
}

static void
body_read(struct reading *r, const struct mime_part *part, struct content *out)
{
	if (strcmp(part->type, "text/html") == 0) {
		r->ledger->undecodable += mime_part_text(part, &out->html);
		out->has_html = true;
	} else if (is_enriched(part)) {
		struct buf marked;

		buf_init(&marked, SIZE_MAX / 4);
		r->ledger->undecodable += mime_part_text(part, &marked);
		plain_add_enriched(&out->text, marked.data, marked.len);
		buf_free(&marked);
		out->has_text = true;
	} else {
		r->ledger->undecodable += mime_part_text(part, &out->text);
		out->has_text = true;
	}
}

static void visit(struct reading *, size_t index, bool related, struct content *out);

/* A part in a place of a body: a name, as some senders give to every part, makes no file of it. */
static void
visit_body(struct reading *r, size_t index, bool related, struct content *out)
{
	const struct mime_part *part = &r->mime->parts[index];

	if (part->kind == MIME_LEAF && is_body_type(part) && !mime_part_is_attachment(part))
		body_read(r, part, out);
	else
		visit(r, index, related, out);
}

/* What is neither text nor HTML.  The same in yet another format (AMP) is of no use as a file; an
 * invitation is. */
static void
alternative_drop(struct reading *r, const struct mime_part *part, bool related)
{
	static const char *const formats[] = { "text/x-amp-html", "text/watch-html",
		"text/enriched", "text/richtext" };

	ledger_note(r->ledger,
	    strcmp(part->type, "text/calendar") == 0 ? LEDGER_CALENDAR : LEDGER_ALTERNATIVES);
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		if (strcmp(part->type, formats[i]) == 0 && !mime_part_is_attachment(part))
			return;
	attach(r, part, related);
}

static bool
has_plain(const struct reading *r, size_t index)
{
	const struct mime_part *parts = r->mime->parts;

	for (size_t i = index + 1; i < parts[index].end; i = parts[i].end)
		if (strcmp(parts[i].type, "text/plain") == 0)
			return true;
	return false;
}

static void
visit_alternative(struct reading *r, size_t index, bool related, struct content *out)
{
	const struct mime_part *parts = r->mime->parts;

	for (size_t i = index + 1; i < parts[index].end; i = parts[i].end) {
		struct content one;

		bool enriched = is_enriched(&parts[i]);

		if (parts[i].kind == MIME_LEAF &&
		    (enriched ? has_plain(r, index) : !is_body_type(&parts[i]))) {
			alternative_drop(r, &parts[i], related);
			continue;
		}
		content_init(&one);
		/* A named part after another of its type is a file rather than a better body. */
		if (strcmp(parts[i].type, "text/html") == 0 ? out->has_html : out->has_text)
			visit(r, i, related, &one);
		else
			visit_body(r, i, related, &one);
		/* RFC 2046 5.1.4: the last is the best. */
		if (one.has_text && (!out->has_text || !is_blank(&one.text))) {
			buf_move(&out->text, &one.text);
			out->has_text = true;
		}
		if (one.has_html && (!out->has_html || !is_blank(&one.html))) {
			buf_move(&out->html, &one.html);
			out->has_html = true;
		}
		content_free(&one);
	}
}

/* RFC 2387: the root is the document, the others are what it refers to. */
static void
visit_related(struct reading *r, size_t index, struct content *out)
{
	const struct mime_part *parts = r->mime->parts;
	char *start = mime_part_parameter(&parts[index], "start");
	size_t root = index + 1;

	if (start != NULL) {
		size_t len = strlen(start);
		const char *id = start[0] == '<' ? start + 1 : start;

		if (len > 0 && start[len - 1] == '>')
			start[len - 1] = '\0';
		for (size_t i = index + 1; i < parts[index].end; i = parts[i].end)
			if (parts[i].content_id != NULL && strcmp(parts[i].content_id, id) == 0) {
				root = i;
				break;
			}
	}
	free(start);
	visit_body(r, root, true, out);
	for (size_t i = index + 1; i < parts[index].end; i = parts[i].end) {
		if (i == root)
			continue;
		if (parts[i].kind == MIME_MULTIPART ||
		    (!out->has_text && !out->has_html && is_body(r->mime, &parts[i]))) {
			struct content more;

			content_init(&more);
			visit(r, i, true, &more);
			content_join(r, out, &more);
			content_free(&more);
		} else {
			attach(r, &parts[i], true);
		}
	}
}

static void
visit_mixed(struct reading *r, size_t index, bool related, struct content *out)
{
	const struct mime_part *parts = r->mime->parts;

	for (size_t i = index + 1; i < parts[index].end; i = parts[i].end) {
		struct content more;

		content_init(&more);
		visit(r, i, related, &more);
		content_join(r, out, &more);
		content_free(&more);
	}
}

static void
visit(struct reading *r, size_t index, bool related, struct content *out)
{
	const struct mime_part *part = &r->mime->parts[index];

	if (part->kind != MIME_MULTIPART) {
		if (is_body(r->mime, part))
			body_read(r, part, out);
		else
			attach(r, part, related);
	} else if (strcmp(part->type, "multipart/alternative") == 0) {
		visit_alternative(r, index, related, out);
	} else if (strcmp(part->type, "multipart/related") == 0) {
		visit_related(r, index, out);
	} else if (strcmp(part->type, "multipart/encrypted") == 0) {
		ledger_note(r->ledger, LEDGER_ENCRYPTED);
		attach_all(r, index, false);
	} else if (strcmp(part->type, "multipart/signed") == 0) {
		/* RFC 1847 2.1: the content, then the signature. */
		size_t signature = r->mime->parts[index + 1].end;

		ledger_note(r->ledger, LEDGER_SIGNED);
		visit(r, index + 1, related, out);
		for (; signature < part->end; signature = r->mime->parts[signature].end)
			attach_all(r, signature, false);
	} else {
		visit_mixed(r, index, related, out);
	}
}

/* An id in the HTML ends where an attribute, a url() or a source set does. */
#define ID_ENDS "\"'<> )\t\r\n,"

/* The id of a cid: URL (RFC 2392: percent-encoded) in an attribute.  Returns where it ends. */
static const char *
id_read(const char *p, const char *end, char id[MOST_ID_BYTES])
{
	size_t len = 0;

	while (p < end && len < MOST_ID_BYTES - 1 && strchr(ID_ENDS, *p) == NULL) {
		char c = *p++;

		if (c == '%' && end - p >= 2 && text_hex_digit(p[0]) >= 0 &&
		    text_hex_digit(p[1]) >= 0) {
			c = (char)(text_hex_digit(p[0]) << 4 | text_hex_digit(p[1]));
			p += 2;
		} else if (c == '&' && end - p >= 4 && memcmp(p, "amp;", 4) == 0) {
			p += 4;
		}
		id[len++] = c;
	}
	id[len] = '\0';
	return p;
}

/*
 * Some senders put what the HTML refers to beside it into a mixed, without a word that it is
 * inline.  One way through the HTML, whatever the number of attachments.
 */
static void
refer(struct reading *r)
{
	const struct buf *html = &r->parts->html;
	const char *end = html->data == NULL ? NULL : html->data + html->len;
	GHashTable *by_id = g_hash_table_new(g_str_hash, g_str_equal);

	for (size_t i = 0; i < r->parts->attachment_count; i++) {
		struct attachment *attachment = &r->parts->attachments[i];

		if (attachment->content_id == NULL && attachment->part->content_id != NULL)
			g_hash_table_insert(by_id, attachment->part->content_id, attachment);
	}
	for (const char *p = html->data; p != NULL && g_hash_table_size(by_id) > 0;) {
		struct attachment *attachment;
		char id[MOST_ID_BYTES];

		p = memmem(p, (size_t)(end - p), "cid:", 4);
		if (p == NULL)
			break;
		p = id_read(p + 4, end, id);
		attachment = g_hash_table_lookup(by_id, id);
		if (attachment == NULL)
			continue;
		attachment->content_id = mem_format("cid:%s", id);
		g_hash_table_remove(by_id, id);
	}
	g_hash_table_destroy(by_id);
}

static int
body_check(const struct convert_options *options, const char *field, const struct buf *body,
    struct refusal *refusal_r)
{
	if (body->len <= options->most_body_bytes)
		return 0;
	refusal_set(refusal_r, 552, "5.3.4",
	    "the body has %zu bytes as %s, and Postmark's limit is %llu", body->len, field,
	    (unsigned long long)options->most_body_bytes);
	return -1;
}

int
parts_check_bodies(
    const struct parts *parts, const struct convert_options *options, struct refusal *refusal_r)
{
	if (parts->has_text && body_check(options, "TextBody", &parts->text, refusal_r) != 0)
		return -1;
	return parts->has_html ? body_check(options, "HtmlBody", &parts->html, refusal_r) : 0;
}

int
parts_read(
    struct parts *parts, const struct mime *mime, struct ledger *ledger, struct refusal *refusal_r)
{
	struct reading r = { .parts = parts, .mime = mime, .ledger = ledger, .refusal = refusal_r };
	struct content content;

	*parts = (struct parts){ 0 };
	content_init(&content);
	visit(&r, 0, false, &content);
	parts->text = content.text;
	parts->html = content.html;
	parts->has_html = content.has_html && !is_blank(&content.html);
	parts->has_text = content.has_text && !is_blank(&content.text);
	if (parts->has_html)
		refer(&r);
	if (!parts->has_text && !parts->has_html) {
		ledger_note(ledger, LEDGER_NO_BODY);
		buf_clear(&parts->text);
		buf_adds(&parts->text, STAND_IN);
		parts->has_text = true;
	}
	return r.failed ? -1 : 0;
}

void
parts_free(struct parts *parts)
{
	for (size_t i = 0; i < parts->attachment_count; i++) {
		free(parts->attachments[i].name);
		free(parts->attachments[i].content_type);
		free(parts->attachments[i].content_id);
	}
	free(parts->attachments);
	buf_free(&parts->text);
	buf_free(&parts->html);
	*parts = (struct parts){ 0 };
}
