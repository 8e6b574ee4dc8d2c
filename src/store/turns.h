/* A batch's rows in parts, each read and then kept: one part is read while the one before is kept.
   Not for what reading and keeping are. */
#ifndef VF_STORE_TURNS_H
#define VF_STORE_TURNS_H

#include "base/base.h"

#define VF__TURN_ROWS ((int64_t)VF__SIZED(1 << 17, 16, 1 << 20)) /* of a part: worth starting a thread for */

struct vf__turns {
    const struct vf_context *ctx;
    void *arg;
    /* Rows [row, row + n), n at most VF__TURN_ROWS, into hand 0 or 1; and what is in a hand to where it stays, all of
       it or none. They share nothing that either changes. */
    enum vf_status (*read)(void *arg, size_t hand, int64_t row, int64_t n, struct vf_error *err);
    enum vf_status (*keep)(void *arg, size_t hand, struct vf_error *err);
};

/* All n_rows, or as many as go well: *kept of them. */
enum vf_status vf__turns_take(const struct vf__turns *turns, int64_t n_rows, int64_t *kept, struct vf_error *err);

#endif
