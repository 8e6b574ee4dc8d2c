/* What is kept of each group: a row of small mergeable states, updated block by block.
   Not for what a leaf gives in the end (ops.h): several leaves may share a state. */
#ifndef VF_AGG_STATES_H
#define VF_AGG_STATES_H

#include "agg/fsum.h"

/* A state's kind: its bytes, its start, what it reads, its update and its merge; see loops.h. */
struct vf__state_kind;

/* What a state's update reads of its column, as bits. */
enum vf__reads { VF__READS_NOTHING = 0, VF__READS_VALID = 1, VF__READS_INTS = 2, VF__READS_FLOATS = 4 };
enum vf__reads vf__state_reads(const struct vf__state_kind *kind);
/* The same of its further column i. */
enum vf__reads vf__state_reads_more(const struct vf__state_kind *kind, size_t i);

struct vf__state {
    const struct vf__state_kind *kind;
    uint32_t value;   /* the value column */
    uint32_t more[2]; /* further columns: index + 1 */
    uint32_t offset;  /* in a group's row of states */
};

/* The product of what is not zero, as far as 64 bits go. */
struct vf__int_product {
    uint64_t size_less_1; /* so that zeroed memory is the product of nothing, 1 */
    uint64_t flags;
};

#define VF__PRODUCT_MINUS 1u
#define VF__PRODUCT_ZERO 2u
#define VF__PRODUCT_TOO_LARGE 4u

/* (hi + lo) * 2^exponent, 0.5 <= |hi| < 1; zero, NaN and infinities are hi alone. hi 0 with exponent 0: of nothing, 1. */
struct vf__float_product {
    double hi, lo;
    int64_t exponent;
    uint64_t some;
};

#define VF__NO_PART INT64_MIN /* rows of the object itself: no partition was told */

/* A value (`word`: int64, or the bits of a double) and its place, by partition and then row. */
struct vf__at {
    int64_t part, row;
    int64_t word;
    uint64_t has; /* VF__AT_ROW, VF__AT_VALUE */
};

#define VF__AT_ROW 1u
#define VF__AT_VALUE 2u

/* Which states a group has; the same for every thread. */
struct vf__layout {
    struct vf__state *states; /* in the order of their value columns */
    size_t n_states;
    size_t row_bytes;
};

/* Sets the offsets of states[n_states] and the bytes a row. */
void vf__layout_set(struct vf__layout *layout);

/* The groups' rows, and the long accumulators of their float sums. */
struct vf__states {
    struct vf_context ctx;
    const struct vf__layout *layout;
    void *block; /* `rows` lies in it, aligned to a cache line */
    size_t block_bytes;
    unsigned char *rows;
    size_t n, capacity; /* groups */
    struct vf__spills spills;
};

void vf__states_init(struct vf__states *states, const struct vf_context *ctx,
                     const struct vf__layout *layout);
void vf__states_release(struct vf__states *states);

/* Adds empty states until there are n_groups rows. */
enum vf_status vf__states_grow(struct vf__states *states, size_t n_groups, struct vf_error *err);

#define VF__STATES_AHEAD 12 /* rows between the fetch of a group's states and their use */

/* One block of one value column. Whichever of ints and floats the column's states need is there. */
struct vf__state_block {
    const uint32_t *groups; /* n, and VF__STATES_AHEAD more that are any groups */
    size_t n;
    int64_t first_row;
    const int64_t *ints;
    const double *floats;
    const uint8_t *valid; /* NULL: all */
    struct {              /* the state's further columns */
        const int64_t *ints;
        const double *floats;
        const uint8_t *valid;
    } more[2];
};

/* Adds a block to one state of its groups. VF_ERROR_MEMORY leaves the block half added. */
enum vf_status vf__states_update(struct vf__states *states, const struct vf__state *state,
                                 const struct vf__state_block *block, struct vf_error *err);

/* Adds group `from_group` of `from` (same layout), whose rows come `rows_before` later, to group `group`. False: no
   memory for a long accumulator; some of the group's states may have been added then. */
bool vf__states_merge(struct vf__states *states, size_t group, const struct vf__states *from,
                      size_t from_group, int64_t rows_before);

/* The same of another shard of the same rows, and what was added is taken out of `from`: called again after a failure
   it goes on where it stopped. Without `grow`, false also where a long accumulator would be needed. */
bool vf__states_move(struct vf__states *states, size_t group, bool grow, struct vf__states *from,
                     size_t from_group);

static inline const unsigned char *vf__states_row(const struct vf__states *states, size_t group) {
    return states->rows + group * states->layout->row_bytes;
}

/* Bytes held, to bound what threads may hold together. */
size_t vf__states_bytes(const struct vf__states *states);

/* A double's place in the order of doubles as an int64, and back. */
static inline int64_t vf__float_rank(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? (int64_t)((uint64_t)bits ^ (uint64_t)INT64_MAX) : bits;
}

static inline double vf__float_of_rank(int64_t rank) {
    double x;
    uint64_t bits = rank < 0 ? (uint64_t)rank ^ (uint64_t)INT64_MAX : (uint64_t)rank;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define VF__UINT_FLIP (UINT64_C(1) << 63)

/* What the states hold comes to. */
/* False: it does not fit int64. */
/* p *= (hi + lo) * 2^exponent to 106 bits. Exponents may be what a damaged file says: they are bounded. */
void vf__float_multiply(struct vf__float_product *p, double hi, double lo, int64_t exponent);
bool vf__int_product_value(const struct vf__int_product *product, int64_t *value);
double vf__float_product_value(const struct vf__float_product *product);
/* hi, lo and the exponent as they are stored: of nothing 0.5 * 2^1. */
void vf__float_product_parts(const struct vf__float_product *product, double *hi, double *lo,
                             int64_t *exponent);

#endif
