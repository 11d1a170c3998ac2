/* See inbound.h; what is built again is in rebuilt.c. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/inbound_value.h"
#include "mail/address.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "mail/value.h"
#include "convert/headers.h"
#include "convert/inbound.h"
#include "convert/payload.h"
#include "convert/rebuilt.h"

#define MARK               "X-Pmrelay-Inbound"
#define MOST_MESSAGE_ID    200U /* Postmark's, a UUID; bytes */
#define MOST_ADDRESS_BYTES 320U /* of one that came: RFC 5321 4.5.3.1, local and domain */
#define MOST_SUBJECT_BYTES 250U
#define MOST_TEXT_BYTES    1000U /* of what is kept beside the mail */

struct making {
	const struct inbound_options *options;
	const json_t *post;
	int64_t now_ms;
	struct mail *mail;
	char *original; /* the address that Postmark took it for, in ASCII; "" if it told none */
	char *held_why; /* of its recipients; NULL: all is well with them */
	struct strlist recipients;
	size_t top_bytes; /* of what stands above the header that came */
	int *status_r;
	char *why;
	size_t why_size;
};

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static int
refuse(const struct making *m, int status, const char *why)
{
	*m->status_r = status;
	snprintf(m->why, m->why_size, "%s", why);
	return -1;
}

/* For people: clean, and cut at a character. */
static char *
text_kept(const char *text, size_t most)
{
	char *clean = mime_clean(text, strlen(text));
	size_t len = strlen(clean);

	if (len > most) {
		len = most;
		while (len > 0 && ((unsigned char)clean[len] & 0xC0) == 0x80)
			len--;
		clean[len] = '\0';
	}
	return clean;
}

/* --- id ----------------------------------------------------------------------------------- */

static bool
message_id_is_good(const char *id)
{
	size_t len = strlen(id);

	for (size_t i = 0; i < len; i++) {
		if (id[i] <= ' ' || id[i] >= 0x7F || strchr("<>\"(),;:@\\", id[i]) != NULL)
			return false;
	}
	return len > 0 && len <= MOST_MESSAGE_ID;
}

/* The first 128 bits as Crockford's base 32, as ULIDs are written: the first digit has three. */
static void
id_print(char out[ULID_SIZE], const unsigned char *digest)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned bits = 0, have = 2; /* two zeros in front make 130 */
	size_t at = 0;

	for (size_t i = 0; i < ULID_LEN; i++) {
		while (have < 5) {
			bits = bits << 8 | digest[at++];
			have += 8;
		}
		have -= 5;
		out[i] = digits[bits >> have & 31];
		bits &= (1U << have) - 1;
	}
	out[ULID_LEN] = '\0';
}

static void
id_make(const struct making *m)
{
	unsigned char digest[DIGEST_BYTES];
	char *of = mem_format("%s\n%s", m->options->connection, text_of(m->post, "MessageID"));

	digest_sha256(digest, of, strlen(of));
	free(of);
	id_print(m->mail->id, digest);
}

/* --- recipients --------------------------------------------------------------------------- */

static void
recipient_add(struct making *m, const char *address)
{
	char canonical[ADDRESS_SIZE];

	if (address_canonical(address, strlen(address), canonical) != ADDRESS_OK ||
	    strlist_has(&m->recipients, canonical))
		return;
	if (m->recipients.count < INBOUND_MOST_RECIPIENTS)
		strlist_add(&m->recipients, canonical);
	else if (m->held_why == NULL)
		m->held_why = mem_format("it is for more than the %u recipients that a mail may "
					 "have here, and those beyond are not among its items",
		    INBOUND_MOST_RECIPIENTS);
}

