#include <string.h>

#include <event2/http.h>

#include "base/text.h"

#include "sandbox/url.h"

#define MOST_URL 2000

bool
url_ok(const char *url)
{
	struct evhttp_uri *uri;
	const char *host;
	bool ok;

	for (const char *c = url; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	}
	if (strlen(url) > MOST_URL ||
	    (!text_starts(url, "http://") && !text_starts(url, "https://")))
		return false;
	uri = evhttp_uri_parse(url);
	if (uri == NULL)
		return false;
	host = evhttp_uri_get_host(uri);
	ok = host != NULL && host[0] != '\0';
	evhttp_uri_free(uri);
	return ok;
}
