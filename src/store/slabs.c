/* See slabs.h. Not for giving a single piece back. */
#include "store/slabs.h"

#define FIRST_SLAB ((size_t)VF__SIZED(1 << 16, 1 << 9, 1 << 20))
/* Below what the default allocator gives huge pages to (memory.c): what lies here is walked in order, so it gains little,
   and on virtual machines whose hypervisor takes free memory back it is the huge pages that have to be brought again. */
#define LAST_SLAB ((size_t)VF__SIZED(1 << 21, 1 << 10, 1 << 26))

void vf__slabs_init(struct vf__slabs *slabs, const struct vf_context *ctx) {
    *slabs = (struct vf__slabs){.ctx = *ctx};
}

void vf__slabs_release(struct vf__slabs *slabs) {
    struct vf_context ctx = slabs->ctx;
    for (size_t i = 0; i < slabs->n; i++)
        vf__free(&ctx, slabs->slabs[i], slabs->sizes[i], 1);
    vf__free(&ctx, slabs->slabs, slabs->room, sizeof *slabs->slabs);
    vf__free(&ctx, slabs->sizes, slabs->room, sizeof *slabs->sizes);
    vf__slabs_init(slabs, &ctx);
}

/* Room to name one more slab. */
static bool make_room(struct vf__slabs *s) {
    if (s->n < s->room) return true;
    size_t room = s->n * 2 + 8;
    void **slabs = vf__alloc(&s->ctx, room, sizeof *slabs);
    size_t *sizes = vf__alloc(&s->ctx, room, sizeof *sizes);
    if (slabs == NULL || sizes == NULL) {
        vf__free(&s->ctx, slabs, room, sizeof *slabs);
        vf__free(&s->ctx, sizes, room, sizeof *sizes);
        return false;
    }
    if (s->n > 0) memcpy(slabs, s->slabs, s->n * sizeof *slabs);
    if (s->n > 0) memcpy(sizes, s->sizes, s->n * sizeof *sizes);
    vf__free(&s->ctx, s->slabs, s->room, sizeof *slabs);
    vf__free(&s->ctx, s->sizes, s->room, sizeof *sizes);
    s->slabs = slabs;
    s->sizes = sizes;
    s->room = room;
    return true;
}

static bool slab_new(struct vf__slabs *s, size_t least) {
    size_t size = s->n > 0 ? s->sizes[s->n - 1] * 2 : FIRST_SLAB;
    if (size > LAST_SLAB) size = LAST_SLAB;
    if (size < least) size = least;
    if (!make_room(s)) return false;
    void *slab = vf__alloc(&s->ctx, size, 1);
    if (slab == NULL) return false;
    if (s->n > 4) vf__touch(slab, size); /* it will be full soon */
    s->slabs[s->n] = slab;
    s->sizes[s->n] = size;
    s->n++;
    s->used = 0;
    return true;
}

void *vf__slabs_take(struct vf__slabs *slabs, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + 7) / 8 * 8;
    size_t n = slabs->n;
    if (n == 0 || slabs->sizes[n - 1] - VF__SLAB_PAD - slabs->used < bytes)
        if (!slab_new(slabs, bytes + VF__SLAB_PAD)) return NULL;
    void *piece = (uint8_t *)slabs->slabs[slabs->n - 1] + slabs->used;
    slabs->used += bytes;
    return piece;
}
