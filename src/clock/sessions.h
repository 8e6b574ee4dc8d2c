/* Elapsed trading time of a time of day, and of a stamp that has a date, too.
   Not for what files hold (stamps.h), not for calendars, and not for columns: src/clock/api_clock.c reads those. */
#ifndef VF_CLOCK_SESSIONS_H
#define VF_CLOCK_SESSIONS_H

#include "base/base.h"
#include "clock/zone.h"

#define VF__MAX_SESSIONS 64

/* Sessions made ready for many look-ups. */
struct vf__clock {
    const struct vf_session *sessions;
    size_t n;
    enum vf_outside outside;
    int64_t grace_ns;
    int64_t offset_ns[VF__MAX_SESSIONS]; /* elapsed time at each session's start */
};

enum vf__place { VF__INSIDE, VF__GRACE, VF__OUTSIDE, VF__OTHER_DATE };

/* Which stamps are a trading day's: those of its own date, and those of the night that belongs to it. */
struct vf__trading_day {
    int32_t day;
    int32_t first_evening; /* the earliest date whose evening may be its night's: Friday's is Monday's */
    int64_t next_night_ns; /* from this time on its own evening is the next day's; above VF_DAY_NS: never */
};

/* How long the sessions of a day are together; by real time where clocks of `zone`, which may have no offsets, change
   within one. */
int64_t vf__sessions_length_on(const struct vf_session *sessions, size_t n, int32_t day, struct vf__zone *zone);

/* sessions as checked by vf_sessions_check. */
void vf__clock_init(struct vf__clock *clock, const struct vf_session *sessions, size_t n,
                    enum vf_outside outside, int64_t grace_ns);

/* time_ns in [0, VF_DAY_NS]. *elapsed_ns is always set: outside, to that of the nearest session end (a tie:
   the earlier). */
enum vf__place vf__clock_place(const struct vf__clock *clock, int64_t time_ns, int64_t *elapsed_ns);

/* The same of a stamp that has a date: time_ns after the midnight that `day` begins with. `on`: the trading day that it
   should be of; NULL when none is known, and it is then one of its own date or of the night before. `zone`, which may be
   NULL: real time counts, also where clocks are put forward or back within a session; utc_ns is then the moment. */
enum vf__place vf__clock_place_on(const struct vf__clock *clock, const struct vf__trading_day *on,
                                  const struct vf__zone *zone, int32_t day, int64_t time_ns, int64_t utc_ns,
                                  int64_t *elapsed_ns);

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

#endif
