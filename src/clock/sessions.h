/* Elapsed trading time of a time of day, and times of day from what files hold: digits and ISO text.
   Not for calendars, and not for columns: src/api/clock.c reads those. */
#ifndef VF_CLOCK_SESSIONS_H
#define VF_CLOCK_SESSIONS_H

#include "base/base.h"

#define VF__SECOND_NS INT64_C(1000000000)

#define VF__MAX_SESSIONS 64

/* Sessions made ready for many look-ups. */
struct vf__clock {
    const struct vf_session *sessions;
    size_t n;
    enum vf_outside outside;
    int64_t grace_ns;
    int64_t offset_ns[VF__MAX_SESSIONS]; /* elapsed time at each session's start */
};

enum vf__place { VF__INSIDE, VF__GRACE, VF__OUTSIDE };

/* sessions as checked by vf_sessions_check. */
void vf__clock_init(struct vf__clock *clock, const struct vf_session *sessions, size_t n,
                    enum vf_outside outside, int64_t grace_ns);

/* time_ns in [0, VF_DAY_NS]. *elapsed_ns is always set: outside, to that of the nearest session end (a tie:
   the earlier). */
enum vf__place vf__clock_place(const struct vf__clock *clock, int64_t time_ns, int64_t *elapsed_ns);

/* Every minute of the day as digits spell it (HHMM): within a minute, digits and elapsed time grow together, so one
   division and one look-up place a time. */
struct vf__minutes {
    struct {
        int32_t base_ms; /* elapsed time at the minute's start */
        int32_t from_ms; /* the part of the minute that is in a session: from_ms .. from_ms + span_ms */
        uint32_t span_ms;
    } minute[2402]; /* the last one is for digits that are no time */
};

/* False when sessions do not begin and end on whole milliseconds, or two share a minute. */
bool vf__minutes_init(struct vf__minutes *minutes, const struct vf__clock *clock);

/* Many digit times at once to elapsed seconds. `unit` is 1000 for HHMMSS, whose seconds are int64, and 1 for HHMMSSmmm,
   whose are float64. Returns how many are not a time in a session; others[] says which, and they are then looked at one
   by one. There is room for n in `others`. */
int64_t vf__minutes_place(const struct vf__minutes *minutes, const int64_t *digits, int64_t n, uint32_t unit,
                          void *out, int32_t *others);

/* HHMMSS and HHMMSSmmm digits to ns since midnight; -1 for impossible ones. 240000 is the day's end. */
int64_t vf__time_from_hhmmss(int64_t digits);
int64_t vf__time_from_hhmmssmmm(int64_t digits);

/* ISO 8601: "[YYYY-MM-DD(T| )]HH:MM[:SS[.f{1,9}]]", or without separators in the date. -1: not a time;
   -2: it carries a zone. The date is checked for form and range only. */
int64_t vf__time_from_iso(const uint8_t *text, size_t length);

#endif
