/* An N-d array of states with running sums along every axis: what a brush or a pivot is read from.
   Not for names, types or Arrow, and not for metrics: positions and plain numbers only. */
#ifndef VF_CUBE_CUBE_H
#define VF_CUBE_CUBE_H

#include "agg/fixed.h"
#include "store/keys.h"

#define VF__CUBE_MOST_AXES 16
#define VF__CUBE_NOT_PICKED SIZE_MAX

/* ---- sums: long integers, so that a difference of running sums loses nothing ---- */

/* A sum-type state within a record. Reals are integers in units of 2^exponent: `words` is chosen so that every value
   is a whole number of units and the sum of all magnitudes fits. With specials, three words follow that count NaN,
   +inf and -inf. */
struct vf__cube_sum {
    uint32_t offset; /* in the record, in words */
    uint32_t words;
    int32_t exponent; /* 0 for integers */
    bool real, specials;
};

/* What is learnt of a sum's values before its width is chosen. Zeroed is nothing yet, but for `lowest`. */
struct vf__cube_extent {
    double magnitude; /* sum of |x|, rounded */
    double largest;   /* of |x|, finite ones */
    int lowest;       /* exponent of the lowest bit set in any value; INT_MAX: none */
    int64_t least;    /* of integers */
    int64_t n;
    bool specials;
};

void vf__cube_extent_init(struct vf__cube_extent *extent);
void vf__cube_extent_add_i64(struct vf__cube_extent *extent, const int64_t *x, size_t n);
void vf__cube_extent_add_f64(struct vf__cube_extent *extent, const double *x, size_t n);

/* Width and unit; the offset is the caller's. Words it takes in all: with the specials' counts. */
void vf__cube_sum_plan(struct vf__cube_sum *sum, const struct vf__cube_extent *extent, bool real);
uint32_t vf__cube_sum_span(const struct vf__cube_sum *sum);

void vf__cube_sum_add_i64(const struct vf__cube_sum *sum, uint64_t *record, int64_t x);
/* False: x is not a whole number of units, so it is no value that the width was chosen for. */
bool vf__cube_sum_add_f64(const struct vf__cube_sum *sum, uint64_t *record, double x);

/* False: the sum does not fit int64. */
bool vf__cube_sum_i64(const struct vf__cube_sum *sum, const uint64_t *record, int64_t *out);
/* hi = round(S), lo = round(S - hi), as vf__fsum_split: hi = round(hi + lo), and lo is 0 where hi is not finite. */
void vf__cube_sum_f64(const struct vf__cube_sum *sum, const uint64_t *record, double *hi, double *lo);

/* A part of a record that is added as one integer, and where it goes in the record of a result. */
struct vf__cube_piece {
    uint32_t from, to, words;
};

struct vf__cube_pieces {
    const struct vf__cube_piece *items;
    size_t n;
    size_t words; /* of a record that is read */
    size_t result_words;
};

static inline void vf__cube_add_words(uint64_t *to, const uint64_t *from, uint32_t words) {
    uint64_t carry = 0;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t with = from[w] + carry, total = to[w] + with;
        carry = (with < carry) | (total < with);
        to[w] = total;
    }
}

static inline void vf__cube_subtract_words(uint64_t *to, const uint64_t *from, uint32_t words) {
    uint64_t borrow = 0;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t with = from[w] + borrow, total = to[w] - with;
        borrow = (with < borrow) | (to[w] < with);
        to[w] = total;
    }
}

/* result += record, and result -= record, piece by piece. One and two words are the usual widths. */
static inline void vf__cube_add(const struct vf__cube_pieces *pieces, uint64_t *result,
                                const uint64_t *record) {
    for (size_t p = 0; p < pieces->n; p++) {
        const struct vf__cube_piece *piece = &pieces->items[p];
        uint64_t *to = result + piece->to;
        const uint64_t *from = record + piece->from;
        if (piece->words == 1) {
            to[0] += from[0];
        } else if (piece->words == 2) {
            uint64_t low = to[0] + from[0];
            to[1] += from[1] + (low < from[0]);
            to[0] = low;
        } else {
            vf__cube_add_words(to, from, piece->words);
        }
    }
}

