/* See asof.h. Two passes bring the observations together, then each group is sorted where it is not in order yet;
   look-ups gallop from where the group's last one ended. Not for marking a frame with its own prices: merge.c
   walks two lists side by side there. */
#include "mark/asof.h"

#include "store/keys.h"
#include "store/rows.h"

#include <inttypes.h>

#define FIRST_CAPACITY ((size_t)VF__SIZED(4096, 1, 1 << 20))
#define MAX_RANGES 64

void vf__asof_init(struct vf__asof *asof, const struct vf_context *ctx) {
    *asof = (struct vf__asof){.ctx = *ctx};
}

void vf__asof_release(struct vf__asof *asof) {
    struct vf_context ctx = asof->ctx;
    vf__free(&ctx, asof->group, asof->capacity, sizeof *asof->group);
    vf__free(&ctx, asof->time, asof->capacity, sizeof *asof->time);
    vf__free(&ctx, asof->row, asof->capacity, sizeof *asof->row);
    vf__free(&ctx, asof->base, asof->n_groups, sizeof *asof->base);
    vf__free(&ctx, asof->kept, asof->n_groups, sizeof *asof->kept);
    vf__asof_init(asof, &ctx);
}

/* ---- learning ------------------------------------------------------------------------------------------------------ */

/* All three arrays have room for `capacity` or, when memory is refused half-way, more than asof->capacity says: sizes
   must be told truly, so each is put back. */
static enum vf_status grow(struct vf__asof *asof, size_t capacity, struct vf_error *err) {
    const struct vf_context *ctx = &asof->ctx;
    size_t old = asof->capacity;
    uint32_t *group = vf__alloc(ctx, capacity, sizeof *group);
    int64_t *time = vf__alloc(ctx, capacity, sizeof *time);
    uint32_t *row = vf__alloc(ctx, capacity, sizeof *row);
    if (group == NULL || time == NULL || row == NULL) {
        vf__free(ctx, group, capacity, sizeof *group);
        vf__free(ctx, time, capacity, sizeof *time);
        vf__free(ctx, row, capacity, sizeof *row);
        return vf__fail_memory(err, capacity * (2 * sizeof *group + sizeof *time));
    }
    if (asof->n > 0) {
        memcpy(group, asof->group, asof->n * sizeof *group);
        memcpy(time, asof->time, asof->n * sizeof *time);
        memcpy(row, asof->row, asof->n * sizeof *row);
    }
    vf__free(ctx, asof->group, old, sizeof *group);
    vf__free(ctx, asof->time, old, sizeof *time);
    vf__free(ctx, asof->row, old, sizeof *row);
    asof->group = group;
    asof->time = time;
    asof->row = row;
    asof->capacity = capacity;
    return VF_OK;
}

static enum vf_status reserve(struct vf__asof *asof, size_t more, struct vf_error *err) {
    if (more > VF__ASOF_MAX_ROWS || asof->n_rows > VF__ASOF_MAX_ROWS - more)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %zu rows to look up in",
                        VF__ASOF_MAX_ROWS);
    if (asof->n + more <= asof->capacity) return VF_OK;
    size_t capacity = asof->capacity != 0 ? asof->capacity * 2 : FIRST_CAPACITY;
    if (capacity < asof->n + more) capacity = asof->n + more;
    return grow(asof, capacity, err);
}

enum vf_status vf__asof_learn(struct vf__asof *asof, const uint32_t *group, const int64_t *time,
                              const uint8_t *valid, size_t n, struct vf_error *err) {
    enum vf_status status = reserve(asof, n, err);
    if (status != VF_OK) return status;
    size_t at = asof->n;
    for (size_t i = 0; i < n; i++) {
        asof->group[at] = group[i]; /* overwritten unless it counts */
        asof->time[at] = time[i];
        asof->row[at] = (uint32_t)(asof->n_rows + i);
        at += group[i] != VF__NO_KEY && (valid == NULL || valid[i]);
    }
    asof->n = at;
    asof->n_rows += n;
    return VF_OK;
}

void vf__asof_back(struct vf__asof *asof, size_t n, size_t n_rows) {
    asof->n = n;
    asof->n_rows = n_rows;
}

/* ---- building ------------------------------------------------------------------------------------------------------ */

struct build {
    const struct vf__asof *from;
    size_t n_ranges, n_groups, n_tasks;
    uint32_t *counts; /* n_ranges * n_groups: first sizes, then where the range's next observation goes */
    int64_t *time;
    uint32_t *row, *base, *kept;
    uint8_t *unsorted; /* by group */
    size_t largest;    /* unsorted group */
    int64_t *old_time; /* n_tasks * largest, as the next two: room to sort one group */
    uint32_t *order, *scratch, *old_row;
    uint32_t *duplicate, *first; /* by task: rows of the first pair at one time, VF__NO_ROW: none */
};