/* An address of a mapping, with the hash in it.  False: that is none. */
static bool
target_add(struct making *m, const char *target, size_t len)
{
	static const char hash[] = "${hash}";
	struct buf made;
	size_t before = m->recipients.count;
	char canonical[ADDRESS_SIZE];
	bool right;

	buf_init(&made, 4096);
	for (size_t i = 0; i < len; i++) {
		if (len - i >= sizeof(hash) - 1 &&
		    memcmp(target + i, hash, sizeof(hash) - 1) == 0) {
			buf_adds(&made, text_of(m->post, "MailboxHash"));
			i += sizeof(hash) - 2;
		} else {
			buf_addc(&made, target[i]);
		}
	}
	right = !made.over && made.len > 0 &&
		address_canonical(made.data, made.len, canonical) == ADDRESS_OK;
	if (right && !strlist_has(&m->recipients, canonical))
		strlist_add(&m->recipients, canonical);
	buf_free(&made);
	return right || m->recipients.count > before;
}

/* "PATTERN=ADDRESS,ADDRESS".  False: it does not fit. */
static bool
mapping_try(struct making *m, const char *mapping, const char *address)
{
	const char *parts = strrchr(mapping, '='), *at;
	char *glob;
	bool fits;

	if (parts == NULL)
		return false;
	glob = mem_bytes(mapping, (size_t)(parts - mapping));
	fits = pattern_glob(glob, address);
	free(glob);
	for (at = parts; fits && at != NULL; at = strchr(at, ',')) {
		at++;
		fits = target_add(m, at, strcspn(at, ","));
	}
	if (!fits)
		strlist_free(&m->recipients);
	return fits;
}

/* False: no mapping fits. */
static bool
mappings_try(struct making *m, const char *address)
{
	const struct strlist *mappings = m->options->recipients;
	struct making one = *m;
	bool fits = false;

	memset(&one.recipients, 0, sizeof(one.recipients));
	for (size_t i = 0; !fits && i < mappings->count; i++)
		fits = mapping_try(&one, mappings->items[i], address);
	for (size_t i = 0; i < one.recipients.count; i++)
		recipient_add(m, one.recipients.items[i]);
	strlist_free(&one.recipients);
	return fits;
}

static void
recipients_of(struct making *m, const char *address)
{
	if (!mappings_try(m, address))
		recipient_add(m, address);
}

static void
recipients_of_full(struct making *m, const char *name)
{
	const json_t *list = json_object_get(m->post, name), *one;
	size_t i;

	json_array_foreach(list, i, one) recipients_of(m, text_of(one, "Email"));
}

static void
add_escaped(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c > ' ' && c < 0x7F && strchr("\",;:<>()[]\\@", c) == NULL)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

/*
 * An address that is none to us as what an item may have for one: what cannot stand there is
 * written with %, so that it is nobody else's.
 */
static char *
escaped(const char *address, bool is_whole)
{
	const char *at = strrchr(address, '@');
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	if (is_whole && at != NULL && at > address && at[1] != '\0') {
		add_escaped(&out, address, (size_t)(at - address));
		buf_addc(&out, '@');
		add_escaped(&out, at + 1, strlen(at + 1));
	} else {
		add_escaped(&out, address, strlen(address));
		buf_adds(&out, "@unknown.invalid"); /* RFC 2606 2 */
	}
	return buf_take(&out, NULL);
}

/*
 * Postmark takes mail for addresses that it would not send to, and that we know none better than by
 * a mapping.  Who stands in To is not asked then: a blind copy is for none of those.
 */
static void
recipients_of_odd(struct making *m, const char *address, bool is_whole)
{
	m->original = escaped(address, is_whole);
	if (mappings_try(m, address))
		return;
	strlist_add(&m->recipients, m->original);
	m->held_why = mem_format("Postmark took it for %s, which mail cannot go to here, and no "
				 "pair of inbound.recipients is for it; released, it goes to %s",
	    address, m->original);
}

