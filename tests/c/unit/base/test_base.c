/* src/base and src/store by hand: memory, errors, checked arithmetic, bitmaps, key tables, row lists, threads.
   Not for replay.c, which test_fifo and test_mark exercise, and not for the allocator's failures (tests/c/fault). */
#include "base/base.h"
#include "store/keys.h"
#include "store/rows.h"

#include "check.h"

#include <stdatomic.h>

static uint64_t random_state = 1;
static uint64_t next_random(void) {
    return vf__mix(random_state += UINT64_C(0x9e3779b97f4a7c15));
}

/* ---- an allocator that remembers every block's size, and complains when it is told another ---- */

struct sized_heap {
    long live;
    long lies;
    size_t bytes;
    long fail_after; /* this many more calls get memory; -1: all */
};

static void *sized_allocate(void *state, size_t size) {
    struct sized_heap *heap = state;
    if (heap->fail_after == 0) return NULL;
    if (heap->fail_after > 0) heap->fail_after--;
    size_t *block = malloc(size + 16);
    block[0] = size;
    heap->live++;
    heap->bytes += size;
    return block + 2;
}
static void sized_release(void *state, void *block, size_t size) {
    struct sized_heap *heap = state;
    size_t *head = (size_t *)block - 2;
    heap->lies += head[0] != size;
    heap->bytes -= head[0];
    heap->live--;
    free(head);
}
static void *sized_resize(void *state, void *block, size_t old_size, size_t new_size) {
    struct sized_heap *heap = state;
    size_t *head = (size_t *)block - 2;
    heap->lies += head[0] != old_size;
    void *fresh = sized_allocate(state, new_size);
    if (fresh == NULL) return NULL;
    memcpy(fresh, block, old_size < new_size ? old_size : new_size);
    sized_release(state, block, head[0]);
    return fresh;
}
static struct vf_context sized_context(struct sized_heap *heap) {
    *heap = (struct sized_heap){.fail_after = -1};
    return (struct vf_context){.allocator = {.allocate = sized_allocate,
                                             .resize = sized_resize,
                                             .release = sized_release,
                                             .state = heap},
                               .n_threads = 2};
}

/* ---- memory ---- */

static void test_context(void) {
    struct vf_context ctx = vf__context(NULL);
    CHECK(ctx.allocator.allocate != NULL && ctx.allocator.resize != NULL && ctx.allocator.release != NULL);
    CHECK(ctx.n_threads >= 1 && ctx.n_threads <= 256);
    ctx = vf__context(&(struct vf_context){.n_threads = 3});
    CHECK_I64(ctx.n_threads, 3);
    CHECK(ctx.allocator.allocate != NULL);
    struct sized_heap heap;
    struct vf_context own = sized_context(&heap);
    ctx = vf__context(&own);
    CHECK(ctx.allocator.allocate == sized_allocate && ctx.allocator.state == &heap);
}

static void test_memory(void) {
    struct vf_context ctx = vf__context(NULL);
    CHECK(vf__alloc(&ctx, SIZE_MAX / 2, 3) == NULL);
    CHECK(vf__zalloc(&ctx, SIZE_MAX, 2) == NULL);
    uint8_t *zeros = vf__zalloc(&ctx, 100, 7);
    long sum = 0;
    for (size_t i = 0; i < 700; i++)
        sum += zeros[i];
    CHECK_I64(sum, 0);
    CHECK(vf__resize(&ctx, zeros, 700, SIZE_MAX / 4, 5) == NULL); /* the block stays */
    zeros[699] = 9;
    uint8_t *more = vf__resize(&ctx, zeros, 700, 1400, 1);
    CHECK(more != NULL && more[699] == 9);
    vf__free(&ctx, more, 1400, 1);
    vf__free(&ctx, NULL, 5, 5);
    const size_t size = (size_t)24 << 20; /* three of it are past the huge-page limit, one is not */
    uint8_t *huge = vf__alloc(&ctx, 3, size);
    CHECK(huge != NULL);
    huge[0] = 1, huge[3 * size - 1] = 2;
    huge = vf__resize(&ctx, huge, 3, 5, size);
    CHECK(huge != NULL && huge[0] == 1 && huge[3 * size - 1] == 2);
    huge[5 * size - 1] = 3;
    huge = vf__resize(&ctx, huge, 5, 1, size);
    CHECK(huge != NULL && huge[0] == 1);
    vf__free(&ctx, huge, 1, size);
}

