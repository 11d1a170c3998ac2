/* Words of a command line to operations, their arguments, or a sentence that says what is wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "operations/operation.h"

#include "console/words.h"

#define MOST_WORDS 24

static const struct {
	const char *path, *text;
	size_t len;
} files[] = {
	{ "mails.json", "[{\"To\":\"a@example.com\"}]\n", 25 },
	{ "subject.txt", "One line\n", 9 },
	{ "body.txt", "Two\nlines\n", 10 },
	{ "dos.txt", "One line\r\n", 10 },
	{ "password", "s3cret\n", 7 },
	{ "list.txt", "a@example.com\r\n\nb@example.com", 29 },
	{ "list.json", " [\"a@example.com\",\"b@example.com\"]", 34 },
	{ "nul", "a\0b", 3 },
	{ "latin1", "\xe9", 1 },
	{ "empty", "", 0 },
	{ "mail.eml", "From: a@b\r\n\r\nHi\r\n", 17 },
	{ "folder/report.pdf", "%PDF", 4 },
	{ "-", "{\"name\":\"Ann\"}", 14 },
};

static char *
read_fake(void *ctx, const char *path, size_t *len_r, struct buf *why)
{
	(void)ctx;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(files[i].path, path) == 0) {
			*len_r = files[i].len;
			return mem_bytes(files[i].text, files[i].len);
		}
	buf_addf(why, "%s cannot be read: not there", path);
	return NULL;
}

static const struct words_reader reader = { .read = read_fake };

/* Apart by one space; "_" within a word is a space, since there is no shell here. */
static enum words_end
read_line(struct words *w, const char *line, struct buf *why)
{
	char *copy = mem_string(line), *argv[MOST_WORDS + 1], *rest = copy;
	int argc = 0;
	enum words_end end;

	while (rest != NULL && *rest != '\0') {
		assert_true(argc < MOST_WORDS);
		argv[argc++] = strsep(&rest, " ");
	}
	for (int i = 0; i < argc; i++)
		for (char *c = argv[i]; *c != '\0'; c++)
			if (*c == '_')
				*c = ' ';
	argv[argc] = NULL;
	buf_init(why, 1 << 16);
	end = words_read(w, argc, argv, &reader, 1795415365123, why);
	free(copy);
	return end;
}

