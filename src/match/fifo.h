/* First in, first out: each symbol's rows in, what each of them gives out.
   Not for sides, names, prices or columns: a quantity already carries its side, and a price never matters here. */
#ifndef VF_MATCH_FIFO_H
#define VF_MATCH_FIFO_H

#include "base/decimal.h"
#include "match/tape.h"
#include "match/units.h"
#include "store/chains.h"
#include "store/keys.h"

#define VF__MATCH_NONE UINT32_MAX

/* Rows and inventory lots together; the numbers above are taken by the marks below. */
#define VF__MATCH_MAX_ROWS (UINT32_MAX - 5)

/* A quantity is its magnitude (the bits of an int64 >= 0 or of a double >= 0, which order alike) under a sign bit:
   in a row, set for the exit side; in a record, set when the exit side opened the lot. */
#define VF__EXIT_SIDE (UINT64_C(1) << 63)

/* A decimal of 2^62 units or more is this and its place among those that are; see struct vf__match_input.large. */
#define VF__LARGE (UINT64_C(1) << 62)

/* A trade row as it is learnt. */
struct vf__trade {
    uint64_t quantity;
    int64_t sort;
    int64_t time; /* only where holding periods are asked for */
};

/* One piece of a lot. Both there: a match. No closer: the lot's rest at the end. No opener: the part of an exit
   that had nothing to close. Openers and closers are row numbers; n_rows + k is inventory lot k. */
struct vf__record {
    uint32_t opener;
    uint32_t closer;
    uint64_t quantity;
    int64_t held; /* of a match with a row's lot: closer's time - opener's time; only where it is asked for */
};

/* As a closer: an entry whose lot is closed as a whole, told in one piece (VF_FIFO_EXITS). */
#define VF__WHOLE (UINT32_MAX - 1)

/* A cell of a symbol's chain: a trade and its row number. */
static inline size_t vf__match_stride(bool timed) {
    return (timed ? sizeof(struct vf__trade) : offsetof(struct vf__trade, time)) + sizeof(uint32_t);
}

struct vf__match_input {
    struct vf__chains *cells;
    struct vf__form form; /* narrow only where all quantities are whole and below 2^31 */
    enum vf_fifo_rows rows;
    uint32_t n_rows; /* of all, trades or not */
    /* Inventory lots, oldest first: they take part before any row. */
    const uint32_t *lot_group;
    const uint64_t *lot_quantity;
    size_t n_lots;
    enum vf__amounts amounts;
    const struct vf__u128 *large; /* decimals beyond 62 bits, by place */
    size_t n_large;
    enum vf_excess on_excess;
    bool forward; /* times are another column than sort: they are first checked not to fall along it */
    bool rests;   /* are to be kept */
};

/* What is left of a lot at the end; opener and quantity as in a record. */
struct vf__rest {
    uint32_t opener;
    uint64_t quantity;
};

struct vf__rests {
    struct vf__rest *data; /* by group, oldest first within one */
    size_t n, room;
};

struct vf__match_tally {
    int64_t n_matched;
    int64_t n_from_inventory; /* of n_matched: the opener is an inventory lot */
    int64_t n_open;           /* rests of rows; those of inventory lots have no row to stand on */
    int64_t n_over;
    int64_t n_opened; /* rows that opened a lot */
    int64_t n_zero;
    int64_t n_no_trade;
    uint32_t first_over; /* row, or VF__MATCH_NONE */
    int64_t n_back;      /* rows earlier than the one before in their symbol's order */
    uint32_t first_back; /* row, or VF__MATCH_NONE */
};

/* Matches every symbol's rows in order of (sort, row), and writes what each row gives over the cells, which *out goes on
   using; *rests, where they are to be kept, is the caller's to free. How floats are matched is decided symbol by symbol, of
   all its quantities: as whole units of a decimal place where each is one (units.h), else to two doubles, and then less
   than 4 ulps of the larger of lot and exit is nothing. Under VF_EXCESS_RAISE nothing is changed where tally->n_over is not
   0 afterwards; nor where memory was refused, nor where tally->n_back is not 0. */
enum vf_status vf__match_run(const struct vf_context *ctx, const struct vf__match_input *in, struct vf__tapes *out,
                             struct vf__rests *rests, struct vf__match_tally *tally, struct vf_error *err);

/* Whether all of n quantities, signed or not, are whole and below 2^31. */
bool vf__match_narrow(const uint64_t *quantity, size_t n, bool is_float);

/* Pieces that all rows give. */
int64_t vf__match_pieces(const struct vf__match_tally *tally, enum vf_fifo_rows rows);

#endif
