/* The thread of the control plane: its beginning, its settings, its end. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"

#include "base/clock.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/config.h"
#include "postmark/client.h"
#include "store/reader.h"

#include "control/control.h"
#include "control/inside.h"
#include "control/server.h"

#define MOST_HEADER_BYTES  ((size_t)32 * 1024)
#define IDLE_MS            (60 * 1000)
#define REMOTE_CONNECTIONS 8
#define HEALTH_CONNECTIONS 4
#define NICE               10

/* --- what comes from the other thread ------------------------------------------------------- */

static void
answered(void *ctx)
{
	struct ask *ask = ctx;

	ask->done(ask);
}

void
control_answer(struct control *control, struct ask *ask)
{
	loop_post(control->loop, answered, ask);
}

static void
stop_now(void *ctx)
{
	struct control *control = ctx;

	loop_stop(control->loop);
}

/* --- settings ------------------------------------------------------------------------------- */

static struct postmark_client *
client_new(struct control *control, unsigned connections, char *why, size_t why_size)
{
	const struct config *c = control->config;
	const struct postmark_client_params params = { .loop = control->loop,
		.base_url = c->postmark_url,
		.ca_file = c->postmark_ca_file[0] != '\0' ? c->postmark_ca_file : NULL,
		.user_agent = "pmrelay-control/" PACKAGE_VERSION,
		.connect_timeout_ms = c->postmark_connect_timeout_ms,
		.most_connections = connections };

	return postmark_client_new(&params, why, why_size);
}

static struct httpd_limits
limits_of(const struct config *c)
{
	return (struct httpd_limits){ .most_header_bytes = MOST_HEADER_BYTES,
		.most_body_bytes = c->control_body_bytes,
		.most_connections = c->control_connections,
		.request_timeout_ms = c->control_timeout_ms,
		.idle_timeout_ms = IDLE_MS };
}

struct settings {
	struct control *control;
	struct config *config;
};

static void
take_settings(void *ctx)
{
	struct settings *settings = ctx;
	struct control *control = settings->control;
	struct config *old = control->config;
	struct postmark_client *client, *health_client;
	struct httpd_limits limits;
	char why[256];

	control->config = settings->config;
	free(settings);
	limits = limits_of(control->config);
	httpd_set_limits(control->httpd, &limits);
	/* What was found with the old ones says nothing of these. */
	json_decref(control->health.answer);
	control->health.answer = NULL;
	client = client_new(control, REMOTE_CONNECTIONS, why, sizeof(why));
	health_client = client_new(control, HEALTH_CONNECTIONS, why, sizeof(why));
	if (client == NULL || health_client == NULL) {
		log_error("control-reload", log_str("why", why));
	} else if (strcmp(old->postmark_url, control->config->postmark_url) != 0 ||
		   strcmp(old->postmark_ca_file, control->config->postmark_ca_file) != 0) {
		/* Calls under way end with the old one, and nobody will answer their requests. */
		postmark_client_free(&control->client);
		postmark_client_free(&control->health_client);
		control->client = client;
		control->health_client = health_client;
		client = health_client = NULL;
		tickets_cut(control);
	}
	postmark_client_free(&client);
	postmark_client_free(&health_client);
	if (control->tcp_fd >= 0) {
		const struct httpd_tls tls = {
			.certificate_file = control->config->control_certificate_file,
			.key_file = control->config->control_key_file,
			.client_ca_file = control->config->control_client_ca_file,
		};

		if (httpd_reload_tls(control->httpd, &tls, why, sizeof(why)) != 0)
			log_error("control-certificate", log_str("why", why),
			    log_str("todo", "the old certificate stays in use until a reload"));
	}
	config_free(&old);
	chores_reload(control->chores);
}

void
control_reload(struct control *control, const struct config *config)
{
	struct settings *settings = mem_new(sizeof(*settings));

	settings->control = control;
	settings->config = config_copy(config);
	loop_post(control->loop, take_settings, settings);
}

/* --- life ----------------------------------------------------------------------------------- */

static void *
run(void *ctx)
{
	struct control *control = ctx;

	/* Where there are fewer cores than work, mail goes first.  On Linux it is the thread's. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	loop_run(control->loop);
	return NULL;
}

static int
listen_on(struct control *control, char *why, size_t why_size)
{
	const struct config *c = control->config;
	const struct httpd_params params = {
		.loop = control->loop,
		.limits = limits_of(c),
		.request = serve,
		.ctx = control,
	};
	const struct httpd_tls tls = { .certificate_file = c->control_certificate_file,
		.key_file = c->control_key_file,
		.client_ca_file = c->control_client_ca_file };

	control->httpd = httpd_new(&params);
	if (control->httpd == NULL) {
		snprintf(why, why_size, "no memory for the control listener");
		return -1;
	}
	if (control->unix_fd >= 0 &&
	    httpd_listen(control->httpd, control->unix_fd, NULL, why, why_size) != 0)
		return -1;
	if (control->tcp_fd >= 0 &&
	    httpd_listen(control->httpd, control->tcp_fd, &tls, why, why_size) != 0)
		return -1;
	return 0;
}

static void
free_all(struct control *control)
{
	struct ticket *ticket;

	httpd_free(&control->httpd);
	postmark_client_free(&control->client);
	postmark_client_free(&control->health_client);
	while (control->requests != NULL)
		request_drop(control->requests);
	while ((ticket = control->tickets) != NULL)
		ticket_free(&ticket);
	waits_free(&control->waits);
	chores_free(&control->chores);
	json_decref(control->health.answer);
	store_reader_close(&control->reader);
	config_free(&control->config);
	loop_free(&control->loop);
	free(control);
}

struct control *
control_start(const struct control_params *params, char *why, size_t why_size)
{
	struct control *control = mem_new(sizeof(*control));

	control->config = config_copy(params->config);
	control->feed = params->feed;
	control->ask = params->ask;
	control->ask_ctx = params->ctx;
	control->unix_fd = params->unix_fd;
	control->tcp_fd = params->tcp_fd;
	control->started_ms = clock_wall_ms();
	control->loop = loop_new();
	if (control->loop == NULL) {
		snprintf(why, why_size, "a loop for the control plane: out of descriptors?");
		goto fail;
	}
	control->waits = waits_new(control);
	control->chores = chores_new(control);
	control->client = client_new(control, REMOTE_CONNECTIONS, why, why_size);
	control->health_client = client_new(control, HEALTH_CONNECTIONS, why, why_size);
	if (control->client == NULL || control->health_client == NULL ||
	    listen_on(control, why, why_size) != 0)
		goto fail;
	if (pthread_create(&control->thread, NULL, run, control) != 0) {
		snprintf(why, why_size, "a thread for the control plane cannot be had");
		goto fail;
	}
	return control;

fail:
	free_all(control);
	return NULL;
}

void
control_stop(struct control **control)
{
	struct control *c = *control;

	if (c == NULL)
		return;
	*control = NULL;
	loop_post(c->loop, stop_now, c);
	pthread_join(c->thread, NULL);
	free_all(c);
}
