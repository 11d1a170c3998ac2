#include <stdio.h>
#include <string.h>

#include "sandbox/event_settings.h"

#define DAY 86400000
#define ANY 1000000000

enum kind {
	NUMBER,
	FLAG,
	SHARE, /* from 0 to 1 */
};

struct setting {
	const char *name;
	enum kind kind;
	size_t at;
	int64_t least, most, usual;
};

#define AT(member) offsetof(struct event_settings, member)

static const struct setting settings[] = {
	{ "delay_ms", NUMBER, AT(delay_ms), 0, DAY, 100 },
	{ "webhook_speed", NUMBER, AT(webhook_speed), 1, 1000000, 1 },
	{ "timeout_ms", NUMBER, AT(timeout_ms), 1, DAY, 10000 },
	{ "inbound_timeout_ms", NUMBER, AT(inbound_timeout_ms), 1, DAY, 120000 },
	{ "parallel", NUMBER, AT(parallel), 1, 256, 64 },
	{ "shuffle_ms", NUMBER, AT(shuffle_ms), 0, DAY, 0 },
	{ "seed", NUMBER, AT(seed), 0, ANY, 1 },
	{ "duplicate_every", NUMBER, AT(duplicate_every), 0, ANY, 0 },
	{ "duplicate_probability", SHARE, AT(duplicate_probability), 0, 1, 0 },
	{ "duplicate_other_trace", FLAG, AT(duplicate_other_trace), 0, 1, 0 },
	{ "wrong_password", NUMBER, AT(wrong_password), 0, ANY, 0 },
	{ "no_auth", NUMBER, AT(no_auth), 0, ANY, 0 },
	{ "wrong_path", NUMBER, AT(wrong_path), 0, ANY, 0 },
	{ "old_server_id", FLAG, AT(old_server_id), 0, 1, 0 },
	{ "expect", FLAG, AT(expect), 0, 1, 0 },
	{ "chunked", FLAG, AT(chunked), 0, 1, 0 },
	{ "slow_body_ms", NUMBER, AT(slow_body_ms), 0, DAY, 0 },
	{ "open_after_ms", NUMBER, AT(open_after_ms), -1, DAY, -1 },
	{ "click_after_ms", NUMBER, AT(click_after_ms), -1, DAY, -1 },
	{ "pause_after", NUMBER, AT(pause_after), 0, ANY, 0 },
};

#define COUNT (sizeof(settings) / sizeof(settings[0]))

static void *
member_of(struct event_settings *set, const struct setting *setting)
{
	return (char *)set + setting->at;
}

void
event_settings_init(struct event_settings *set)
{
	memset(set, 0, sizeof(*set));
	for (size_t i = 0; i < COUNT; i++) {
		if (settings[i].kind == NUMBER)
			*(int64_t *)member_of(set, &settings[i]) = settings[i].usual;
	}
}

json_t *
event_settings_json(const struct event_settings *set)
{
	struct event_settings copy = *set;
	json_t *json = json_object(), *value = NULL;

	for (size_t i = 0; i < COUNT; i++) {
		const void *member = member_of(&copy, &settings[i]);

		switch (settings[i].kind) {
		case NUMBER:
			value = json_integer((json_int_t) * (const int64_t *)member);
			break;
		case FLAG:
			value = json_boolean(*(const bool *)member);
			break;
		case SHARE:
			value = json_real(*(const double *)member);
			break;
		}
		json_object_set_new(json, settings[i].name, value);
	}
	return json;
}

static int
set_one(struct event_settings *set, const struct setting *setting, const json_t *value, char *why_r,
    size_t size)
{
	void *member = member_of(set, setting);

	switch (setting->kind) {
	case NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) < setting->least ||
		    json_integer_value(value) > setting->most) {
			snprintf(why_r, size, "%s: wanted a number from %lld to %lld",
			    setting->name, (long long)setting->least, (long long)setting->most);
			return -1;
		}
		*(int64_t *)member = json_integer_value(value);
		break;
	case FLAG:
		if (!json_is_boolean(value)) {
			snprintf(why_r, size, "%s: wanted true or false", setting->name);
			return -1;
		}
		*(bool *)member = json_is_true(value);
		break;
	case SHARE:
		if (!json_is_number(value) || json_number_value(value) < 0 ||
		    json_number_value(value) > 1) {
			snprintf(why_r, size, "%s: wanted a number from 0 to 1", setting->name);
			return -1;
		}
		*(double *)member = json_number_value(value);
		break;
	}
	return 0;
}

int
event_settings_set(struct event_settings *set, const json_t *json, char *why_r, size_t size)
{
	struct event_settings changed = *set;
	const char *name;
	json_t *value;
	size_t i;

	if (!json_is_object(json)) {
		snprintf(why_r, size, "wanted an object");
		return -1;
	}
	json_object_foreach((json_t *)json, name, value)
	{
		for (i = 0; i < COUNT && strcmp(settings[i].name, name) != 0; i++)
			continue;
		if (i == COUNT) {
			snprintf(why_r, size, "there is no setting \"%.64s\"", name);
			return -1;
		}
		if (set_one(&changed, &settings[i], value, why_r, size) != 0)
			return -1;
	}
	*set = changed;
	return 0;
}