static int
recipients_make(struct making *m)
{
	char canonical[ADDRESS_SIZE];
	const char *came = text_of(m->post, "OriginalRecipient");
	char *original = text_kept(came, MOST_ADDRESS_BYTES);

	if (original[0] == '\0') {
		m->original = mem_string("");
		recipients_of_full(m, "ToFull");
		if (m->recipients.count == 0) {
			recipients_of_full(m, "CcFull");
			recipients_of_full(m, "BccFull");
		}
	} else if (address_canonical(came, strlen(came), canonical) == ADDRESS_OK) {
		m->original = mem_string(canonical);
		recipients_of(m, canonical);
	} else {
		recipients_of_odd(m, original, strlen(came) <= MOST_ADDRESS_BYTES);
	}
	free(original);
	if (m->recipients.count > 0)
		return 0;
	return refuse(m, 422, "Neither OriginalRecipient nor ToFull has an address.");
}

/* --- what stands on top ------------------------------------------------------------------- */

static void
add_recipient(const struct making *m, struct buf *out, const char *recipient)
{
	buf_addf(out, "Delivered-To: %s\r\n", recipient);
	if (m->original[0] != '\0')
		buf_addf(out, "X-Original-To: %s\r\n", m->original);
}

static void
add_trace(struct making *m, struct buf *out)
{
	GDateTime *now = g_date_time_new_from_unix_utc(m->now_ms / 1000);
	char *date = g_mime_utils_header_format_date(now);

	g_date_time_unref(now);
	buf_addf(out, MARK ": %s; %s\r\n", m->options->hostname, text_of(m->post, "MessageID"));
	buf_addf(out,
	    "Received: from inbound.postmarkapp.com by %s (pmrelay)\r\n"
	    "\twith HTTP id %s; %s\r\n",
	    m->options->hostname, m->mail->id, date);
	g_free(date);
}

/* --- a mail as it came -------------------------------------------------------------------- */

/* What would not begin with a field: it would go on with the last of ours. */
static const char *
raw_begin(const char *raw, const char *end)
{
	while (raw < end && strchr(" \t\r\n", *raw) != NULL && *raw != '\0')
		raw++;
	if ((size_t)(end - raw) > 5 && memcmp(raw, "From ", 5) == 0) {
		const char *lf = memchr(raw, '\n', (size_t)(end - raw));

		raw = lf != NULL ? lf + 1 : end;
	}
	return raw;
}

/* CRLF for each line end, whichever it is, and no NUL. */
static void
add_raw(struct buf *out, const char *raw, const char *end)
{
	const char *from = raw;

	for (const char *at = raw; at < end; at++) {
		if (*at != '\n' && *at != '\r' && *at != '\0')
			continue;
		if (*at == '\r' && at + 1 < end && at[1] == '\n') {
			at++; /* as it has to be */
			continue;
		}
		buf_add(out, from, (size_t)(at - from));
		if (*at != '\0')
			buf_adds(out, "\r\n");
		from = at + 1;
	}
	buf_add(out, from, (size_t)(end - from));
	if (out->len < 2 || memcmp(out->data + out->len - 2, "\r\n", 2) != 0)
		buf_adds(out, "\r\n");
}

/* --- what its header says ----------------------------------------------------------------- */

struct told {
	unsigned hops;
	bool was_here;
	bool is_automatic;
	char *message_id;
	char *return_path; /* NULL: there is none */
};

static void
field_read(const struct making *m, const char *name, const char *value, struct told *told)
{
	size_t host_len = strlen(m->options->hostname);

	if (text_same(name, "Received")) {
		told->hops++;
	} else if (text_same(name, MARK)) {
		told->was_here = told->was_here || (text_starts(value, m->options->hostname) &&
						       value[host_len] == ';');
	} else if (text_same(name, "Message-ID") && told->message_id == NULL) {
		told->message_id = mem_string(value);
	} else if (text_same(name, "Return-Path") && told->return_path == NULL) {
		told->return_path = mem_string(value);
	} else if (text_same(name, "Auto-Submitted")) {
		/* RFC 3834 5 */
		told->is_automatic = told->is_automatic || !text_starts(value, "no");
	} else if (text_same(name, "List-Id") ||
		   (text_same(name, "Precedence") &&
		       (text_same(value, "bulk") || text_same(value, "list") ||
			   text_same(value, "junk")))) {
		told->is_automatic = true;
	}
}

