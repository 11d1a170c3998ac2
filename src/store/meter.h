#ifndef PMRELAY_STORE_METER_H
#define PMRELAY_STORE_METER_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

/*
 * Counts every sync that reaches the disk, whoever asks for it, and makes each slower by a fixed
 * time when a cloud volume or an old disk is to be imitated.  Any thread.
 */
struct sync_meter {
	atomic_ullong syncs;
	int64_t delay_ms;
};

static inline void
sync_meter_note(struct sync_meter *meter)
{
	atomic_fetch_add_explicit(&meter->syncs, 1, memory_order_relaxed);
	if (meter->delay_ms > 0) {
		struct timespec span = { .tv_sec = meter->delay_ms / 1000,
			.tv_nsec = meter->delay_ms % 1000 * 1000000 };
		nanosleep(&span, NULL);
	}
}

#endif