static inline void vf__cube_subtract(const struct vf__cube_pieces *pieces, uint64_t *result,
                                     const uint64_t *record) {
    for (size_t p = 0; p < pieces->n; p++) {
        const struct vf__cube_piece *piece = &pieces->items[p];
        uint64_t *to = result + piece->to;
        const uint64_t *from = record + piece->from;
        if (piece->words == 1) {
            to[0] -= from[0];
        } else if (piece->words == 2) {
            uint64_t low = to[0] - from[0];
            to[1] -= from[1] + (to[0] < from[0]);
            to[0] = low;
        } else {
            vf__cube_subtract_words(to, from, piece->words);
        }
    }
}

/* Both in a result. */
static inline void vf__cube_subtract_result(const struct vf__cube_pieces *pieces, uint64_t *result,
                                            const uint64_t *other) {
    for (size_t p = 0; p < pieces->n; p++) {
        const struct vf__cube_piece *piece = &pieces->items[p];
        vf__cube_subtract_words(result + piece->to, other + piece->to, piece->words);
    }
}

/* ---- scans: states that cannot be subtracted ---- */

enum vf__cube_scan_kind {
    VF__SCAN_MIN, /* of integers, or of doubles by vf__float_rank; NaN only where there is nothing else */
    VF__SCAN_MAX,
    VF__SCAN_FIRST, /* value and order: of the least (position on axis 0, order); a null counts */
    VF__SCAN_LAST,
    VF__SCAN_PRODUCT_INT,  /* exact while it fits int64 */
    VF__SCAN_PRODUCT_FLOAT /* hi, lo and exponent: (hi + lo) * 2^exponent, the doubles by their bits */
};

enum vf__cube_tag {
    VF__TAG_EMPTY = 0,
    VF__TAG_NULL = 1, /* a first or last that is null */
    VF__TAG_NAN = 2,  /* a minimum or maximum of NaN alone */
    VF__TAG_VALUE = 3,
    VF__TAG_OVERFLOW = 4 /* a product of integers that left int64 */
};

#define VF__SCAN_WORDS 3

struct vf__cube_scan {
    enum vf__cube_scan_kind kind;
    int64_t *words[VF__SCAN_WORDS]; /* a cell or row each; as many as the kind has */
    uint8_t *tags;                  /* enum vf__cube_tag */
};

/* 1 to 3. */
size_t vf__cube_scan_words(enum vf__cube_scan_kind kind);

struct vf__cube_best {
    int64_t words[VF__SCAN_WORDS];
    uint32_t place; /* on axis 0 */
    uint8_t tag;
};

/* Adds what stands at `row`, which lies at `place` on axis 0. */
void vf__cube_scan_add(const struct vf__cube_scan *scan, struct vf__cube_best *best, size_t row,
                       uint32_t place);
/* Adds `value`, whose place does not count, to what stands at `row` already: two input rows of one cell. */
void vf__cube_scan_put(const struct vf__cube_scan *scan, size_t row, const struct vf__cube_best *value);
/* What stands at `row`. */
struct vf__cube_best vf__cube_scan_at(const struct vf__cube_scan *scan, size_t row, uint32_t place);

/* ---- the two layouts ---- */

/* Axis 0 is the outermost of the dense array, and within a cell of the sparse one; it is the dates. */
struct vf__cube_shape {
    size_t n_axes;
    size_t length[VF__CUBE_MOST_AXES];
    size_t stride[VF__CUBE_MOST_AXES]; /* of the dense array, in cells; the last axis is contiguous */
    size_t n_cells;                    /* of the dense array */
    size_t slab;                       /* cells of one position of axis 0 */
};

/* False: more than 2^62 cells. */
bool vf__cube_shape_set(struct vf__cube_shape *shape);

/* Records become running sums along every axis. */
void vf__cube_dense_sum(const struct vf_context *ctx, const struct vf__cube_shape *shape,
                        const struct vf__cube_pieces *pieces, uint64_t *records);

/* Rows (cell, position on axis 0), sorted; records are running sums along axis 0 within a cell. */
struct vf__cube_sparse {
    size_t n_cells, n_rows;
    uint64_t *starts;                    /* n_cells + 1, into the rows */
    uint32_t *index[VF__CUBE_MOST_AXES]; /* of axes 1 ..: position of each cell */
    uint32_t *place;                     /* of each row, on axis 0 */
};

/* ---- selections ---- */

