/* See chains.h. Not for what a cell holds. */
#include "store/chains.h"

void vf__chains_init(struct vf__chains *chains, const struct vf_context *ctx, size_t stride) {
    *chains = (struct vf__chains){.ctx = *ctx, .stride = stride};
    vf__slabs_init(&chains->slabs, ctx);
}

void vf__chains_release(struct vf__chains *chains) {
    struct vf_context ctx = chains->ctx;
    vf__slabs_release(&chains->slabs);
    vf__free(&ctx, chains->lanes, chains->lanes_room, sizeof *chains->lanes);
    vf__chains_init(chains, &ctx, chains->stride);
}

enum vf_status vf__chains_reach(struct vf__chains *chains, size_t n, struct vf_error *err) {
    if (n > chains->lanes_room) {
        size_t room = chains->lanes_room + chains->lanes_room / 2 + 64;
        if (room < n) room = n;
        struct vf__lane *lanes =
            vf__resize(&chains->ctx, chains->lanes, chains->lanes_room, room, sizeof *chains->lanes);
        if (lanes == NULL) return vf__fail_memory(err, room * sizeof *lanes);
        chains->lanes = lanes;
        chains->lanes_room = room;
    }
    for (; chains->n_lanes < n; chains->n_lanes++)
        chains->lanes[chains->n_lanes] = (struct vf__lane){.last = INT64_MIN};
    return VF_OK;
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

bool vf__chain_grow(struct vf__chains *chains, struct vf__lane *lane) {
    uint32_t cells = vf__chain_block(lane->n);
    if (lane->n > UINT32_MAX - cells) return false;
    uint8_t *block = vf__slabs_take(&chains->slabs, vf__chain_bytes(chains->stride, cells));
    if (block == NULL) return false;
    if (lane->first == NULL)
        lane->first = block;
    else
        memcpy(lane->at, &block, sizeof block);
    lane->at = block;
    lane->left = cells;
    return true;
}

/* Goes to where `k` cells are behind; the end of a full block, not the start of the next. */
static void go_to(const struct vf__chains *chains, struct vf__lane *lane, uint32_t k) {
    uint8_t *at = lane->first;
    uint32_t done = 0, cells = vf__chain_block(0);
    while (k - done > cells) {
        memcpy(&at, at + cells * chains->stride, sizeof at);
        done += cells;
        cells = vf__chain_block(done);
    }
    lane->at = at + (k - done) * chains->stride;
    lane->left = cells - (k - done);
}

/* A block that has become empty is not given back: its successor's place is taken anew. */
void vf__chain_pop(struct vf__chains *chains, struct vf__lane *lane) {
    lane->n--;
    if (lane->n == 0) {
        lane->first = NULL;
        lane->left = 0;
        return;
    }
    go_to(chains, lane, lane->n);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

void vf__chains_rewind(struct vf__chains *chains) {
    for (size_t g = 0; g < chains->n_lanes; g++) {
        struct vf__lane *lane = &chains->lanes[g];
        lane->at = lane->first;
        lane->left = vf__chain_block(0);
        lane->read = 0;
    }
}

void vf__chain_back(const struct vf__chains *chains, struct vf__lane *lane) {
    lane->read--;
    go_to(chains, lane, lane->read);
}

/* The stretch that comes after the one at `at`. */
static void fetch_stretch(const struct vf__chains *chains, const struct vf__lane *lane, uint32_t done, const uint8_t *at) {
    const uint8_t *ahead = vf__chain_ahead(chains, lane, done, at);
    size_t bytes = vf__chain_block(done) * chains->stride; /* most are as long as the one before */
    for (size_t i = 0; ahead != at && i < bytes; i += VF__LINE)
        VF__PREFETCH(ahead + i);
}

void vf__chain_load(const struct vf__chains *chains, const struct vf__lane *lane, size_t from, size_t size, void *out) {
    uint8_t *at = NULL, *to = out;
    size_t stride = chains->stride;
    for (uint32_t done = 0, n; done < lane->n; done += n) {
        n = vf__chain_stretch(lane, done, &at);
        fetch_stretch(chains, lane, done, at);
        if (from == 0 && size == stride)
            memcpy(to, at, n * size);
        else
            for (uint32_t i = 0; i < n; i++)
                memcpy(to + i * size, at + i * stride + from, size);
        to += n * size;
        at += n * stride;
    }
}

void vf__chain_store(const struct vf__chains *chains, const struct vf__lane *lane, size_t from, size_t size,
                     const void *in) {
    uint8_t *at = NULL;
    const uint8_t *source = in;
    size_t stride = chains->stride;
    for (uint32_t done = 0, n; done < lane->n; done += n) {
        n = vf__chain_stretch(lane, done, &at);
        if (from == 0 && size == stride)
            memcpy(at, source, n * size);
        else
            for (uint32_t i = 0; i < n; i++)
                memcpy(at + i * stride + from, source + i * size, size);
        source += n * size;
        at += n * stride;
    }
}
