#ifndef PMRELAY_OPERATIONS_OPERATION_H
#define PMRELAY_OPERATIONS_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The table of everything that can be asked of the daemon.  A row makes the HTTP path, the check of
 * what comes in, the command of pmrelayctl with its help, its table and its completion, the OpenAPI
 * document and a part of the manual; an operation is added here and in the one file of control/
 * that runs it, and nowhere else.
 *
 * One rule gives the path: "server edit" is /server/edit, and an operation with an argument of the
 * place IN_PATH (there is at most one, and it is the first) is /server/edit/ID.  What only
 * looks is GET, what changes something is POST.  Arguments of GET are in the query, those of POST
 * are members of one JSON object; the names are the same as pmrelayctl's options without the
 * dashes.
 */
enum operation_access {
	ACCESS_READ,  /* the group, too */
	ACCESS_ADMIN, /* the daemon's own user and root */
};

enum argument_kind {
	ARGUMENT_STRING,
	ARGUMENT_INTEGER,
	ARGUMENT_BOOLEAN,
	ARGUMENT_CHOICE, /* a string, one of choices */
	ARGUMENT_TIME,   /* a span: a number of milliseconds, or "90s", "5m", "2d" */
	ARGUMENT_WHEN,  /* a moment: RFC 3339, or a span that is so long ago ("2h"): milliseconds */
	ARGUMENT_LIST,  /* an array of strings; repeated on the command line */
	ARGUMENT_PAIRS, /* an object of strings; KEY=VALUE, repeated */
	ARGUMENT_HEADERS, /* an array of {"Name","Value"}, so that a name may be there twice; taken
			   * as an object of strings, too; "Name: value", repeated */
	ARGUMENT_FILES,   /* an object of base64 texts by name; NAME=PATH of a file, repeated */
	ARGUMENT_ATTACHMENTS, /* an array of {"Name","Content","ContentType"[,"ContentID"]}; taken
			       * as an object of base64 texts by name, too, the type told by the
			       * name; PATH or NAME=PATH of a file, repeated */
	ARGUMENT_OBJECT,      /* JSON as it is: an object */
	ARGUMENT_ARRAY,       /* JSON as it is: an array */
	ARGUMENT_ANY,         /* JSON as it is */
	ARGUMENT_BYTES,       /* base64 in JSON; on the command line a file */
};

enum argument_place {
	IN_ARGUMENTS, /* the query of a GET, the JSON object of a POST */
	IN_PATH,  /* the last segment; ID of the command.  A LIST: one ID in the path, an array in
		   * the JSON, several words on the command line */
	IN_WHOLE, /* POST: the body may be this argument alone, when its JSON is no object or its
		   * Content-Type is message/rfc822; else it is a member like the others */
};

struct argument {
	const char *name; /* "smtp-api-activated" */
	enum argument_kind kind;
	enum argument_place place;
	bool required;
	bool secret;        /* never shown; on the command line from a file only */
	bool word;          /* a word of the command line, no option: "raw METHOD PATH"; those
			     * IN_PATH and IN_WHOLE are it anyhow */
	bool admin;         /* another value than the preset takes ACCESS_ADMIN; help and OpenAPI
			     * say so */
	bool resets;        /* the preset holds only when the ID is given (or there is none to
			     * give) and the argument "keep" is not true */
	const char *preset; /* as JSON text; NULL: left out when it is not given */
	const char *const *choices; /* NULL-terminated; of CHOICE, and what is offered for STRING */
	int64_t least, most;        /* of INTEGER and TIME, when most is not 0 */
	/*
	 * Postmark's name for it, in the query of a GET or DELETE, in the JSON of the others; NULL:
	 * ours alone.  A dot leads into an object ("HttpAuth.Username"), and
	 * "Suppressions[].EmailAddress" makes an array with an object for each text of a LIST.
	 * "metadata_*" takes the names of PAIRS in the place of the star.
	 */
	const char *remote;
	const char *label; /* the connector's name of the input; NULL: not one of its inputs */
	/* JSON that shows the shape of one that must be given: the connector's default, where it is
	 * a text to be overwritten and no value.  NULL: none. */
	const char *sample;
	const char *text; /* help: one or two sentences */
};

