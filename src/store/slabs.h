/* Memory that only grows, in pieces of any size, and is given back all at once. Not for several threads: each takes its
   own. */
#ifndef VF_STORE_SLABS_H
#define VF_STORE_SLABS_H

#include "base/base.h"

#define VF__SLAB_PAD 128 /* bytes that may be read past any piece */

struct vf__slabs {
    struct vf_context ctx;
    void **slabs;
    size_t *sizes;
    size_t n, room, used; /* used: bytes of the last slab */
};

void vf__slabs_init(struct vf__slabs *slabs, const struct vf_context *ctx);
void vf__slabs_release(struct vf__slabs *slabs);

/* `bytes` aligned to 8, or NULL where memory was refused. */
void *vf__slabs_take(struct vf__slabs *slabs, size_t bytes);

#endif
