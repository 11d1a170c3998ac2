/*
 * What was typed to an operation and its arguments.
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "operations/operation.h"
#include "operations/values.h"

#include "console/words.h"

/* Words that can belong to the name of an operation. */
#define MOST_WORDS 4
/* What the daemon gives in one page at most; the table has the same. */
#define MOST_PAGE_ITEMS 500
#define MOST_ITEMS      1000000000
#define MOST_NAME       200

static const char *const color_names[] = { "auto", "always", "never", NULL };

const struct words_option words_options[] = {
	{ .name = "socket",
	    .value = "PATH",
	    .file = true,
	    .text =
		"The daemon's control socket. Without it: $PMRELAYCTL_SOCKET, or the usual one." },
	{ .name = "url",
	    .value = "URL",
	    .text = "Speak to https://HOST:PORT instead, with a client certificate." },
	{ .name = "cert",
	    .value = "FILE",
	    .file = true,
	    .text = "The client certificate, in PEM." },
	{ .name = "key",
	    .value = "FILE",
	    .file = true,
	    .text = "Its private key. Without it: in the file of the certificate." },
	{ .name = "cacert",
	    .value = "FILE",
	    .file = true,
	    .text =
		"Authorities that the daemon's certificate may be of. Without it: the system's." },
	{ .name = "connection",
	    .value = "NAME",
	    .text = "The pair of Postmark tokens to speak with, as the configuration names it." },
	{ .name = "json", .text = "Print the answer as JSON, for programs." },
	{ .name = "quiet", .text = "Print the ids alone, or nothing." },
	{ .name = "yes", .text = "Do not ask before something is deleted." },
	{ .name = "color",
	    .value = "WHEN",
	    .choices = color_names,
	    .text = "Colours: auto (on a terminal), always or never." },
	{ .name = "help", .text = "Explain the command." },
	{ .name = "version", .text = "Print the version of this program." },
	{ .name = NULL },
};

static const struct words_option no_options[] = { { .name = NULL } };
static const struct words_option top_options[] = {
	{ .name = "once", .text = "One look, printed as it is." },
	{ .name = NULL },
};
static const struct words_option list_options[] = {
	{ .name = "all", .text = "Every page, to the end." },
	{ .name = NULL },
};

const struct words_option *
words_options_of(const struct operation *operation)
{
	if (operation->run == RUN_TOP)
		return top_options;
	if (operation->run == RUN_QUEUE_LIST)
		return list_options;
	return no_options;
}

/* What is being read, and from where. */
struct reading {
	struct words *words;
	const struct words_reader *reader;
	int argc, at;
	char *const *argv;
	char *connection; /* given before the command */
	struct buf *why;
};

