/*
 * Command lines.  The grammar is RFC 5321 4.1.1 and 4.1.2; a source route is read over, as
 * RFC 5321 appendix C asks, and what stands between the angle brackets is judged by mail/address.
 */

#include <string.h>

#include "base/text.h"
#include "mail/address.h"
#include "smtp/command.h"

static const char *const verb_names[SMTP_VERBS] = {
	[SMTP_HELO] = "HELO",
	[SMTP_EHLO] = "EHLO",
	[SMTP_MAIL] = "MAIL",
	[SMTP_RCPT] = "RCPT",
	[SMTP_DATA] = "DATA",
	[SMTP_RSET] = "RSET",
	[SMTP_NOOP] = "NOOP",
	[SMTP_VRFY] = "VRFY",
	[SMTP_EXPN] = "EXPN",
	[SMTP_HELP] = "HELP",
	[SMTP_QUIT] = "QUIT",
	[SMTP_STARTTLS] = "STARTTLS",
	[SMTP_AUTH] = "AUTH",
	[SMTP_UNKNOWN] = "",
};

const char *
smtp_verb_name(enum smtp_verb verb)
{
	return verb_names[verb];
}

/* A piece of the line. */
struct piece {
	const char *text;
	size_t len;
};

static bool
piece_same(struct piece piece, const char *word)
{
	return piece.len == strlen(word) && text_same_n(piece.text, word, piece.len);
}

static void
piece_skip(struct piece *piece, size_t len)
{
	piece->text += len;
	piece->len -= len;
}

static void
skip_spaces(struct piece *piece)
{
	while (piece->len > 0 && (*piece->text == ' ' || *piece->text == '\t'))
		piece_skip(piece, 1);
}

/* What stands before the next space goes to word, and rest to behind it. */
static struct piece
take_word(struct piece *rest)
{
	struct piece word = { rest->text, 0 };

	while (word.len < rest->len && word.text[word.len] != ' ' && word.text[word.len] != '\t')
		word.len++;
	piece_skip(rest, word.len);
	skip_spaces(rest);
	return word;
}

static enum smtp_verb
find_verb(struct piece word)
{
	for (enum smtp_verb verb = 0; verb < SMTP_UNKNOWN; verb++)
		if (piece_same(word, verb_names[verb]))
			return verb;
	return SMTP_UNKNOWN;
}

