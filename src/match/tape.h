/* What each row of a symbol gives, in the order of its rows: written once, by the match, over the cells that the trades
   were in, and read forwards. Not for what becomes of it: pieces.h.

   A row is a head, and after it what it closed and then what it opened.
   head: pieces closed | pieces opened << 16; where either is 65 535 or more, VF__TAPE_WIDE, and then the two.
   piece: the other row (uint32); its quantity, with VF__EXIT_SIDE (uint64; where all are `narrow`: whole, below 2^31,
   and the side in the top bit of a uint32); where times are asked for, how long it was held (int64).
   `bare`, where quantities are narrow and who the other row was is not asked for: its quantity, with VF__TAPE_OPEN where
   there was none (uint32).
   Each of these lies in one block as a whole: what does not fit the rest of a block stands in the next. */
#ifndef VF_MATCH_TAPE_H
#define VF_MATCH_TAPE_H

#include "base/decimal.h"
#include "store/chains.h"

#define VF__TAPE_WIDE UINT32_MAX
#define VF__TAPE_FEW UINT32_C(0xffff)

#define VF__TAPE_OPEN (UINT32_C(1) << 31)

/* What stands in a piece. */
struct vf__form {
    bool timed, narrow, bare;
    bool units; /* of floats that are not narrow: the match is in units, and what is written is not */
};

struct vf__tape {
    uint8_t *first, *at; /* at: NULL where it is to be looked for */
    uint32_t left;       /* bytes from `at` to the end of its block */
    uint32_t cells;      /* that there were up to there */
    uint32_t n, read;    /* rows */
};

struct vf__tapes {
    struct vf_context ctx;
    struct vf__form form;
    bool is_float;
    size_t stride; /* of the cells */
    struct vf__tape *tape; /* by group */
    size_t n;
    struct vf__u128 *large; /* decimals beyond 62 bits that pieces name */
    size_t large_room;
    uint8_t *spill; /* blocks of tapes that are longer than their cells */
    size_t spill_bytes;
};

static inline size_t vf__tape_piece(struct vf__form form) {
    if (form.bare) return sizeof(uint32_t);
    return sizeof(uint32_t) + (form.narrow ? sizeof(uint32_t) : sizeof(uint64_t)) + (form.timed ? sizeof(int64_t) : 0);
}

static inline void vf__tape_start(struct vf__tape *tape, size_t stride) {
    tape->at = tape->first;
    tape->cells = vf__chain_block(0);
    tape->left = tape->cells * (uint32_t)stride;
}

/* To the block that is named behind this one. */
static inline void vf__tape_turn(struct vf__tape *tape, size_t stride) {
    uint32_t cells = vf__chain_block(tape->cells);
    memcpy(&tape->at, tape->at + tape->left, sizeof tape->at);
    tape->cells += cells;
    tape->left = cells * (uint32_t)stride;
}

/* The next `size` bytes, which are written and read as one. */
static inline uint8_t *vf__tape_take(struct vf__tape *tape, size_t stride, size_t size) {
    if (VF__UNLIKELY(tape->left < size)) vf__tape_turn(tape, stride);
    uint8_t *at = tape->at;
    tape->at += size;
    tape->left -= (uint32_t)size;
    return at;
}

/* As vf__chains_fetch_read. */
static inline void vf__tapes_fetch(const struct vf__tapes *tapes, const uint32_t *group, size_t i, size_t n) {
    const struct vf__tape *tape = vf__fetch_lane(tapes->tape, tapes->n, sizeof *tape, group, i, n);
    if (tape != NULL) vf__fetch_ahead(tape->at, tape->left);
}

void vf__tapes_release(struct vf__tapes *tapes);

/* All rows are to be read again; and the last n rows, whose groups these are. */
void vf__tapes_rewind(struct vf__tapes *tapes);
void vf__tapes_unread(struct vf__tapes *tapes, const uint32_t *group, size_t n);

#endif
