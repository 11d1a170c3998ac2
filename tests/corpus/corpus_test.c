/*
 * Every mail of the corpus through the conversion, held against what is written down beside it
 * (README.md).
 *
 *	corpus_test [--mails FOLDER] [--print FOLDER] [NAME...]
 *
 * --print writes what became of each mail, in the form of the expectations, for oracle.py; then
 * nothing is compared, and known failures are left out.
 */

#include <glib.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"

#define MAIL_ID "01J8ZZZZZZZZZZZZZZZZZZZZZZ"

/*
 * Mails whose expectation is right and not met yet.  One that is met must leave the list: its
 * test fails then.
 */
static const char *const known_failures[] = {
	NULL,
};

struct differences {
	const char *name;
	unsigned count;
};

static void note(struct differences *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct differences *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	d->count++;
}

static void __attribute__((noreturn)) give_up(const char *name, const char *why)
{
	printf("Bail out! %s: %s\n", name, why);
	exit(99);
}

/* --- comparing --------------------------------------------------------------- */

/* For people: one line, and not the whole of a long text. */
static char *
show(const json_t *value)
{
	char *text;

	if (value == NULL)
		return mem_string("nothing");
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
	if (strlen(text) > 2000) {
		char *cut = mem_format("%.1990s (and more)", text);

		free(text);
		text = cut;
	}
	return text;
}

static void compare(struct differences *, const char *path, const json_t *want, const json_t *got);

static void
compare_objects(struct differences *d, const char *path, const json_t *want, const json_t *got)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)want, key, value)
	{
		char *below = mem_format("%s.%s", path, key);

		compare(d, below, value, json_object_get(got, key));
		free(below);
	}
	json_object_foreach((json_t *)got, key, value)
	{
		char *below = mem_format("%s.%s", path, key);

		if (json_object_get(want, key) == NULL)
			compare(d, below, NULL, value);
		free(below);
	}
}

static void
compare_arrays(struct differences *d, const char *path, const json_t *want, const json_t *got)
{
	size_t most = json_array_size(want);

	if (json_array_size(got) > most)
		most = json_array_size(got);
	for (size_t i = 0; i < most; i++) {
		char *below = mem_format("%s[%zu]", path, i);

		compare(d, below, json_array_get(want, i), json_array_get(got, i));
		free(below);
	}
}

static void
compare(struct differences *d, const char *path, const json_t *want, const json_t *got)
{
	if (json_is_object(want) && json_is_object(got)) {
		compare_objects(d, path, want, got);
	} else if (json_is_array(want) && json_is_array(got)) {
		compare_arrays(d, path, want, got);
	} else if (want == NULL || got == NULL || !json_equal(want, got)) {
		char *wanted = show(want), *had = show(got);

		note(d, "%s%s\n#    should be %s\n#    and is    %s", d->name, path, wanted, had);
		free(wanted);
		free(had);
	}
}

/* --- a mail and its envelope --------------------------------------------------- */

static enum fidelity_policy
policy_read(const char *name, const char *word)
{
	static const char *const words[] = { "convert", "reject", "smtp" };

	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum fidelity_policy)i;
	give_up(name, "no such policy");
}

static void
options_read(const char *name, const json_t *record, struct convert_options *options)
{
	const json_t *given = json_object_get(record, "options");
	const json_t *most = json_object_get(given, "most_recipients");
	const char *entry;
	json_t *word;

	*options = (struct convert_options){
		.route = "default",
		.message_stream = "",
		.default_tag = "",
		.track_opens = -1,
		.track_links = "",
		.controls = CONTROLS_ALL,
		.from = "",
		.most_api_bytes = 10485760,
		.most_body_bytes = 5242880,
		.most_recipients = most == NULL ? 50 : (unsigned)json_integer_value(most),
		.limits = { .depth = 100, .parts = 1000, .headers = 1000 },
	};
	json_object_foreach(json_object_get(given, "policy"), entry, word)
	{
		unsigned i = 0;

		while (i < LEDGER_ENTRIES && strcmp(ledger_word((enum ledger_entry)i), entry) != 0)
			i++;
		if (i == LEDGER_ENTRIES)
			give_up(name, "no such ledger entry");
		options->policy[i] = policy_read(name, json_string_value(word));
	}
}

