/* The same bits from every build, cut into calls, and number of threads: digests of a day's results are compared with
   each other and with those written here. Not for whether they are right: the other files of this folder are.
   A digest changes only with what is computed, or with the day of day.h: then, and only then, write the new one here. */
#include "day.h"

static const uint64_t want[DAY_N_PARTS] = {
    UINT64_C(0x074368a78cc18659), /* columns */
    UINT64_C(0xb83274b56b9c08fa), /* calendars */
    UINT64_C(0x656a248417860db8), /* fifo */
    UINT64_C(0x7051577da1d0ae01), /* mark */
    UINT64_C(0x65e6764b3494a9ad), /* asof */
    UINT64_C(0x7bb107ab94841232), /* daily */
    UINT64_C(0x22cd91148b63175d), /* order */
    UINT64_C(0xc2c46cda3cd419de), /* quantiles */
    UINT64_C(0x64a9cacfbac44325), /* agg */
    UINT64_C(0x644a35bd2fc5dece), /* cube, dense */
    UINT64_C(0x6bb74858a6cc0356), /* cube, sparse */
    UINT64_C(0xb59eac938071eace), /* file */
};

static void same_bits(const struct day_part *part, uint64_t digest) {
    static const int cuts[] = {DAY_MOST, 1, 7, 1000, 2049, 4096};
    static const uint32_t threads[] = {1, 2, 3, 7};
    for (size_t t = 0; t < (part->threads ? 4u : 1u); t++)
        for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++) {
            struct vf_context ctx = {.n_threads = threads[t]};
            struct day_run r = {.ctx = &ctx, .n = DAY_MOST, .cut = cuts[k]};
            if (cuts[k] == 1 && t > 0) continue; /* one row has no use for a second thread */
            CHECK_OK(part->run(&r));
            uint64_t got = day_digest(&r);
            CHECK(got == digest);
            if (got != digest)
                fprintf(stderr, "%s, cut %d, %u threads: 0x%016" PRIx64 "\n", part->name, cuts[k], threads[t], got);
        }
}

int main(void) {
    day_make(20240102);
    for (size_t p = 0; p < DAY_N_PARTS; p++)
        same_bits(&day_parts[p], want[p]);
    return check_report("bits");
}