/* Who runs it: a function of control/. */
enum operation_run {
	RUN_REMOTE, /* one call to Postmark as the row says */
	RUN_RAW,
	RUN_SEND,       /* send email, send template */
	RUN_SEND_BATCH, /* both batches */
	RUN_WEBHOOK_CREATE,
	RUN_WEBHOOK_LIST,
	RUN_WEBHOOK_DELETE, /* one, or all that point here */
	RUN_WEBHOOK_ENSURE,
	RUN_SUPPRESSION_CHANGE, /* at Postmark, and in the relay's own list */
	RUN_SUPPRESSION_CHECK,  /* in that list */
	RUN_SUPPRESSION_SYNC,
	RUN_PAGES, /* RUN_REMOTE, and with the argument "all" true every page from offset on */
	RUN_QUEUE_LIST,
	RUN_QUEUE_SHOW,
	RUN_QUEUE_CHANGE, /* hold, release, retry, delete */
	RUN_QUEUE_FLUSH,
	RUN_QUEUE_DRAIN,
	RUN_QUEUE_COUNT,
	RUN_ROUTE_LIST,
	RUN_ROUTE_CHANGE, /* pause, resume */
	RUN_STATUS,
	RUN_EVENTS,
	RUN_EXPLAIN,
	RUN_TOP,
	RUN_HEALTHCHECK,
	RUN_CONFIG,
	RUN_RELOAD,
	RUN_LOG_LEVEL,
	RUN_VERSION,
	RUN_OPENAPI,
	RUN_COUNT,
};

enum remote_token {
	TOKEN_SERVER,
	TOKEN_ACCOUNT,
};

struct operation {
	const char *name; /* "server create"; the words of the command and of the path */
	bool changes;     /* POST; else GET */
	enum operation_access access;
	bool destroys;   /* asks first on a terminal; scripts say --yes */
	bool streams;    /* answers line by line (JSON lines) until it is done or the client goes */
	bool progresses; /* may take long: the client may ask for lines before the answer */
	enum operation_run run;
	/* The connector's actions, as its document's anchors name them ("getservers getserver"),
	 * apart by a space; NULL: none. */
	const char *action;
	/* Of RUN_REMOTE and RUN_PAGES, and for others to use. "{id}" in path stands for the
	 * argument in the path, "{stream}" and the like for the argument of that name,
	 * percent-encoded; in "{+counts}" slashes stay as they are. */
	const char *remote_method, *remote_path;
	enum remote_token token;
	/* The path when the argument in the path is not given, always with the server token; NULL:
	 * it must be given, or remote_path has no place for it. */
	const char *remote_path_current;
	/* Names of members, apart by commas, of the answer at any depth, whose strings (and those
	 * of arrays) are masked unless the argument "tokens" is "show"; NULL: none. */
	const char *secrets;
	/* The same of what a mail says, its bodies and attachments: those who may only look get
	 * null in their place, see operation_hidden_note.  NULL: none. */
	const char *contents;
	const struct argument *arguments; /* ends with a NULL name; without operation_connection */
	/* What a table shows: "ID,Name,Color=Colour,Triggers.Bounce.Enabled=Bounces": members of
	 * the answer by their path, with the heading where it is another.  NULL: name and value, a
	 * line each. */
	const char *rows; /* the member that holds the array; NULL: the answer is one object, "": is
			   * itself the array */
	const char *columns;
	const char *help;    /* one line, an imperative: "Create a server" */
	const char *text;    /* whole sentences; NULL: help says it all */
	const char *example; /* a command line after "pmrelayctl " that works against the sandbox */
	const char *example_body; /* the same as JSON object: arguments, the path's among them */
};

extern const struct operation operation_table[]; /* ends with a NULL name */
size_t operation_count(void);

/* "connection" for what speaks to Postmark: in every operation with remote_path. */
extern const struct argument operation_connection;

/* "/server/edit" without what stands for the argument IN_PATH; "/openapi.json".  Caller frees. */
char *operation_path(const struct operation *);
/* The argument IN_PATH, or that IN_WHOLE.  NULL: it has none. */
const struct argument *operation_argument_at(const struct operation *, enum argument_place);

/* The operation of that path ("/server/edit/77", no query), and the rest of the path decoded, for
 * the caller to free, in *id_r (NULL: none).  NULL: there is none. */
const struct operation *operation_by_path(const char *path, char **id_r);
/* The operation with the most words of these, and how many they were in *used_r. */
const struct operation *operation_by_words(char *const *words, size_t count, size_t *used_r);
/* The name most like these words; NULL: none is near. */
const char *operation_nearest(const char *words);
/* The argument, operation_connection among them.  NULL: it has none of that name. */
const struct argument *operation_argument(const struct operation *, const char *name);
const char *operation_argument_nearest(const struct operation *, const char *name);
bool operation_is_remote(const struct operation *); /* takes "connection" */
const char *argument_kind_name(enum argument_kind); /* for people: "a number" */
/* Who may give it: "For administrators alone." and the like; NULL: whoever may ask for the
 * operation. */
const char *argument_access_text(const struct argument *);
/* In the answer, where something is left out of it that is not for those who may only look. */
extern const char operation_hidden_note[];

#endif