static void
envelope_read(const char *name, const json_t *record, struct envelope *envelope)
{
	const json_t *given = json_object_get(record, "envelope");
	const char *from = json_string_value(json_object_get(given, "from"));
	const json_t *to = json_object_get(given, "to");

	if (from == NULL || !json_is_array(to))
		give_up(name, "no envelope");
	envelope_init(envelope);
	free(envelope->reverse_path);
	envelope->reverse_path = mem_string(from);
	for (size_t i = 0; i < json_array_size(to); i++)
		strlist_add(&envelope->recipients, json_string_value(json_array_get(to, i)));
}

/* --- what became of it --------------------------------------------------------- */

/* In the place of the bytes: how many, and their hash. */
static void
attachment_settle(struct differences *d, json_t *attachment)
{
	const char *content = json_string_value(json_object_get(attachment, "Content"));
	char *hash, *again;
	guchar *bytes;
	gsize len;

	if (content == NULL) {
		note(d, "%s: an attachment without Content", d->name);
		return;
	}
	bytes = g_base64_decode(content, &len);
	again = g_base64_encode(bytes, len);
	if (strcmp(again, content) != 0)
		note(d, "%s: an attachment's Content is not the base64 of anything", d->name);
	hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, len);
	json_object_del(attachment, "Content");
	json_object_set_new(attachment, "bytes", json_integer((json_int_t)len));
	json_object_set_new(attachment, "sha256", json_string(hash));
	g_free(hash);
	g_free(again);
	g_free(bytes);
}

/* Of a mail that goes as it is: who gets it, the lines of its header, and its body's hash. */
static json_t *
verbatim_settle(const struct item *item, const char *bytes, size_t len)
{
	const char *body = memmem(bytes, len, "\r\n\r\n", 4), *next;
	json_t *recipients = json_array(), *header = json_array();
	char *hash;

	body = body == NULL ? bytes + len : body + 4;
	for (const char *line = bytes; body - line > 2; line = next + 2) {
		next = memmem(line, (size_t)(body - line), "\r\n", 2);
		json_array_append_new(header, json_stringn(line, (size_t)(next - line)));
	}
	for (size_t i = 0; i < item->recipients.count; i++)
		json_array_append_new(recipients, json_string(item->recipients.items[i]));
	len -= (size_t)(body - bytes);
	hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)body, len);
	json_t *json = json_pack("{s:o,s:o,s:I,s:s}", "smtp-recipients", recipients, "smtp-header",
	    header, "smtp-bytes", (json_int_t)len, "smtp-sha256", hash);
	g_free(hash);
	return json;
}

