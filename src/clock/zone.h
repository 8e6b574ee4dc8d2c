/* A time zone as a list of its offsets: moments to local time, and back where clocks are put forward or back.
   Not a source of zones: the caller brings the list. */
#ifndef VF_CLOCK_ZONE_H
#define VF_CLOCK_ZONE_H

#include "base/base.h"

#define VF__SECOND_NS INT64_C(1000000000)

/* `last` is where the last moment was found: rows come near one another. */
struct vf__zone {
    const struct vf_offset *offsets;
    size_t n, last;
};

/* VF_OK when the offsets rise and are less than a day. */
enum vf_status vf__zone_init(struct vf__zone *zone, const struct vf_offset *offsets, size_t n,
                             struct vf_error *err);

/* Local time less UTC at a moment; false where it is not known. */
bool vf__zone_offset(struct vf__zone *zone, int64_t utc_ns, int64_t *offset_ns);

/* Whether the offset of the last moment asked for holds for two days before and after it, too. */
bool vf__zone_is_steady(const struct vf__zone *zone, int64_t utc_ns);

/* The first, and the last, moment at which clocks show a local time; of one that is left out, the change. */
int64_t vf__zone_first(const struct vf__zone *zone, int64_t local_ns);
int64_t vf__zone_last(const struct vf__zone *zone, int64_t local_ns);

#endif
