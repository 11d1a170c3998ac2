/*
 * Completion for three shells.  Each script is a few fixed functions and three tables from the
 * operations: which words may follow, which options a command has, what an option's value may be.
 */

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "operations/operation.h"

#include "console/help.h"
#include "console/words.h"

/* What stands behind an option, for a shell. */
enum value_kind {
	VALUE_NONE,  /* the option stands alone */
	VALUE_TEXT,  /* nothing to offer, but @FILE */
	VALUE_PLAIN, /* nothing to offer */
	VALUE_FILE,
	VALUE_CHOICE,
};

static enum value_kind
kind_of(const struct argument *a)
{
	if (a->secret)
		return VALUE_FILE;
	if (a->choices != NULL)
		return VALUE_CHOICE;
	switch (a->kind) {
	case ARGUMENT_BOOLEAN:
		return VALUE_NONE;
	case ARGUMENT_BYTES:
	case ARGUMENT_ATTACHMENTS:
		return VALUE_FILE;
	case ARGUMENT_STRING:
	case ARGUMENT_LIST:
	case ARGUMENT_PAIRS:
	case ARGUMENT_HEADERS:
	case ARGUMENT_FILES:
	case ARGUMENT_OBJECT:
	case ARGUMENT_ARRAY:
	case ARGUMENT_ANY:
		return VALUE_TEXT;
	case ARGUMENT_INTEGER:
	case ARGUMENT_CHOICE:
	case ARGUMENT_TIME:
	case ARGUMENT_WHEN:
		return VALUE_PLAIN;
	}
	return VALUE_PLAIN;
}

static enum value_kind
kind_of_own(const struct words_option *option)
{
	return option->value == NULL     ? VALUE_NONE
	       : option->choices != NULL ? VALUE_CHOICE
	       : option->file            ? VALUE_FILE
					 : VALUE_PLAIN;
}

static bool
is_word(const struct argument *a)
{
	return a->place != IN_ARGUMENTS || a->word;
}

/* Within single quotes of every shell: texts of ours, but they may have an apostrophe. */
static void
add_quoted(struct buf *out, const char *text, size_t len)
{
	buf_addc(out, '\'');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, text[i]);
	}
	buf_addc(out, '\'');
}

/* The first sentence: there is no room for more beside an option. */
static size_t
first_sentence(const char *text)
{
	const char *end = strstr(text, ". ");
	size_t len = end != NULL ? (size_t)(end - text) : strlen(text);

	return len > 0 && text[len - 1] == '.' ? len - 1 : len;
}

/* --- what may follow a word ---------------------------------------------------------------- */

/* Each beginning of a command once ("" first), and the words that go on from it, each once. */
struct follow {
	void (*begin)(struct buf *, const char *prefix, size_t len);
	void (*word)(struct buf *, const char *prefix, size_t prefix_len, const char *word,
	    size_t len, const char *help);
	void (*end)(struct buf *);
};

/* The first row with this beginning of its name. */
static bool
is_first_with(const struct operation *o, size_t prefix_len)
{
	for (const struct operation *before = operation_table; before < o; before++)
		if (strncmp(before->name, o->name, prefix_len) == 0 &&
		    (before->name[prefix_len] == ' ' || before->name[prefix_len] == '\0'))
			return false;
	return true;
}

/* Whether the name goes on from prefix; *word_r is where. */
static bool
goes_on(const struct operation *o, const char *prefix, size_t len, const char **word_r)
{
	if (len == 0) {
		*word_r = o->name;
		return true;
	}
	if (strncmp(o->name, prefix, len) != 0 || o->name[len] != ' ')
		return false;
	*word_r = o->name + len + 1;
	return true;
}

static void
add_following(struct buf *out, const struct follow *f, const char *prefix, size_t len)
{
	const char *word;

	f->begin(out, prefix, len);
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		size_t word_len;

		if (!goes_on(o, prefix, len, &word))
			continue;
		word_len = strcspn(word, " ");
		if (is_first_with(o, (size_t)(word - o->name) + word_len))
			f->word(out, prefix, len, word, word_len,
			    word[word_len] == '\0' ? o->help : "");
	}
	if (len == 0) {
		f->word(out, "", 0, "help", 4, "Explain a command");
		f->word(out, "", 0, "completion", 10, "Print the completion of a shell");
	}
	f->end(out);
}

