/* See daily.h. One pass, one comparison a row and group; rows of a group come in their order, so that of equal times
   the first opens and the last closes. Not for threads: a day's file is read faster than it could be shared out. */
#include "mark/daily.h"

#include "base/price.h"
#include "store/keys.h"

#include <math.h>

#define LARGEST 1.7976931348623157e308

static inline bool is_valid(const uint8_t *valid, size_t i) {
    return valid == NULL || valid[i];
}

bool vf__day_counts(const struct vf__day_rows *rows, size_t i, int64_t end) {
    return is_valid(rows->time_valid, i) && rows->time[i] <= end && is_valid(rows->price_valid, i) &&
           vf__is_price(rows->price[i]);
}

/* What orders rows of one time before their own order does. */
static inline int64_t wall_of(const struct vf__day_rows *rows, size_t i) {
    return rows->wall != NULL && is_valid(rows->wall_valid, i) ? rows->wall[i] : 0;
}

static void add(struct vf__day *day, int64_t time, int64_t wall, double price) {
    if (day->n == 0 || time < day->first_time || (time == day->first_time && wall < day->first_wall)) {
        day->first_time = time;
        day->first_wall = wall;
        day->open = price;
    }
    if (day->n == 0 || time > day->last_time || (time == day->last_time && wall >= day->last_wall)) {
        day->last_time = time;
        day->last_wall = wall;
        day->close = price;
    }
    if (day->n == 0 || price > day->high) day->high = price;
    if (day->n == 0 || price < day->low) day->low = price;
    day->n++;
}

void vf__days_add(struct vf__day *days, const uint32_t *group, const struct vf__day_rows *rows, size_t n,
                  int64_t end, uint8_t *counted) {
    for (size_t i = 0; i < n; i++) {
        counted[i] = 0;
        if (group[i] == VF__NO_KEY) continue;
        struct vf__day *day = &days[group[i]];
        if (!is_valid(rows->time_valid, i) || rows->time[i] > end) {
            day->n_outside++;
        } else if (!is_valid(rows->price_valid, i) || !vf__is_price(rows->price[i])) {
            day->n_invalid++;
        } else {
            add(day, rows->time[i], wall_of(rows, i), rows->price[i]);
            counted[i] = 1;
        }
    }
}

enum vf__volume_fault vf__days_volume_i64(struct vf__day *days, const uint32_t *group, const uint8_t *counted,
                                          const int64_t *volume, const uint8_t *valid, size_t n, size_t *at) {
    for (size_t i = 0; i < n; i++) {
        if (!counted[i] || !is_valid(valid, i)) continue;
        struct vf__day *day = &days[group[i]];
        *at = i;
        if (volume[i] < 0) return VF__VOLUME_BAD;
        if (!vf__add_i64(day->volume, volume[i], &day->volume)) return VF__VOLUME_OVERFLOW;
    }
    return VF__VOLUME_FINE;
}

enum vf__volume_fault vf__days_volume_f64(struct vf__day *days, const uint32_t *group, const uint8_t *counted,
                                          const double *volume, const uint8_t *valid, size_t n, size_t *at) {
    for (size_t i = 0; i < n; i++) {
        if (!counted[i] || !is_valid(valid, i)) continue;
        struct vf__day *day = &days[group[i]];
        double x = volume[i];
        *at = i;
        if (!(x >= 0 && x <= LARGEST)) return VF__VOLUME_BAD;
        double sum = day->sum + x;
        if (!(sum <= LARGEST)) return VF__VOLUME_OVERFLOW;
        day->rest += day->sum >= x ? (day->sum - sum) + x : (x - sum) + day->sum;
        day->sum = sum;
    }
    return VF__VOLUME_FINE;
}

void vf__days_return(const struct vf__day *days, size_t n_days, const uint32_t *group,
                     const struct vf__day_rows *rows, size_t n, int64_t end, double *out, uint8_t *ok) {
    for (size_t i = 0; i < n; i++) {
        out[i] = 0;
        ok[i] = 0;
        if (group[i] >= n_days || !vf__day_counts(rows, i, end)) continue; /* VF__NO_KEY, too */
        const struct vf__day *day = &days[group[i]];
        if (day->n == 0 || rows->time[i] > day->last_time) continue;
        double quotient = day->close / rows->price[i] - 1;
        ok[i] = isfinite(quotient) != 0;
        out[i] = ok[i] ? quotient : 0;
    }
}

void vf__price_return(const double *later, const double *earlier, size_t n, double *out, uint8_t *ok) {
    for (size_t i = 0; i < n; i++) {
        double quotient = later[i] / earlier[i] - 1;
        ok[i] = ok[i] && vf__is_price(later[i]) && vf__is_price(earlier[i]) && isfinite(quotient);
        out[i] = ok[i] ? quotient : 0;
    }
}
