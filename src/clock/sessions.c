/* See sessions.h. Integer nanoseconds throughout: a float clock has no exact noon.
   Not for zones: times are local to the market when they arrive here. */
#include "clock/sessions.h"

#define MILLISECOND_NS INT64_C(1000000)

enum vf_status vf_sessions_check(const struct vf_session *sessions, size_t n_sessions, struct vf_error *err) {
    if (sessions == NULL || n_sessions == 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a market needs at least one session");
    if (n_sessions > VF__MAX_SESSIONS)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu sessions; at most %d are accepted", n_sessions,
                        VF__MAX_SESSIONS);
    for (size_t i = 0; i < n_sessions; i++) {
        const struct vf_session *s = &sessions[i];
        long long number = (long long)i + 1;
        int64_t earliest = i == 0 ? -VF_DAY_NS : 0;
        if (s->start_ns < earliest || s->end_ns > VF_DAY_NS)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                            "session %lld lies outside its day; only the first may begin the evening before",
                            number);
        if (s->start_ns >= s->end_ns)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "session %lld ends at or before its start",
                            number);
        if (i > 0 && s->start_ns <= sessions[i - 1].end_ns)
            return vf__fail(
                err, VF_ERROR_ARGUMENT, NULL, -1,
                "session %lld starts before session %lld has ended: sessions are given in order, without "
                "overlap",
                number, number - 1);
    }
    int64_t span = sessions[n_sessions - 1].end_ns - sessions[0].start_ns;
    if (span > VF_DAY_NS || (span == VF_DAY_NS && sessions[0].start_ns < 0))
        return vf__fail(
            err, VF_ERROR_ARGUMENT, NULL, -1,
            "the last session ends when the next day's first has begun: sessions that begin the evening "
            "before span less than 24 hours");
    return VF_OK;
}

int64_t vf_sessions_length_ns(const struct vf_session *sessions, size_t n_sessions) {
    int64_t length = 0;
    if (vf_sessions_check(sessions, n_sessions, NULL) != VF_OK) return 0;
    for (size_t i = 0; i < n_sessions; i++)
        length += sessions[i].end_ns - sessions[i].start_ns;
    return length;
}

int64_t vf__sessions_length_on(const struct vf_session *sessions, size_t n, int32_t day, struct vf__zone *zone) {
    const int32_t most = (int32_t)(INT64_MAX / VF_DAY_NS) - 2;
    int64_t midnight = 0, offset, length = 0;
    bool real = zone->n > 0 && day > -most && day < most;
    if (real) midnight = day * VF_DAY_NS;
    real = real && vf__zone_offset(zone, midnight, &offset) && !vf__zone_is_steady(zone, midnight);
    for (size_t i = 0; i < n; i++) {
        int64_t start = sessions[i].start_ns, end = sessions[i].end_ns;
        length += real ? vf__zone_last(zone, midnight + end) - vf__zone_first(zone, midnight + start) : end - start;
    }
    return length;
}

void vf__clock_init(struct vf__clock *clock, const struct vf_session *sessions, size_t n,
                    enum vf_outside outside, int64_t grace_ns) {
    *clock = (struct vf__clock){.sessions = sessions, .n = n, .outside = outside, .grace_ns = grace_ns};
    int64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        clock->offset_ns[i] = offset;
        offset += sessions[i].end_ns - sessions[i].start_ns;
    }
}

struct nearest {
    int64_t distance;
    int64_t elapsed_ns;
};

/* Keeps the end of session `i` nearest to `time_ns` where it is nearer than what was found before. */
static void offer(const struct vf__clock *clock, size_t i, int64_t time_ns, struct nearest *best) {
    const struct vf_session *s = &clock->sessions[i];
    bool before = time_ns < s->start_ns;
    int64_t distance = before ? s->start_ns - time_ns : time_ns - s->end_ns;
    if (distance >= best->distance) return;
    best->distance = distance;
    best->elapsed_ns = clock->offset_ns[i] + (before ? 0 : s->end_ns - s->start_ns);
}

enum vf__place vf__clock_place(const struct vf__clock *clock, int64_t time_ns, int64_t *elapsed_ns) {
    for (size_t i = 0; i < clock->n; i++) {
        const struct vf_session *s = &clock->sessions[i];
        if (time_ns >= s->start_ns && time_ns <= s->end_ns) {
            *elapsed_ns = clock->offset_ns[i] + (time_ns - s->start_ns);
            return VF__INSIDE;
        }
    }
    const struct vf_session *first = &clock->sessions[0];
    int64_t evening =
        time_ns - VF_DAY_NS; /* the same clock the evening before, for a session that began then */
    if (first->start_ns < 0 && evening >= first->start_ns && evening <= first->end_ns) {
        *elapsed_ns = evening - first->start_ns;
        return VF__INSIDE;
    }
    struct nearest best = {.distance = INT64_MAX};
    for (size_t i = 0; i < clock->n; i++)
        offer(clock, i, time_ns, &best); /* in order, so that a tie keeps the earlier */
    if (first->start_ns < 0) offer(clock, 0, evening, &best);
    *elapsed_ns = best.elapsed_ns;
    return best.distance <= clock->grace_ns ? VF__GRACE : VF__OUTSIDE;
}

