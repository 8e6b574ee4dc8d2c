/* A day through every public entry point, with the N-th allocation failing, once and from then on, until memory is back:
   nothing leaks, an object goes on or says that it cannot, and what it gives in the end is, bit for bit, what it gives
   undisturbed. Not for single calls' outputs on failure: the other files of this folder. */
#include "day.h"

static void recovers(const struct day_part *part, int n, int cut, uint32_t n_threads) {
    struct day_run r = {.ctx = NULL};
    long ended = 0, whole = 0;
    uint64_t undisturbed = 0;
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (long at = 0; at < 100000; at++) { /* the 0-th: none */
            struct check_faults faults = {.fail_at = at, .for_ever = for_ever != 0};
            struct vf_context ctx = check_context(&faults);
            ctx.n_threads = n_threads;
            r = (struct day_run){.ctx = &ctx, .faults = &faults, .n = n, .cut = cut};
            enum vf_status status = part->run(&r);
            CHECK_I64(faults.live, 0);
            CHECK(status == VF_OK || (status == VF_ERROR_STATE && faults.failed > 0));
            if (at == 0) undisturbed = day_digest(&r);
            if (status == VF_OK) CHECK(day_digest(&r) == undisturbed);
            if (faults.failed > 0) {
                whole += status == VF_OK;
                ended += status != VF_OK;
            }
            if (at > 0 && faults.failed == 0) break;
        }
    CHECK(whole > 0);
    printf("%s: %ld times memory was refused and the day went on, %ld times the object ended\n", part->name, whole,
           ended);
}

int main(void) {
    day_make(20240103);
    for (size_t p = 0; p < DAY_N_PARTS; p++) {
        bool cube = strncmp(day_parts[p].name, "cube", 4) == 0;
        int n = cube ? 40 : 120, cut = cube ? 40 : 70;
        recovers(&day_parts[p], n, cut, 1);
        if (day_parts[p].threads) recovers(&day_parts[p], n, cut, 3); /* which thread is refused is chance */
    }
    return check_report("day faults");
}