/* The header's promise: resize and release are told the size that was asked for; empty blocks too. */
static void test_sizes_are_told(void) {
    struct sized_heap heap;
    struct vf_context ctx = sized_context(&heap);
    void *empty = vf__alloc(&ctx, 0, 8);
    CHECK(empty != NULL);
    vf__free(&ctx, empty, 0, 8);
    empty = vf__alloc(&ctx, 5, 0);
    empty = vf__resize(&ctx, empty, 0, 0, 8);
    CHECK(empty != NULL);
    empty = vf__resize(&ctx, empty, 0, 3, 8);
    vf__free(&ctx, empty, 3, 8);
    void *fresh = vf__resize(&ctx, NULL, 0, 4, 4);
    vf__free(&ctx, fresh, 4, 4);
    CHECK_I64(heap.lies, 0);
    CHECK_I64(heap.live, 0);
}

/* ---- errors ---- */

static void test_status_text(void) {
#define ONE(name, value, text)                                                                               \
    CHECK_I64(VF_##name, value);                                                                             \
    CHECK(strcmp(vf_status_name(VF_##name), #name) == 0 && strcmp(vf_status_text(VF_##name), text) == 0);
    VF_STATUS_MAP(ONE)
#undef ONE
    CHECK(strcmp(vf_status_name((enum vf_status)99), "UNKNOWN") == 0);
    CHECK(strlen(vf_status_text((enum vf_status)99)) > 0);
    CHECK(strcmp(vf_version(), VF_VERSION) == 0);
}

static const char *message_of(const char *text) {
    static struct vf_error err;
    (void)vf__fail(&err, VF_ERROR_DATA, NULL, -1, "%s", text);
    return err.message;
}

static void test_errors(void) {
    struct vf_error err;
    memset(&err, 0xAA, sizeof err);
    CHECK_I64(vf__fail(&err, VF_ERROR_DATA, "qty", 7, "value %d", 3), VF_ERROR_DATA);
    CHECK(err.code == VF_ERROR_DATA && err.row == 7 && err.count == 1);
    CHECK(strcmp(err.column, "qty") == 0 && strcmp(err.message, "value 3") == 0);
    CHECK_I64(vf__fail(NULL, VF_ERROR_TYPE, "qty", 7, "nobody listens"), VF_ERROR_TYPE);
    CHECK_I64(vf__fail(&err, VF_ERROR_TYPE, NULL, -1, "none"), VF_ERROR_TYPE);
    CHECK(err.column[0] == '\0' && err.row == -1);
    CHECK_I64(vf__fail_memory(&err, 12345), VF_ERROR_MEMORY);
    CHECK(strstr(err.message, "12345") != NULL);

    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    (void)vf__fail(&err, VF_ERROR_DATA, longer, 0, "%s", longer);
    CHECK_I64(strlen(err.message), sizeof err.message - 1);
    CHECK_I64(strlen(err.column), sizeof err.column - 1);
}

/* "UTF-8, no newline", whatever a file's names and values hold. */
static void test_messages_are_clean(void) {
    CHECK(strcmp(message_of("a\nb\tc\x7f"), "a b c ") == 0);
    CHECK(strcmp(message_of("\xe4\xb8\xad\xe5\x9b\xbd \xc3\xa9 \xf0\x9f\x98\x80"),
                 "\xe4\xb8\xad\xe5\x9b\xbd \xc3\xa9 \xf0\x9f\x98\x80") == 0);
    CHECK(strcmp(message_of("\xff\xfe"), "??") == 0);
    CHECK(strcmp(message_of("\xc0\xaf"), "??") == 0);           /* overlong '/' */
    CHECK(strcmp(message_of("\xed\xa0\x80"), "???") == 0);      /* a surrogate */
    CHECK(strcmp(message_of("\xf4\x90\x80\x80"), "????") == 0); /* past U+10FFFF */
    CHECK(strcmp(message_of("x\xe4\xb8"), "x??") == 0);         /* cut short */
    CHECK(strcmp(message_of("\xe0\x80\x80\xef\xbf\xbf"), "???\xef\xbf\xbf") == 0);
    char chinese[3 * 300 + 1];
    for (int i = 0; i < 300; i++)
        memcpy(chinese + 3 * i, "\xe4\xb8\xad", 3);
    chinese[900] = '\0';
    const char *cut = message_of(chinese); /* 511 bytes are 170 characters and a rest */
    CHECK_I64(strlen(cut), 511);
    CHECK(cut[509] == '\xad' && cut[510] == '?');
}

/* ---- arithmetic and bitmaps ---- */

static void test_arithmetic(void) {
    const int64_t edge[] = {INT64_MIN,  INT64_MIN + 1, -3,       -1, 0, 1, 2, 3037000499,
                            3037000500, INT64_MAX - 1, INT64_MAX};
    const size_t n = sizeof edge / sizeof edge[0];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t got = 42, want;
            bool over = __builtin_add_overflow(edge[i], edge[j], &want);
            CHECK(vf__add_i64(edge[i], edge[j], &got) == !over && (over ? got == 42 : got == want));
            got = 42;
            over = __builtin_sub_overflow(edge[i], edge[j], &want);
            CHECK(vf__sub_i64(edge[i], edge[j], &got) == !over && (over ? got == 42 : got == want));
            over = __builtin_mul_overflow(edge[i], edge[j], &want);
            CHECK(vf__mul_i64(edge[i], edge[j], &got) == !over && (over || got == want));
        }
    size_t product;
    CHECK(vf__mul_size(0, SIZE_MAX, &product) && product == 0);
    CHECK(vf__mul_size(SIZE_MAX, 0, &product) && product == 0);
    CHECK(vf__mul_size(SIZE_MAX, 1, &product) && product == SIZE_MAX);
    CHECK(!vf__mul_size(SIZE_MAX / 2 + 1, 2, &product));
}

static void test_bits(void) {
    uint8_t bits[3] = {0};
    for (int64_t i = 0; i < 24; i += 3)
        vf__bit_set(bits, i);
    for (int64_t i = 0; i < 24; i++)
        CHECK(vf__bit(bits, i) == (i % 3 == 0) && vf__valid(bits, i) == (i % 3 == 0));
    vf__bit_clear(bits, 21);
    CHECK(!vf__bit(bits, 21) && vf__bit(bits, 18));
    CHECK(vf__valid(NULL, 1000));
    CHECK(vf__bitmap_bytes(0) == 0 && vf__bitmap_bytes(1) == 1 && vf__bitmap_bytes(8) == 1 &&
          vf__bitmap_bytes(9) == 2);
}

static void test_hash(void) {
    const char text[] = "abcdefghijklmnopqrstuvwxyz";
    for (size_t n = 0; n < sizeof text; n++) {
        char moved[40];
        memcpy(moved + 3, text, n); /* another alignment, the same hash */
        CHECK(vf__hash_bytes(text, n) == vf__hash_bytes(moved + 3, n));
        for (size_t other = 0; other < n; other++)
            CHECK(vf__hash_bytes(text, n) != vf__hash_bytes(text, other));
    }
    CHECK(vf__hash_bytes(NULL, 0) == vf__hash_bytes("", 0));
    CHECK(vf__mix(1) != vf__mix(2) && vf__mix(0) == 0);
}

/* ---- keys ---- */

static void test_keys(void) {
    struct sized_heap heap;
    struct vf_context ctx = sized_context(&heap);
    struct vf__keys keys;
    uint32_t id = 5;
    vf__keys_init(&keys, &ctx, false);
    CHECK_I64(vf__keys_find(&keys, 1), VF__NO_KEY);
    const uint32_t n = 200000; /* well past 64 k: every growth of slots and values */
    for (uint32_t i = 0; i < n; i++) {
        CHECK_OK(vf__keys_add(&keys, vf__mix(i), &id, &check_error));
        CHECK_I64(id, i);
        if (i % 1000 != 0) continue;
        CHECK_OK(vf__keys_add(&keys, vf__mix(i / 2), &id, &check_error));
        CHECK_I64(id, i / 2);
    }
    CHECK_I64(keys.n, n);
    for (uint32_t i = 0; i < n; i++)
        CHECK_I64(vf__keys_find(&keys, vf__mix(i)), i);
    for (uint32_t i = n; i < n + 1000; i++)
        CHECK_I64(vf__keys_find(&keys, vf__mix(i)), VF__NO_KEY);
    vf__keys_release(&keys);
    CHECK_I64(heap.live, 0);
    CHECK_I64(heap.lies, 0);
    CHECK_I64(vf__keys_find(&keys, vf__mix(1)), VF__NO_KEY); /* released: empty, and fit to be used again */
    CHECK_OK(vf__keys_add(&keys, UINT64_MAX, &id, &check_error));
    CHECK_OK(vf__keys_add(&keys, 0, &id, &check_error));
    CHECK_I64(id, 1);
    CHECK_I64(vf__keys_find(&keys, UINT64_MAX), 0);
    vf__keys_release(&keys);
    vf__keys_release(&keys);
    CHECK_I64(heap.live, 0);
}

static size_t spell(uint32_t i, char *out) {
    return i == 0
               ? 0
               : (size_t)snprintf(out, 64, "%.*s%u", (int)(i % 30), "a long prefix that is shared by all", i);
}

static void test_byte_keys(void) {
    struct sized_heap heap;
    struct vf_context ctx = sized_context(&heap);
    struct vf__keys keys;
    char text[64];
    uint32_t id;
    size_t length;
    vf__keys_init(&keys, &ctx, true);
    CHECK_I64(vf__keys_find_bytes(&keys, "x", 1), VF__NO_KEY);
    const uint32_t n = 70000;
    for (uint32_t i = 0; i < n; i++) {
        CHECK_OK(vf__keys_add_bytes(&keys, text, spell(i, text), &id, &check_error));
        CHECK_I64(id, i);
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t want = spell(i, text);
        CHECK_I64(vf__keys_find_bytes(&keys, text, want), i);
        const uint8_t *have = vf__keys_text(&keys, i, &length);
        CHECK(length == want && memcmp(have, text, want) == 0);
    }
    /* bytes, not C strings: zeros count, and a prefix is another key */
    CHECK_OK(vf__keys_add_bytes(&keys, "a\0b", 3, &id, &check_error));
    CHECK_I64(id, n);
    CHECK_OK(vf__keys_add_bytes(&keys, "a\0c", 3, &id, &check_error));
    CHECK_I64(id, n + 1);
    CHECK_OK(vf__keys_add_bytes(&keys, "a", 1, &id, &check_error));
    CHECK_I64(id, n + 2);
    CHECK_OK(vf__keys_add_bytes(&keys, NULL, 0, &id, &check_error)); /* the empty text was key 0 */
    CHECK_I64(id, 0);
    vf__keys_release(&keys);
    CHECK_I64(heap.live, 0);
    CHECK_I64(heap.lies, 0);

    char *large = calloc(1, 100000);
    vf__keys_init(&keys, &ctx, true);
    CHECK_OK(vf__keys_add_bytes(&keys, "", 0, &id, &check_error));
    (void)vf__keys_text(&keys, id, &length);
    CHECK_I64(length, 0);
    CHECK_OK(vf__keys_add_bytes(&keys, large, 100000, &id, &check_error));
    CHECK_I64(vf__keys_find_bytes(&keys, large, 100000), 1);
    CHECK_I64(vf__keys_find_bytes(&keys, large, 99999), VF__NO_KEY);
    vf__keys_release(&keys);
    free(large);
}

/* No memory at any moment: the table says so, keeps what it had, and goes on when there is memory again. */
static void keys_without_memory(bool bytes) {
    for (long allowed = 0; allowed < 12; allowed++) {
        struct sized_heap heap;
        struct vf_context ctx = sized_context(&heap);
        struct vf__keys keys;
        char text[64];
        uint32_t id, added = 0;
        enum vf_status status = VF_OK;
        vf__keys_init(&keys, &ctx, bytes);
        heap.fail_after = allowed;
        while (status == VF_OK && added < 5000) {
            status = bytes ? vf__keys_add_bytes(&keys, text, spell(added, text), &id, &check_error)
                           : vf__keys_add(&keys, added, &id, &check_error);
            added += status == VF_OK;
        }
        if (status == VF_OK) {
            heap.fail_after = -1;
            vf__keys_release(&keys);
            continue;
        }
        CHECK_I64(status, VF_ERROR_MEMORY);
        CHECK_I64(keys.n, added);
        for (uint32_t again = 0; again < 2; again++) { /* still refused, still whole */
            status = bytes ? vf__keys_add_bytes(&keys, text, spell(added, text), &id, &check_error)
                           : vf__keys_add(&keys, added, &id, &check_error);
            CHECK_I64(status, VF_ERROR_MEMORY);
            for (uint32_t i = 0; i < added; i++)
                CHECK_I64(bytes ? vf__keys_find_bytes(&keys, text, spell(i, text)) : vf__keys_find(&keys, i),
                          i);
        }
        heap.fail_after = -1;
        for (uint32_t i = 0; i < 6000; i++) {
            CHECK_OK(bytes ? vf__keys_add_bytes(&keys, text, spell(i, text), &id, &check_error)
                           : vf__keys_add(&keys, i, &id, &check_error));
            CHECK_I64(id, i);
        }
        vf__keys_release(&keys);
        CHECK_I64(heap.live, 0);
        CHECK_I64(heap.lies, 0);
    }
}

/* ---- rows ---- */

struct keyed {
    int64_t key;
    uint32_t row, place;
};
static int by_key_then_place(const void *a, const void *b) {
    const struct keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void check_sort(const int64_t *key, size_t n, bool shuffled) {
    uint32_t *rows = malloc((n + 1) * sizeof *rows), *scratch = malloc((n + 1) * sizeof *scratch);
    struct keyed *want = malloc((n + 1) * sizeof *want);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    for (size_t i = n; shuffled && i > 1; i--) {
        size_t j = (size_t)(next_random() % i);
        uint32_t swap = rows[i - 1];
        rows[i - 1] = rows[j];
        rows[j] = swap;
    }
    rows[n] = scratch[n] = 0xabcdef; /* sentinels: nothing is written past the end */
    for (size_t i = 0; i < n; i++)
        want[i] = (struct keyed){.key = key[rows[i]], .row = rows[i], .place = (uint32_t)i};
    qsort(want, n, sizeof *want, by_key_then_place);
    vf__rows_sort(key, rows, scratch, n);
    for (size_t i = 0; i < n; i++)
        CHECK_I64(rows[i], want[i].row);
    CHECK(rows[n] == 0xabcdef && scratch[n] == 0xabcdef);
    free(rows);
    free(scratch);
    free(want);
}

static void test_sort(void) {
    enum { N = 5000 };
    static int64_t key[N];
    for (size_t n = 0; n < 130; n++) { /* around the insertion sort's end and the odd halves */
        for (size_t i = 0; i < n; i++)
            key[i] = (int64_t)(next_random() % 7) - 3;
        check_sort(key, n, false);
        check_sort(key, n, true);
    }
    for (int shape = 0; shape < 6; shape++) {
        for (size_t i = 0; i < N; i++)
            key[i] = shape == 0   ? (int64_t)i
                     : shape == 1 ? (int64_t)(N - i)
                     : shape == 2 ? 4
                     : shape == 3 ? (int64_t)next_random()
                     : shape == 4 ? (int64_t)i + (int64_t)(next_random() % 20)
                                  : (i % 2 ? INT64_MAX : INT64_MIN);
        check_sort(key, N, false);
        check_sort(key, N, true);
    }
}

/* ---- threads ---- */

struct tally {
    atomic_uint runs[1000];
    atomic_int now, most;
};

static void count_task(void *arg, size_t index) {
    struct tally *tally = arg;
    int now = atomic_fetch_add(&tally->now, 1) + 1, most = atomic_load(&tally->most);
    while (now > most && !atomic_compare_exchange_weak(&tally->most, &most, now)) {
    }
    atomic_fetch_add(&tally->runs[index], 1);
    atomic_fetch_sub(&tally->now, 1);
}

static void test_threads(void) {
    const uint32_t threads[] = {0, 1, 2, 5, 1000};
    const size_t tasks[] = {0, 1, 2, 999, 1000};
    for (size_t t = 0; t < 5; t++)
        for (size_t k = 0; k < 5; k++) {
            struct tally *tally = calloc(1, sizeof *tally);
            struct vf_context ctx = {.n_threads = threads[t]};
            vf__parallel(&ctx, tasks[k], count_task, tally);
            size_t once = 0;
            for (size_t i = 0; i < 1000; i++)
                once += atomic_load(&tally->runs[i]) == 1;
            CHECK_I64(once, tasks[k]);
            CHECK(atomic_load(&tally->most) <= (threads[t] != 0 ? (int)threads[t] : 1));
            free(tally);
        }
}

int main(void) {
    test_context();
    test_memory();
    test_sizes_are_told();
    test_status_text();
    test_errors();
    test_messages_are_clean();
    test_arithmetic();
    test_bits();
    test_hash();
    test_keys();
    test_byte_keys();
    keys_without_memory(false);
    keys_without_memory(true);
    test_sort();
    test_threads();
    return check_report("base");
}