static json_t *
item_settle(struct differences *d, const struct mail *mail, const struct item *item)
{
	json_t *json, *attachment;
	json_error_t error;
	struct buf whole;
	size_t i;

	buf_init(&whole, SIZE_MAX / 4);
	if (payload_read(&item->payload, &whole) != 0 || payload_read(&mail->shared, &whole) != 0)
		give_up(d->name, "the payload cannot be read");
	if (item->kind == ITEM_SMTP) {
		json = verbatim_settle(item, whole.data, whole.len);
		buf_free(&whole);
		return json;
	}
	if (!text_is_utf8(whole.data, whole.len))
		note(d, "%s: the JSON is not valid UTF-8", d->name);
	json = json_loadb(whole.data, whole.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (json == NULL) {
		note(d, "%s: no JSON: %s at %d", d->name, error.text, error.position);
		json = json_null();
	}
	json_array_foreach(json_object_get(json, "Attachments"), i, attachment)
	{
		attachment_settle(d, attachment);
	}
	buf_free(&whole);
	return json;
}

static json_t *
convert(struct differences *d, const json_t *record, const char *content, size_t len)
{
	const struct origin origin = { .listener = "127.0.0.1:2525",
		.client = "127.0.0.1",
		.helo = "client.example",
		.user = "" };
	struct convert_options options;
	struct envelope envelope;
	struct refusal refusal = { 0 };
	struct mail *mail = NULL;
	json_t *result = json_object();

	options_read(d->name, record, &options);
	envelope_read(d->name, record, &envelope);
	const struct convert_input input = { .envelope = &envelope,
		.origin = &origin,
		.content = content,
		.content_len = len,
		.mail_id = MAIL_ID,
		.accepted_ms = 1 };
	if (convert_mail(&options, &input, &mail, &refusal) != 0) {
		char *text = mem_format("%d %s %s", refusal.code, refusal.enhanced, refusal.text);

		json_object_set_new(result, "expect", json_string(text));
		free(text);
	} else {
		json_t *items = json_array();

		for (size_t i = 0; i < mail->item_count; i++)
			json_array_append_new(items, item_settle(d, mail, &mail->items[i]));
		json_object_set_new(result, "expect", items);
		json_object_set_new(result, "ledger", json_string(mail->ledger));
	}
	mail_free(&mail);
	envelope_free(&envelope);
	return result;
}

/* A refusal is expected by how it begins. */
static void
judge(struct differences *d, const json_t *record, const json_t *result)
{
	const json_t *want = json_object_get(record, "expect"), *got;
	const char *refusal = json_string_value(want), *reply;

	got = json_object_get(result, "expect");
	reply = json_string_value(got);
	if (refusal != NULL && reply != NULL && strncmp(reply, refusal, strlen(refusal)) == 0)
		return;
	compare(d, "", want, got);
	if (refusal == NULL && reply == NULL)
		compare(d, ".ledger", json_object_get(record, "ledger"),
		    json_object_get(result, "ledger"));
}

/* --- what is cut, damaged or large -------------------------------------------------- */

/* Numbers that are the same each time. */
static unsigned
next_number(unsigned *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

/*
 * A damaged mail may be refused or become anything, but not invalid JSON, and the guard, which
 * answers 451, must never have a reason to step in.
 */
static void
damaged_try(struct differences *d, const json_t *record, const char *content, size_t len)
{
	json_t *result = convert(d, record, content, len);
	const char *reply = json_string_value(json_object_get(result, "expect"));

	for (const char *c = reply; c != NULL && *c != '\0'; c++)
		if (*c < 0x20 || *c == 0x7F)
			note(d, "%s: a reply with control characters: %s", d->name, reply);
	if (reply != NULL && strncmp(reply, "5", 1) != 0)
		note(d, "%s, damaged: %s", d->name, reply);
	json_decref(result);
}

#define DAMAGES 12

static void
damaged_test(struct differences *d, const json_t *record, const char *content, size_t len)
{
	unsigned state = (unsigned)len;
	char *copy;

	if (len == 0)
		return;
	for (unsigned i = 0; i < DAMAGES; i++)
		damaged_try(d, record, content, next_number(&state) % len);
	copy = mem_bytes(content, len);
	for (unsigned i = 0; i < DAMAGES; i++) {
		for (unsigned j = 0; j < 1 + i / 2; j++)
			copy[next_number(&state) % len] = (char)next_number(&state);
		damaged_try(d, record, copy, len);
	}
	free(copy);
}

/* A file of every byte, in the encoding named; the bytes that come out must be those. */
static bool
large_test(const char *encoding, size_t bytes)
{
	struct differences d = { .name = encoding };
	unsigned char *original = mem_array(bytes, 1);
	unsigned state = 1;
	struct buf content;
	json_t *record, *result, *attachment;

	for (size_t i = 0; i < bytes; i++)
		original[i] = (unsigned char)next_number(&state);
	buf_init(&content, SIZE_MAX / 4);
	buf_addf(&content,
	    "From: shop@shop.example\r\nTo: ann@reader.example\r\nContent-Type: "
	    "application/x-large; name=large\r\nContent-Transfer-Encoding: %s\r\n\r\n",
	    encoding);
	for (size_t i = 0; i < bytes; i += 57) {
		size_t line = bytes - i < 57 ? bytes - i : 57;

		if (strcmp(encoding, "base64") == 0) {
			char *text = g_base64_encode(original + i, line);

			buf_adds(&content, text);
			g_free(text);
		} else {
			for (size_t j = 0; j < line; j++)
				buf_addf(&content, "=%02X%s", original[i + j],
				    j % 19 == 18 ? "=\r\n" : "");
			buf_addc(&content, '=');
		}
		buf_adds(&content, "\r\n");
	}
	record = json_pack("{s:{s:s,s:[s]}}", "envelope", "from", "", "to", "ann@reader.example");
	result = convert(&d, record, content.data, content.len);
	attachment = json_array_get(
	    json_object_get(json_array_get(json_object_get(result, "expect"), 0), "Attachments"),
	    0);
	char *hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, original, bytes);
	const char *got = json_string_value(json_object_get(attachment, "sha256"));
	if (got == NULL || strcmp(got, hash) != 0)
		note(&d, "%zu bytes in %s came out as others", bytes, encoding);
	g_free(hash);
	json_decref(record);
	json_decref(result);
	buf_free(&content);
	free(original);
	return d.count == 0;
}

/* --- the folder ---------------------------------------------------------------- */

static int
name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the folder, without ".json". */
static GPtrArray *
names_read(const char *folder)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GDir *dir = g_dir_open(folder, 0, NULL);
	const char *file;

	if (dir == NULL)
		give_up(folder, "no such folder");
	while ((file = g_dir_read_name(dir)) != NULL)
		if (g_str_has_suffix(file, ".json"))
			g_ptr_array_add(names, g_strndup(file, strlen(file) - 5));
	g_dir_close(dir);
	g_ptr_array_sort(names, name_compare);
	return names;
}

