#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/domains.h"
#include "sandbox/faults.h"
#include "sandbox/messages.h"
#include "sandbox/records.h"
#include "sandbox/senders.h"
#include "sandbox/state.h"

/* What of each kind of event is kept; a list of Postmark's ends at 10,000. */
#define MOST_EVENTS        20000
#define MOST_EVENT_BYTES   (64ULL << 20)
#define MOST_INBOUND       10000
#define MOST_INBOUND_BYTES (128ULL << 20)
#define MOST_REMOVALS      1000
#define FIRST_BOUNCE       9000000001u

static const struct {
	size_t most;
	const char *name;
} buckets[STATE_BUCKETS] = {
	{ 1, "1" },
	{ 5, "2-5" },
	{ 10, "6-10" },
	{ 25, "11-25" },
	{ 50, "26-50" },
	{ 100, "51-100" },
	{ 250, "101-250" },
	{ 499, "251-499" },
	{ SIZE_MAX, "500" },
};

void
state_init(struct state *state, size_t most_messages, uint64_t most_bytes)
{
	memset(state, 0, sizeof(*state));
	account_init(&state->account);
	state->next_webhook = 1;
	state->switches.delete_servers = true;
	state->switches.smtp_starttls = true;
	state->smtp.port = -1;
	event_settings_init(&state->event_settings);
	state->messages = messages_new(most_messages, most_bytes);
	state->bounces = records_new(MOST_EVENTS, MOST_EVENT_BYTES, FIRST_BOUNCE);
	state->opens = records_new(MOST_EVENTS, MOST_EVENT_BYTES, 1);
	state->clicks = records_new(MOST_EVENTS, MOST_EVENT_BYTES, 1);
	state->inbound = records_new(MOST_INBOUND, MOST_INBOUND_BYTES, 1);
	state->removals = records_new(MOST_REMOVALS, MOST_EVENT_BYTES, 1);
	state->faults = faults_new();
}

void
state_deinit(struct state *state)
{
	account_deinit(&state->account);
	messages_free(&state->messages);
	records_free(&state->bounces);
	records_free(&state->opens);
	records_free(&state->clicks);
	records_free(&state->inbound);
	records_free(&state->removals);
	faults_free(&state->faults);
	free(state->smtp.certificate_file);
	free(state->smtp.key_file);
	free(state->smtp.ca_file);
	free(state->webhook_ca_file);
}

void
state_count_refusal(struct state *state, int code)
{
	if (code > 0 && code < STATE_CODES)
		state->counts.refused[code]++;
}

void
state_count_batch(struct state *state, size_t messages)
{
	size_t bucket = 0;

	while (messages > buckets[bucket].most)
		bucket++;
	state->counts.batches[bucket]++;
	if (messages > state->counts.largest_batch)
		state->counts.largest_batch = messages;
}

const char *
state_bucket_name(size_t bucket)
{
	return buckets[bucket].name;
}

bool
state_sender_ok(const struct state *state, const char *address)
{
	const char *at = strrchr(address, '@');

	return !state->switches.check_senders ||
	       senders_confirmed(state->account.senders, address) ||
	       (at != NULL && domains_verified(state->account.domains, at + 1));
}

char *
state_time_text(char out[STATE_TIME_SIZE], int64_t wall_ms, unsigned fraction, int offset_minutes)
{
	time_t seconds = (time_t)(wall_ms / 1000) + offset_minutes * 60;
	struct tm tm;
	size_t used;
	int away = abs(offset_minutes);

	gmtime_r(&seconds, &tm);
	used = strftime(out, STATE_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	used += (size_t)snprintf(
	    out + used, STATE_TIME_SIZE - used, ".%03d%04u", (int)(wall_ms % 1000), fraction);
	if (offset_minutes == 0)
		snprintf(out + used, STATE_TIME_SIZE - used, "Z");
	else
		snprintf(out + used, STATE_TIME_SIZE - used, "%c%02d:%02d",
		    offset_minutes < 0 ? '-' : '+', away / 60, away % 60);
	return out;
}

char *
state_time_eastern(char out[STATE_TIME_SIZE], int64_t wall_ms)
{
	return state_time_text(out, wall_ms, 0, STATE_EASTERN_MINUTES);
}
