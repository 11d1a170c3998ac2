#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/state.h"

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

/* The key under which a suppression stands: no stream and no address has a line end in it. */
static char *
suppression_key(const char *stream, const char *address)
{
	char *key = mem_format("%s\n%s", stream, address);

	text_lower(key);
	return key;
}

bool
state_suppressed(const struct state *state, const char *stream, const char *address)
{
	char *key;
	bool found;

	if (json_object_size(state->suppressions) == 0)
		return false;
	key = suppression_key(stream, address);
	found = json_object_get(state->suppressions, key) != NULL;
	free(key);
	return found;
}

void
state_suppress(struct state *state, const char *stream, const char *address, const char *reason)
{
	char *key = suppression_key(stream, address);
	char time[STATE_TIME_SIZE];

	json_object_set_new(state->suppressions, key,
	    json_pack("{s:s, s:s, s:s, s:s}", "EmailAddress", address, "MessageStream", stream,
		"SuppressionReason", reason, "CreatedAt",
		state_time_text(time, clock_wall_ms(), 0, 0)));
	free(key);
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
