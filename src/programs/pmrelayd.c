/*
 * pmrelayd: the arguments, and which of the three kinds of process this one is.
 */

#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "config/config.h"

#include "programs/core.h"
#include "programs/explain.h"
#include "programs/front.h"
#include "programs/supervisor.h"

#define DEFAULT_CONFIG SYSCONFDIR "/pmrelay.conf"
#define TEXT_MOST      (4U * 1024U * 1024U)

static const char help[] =
    "usage: pmrelayd [-fnv] [-c FILE]\n"
    "       pmrelayd --explain FILE [--from ADDRESS] [--to ADDRESS]... [-c FILE]\n"
    "\n"
    "Takes mail by SMTP, keeps it safe, and hands it to Postmark's HTTP API.\n"
    "\n"
    "  -c, --config FILE    settings (default: " DEFAULT_CONFIG ")\n"
    "  -f, --foreground     stay in the foreground, log on stderr\n"
    "  -n, --check          check the settings and exit: 0 fine, 78 not\n"
    "      --show-config    print the settings in force, without secrets, and exit\n"
    "      --sample-config  print a sample with every option explained, and exit\n"
    "      --explain FILE   tell what would become of a mail ('-': standard input), and\n"
    "                       exit: 0 taken, 65 refused; no daemon, network or token\n"
    "  -v, --version        print the version and exit\n"
    "  -h, --help           print this and exit\n"
    "\n"
    "With --explain:\n"
    "      --from ADDRESS   the envelope's sender, <> for none (default: that of From)\n"
    "      --to ADDRESS     a recipient, may be repeated (default: those of To, Cc, Bcc)\n"
    "      --listener ADDRESS\n"
    "      --client ADDRESS\n"
    "      --user NAME      where it came in, from whom, and who that was by AUTH, for the\n"
    "                       routes that ask\n"
    "      --json           one JSON object instead of a report\n"
    "\n"
    "Signals: TERM drains and ends, HUP reads the settings again and reopens the log.\n"
    "Any option can also come from the environment: PMRELAY_SMTP_LISTEN for smtp { listen }.\n"
    "See pmrelayd(8) and pmrelay.conf(5).\n";

enum task {
	TASK_SERVE,
	TASK_CHECK,
	TASK_SHOW,
	TASK_SAMPLE,
	TASK_MANUAL,
	TASK_EXPLAIN,
};

enum long_only {
	OPT_SHOW = 256,
	OPT_SAMPLE,
	OPT_MANUAL,
	OPT_EXPLAIN,
	OPT_FROM,
	OPT_TO,
	OPT_LISTENER,
	OPT_CLIENT,
	OPT_USER,
	OPT_JSON,
	OPT_ROLE,
	OPT_NUMBER,
};

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "foreground", no_argument, NULL, 'f' },
	{ "check", no_argument, NULL, 'n' },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "show-config", no_argument, NULL, OPT_SHOW },
	{ "sample-config", no_argument, NULL, OPT_SAMPLE },
	{ "manual-options", no_argument, NULL, OPT_MANUAL }, /* for doc/pmrelay.conf.5 */
	{ "explain", required_argument, NULL, OPT_EXPLAIN },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "listener", required_argument, NULL, OPT_LISTENER },
	{ "client", required_argument, NULL, OPT_CLIENT },
	{ "user", required_argument, NULL, OPT_USER },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "role", required_argument, NULL, OPT_ROLE }, /* how the supervisor starts a child */
	{ "number", required_argument, NULL, OPT_NUMBER },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	const char *config_path; /* NULL: the default, which may be missing */
	bool foreground;
	enum task task;
	struct explain_arguments explain;
	bool explains_only; /* one of its options was given */
	const char *role;   /* NULL: the supervisor */
	unsigned number;
};

/* An option of --explain alone.  -1: it is none. */
static int
read_explain_option(int option, struct arguments *a)
{
	struct explain_arguments *e = &a->explain;

	switch (option) {
	case OPT_FROM:
		e->from = optarg;
		break;
	case OPT_TO:
		strlist_add(&e->to, optarg);
		break;
	case OPT_LISTENER:
		e->listener = optarg;
		break;
	case OPT_CLIENT:
		e->client = optarg;
		break;
	case OPT_USER:
		e->user = optarg;
		break;
	case OPT_JSON:
		e->json = true;
		break;
	default:
		return -1;
	}
	a->explains_only = true;
	return 0;
}