static void
add_all_following(struct buf *out, const struct follow *f)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };

	add_following(out, f, "", 0);
	for (const struct operation *o = operation_table; o->name != NULL; o++)
		for (const char *space = strchr(o->name, ' '); space != NULL;
		     space = strchr(space + 1, ' ')) {
			size_t len = (size_t)(space - o->name);
			bool first = true;

			for (const struct operation *b = operation_table; b < o; b++)
				first = first && !(strncmp(b->name, o->name, len) == 0 &&
						     b->name[len] == ' ');
			if (first)
				add_following(out, f, o->name, len);
		}
	f->begin(out, "completion", 10);
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		f->word(out, "completion", 10, shells[i], strlen(shells[i]), "");
	f->end(out);
}

/* --- options ------------------------------------------------------------------------------- */

/* Each option with the command it belongs to; "" for pmrelayctl's own. */
typedef void option_fn(struct buf *, const char *command, const char *name, enum value_kind,
    const char *const *choices, const char *text);

static void
each_option(struct buf *out, const struct operation *o, option_fn *f)
{
	char name[128];

	if (o == NULL) {
		for (const struct words_option *own = words_options; own->name != NULL; own++)
			f(out, "", own->name, kind_of_own(own), own->choices, own->text);
		return;
	}
	for (const struct argument *a = o->arguments; a->name != NULL; a++) {
		if (is_word(a))
			continue;
		snprintf(name, sizeof(name), "%s%s", a->name, a->secret ? "-file" : "");
		f(out, o->name, name, kind_of(a), a->choices, a->text);
	}
	for (const struct words_option *own = words_options_of(o); own->name != NULL; own++)
		f(out, o->name, own->name, kind_of_own(own), own->choices, own->text);
}

/* The words of a command that are no options: the kind of the first, for all of them. */
static const struct argument *
first_place(const struct operation *o)
{
	for (const struct argument *a = o->arguments; a->name != NULL; a++)
		if (is_word(a))
			return a;
	return NULL;
}

static void
add_choices(struct buf *out, const char *const *choices)
{
	for (size_t i = 0; choices[i] != NULL; i++)
		buf_addf(out, "%s%s", i > 0 ? " " : "", choices[i]);
}

/* --- bash and zsh -------------------------------------------------------------------------- */

static void
case_begin(struct buf *out, const char *prefix, size_t len)
{
	buf_adds(out, "\t");
	add_quoted(out, prefix, len);
	buf_adds(out, ") offer=\"");
}

static void
case_word(struct buf *out, const char *prefix, size_t prefix_len, const char *word, size_t len,
    const char *help)
{
	(void)prefix;
	(void)prefix_len;
	(void)help;
	buf_addf(out, "%.*s ", (int)len, word);
}

static void
case_end(struct buf *out)
{
	buf_adds(out, "\" ;;\n");
}

static const struct follow case_follow = { case_begin, case_word, case_end };

static void
case_option(struct buf *out, const char *command, const char *name, enum value_kind kind,
    const char *const *choices, const char *text)
{
	(void)command;
	(void)kind;
	(void)choices;
	(void)text;
	buf_addf(out, "--%s ", name);
}

static void
case_value(struct buf *out, const char *command, const char *name, enum value_kind kind,
    const char *const *choices, const char *text)
{
	(void)text;
	if (kind == VALUE_NONE)
		return;
	buf_addf(out, "\t'%s --%s') value=", command, name);
	switch (kind) {
	case VALUE_NONE:
	case VALUE_PLAIN:
		buf_adds(out, "plain");
		break;
	case VALUE_TEXT:
		buf_adds(out, "text");
		break;
	case VALUE_FILE:
		buf_adds(out, "file");
		break;
	case VALUE_CHOICE:
		buf_adds(out, "choice offer='");
		add_choices(out, choices);
		buf_adds(out, "'");
		break;
	}
	buf_adds(out, " ;;\n");
}