static size_t range_start(const struct build *b, size_t range) {
    return (size_t)((uint64_t)b->from->n * range / b->n_ranges);
}

static void count_range(void *arg, size_t range) {
    struct build *b = arg;
    uint32_t *counts = b->counts + range * b->n_groups;
    size_t end = range_start(b, range + 1);
    for (size_t i = range_start(b, range); i < end; i++)
        counts[b->from->group[i]]++;
}

static void place_ranges(struct build *b) {
    uint32_t at = 0;
    for (size_t g = 0; g < b->n_groups; g++) {
        b->base[g] = at;
        for (size_t range = 0; range < b->n_ranges; range++) {
            uint32_t count = b->counts[range * b->n_groups + g];
            b->counts[range * b->n_groups + g] = at;
            at += count;
        }
        b->kept[g] = at - b->base[g];
    }
}

static void fill_range(void *arg, size_t range) {
    struct build *b = arg;
    uint32_t *cursors = b->counts + range * b->n_groups;
    size_t end = range_start(b, range + 1);
    for (size_t i = range_start(b, range); i < end; i++) {
        uint32_t at = cursors[b->from->group[i]]++;
        b->time[at] = b->from->time[i];
        b->row[at] = b->from->row[i];
    }
}

static void check_order(void *arg, size_t task) {
    struct build *b = arg;
    for (size_t g = task; g < b->n_groups; g += b->n_tasks) {
        const int64_t *time = b->time + b->base[g];
        uint8_t unsorted = 0;
        for (uint32_t i = 1; i < b->kept[g]; i++)
            unsorted |= time[i] < time[i - 1];
        b->unsorted[g] = unsorted;
    }
}

static void sort_group(const struct build *b, size_t task, size_t g) {
    size_t n = b->kept[g], at = b->base[g];
    int64_t *old_time = b->old_time + task * b->largest;
    uint32_t *order = b->order + task * b->largest, *old_row = b->old_row + task * b->largest;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    vf__rows_sort(b->time + at, order, b->scratch + task * b->largest, n);
    memcpy(old_time, b->time + at, n * sizeof *old_time);
    memcpy(old_row, b->row + at, n * sizeof *old_row);
    for (size_t i = 0; i < n; i++) {
        b->time[at + i] = old_time[order[i]];
        b->row[at + i] = old_row[order[i]];
    }
}

/* Of equal times, which lie in row order, the last stays. */
static void thin_group(struct build *b, size_t task, size_t g) {
    int64_t *time = b->time + b->base[g];
    uint32_t *row = b->row + b->base[g], n = b->kept[g], kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && time[kept - 1] == time[i]) {
            kept--;
            if (row[i] < b->duplicate[task]) {
                b->duplicate[task] = row[i];
                b->first[task] = row[kept];
            }
        }
        time[kept] = time[i];
        row[kept++] = row[i];
    }
    b->kept[g] = kept;
}

static void finish_groups(void *arg, size_t task) {
    struct build *b = arg;
    for (size_t g = task; g < b->n_groups; g += b->n_tasks) {
        if (b->unsorted[g]) sort_group(b, task, g);
        thin_group(b, task, g);
    }
}

static enum vf_status build_new(struct build *b, struct vf_error *err) {
    const struct vf_context *ctx = &b->from->ctx;
    b->counts = vf__zalloc(ctx, b->n_ranges * b->n_groups, sizeof *b->counts);
    b->time = vf__alloc(ctx, b->from->n, sizeof *b->time);
    b->row = vf__alloc(ctx, b->from->n, sizeof *b->row);
    b->base = vf__alloc(ctx, b->n_groups, sizeof *b->base);
    b->kept = vf__alloc(ctx, b->n_groups, sizeof *b->kept);
    b->unsorted = vf__alloc(ctx, b->n_groups, 1);
    b->duplicate = vf__alloc(ctx, b->n_tasks, sizeof *b->duplicate);
    b->first = vf__alloc(ctx, b->n_tasks, sizeof *b->first);
    if (b->counts == NULL || b->time == NULL || b->row == NULL || b->base == NULL || b->kept == NULL ||
        b->unsorted == NULL || b->duplicate == NULL || b->first == NULL)
        return vf__fail_memory(err, b->from->n * (sizeof *b->time + sizeof *b->row));
    for (size_t task = 0; task < b->n_tasks; task++)
        b->duplicate[task] = b->first[task] = VF__NO_ROW;
    return VF_OK;
}

