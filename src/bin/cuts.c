/* See cuts.h: a binary search without a branch to mispredict, and a radix selection of many ranks at once (Knuth,
   The Art of Computer Programming 3, 5.2.5 and 5.3.3). Not for interpolating between ranks: src/api/cuts.c does. */
#include "bin/cuts.h"

#define TOP ((size_t)1 << VF__RANK_TOP_BITS)
#define DIGITS ((size_t)1 << VF__RANK_BITS)

static inline size_t count_below(const double *cuts, size_t n, double x, bool left_closed) {
    const double *base = cuts;
    while (n > 1) {
        size_t half = n / 2;
        base += left_closed ? (base[half - 1] <= x ? half : 0) : (base[half - 1] < x ? half : 0);
        n -= half;
    }
    return (size_t)(base - cuts) + (n == 1 && (left_closed ? *base <= x : *base < x));
}

void vf__cuts_index(const double *x, size_t n, const double *cuts, size_t n_cuts, bool left_closed,
                    const uint8_t *ok, int64_t *out) {
    /* a loop for each side, so that each is compiled for its own */
    if (left_closed)
        for (size_t i = 0; i < n; i++)
            out[i] = ok[i] ? (int64_t)count_below(cuts, n_cuts, x[i], true) : 0;
    else
        for (size_t i = 0; i < n; i++)
            out[i] = ok[i] ? (int64_t)count_below(cuts, n_cuts, x[i], false) : 0;
}

/* ---- ranks --------------------------------------------------------------------------------------------------------- */

#define SIGN (UINT64_C(1) << 63)

static inline uint64_t ordered(double x) {
    uint64_t bits;
    x += 0.0; /* -0 is 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

/* How far bits that are known after `pass` passes lie from the right. */
static inline unsigned shift_after(unsigned pass) {
    return 64 - VF__RANK_TOP_BITS - VF__RANK_BITS * (pass - 1);
}

enum vf_status vf__ranks_init(struct vf__ranks *ranks, const struct vf_context *ctx, struct vf_error *err) {
    *ranks = (struct vf__ranks){.ctx = *ctx, .n_counts = TOP};
    ranks->counts = vf__zalloc(ctx, TOP, sizeof *ranks->counts);
    ranks->first = vf__zalloc(ctx, TOP + 1, sizeof *ranks->first);
    if (ranks->counts != NULL && ranks->first != NULL) return VF_OK;
    vf__ranks_release(ranks);
    return vf__fail_memory(err, TOP * sizeof *ranks->counts);
}

void vf__ranks_release(struct vf__ranks *ranks) {
    struct vf_context ctx = ranks->ctx;
    vf__free(&ctx, ranks->prefix, 2 * ranks->n_sought, sizeof *ranks->prefix);
    vf__free(&ctx, ranks->below, 2 * ranks->n_sought, sizeof *ranks->below);
    vf__free(&ctx, ranks->node, ranks->n_sought, sizeof *ranks->node);
    vf__free(&ctx, ranks->first, TOP + 1, sizeof *ranks->first);
    vf__free(&ctx, ranks->counts, ranks->n_counts, sizeof *ranks->counts);
    *ranks = (struct vf__ranks){.ctx = ctx};
}

static inline void add_to_node(struct vf__ranks *ranks, uint64_t key, unsigned shift) {
    size_t low = ranks->first[key >> (64 - VF__RANK_TOP_BITS)];
    size_t high = ranks->first[(key >> (64 - VF__RANK_TOP_BITS)) + 1];
    uint64_t prefix = key >> shift;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranks->prefix[middle] < prefix)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ranks->n_nodes || ranks->prefix[low] != prefix) return;
    ranks->counts[low * DIGITS + ((key >> (shift - VF__RANK_BITS)) & (DIGITS - 1))]++;
}

void vf__ranks_add(struct vf__ranks *ranks, const double *x, const uint8_t *ok, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!ok[i]) continue;
        uint64_t key = ordered(x[i]);
        ranks->n++;
        ranks->sum += vf__mix(key + VF__RANK_BITS);
        if (ranks->pass == 0)
            ranks->counts[key >> (64 - VF__RANK_TOP_BITS)]++;
        else
            add_to_node(ranks, key, shift_after(ranks->pass));
    }
}

