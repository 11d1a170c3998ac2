#ifndef PMRELAY_BASE_CURL_LOOP_H
#define PMRELAY_BASE_CURL_LOOP_H

#include <stdbool.h>

#include <curl/curl.h>

struct loop;

/*
 * libcurl's sockets and its timer on our loop, and nothing else.  finished(ctx, easy, code) runs
 * from the loop for each transfer that has ended, after it was taken out of the multi handle, and
 * never inside curl_loop_add().  It may add and remove transfers, and may free the curl_loop.
 */
struct curl_loop;

typedef void curl_loop_finished_fn(void *ctx, CURL *easy, CURLcode code);

/* libcurl as such: once per process and never undone.  False: it would not. */
bool curl_start(void);

/* NULL: libcurl would not start. */
struct curl_loop *curl_loop_new(struct loop *, curl_loop_finished_fn *finished, void *ctx);
/* Every transfer has been removed or has finished. */
void curl_loop_free(struct curl_loop **);

CURLM *curl_loop_multi(struct curl_loop *); /* for its options */
CURLMcode curl_loop_add(struct curl_loop *, CURL *);
void curl_loop_remove(struct curl_loop *, CURL *); /* cut: finished() does not run for it */

#endif
