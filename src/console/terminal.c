/*
 * What a terminal is asked and told.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "console/terminal.h"

#define USUAL_COLUMNS 80
#define USUAL_ROWS    24

/* The other screen, no cursor; and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static struct termios before;
static bool entered;
static volatile sig_atomic_t signalled;

void
terminal_look(struct terminal *t)
{
	struct winsize size;

	memset(t, 0, sizeof(*t));
	t->in = isatty(STDIN_FILENO);
	t->out = isatty(STDOUT_FILENO);
	t->err = isatty(STDERR_FILENO);
	t->columns = USUAL_COLUMNS;
	t->rows = USUAL_ROWS;
	if (t->out && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
	    size.ws_row > 0) {
		t->columns = size.ws_col;
		t->rows = size.ws_row;
	}
}

bool
terminal_ask(const struct terminal *t, const char *question)
{
	char answer[16];

	(void)t;
	fflush(stdout);
	fputs(question, stderr);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) == NULL) {
		fputc('\n', stderr);
		return false;
	}
	answer[strcspn(answer, "\r\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

static void
on_signal(int number)
{
	(void)number;
	signalled = 1;
}

static void
say(const char *sequence)
{
	size_t len = strlen(sequence);

	while (len > 0) {
		ssize_t done = write(STDOUT_FILENO, sequence, len);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			sequence += done;
			len -= (size_t)done;
		}
	}
}

void
terminal_enter(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	struct termios keys;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return;
	keys = before;
	keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	keys.c_cc[VMIN] = 0;
	keys.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	entered = true;
	fflush(stdout);
	say(ENTER);
}

void
terminal_leave(void)
{
	if (!entered)
		return;
	entered = false;
	fflush(stdout);
	say(LEAVE);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

bool
terminal_was_signalled(void)
{
	return signalled != 0;
}

int
terminal_key(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned char key;

	if (poll(&in, 1, 0) <= 0)
		return 0;
	/* A terminal that has gone reads as its end. */
	if (read(STDIN_FILENO, &key, 1) != 1)
		return 'q';
	return key;
}
