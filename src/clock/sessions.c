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

int64_t vf__time_from_hhmmss(int64_t digits) {
    if (digits < 0 || digits > 240000) return -1;
    uint32_t d = (uint32_t)digits;
    uint32_t s = d % 100, m = d / 100 % 100, h = d / 10000;
    if (s > 59 || m > 59) return -1;
    return (int64_t)(h * 3600 + m * 60 + s) * VF__SECOND_NS;
}

int64_t vf__time_from_hhmmssmmm(int64_t digits) {
    if (digits < 0 || digits > 240000000) return -1;
    uint32_t d = (uint32_t)digits;
    uint32_t ms = d % 1000;
    int64_t whole = vf__time_from_hhmmss((int64_t)(d / 1000));
    if (whole < 0) return -1;
    return whole + (int64_t)ms * MILLISECOND_NS;
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

/* ---- text ---- */

struct cursor {
    const uint8_t *at, *end;
};

/* Exactly `count` digits, or -1. */
static int64_t digits(struct cursor *c, int count) {
    int64_t value = 0;
    if (c->end - c->at < count) return -1;
    for (int i = 0; i < count; i++) {
        uint8_t b = c->at[i];
        if (b < '0' || b > '9') return -1;
        value = value * 10 + (b - '0');
    }
    c->at += count;
    return value;
}

static bool take(struct cursor *c, uint8_t byte) {
    if (c->at == c->end || *c->at != byte) return false;
    c->at++;
    return true;
}

static bool skip_date(struct cursor *c) {
    bool dashes = c->at[4] == '-'; /* there are more than 8 bytes */
    int64_t year = digits(c, 4);
    bool ok = year >= 0 && (!dashes || take(c, '-'));
    int64_t month = ok ? digits(c, 2) : -1;
    ok = month >= 1 && month <= 12 && (!dashes || take(c, '-'));
    int64_t day = ok ? digits(c, 2) : -1;
    return day >= 1 && day <= 31 && (take(c, 'T') || take(c, ' '));
}

/* ".123" as nanoseconds; -1 when no digit, or more than nine, follow. */
static int64_t fraction(struct cursor *c) {
    int64_t value = 0;
    int count = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        if (++count > 9) return -1;
        value = value * 10 + (*c->at++ - '0');
    }
    if (count == 0) return -1;
    while (count++ < 9)
        value *= 10;
    return value;
}

int64_t vf__time_from_iso(const uint8_t *text, size_t length) {
    if (length == 0) return -1;
    struct cursor c = {.at = text, .end = text + length};
    bool has_date = length > 8 && text[2] != ':';
    if (has_date && !skip_date(&c)) return -1;
    int64_t h = digits(&c, 2);
    if (h < 0 || h > 24 || !take(&c, ':')) return -1;
    int64_t m = digits(&c, 2), s = 0, ns = 0;
    if (m < 0 || m > 59) return -1;
    if (take(&c, ':')) {
        s = digits(&c, 2);
        if (s < 0 || s > 59) return -1;
        if (take(&c, '.') || take(&c, ',')) ns = fraction(&c);
        if (ns < 0) return -1;
    }
    if (c.at < c.end) return *c.at == 'Z' || *c.at == 'z' || *c.at == '+' || *c.at == '-' ? -2 : -1;
    int64_t time = ((h * 60 + m) * 60 + s) * VF__SECOND_NS + ns;
    return time > VF_DAY_NS ? -1 : time;
}
