/* See chains.h. Not for what a cell holds. */
#include "base/chains.h"

#define FIRST_SLAB ((size_t)VF__SIZED(1 << 16, 1 << 9, 1 << 20))
/* Below what the default allocator gives huge pages to (memory.c): cells are walked in order, so those gain little, and
   on virtual machines whose hypervisor takes free memory back it is the huge pages that have to be brought again. */
#define LAST_SLAB ((size_t)VF__SIZED(1 << 21, 1 << 10, 1 << 26))

void vf__chains_init(struct vf__chains *chains, const struct vf_context *ctx, size_t stride) {
    *chains = (struct vf__chains){.ctx = *ctx, .stride = stride};
}

void vf__chains_release(struct vf__chains *chains) {
    struct vf_context ctx = chains->ctx;
    for (size_t i = 0; i < chains->n_slabs; i++)
        vf__free(&ctx, chains->slabs[i], chains->slab_sizes[i], 1);
    vf__free(&ctx, chains->slabs, chains->slabs_room, sizeof *chains->slabs);
    vf__free(&ctx, chains->slab_sizes, chains->slabs_room, sizeof *chains->slab_sizes);
    vf__chains_unnumber(chains);
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

static bool slab_new(struct vf__chains *chains, size_t least) {
    size_t n = chains->n_slabs, size = n > 0 ? chains->slab_sizes[n - 1] * 2 : FIRST_SLAB;
    if (size > LAST_SLAB) size = LAST_SLAB;
    if (size < least + VF__CHAIN_PAD) size = least + VF__CHAIN_PAD;
    if (n == chains->slabs_room) {
        size_t room = n * 2 + 8;
        void **slabs = vf__alloc(&chains->ctx, room, sizeof *slabs);
        size_t *sizes = vf__alloc(&chains->ctx, room, sizeof *sizes);
        if (slabs == NULL || sizes == NULL) {
            vf__free(&chains->ctx, slabs, room, sizeof *slabs);
            vf__free(&chains->ctx, sizes, room, sizeof *sizes);
            return false;
        }
        if (n > 0) memcpy(slabs, chains->slabs, n * sizeof *slabs);
        if (n > 0) memcpy(sizes, chains->slab_sizes, n * sizeof *sizes);
        vf__free(&chains->ctx, chains->slabs, chains->slabs_room, sizeof *slabs);
        vf__free(&chains->ctx, chains->slab_sizes, chains->slabs_room, sizeof *sizes);
        chains->slabs = slabs;
        chains->slab_sizes = sizes;
        chains->slabs_room = room;
    }
    void *slab = vf__alloc(&chains->ctx, size, 1);
    if (slab == NULL) return false;
    if (n > 4) vf__touch(slab, size); /* it will be full soon */
    chains->slabs[n] = slab;
    chains->slab_sizes[n] = size;
    chains->n_slabs++;
    chains->used = 0;
    return true;
}

/* Blocks are rounded up to 8 bytes, so that cells of 8-byte fields are aligned in every block. */
static size_t block_bytes(const struct vf__chains *chains, uint32_t cells) {
    return (cells * chains->stride + sizeof(uint8_t *) + 7) / 8 * 8;
}

bool vf__chain_grow(struct vf__chains *chains, struct vf__lane *lane) {
    uint32_t cells = vf__chain_block(lane->n);
    if (lane->n > UINT32_MAX - cells) return false;
    size_t bytes = block_bytes(chains, cells), n = chains->n_slabs;
    if (n == 0 || chains->slab_sizes[n - 1] - VF__CHAIN_PAD - chains->used < bytes)
        if (!slab_new(chains, bytes)) return false;
    uint8_t *block = (uint8_t *)chains->slabs[chains->n_slabs - 1] + chains->used;
    chains->used += bytes;
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

void vf__chains_unnumber(struct vf__chains *chains) {
    vf__free(&chains->ctx, chains->blocks, chains->n_blocks, sizeof *chains->blocks);
    vf__free(&chains->ctx, chains->block_start, chains->n_numbered + 1, sizeof *chains->block_start);
    chains->blocks = NULL;
    chains->block_start = NULL;
    chains->n_blocks = chains->n_numbered = 0;
}

enum vf_status vf__chains_number(struct vf__chains *chains, struct vf_error *err) {
    size_t n = 0;
    for (size_t g = 0; g < chains->n_lanes; g++) {
        uint32_t start;
        if (chains->lanes[g].n > 0) n += vf__chain_block_of(chains->lanes[g].n - 1, &start) + (size_t)1;
    }
    uint8_t **blocks = vf__alloc(&chains->ctx, n, sizeof *blocks);
    uint32_t *block_start = vf__alloc(&chains->ctx, chains->n_lanes + 1, sizeof *block_start);
    if (blocks == NULL || block_start == NULL) {
        vf__free(&chains->ctx, blocks, n, sizeof *blocks);
        vf__free(&chains->ctx, block_start, chains->n_lanes + 1, sizeof *block_start);
        return vf__fail_memory(err, n * sizeof *blocks);
    }
    uint32_t at = 0;
    for (size_t g = 0; g < chains->n_lanes; g++) {
        const struct vf__lane *lane = &chains->lanes[g];
        uint8_t *cell = NULL;
        block_start[g] = at;
        for (uint32_t done = 0, k; done < lane->n; done += k) {
            k = vf__chain_stretch(lane, done, &cell);
            blocks[at++] = cell;
            cell += k * chains->stride;
        }
    }
    block_start[chains->n_lanes] = at;
    chains->blocks = blocks;
    chains->block_start = block_start;
    chains->n_blocks = n;
    chains->n_numbered = chains->n_lanes;
    return VF_OK;
}

void vf__chain_load(const struct vf__chains *chains, const struct vf__lane *lane, size_t from, size_t size, void *out) {
    uint8_t *at = NULL, *to = out;
    size_t stride = chains->stride;
    for (uint32_t done = 0, n; done < lane->n; done += n) {
        n = vf__chain_stretch(lane, done, &at);
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
