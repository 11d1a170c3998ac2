/*
 * Whom the client believes: certificates made on the spot and served by openssl(1).  Skipped
 * where that is missing.
 */

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "postmark/client.h"

struct bench {
	char folder[64];
	char url[64];
	pid_t server;
	int output;
};

struct result {
	struct loop *loop;
	enum postmark_end end;
	int status;
	char error[300];
};

static void
certificate_make(const struct bench *b, const char *name, const char *alternative)
{
	char *command = mem_format("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
				   "-subj /CN=test -addext subjectAltName=%s -keyout %s.key "
				   "-out %s.pem >/dev/null 2>&1",
	    b->folder, alternative, name, name);

	assert_int_equal(system(command), 0);
	free(command);
}

/* s_server tells the port that the kernel chose: "ACCEPT 127.0.0.1:40001". */
static void
server_start(struct bench *b, const char *name)
{
	int pipes[2];
	char line[200];
	unsigned port = 0;
	FILE *output;

	assert_int_equal(pipe(pipes), 0);
	b->server = fork();
	if (b->server == 0) {
		char *certificate = mem_format("%s/%s.pem", b->folder, name);
		char *key = mem_format("%s/%s.key", b->folder, name);

		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		close(pipes[0]);
		execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
		    certificate, "-key", key, "-www", (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	b->output = dup(pipes[0]);
	output = fdopen(pipes[0], "r");
	while (port == 0 && fgets(line, sizeof(line), output) != NULL)
		sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
	fclose(output);
	assert_true(port > 0);
	snprintf(b->url, sizeof(b->url), "https://127.0.0.1:%u", port);
}

static void
server_stop(struct bench *b)
{
	kill(b->server, SIGKILL);
	waitpid(b->server, NULL, 0);
	close(b->output);
}

static void
answered(void *ctx, const struct postmark_answer *answer)
{
	struct result *result = ctx;

	result->end = answer->end;
	result->status = answer->status;
	snprintf(result->error, sizeof(result->error), "%s", answer->error);
	loop_stop(result->loop);
}

static struct result
ask(const struct bench *b, const char *ca_name)
{
	struct result result = { .loop = loop_new() };
	char *ca_file = ca_name != NULL ? mem_format("%s/%s.pem", b->folder, ca_name) : NULL;
	char why[200];
	struct secret *token = secret_new("t", 1);
	struct postmark_client_params params = { .loop = result.loop,
		.base_url = b->url,
		.ca_file = ca_file,
		.user_agent = "pmrelay/test",
		.connect_timeout_ms = 5000,
		.most_connections = 1 };
	struct postmark_request request = { .method = "GET",
		.path = "/",
		.token = token,
		.timeout_ms = 8000,
		.most_answer_bytes = 100000 };
	struct postmark_client *client = postmark_client_new(&params, why, sizeof(why));

	assert_non_null(client);
	postmark_submit(client, &request, answered, &result);
	loop_run(result.loop);
	postmark_client_free(&client);
	secret_free(&token);
	loop_free(&result.loop);
	free(ca_file);
	return result;
}

static int
setup(void **state)
{
	struct bench *b = mem_new(sizeof(*b));

	snprintf(b->folder, sizeof(b->folder), "/tmp/pmrelay-tls-XXXXXX");
	*state = b;
	return mkdtemp(b->folder) == NULL ? -1 : 0;
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	nftw(b->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

static void
only_the_named_authority_is_believed(void **state)
{
	struct bench *b = *state;
	struct result result;

	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	certificate_make(b, "good", "IP:127.0.0.1");
	certificate_make(b, "stranger", "DNS:api.postmarkapp.com");

	server_start(b, "good");
	result = ask(b, "good");
	if (result.end != POSTMARK_ANSWERED)
		fail_msg("%s", result.error);
	assert_int_equal(result.status, 200);
	assert_int_equal(ask(b, NULL).end, POSTMARK_NOT_SENT);
	assert_int_equal(ask(b, "stranger").end, POSTMARK_NOT_SENT);
	server_stop(b);

	/* Of a known authority, for another host. */
	server_start(b, "stranger");
	assert_int_equal(ask(b, "stranger").end, POSTMARK_NOT_SENT);
	server_stop(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(
	    only_the_named_authority_is_believed, setup, teardown) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
