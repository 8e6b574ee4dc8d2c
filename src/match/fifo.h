/* First in, first out: rows of many symbols in, matches of each symbol out, as plain arrays.
   Not for sides, names, prices or times: a quantity already carries its side, and a price never matters here. */
#ifndef VF_MATCH_FIFO_H
#define VF_MATCH_FIFO_H

#include "base/keys.h"

#define VF__MATCH_NONE UINT32_MAX

/* Rows and inventory lots together; the numbers above are taken by the marks below. */
#define VF__MATCH_MAX_ROWS (UINT32_MAX - 5)

/* Instead of a place among the records: */
#define VF__START_NO_TRADE UINT32_MAX
#define VF__START_ZERO_ENTRY (UINT32_MAX - 1)
#define VF__START_ZERO_EXIT (UINT32_MAX - 2)
#define VF__START_LIMIT (UINT32_MAX - 2)

/* A quantity is its magnitude (the bits of an int64 >= 0 or of a double >= 0, which order alike) under a sign bit:
   in a row, set for the exit side; in a record, set when the exit side opened the lot. */
#define VF__EXIT_SIDE (UINT64_C(1) << 63)

/* One piece of a lot. Both there: a match. No closer: the lot's rest at the end. No opener: the part of an exit
   that had nothing to close. */
struct vf__record {
    uint32_t opener;
    uint32_t closer;
    uint64_t quantity;
    int64_t held; /* of a match with a row's lot: closer's time - opener's time, where times were given */
};

/* A row's records are records[start] and on, as long as they name the row. */
struct vf__place {
    uint32_t start; /* or a mark */
    uint32_t count; /* of pieces in the mode asked for; in VF_FIFO_BOTH also of records */
};

/* Rows n_rows .. n_rows + n_lots - 1 are the inventory lots, oldest first; they stand in `quantity` only, and take
   part before any row. */
struct vf__match_input {
    const uint32_t *group;     /* n_rows; VF__NO_KEY: no trade */
    const uint64_t *quantity;  /* n_rows + n_lots */
    const int64_t *sort;       /* n_rows */
    const int64_t *time;       /* n_rows, or NULL: nobody asks how long lots were held */
    const uint32_t *lot_group; /* n_lots */
    size_t n_rows, n_lots, n_groups;
    bool is_float;
    enum vf_excess on_excess;
    enum vf_fifo_rows rows; /* what is a piece */
};

/* Three records past any record may be read. */
struct vf__matches {
    struct vf_context ctx;
    struct vf__place *places; /* n_places = n_rows + n_lots */
    size_t n_places;
    struct vf__record *records;
    size_t n_records; /* allocated; not all are in use */
    int64_t n_matched;
    int64_t n_from_inventory; /* of n_matched: the opener is an inventory lot */
    int64_t n_open;           /* rests of rows; those of inventory lots have no row to stand on */
    int64_t n_over;
    int64_t n_opened; /* rows that opened a lot */
    int64_t n_zero;
    int64_t n_no_trade;
    int64_t first_over; /* row, or -1 */
};

/* Matches everything; rows of a group need not be in order of `sort` (ties: row order). Under VF_EXCESS_RAISE the
   caller looks at n_over. */
enum vf_status vf__match_run(const struct vf_context *ctx, const struct vf__match_input *in,
                             struct vf__matches *out, struct vf_error *err);
void vf__matches_release(struct vf__matches *matches);

#endif