/* What placing a stamp needs at hand. */
struct stamp {
    const struct vf__clock *clock;
    const struct vf__zone *zone;
    int32_t day;
    int64_t at_ns;          /* UTC; without a zone since the midnight that `day` begins with */
    struct nearest nearest; /* session end, of all that were tried */
};

/* The first or the last moment at which the market's clocks show a time of a day. */
static int64_t moment(const struct stamp *stamp, int64_t day, int64_t time_ns, bool last) {
    if (stamp->zone == NULL) return (day - stamp->day) * VF_DAY_NS + time_ns;
    int64_t local_ns = day * VF_DAY_NS + time_ns;
    return last ? vf__zone_last(stamp->zone, local_ns) : vf__zone_first(stamp->zone, local_ns);
}

/* Looks for the stamp in the first n sessions of a trading day. */
static bool look(struct stamp *stamp, int64_t day, size_t n, int64_t *elapsed_ns) {
    int64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        const struct vf_session *s = &stamp->clock->sessions[i];
        int64_t start = moment(stamp, day, s->start_ns, false), end = moment(stamp, day, s->end_ns, true);
        if (stamp->at_ns >= start && stamp->at_ns <= end) {
            *elapsed_ns = offset + (stamp->at_ns - start);
            return true;
        }
        bool before = stamp->at_ns < start;
        int64_t distance = before ? start - stamp->at_ns : stamp->at_ns - end;
        if (distance < stamp->nearest.distance)
            stamp->nearest = (struct nearest){distance, before ? offset : offset + (end - start)};
        offset += end - start;
    }
    return false;
}

enum vf__place vf__clock_place_on(const struct vf__clock *clock, const struct vf__trading_day *on,
                                  const struct vf__zone *zone, int32_t day, int64_t time_ns, int64_t utc_ns,
                                  int64_t *elapsed_ns) {
    struct stamp stamp = {clock, zone, day, zone != NULL ? utc_ns : time_ns, {INT64_MAX, 0}};
    bool night = clock->sessions[0].start_ns < 0;
    *elapsed_ns = 0;
    if (on == NULL || day == on->day) {
        if (on != NULL && time_ns >= on->next_night_ns) return VF__OTHER_DATE;
        if (look(&stamp, day, clock->n, elapsed_ns)) return VF__INSIDE;
        if (on == NULL && night && look(&stamp, (int64_t)day + 1, 1, elapsed_ns)) return VF__INSIDE;
    } else {
        if (!night || day < on->first_evening || day > on->day) return VF__OTHER_DATE;
        if (look(&stamp, (int64_t)day + 1, 1, elapsed_ns)) return VF__INSIDE;
        if (day > on->first_evening && look(&stamp, day, 1, elapsed_ns)) return VF__INSIDE;
        if (stamp.nearest.distance > clock->grace_ns) return VF__OTHER_DATE;
    }
    *elapsed_ns = stamp.nearest.elapsed_ns;
    return stamp.nearest.distance <= clock->grace_ns ? VF__GRACE : VF__OUTSIDE;
}

bool vf_sessions_elapsed_ns(const struct vf_session *sessions, size_t n_sessions, int64_t grace_ns,
                            int64_t time_ns, int64_t *elapsed_ns) {
    struct vf__clock clock;
    int64_t elapsed;
    if (vf_sessions_check(sessions, n_sessions, NULL) != VF_OK || time_ns < 0 || time_ns > VF_DAY_NS)
        return false;
    vf__clock_init(&clock, sessions, n_sessions, VF_OUTSIDE_NULL, grace_ns);
    if (vf__clock_place(&clock, time_ns, &elapsed) == VF__OUTSIDE) return false;
    *elapsed_ns = elapsed;
    return true;
}