/* The three tables as functions that set $offer and $value. */
static void
add_case_tables(struct buf *out)
{
	buf_adds(
	    out, "# The words that may follow.\n_pmrelayctl_words() {\n\twords=\n\tcase $1 in\n");
	add_all_following(out, &case_follow);
	buf_adds(out,
	    "\tesac\n}\n\n"
	    "# The options of a command.\n_pmrelayctl_options() {\n\twords=\n\tcase $1 in\n"
	    "\t'') offer='");
	each_option(out, NULL, case_option);
	buf_adds(out, "' ;;\n");
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		buf_addf(out, "\t'%s') offer='", o->name);
		each_option(out, o, case_option);
		buf_adds(out, operation_is_remote(o) ? "--connection ' ;;\n" : "' ;;\n");
	}
	buf_adds(out, "\tesac\n}\n\n"
		      "# What the value of an option may be, or with no option a word of the "
		      "command: none, plain,\n# text (@FILE is a file), file, or a choice of "
		      "$offer.\n_pmrelayctl_value() {\n\tvalue=none offer=\n\tcase \"$1 $2\" in\n");
	each_option(out, NULL, case_value);
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		const struct argument *place = first_place(o);

		each_option(out, o, case_value);
		if (operation_is_remote(o))
			buf_addf(out, "\t'%s --connection') value=plain ;;\n", o->name);
		if (place == NULL)
			continue;
		buf_addf(out, "\t'%s ') value=", o->name);
		if (place->choices != NULL) {
			buf_adds(out, "choice offer='");
			add_choices(out, place->choices);
			buf_adds(out, "'");
		} else {
			buf_adds(out, kind_of(place) == VALUE_FILE ? "file"
				      : place->place == IN_WHOLE   ? "text"
								   : "plain");
		}
		buf_adds(out, " ;;\n");
	}
	buf_adds(out, "\tesac\n}\n");
}

/*
 * The same for bash and zsh: the command so far, and the option that waits for its value.  Arrays
 * begin at 0 in one and at 1 in the other, so the words come as arguments.
 */
static const char case_state[] =
    "\n# From the words before the cursor: the command so far, and the option that waits for a\n"
    "# value.  complete: no word more belongs to its name.\n"
    "_pmrelayctl_state() {\n"
    "\tcommand= option= complete=\n"
    "\tlocal word offer value\n"
    "\tfor word; do\n"
    "\t\tif [ \"$option\" ] && [ \"$word\" = '=' ]; then\n"
    "\t\t\tcontinue\n"
    "\t\telif [ \"$option\" ]; then\n"
    "\t\t\toption=\n"
    "\t\t\tcontinue\n"
    "\t\tfi\n"
    "\t\tcase $word in\n"
    "\t\t--*=*) ;;\n"
    "\t\t-*)\n"
    "\t\t\t_pmrelayctl_value \"$command\" \"$word\"\n"
    "\t\t\t[ \"$value\" != none ] || _pmrelayctl_value '' \"$word\"\n"
    "\t\t\t[ \"$value\" = none ] || option=$word\n"
    "\t\t\t[ -z \"$command\" ] || _pmrelayctl_whole\n"
    "\t\t\t;;\n"
    "\t\thelp)\n"
    "\t\t\t[ \"$command\" ] || continue\n"
    "\t\t\t;;\n"
    "\t\t*)\n"
    "\t\t\t_pmrelayctl_words \"$command\"\n"
    "\t\t\tcase \" $offer \" in\n"
    "\t\t\t*\" $word \"*)\n"
    "\t\t\t\t[ \"$complete\" ] || command=\"$command${command:+ }$word\"\n"
    "\t\t\t\t;;\n"
    "\t\t\t*) complete=yes ;;\n"
    "\t\t\tesac\n"
    "\t\t\t;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "}\n"
    "# An option ends the name of a command that is one.\n"
    "_pmrelayctl_whole() {\n"
    "\t_pmrelayctl_options \"$command\"\n"
    "\t[ -z \"$offer\" ] || complete=yes\n"
    "}\n";

