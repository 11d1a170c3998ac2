/*
 * pmrelay-sandbox: a strict local Postmark on a port.  Options in, one line out that says where
 * it listens, then the loop until a signal.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/mime.h"
#include "sandbox/sandbox.h"
#include "sandbox/state.h"

#include "programs/sandbox_smtp.h"

#include "config.h"

struct settings {
	const char *address;
	uint64_t port;
	bool allow_remote;
	struct strlist tokens;
	struct strlist account_tokens;
	struct strlist sender_domains;
	const char *base_path;
	const char *config_file;
	uint64_t most_messages;
	uint64_t most_bytes;
	uint64_t search_lag_ms;
	bool to_optional;
	uint64_t webhook_speed;   /* 0: not given */
	int64_t webhook_delay_ms; /* -1: not given */
	const char *webhook_ca_file;
	int smtp_port; /* -1: not given */
	const char *smtp_certificate_file;
	const char *smtp_key_file;
	const char *smtp_ca_file;
	enum log_level log_level;
	enum log_format log_format;
};

static const char help[] =
    "usage: pmrelay-sandbox [option ...]\n"
    "A strict local Postmark: says what the real one would say, sends nothing, and misbehaves\n"
    "on request.  The first line on stdout tells where it listens.\n"
    "\n"
    "  --port N               port to listen on; 0, the default, takes one that is free\n"
    "  --address IP           address to listen on, default 127.0.0.1\n"
    "  --allow-remote         allow an address that is not of the loopback\n"
    "  --config FILE          what there is at the start, and how strict: JSON\n"
    "  --token TOKEN          a token of the first server, instead of sandbox-server-token;\n"
    "                         may be repeated.  POSTMARK_API_TEST is valid in any case\n"
    "  --account-token TOKEN  one of the account, instead of sandbox-account-token;\n"
    "                         may be repeated\n"
    "  --sender-domain NAME   a domain that From may have, default any; may be repeated\n"
    "  --allow-empty-to       take messages with Cc or Bcc only\n"
    "  --base-path PATH       a path that may stand before those of the API\n"
    "  --search-lag MS        milliseconds until a search finds an accepted message\n"
    "  --max-messages N       messages kept in memory, default 100000\n"
    "  --max-bytes N          bytes of messages kept in memory, default 268435456\n"
    "  --smtp-port N          port for SMTP as well, with STARTTLS and AUTH; off by default\n"
    "  --smtp-ca-file FILE    where to write what the certificate of SMTP is verified by\n"
    "  --smtp-certificate FILE, --smtp-key FILE\n"
    "                         a certificate for SMTP, instead of one that is made\n"
    "  --webhook-speed N      retries of events come N times as fast as Postmark's\n"
    "  --webhook-delay MS     milliseconds from what happens to its event, default 100\n"
    "  --webhook-ca-file FILE what the certificates of webhooks are verified by\n"
    "  --log-level LEVEL      error, warning, info (default) or debug, on stderr\n"
    "  --log-format FORMAT    text (default) or json\n"
    "  --help, --version\n"
    "\n"
    "What it got:    curl http://ADDRESS:PORT/sandbox/messages\n"
    "What it counts: curl http://ADDRESS:PORT/sandbox/counts\n"
    "To be unkind:   curl -T faults.json http://ADDRESS:PORT/sandbox/faults\n"
    "See pmrelay-sandbox(8).\n";

static void __attribute__((noreturn, format(printf, 1, 2))) usage(const char *format, ...)
{
	va_list args;

	fputs("pmrelay-sandbox: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry pmrelay-sandbox --help.\n", stderr);
	exit(EX_USAGE);
}

static uint64_t
number_option(const char *name, uint64_t least, uint64_t most)
{
	uint64_t number;

	if (text_number(optarg, strlen(optarg), least, most, &number) != 0)
		usage("--%s wants a number from %llu to %llu, not \"%s\"", name,
		    (unsigned long long)least, (unsigned long long)most, optarg);
	return number;
}