static const char *
line_end(const char *line, const char *end)
{
	const char *lf = memchr(line, '\n', (size_t)(end - line));

	return lf == NULL ? end : lf + 1;
}

/* The header that came, until its empty line. */
static void
header_read(const struct making *m, const char *at, const char *end, struct told *told)
{
	while (at < end && *at != '\r') {
		const char *line = at, *colon;

		at = line_end(line, end);
		while (at < end && (*at == ' ' || *at == '\t'))
			at = line_end(at, end);
		colon = memchr(line, ':', (size_t)(at - line));
		if (colon != NULL && colon - line <= (ptrdiff_t)HEADERS_MOST_NAME) {
			char *name = mem_bytes(line, (size_t)(colon - line));
			char *value = mime_plain_value(colon + 1, (size_t)(at - colon - 1));

			name[strcspn(name, " \t")] = '\0';
			field_read(m, name, value, told);
			free(name);
			free(value);
		}
	}
}

/*
 * Return-Path is of the transaction (RFC 5321 4.4) and not for a mail that is built again, but it
 * alone tells a bounce, whose answer must go to nobody.
 */
static void
return_path_read(const struct making *m, struct told *told)
{
	const json_t *list = json_object_get(m->post, "Headers"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *text = text_of(one, "Value");
		char *value;

		if (!text_same(text_of(one, "Name"), "Return-Path"))
			continue;
		value = mime_plain_value(text, strlen(text));
		field_read(m, "Return-Path", value, told);
		free(value);
	}
}

static bool
is_daemon(const char *address)
{
	return text_starts(address, "mailer-daemon@");
}

/* To whom a bounce of a delivery would go. */
static char *
reverse_path(const struct making *m, const struct told *told)
{
	const json_t *from = json_object_get(m->post, "FromFull");
	const char *sender = text_of(from, "Email");
	char canonical[ADDRESS_SIZE], *path = NULL;

	if (sender[0] == '\0')
		sender = text_of(m->post, "From");
	if (told->return_path != NULL) {
		const char *begin = told->return_path + strspn(told->return_path, " <");

		path = mem_bytes(begin, strcspn(begin, "> "));
		sender = path;
	}
	if (told->is_automatic || is_daemon(sender) ||
	    address_canonical(sender, strlen(sender), canonical) != ADDRESS_OK)
		canonical[0] = '\0';
	free(path);
	return mem_string(canonical);
}

static void
facts_fill(struct making *m, const struct told *told)
{
	struct mail *mail = m->mail;
	const char *from = text_of(json_object_get(m->post, "FromFull"), "Email");

	mail->accepted_ms = m->now_ms;
	mail->route = mem_string(INBOUND_ROUTE);
	mail->listener = mem_string("webhook");
	mail->client = mem_string("postmark");
	mail->helo = mem_string("");
	mail->ledger = mem_string("");
	mail->reverse_path = reverse_path(m, told);
	mail->subject = text_kept(text_of(m->post, "Subject"), MOST_SUBJECT_BYTES);
	mail->from = text_kept(from[0] != '\0' ? from : text_of(m->post, "From"), MOST_TEXT_BYTES);
	mail->message_id =
	    text_kept(told->message_id != NULL ? told->message_id : "", MOST_TEXT_BYTES);
	if (told->was_here)
		mail->held_why =
		    mem_format("it goes round in circles: this relay, %s, has delivered it before",
			m->options->hostname);
	else if (told->hops > m->options->most_hops)
		mail->held_why = mem_format(
		    "it goes round in circles: %u Received fields, and inbound.hops is %u",
		    told->hops, m->options->most_hops);
	else if (m->held_why != NULL)
		mail->held_why = mem_string(m->held_why);
}