static void
operations(void **state)
{
	static const struct {
		const char *reason, *line, *name, *given;
	} cases[] = {
		{ "the words alone", "queue count", "queue count", "{}" },
		{ "an ID that is a number", "server get 4711", "server get", "{'id':4711}" },
		{ "no ID: the current one", "server get", "server get", "{}" },
		{ "value as the next word", "server create --name shop", "server create",
		    "{'name':'shop'}" },
		{ "value behind an equals sign", "server create --name=shop", "server create",
		    "{'name':'shop'}" },
		{ "an equals sign in the value", "server create --name=a=b", "server create",
		    "{'name':'a=b'}" },
		{ "an empty value", "template edit x --layout-template=", "template edit",
		    "{'id':'x','layout-template':''}" },
		{ "a value that begins with a dash", "server create --name -x", "server create",
		    "{'name':'-x'}" },
		{ "a value that begins with two", "server create --name=--x", "server create",
		    "{'name':'--x'}" },
		{ "a boolean", "server edit 1 --keep", "server edit", "{'id':1,'keep':true}" },
		{ "its opposite", "server edit 1 --no-track-opens", "server edit",
		    "{'id':1,'track-opens':false}" },
		{ "said in a word", "server edit 1 --track-opens false", "server edit",
		    "{'id':1,'track-opens':false}" },
		{ "said behind an equals sign", "server edit 1 --track-opens=false", "server edit",
		    "{'id':1,'track-opens':false}" },
		{ "a word that is no value of it", "server edit --keep 1", "server edit",
		    "{'id':1,'keep':true}" },
		{ "options before the ID", "server edit --color red 77", "server edit",
		    "{'id':77,'color':'red'}" },
		{ "the longest name wins", "send batch @mails.json", "send batch",
		    "{'emails':[{'To':'a@example.com'}]}" },
		{ "the short one is left", "send --from a@x --to b@x", "send",
		    "{'from':'a@x','to':'b@x'}" },
		{ "three words", "message inbound get abc", "message inbound get", "{'id':'abc'}" },
		{ "JSON as a word", "send batch [{\"To\":\"b@x\"}]", "send batch",
		    "{'emails':[{'To':'b@x'}]}" },
		{ "two words that are no options", "raw GET /server", "raw",
		    "{'method':'GET','path':'/server'}" },
		{ "JSON as an option", "raw POST /x --data {\"a\":1}", "raw",
		    "{'method':'POST','path':'/x','data':{'a':1}}" },
		{ "keys and values, repeated", "raw GET /x --query a=1 --query b=2", "raw",
		    "{'method':'GET','path':'/x','query':{'a':'1','b':'2'}}" },
		{ "a file as the value of a key", "raw POST /x --form a=@subject.txt", "raw",
		    "{'method':'POST','path':'/x','form':{'a':'One line'}}" },
		{ "headers, the same name twice", "raw GET /x --headers X-A:_1 --headers X-A:_2",
		    "raw",
		    "{'method':'GET','path':'/x','headers':[{'Name':'X-A','Value':'1'},"
		    "{'Name':'X-A','Value':'2'}]}" },
		{ "a file of a form", "raw POST /x --files doc=folder/report.pdf", "raw",
		    "{'method':'POST','path':'/x','files':{'doc':'JVBERg=='}}" },
		{ "an attachment", "send --from a@x --to b@x --attachments folder/report.pdf",
		    "send",
		    "{'from':'a@x','to':'b@x','attachments':[{'Name':'report.pdf','Content':"
		    "'JVBERg=='}]}" },
		{ "an attachment under another name",
		    "send --from a@x --to b@x --attachments bill.pdf=folder/report.pdf", "send",
		    "{'from':'a@x','to':'b@x','attachments':[{'Name':'bill.pdf','Content':"
		    "'JVBERg=='}]}" },
		{ "a text from a file, without its line end",
		    "send --from a@x --to b@x --subject @subject.txt", "send",
		    "{'from':'a@x','to':'b@x','subject':'One line'}" },
		{ "with the line end of another system",
		    "send --from a@x --to b@x --subject @dos.txt", "send",
		    "{'from':'a@x','to':'b@x','subject':'One line'}" },
		{ "a text of several lines stays whole",
		    "send --from a@x --to b@x --text-body @body.txt", "send",
		    "{'from':'a@x','to':'b@x','text-body':'Two\\nlines\\n'}" },
		{ "an empty file", "send --from a@x --to b@x --text-body @empty", "send",
		    "{'from':'a@x','to':'b@x','text-body':''}" },
		{ "the standard input",
		    "send template --from a@x --to b@x --template-alias w --template-model -",
		    "send template",
		    "{'from':'a@x','to':'b@x','template-alias':'w','template-model':{'name':"
		    "'Ann'}}" },
		{ "an @ at the beginning", "send --from a@x --to b@x --subject @@home", "send",
		    "{'from':'a@x','to':'b@x','subject':'@home'}" },
		{ "an @ within", "send --from a@x --to b@x", "send", "{'from':'a@x','to':'b@x'}" },
		{ "bytes of a file", "explain mail.eml", "explain",
		    "{'mail':'RnJvbTogYUBiDQoNCkhpDQo='}" },
		{ "the same with an @", "explain @mail.eml --to a@x --to b@x", "explain",
		    "{'mail':'RnJvbTogYUBiDQoNCkhpDQo=','to':['a@x','b@x']}" },
		{ "several IDs", "queue hold 01A 01B --reason x", "queue hold",
		    "{'id':['01A','01B'],'reason':'x'}" },
		{ "a list, repeated", "queue list --state held --state failed", "queue list",
		    "{'state':['held','failed']}" },
		{ "a list from a file", "explain mail.eml --to @list.txt", "explain",
		    "{'mail':'RnJvbTogYUBiDQoNCkhpDQo=','to':['a@example.com','b@example.com']}" },
		{ "a list from a file of JSON", "explain mail.eml --to @list.json", "explain",
		    "{'mail':'RnJvbTogYUBiDQoNCkhpDQo=','to':['a@example.com','b@example.com']}" },
		{ "a secret from its file",
		    "webhook create --url https://x --http-auth-user u --http-auth-password-file "
		    "password",
		    "webhook create",
		    "{'url':'https://x','http-auth-user':'u','http-auth-password':'s3cret'}" },
		{ "pmrelayctl's own option behind the command", "queue list --json --socket /s",
		    "queue list", "{}" },
		{ "an option of both is the command's behind it", "webhook create --url https://x",
		    "webhook create", "{'url':'https://x'}" },
		{ "and pmrelayctl's before it", "--color never server create --name x --color red",
		    "server create", "{'name':'x','color':'red'}" },
		{ "options between the words", "server --json get 5", "server get", "{'id':5}" },
		{ "the connection before the command", "--connection eu server get", "server get",
		    "{'connection':'eu'}" },
		{ "the connection behind it", "server get --connection eu", "server get",
		    "{'connection':'eu'}" },
		{ "behind wins", "--connection eu server get --connection us", "server get",
		    "{'connection':'us'}" },
		{ "two dashes end the options", "template get -- --odd", "template get",
		    "{'id':'--odd'}" },
		{ "one page is enough", "queue list --count 20", "queue list", "{'count':20}" },
		{ "more than a page", "queue list --count 2000", "queue list", "{'count':500}" },
		{ "choices with a slash", "stats opens/platforms", "stats",
		    "{'counts':'opens/platforms'}" },
		{ "a time", "queue drain --timeout 10s", "queue drain", "{'timeout':'10s'}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words w;
		struct buf why;
		char *wanted_text = mem_string(cases[i].given), *given;
		json_t *wanted;
		enum words_end end;

		print_message("%s: %s\n", cases[i].reason, cases[i].line);
		for (char *c = wanted_text; *c != '\0'; c++)
			if (*c == '\'')
				*c = '"';
		end = read_line(&w, cases[i].line, &why);
		if (end != WORDS_FINE)
			fail_msg("%s", why.data);
		assert_int_equal(w.task, TASK_RUN);
		assert_string_equal(w.operation->name, cases[i].name);
		wanted = json_loads(wanted_text, 0, NULL);
		assert_non_null(wanted);
		given = json_dumps(w.given, JSON_COMPACT);
		if (!json_equal(w.given, wanted))
			fail_msg("given %s, wanted %s", given, wanted_text);
		free(given);
		free(wanted_text);
		json_decref(wanted);
		buf_free(&why);
		words_free(&w);
	}
}

static void
complaints(void **state)
{
	static const struct {
		const char *reason, *line;
		enum words_end end;
		const char *why; /* a part of it */
	} cases[] = {
		{ "nothing", "", WORDS_WRONG, "which command?" },
		{ "options alone", "--json", WORDS_WRONG, "which command?" },
		{ "a noun alone", "server", WORDS_WRONG,
		    "server needs a verb: create, get, list, edit, delete" },
		{ "a noun nearly right", "servr list", WORDS_WRONG, "did you mean server list?" },
		{ "a verb nearly right", "server lsit", WORDS_WRONG, "did you mean server list?" },
		{ "with an ID behind it", "queue shwo 01ABC", WORDS_WRONG,
		    "did you mean queue show?" },
		{ "nothing like it", "xyzzyplugh", WORDS_WRONG, "is no command" },
		{ "a control character in it", "ser\033ver", WORDS_WRONG, "\"ser\\x1Bver\"" },
		{ "a second verb nearly right", "send bach @mails.json", WORDS_WRONG,
		    "did you mean send batch?" },
		{ "an option nearly right", "server create --nmae x", WORDS_WRONG,
		    "did you mean --name?" },
		{ "an option like nothing", "server create --zzzzzzzz x", WORDS_WRONG,
		    "see pmrelayctl help server create" },
		{ "an option of one dash", "server create -name x", WORDS_WRONG,
		    "begin with two dashes" },
		{ "a command's option before it", "--name x server create", WORDS_WRONG,
		    "stand behind it" },
		{ "no value", "server create --name", WORDS_WRONG, "--name needs a value" },
		{ "the next option is no value", "server create --name --color red", WORDS_WRONG,
		    "--name=VALUE" },
		{ "a missing option", "server create --color red", WORDS_WRONG, "name" },
		{ "a missing ID", "server delete", WORDS_WRONG, "id" },
		{ "no number", "server get abc", WORDS_WRONG, "number" },
		{ "no choice", "server create --name x --color mauve", WORDS_WRONG, "Turquoise" },
		{ "no boolean", "server edit 1 --keep=perhaps", WORDS_WRONG, "keep" },
		{ "twice", "server create --name a --name b", WORDS_WRONG, "twice" },
		{ "a word too many", "server get 1 2", WORDS_WRONG, "one word too many" },
		{ "no JSON", "send batch [{", WORDS_WRONG, "JSON" },
		{ "a file without its @", "send batch mails.json", WORDS_WRONG,
		    "a file is given as @FILE" },
		{ "a file that is not there", "send batch @nowhere.json", WORDS_NO_FILE,
		    "nowhere.json cannot be read" },
		{ "bytes that are not there", "explain nowhere.eml", WORDS_NO_FILE,
		    "nowhere.eml cannot be read" },
		{ "a file that is no text", "send --from a@x --to b@x --text-body @nul",
		    WORDS_NO_FILE, "is no text" },
		{ "a text that is no UTF-8", "send --from a@x --to b@x --text-body @latin1",
		    WORDS_WRONG, "UTF-8" },
		{ "a secret in argv", "webhook create --url https://x --http-auth-password s3cret",
		    WORDS_WRONG, "--http-auth-password-file FILE" },
		{ "the same behind an equals sign",
		    "webhook create --url https://x --http-auth-password=s3cret", WORDS_WRONG,
		    "--http-auth-password-file FILE" },
		{ "a connection for what is ours", "--connection eu queue list", WORDS_WRONG,
		    "does not speak to Postmark" },
		{ "a colour of its own", "--color pink queue list", WORDS_WRONG, "auto, always" },
		{ "a flag with a value", "--json=yes queue list", WORDS_WRONG, "takes no value" },
		{ "deleting nothing in particular", "webhook delete", WORDS_WRONG, "needs an ID" },
		{ "no shell", "completion tcsh", WORDS_WRONG, "bash, zsh and fish" },
		{ "help for nothing", "help serverr", WORDS_WRONG, "did you mean server" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words w;
		struct buf why;

		print_message("%s: %s\n", cases[i].reason, cases[i].line);
		assert_int_equal(read_line(&w, cases[i].line, &why), cases[i].end);
		assert_non_null(why.data);
		if (strstr(why.data, cases[i].why) == NULL)
			fail_msg("\"%s\" has no \"%s\"", why.data, cases[i].why);
		/* A secret is not repeated where it might be logged. */
		assert_null(strstr(why.data, "s3cret"));
		buf_free(&why);
		words_free(&w);
	}
}

static void
tasks(void **state)
{
	static const struct {
		const char *line;
		enum words_task task;
		const char *operation, *topic;
	} cases[] = {
		{ "help", TASK_HELP, NULL, NULL },
		{ "--help", TASK_HELP, NULL, NULL },
		{ "-h", TASK_HELP, NULL, NULL },
		{ "help server", TASK_HELP, NULL, "server" },
		{ "server --help", TASK_HELP, NULL, "server" },
		{ "help server create", TASK_HELP, "server create", NULL },
		{ "server create --help", TASK_HELP, "server create", NULL },
		{ "server create --name x -h", TASK_HELP, "server create", NULL },
		{ "--help server create", TASK_HELP, "server create", NULL },
		{ "help send", TASK_HELP, "send", NULL },
		{ "help completion", TASK_HELP, NULL, "completion" },
		{ "completion --help", TASK_HELP, NULL, "completion" },
		{ "--version", TASK_VERSION, NULL, NULL },
		{ "-V", TASK_VERSION, NULL, NULL },
		{ "completion bash", TASK_COMPLETION, NULL, "bash" },
		{ "completion zsh", TASK_COMPLETION, NULL, "zsh" },
		{ "completion fish", TASK_COMPLETION, NULL, "fish" },
		{ "--manual-commands", TASK_MANUAL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words w;
		struct buf why;

		print_message("%s\n", cases[i].line);
		if (read_line(&w, cases[i].line, &why) != WORDS_FINE)
			fail_msg("%s", why.data);
		assert_int_equal(w.task, cases[i].task);
		if (cases[i].operation != NULL)
			assert_string_equal(w.operation->name, cases[i].operation);
		else
			assert_null(w.operation);
		if (cases[i].topic != NULL)
			assert_string_equal(w.topic, cases[i].topic);
		else
			assert_null(w.topic);
		buf_free(&why);
		words_free(&w);
	}
}

/* The next word as a shell would make it, without expansions; NULL: no more.  Caller frees. */
static char *
shell_word(const char **at)
{
	struct buf word;
	char quote = '\0', *text;
	size_t len;

	*at += strspn(*at, " ");
	if (**at == '\0')
		return NULL;
	buf_init(&word, 1 << 16);
	buf_adds(&word, "");
	for (; **at != '\0' && (quote != '\0' || **at != ' '); (*at)++) {
		if (quote == '\0' && (**at == '\'' || **at == '"'))
			quote = **at;
		else if (**at == quote)
			quote = '\0';
		else
			buf_addc(&word, **at);
	}
	text = buf_take(&word, &len);
	return text != NULL ? text : mem_string("");
}

/* "{server-id}" is what a test fills in. */
static void
fill_in(char **word)
{
	size_t len = strlen(*word);

	if (len < 3 || (*word)[0] != '{' || (*word)[len - 1] != '}' || (*word)[1] == '{' ||
	    strcspn(*word, "\"") < len)
		return;
	len = strcmp(*word, "{mail-file}") == 0;
	free(*word);
	*word = mem_string(len ? "mail.eml" : "4711");
}

static void
examples(void **state)
{
	(void)state;
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		char *argv[MOST_WORDS + 1], *word;
		const char *at = o->example;
		struct words w;
		struct buf why;
		int argc = 0;

		print_message("%s\n", o->example);
		while ((word = shell_word(&at)) != NULL) {
			assert_true(argc < MOST_WORDS);
			fill_in(&word);
			argv[argc++] = word;
		}
		argv[argc] = NULL;
		buf_init(&why, 1 << 16);
		if (words_read(&w, argc, argv, &reader, 1795415365123, &why) != WORDS_FINE)
			fail_msg("%s", why.data);
		assert_ptr_equal(w.operation, o);
		buf_free(&why);
		words_free(&w);
		while (argc > 0)
			free(argv[--argc]);
	}
}

static void
own_options(void **state)
{
	struct words w;
	struct buf why;

	(void)state;
	assert_int_equal(read_line(&w,
			     "--socket /run/s --url https://h:1 --cert c --key k --cacert a "
			     "--color always --json --quiet --yes queue list --all --count 1000",
			     &why),
	    WORDS_FINE);
	assert_string_equal(w.socket, "/run/s");
	assert_string_equal(w.url, "https://h:1");
	assert_string_equal(w.certificate, "c");
	assert_string_equal(w.key, "k");
	assert_string_equal(w.ca, "a");
	assert_int_equal(w.color, COLOR_ALWAYS);
	assert_true(w.json && w.quiet && w.yes && w.all);
	assert_int_equal(w.count, 1000);
	buf_free(&why);
	words_free(&w);

	assert_int_equal(read_line(&w, "top --once", &why), WORDS_FINE);
	assert_true(w.once);
	buf_free(&why);
	words_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations),
		cmocka_unit_test(complaints),
		cmocka_unit_test(tasks),
		cmocka_unit_test(examples),
		cmocka_unit_test(own_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
