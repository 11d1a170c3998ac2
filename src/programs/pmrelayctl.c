/*
 * pmrelayctl: the admin's command.
 */

#include <signal.h>
#include <unistd.h>

#include <curl/curl.h>

#include "console/console.h"

int
main(int argc, char **argv)
{
	int status;

	/* A daemon that goes in the middle is an error to tell of. */
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	status = console_main(argc, argv, environ);
	curl_global_cleanup();
	return status;
}