/* 0, or -1: *status_r is what to exit with. */
static int
read_arguments(int argc, char **argv, struct arguments *a, int *status_r)
{
	uint64_t number;
	int option;

	*status_r = EX_OK;
	while ((option = getopt_long(argc, argv, "c:fnvh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			a->config_path = optarg;
			break;
		case 'f':
			a->foreground = true;
			break;
		case 'n':
			a->task = TASK_CHECK;
			break;
		case OPT_SHOW:
			a->task = TASK_SHOW;
			break;
		case OPT_SAMPLE:
			a->task = TASK_SAMPLE;
			break;
		case OPT_MANUAL:
			a->task = TASK_MANUAL;
			break;
		case OPT_EXPLAIN:
			a->task = TASK_EXPLAIN;
			a->explain.path = optarg;
			break;
		case OPT_ROLE:
			a->role = optarg;
			break;
		case OPT_NUMBER:
			if (text_number(optarg, strlen(optarg), 0, 65535, &number) != 0)
				goto usage;
			a->number = (unsigned)number;
			break;
		case 'v':
			printf("pmrelayd %s\n", PACKAGE_VERSION);
			return -1;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			if (read_explain_option(option, a) != 0)
				goto usage;
		}
	}
	if (a->explains_only && a->task != TASK_EXPLAIN) {
		fputs("pmrelayd: an option of --explain without it\n", stderr);
		goto usage;
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "pmrelayd: '%s' is one word too many\n", argv[optind]);

usage:
	fputs("Try 'pmrelayd --help'.\n", stderr);
	*status_r = EX_USAGE;
	return -1;
}

static void
print_and_free(struct buf *text)
{
	if (text->data != NULL)
		fwrite(text->data, 1, text->len, stdout);
	buf_free(text);
}

/* The settings, with their secrets where they are needed, or NULL and the reasons on stderr. */
static struct config *
load(const struct arguments *a)
{
	const char *path = a->config_path;
	struct config *config;
	struct buf why;

	/* A container is set up by its environment alone: no file is no error, unless it was named.
	 */
	if (path == NULL)
		path = access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG : NULL;
	buf_init(&why, TEXT_MOST);
	config = config_load(path, environ, &why);
	if (config != NULL && a->task != TASK_EXPLAIN && config_load_secrets(config, &why) != 0)
		config_free(&config);
	if (config == NULL)
		fprintf(stderr, "%s%s", why.data != NULL ? why.data : "pmrelayd: no settings\n",
		    why.len > 0 && why.data[why.len - 1] != '\n' ? "\n" : "");
	buf_free(&why);
	return config;
}

static void
warn(const struct config *config)
{
	struct buf text;

	buf_init(&text, TEXT_MOST);
	config_warn(config, &text);
	for (char *line = text.len > 0 ? strtok(text.data, "\n") : NULL; line != NULL;
	     line = strtok(NULL, "\n"))
		fprintf(stderr, "warning: %s\n", line);
	buf_free(&text);
}

static int
serve(const struct arguments *a, struct config *config)
{
	const struct supervisor_params params = { .config = config,
		.config_path = a->config_path != NULL              ? a->config_path
			       : access(DEFAULT_CONFIG, F_OK) == 0 ? DEFAULT_CONFIG
								   : NULL,
		.environment = environ,
		.foreground = a->foreground };

	return supervisor_main(&params);
}

int
main(int argc, char **argv)
{
	struct arguments a = { .task = TASK_SERVE };
	struct config *config;
	struct buf text;
	int status;

	if (read_arguments(argc, argv, &a, &status) != 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	if (a.role != NULL) {
		/* A terminal's Ctrl-C and a service manager's TERM reach every process; the
		 * supervisor alone decides in which order they end. */
		signal(SIGINT, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		return strcmp(a.role, "core") == 0 ? core_main() : front_main(a.number);
	}

	buf_init(&text, TEXT_MOST);
	if (a.task == TASK_SAMPLE || a.task == TASK_MANUAL) {
		if (a.task == TASK_SAMPLE)
			config_sample(&text);
		else
			config_manual(&text);
		print_and_free(&text);
		return EX_OK;
	}
	config = load(&a);
	if (config == NULL)
		return EX_CONFIG;
	switch (a.task) {
	case TASK_SERVE:
		return serve(&a, config);
	case TASK_SHOW:
		config_print(config, false, &text);
		print_and_free(&text);
		break;
	case TASK_CHECK:
		warn(config);
		printf("pmrelayd: the settings are fine\n");
		break;
	case TASK_EXPLAIN:
		status = explain_main(&a.explain, config);
		strlist_free(&a.explain.to);
		break;
	case TASK_SAMPLE:
	case TASK_MANUAL:
		break;
	}
	config_free(&config);
	return status;
}