bool vf__minutes_init(struct vf__minutes *minutes, const struct vf__clock *clock) {
    for (size_t i = 0; i < sizeof minutes->minute / sizeof minutes->minute[0]; i++) {
        minutes->minute[i].base_ms = 0;
        minutes->minute[i].from_ms = INT32_MAX; /* no remainder lies from here */
        minutes->minute[i].span_ms = 0;
    }
    for (size_t s = 0; s < clock->n; s++) {
        const struct vf_session *session = &clock->sessions[s];
        if (session->start_ns % MILLISECOND_NS != 0 || session->end_ns % MILLISECOND_NS != 0) return false;
        int64_t start = session->start_ns / MILLISECOND_NS, end = session->end_ns / MILLISECOND_NS;
        if (end < 0) continue; /* all of it the evening before: looked at one by one */
        for (int64_t m = start > 0 ? start / 60000 : 0; m <= end / 60000 && m <= 1440; m++) {
            size_t at = (size_t)(m / 60 * 100 + m % 60);
            int64_t from = start > m * 60000 ? start - m * 60000 : 0;
            int64_t to = end - m * 60000 < 59999 ? end - m * 60000 : 59999;
            if (minutes->minute[at].from_ms != INT32_MAX) return false;
            minutes->minute[at].base_ms = (int32_t)(clock->offset_ns[s] / MILLISECOND_NS + m * 60000 - start);
            minutes->minute[at].from_ms = (int32_t)from;
            minutes->minute[at].span_ms = (uint32_t)(to - from);
        }
    }
    return true;
}

#define STRIP 128 /* times that mostly lie in one minute, as rows come in order */

/* Elapsed milliseconds as they are given out: seconds, of digits that have no fraction whole ones. */
static inline void put(void *out, int64_t i, int32_t ms, uint32_t unit) {
    if (unit == 1000)
        ((int64_t *)out)[i] = ms / 1000;
    else
        ((double *)out)[i] = (double)ms / 1e3; /* rounds like the nanoseconds by 1e9 */
}

/* Strips that lie in a session's part of one minute: no division by what is not constant, no look-up. How many times that
   is, from the first on. Inlined with a constant unit, as the next one is. */
static inline int64_t place_strips(const struct vf__minutes *minutes, const int64_t *digits, int64_t n, uint32_t unit,
                                   void *out) {
    const uint32_t a_minute = 100000 / unit, most = 240000000 / unit;
    int64_t done = 0;
    for (; n - done >= STRIP; done += STRIP) {
        const int64_t *strip = digits + done;
        if ((uint64_t)strip[0] > most) break;
        uint32_t at = (uint32_t)strip[0] / a_minute, from = (uint32_t)minutes->minute[at].from_ms;
        uint64_t least = (uint64_t)at * a_minute + (from + unit - 1) / unit;
        uint64_t last = (uint64_t)at * a_minute + (from + minutes->minute[at].span_ms) / unit;
        uint64_t beyond = 0; /* its top bit: a time before `least` or after `last`, however far */
        for (int64_t i = 0; i < STRIP; i++)
            beyond |= ((uint64_t)strip[i] - least) | (last - (uint64_t)strip[i]);
        if (beyond >> 63 != 0) break;
        uint32_t base = (uint32_t)minutes->minute[at].base_ms - at * 100000;
        for (int64_t i = 0; i < STRIP; i++)
            put(out, done + i, (int32_t)(base + (uint32_t)strip[i] * unit), unit);
    }
    return done;
}

/* Inlined with a constant unit, so that the division becomes a multiplication. */
static inline int64_t place_by(const struct vf__minutes *minutes, const int64_t *digits, int64_t n, uint32_t unit,
                               void *out, int32_t *others) {
    const uint32_t a_minute = 100000 / unit, most = 240000000 / unit;
    int64_t n_others = 0;
    for (int64_t i = 0, end = 0; i < n; i++) {
        if (i == end) { /* as far as strips go, and a strip's length by itself */
            i += place_strips(minutes, digits + i, n - i, unit, (uint64_t *)out + i);
            end = i + STRIP;
            if (i == n) break;
        }
        uint32_t d =
            (uint64_t)digits[i] <= most ? (uint32_t)digits[i] : most + a_minute; /* the entry for no time */
        uint32_t at = d / a_minute, rest = (d - at * a_minute) * unit;
        uint32_t into = rest - (uint32_t)minutes->minute[at].from_ms;
        put(out, i, minutes->minute[at].base_ms + (int32_t)rest, unit);
        others[n_others] = (int32_t)i;
        n_others += into > minutes->minute[at].span_ms;
    }
    return n_others;
}

int64_t vf__minutes_place(const struct vf__minutes *minutes, const int64_t *digits, int64_t n, uint32_t unit,
                          void *out, int32_t *others) {
    return unit == 1 ? place_by(minutes, digits, n, 1, out, others) : place_by(minutes, digits, n, 1000, out, others);
}
