/* Prices at other times: each group's rows laid together, each row's price h later looked up there, and the results
   read again in the order of the rows. Not for columns: plain arrays come in and go out, and api_mark.c knows
   Arrow. */
#ifndef VF_MARK_MARK_H
#define VF_MARK_MARK_H

#include "base/price.h"
#include "store/chains.h"
#include "store/keys.h"

/* ---- rows: what is kept of them ------------------------------------------------------------------------ */

/* Rows per call of vf__mark_sort_out. */
#define VF__MARK_BATCH VF__SIZED(1024, 8, 4096)

/* What a row is: dead (null key, null time, no price: neither an observation nor marked), the first of a run,
   or another row of one. A run is adjacent rows with the same group, time and price, as row expansion leaves them:
   they are kept, and marked, once. */
enum vf__mark_kind { VF__MARK_DEAD = 0, VF__MARK_RUN = 1, VF__MARK_SAME = 2 };

/* The row before; to be kept and put back when a batch fails half-way. */
struct vf__mark_last {
    uint32_t group;
    int64_t time;
    uint64_t price; /* its bits */
};

struct vf__mark_last vf__mark_first(void);

/* Kinds of the next n <= VF__MARK_BATCH rows; validity arrays may be NULL. group[i] becomes VF__NO_KEY where the row is
   dead. `gaps`: a row needs no price to live; where it has none its price is NaN, one and the same. */
void vf__mark_sort_out(struct vf__mark_last *last, uint32_t *group, const int64_t *time, const uint8_t *time_valid,
                       const double *price, const uint8_t *price_valid, bool gaps, size_t n, uint8_t *kind);

/* A word a row from what its results depend on, for the replay check; group as vf__mark_sort_out left it. */
void vf__mark_words(const uint32_t *group, const int64_t *time, const double *price, size_t n, uint64_t *words);

/* A run where its group's runs lie together: first what it is, then what came of it. */
struct vf__cell {
    union {
        int64_t time;
        double first;
    };
    union {
        double price;
        double second;
    };
};

/* Bytes a row of `n_horizons` needs: its time and price, later its results. */
static inline size_t vf__mark_stride(size_t n_horizons) {
    return (n_horizons + 1) / 2 * sizeof(struct vf__cell);
}

/* Keeps the runs among the next n rows; lanes must reach. VF_ERROR_MEMORY: nothing was kept. */
enum vf_status vf__mark_keep(struct vf__chains *rows, const uint32_t *group, const int64_t *time, const double *price,
                             const uint8_t *kind, size_t n, struct vf_error *err);
/* Takes back what was kept of the last n rows. */
void vf__mark_forget(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n);

/* ---- marking ------------------------------------------------------------------------------------------- */

struct vf__mark_rule {
    const int64_t *horizons; /* ns, > 0 */
    size_t n_horizons;
    enum vf_mark_method method;
    int64_t tolerance; /* < 0: none */
    int64_t end;
};

/* One group, both lists in time order: returns of rows[i] for horizons[0] and, where n is 2, horizons[1], NaN
   for null, into out[i].first and .second. `out` may be `rows`, and `rows` may be `observations`. */
void vf__mark_merge(const struct vf__mark_rule *rule, const int64_t *horizons, size_t n,
                    const struct vf__cell *observations, size_t n_observations, const struct vf__cell *rows,
                    size_t n_rows, struct vf__cell *out);

/* Marks all rows, group by group: every cell of `rows` becomes its results, a double a horizon, NaN where null.
   `quotes` NULL: the rows are the observations; else it reaches as many groups. On failure nothing has changed. */
enum vf_status vf__mark_all(const struct vf__mark_rule *rule, struct vf__chains *rows, const struct vf__chains *quotes,
                            struct vf_error *err);

/* Results of the next n rows: horizon h into values[h] (0 where null) and validity[h]. before[] (n_horizons) holds the
   results of the row before, NaN where null, and then of the last row. False where a group has no row left, so that
   these are not the rows that were kept: then none counts as given, and before[] is the caller's to put back. */
bool vf__mark_give(struct vf__chains *rows, size_t n_horizons, const uint32_t *group, const uint8_t *kind, size_t n,
                   double *before, double *const *values, uint8_t *const *validity);
/* Takes the last n rows back, to be given again. */
void vf__mark_unread(struct vf__chains *rows, const uint32_t *group, const uint8_t *kind, size_t n);

#endif
