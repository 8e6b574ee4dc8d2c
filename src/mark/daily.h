/* A day's prices by group: open, high, low, close, volume, when, and how many rows counted; and returns to the close.
   Not for columns, and not for which days there are: a caller's groups say that. */
#ifndef VF_MARK_DAILY_H
#define VF_MARK_DAILY_H

#include "base/base.h"

struct vf__day {
    int64_t first_time, first_wall, last_time, last_wall;
    double open, high, low, close;
    double sum, rest; /* volume of floats: the sum, and what its roundings lost (Neumaier 1974) */
    int64_t volume;   /* of integers */
    int64_t n, n_outside, n_invalid;
};

struct vf__day_rows {
    const int64_t *time, *wall;
    const uint8_t *time_valid, *wall_valid; /* NULL: all */
    const double *price;
    const uint8_t *price_valid;
};

/* Whether row i counts. */
bool vf__day_counts(const struct vf__day_rows *rows, size_t i, int64_t end);

/* Adds n rows, in order. counted[i]: row i counts (its group is no VF__NO_KEY, too). */
void vf__days_add(struct vf__day *days, const uint32_t *group, const struct vf__day_rows *rows, size_t n,
                  int64_t end, uint8_t *counted);

enum vf__volume_fault { VF__VOLUME_FINE = 0, VF__VOLUME_BAD, VF__VOLUME_OVERFLOW };

/* Volumes of the rows that count, null as 0. On a fault *at is the row; the rows before it have been added. */
enum vf__volume_fault vf__days_volume_i64(struct vf__day *days, const uint32_t *group, const uint8_t *counted,
                                          const int64_t *volume, const uint8_t *valid, size_t n, size_t *at);
enum vf__volume_fault vf__days_volume_f64(struct vf__day *days, const uint32_t *group, const uint8_t *counted,
                                          const double *volume, const uint8_t *valid, size_t n, size_t *at);

/* out[i] = close / price - 1; ok[i] = 0 where there is none (see vf_daily_return). */
void vf__days_return(const struct vf__day *days, size_t n_days, const uint32_t *group,
                     const struct vf__day_rows *rows, size_t n, int64_t end, double *out, uint8_t *ok);

/* out[i] = later / earlier - 1; ok[i] = 0 where either is no price, the quotient is not finite, or ok[i] was 0 before. */
void vf__price_return(const double *later, const double *earlier, size_t n, double *out, uint8_t *ok);

#endif
