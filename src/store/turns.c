/* See turns.h. Not for more than two hands: there is one thing to read and one to keep. */
#include "store/turns.h"

enum { KEEP, READ };

struct turn {
    const struct vf__turns *turns;
    size_t hand;       /* that is read into; the other is kept */
    int64_t row, n[2]; /* rows to be kept, and to be read: from `row` on */
    enum vf_status status[2];
    struct vf_error errors[2];
};

static void work(void *arg, size_t what) {
    struct turn *t = arg;
    const struct vf__turns *turns = t->turns;
    t->status[what] = what == KEEP ? turns->keep(turns->arg, t->hand ^ 1, &t->errors[KEEP])
                                   : turns->read(turns->arg, t->hand, t->row, t->n[READ], &t->errors[READ]);
}

enum vf_status vf__turns_take(const struct vf__turns *turns, int64_t n_rows, int64_t *kept, struct vf_error *err) {
    struct turn t = {.turns = turns};
    for (*kept = 0; *kept < n_rows; t.hand ^= 1) {
        int64_t left = n_rows - t.row;
        t.n[READ] = left < VF__TURN_ROWS ? left : VF__TURN_ROWS;
        if (t.n[KEEP] > 0 && t.n[READ] > 0)
            vf__parallel(turns->ctx, 2, work, &t);
        else /* no thread is started for the one */
            work(&t, t.n[KEEP] > 0 ? KEEP : READ);
        if (t.status[KEEP] == VF_OK) *kept += t.n[KEEP];
        for (size_t what = KEEP; what <= READ; what++) {
            if (t.status[what] == VF_OK) continue;
            if (err != NULL) *err = t.errors[what];
            return t.status[what];
        }
        t.row += t.n[READ];
        t.n[KEEP] = t.n[READ];
    }
    return VF_OK;
}
