#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/strlist.h"

#include "outlet/rules.h"

int64_t
rule_wait_ms(unsigned tries, int64_t least_ms, int64_t most_ms, uint16_t chance)
{
	int64_t wait = least_ms;

	for (unsigned i = 1; i < tries && wait < most_ms; i++)
		wait *= 2;
	if (wait > most_ms)
		wait = most_ms;
	return wait - wait / 4 * chance / UINT16_MAX;
}

enum rule_answer
rule_answer(long status)
{
	if (status >= 200 && status < 300)
		return RULE_TAKEN;
	if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429)
		return RULE_DROP;
	return RULE_AGAIN;
}

void
rule_words(const char *command, struct strlist *words)
{
	struct buf word;
	bool begun = false;
	char quote = '\0';

	buf_init(&word, strlen(command) + 1);
	for (const char *at = command; *at != '\0'; at++) {
		if (quote != '\0' && *at == quote) {
			quote = '\0';
		} else if (quote == '\0' && (*at == '"' || *at == '\'')) {
			quote = *at;
			begun = true;
		} else if (quote == '\0' && (*at == ' ' || *at == '\t')) {
			if (begun)
				strlist_add_bytes(
				    words, word.data != NULL ? word.data : "", word.len);
			buf_clear(&word);
			begun = false;
		} else {
			buf_addc(&word, *at);
			begun = true;
		}
	}
	if (begun)
		strlist_add_bytes(words, word.data != NULL ? word.data : "", word.len);
	buf_free(&word);
}
