/* See zone.h. Look-ups by bisection, and walks where the neighbours are near.
   Not for the rules that zones follow: they are a list here. */
#include "clock/zone.h"

enum vf_status vf__zone_init(struct vf__zone *zone, const struct vf_offset *offsets, size_t n,
                             struct vf_error *err) {
    *zone = (struct vf__zone){.offsets = offsets, .n = n};
    for (size_t i = 0; i < n; i++) {
        bool known = offsets[i].offset_ns != VF_OFFSET_UNKNOWN;
        if (known && (offsets[i].offset_ns <= -VF_DAY_NS || offsets[i].offset_ns >= VF_DAY_NS))
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "offset %zu of the time zone is a day or more", i);
        if (i > 0 && offsets[i].from_ns <= offsets[i - 1].from_ns)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the time zone's offsets are not in order");
    }
    return VF_OK;
}

/* The moment from which on another offset than number i holds. */
static int64_t until(const struct vf__zone *zone, size_t i) {
    return i + 1 < zone->n ? zone->offsets[i + 1].from_ns : INT64_MAX;
}

static bool known(const struct vf__zone *zone, size_t i) {
    return zone->offsets[i].offset_ns != VF_OFFSET_UNKNOWN;
}

bool vf__zone_offset(struct vf__zone *zone, int64_t utc_ns, int64_t *offset_ns) {
    const struct vf_offset *offsets = zone->offsets;
    if (zone->n == 0 || utc_ns < offsets[0].from_ns) return false;
    if (utc_ns < offsets[zone->last].from_ns || utc_ns >= until(zone, zone->last)) {
        size_t low = 0, high = zone->n;
        while (high - low > 1) {
            size_t middle = low + (high - low) / 2;
            if (offsets[middle].from_ns <= utc_ns)
                low = middle;
            else
                high = middle;
        }
        zone->last = low;
    }
    *offset_ns = offsets[zone->last].offset_ns;
    return known(zone, zone->last);
}

bool vf__zone_is_steady(const struct vf__zone *zone, int64_t utc_ns) {
    int64_t from = zone->offsets[zone->last].from_ns, to = until(zone, zone->last), wide = 2 * VF_DAY_NS;
    return (zone->last == 0 || utc_ns - wide >= from) && (to == INT64_MAX || utc_ns < to - wide);
}

/* Few offsets lie near a moment, so a walk from where the last was found is short. */
int64_t vf__zone_first(const struct vf__zone *zone, int64_t local_ns) {
    size_t i = zone->last;
    while (i > 0 && known(zone, i - 1) && until(zone, i - 1) + zone->offsets[i - 1].offset_ns > local_ns)
        i--;
    while (i + 1 < zone->n && known(zone, i + 1) && until(zone, i) + zone->offsets[i].offset_ns <= local_ns)
        i++;
    int64_t utc_ns = local_ns - zone->offsets[i].offset_ns;
    return i > 0 && utc_ns < zone->offsets[i].from_ns ? zone->offsets[i].from_ns : utc_ns;
}

int64_t vf__zone_last(const struct vf__zone *zone, int64_t local_ns) {
    size_t i = zone->last;
    while (i + 1 < zone->n && known(zone, i + 1) &&
           zone->offsets[i + 1].from_ns + zone->offsets[i + 1].offset_ns <= local_ns)
        i++;
    while (i > 0 && known(zone, i - 1) && zone->offsets[i].from_ns + zone->offsets[i].offset_ns > local_ns)
        i--;
    int64_t utc_ns = local_ns - zone->offsets[i].offset_ns;
    return utc_ns > until(zone, i) ? until(zone, i) : utc_ns;
}