static void
add_bash(struct buf *out)
{
	buf_adds(out, "# bash completion for pmrelayctl, made from its table of commands\n\n");
	add_case_tables(out);
	buf_adds(out, case_state);
	buf_adds(out,
	    "\n_pmrelayctl() {\n"
	    "\tlocal command option complete offer value\n"
	    "\tlocal current=${COMP_WORDS[COMP_CWORD]} offered=\n"
	    "\tCOMPREPLY=()\n"
	    "\t_pmrelayctl_state \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
	    "\t[ \"$current\" = '=' ] && current=\n"
	    "\tvalue=none offer=\n"
	    "\tif [ \"$option\" ]; then\n"
	    "\t\t_pmrelayctl_value \"$command\" \"$option\"\n"
	    "\t\t[ \"$value\" != none ] || _pmrelayctl_value '' \"$option\"\n"
	    "\telif [[ $current == -* ]]; then\n"
	    "\t\t_pmrelayctl_options \"$command\"\n"
	    "\t\toffered=$offer\n"
	    "\t\t_pmrelayctl_options ''\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$offered $offer\" -- \"$current\" | sort "
	    "-u)\n"
	    "\t\treturn\n"
	    "\telse\n"
	    "\t\t[ \"$complete\" ] || _pmrelayctl_words \"$command\"\n"
	    "\t\toffered=$offer\n"
	    "\t\t_pmrelayctl_value \"$command\" ''\n"
	    "\tfi\n"
	    "\tif [[ $current == @* && $value != choice ]]; then\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -P @ -f -- \"${current#@}\")\n"
	    "\t\tcompopt -o filenames 2>/dev/null\n"
	    "\telif [ \"$value\" = file ]; then\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$offered\" -- \"$current\"; compgen -f -- "
	    "\"$current\")\n"
	    "\t\tcompopt -o filenames 2>/dev/null\n"
	    "\telse\n"
	    "\t\tmapfile -t COMPREPLY < <(compgen -W \"$offered $offer\" -- \"$current\")\n"
	    "\tfi\n"
	    "}\n"
	    "complete -F _pmrelayctl pmrelayctl\n");
}

/* "'name:help' " for _describe. */
static void
describe_case(struct buf *out, const char *name, size_t len, const char *help, size_t help_len)
{
	char text[400];
	size_t used = 0;

	for (size_t i = 0; i < len && used + 2 < sizeof(text); i++) {
		if (name[i] == ':')
			text[used++] = '\\';
		text[used++] = name[i];
	}
	if (help_len > 0)
		text[used++] = ':';
	for (size_t i = 0; i < help_len && used + 1 < sizeof(text); i++)
		text[used++] = help[i];
	add_quoted(out, text, used);
	buf_addc(out, ' ');
}

static void
zsh_begin(struct buf *out, const char *prefix, size_t len)
{
	buf_adds(out, "\t");
	add_quoted(out, prefix, len);
	buf_adds(out, ") described=(");
}

static void
zsh_word(struct buf *out, const char *prefix, size_t prefix_len, const char *word, size_t len,
    const char *help)
{
	(void)prefix;
	(void)prefix_len;
	describe_case(out, word, len, help, strlen(help));
}

static void
zsh_end(struct buf *out)
{
	buf_adds(out, ") ;;\n");
}

static const struct follow zsh_follow = { zsh_begin, zsh_word, zsh_end };

static void
zsh_option(struct buf *out, const char *command, const char *name, enum value_kind kind,
    const char *const *choices, const char *text)
{
	char option[130];

	(void)command;
	(void)kind;
	(void)choices;
	snprintf(option, sizeof(option), "--%s", name);
	describe_case(out, option, strlen(option), text, first_sentence(text));
}

