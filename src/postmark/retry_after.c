#include <stdbool.h>
#include <string.h>

#include <curl/curl.h>

#include "postmark/retry_after.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int64_t
span_capped(int64_t span_ms)
{
	if (span_ms < 0)
		return 0;
	return span_ms < RETRY_AFTER_MOST_MS ? span_ms : RETRY_AFTER_MOST_MS;
}

/* Digits only.  A fraction, which no RFC allows but some gateways send, is cut off. */
static int64_t
seconds_ms(const char *value, size_t len)
{
	int64_t seconds = 0;
	size_t at;

	for (at = 0; at < len && value[at] >= '0' && value[at] <= '9'; at++) {
		if (seconds <= RETRY_AFTER_MOST_MS)
			seconds = seconds * 10 + (value[at] - '0');
	}
	if (at < len && value[at] == '.') {
		for (at++; at < len && value[at] >= '0' && value[at] <= '9';)
			at++;
	}
	if (at < len)
		return -1;
	return seconds > RETRY_AFTER_MOST_MS / 1000 ? RETRY_AFTER_MOST_MS : seconds * 1000;
}

int64_t
retry_after_ms(const char *value, size_t len, int64_t now_wall_ms)
{
	char date[64];
	time_t at;

	while (len > 0 && is_space(value[0])) {
		value++;
		len--;
	}
	while (len > 0 && is_space(value[len - 1]))
		len--;
	if (len == 0)
		return -1;
	if (value[0] >= '0' && value[0] <= '9')
		return seconds_ms(value, len);

	/* An HTTP date begins with the name of a day; curl_getdate() takes much more than that. */
	if (len >= sizeof(date) || memchr(value, ',', len) == NULL ||
	    memchr(value, '\0', len) != NULL)
		return -1;
	memcpy(date, value, len);
	date[len] = '\0';
	at = curl_getdate(date, NULL);
	if (at == (time_t)-1)
		return -1;
	return span_capped((int64_t)at * 1000 - now_wall_ms);
}
