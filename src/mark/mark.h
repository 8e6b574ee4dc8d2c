/* Prices at other times: rows kept as runs, each run's price h later in its group, and the runs made rows
   again. Not for columns: plain arrays come in and go out, and src/api/mark.c knows Arrow. */
#ifndef VF_MARK_MARK_H
#define VF_MARK_MARK_H

#include "base/base.h"

/* ---- runs: what is kept of the rows -------------------------------------------------------------------- */

/* Rows per call of vf__runs_learn. */
#define VF__MARK_BATCH 2048
/* Runs lie in blocks of 2^20: growing copies nothing, and a block's memory can be used again on its own. */
#define VF__RUN_BITS 20
#define VF__RUN_BLOCK ((size_t)1 << VF__RUN_BITS)
#define VF__MAX_RUNS ((size_t)UINT32_MAX - 1)

#define VF__ROWS_PER_LINE 512
/* Room behind a block's last run, which vf__mark_stream needs. */
#define VF__RUN_PAD ((size_t)2)

/* group VF__NO_KEY: dead, neither an observation nor marked (null key, null time, no valid price); its time
   is that of the run before and its price 0. */
struct vf__run_block {
    size_t capacity; /* of each, pad included */
    uint32_t *group;
    int64_t *time;
    double *price;
};

/* What changes with each row: to be kept and put back when a batch fails half-way. */
struct vf__runs_state {
    size_t n;       /* runs */
    int64_t n_rows; /* 0 when only observations are kept */
    bool sorted;    /* no run is earlier than the one before it */
    uint32_t group; /* the last row */
    int64_t time;
    uint64_t price;
};

/* A run is adjacent rows with the same group, time and price; adjacent dead rows are one run. Row expansion
   leaves such rows, and a run is marked once. */
struct vf__runs {
    struct vf_context ctx;
    struct vf__run_block *blocks;
    size_t n_blocks;   /* that have memory */
    size_t room;       /* of blocks[] */
    bool observations; /* dead rows are dropped and rows are not counted */
    struct vf__runs_state last;
    uint64_t *starts; /* bit r: row r begins a run */
    uint32_t *ranks;  /* runs begun before row VF__ROWS_PER_LINE * i */
    size_t words;     /* room of starts */
    size_t lines;     /* room of ranks */
};

void vf__runs_init(struct vf__runs *runs, const struct vf_context *ctx, bool observations);
void vf__runs_release(struct vf__runs *runs);
void vf__runs_release_blocks(struct vf__runs *runs); /* starts and ranks stay */

/* A price that counts: finite and > 0. */
static inline bool vf__mark_price(double price) {
    return price > 0 && price <= 1.7976931348623157e308;
}

/* The next n <= VF__MARK_BATCH rows; validity arrays may be NULL. VF_ERROR_MEMORY or VF_ERROR_OVERFLOW, and
   then nothing was learnt. */
enum vf_status vf__runs_learn(struct vf__runs *runs, const uint32_t *group, const int64_t *time,
                              const uint8_t *time_valid, const double *price, const uint8_t *price_valid,
                              size_t n, struct vf_error *err);
/* Puts a state back: rows learnt since are forgotten. */
void vf__runs_back(struct vf__runs *runs, const struct vf__runs_state *state);

/* Adds to words[i] what a row's time and price say, for the replay check. */
void vf__mark_words(const int64_t *time, const uint8_t *time_valid, const double *price,
                    const uint8_t *price_valid, size_t n, uint64_t *words);

/* ---- marking ------------------------------------------------------------------------------------------- */

struct vf__mark_rule {
    const int64_t *horizons; /* ns, > 0 */
    size_t n_horizons;
    enum vf_mark_method method;
    int64_t tolerance; /* < 0: none */
    int64_t end;
};

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

/* One group, both lists in time order: returns of rows[i] for horizons[0] and, where n is 2, horizons[1], NaN
   for null, into out[i].first and .second. `out` may be `rows`, and `rows` may be `observations`. */
void vf__mark_merge(const struct vf__mark_rule *rule, const int64_t *horizons, size_t n,
                    const struct vf__cell *observations, size_t n_observations, const struct vf__cell *rows,
                    size_t n_rows, struct vf__cell *out);

/* Returns by horizon and block of runs: blocks[h * n_blocks + b]. */
struct vf__marks {
    struct vf_context ctx;
    double **blocks;
    size_t *capacity; /* by block */
    size_t n_horizons, n_blocks;
};

/* Memory for the results of horizons `from` and later; vf__marks_take gives the ones before (0, or 0 and 1)
   that of the rows' times and prices. What vf__marks_new got when it fails is in *marks, for
   vf__marks_release. */
enum vf_status vf__marks_new(const struct vf_context *ctx, const struct vf__runs *rows, size_t n_horizons,
                             size_t from, struct vf__marks *marks, struct vf_error *err);
void vf__marks_take(struct vf__marks *marks, struct vf__runs *rows);
void vf__marks_release(struct vf__marks *marks);

/* Marks all runs. `quotes` NULL: the rows are the observations. On success the blocks of `rows` (whose memory
   becomes the result) and `quotes` are gone; rows->starts stays. On failure nothing has changed. */
enum vf_status vf__mark_all(const struct vf__mark_rule *rule, struct vf__runs *rows, struct vf__runs *quotes,
                            size_t n_groups, struct vf__marks *out, struct vf_error *err);

/* The two ways it may go; the first where vf__mark_streams says so (`seen`: the observations). */
bool vf__mark_streams(const struct vf__mark_rule *rule, const struct vf__runs *rows,
                      const struct vf__runs *seen);
enum vf_status vf__mark_stream(const struct vf__mark_rule *rule, struct vf__runs *rows,
                               struct vf__runs *quotes, size_t n_groups, struct vf__marks *out,
                               struct vf_error *err);
enum vf_status vf__mark_grouped(const struct vf__mark_rule *rule, struct vf__runs *rows,
                                struct vf__runs *quotes, size_t n_groups, struct vf__marks *out,
                                struct vf_error *err);

/* Rows [first, first + n) of horizon h: values (0 where null) and an Arrow bitmap of (n + 7) / 8 bytes. */
void vf__mark_expand(const struct vf__runs *rows, const struct vf__marks *marks, size_t h, int64_t first,
                     int64_t n, double *values, uint8_t *validity);

#endif