static void
add_zsh(struct buf *out)
{
	buf_adds(out,
	    "#compdef pmrelayctl\n# zsh completion for pmrelayctl, made from its table of "
	    "commands\n\n");
	add_case_tables(out);
	buf_adds(out, case_state);
	buf_adds(out,
	    "\n# The same with what they are for.\n_pmrelayctl_described() {\n\tdescribed=()\n"
	    "\tcase $1 in\n");
	add_all_following(out, &zsh_follow);
	buf_adds(out, "\tesac\n}\n\n_pmrelayctl_described_options() {\n\tcase $1 in\n"
		      "\t'') described+=(");
	each_option(out, NULL, zsh_option);
	buf_adds(out, ") ;;\n");
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		buf_addf(out, "\t'%s') described+=(", o->name);
		each_option(out, o, zsh_option);
		buf_adds(out, ") ;;\n");
	}
	buf_adds(out, "\tesac\n}\n\n"
		      "_pmrelayctl() {\n"
		      "\tlocal command option complete offer value\n"
		      "\tlocal -a described\n"
		      "\t_pmrelayctl_state \"${(@Q)words[2,CURRENT-1]}\"\n"
		      "\tvalue=none offer=\n"
		      "\tif [[ -z $option && $PREFIX == --*=* ]]; then\n"
		      "\t\toption=${PREFIX%%=*}\n"
		      "\t\tcompset -P '*='\n"
		      "\tfi\n"
		      "\tif [[ -n $option ]]; then\n"
		      "\t\t_pmrelayctl_value \"$command\" \"$option\"\n"
		      "\t\t[[ $value != none ]] || _pmrelayctl_value '' \"$option\"\n"
		      "\telif [[ $PREFIX == -* ]]; then\n"
		      "\t\t[[ -z $command ]] || _pmrelayctl_described_options \"$command\"\n"
		      "\t\t_pmrelayctl_described_options ''\n"
		      "\t\t_describe -o option described\n"
		      "\t\treturn\n"
		      "\telse\n"
		      "\t\t[[ -n $complete ]] || _pmrelayctl_described \"$command\"\n"
		      "\t\t(( $#described )) && _describe command described\n"
		      "\t\t_pmrelayctl_value \"$command\" ''\n"
		      "\tfi\n"
		      "\tcase $value in\n"
		      "\tchoice) compadd -- ${=offer} ;;\n"
		      "\tfile) compset -P '@'; _files ;;\n"
		      "\t*) compset -P '@' && _files ;;\n"
		      "\tesac\n"
		      "}\n"
		      "# Loaded by its name it is called, sourced it is made known.\n"
		      "if [[ $funcstack[1] == _pmrelayctl ]]; then\n"
		      "\t_pmrelayctl \"$@\"\n"
		      "else\n"
		      "\tcompdef _pmrelayctl pmrelayctl\n"
		      "fi\n");
}

/* --- fish ---------------------------------------------------------------------------------- */

static void
fish_text(struct buf *out, const char *text, size_t len)
{
	buf_addc(out, '\'');
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\'' || text[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, text[i]);
	}
	buf_addc(out, '\'');
}

static void
fish_begin(struct buf *out, const char *prefix, size_t len)
{
	(void)out;
	(void)prefix;
	(void)len;
}

static void
fish_word(struct buf *out, const char *prefix, size_t prefix_len, const char *word, size_t len,
    const char *help)
{
	buf_addf(out, "complete -c pmrelayctl -n '__pmrelayctl_at \"%.*s\"' -f -a '%.*s'",
	    (int)prefix_len, prefix, (int)len, word);
	if (help[0] != '\0') {
		buf_adds(out, " -d ");
		fish_text(out, help, strlen(help));
	}
	buf_addc(out, '\n');
}

static void
fish_end(struct buf *out)
{
	(void)out;
}

static const struct follow fish_follow = { fish_begin, fish_word, fish_end };

static void
fish_option(struct buf *out, const char *command, const char *name, enum value_kind kind,
    const char *const *choices, const char *text)
{
	buf_adds(out, "complete -c pmrelayctl");
	if (command[0] != '\0') {
		size_t len = strlen(command);

		buf_addf(out, " -n '__pmrelayctl_in \"%s\"", command);
		for (const struct operation *o = operation_table; o->name != NULL; o++)
			if (strncmp(o->name, command, len) == 0 && o->name[len] == ' ')
				buf_addf(out, " \"%s\"", o->name);
		buf_addc(out, '\'');
	}
	buf_addf(out, " -l %s", name);
	switch (kind) {
	case VALUE_NONE:
		break;
	case VALUE_PLAIN:
		buf_adds(out, " -x");
		break;
	case VALUE_TEXT:
		buf_adds(out, " -x -a '(__pmrelayctl_files)'");
		break;
	case VALUE_FILE:
		buf_adds(out, " -r -F");
		break;
	case VALUE_CHOICE:
		buf_adds(out, " -x -a '");
		add_choices(out, choices);
		buf_adds(out, "'");
		break;
	}
	buf_adds(out, " -d ");
	fish_text(out, text, first_sentence(text));
	buf_addc(out, '\n');
}