static bool
has_control(struct piece piece)
{
	for (size_t i = 0; i < piece.len; i++) {
		unsigned char byte = (unsigned char)piece.text[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return true;
	}
	return false;
}

static bool
has_utf8(struct piece piece)
{
	for (size_t i = 0; i < piece.len; i++)
		if ((unsigned char)piece.text[i] >= 0x80)
			return true;
	return false;
}

/*
 * Takes the path, and gives what is between its brackets.  A '>' within a quoted local part does
 * not end it.  0, or -1 when there is no path.
 */
static int
take_path(struct piece *rest, struct piece *path_r)
{
	bool quoted = false;
	size_t i;

	if (rest->len == 0)
		return -1;
	if (*rest->text != '<') {
		*path_r = take_word(rest);
		if (memchr(path_r->text, '<', path_r->len) != NULL ||
		    memchr(path_r->text, '>', path_r->len) != NULL)
			return -1;
		return path_r->len > 0 ? 0 : -1;
	}
	for (i = 1; i < rest->len; i++) {
		if (rest->text[i] == '\\' && quoted)
			i++;
		else if (rest->text[i] == '"')
			quoted = !quoted;
		else if (rest->text[i] == '>' && !quoted)
			break;
	}
	if (i >= rest->len)
		return -1;
	*path_r = (struct piece){ rest->text + 1, i - 1 };
	piece_skip(rest, i + 1);
	if (rest->len > 0 && *rest->text != ' ' && *rest->text != '\t')
		return -1;
	skip_spaces(rest);
	return 0;
}

/* "@a.example,@b.example:user@c.example" to "user@c.example".  0, or -1. */
static int
skip_source_route(struct piece *path)
{
	const char *colon;

	if (path->len == 0 || *path->text != '@')
		return 0;
	colon = memchr(path->text, ':', path->len);
	if (colon == NULL)
		return -1;
	for (const char *p = path->text; p < colon; p++)
		if (*p == '"' || *p == '<' || *p == ' ' || (*p == ',' && p[1] != '@'))
			return -1;
	piece_skip(path, (size_t)(colon + 1 - path->text));
	return 0;
}

/* One MAIL parameter (RFC 1870, RFC 6152, RFC 6531).  seen tells of repeats. */
static enum smtp_fault
take_mail_parameter(struct smtp_command *command, struct piece name, struct piece value,
    bool has_value, unsigned *seen)
{
	enum { SEEN_SIZE = 1, SEEN_BODY = 2, SEEN_SMTPUTF8 = 4 };
	unsigned this;

	if (piece_same(name, "SIZE"))
		this = SEEN_SIZE;
	else if (piece_same(name, "BODY"))
		this = SEEN_BODY;
	else if (piece_same(name, "SMTPUTF8"))
		this = SEEN_SMTPUTF8;
	else
		return SMTP_FAULT_PARAMETER;
	if ((*seen & this) != 0 || has_value != (this != SEEN_SMTPUTF8))
		return SMTP_FAULT_PARAMETER_VALUE;
	*seen |= this;
	if (this == SEEN_SIZE) {
		/* RFC 1870 6: up to 20 digits; what does not fit is larger than any limit. */
		command->has_size = true;
		command->size_bytes = UINT64_MAX;
		for (size_t i = 0; i < value.len; i++)
			if (value.text[i] < '0' || value.text[i] > '9')
				return SMTP_FAULT_PARAMETER_VALUE;
		if (value.len == 0 || value.len > 20)
			return SMTP_FAULT_PARAMETER_VALUE;
		text_number(value.text, value.len, 0, UINT64_MAX, &command->size_bytes);
	} else if (this == SEEN_BODY) {
		command->body_8bit = piece_same(value, "8BITMIME");
		if (!command->body_8bit && !piece_same(value, "7BIT"))
			return SMTP_FAULT_PARAMETER_VALUE;
	} else
		command->smtputf8 = true;
	return SMTP_FAULT_NONE;
}

static enum smtp_fault
take_parameters(struct smtp_command *command, struct piece rest, bool esmtp)
{
	unsigned seen = 0;

	while (rest.len > 0) {
		struct piece name = take_word(&rest);
		struct piece value = { "", 0 };
		const char *equals = memchr(name.text, '=', name.len);
		enum smtp_fault fault;

		if (!esmtp || command->verb == SMTP_RCPT)
			return SMTP_FAULT_PARAMETER;
		if (equals != NULL) {
			value.text = equals + 1;
			value.len = (size_t)(name.text + name.len - value.text);
			name.len = (size_t)(equals - name.text);
		}
		fault = take_mail_parameter(command, name, value, equals != NULL, &seen);
		if (fault != SMTP_FAULT_NONE)
			return fault;
	}
	return SMTP_FAULT_NONE;
}

/*
 * Postmark never sees a reverse-path, so its rules for addresses are not asked of one: old devices
 * and cron send from "root" or "www@web_01".  It is kept as it came, for records and bounces, as
 * long as it can be said again between angle brackets.
 */
static bool
is_tolerable_sender(const struct smtp_command *command, struct piece path)
{
	const char *at = memrchr(path.text, '@', path.len);
	const char *plain = path.text; /* from here on, nothing is quoted */

	switch (command->address_fault) {
	case ADDRESS_LOCAL_QUOTED:
		if (at == NULL)
			return false;
		plain = at;
		break;
	case ADDRESS_LOCAL_UTF8:
	case ADDRESS_DOMAIN:
		break;
	case ADDRESS_OK:
	case ADDRESS_SYNTAX:
	case ADDRESS_LENGTH:
		return false;
	}
	for (const char *c = plain; c < path.text + path.len; c++) {
		if (strchr(" \t\"\\<>", *c) != NULL)
			return false;
	}
	return command->verb == SMTP_MAIL && path.len < ADDRESS_SIZE &&
	       text_is_utf8(path.text, path.len) && memchr(path.text, '\t', path.len) == NULL;
}

static enum smtp_fault
judge_path(struct smtp_command *command, struct piece path, bool utf8)
{
	if (skip_source_route(&path) != 0) {
		command->address_fault = ADDRESS_SYNTAX;
		return SMTP_FAULT_ADDRESS;
	}
	/* RFC 5321 4.1.1.3: the only recipient that needs no domain. */
	if (command->verb == SMTP_RCPT && piece_same(path, "postmaster")) {
		strcpy(command->address, "postmaster");
		return SMTP_FAULT_NONE;
	}
	if (has_utf8(path) && !utf8)
		return SMTP_FAULT_NEEDS_SMTPUTF8;
	command->address_fault = address_canonical(path.text, path.len, command->address);
	if (command->address_fault == ADDRESS_OK)
		return SMTP_FAULT_NONE;
	command->address[0] = '\0';
	if (is_tolerable_sender(command, path)) {
		memcpy(command->address, path.text, path.len);
		command->address[path.len] = '\0';
		command->address_fault = ADDRESS_OK;
		return SMTP_FAULT_NONE;
	}
	return SMTP_FAULT_ADDRESS;
}

/* "FROM:<path> parameters" or "TO:<path> parameters". */
static enum smtp_fault
parse_path_command(struct smtp_command *command, const char *word, bool esmtp, bool utf8)
{
	struct piece rest = { command->rest, command->rest_len };
	struct piece path = { "", 0 };
	size_t word_len = strlen(word);
	enum smtp_fault fault;

	if (rest.len < word_len || !text_same_n(rest.text, word, word_len))
		return SMTP_FAULT_SYNTAX;
	piece_skip(&rest, word_len);
	skip_spaces(&rest);
	if (take_path(&rest, &path) != 0)
		return SMTP_FAULT_SYNTAX;
	fault = take_parameters(command, rest, esmtp);
	if (fault != SMTP_FAULT_NONE)
		return fault;
	if (path.len == 0 && command->verb == SMTP_MAIL) {
		command->null_path = true;
		return SMTP_FAULT_NONE;
	}
	return judge_path(command, path, command->verb == SMTP_MAIL ? command->smtputf8 : utf8);
}

void
smtp_command_parse(
    struct smtp_command *command, const char *line, size_t len, bool esmtp, bool utf8)
{
	struct piece rest = { line, len };

	*command = (struct smtp_command){ .fault = SMTP_FAULT_NONE };
	while (rest.len > 0 && (rest.text[rest.len - 1] == ' ' || rest.text[rest.len - 1] == '\t'))
		rest.len--;
	command->verb = find_verb(take_word(&rest));
	command->rest = rest.text;
	command->rest_len = rest.len;
	if (command->verb != SMTP_UNKNOWN && has_control(rest)) {
		command->fault = SMTP_FAULT_SYNTAX;
		return;
	}
	switch (command->verb) {
	case SMTP_HELO:
	case SMTP_EHLO:
	case SMTP_VRFY:
	case SMTP_EXPN:
	case SMTP_AUTH:
		if (rest.len == 0)
			command->fault = SMTP_FAULT_SYNTAX;
		break;
	case SMTP_MAIL:
		command->fault = parse_path_command(command, "FROM:", esmtp, false);
		break;
	case SMTP_RCPT:
		command->fault = parse_path_command(command, "TO:", esmtp, utf8);
		break;
	case SMTP_DATA:
	case SMTP_RSET:
	case SMTP_QUIT:
	case SMTP_STARTTLS:
		if (rest.len > 0)
			command->fault = SMTP_FAULT_SYNTAX;
		break;
	case SMTP_NOOP:
	case SMTP_HELP:
	case SMTP_UNKNOWN:
		break;
	}
}