bool vf__ranks_same(const struct vf__ranks *ranks) {
    return ranks->pass == 0 || (ranks->n == ranks->all_n && ranks->sum == ranks->all_sum);
}

/* The digit in which the rank lies among `counts`, and how many values have smaller ones. */
static size_t digit_of(const uint64_t *counts, size_t n_digits, uint64_t rank, uint64_t *smaller) {
    size_t digit = 0;
    for (*smaller = 0; digit + 1 < n_digits && *smaller + counts[digit] <= rank; digit++)
        *smaller += counts[digit];
    return digit;
}

/* Nodes of the next pass, from the counts of the one that ended: ranks ascend, and so do their prefixes. */
static void descend(struct vf__ranks *ranks) {
    uint64_t *prefixes = ranks->prefix + ranks->n_sought, *belows = ranks->below + ranks->n_sought;
    size_t n_nodes = 0;
    for (size_t i = 0; i < ranks->n_sought; i++) {
        size_t node = ranks->node[i]; /* 0 in the first pass, which has one set of counts */
        uint64_t below = ranks->pass > 0 ? ranks->below[node] : 0, smaller;
        size_t digit = digit_of(ranks->counts + node * DIGITS, ranks->pass > 0 ? DIGITS : TOP,
                                ranks->sought[i] - below, &smaller);
        uint64_t prefix = ranks->pass > 0 ? ranks->prefix[node] << VF__RANK_BITS | digit : digit;
        if (n_nodes == 0 || prefix != prefixes[n_nodes - 1]) {
            prefixes[n_nodes] = prefix;
            belows[n_nodes++] = below + smaller;
        }
        ranks->node[i] = (uint32_t)(n_nodes - 1);
    }
    memcpy(ranks->prefix, prefixes, n_nodes * sizeof *prefixes);
    memcpy(ranks->below, belows, n_nodes * sizeof *belows);
    ranks->n_nodes = n_nodes;
    ranks->pass++;
}

static enum vf_status seek(struct vf__ranks *ranks, const uint64_t *sought, size_t n, struct vf_error *err) {
    ranks->prefix = vf__alloc(&ranks->ctx, 2 * n, sizeof *ranks->prefix);
    ranks->below = vf__alloc(&ranks->ctx, 2 * n, sizeof *ranks->below);
    ranks->node = vf__zalloc(&ranks->ctx, n, sizeof *ranks->node);
    ranks->sought = sought;
    ranks->n_sought = n;
    ranks->all_n = ranks->n;
    ranks->all_sum = ranks->sum;
    if (ranks->prefix != NULL && ranks->below != NULL && ranks->node != NULL) return VF_OK;
    return vf__fail_memory(err, n * (4 * sizeof *ranks->prefix + sizeof *ranks->node));
}

/* The first node of each top digit. */
static void index_nodes(struct vf__ranks *ranks) {
    unsigned shift = 64 - VF__RANK_TOP_BITS - shift_after(ranks->pass);
    size_t node = 0;
    for (size_t top = 0; top <= TOP; top++) {
        while (node < ranks->n_nodes && ranks->prefix[node] >> shift < top)
            node++;
        ranks->first[top] = (uint32_t)node;
    }
}

enum vf_status vf__ranks_next(struct vf__ranks *ranks, const uint64_t *sought, size_t n,
                              struct vf_error *err) {
    enum vf_status status = ranks->pass == 0 ? seek(ranks, sought, n, err) : VF_OK;
    if (status != VF_OK) return status;
    descend(ranks);
    vf__free(&ranks->ctx, ranks->counts, ranks->n_counts, sizeof *ranks->counts);
    ranks->n_counts = ranks->pass < VF__RANK_PASSES ? ranks->n_nodes * DIGITS : 0;
    ranks->counts = vf__zalloc(&ranks->ctx, ranks->n_counts, sizeof *ranks->counts);
    if (ranks->counts == NULL) return vf__fail_memory(err, ranks->n_counts * sizeof *ranks->counts);
    if (ranks->pass < VF__RANK_PASSES) index_nodes(ranks);
    ranks->n = 0;
    ranks->sum = 0;
    return VF_OK;
}

double vf__ranks_value(const struct vf__ranks *ranks, size_t i) {
    uint64_t key = ranks->prefix[ranks->node[i]];
    double x;
    key = key & SIGN ? key ^ SIGN : ~key;
    memcpy(&x, &key, sizeof x);
    return x;
}
