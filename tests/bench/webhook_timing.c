/*
 * Does the check of a webhook's secrets tell by its time how much of a guess is right?
 *
 *	webhook_timing [rounds]
 *
 * Guesses that share 0, 8, 16, 24 and 31 letters with the secret of one of 20 hooks, a right path
 * with a wrong password, and the right one, all of the same length and in random order.  Printed
 * are the means of each, without the slowest twentieth (that is the machine), and Welch's t against
 * the guess that has nothing right: the custom is that |t| below 4.5 shows no difference.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/hook.h"

#include "webhook/hooks.h"

#define HOOKS  20
#define SECRET "0123456789abcdefghijklmnopqrstuv"

struct guess {
	const char *name, *path, *authorization;
	double *ns;
	size_t count;
	double mean, variance;
};

static struct guess guesses[] = {
	{ .name = "nothing right", .path = "/zyxwvutsrqponmlkjihgfedcba987654" },
	{ .name = "8 letters", .path = "/01234567rqponmlkjihgfedcba987654" },
	{ .name = "16 letters", .path = "/0123456789abcdefjihgfedcba987654" },
	{ .name = "24 letters", .path = "/0123456789abcdefghijklmnba987654" },
	{ .name = "31 letters", .path = "/0123456789abcdefghijklmnopqrstu4" },
	{ .name = "path, wrong password",
	    .path = "/" SECRET,
	    .authorization = "Basic cG06eDNjcmV0" },
	{ .name = "all right", .path = "/" SECRET },
};
#define GUESSES (sizeof(guesses) / sizeof(guesses[0]))

static struct hooks *
make_hooks(void)
{
	struct hook list[HOOKS];
	struct config *config;
	struct buf out, why;
	struct hooks *hooks;
	char text[200];

	buf_init(&out, 1000000);
	buf_init(&why, 10000);
	config = config_parse("", 0, "bench", &why);
	for (int i = 0; i < HOOKS; i++)
		list[i] = (struct hook){ .path = i == HOOKS / 2 ? mem_string(SECRET)
								: mem_format("%032d", i),
			.connection = mem_string("default"),
			.stream = mem_string("outbound"),
			.user = mem_string("pm"),
			.password = mem_string("s3cret") };
	hooks_json(config, list, HOOKS, 1, &out, text, sizeof(text));
	hooks = hooks_read(out.data, out.len);
	config_free(&config);
	buf_free(&out);
	return hooks;
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
reckon(struct guess *g)
{
	double sum = 0, squares = 0;
	size_t count = g->count - g->count / 20;

	qsort(g->ns, g->count, sizeof(*g->ns), compare);
	for (size_t i = 0; i < count; i++) {
		sum += g->ns[i];
		squares += g->ns[i] * g->ns[i];
	}
	g->count = count;
	g->mean = sum / (double)count;
	g->variance = squares / (double)count - g->mean * g->mean;
}

int
main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? (size_t)atol(argv[1]) : 2000000;
	struct hooks *hooks = make_hooks();
	struct hooks_found found;
	unsigned long known = 0;

	if (hooks == NULL)
		return 1;
	for (size_t i = 0; i < GUESSES; i++) {
		guesses[i].ns = mem_array(rounds, sizeof(double));
		if (guesses[i].authorization == NULL)
			guesses[i].authorization = "Basic cG06czNjcmV0";
	}
	srandom(7);
	for (size_t i = 0; i < rounds; i++) {
		struct guess *g = &guesses[(size_t)random() % GUESSES];
		const struct hooks_shown shown = { .path = g->path,
			.authorization = g->authorization };
		double begin = now_ns();

		known += hooks_find(hooks, &shown, 1, &found);
		g->ns[g->count++] = now_ns() - begin;
	}
	for (size_t i = 0; i < GUESSES; i++)
		reckon(&guesses[i]);
	printf("%-22s %10s %10s %10s %8s\n", "guess", "checks", "mean ns", "diff ns", "t");
	for (size_t i = 0; i < GUESSES; i++) {
		const struct guess *g = &guesses[i], *none = &guesses[0];
		double error =
		    sqrt(g->variance / (double)g->count + none->variance / (double)none->count);

		printf("%-22s %10zu %10.1f %+10.2f %+8.2f\n", g->name, g->count, g->mean,
		    g->mean - none->mean, (g->mean - none->mean) / error);
		free(g->ns);
	}
	hooks_free(&hooks);
	return known > 0 ? 0 : 1;
}