/* --- items -------------------------------------------------------------------------------- */

/* For one recipient all is one payload; several have the rest in common. */
static int
items_make(struct making *m, struct buf *content)
{
	struct mail *mail = m->mail;
	size_t count = m->recipients.count;
	struct refusal refusal;

	mail->items = mem_array(count, sizeof(*mail->items));
	for (size_t i = 0; i < count; i++) {
		struct item *item = &mail->items[mail->item_count++];
		struct buf head;
		int failed;

		item->number = (unsigned)mail->item_count;
		item->kind = ITEM_LOCAL;
		payload_init(&item->payload);
		strlist_add(&item->recipients, m->recipients.items[i]);
		if (count == 1)
			return payload_settle(&item->payload, content, &refusal);
		buf_init(&head, SIZE_MAX / 4);
		add_recipient(m, &head, m->recipients.items[i]);
		failed = payload_settle(&item->payload, &head, &refusal);
		buf_free(&head);
		if (failed)
			return -1;
	}
	return payload_settle(&mail->shared, content, &refusal);
}

static int
content_make(struct making *m, struct buf *out)
{
	const json_t *raw = json_object_get(m->post, "RawEmail");
	const char *text = json_string_value(raw);
	const struct rebuilt_input again = { .post = m->post,
		.id = m->mail->id,
		.hostname = m->options->hostname,
		.now_ms = m->now_ms };
	bool is_raw = text != NULL && text[0] != '\0';
	size_t expected = is_raw ? json_string_length(raw) + json_string_length(raw) / 16 + 2048
				 : rebuilt_expected(m->post);
	/* Each recipient's fields count, too; they are short. */
	payload_begin(out, m->options->most_bytes, expected);
	if (m->recipients.count == 1)
		add_recipient(m, out, m->recipients.items[0]);
	add_trace(m, out);
	m->top_bytes = out->len;
	if (is_raw) {
		const char *end = text + json_string_length(raw);

		add_raw(out, raw_begin(text, end), end);
	} else if (rebuilt_add(out, &again, m->why, m->why_size) != 0) {
		*m->status_r = 422;
		return -1;
	}
	return out->over ? refuse(m, 413, "The mail is larger than this relay takes.") : 0;
}

static int
mail_make(struct making *m)
{
	struct told told = { 0 };
	struct buf content = { 0 };
	int result = content_make(m, &content);

	if (result == 0) {
		header_read(m, content.data + m->top_bytes, content.data + content.len, &told);
		return_path_read(m, &told);
		facts_fill(m, &told);
		m->mail->content_bytes = content.len;
		result = items_make(m, &content);
		if (result != 0)
			refuse(m, 503, "No file descriptor is left for this mail.");
	}
	free(told.message_id);
	free(told.return_path);
	buf_free(&content);
	return result;
}

int
inbound_make(const struct inbound_options *options, const json_t *post, int64_t now_ms,
    struct mail **mail_r, int *status_r, char *why, size_t why_size)
{
	struct making m = { .options = options,
		.post = post,
		.now_ms = now_ms,
		.status_r = status_r,
		.why = why,
		.why_size = why_size };
	int result;

	*mail_r = NULL;
	if (!json_is_object(post) || !message_id_is_good(text_of(post, "MessageID")))
		return refuse(&m, 422, "MessageID is not what Postmark would give.");
	m.mail = mail_new();
	id_make(&m);
	result = recipients_make(&m);
	if (result == 0)
		result = mail_make(&m);
	if (result == 0)
		*mail_r = m.mail;
	else
		mail_free(&m.mail);
	strlist_free(&m.recipients);
	free(m.original);
	free(m.held_why);
	return result;
}
