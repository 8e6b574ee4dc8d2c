/* Columns of times on their way to elapsed time, for the public functions whose rows share their sessions and for those
   whose do not. Not for others. */
#ifndef VF_CLOCK_API_CLOCK_H
#define VF_CLOCK_API_CLOCK_H

#include "arrow/read.h"
#include "clock/sessions.h"
#include "clock/stamps.h"

enum { VF__CLOCK_BLOCK = VF__SIZED(1024, 8, 8192) };

/* One set of sessions, ready for many look-ups. */
struct vf__clock_hours {
    struct vf__clock clock;
    struct vf__minutes minutes;
    bool by_minute; /* minutes is usable */
};

struct vf__clock_run {
    const struct vf__clock_hours *hours; /* of the rows at hand */
    const struct vf__trading_day *on;    /* of the rows at hand; NULL: not known */
    struct vf__reader reader;
    struct vf__zone zone;
    struct vf__last_date last; /* of text */
    bool whole;
    enum vf_outside outside;
    int64_t grace_ns;
    enum vf_time_layout layout;
    int64_t scale;      /* of what counts in units of time: ns a unit */
    bool utc;           /* moments, not local times */
    bool dated;         /* values have a date, or may have one */
    bool whole_seconds; /* the output is int64 */
    struct vf_clock_report report;
    int64_t first_bad; /* first row that VF_OUTSIDE_RAISE refuses; -1 */
    int64_t n_bad;
    int32_t bad_day, wanted_day;            /* of the first row of another day */
    bool saw_hhmmss, saw_hhmmssmmm;         /* by the digit rule, as the next three */
    bool sure;                              /* some value can be nothing else */
    int64_t either_row, either;             /* the first that may be time since midnight; row -1 */
};

struct vf__clock_output {
    void *values; /* float64 or int64 seconds */
    uint8_t *validity;
};

/* Nothing seen yet. */
struct vf__clock_run vf__clock_run_new(void);

/* Opens the column, and takes the options over, once they are right. */
enum vf_status vf__clock_run_check(struct vf__clock_run *run, const struct vf_series *time,
                                   const struct vf_clock_options *options, struct vf_error *err);

/* Makes sessions, which were checked, ready. */
enum vf_status vf__clock_run_prepare(const struct vf__clock_run *run, const struct vf_session *sessions, size_t n,
                                     struct vf__clock_hours *hours, struct vf_error *err);

/* Row `row` is null. */
void vf__clock_run_null(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row);

/* A block of rows, n at most VF__CLOCK_BLOCK, that share run->hours and run->on. */
enum vf_status vf__clock_run_block(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row,
                                   int64_t n,
                                   struct vf_error *err);

/* The end of both forms: what was refused is raised, or the column given. */
enum vf_status vf__clock_run_give(struct vf__clock_run *run, enum vf_status status, struct vf_column *column,
                                  struct vf_column *out, struct vf_clock_report *report, struct vf_error *err);

#endif