/* Options of pmrelayctl itself that have a value: the word behind them is no command. */
static void
fish_valued(struct buf *out, const char *command, const char *name, enum value_kind kind,
    const char *const *choices, const char *text)
{
	(void)command;
	(void)choices;
	(void)text;
	if (kind != VALUE_NONE)
		buf_addf(out, " --%s", name);
}

static void
add_fish(struct buf *out)
{
	buf_adds(out,
	    "# fish completion for pmrelayctl, made from its table of commands\n\n"
	    "# The words before the cursor that are neither options nor, before the command, their "
	    "values.\n"
	    "function __pmrelayctl_typed\n"
	    "    set -l skip 0\n"
	    "    set -l typed\n"
	    "    for word in (commandline -opc)[2..-1]\n"
	    "        if test $skip = 1\n"
	    "            set skip 0\n"
	    "        else if contains -- $word");
	each_option(out, NULL, fish_valued);
	buf_adds(out, "\n"
		      "            test (count $typed) -gt 0; or set skip 1\n"
		      "        else if string match -q -- '-*' $word\n"
		      "            test (count $typed) -gt 0; and break\n"
		      "        else if test \"$word\" != help -o (count $typed) -gt 0\n"
		      "            set -a typed $word\n"
		      "        end\n"
		      "    end\n"
		      "    string join -- ' ' $typed\n"
		      "end\n"
		      "# They are exactly this.\n"
		      "function __pmrelayctl_at\n"
		      "    test (__pmrelayctl_typed | string collect -a) = \"$argv[1]\"\n"
		      "end\n"
		      "# They are this command, and maybe more.\n"
		      "function __pmrelayctl_in\n"
		      "    set -l typed (__pmrelayctl_typed | string collect -a)\n"
		      "    test \"$typed\" = \"$argv[1]\"; and return\n"
		      "    string match -q -- \"$argv[1] *\" \"$typed\"; or return 1\n"
		      "    for longer in $argv[2..-1]\n"
		      "        test \"$typed\" = \"$longer\"; and return 1\n"
		      "        string match -q -- \"$longer *\" \"$typed\"; and return 1\n"
		      "    end\n"
		      "    return 0\n"
		      "end\n"
		      "# A text may be @FILE.\n"
		      "function __pmrelayctl_files\n"
		      "    set -l current (commandline -ct)\n"
		      "    string match -q -- '@*' $current; or return\n"
		      "    printf '@%s\\n' (__fish_complete_path (string sub -s 2 -- $current))\n"
		      "end\n\n"
		      "complete -c pmrelayctl -f\n");
	add_all_following(out, &fish_follow);
	each_option(out, NULL, fish_option);
	for (const struct operation *o = operation_table; o->name != NULL; o++) {
		const struct argument *place = first_place(o);

		each_option(out, o, fish_option);
		if (place == NULL)
			continue;
		if (place->choices != NULL) {
			buf_addf(out, "complete -c pmrelayctl -n '__pmrelayctl_at \"%s\"' -f -a '",
			    o->name);
			add_choices(out, place->choices);
			buf_adds(out, "'\n");
		} else if (kind_of(place) == VALUE_FILE) {
			buf_addf(out, "complete -c pmrelayctl -n '__pmrelayctl_at \"%s\"' -F\n",
			    o->name);
		} else if (place->place == IN_WHOLE) {
			buf_addf(out,
			    "complete -c pmrelayctl -n '__pmrelayctl_at \"%s\"' -f "
			    "-a '(__pmrelayctl_files)'\n",
			    o->name);
		}
	}
}

void
complete_script(struct buf *out, const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		add_bash(out);
	else if (strcmp(shell, "zsh") == 0)
		add_zsh(out);
	else
		add_fish(out);
}
