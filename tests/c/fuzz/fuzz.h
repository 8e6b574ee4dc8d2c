/* What fuzz targets share: bytes taken one after another, memory of exactly the size that was asked for, and a
   requirement that ends the program. Not for columns (columns.h), and not for running: libFuzzer or replay.c has main. */
#ifndef VF_TESTS_FUZZ_H
#define VF_TESTS_FUZZ_H

#include "vizflow/vizflow.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert, also in release builds. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: required: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---- bytes: past the end come zeros, so that every input is a whole one ---- */

struct bytes {
    const uint8_t *at, *end;
};

static inline uint8_t take_byte(struct bytes *b) {
    return b->at < b->end ? *b->at++ : 0;
}

/* Little-endian, `n` bytes of it. */
static inline uint64_t take_word(struct bytes *b, int n) {
    uint64_t word = 0;
    for (int i = 0; i < n; i++)
        word |= (uint64_t)take_byte(b) << (8 * i);
    return word;
}

/* least <= result <= most, of one byte where that is enough. */
static inline int64_t take_between(struct bytes *b, int64_t least, int64_t most) {
    uint64_t span = (uint64_t)most - (uint64_t)least;
    uint64_t word = take_word(b, span < 256 ? 1 : span < 65536 ? 2 : 8);
    return (int64_t)((uint64_t)least + (span == UINT64_MAX ? word : word % (span + 1)));
}

/* True for one byte in `n`, and not for 0: what is rare should not come of zeros. */
static inline bool take_chance(struct bytes *b, unsigned n) {
    return take_byte(b) % n == n - 1;
}

/* ---- memory: each block by itself, so that the byte behind it is known to be no one's ---- */

enum { BLOCKS_MAX = 4096 };

struct blocks {
    void *block[BLOCKS_MAX];
    size_t n;
};

/* Zeroed. Never NULL, also for 0 bytes. */
static inline void *block_new(struct blocks *blocks, size_t size) {
    REQUIRE(blocks->n < BLOCKS_MAX);
    void *block = malloc(size);
    REQUIRE(block != NULL);
    memset(block, 0, size);
    return blocks->block[blocks->n++] = block;
}

static inline void blocks_free(struct blocks *blocks) {
    while (blocks->n > 0)
        free(blocks->block[--blocks->n]);
}

/* ---- what every call promises ---- */

/* Ended by NUL, and UTF-8 without control characters. */
static inline void check_text(const char *text, size_t room) {
    REQUIRE(memchr(text, '\0', room) != NULL);
    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        int more = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : (*s & 0xf0) == 0xe0 ? 2 : *s >= 0xf0 && *s < 0xf5 ? 3 : -1;
        REQUIRE(more >= 0 && *s >= 0x20 && *s != 0x7f);
        for (s++; more > 0; more--, s++)
            REQUIRE((*s & 0xc0) == 0x80);
    }
}

/* A status that is one, and on failure an error that says the same and names something. */
static inline void check_error(enum vf_status status, const struct vf_error *err) {
    REQUIRE(status >= VF_OK && status <= VF_ERROR_RANGE);
    if (status == VF_OK) return;
    REQUIRE(err->code == status && err->message[0] != '\0');
    check_text(err->message, sizeof err->message);
    check_text(err->column, sizeof err->column);
}

#endif