static bool
is_known_failure(const char *name)
{
	for (size_t i = 0; known_failures[i] != NULL; i++)
		if (strcmp(known_failures[i], name) == 0)
			return true;
	return false;
}

/* false: it is not as expected. */
static bool
mail_test(const char *folder, const char *name, const char *print)
{
	char *json_path = mem_format("%s/%s.json", folder, name);
	char *content_path = mem_format("%s/%s.eml", folder, name);
	struct differences d = { .name = name };
	json_error_t error;
	json_t *record = json_load_file(json_path, JSON_REJECT_DUPLICATES, &error), *result;
	char *content;
	gsize len;

	if (record == NULL)
		give_up(json_path, error.text);
	if (!g_file_get_contents(content_path, &content, &len, NULL))
		give_up(content_path, "cannot be read");
	result = convert(&d, record, content, len);
	if (print != NULL) {
		char *path = mem_format("%s/%s.json", print, name);

		if (json_dump_file(result, path, JSON_INDENT(1)) != 0)
			give_up(path, "cannot be written");
		free(path);
	} else {
		judge(&d, record, result);
		damaged_test(&d, record, content, len);
	}
	json_decref(record);
	json_decref(result);
	g_free(content);
	free(json_path);
	free(content_path);
	return d.count == 0;
}

int
main(int argc, char **argv)
{
	const char *source = getenv("top_srcdir"), *print = NULL;
	char *folder = mem_format("%s/tests/corpus/mails", source == NULL ? "." : source);
	unsigned passed = 0, failed = 0, known = 0;
	GPtrArray *names;

	for (; argc > 2 && argv[1][0] == '-'; argc -= 2, argv += 2) {
		if (strcmp(argv[1], "--print") == 0) {
			print = argv[2];
		} else if (strcmp(argv[1], "--mails") == 0) {
			free(folder);
			folder = mem_string(argv[2]);
		} else {
			give_up(argv[1], "no such option");
		}
	}
	convert_setup();
	if (argc > 1) {
		names = g_ptr_array_new_with_free_func(g_free);
		for (int i = 1; i < argc; i++)
			g_ptr_array_add(names, g_strdup(argv[i]));
	} else {
		names = names_read(folder);
	}
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		bool is_known = is_known_failure(name), good;

		if (is_known && print != NULL)
			continue;
		good = mail_test(folder, name, print);
		if (is_known) {
			known += !good;
			failed += good;
			printf("%s %u - %s # TODO known failure\n", good ? "not ok" : "ok", i + 1,
			    name);
			continue;
		}
		passed += good;
		failed += !good;
		printf("%s %u - %s\n", good ? "ok" : "not ok", i + 1, name);
	}
	if (print == NULL && argc == 1) {
		static const struct {
			const char *encoding;
			size_t bytes;
		} large[] = { { "base64", 7000000 }, { "quoted-printable", 3000000 },
			{ "base64", 100000 } };

		for (size_t i = 0; i < G_N_ELEMENTS(large); i++) {
			bool good = large_test(large[i].encoding, large[i].bytes);

			passed += good;
			failed += !good;
			printf("%s - %zu bytes in %s\n", good ? "ok" : "not ok", large[i].bytes,
			    large[i].encoding);
		}
	}
	printf("%u passed, %u failed, %u known failures\n", passed, failed, known);
	if (names->len == 0)
		failed = 1;
	g_ptr_array_free(names, TRUE);
	free(folder);
	return failed == 0 ? 0 : 1;
}