static enum vf_status room_to_sort(struct build *b, struct vf_error *err) {
    const struct vf_context *ctx = &b->from->ctx;
    for (size_t g = 0; g < b->n_groups; g++)
        if (b->unsorted[g] && b->kept[g] > b->largest) b->largest = b->kept[g];
    if (b->largest == 0) return VF_OK;
    size_t n = b->n_tasks * b->largest;
    b->old_time = vf__alloc(ctx, n, sizeof *b->old_time);
    b->old_row = vf__alloc(ctx, n, sizeof *b->old_row);
    b->order = vf__alloc(ctx, n, sizeof *b->order);
    b->scratch = vf__alloc(ctx, n, sizeof *b->scratch);
    if (b->old_time == NULL || b->old_row == NULL || b->order == NULL || b->scratch == NULL)
        return vf__fail_memory(err, n * (sizeof *b->old_time + 3 * sizeof *b->order));
    return VF_OK;
}

static void build_release(struct build *b) {
    const struct vf_context *ctx = &b->from->ctx;
    size_t n = b->n_tasks * b->largest;
    vf__free(ctx, b->counts, b->n_ranges * b->n_groups, sizeof *b->counts);
    vf__free(ctx, b->time, b->from->n, sizeof *b->time);
    vf__free(ctx, b->row, b->from->n, sizeof *b->row);
    vf__free(ctx, b->base, b->n_groups, sizeof *b->base);
    vf__free(ctx, b->kept, b->n_groups, sizeof *b->kept);
    vf__free(ctx, b->unsorted, b->n_groups, 1);
    vf__free(ctx, b->duplicate, b->n_tasks, sizeof *b->duplicate);
    vf__free(ctx, b->first, b->n_tasks, sizeof *b->first);
    vf__free(ctx, b->old_time, n, sizeof *b->old_time);
    vf__free(ctx, b->old_row, n, sizeof *b->old_row);
    vf__free(ctx, b->order, n, sizeof *b->order);
    vf__free(ctx, b->scratch, n, sizeof *b->scratch);
}

static enum vf_status check_unique(const struct build *b, uint32_t *other, struct vf_error *err) {
    uint32_t row = VF__NO_ROW;
    for (size_t task = 0; task < b->n_tasks; task++) {
        if (b->duplicate[task] >= row) continue;
        row = b->duplicate[task];
        *other = b->first[task];
    }
    if (row == VF__NO_ROW) return VF_OK;
    return vf__fail(err, VF_ERROR_DATA, NULL, row,
                    "rows %" PRIu32 " and %" PRIu32 " are of the same key and time", *other, row);
}

/* What was built takes the place of what was learnt. */
static void take_over(struct vf__asof *asof, struct build *b) {
    vf__free(&asof->ctx, asof->group, asof->capacity, sizeof *asof->group);
    vf__free(&asof->ctx, asof->time, asof->capacity, sizeof *asof->time);
    vf__free(&asof->ctx, asof->row, asof->capacity, sizeof *asof->row);
    asof->group = NULL;
    asof->time = b->time;
    asof->row = b->row;
    asof->capacity = asof->n;
    asof->n_groups = b->n_groups;
    asof->base = b->base;
    asof->kept = b->kept;
    asof->built = true;
    b->time = NULL;
    b->row = b->base = b->kept = NULL;
}

enum vf_status vf__asof_build(struct vf__asof *asof, size_t n_groups, bool unique, uint32_t *other,
                              struct vf_error *err) {
    size_t threads = asof->ctx.n_threads < MAX_RANGES ? asof->ctx.n_threads : MAX_RANGES;
    struct build b = {.from = asof, .n_groups = n_groups, .n_ranges = threads, .n_tasks = threads};
    /* counting pays as long as the counters are few beside what they count */
    while (b.n_ranges > 1 && b.n_ranges * n_groups > asof->n)
        b.n_ranges--;
    enum vf_status status = build_new(&b, err);
    if (status != VF_OK) goto done;
    vf__parallel(&asof->ctx, b.n_ranges, count_range, &b);
    place_ranges(&b);
    vf__parallel(&asof->ctx, b.n_ranges, fill_range, &b);
    vf__parallel(&asof->ctx, b.n_tasks, check_order, &b);
    status = room_to_sort(&b, err);
    if (status != VF_OK) goto done;
    vf__parallel(&asof->ctx, b.n_tasks, finish_groups, &b);
    if (unique) status = check_unique(&b, other, err);
    if (status == VF_OK) take_over(asof, &b);
done:
    build_release(&b);
    return status;
}

/* ---- looking up ---------------------------------------------------------------------------------------------------- */