static const struct words_option *
option_named(const struct words_option *options, const char *name)
{
	for (; options->name != NULL; options++)
		if (strcmp(options->name, name) == 0)
			return options;
	return NULL;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* A foreign word within a sentence. */
static void
add_word(struct buf *why, const char *word)
{
	char shown[MOST_NAME];

	buf_addf(why, "\"%s\"", text_safe(shown, sizeof(shown), word, strlen(word)));
}

/* --- options ------------------------------------------------------------------------------ */

/* "--name=value" to its name, for the caller to free, and the value, NULL if there is none. */
static char *
option_name(const char *word, const char **value_r)
{
	const char *equals = strchr(word, '=');

	if (strcmp(word, "-h") == 0)
		word = "--help";
	else if (strcmp(word, "-V") == 0)
		word = "--version";
	else if (strcmp(word, "-q") == 0)
		word = "--quiet";
	else if (strcmp(word, "-y") == 0)
		word = "--yes";
	if (strncmp(word, "--", 2) != 0)
		return NULL;
	*value_r = equals != NULL ? equals + 1 : NULL;
	return equals != NULL ? mem_bytes(word + 2, (size_t)(equals - word) - 2)
			      : mem_string(word + 2);
}

/* The value of an option: behind its equals sign, or the next word.  NULL and why. */
static const char *
option_value(struct reading *r, const char *name, const char *value)
{
	if (value != NULL)
		return value;
	if (r->at >= r->argc || strncmp(r->argv[r->at], "--", 2) == 0) {
		buf_addf(r->why, "--%s needs a value", name);
		if (r->at < r->argc)
			buf_addf(r->why, "; one that begins with two dashes is given as --%s=VALUE",
			    name);
		return NULL;
	}
	return r->argv[r->at++];
}

static void
set(char **at, const char *value)
{
	free(*at);
	*at = mem_string(value);
}

/* An option of pmrelayctl itself. */
static enum words_end
take_own(struct reading *r, const struct words_option *option, const char *value)
{
	struct words *w = r->words;
	const char *name = option->name;

	if (option->value == NULL) {
		if (value != NULL) {
			buf_addf(r->why, "--%s takes no value", name);
			return WORDS_WRONG;
		}
		if (strcmp(name, "json") == 0)
			w->json = true;
		else if (strcmp(name, "quiet") == 0)
			w->quiet = true;
		else if (strcmp(name, "yes") == 0)
			w->yes = true;
		else if (strcmp(name, "once") == 0)
			w->once = true;
		else if (strcmp(name, "all") == 0)
			w->all = true;
		else if (strcmp(name, "help") == 0)
			w->task = TASK_HELP;
		else if (w->task == TASK_RUN)
			w->task = TASK_VERSION;
		return WORDS_FINE;
	}
	value = option_value(r, name, value);
	if (value == NULL)
		return WORDS_WRONG;
	if (strcmp(name, "socket") == 0)
		set(&w->socket, value);
	else if (strcmp(name, "url") == 0)
		set(&w->url, value);
	else if (strcmp(name, "cert") == 0)
		set(&w->certificate, value);
	else if (strcmp(name, "key") == 0)
		set(&w->key, value);
	else if (strcmp(name, "cacert") == 0)
		set(&w->ca, value);
	else if (strcmp(name, "connection") == 0)
		set(&r->connection, value);
	else if (strcmp(value, "auto") == 0)
		w->color = COLOR_AUTO;
	else if (strcmp(value, "always") == 0)
		w->color = COLOR_ALWAYS;
	else if (strcmp(value, "never") == 0)
		w->color = COLOR_NEVER;
	else {
		buf_adds(r->why, "--color is auto, always or never, not ");
		add_word(r->why, value);
		return WORDS_WRONG;
	}
	return WORDS_FINE;
}

/* --- values ------------------------------------------------------------------------------- */

/* A file as text.  NULL and why. */
static char *
read_text(struct reading *r, const char *path)
{
	size_t len;
	char *text = r->reader->read(r->reader->ctx, path, &len, r->why);

	if (text != NULL && strlen(text) != len) {
		add_word(r->why, path);
		buf_adds(r->why, " is no text");
		free(text);
		return NULL;
	}
	return text;
}

/* The line end of a text of one line was put there by an editor. */
static void
cut_line_end(char *text)
{
	size_t len = strcspn(text, "\n");

	if (text[len] == '\n' && text[len + 1] == '\0')
		text[len > 0 && text[len - 1] == '\r' ? len - 1 : len] = '\0';
}

/* "@FILE" and "-" to what is in them, "@@…" to "@…", others to themselves.  NULL and why. */
static char *
text_or_file(struct reading *r, const char *text)
{
	char *read;

	if (strcmp(text, "-") != 0 && text[0] != '@')
		return mem_string(text);
	if (text[0] == '@' && text[1] == '@')
		return mem_string(text + 1);
	read = read_text(r, text[0] == '@' ? text + 1 : text);
	if (read != NULL)
		cut_line_end(read);
	return read;
}

static enum words_end
give(struct reading *r, const struct argument *argument, json_t *value)
{
	if (value == NULL || values_give(r->words->given, argument, value, r->why) != 0)
		return WORDS_WRONG;
	return WORDS_FINE;
}

static enum words_end
give_file(struct reading *r, const struct argument *argument, const char *name, const char *path)
{
	size_t len;
	char *bytes;
	json_t *value;

	if (path[0] == '@')
		path++;
	bytes = r->reader->read(r->reader->ctx, path, &len, r->why);
	if (bytes == NULL)
		return WORDS_NO_FILE;
	value = value_from_bytes(argument,
	    name != NULL             ? name
	    : strcmp(path, "-") == 0 ? "stdin"
				     : path,
	    bytes, len, r->why);
	free(bytes);
	return give(r, argument, value);
}

/* NAME=PATH, or PATH where the kind allows it. */
static enum words_end
give_named_file(struct reading *r, const struct argument *argument, const char *text)
{
	const char *equals = strchr(text, '='), *slash = strchr(text, '/');
	enum words_end end;
	char *name;

	/* A folder's name can have an equals sign, a file's new name no slash. */
	if (equals == NULL || (slash != NULL && slash < equals)) {
		if (argument->kind == ARGUMENT_ATTACHMENTS)
			return give_file(r, argument, NULL, text);
		buf_addf(r->why, "--%s is NAME=FILE, not ", argument->name);
		add_word(r->why, text);
		return WORDS_WRONG;
	}
	name = mem_bytes(text, (size_t)(equals - text));
	end = give_file(r, argument, name, equals + 1);
	free(name);
	return end;
}

/* A line each, or a JSON array. */
static enum words_end
give_lines(struct reading *r, const struct argument *argument, const char *path)
{
	char *text = read_text(r, path), *at;
	enum words_end end = WORDS_FINE;
	json_t *list;

	if (text == NULL)
		return WORDS_NO_FILE;
	list = text[strspn(text, " \t\r\n")] == '[' ? json_loads(text, 0, NULL) : json_array();
	if (list == NULL) {
		add_word(r->why, path);
		buf_adds(r->why, " begins like a JSON array and is none");
		free(text);
		return WORDS_WRONG;
	}
	at = text[strspn(text, " \t\r\n")] == '[' ? text + strlen(text) : text;
	while (*at != '\0' && end == WORDS_FINE) {
		size_t line = strcspn(at, "\n");
		bool last = at[line] == '\0';
		size_t len = line > 0 && at[line - 1] == '\r' ? line - 1 : line;

		at[len] = '\0';
		if (len > 0 && json_array_append_new(list, json_string(at)) != 0) {
			add_word(r->why, path);
			buf_adds(r->why, " is not UTF-8");
			end = WORDS_WRONG;
		}
		at += line + !last;
	}
	free(text);
	if (end == WORDS_FINE)
		return give(r, argument, list);
	json_decref(list);
	return end;
}

/* KEY=@FILE; the rest is the table's to read. */
static enum words_end
give_pair(struct reading *r, const struct argument *argument, const char *text)
{
	const char *equals = strchr(text, '=');
	enum words_end end;
	char *key, *value;
	json_t *pair;

	if (text[strspn(text, " \t\r\n")] == '{' || equals == NULL || equals[1] != '@')
		return give(r, argument, value_from_text(argument, text, r->why));
	value = text_or_file(r, equals + 1);
	if (value == NULL)
		return WORDS_NO_FILE;
	key = mem_bytes(text, (size_t)(equals - text));
	pair = json_pack("{s:s}", key, value);
	if (pair == NULL)
		buf_addf(r->why, "--%s is not UTF-8", argument->name);
	end = give(r, argument, pair);
	free(key);
	free(value);
	return end;
}

/* What stands for an argument on the command line. */
static enum words_end
take_value(struct reading *r, const struct argument *argument, const char *text)
{
	const char *first = text + strspn(text, " \t\r\n");
	char *read;
	enum words_end end;

	switch (argument->kind) {
	case ARGUMENT_INTEGER:
	case ARGUMENT_BOOLEAN:
	case ARGUMENT_CHOICE:
	case ARGUMENT_TIME:
	case ARGUMENT_WHEN:
		return give(r, argument, value_from_text(argument, text, r->why));
	case ARGUMENT_LIST:
		if (strcmp(text, "-") == 0 || (text[0] == '@' && text[1] != '@'))
			return give_lines(r, argument, text[0] == '@' ? text + 1 : text);
		return give(r, argument,
		    value_from_text(argument, text[0] == '@' ? text + 1 : text, r->why));
	case ARGUMENT_BYTES:
		return give_file(r, argument, NULL, text);
	case ARGUMENT_FILES:
	case ARGUMENT_ATTACHMENTS:
		if (*first != '{' && *first != '[' && text[0] != '@' && strcmp(text, "-") != 0)
			return give_named_file(r, argument, text);
		break;
	case ARGUMENT_PAIRS:
		if (text[0] != '@' && strcmp(text, "-") != 0)
			return give_pair(r, argument, text);
		break;
	case ARGUMENT_STRING:
	case ARGUMENT_HEADERS:
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
	case ARGUMENT_ANY:
		break;
	}
	read = text_or_file(r, text);
	if (read == NULL)
		return WORDS_NO_FILE;
	end = give(r, argument, value_from_text(argument, read, r->why));
	free(read);
	if (end == WORDS_WRONG && argument->place == IN_WHOLE && *first != '{' && *first != '[' &&
	    text[0] != '@' && strcmp(text, "-") != 0)
		buf_adds(r->why, " (a file is given as @FILE)");
	return end;
}

/* --NAME-file FILE, the one way a secret comes in: what is in argv, everybody on the machine sees.
 */
static enum words_end
take_secret(struct reading *r, const struct argument *argument, const char *value)
{
	enum words_end end;
	char *text;

	if (value[0] == '@')
		value++;
	text = read_text(r, value);
	if (text == NULL)
		return WORDS_NO_FILE;
	cut_line_end(text);
	end = give(r, argument, value_from_text(argument, text, r->why));
	explicit_bzero(text, strlen(text));
	free(text);
	return end;
}

/* The secret argument that "NAME-file" gives.  NULL: none. */
static const struct argument *
secret_of(const struct operation *operation, const char *name)
{
	size_t len = strlen(name);
	const struct argument *argument;
	char *bare;

	if (len <= 5 || strcmp(name + len - 5, "-file") != 0)
		return NULL;
	bare = mem_bytes(name, len - 5);
	argument = operation_argument(operation, bare);
	free(bare);
	return argument != NULL && argument->secret ? argument : NULL;
}

/* More items than a page has are several pages. */
static enum words_end
take_count(struct reading *r, const char *value)
{
	const struct argument *argument = operation_argument(r->words->operation, "count");
	uint64_t count;

	if (text_number(value, strlen(value), 1, MOST_ITEMS, &count) != 0 || r->words->count > 0)
		return give(r, argument, value_from_text(argument, value, r->why));
	r->words->count = count;
	return give(r, argument,
	    json_integer((json_int_t)(count < MOST_PAGE_ITEMS ? count : MOST_PAGE_ITEMS)));
}

static void
add_near_option(struct reading *r, const char *name)
{
	const struct operation *operation = r->words->operation;
	const char *near = operation_argument_nearest(operation, name);

	buf_addf(r->why, "%s has no option ", operation->name);
	add_word(r->why, name);
	if (near != NULL)
		buf_addf(r->why, "; did you mean --%s%s?", near,
		    operation_argument(operation, near)->secret ? "-file" : "");
	else
		buf_addf(r->why, "; see pmrelayctl help %s", operation->name);
}

/* An option behind the command. */
static enum words_end
take_option(struct reading *r, const char *name, const char *value)
{
	const struct operation *operation = r->words->operation;
	const struct argument *argument = operation_argument(operation, name);
	const struct words_option *own;

	if (argument != NULL && argument->secret) {
		buf_addf(r->why,
		    "a secret comes from a file alone, since everybody sees the words of a "
		    "command: --%s-file FILE",
		    name);
		return WORDS_WRONG;
	}
	if (argument != NULL && argument->kind == ARGUMENT_BOOLEAN) {
		/* A word behind it is its value only when it can be nothing else. */
		if (value == NULL && r->at < r->argc &&
		    (strcmp(r->argv[r->at], "true") == 0 || strcmp(r->argv[r->at], "false") == 0))
			value = r->argv[r->at++];
		return take_value(r, argument, value != NULL ? value : "true");
	}
	if (argument != NULL || (argument = secret_of(operation, name)) != NULL) {
		value = option_value(r, name, value);
		if (value == NULL)
			return WORDS_WRONG;
		if (argument->secret)
			return take_secret(r, argument, value);
		if (operation->run == RUN_QUEUE_LIST && strcmp(name, "count") == 0)
			return take_count(r, value);
		return take_value(r, argument, value);
	}
	if (strncmp(name, "no-", 3) == 0 && value == NULL) {
		argument = operation_argument(operation, name + 3);
		if (argument != NULL && argument->kind == ARGUMENT_BOOLEAN)
			return take_value(r, argument, "false");
	}
	own = option_named(words_options_of(operation), name);
	if (own == NULL)
		own = option_named(words_options, name);
	if (own != NULL && strcmp(own->name, "connection") != 0)
		return take_own(r, own, value);
	add_near_option(r, name);
	return WORDS_WRONG;
}

/* --- the command --------------------------------------------------------------------------- */

static bool
is_noun(const char *word)
{
	size_t len = strlen(word);

	for (const struct operation *o = operation_table; o->name != NULL; o++)
		if (strncmp(o->name, word, len) == 0 &&
		    (o->name[len] == ' ' || o->name[len] == '\0'))
			return true;
	return false;
}

/* The first of the words, with spaces between, for the caller to free. */
static char *
join(char *const *words, size_t count)
{
	char *joined = mem_string(words[0]);

	for (size_t i = 1; i < count; i++) {
		char *longer = mem_format("%s %s", joined, words[i]);

		free(joined);
		joined = longer;
	}
	return joined;
}

static const char *
nearest_to(char *const *words, size_t count)
{
	for (size_t n = count < MOST_WORDS ? count : MOST_WORDS; n > 0; n--) {
		char *joined = join(words, n);
		const char *near = operation_nearest(joined);

		free(joined);
		if (near != NULL)
			return near;
	}
	return NULL;
}

static enum words_end
unknown_command(struct reading *r, char *const *words, size_t count)
{
	const char *near;

	if (count == 1 && is_noun(words[0])) {
		buf_addf(r->why, "%s needs a verb: ", words[0]);
		for (const struct operation *o = operation_table; o->name != NULL; o++)
			if (strncmp(o->name, words[0], strlen(words[0])) == 0 &&
			    o->name[strlen(words[0])] == ' ')
				buf_addf(r->why, "%s%s",
				    r->why->data[r->why->len - 2] == ':' ? "" : ", ",
				    o->name + strlen(words[0]) + 1);
		return WORDS_WRONG;
	}
	near = nearest_to(words, count);
	add_word(r->why, words[0]);
	if (is_noun(words[0]) && count > 1) {
		buf_adds(r->why, " has no verb ");
		add_word(r->why, words[1]);
	} else {
		buf_adds(r->why, " is no command");
	}
	if (near != NULL)
		buf_addf(r->why, "; did you mean %s?", near);
	else
		buf_adds(r->why, "; pmrelayctl help lists them");
	return WORDS_WRONG;
}

/* A word behind the command that is no option: the next of its places. */
static enum words_end
take_word(struct reading *r, const char *word, size_t number)
{
	const struct operation *operation = r->words->operation;
	size_t place = 0;
	char *name;
	const char *near;

	for (const struct argument *a = operation->arguments; a->name != NULL; a++) {
		if (a->place == IN_ARGUMENTS && !a->word)
			continue;
		if (place++ == number || (a->place == IN_PATH && a->kind == ARGUMENT_LIST))
			return take_value(r, a, word);
	}
	name = mem_format("%s %s", operation->name, word);
	near = number == 0 ? operation_nearest(name) : NULL;
	free(name);
	add_word(r->why, word);
	buf_addf(r->why, " is one word too many for %s", operation->name);
	if (near != NULL && strcmp(near, operation->name) != 0)
		buf_addf(r->why, "; did you mean %s?", near);
	return WORDS_WRONG;
}

/* All that follows the words of the operation. */
static enum words_end
read_arguments(struct reading *r)
{
	struct words *w = r->words;
	size_t places = 0;
	bool only_words = false;
	enum words_end end = WORDS_FINE;

	w->given = json_object();
	while (r->at < r->argc && end == WORDS_FINE) {
		const char *word = r->argv[r->at++], *value = NULL;
		char *name;

		if (only_words || !is_option(word)) {
			end = take_word(r, word, places++);
			continue;
		}
		if (strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		name = option_name(word, &value);
		if (name == NULL) {
			add_word(r->why, word);
			buf_adds(r->why, " is no option; they begin with two dashes");
			return WORDS_WRONG;
		}
		end = take_option(r, name, value);
		free(name);
	}
	if (end != WORDS_FINE || w->task != TASK_RUN)
		return w->task != TASK_RUN ? WORDS_FINE : end;
	if (r->connection != NULL && json_object_get(w->given, "connection") == NULL) {
		if (!operation_is_remote(w->operation)) {
			buf_addf(r->why, "%s does not speak to Postmark and takes no --connection",
			    w->operation->name);
			return WORDS_WRONG;
		}
		end = take_value(r, &operation_connection, r->connection);
	}
	return end;
}

/* "help", "help server", "help server create"; "completion bash". */
static enum words_end
read_task(struct reading *r, char *const *words, size_t count)
{
	struct words *w = r->words;
	size_t used;

	if (strcmp(words[0], "completion") == 0) {
		if (w->task == TASK_HELP) {
			w->topic = mem_string(words[0]);
			return WORDS_FINE;
		}
		if (count != 2 || (strcmp(words[1], "bash") != 0 && strcmp(words[1], "zsh") != 0 &&
				      strcmp(words[1], "fish") != 0)) {
			buf_adds(r->why, "completion is for one of bash, zsh and fish");
			return WORDS_WRONG;
		}
		w->task = TASK_COMPLETION;
		w->topic = mem_string(words[1]);
		return WORDS_FINE;
	}
	w->task = TASK_HELP;
	if (count == 1)
		return WORDS_FINE;
	w->operation = operation_by_words(words + 1, count - 1, &used);
	if (w->operation != NULL && used == count - 1)
		return WORDS_FINE;
	w->operation = NULL;
	if (count == 2 && (is_noun(words[1]) || strcmp(words[1], "completion") == 0 ||
			      strcmp(words[1], "help") == 0)) {
		w->topic = mem_string(words[1]);
		return WORDS_FINE;
	}
	return unknown_command(r, words + 1, count - 1);
}

/* Options before the command, and the words of the command. */
static enum words_end
read_command(struct reading *r)
{
	struct words *w = r->words;
	char **words = mem_array((size_t)r->argc + 1, sizeof(*words));
	size_t count = 0, used = 0;
	enum words_end end = WORDS_FINE;

	while (r->at < r->argc && end == WORDS_FINE) {
		const struct words_option *own;
		const char *value = NULL;
		char *name;

		if (!is_option(r->argv[r->at])) {
			words[count++] = r->argv[r->at++];
			continue;
		}
		/* Behind a whole command the options are the command's. */
		if (operation_by_words(words, count, &used) != NULL)
			break;
		name = option_name(r->argv[r->at++], &value);
		own = name != NULL ? option_named(words_options, name) : NULL;
		if (own != NULL) {
			end = take_own(r, own, value);
		} else if (name != NULL && strcmp(name, "manual-commands") == 0) {
			w->task = TASK_MANUAL;
		} else if (count > 0) {
			end = unknown_command(r, words, count);
		} else {
			add_word(r->why, r->argv[r->at - 1]);
			buf_adds(r->why, " is no option of pmrelayctl; those of a command stand "
					 "behind it");
			end = WORDS_WRONG;
		}
		free(name);
	}
	if (end != WORDS_FINE || w->task == TASK_VERSION || w->task == TASK_MANUAL)
		goto out;
	if (count == 0) {
		if (w->task != TASK_HELP) {
			buf_adds(r->why, "which command? pmrelayctl help lists them");
			end = WORDS_WRONG;
		}
		goto out;
	}
	if (strcmp(words[0], "help") == 0 || strcmp(words[0], "completion") == 0) {
		end = read_task(r, words, count);
		goto out;
	}
	w->operation = operation_by_words(words, count, &used);
	if (w->operation == NULL && w->task == TASK_HELP && count == 1 && is_noun(words[0])) {
		w->topic = mem_string(words[0]);
	} else if (w->operation == NULL) {
		end = unknown_command(r, words, count);
	} else {
		/* Back to the first word behind the name, options that stand between included:
		 * there were none, or the loop had ended before. */
		r->at -= (int)(count - used);
		end = read_arguments(r);
	}

out:
	free(words);
	return end;
}

enum words_end
words_read(struct words *w, int argc, char *const *argv, const struct words_reader *reader,
    int64_t now_ms, struct buf *why)
{
	struct reading r = { .words = w, .reader = reader, .argc = argc, .argv = argv, .why = why };
	enum words_end end;
	json_t *checked;

	memset(w, 0, sizeof(*w));
	end = read_command(&r);
	free(r.connection);
	if (end != WORDS_FINE || w->task != TASK_RUN || w->operation == NULL)
		return end;
	if (w->operation->destroys && w->operation->run == RUN_WEBHOOK_DELETE &&
	    json_object_size(w->given) == 0) {
		buf_adds(why, "webhook delete needs an ID, or --instance for all that point here");
		return WORDS_WRONG;
	}
	checked = values_check(w->operation, w->given, now_ms, why);
	if (checked == NULL)
		return WORDS_WRONG;
	json_decref(checked);
	return WORDS_FINE;
}

void
words_free(struct words *w)
{
	json_decref(w->given);
	free(w->topic);
	free(w->socket);
	free(w->url);
	free(w->certificate);
	free(w->key);
	free(w->ca);
	memset(w, 0, sizeof(*w));
}