static bool
is_loopback(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void
read_options(int argc, char **argv, struct settings *settings)
{
	enum {
		OPTION_PORT = 1,
		OPTION_ADDRESS,
		OPTION_ALLOW_REMOTE,
		OPTION_CONFIG,
		OPTION_TOKEN,
		OPTION_ACCOUNT_TOKEN,
		OPTION_SENDER_DOMAIN,
		OPTION_ALLOW_EMPTY_TO,
		OPTION_BASE_PATH,
		OPTION_SEARCH_LAG,
		OPTION_MAX_MESSAGES,
		OPTION_MAX_BYTES,
		OPTION_SMTP_PORT,
		OPTION_SMTP_CERTIFICATE,
		OPTION_SMTP_KEY,
		OPTION_SMTP_CA_FILE,
		OPTION_WEBHOOK_SPEED,
		OPTION_WEBHOOK_DELAY,
		OPTION_WEBHOOK_CA_FILE,
		OPTION_LOG_LEVEL,
		OPTION_LOG_FORMAT,
		OPTION_HELP,
		OPTION_VERSION,
	};
	static const struct option options[] = {
		{ "port", required_argument, NULL, OPTION_PORT },
		{ "address", required_argument, NULL, OPTION_ADDRESS },
		{ "allow-remote", no_argument, NULL, OPTION_ALLOW_REMOTE },
		{ "config", required_argument, NULL, OPTION_CONFIG },
		{ "token", required_argument, NULL, OPTION_TOKEN },
		{ "account-token", required_argument, NULL, OPTION_ACCOUNT_TOKEN },
		{ "sender-domain", required_argument, NULL, OPTION_SENDER_DOMAIN },
		{ "allow-empty-to", no_argument, NULL, OPTION_ALLOW_EMPTY_TO },
		{ "base-path", required_argument, NULL, OPTION_BASE_PATH },
		{ "search-lag", required_argument, NULL, OPTION_SEARCH_LAG },
		{ "max-messages", required_argument, NULL, OPTION_MAX_MESSAGES },
		{ "max-bytes", required_argument, NULL, OPTION_MAX_BYTES },
		{ "smtp-port", required_argument, NULL, OPTION_SMTP_PORT },
		{ "smtp-certificate", required_argument, NULL, OPTION_SMTP_CERTIFICATE },
		{ "smtp-key", required_argument, NULL, OPTION_SMTP_KEY },
		{ "smtp-ca-file", required_argument, NULL, OPTION_SMTP_CA_FILE },
		{ "webhook-speed", required_argument, NULL, OPTION_WEBHOOK_SPEED },
		{ "webhook-delay", required_argument, NULL, OPTION_WEBHOOK_DELAY },
		{ "webhook-ca-file", required_argument, NULL, OPTION_WEBHOOK_CA_FILE },
		{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
		{ "log-format", required_argument, NULL, OPTION_LOG_FORMAT },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPTION_PORT:
			settings->port = number_option("port", 0, 65535);
			break;
		case OPTION_ADDRESS:
			settings->address = optarg;
			break;
		case OPTION_ALLOW_REMOTE:
			settings->allow_remote = true;
			break;
		case OPTION_CONFIG:
			settings->config_file = optarg;
			break;
		case OPTION_TOKEN:
			strlist_add(&settings->tokens, optarg);
			break;
		case OPTION_ACCOUNT_TOKEN:
			strlist_add(&settings->account_tokens, optarg);
			break;
		case OPTION_SENDER_DOMAIN:
			strlist_add(&settings->sender_domains, optarg);
			break;
		case OPTION_ALLOW_EMPTY_TO:
			settings->to_optional = true;
			break;
		case OPTION_BASE_PATH:
			if (optarg[0] != '/')
				usage("--base-path wants a path that starts with a slash");
			settings->base_path = optarg;
			break;
		case OPTION_SEARCH_LAG:
			settings->search_lag_ms = number_option("search-lag", 0, 86400000);
			break;
		case OPTION_MAX_MESSAGES:
			settings->most_messages = number_option("max-messages", 1, 10000000);
			break;
		case OPTION_MAX_BYTES:
			settings->most_bytes = number_option("max-bytes", 1, 1ULL << 40);
			break;
		case OPTION_SMTP_PORT:
			settings->smtp_port = (int)number_option("smtp-port", 0, 65535);
			break;
		case OPTION_SMTP_CERTIFICATE:
			settings->smtp_certificate_file = optarg;
			break;
		case OPTION_SMTP_KEY:
			settings->smtp_key_file = optarg;
			break;
		case OPTION_SMTP_CA_FILE:
			settings->smtp_ca_file = optarg;
			break;
		case OPTION_WEBHOOK_SPEED:
			settings->webhook_speed = number_option("webhook-speed", 1, 1000000);
			break;
		case OPTION_WEBHOOK_DELAY:
			settings->webhook_delay_ms =
			    (int64_t)number_option("webhook-delay", 0, 86400000);
			break;
		case OPTION_WEBHOOK_CA_FILE:
			settings->webhook_ca_file = optarg;
			break;
		case OPTION_LOG_LEVEL:
			if (log_level_parse(optarg, &settings->log_level) != 0)
				usage("--log-level wants error, warning, info or debug, not \"%s\"",
				    optarg);
			break;
		case OPTION_LOG_FORMAT:
			if (strcmp(optarg, "json") == 0)
				settings->log_format = LOG_FORMAT_JSON;
			else if (strcmp(optarg, "text") != 0)
				usage("--log-format wants text or json, not \"%s\"", optarg);
			break;
		case OPTION_HELP:
			fputs(help, stdout);
			exit(EXIT_SUCCESS);
		case OPTION_VERSION:
			puts("pmrelay-sandbox " PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		default:
			usage("%s is no option, or its argument is missing", argv[optind - 1]);
		}
	}
	if (optind < argc)
		usage("\"%s\" is not wanted", argv[optind]);
	if (!settings->allow_remote && !is_loopback(settings->address))
		usage("%s is not of the loopback: whoever reaches it reads every mail; "
		      "--allow-remote allows it",
		    settings->address);
}

/* The strings with a NULL at their end; lent by the list. */
static const char **
with_end(const struct strlist *list)
{
	const char **strings = mem_array(list->count + 1, sizeof(*strings));

	for (size_t i = 0; i < list->count; i++)
		strings[i] = list->items[i];
	return strings;
}

static const char *
first_of(const char *given, const char *configured)
{
	return given != NULL ? given : configured;
}

/* What the command line says goes before what the config says.  0: *smtp_r is the service, or NULL
 * because it is not wanted; or -1. */
static int
open_smtp(const struct settings *settings, struct loop *loop, struct state *state,
    struct sandbox_smtp **smtp_r, char *why, size_t why_size)
{
	const struct smtp_setup *setup = &state->smtp;
	int port = settings->smtp_port >= 0 ? settings->smtp_port : setup->port;

	*smtp_r = NULL;
	if (port < 0)
		return 0;
	*smtp_r = sandbox_smtp_new(
	    &(struct sandbox_smtp_params){
		.loop = loop,
		.state = state,
		.address = settings->address,
		.port = (uint16_t)port,
		.allow_remote = settings->allow_remote,
		.certificate_file =
		    first_of(settings->smtp_certificate_file, setup->certificate_file),
		.key_file = first_of(settings->smtp_key_file, setup->key_file),
		.ca_file = first_of(settings->smtp_ca_file, setup->ca_file),
	    },
	    why, why_size);
	return *smtp_r != NULL ? 0 : -1;
}

static void
tell(const struct settings *settings, const char *scheme, uint16_t port)
{
	printf(strchr(settings->address, ':') != NULL
		   ? "pmrelay-sandbox listening on %s://[%s]:%u\n"
		   : "pmrelay-sandbox listening on %s://%s:%u\n",
	    scheme, settings->address, port);
	log_info("listening", log_str("protocol", scheme), log_str("address", settings->address),
	    log_num("port", port));
}

static void
on_signal(void *ctx)
{
	struct loop *loop = ctx;

	loop_stop(loop);
}

static int
run(const struct settings *settings)
{
	const char **tokens = with_end(&settings->tokens);
	const char **account_tokens = with_end(&settings->account_tokens);
	const char **domains = with_end(&settings->sender_domains);
	struct sandbox_params params = {
		.loop = loop_new(),
		.address = settings->address,
		.port = (uint16_t)settings->port,
		.server_tokens = tokens,
		.account_tokens = account_tokens,
		.config_file = settings->config_file,
		.most_messages = (size_t)settings->most_messages,
		.most_bytes = settings->most_bytes,
		.sender_domains = domains,
		.base_path = settings->base_path,
		.search_lag_ms = (int64_t)settings->search_lag_ms,
		.to_optional = settings->to_optional,
		.webhook_speed = (int64_t)settings->webhook_speed,
		.webhook_delay_ms = settings->webhook_delay_ms,
		.webhook_ca_file = settings->webhook_ca_file,
	};
	struct sandbox *sandbox = NULL;
	struct sandbox_smtp *smtp = NULL;
	char why[512];
	int status = EXIT_FAILURE;

	if (params.loop == NULL || loop_signal(params.loop, SIGTERM, on_signal, params.loop) != 0 ||
	    loop_signal(params.loop, SIGINT, on_signal, params.loop) != 0) {
		log_error("start-failed", log_str("why", "no event loop"));
		goto free_lists;
	}
	sandbox = sandbox_new(&params, why, sizeof(why));
	if (sandbox == NULL) {
		log_error("start-failed", log_str("why", why));
		goto free_loop;
	}
	if (open_smtp(settings, params.loop, sandbox_state(sandbox), &smtp, why, sizeof(why)) !=
	    0) {
		log_error("start-failed", log_str("why", why));
		goto free_sandbox;
	}
	tell(settings, "http", sandbox_port(sandbox));
	if (smtp != NULL)
		tell(settings, "smtp", sandbox_smtp_port(smtp));
	fflush(stdout);
	loop_run(params.loop);
	log_info("stopped");
	status = EXIT_SUCCESS;
	sandbox_smtp_free(&smtp);

free_sandbox:
	sandbox_free(&sandbox);

free_loop:
	loop_free(&params.loop);
free_lists:
	free(domains);
	free(account_tokens);
	free(tokens);
	return status;
}

int
main(int argc, char **argv)
{
	struct settings settings = {
		.address = "127.0.0.1",
		.smtp_port = -1,
		.webhook_delay_ms = -1,
		.most_messages = 100000,
		.most_bytes = 256ULL << 20,
		.log_level = LOG_LEVEL_INFO,
		.log_format = LOG_FORMAT_TEXT,
	};
	int status;

	signal(SIGPIPE, SIG_IGN);
	log_setup("sandbox", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	read_options(argc, argv, &settings);
	mime_setup();
	log_setup("sandbox", settings.log_level, settings.log_format, STDERR_FILENO);
	status = run(&settings);
	strlist_free(&settings.tokens);
	strlist_free(&settings.account_tokens);
	strlist_free(&settings.sender_domains);
	return status;
}
