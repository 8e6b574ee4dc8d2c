/* Sequences that grow side by side, one a group: rows come in any group's turn, and each group's cells lie together.
   A cell is written once, where it stays; later each group's cells are walked, changed in place and read again in the
   order they were written. Not for finding cells by number.

   A group's cells lie in blocks of 2, 2, 4, 8, ... MOST, MOST, ... cells, so that small groups waste little and a large
   one is read in long stretches. Behind each block stands a pointer to the next. */
#ifndef VF_STORE_CHAINS_H
#define VF_STORE_CHAINS_H

#include "store/slabs.h"

#define VF__CHAIN_BITS VF__SIZED(8, 1, 12)
#define VF__CHAIN_MOST (UINT32_C(1) << VF__CHAIN_BITS)

#define VF__LINE 64 /* bytes of a line of the cache */

struct vf__lane {
    uint8_t *first; /* block, or NULL */
    uint8_t *at;    /* the next cell to be written, or read */
    int64_t last;   /* the caller's: the last cell's order key */
    uint32_t left;  /* cells from `at` to the end of its block */
    uint32_t n;     /* cells written */
    uint32_t read;  /* cells read */
    bool unsorted;  /* the caller's */
};

struct vf__chains {
    struct vf_context ctx;
    size_t stride; /* bytes a cell, a multiple of 4 */
    struct vf__lane *lanes;
    size_t n_lanes, lanes_room;
    struct vf__slabs slabs;
};

void vf__chains_init(struct vf__chains *chains, const struct vf_context *ctx, size_t stride);
void vf__chains_release(struct vf__chains *chains);

/* Lanes for the groups 0 .. n - 1. */
enum vf_status vf__chains_reach(struct vf__chains *chains, size_t n, struct vf_error *err);

/* Cells of a block that begins after `before` cells of its group. */
static inline uint32_t vf__chain_block(uint32_t before) {
    return before < 2 ? 2 : before < VF__CHAIN_MOST ? before : VF__CHAIN_MOST;
}

/* Bytes of a block: its cells, and where the next one is. */
static inline size_t vf__chain_bytes(size_t stride, uint32_t cells) {
    return (cells * stride + sizeof(uint8_t *) + 7) / 8 * 8;
}

/* The slow part of the two below: the block is at its end. False where memory was refused. */
bool vf__chain_grow(struct vf__chains *chains, struct vf__lane *lane);

/* Where the group's next cell is to be written; NULL where memory was refused. */
static inline void *vf__chain_push(struct vf__chains *chains, struct vf__lane *lane) {
    if (VF__UNLIKELY(lane->left == 0) && !vf__chain_grow(chains, lane)) return NULL;
    uint8_t *cell = lane->at;
    lane->at += chains->stride;
    lane->left--;
    lane->n++;
    return cell;
}

/* Takes the last cell back. */
void vf__chain_pop(struct vf__chains *chains, struct vf__lane *lane);

/* For what the rows after row i will need, so that it is no miss of the cache when their turn comes: of n_lanes things of
   `size` bytes that of a row further on is asked for, and that of a nearer one given, whose own pointers can be followed;
   NULL where the row is of none. */
static inline const void *vf__fetch_lane(const void *lanes, size_t n_lanes, size_t size, const uint32_t *group,
                                         size_t i, size_t n) {
    const uint8_t *base = lanes;
    size_t far = i + 32, near = i + 16;
    if (far < n && group[far] < n_lanes) VF__PREFETCH(base + group[far] * size);
    return near < n && group[near] < n_lanes ? base + group[near] * size : NULL;
}

/* Asks for what is at `at` and the line behind; where `left` bytes on, which is near, the next block is named, for that. */
static inline void vf__fetch_ahead(const uint8_t *at, size_t left) {
    uintptr_t next = (uintptr_t)at + VF__LINE;
    VF__PREFETCH(at);
    if (VF__UNLIKELY(left < VF__LINE) && at != NULL) memcpy(&next, at + left, sizeof next); /* behind the last: anything */
    VF__PREFETCH((const void *)next);
}

/* The cells that the rows after row i will write: no block is named behind them yet. */
static inline void vf__chains_fetch(const struct vf__chains *chains, const uint32_t *group, size_t i, size_t n) {
    const struct vf__lane *lane = vf__fetch_lane(chains->lanes, chains->n_lanes, sizeof *lane, group, i, n);
    if (lane != NULL) vf__fetch_ahead(lane->at, VF__LINE);
}

/* ---- reading: after vf__chains_rewind, and with no push in between */

void vf__chains_rewind(struct vf__chains *chains);

/* The cells that the rows after row i will read. */
static inline void vf__chains_fetch_read(const struct vf__chains *chains, const uint32_t *group, size_t i, size_t n) {
    const struct vf__lane *lane = vf__fetch_lane(chains->lanes, chains->n_lanes, sizeof *lane, group, i, n);
    if (lane != NULL) vf__fetch_ahead(lane->at, lane->left * chains->stride);
}

/* The group's next cell. There must be one. */
static inline void *vf__chain_next(const struct vf__chains *chains, struct vf__lane *lane) {
    if (VF__UNLIKELY(lane->left == 0)) {
        memcpy(&lane->at, (const void *)lane->at, sizeof lane->at);
        lane->left = vf__chain_block(lane->read);
    }
    uint8_t *cell = lane->at;
    lane->at += chains->stride;
    lane->left--;
    lane->read++;
    return cell;
}

/* Takes the last vf__chain_next back. */
void vf__chain_back(const struct vf__chains *chains, struct vf__lane *lane);

/* The next stretch of a group's cells, `done` cells after its start: at most `n` of them. *at is NULL at the start. */
static inline uint32_t vf__chain_stretch(const struct vf__lane *lane, uint32_t done, uint8_t **at) {
    uint32_t n = vf__chain_block(done);
    if (done == 0)
        *at = lane->first;
    else /* the end of the stretch before, where its successor is named */
        memcpy(at, (const void *)*at, sizeof *at);
    return n < lane->n - done ? n : lane->n - done;
}

/* Where the stretch after the one at `at` begins, which begins after `done` cells; `at` where that is the last: to be asked
   for while this one is read. Where it ends is asked for here: to find the one after that takes a page walk. */
static inline const uint8_t *vf__chain_ahead(const struct vf__chains *chains, const struct vf__lane *lane,
                                             uint32_t done, const uint8_t *at) {
    uint32_t cells = vf__chain_block(done);
    if (lane->n - done <= cells) return at;
    memcpy(&at, at + cells * chains->stride, sizeof at);
    VF__PREFETCH((const void *)((uintptr_t)at + vf__chain_block(done + cells) * chains->stride));
    return at;
}

/* All cells of a group to or from one array; each is `size` bytes from byte `from` of its cell. */
void vf__chain_load(const struct vf__chains *chains, const struct vf__lane *lane, size_t from, size_t size, void *out);
void vf__chain_store(const struct vf__chains *chains, const struct vf__lane *lane, size_t from, size_t size,
                     const void *in);

#endif
