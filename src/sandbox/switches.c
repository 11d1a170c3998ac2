#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/state.h"
#include "sandbox/switches.h"

static const struct {
	const char *name;
	size_t at;
} switches[] = {
	{ "verify_webhooks", offsetof(struct switches, verify_webhooks) },
	{ "delete_servers", offsetof(struct switches, delete_servers) },
	{ "to_optional", offsetof(struct switches, to_optional) },
	{ "check_senders", offsetof(struct switches, check_senders) },
	{ "custom_unsubscribe", offsetof(struct switches, custom_unsubscribe) },
	{ "refuse_partly_suppressed", offsetof(struct switches, refuse_partly_suppressed) },
	{ "smtp_starttls", offsetof(struct switches, smtp_starttls) },
	{ "pending_approval", offsetof(struct switches, pending_approval) },
};

#define COUNT (sizeof(switches) / sizeof(switches[0]))

static bool *
flag_of(struct switches *set, size_t which)
{
	return (bool *)((char *)set + switches[which].at);
}

json_t *
switches_json(const struct switches *set)
{
	struct switches copy = *set;
	json_t *json = json_object();

	for (size_t i = 0; i < COUNT; i++)
		json_object_set_new(json, switches[i].name, json_boolean(*flag_of(&copy, i)));
	return json;
}

int
switches_set(struct switches *set, const json_t *json, char *why_r, size_t size)
{
	struct switches changed = *set;
	const char *name;
	json_t *value;
	size_t i;

	if (!json_is_object(json)) {
		snprintf(why_r, size, "wanted an object");
		return -1;
	}
	json_object_foreach((json_t *)json, name, value)
	{
		for (i = 0; i < COUNT && strcmp(switches[i].name, name) != 0; i++)
			continue;
		if (i == COUNT) {
			snprintf(why_r, size, "there is no switch \"%.64s\"", name);
			return -1;
		}
		if (!json_is_boolean(value)) {
			snprintf(why_r, size, "%s: wanted true or false", name);
			return -1;
		}
		*flag_of(&changed, i) = json_is_true(value);
	}
	*set = changed;
	return 0;
}