/* A choice of positions on an axis. */
struct vf__cube_pick {
    const uint32_t *positions; /* ascending, distinct */
    size_t n;
    bool kept;          /* an axis of the result, else summed over */
    size_t result_step; /* cells of the result from one position picked to the next; 0 where summed over */
};

/* What the corners of the runs of `pick` are: places where a running sum is read, with their signs, for axes that are
   summed over; for kept ones the places that differences are taken of. */
struct vf__cube_places {
    uint32_t *at;
    int8_t *sign; /* summed over: +1 or -1 */
    bool *given;  /* kept: a position of the pick, not its forerunner */
    size_t n;
};

/* Room for the places of n positions. */
size_t vf__cube_places_bound(const struct vf__cube_pick *pick);
void vf__cube_places_set(const struct vf__cube_pick *pick, struct vf__cube_places *places);

/* Records of a result, allocated as `capacity` words. */
struct vf__cube_sums {
    uint64_t *words;
    size_t capacity, n;
};

/* Sums over what is picked. `order` names the kept axes from the outermost of the result. */
enum vf_status vf__cube_dense_query(const struct vf_context *ctx, const struct vf__cube_shape *shape,
                                    const struct vf__cube_pieces *pieces, const uint64_t *records,
                                    const struct vf__cube_pick *picks, const uint32_t *order, size_t n_kept,
                                    struct vf__cube_sums *out, struct vf_error *err);
/* result: one a cell of the result, zeroed. */
void vf__cube_dense_scan(const struct vf__cube_shape *shape, const struct vf__cube_pick *picks,
                         const struct vf__cube_scan *scan, struct vf__cube_best *result);

/* The same of the sparse layout, into records that are zeroed. tables[a][position]: what the position adds to the
   place in the result, or VF__CUBE_NOT_PICKED. */
void vf__cube_sparse_query(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                           const struct vf__cube_pieces *pieces, const uint64_t *records,
                           const struct vf__cube_pick *first, const size_t *const *tables, uint64_t *result);
void vf__cube_sparse_scan(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                          const size_t *const *tables, const struct vf__cube_scan *scan,
                          struct vf__cube_best *result);

/* For results with more cells than rows: what is picked, as a list. Entries {place in the result, cell}, or {place, row}
   where axis 0 is kept; gives how many, and writes them where `entries` is not NULL. */
struct vf__cube_key;
size_t vf__cube_sparse_list(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                            bool kept, const size_t *const *tables, struct vf__cube_key *entries);
/* Adds one entry to a record, and to a scan. */
void vf__cube_sparse_entry(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                           const struct vf__cube_pieces *pieces, const uint64_t *records,
                           const struct vf__cube_pick *first, uint64_t entry, uint64_t *result);
void vf__cube_sparse_entry_scan(const struct vf__cube_sparse *sparse, const size_t *first_table, bool kept,
                                const struct vf__cube_scan *scan, uint64_t entry,
                                struct vf__cube_best *result);

/* ---- what is held ---- */

struct vf__cube_store {
    bool dense;
    size_t n_rows;     /* dense: cells; sparse: rows */
    uint64_t *records; /* n_rows * words */
    size_t words;
    struct vf__cube_scan *scans;
    size_t n_scans;
    struct vf__cube_sparse sparse;
};

/* What an unsorted row is known by while the sparse layout is built. */
struct vf__cube_key {
    uint64_t key; /* cell * length[0] + position on axis 0 */
    uint64_t row;
};

/* Sorts by key, stable; scratch has room for n. Keys are below `limit`. */
void vf__cube_sort(struct vf__cube_key *keys, struct vf__cube_key *scratch, size_t n, uint64_t limit);

/* Arrays of n rows, zeroed; `sparse` stays empty. A failure leaves the store empty. scans: kinds are set. */
enum vf_status vf__cube_store_init(struct vf__cube_store *store, const struct vf_context *ctx, size_t n_rows,
                                   struct vf_error *err);
void vf__cube_store_release(struct vf__cube_store *store, const struct vf_context *ctx, size_t n_axes);

/* Sorts the rows of a sparse store by their keys, merges those of one key, and makes running sums. A failure leaves
   the store half sorted. */
enum vf_status vf__cube_sparse_build(struct vf__cube_store *store, const struct vf_context *ctx,
                                     const struct vf__cube_shape *shape, const struct vf__cube_pieces *pieces,
                                     struct vf__cube_key *keys, struct vf_error *err);

#endif
