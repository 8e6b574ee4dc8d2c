/* The bottom layer, shared by every other: memory, errors, checked arithmetic, bitmaps, threads.
   Not for anything that knows what a column, a trade or a session is. */
#ifndef VF_BASE_H
#define VF_BASE_H

#include "vizflow/vizflow.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define VF__PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define VF__LIKELY(x) __builtin_expect(!!(x), 1)
#define VF__UNLIKELY(x) __builtin_expect(!!(x), 0)
/* The empty asm: gcc takes a function that only prefetches for one that does nothing, and drops its calls. */
#define VF__PREFETCH(p) \
    do { \
        __builtin_prefetch(p); \
        __asm__ volatile(""); \
    } while (0)
#else
#define VF__PRINTF(fmt, args)
#define VF__LIKELY(x) (x)
#define VF__UNLIKELY(x) (x)
#define VF__PREFETCH(p) ((void)(p))
#endif

/* Of a static function that is compiled for each constant it is called with. */
#if defined(__OPTIMIZE__) && (defined(__GNUC__) || defined(__clang__))
#define VF__INLINE inline __attribute__((always_inline))
#else
#define VF__INLINE inline
#endif

/* ---- sizes that decide no result ---- */

/* How much is done at a time: rows of a block, a table's first capacity, rows worth a thread. `make test-sizes` builds
   the library with the tiny ones, and with the huge ones: the same tests pass, with the same bits. */
#if defined(VF__SIZES_TINY)
#define VF__SIZED(normal, tiny, huge) (tiny)
#elif defined(VF__SIZES_HUGE)
#define VF__SIZED(normal, tiny, huge) (huge)
#else
#define VF__SIZED(normal, tiny, huge) (normal)
#endif

/* ---- errors ---- */

/* Fills *err (which may be NULL) and returns code, so that `return vf__fail(...)` reads as one step.
   row < 0: no row to name; column may be NULL. */
enum vf_status vf__fail(struct vf_error *err, enum vf_status code, const char *column, int64_t row,
                        const char *format, ...) VF__PRINTF(5, 6);
/* Counts the error's row, if it has one, from `first_row` on, and names it at the end of the message. */
void vf__fail_from(struct vf_error *err, int64_t first_row);
enum vf_status vf__fail_memory(struct vf_error *err, size_t bytes);

/* Names and values in a message come from files: control characters become spaces, bytes that are no UTF-8 (or
   were cut by the buffer's end) question marks. */
void vf__tidy(char *text);

/* A number for a message: as few digits, 15 or more, as read back as it; 2.3 and not 2.2999999999999998. */
struct vf__number {
    char text[32];
};
struct vf__number vf__number(double x);

/* ---- memory ---- */

/* The context every function works in; a NULL one means malloc and one thread a core. */
struct vf_context vf__context(const struct vf_context *ctx);

/* What a context without an allocator is given. */
struct vf_allocator vf__default_allocator(void);

/* Arrays of `count` elements of `size` bytes. NULL on overflow or when the allocator says no.
   A zero count still gives a pointer that may be released. Large blocks from the default allocator are
   advised to use huge pages: page faults were a third of the time of the row-expanding step before. */
void *vf__alloc(const struct vf_context *ctx, size_t count, size_t size);
void *vf__zalloc(const struct vf_context *ctx, size_t count, size_t size);
void *vf__resize(const struct vf_context *ctx, void *block, size_t old_count, size_t new_count, size_t size);
void vf__free(const struct vf_context *ctx, void *block, size_t count, size_t size); /* NULL is fine */
/* Asks for the pages of fresh memory in one go, which costs a third less than a fault a page. Only of memory that the
   calling thread is about to write from end to end; where the system cannot, nothing happens. */
void vf__touch(void *block, size_t bytes);
/* A copy of a text, NULL without memory; and its end, NULL being fine. */
char *vf__text_copy(const struct vf_context *ctx, const char *text);
void vf__text_free(const struct vf_context *ctx, char *text);

/* ---- checked arithmetic ---- */

static inline bool vf__mul_size(size_t a, size_t b, size_t *out) {
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

static inline bool vf__add_i64(int64_t a, int64_t b, int64_t *out) {
    if ((b > 0 && a > INT64_MAX - b) || (b < 0 && a < INT64_MIN - b)) return false;
    *out = a + b;
    return true;
}

static inline bool vf__sub_i64(int64_t a, int64_t b, int64_t *out) {
    if ((b < 0 && a > INT64_MAX + b) || (b > 0 && a < INT64_MIN + b)) return false;
    *out = a - b;
    return true;
}

static inline bool vf__mul_i64(int64_t a, int64_t b, int64_t *out) {
#if defined(__GNUC__) || defined(__clang__)
    return !__builtin_mul_overflow(a, b, out);
#else
    if (a != 0 && b != 0) {
        if ((a == -1 && b == INT64_MIN) || (b == -1 && a == INT64_MIN)) return false;
        int64_t p = (int64_t)((uint64_t)a * (uint64_t)b);
        if (p / b != a) return false;
    }
    *out = (int64_t)((uint64_t)a * (uint64_t)b);
    return true;
#endif
}

/* ---- doubles ---- */

/* Those that are not negative are in order of their bits, NaN last; and to compare bits is no branch. */
static inline uint64_t vf__as_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ---- bitmaps (Arrow's: least significant bit first) ---- */

static inline bool vf__bit(const uint8_t *bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}
static inline bool vf__valid(const uint8_t *bits, int64_t i) {
    return bits == NULL || vf__bit(bits, i);
}
static inline void vf__bit_set(uint8_t *bits, int64_t i) {
    bits[i >> 3] |= (uint8_t)(1u << (i & 7));
}
static inline void vf__bit_clear(uint8_t *bits, int64_t i) {
    bits[i >> 3] &= (uint8_t) ~(1u << (i & 7));
}
/* Eight flags, 0 or 1 each, as a byte of a bitmap. */
static inline uint8_t vf__bits_of_flags(const uint8_t *flags) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* byte k of the word is carried to bit 56 + k: k * 8 + (56 - k * 7) */
    uint64_t word;
    memcpy(&word, flags, 8);
    return (uint8_t)((word * UINT64_C(0x0102040810204080)) >> 56);
#else
    unsigned byte = 0;
    for (unsigned k = 0; k < 8; k++)
        byte |= (unsigned)flags[k] << k;
    return (uint8_t)byte;
#endif
}
static inline size_t vf__bitmap_bytes(int64_t n) {
    return ((size_t)n + 7) / 8;
}

/* ---- hashing ---- */

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit. */
static inline uint64_t vf__mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t vf__hash_bytes(const void *data, size_t length);

/* ---- threads ---- */

/* Runs task(arg, 0 .. n_tasks-1), at most ctx->n_threads at a time, tasks handed out in order; returns when
   all have ended. Tasks report failure through arg. Falls back to the calling thread when no thread can be
   started, so it cannot fail, and a result must never depend on which thread ran what. */
void vf__parallel(const struct vf_context *ctx, size_t n_tasks, void (*task)(void *arg, size_t index),
                  void *arg);

#endif