/* First position in [low, high] whose time is later than `time`; time[high] is, or high is the end. */
static inline uint32_t bisect(const int64_t *time, uint32_t low, uint32_t high, int64_t bound) {
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (time[middle] <= bound)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many of the n observations are at or before `bound`; looks near `k`, in steps that double, first. */
static inline uint32_t count_until(const int64_t *time, uint32_t n, uint32_t k, int64_t bound) {
    uint32_t step = 1;
    if (k > 0 && time[k - 1] > bound) {
        uint32_t high = k - 1;
        while (high > 0) {
            uint32_t low = high > step ? high - step : 0;
            if (time[low] <= bound) return bisect(time, low + 1, high, bound);
            high = low;
            step *= 2;
        }
        return 0;
    }
    uint32_t low = k;
    while (low < n) {
        uint32_t probe = n - low > step ? low + step - 1 : n - 1;
        if (time[probe] > bound) return bisect(time, low, probe, bound);
        low = probe + 1;
        step *= 2;
    }
    return n;
}

/* b - a for a <= b, which may be past int64. */
static inline uint64_t distance(int64_t a, int64_t b) {
    return a <= b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

/* The position for `target`, n when there is none. *k: how many are at or before it (before it, where an exact one
   does not count). */
static inline uint32_t look(const struct vf__asof_rule *rule, enum vf_mark_method method, const int64_t *time,
                            uint32_t n, uint32_t *k, int64_t target) {
    uint32_t until = count_until(time, n, *k, target);
    *k = until;
    bool at = until > 0 && time[until - 1] == target;         /* times are distinct */
    uint32_t before = at && !rule->exact ? until - 1 : until; /* observations that look back may take */
    uint32_t after = at && rule->exact ? until - 1 : until;   /* the first that look ahead may take */
    if (method == VF_MARK_BACKWARD) return before > 0 ? before - 1 : n;
    if (method == VF_MARK_FORWARD) return after;
    if (before == 0) return after;
    if (after < n && distance(time[after], target) < distance(time[before - 1], target)) return after;
    return before - 1;
}

/* The same where t + h leaves int64: it is past every observation then, or (h < 0) before every one. */
static uint32_t look_beyond(const struct vf__asof_rule *rule, const int64_t *time, uint32_t n, int64_t own,
                            int64_t horizon) {
    bool past = horizon > 0;
    if (past && (!rule->past_last || rule->end != INT64_MAX)) return n;
    if (rule->method == (past ? VF_MARK_FORWARD : VF_MARK_BACKWARD)) return n;
    uint32_t found = past ? n - 1 : 0;
    if (rule->tolerance < 0) return found;
    uint64_t tolerance = (uint64_t)rule->tolerance, edge = past ? (uint64_t)INT64_MAX : (uint64_t)INT64_MIN;
    uint64_t sum = (uint64_t)own + (uint64_t)horizon;
    uint64_t beyond = past ? sum - edge : edge - sum; /* how far t + h lies past the edge of int64 */
    uint64_t within = distance(time[found], past ? INT64_MAX : INT64_MIN);
    return beyond > tolerance || within > tolerance - beyond ? n : found;
}

static inline void find(const struct vf__asof *asof, const struct vf__asof_rule *rule,
                        enum vf_mark_method method, int64_t horizon, const uint32_t *group,
                        const int64_t *times, const uint8_t *valid, size_t n, uint32_t *hints,
                        uint32_t *out) {
    for (size_t i = 0; i < n; i++) {
        uint32_t g = group[i];
        int64_t target;
        out[i] = VF__NO_ROW;
        if (g >= asof->n_groups || (valid != NULL && !valid[i])) continue; /* VF__NO_KEY is no group either */
        uint32_t kept = asof->kept[g];
        if (kept == 0) continue;
        const int64_t *time = asof->time + asof->base[g];
        if (!vf__add_i64(times[i], horizon, &target)) {
            uint32_t found = look_beyond(rule, time, kept, times[i], horizon);
            if (found < kept) out[i] = asof->row[asof->base[g] + found];
            continue;
        }
        if (target > rule->end) continue;
        if (horizon > 0 && !rule->past_last && target > time[kept - 1]) continue;
        uint32_t k = hints != NULL ? hints[g] : kept / 2;
        uint32_t found = look(rule, method, time, kept, &k, target);
        if (hints != NULL) hints[g] = k;
        if (found == kept) continue;
        if (rule->tolerance >= 0 && distance(time[found], target) > (uint64_t)rule->tolerance) continue;
        out[i] = asof->row[asof->base[g] + found];
    }
}

void vf__asof_find(const struct vf__asof *asof, const struct vf__asof_rule *rule, int64_t horizon,
                   const uint32_t *group, const int64_t *time, const uint8_t *valid, size_t n,
                   uint32_t *hints, uint32_t *out) {
    /* one call a method, so that each loop is compiled for its own */
    switch (rule->method) {
    case VF_MARK_BACKWARD:
        find(asof, rule, VF_MARK_BACKWARD, horizon, group, time, valid, n, hints, out);
        return;
    case VF_MARK_FORWARD:
        find(asof, rule, VF_MARK_FORWARD, horizon, group, time, valid, n, hints, out);
        return;
    case VF_MARK_NEAREST:
        find(asof, rule, VF_MARK_NEAREST, horizon, group, time, valid, n, hints, out);
        return;
    }
}
