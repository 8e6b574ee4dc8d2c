/* From what a tick file holds to the market's clock: HHMMSSmmm digits become seconds of elapsed trading time, in which
   the lunch break takes no time. Uses the public header only; see the Makefile for how it is built. */
#include <vizflow/vizflow.h>

#include <inttypes.h>
#include <stdio.h>

/* The A-share day: two sessions, both closed at both ends, in nanoseconds since midnight. */
#define MINUTE_NS (INT64_C(60) * 1000000000)
static const struct vf_session china[] = {
    {.start_ns = (9 * 60 + 30) * MINUTE_NS, .end_ns = (11 * 60 + 30) * MINUTE_NS},
    {.start_ns = 13 * 60 * MINUTE_NS, .end_ns = 15 * 60 * MINUTE_NS},
};

int main(void) {
    /* 1. A column is any memory that has Arrow's layout. Here: eight int32 and a bitmap of which hold a value, least
          significant bit first; the last row is null. VizFlow reads it where it lies and releases nothing. */
    const int32_t ticks[] = {92500000, 93000000, 93012145, 113000000, 121500000, 130000000, 150000000, 0};
    const uint8_t valid = 0x7f;
    const void *buffers[] = {&valid, ticks};
    const struct ArrowSchema schema = {.format = "i", .name = "tick_time", .flags = ARROW_FLAG_NULLABLE};
    const struct ArrowArray array = {.length = 8, .null_count = 1, .n_buffers = 2, .buffers = buffers};
    const struct ArrowArray *chunks[] = {&array}; /* a column may come in any number of chunks */
    const struct vf_series time = {.schema = &schema, .chunks = chunks, .n_chunks = 1};

    /* 2. What to do with it. A time outside the sessions becomes null, but the opening auction's prints, up to five
          minutes before 09:30, count as the open. */
    const struct vf_clock_options options = {.sessions = china,
                                             .n_sessions = 2,
                                             .outside = VF_OUTSIDE_NULL,
                                             .grace_ns = 5 * MINUTE_NS,
                                             .layout = VF_LAYOUT_HHMMSSMMM};
    struct vf_column elapsed;
    struct vf_clock_report report;
    struct vf_error error;
    if (vf_clock_elapsed(NULL, &time, &options, &elapsed, &report, &error) != VF_OK) {
        fprintf(stderr, "%s: %s\n", vf_status_name(error.code), error.message);
        return 1;
    }

    /* 3. What comes back is Arrow again: buffer 0 is the bitmap, or NULL where nothing is null; buffer 1 the values,
          here doubles (format "g"), since the digits carry milliseconds. */
    const uint8_t *known = elapsed.array.buffers[0];
    const double *seconds = elapsed.array.buffers[1];
    printf("tick_time    elapsed_seconds\n");
    for (int64_t i = 0; i < elapsed.array.length; i++) {
        if (i < 7)
            printf("%9" PRId32, ticks[i]);
        else
            printf("%9s", "null");
        if (known == NULL || (known[i / 8] >> i % 8 & 1))
            printf("  %17.3f\n", seconds[i]);
        else
            printf("  %17s\n", "null");
    }
    printf("%" PRId64 " rows, %" PRId64 " null, %" PRId64 " impossible, %" PRId64 " outside the sessions\n",
           report.n_rows, report.n_null, report.n_unreadable, report.n_outside);
    printf("the day is %" PRId64 " seconds long\n", vf_sessions_length_ns(china, 2) / 1000000000);

    /* 4. The column was given to us: we release it. */
    vf_column_release(&elapsed);
    return 0;
}
