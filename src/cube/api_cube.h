/* The cube's object, shared by the files that make, ask and store it.
   Not for arithmetic: cube.h. */
#ifndef VF_CUBE_API_CUBE_H
#define VF_CUBE_API_CUBE_H

#include "arrow/read.h"
#include "cube/cube.h"

#include <stdatomic.h>

/* Rows that threads share out: starting one costs more than a few thousand rows. */
#define VF__CUBE_BLOCK ((int64_t)VF__SIZED(32768, 16, 1 << 16))
#define VF__CUBE_KEY_BYTES sizeof(struct vf__cube_key)

/* How a state's values lie in int64. */
enum vf__cube_value {
    VF__CUBE_INT,   /* integers but uint64, booleans, temporal types */
    VF__CUBE_UINT,  /* uint64, the top bit flipped */
    VF__CUBE_FLOAT, /* rank of a double, or, in products, its bits */
    VF__CUBE_UNKNOWN
};

struct vf__cube_state {
    enum vf_cube_merge merge;
    char *name;
    size_t value; /* its first value column */
    size_t slot;  /* among the sums, or among the scans */
    enum vf__cube_value is;
    char *format; /* of the value column, as the first reading had it; NULL: no reading yet */
    struct vf__cube_extent extent, again; /* of the values learnt, and of those added */
};

struct vf__cube_axis {
    struct vf__keys keys;
    bool text, utf8, has_null;
    char *name, *format; /* NULL: no reading yet */
    uint32_t *position;  /* by dense number; once built */
    uint32_t *sorted;    /* dense number by position, without the null */
    size_t length;       /* with the null */
};

enum vf__cube_phase { VF__CUBE_LEARNING, VF__CUBE_ADDING, VF__CUBE_READY, VF__CUBE_BROKEN };

struct vf_cube {
    struct vf_context ctx;
    atomic_size_t references; /* the cube's own, and one a part that was given */
    enum vf__cube_phase phase;
    size_t n_axes, n_states, n_values;
    struct vf__cube_axis axes[VF__CUBE_MOST_AXES];
    struct vf__cube_state *states;
    struct vf__reader *readers; /* n_axes + n_values */
    int64_t n_learnt, n_added;

    struct vf__cube_sum
        *sums; /* of the ADD states, and one more: how many rows there are, unless a state says so */
    size_t n_sums;
    size_t present;   /* the sum that is positive wherever there is a row */
    bool counts_rows; /* it is the one more */
    struct vf__cube_piece *pieces;
    struct vf__cube_pieces whole; /* a record as it lies */
    struct vf__cube_shape shape;
    struct vf__cube_store store;
    struct vf__cube_key *keys; /* of the sparse layout, while rows are added */

    void *owner; /* of the arrays, when attached */
    void (*release_owner)(void *owner);
};

static inline bool vf__cube_adds(enum vf_cube_merge merge) {
    return merge == VF_CUBE_ADD_INT || merge == VF_CUBE_ADD_FLOAT;
}
static inline bool vf__cube_ordered(enum vf_cube_merge merge) {
    return merge == VF_CUBE_FIRST || merge == VF_CUBE_LAST;
}
static inline size_t vf__cube_values(enum vf_cube_merge merge) {
    if (merge == VF_CUBE_PRODUCT_FLOAT) return 3;
    return merge == VF_CUBE_ADD_FLOAT || vf__cube_ordered(merge) ? 2 : 1;
}

/* An empty cube of these states; vf_cube_close ends it. */
enum vf_status vf__cube_new(const struct vf_context *ctx, size_t n_axes, const struct vf_cube_state *states,
                            size_t n_states, struct vf_cube **out, struct vf_error *err);
/* Which kind of scan a state is; its values' kind is known. */
enum vf__cube_scan_kind vf__cube_scan_of(const struct vf__cube_state *state);
/* The record's pieces from its sums' widths and offsets. */
enum vf_status vf__cube_set_pieces(struct vf_cube *cube, struct vf_error *err);
/* VF_ERROR_STATE unless the cube is in that phase, which is the one for `verb`. */
enum vf_status vf__cube_check_phase(const struct vf_cube *cube, enum vf__cube_phase phase, const char *verb,
                                    struct vf_error *err);
/* VF_ERROR_STATE unless the cube is finished. */
enum vf_status vf__cube_check_ready(const struct vf_cube *cube, struct vf_error *err);

#endif
