/* See repeat.h. Most counts are 1 or 2, so four copies are written whatever the count, and the next row writes over
   what was too much: no branch to mispredict but for long rows. Not for deciding the counts. */
#include "arrow/repeat.h"

struct wide {
    uint64_t low, high;
};

static inline int64_t at_most(int64_t a, int64_t b) {
    return a < b ? a : b;
}

#define REPEAT(name, type)                                                                                   \
    static void fill_##name(uint8_t *out, type value, int64_t n) {                                           \
        for (int64_t k = 0; k < n; k++)                                                                      \
            memcpy(out + (size_t)k * sizeof value, &value, sizeof value);                                    \
    }                                                                                                        \
    static int64_t repeat_##name(const uint8_t *values, const uint32_t *counts, int64_t n, uint32_t skip,    \
                                 uint8_t *out, int64_t room) {                                               \
        int64_t done = 0;                                                                                    \
        for (int64_t i = 0; i < n && done < room; i++) {                                                     \
            type value;                                                                                      \
            memcpy(&value, values + (size_t)i * sizeof value, sizeof value);                                 \
            int64_t count = (int64_t)counts[i] - skip;                                                       \
            uint8_t *to = out + (size_t)done * sizeof value;                                                 \
            skip = 0;                                                                                        \
            if (VF__LIKELY(done + 4 <= room)) {                                                              \
                memcpy(to, &value, sizeof value);                                                            \
                memcpy(to + sizeof value, &value, sizeof value);                                             \
                memcpy(to + 2 * sizeof value, &value, sizeof value);                                         \
                memcpy(to + 3 * sizeof value, &value, sizeof value);                                         \
                if (VF__LIKELY(count <= 4)) {                                                                \
                    done += count;                                                                           \
                    continue;                                                                                \
                }                                                                                            \
            }                                                                                                \
            count = at_most(count, room - done);                                                             \
            fill_##name(to, value, count);                                                                   \
            done += count;                                                                                   \
        }                                                                                                    \
        return done;                                                                                         \
    }

REPEAT(1, uint8_t)
REPEAT(2, uint16_t)
REPEAT(4, uint32_t)
REPEAT(8, uint64_t)
REPEAT(16, struct wide)

static int64_t repeat_any(uint32_t width, const uint8_t *values, const uint32_t *counts, int64_t n,
                          uint32_t skip, uint8_t *out, int64_t room) {
    int64_t done = 0;
    for (int64_t i = 0; i < n && done < room; i++) {
        int64_t count = at_most((int64_t)counts[i] - skip, room - done);
        skip = 0;
        for (int64_t k = 0; k < count; k++)
            memcpy(out + (size_t)(done + k) * width, values + (size_t)i * width, width);
        done += count;
    }
    return done;
}

int64_t vf__repeat_fixed(uint32_t width, const uint8_t *values, const uint32_t *counts, int64_t n,
                         uint32_t skip, uint8_t *out, int64_t room) {
    switch (width) {
    case 1:
        return repeat_1(values, counts, n, skip, out, room);
    case 2:
        return repeat_2(values, counts, n, skip, out, room);
    case 4:
        return repeat_4(values, counts, n, skip, out, room);
    case 8:
        return repeat_8(values, counts, n, skip, out, room);
    case 16:
        return repeat_16(values, counts, n, skip, out, room);
    default:
        return repeat_any(width, values, counts, n, skip, out, room);
    }
}

int64_t vf__repeat_views(const uint8_t *views, const uint8_t *valid, int64_t first, uint32_t n_buffers, uint32_t shift,
                         const uint32_t *counts, int64_t n, uint32_t skip, uint8_t *out, int64_t room) {
    int64_t done = 0;
    for (int64_t i = 0; i < n && done < room; i++) {
        int64_t count = at_most((int64_t)counts[i] - skip, room - done);
        struct wide view = {0, 0};
        int32_t length = 0;
        uint32_t buffer;
        skip = 0;
        if (vf__valid(valid, first + i)) memcpy(&view, views + 16 * i, 16);
        memcpy(&length, &view, 4);
        if (length > 12) {
            memcpy(&buffer, &view.high, 4);
            if (buffer >= n_buffers) return -1;
            buffer += shift;
            memcpy(&view.high, &buffer, 4);
        }
        fill_16(out + 16 * done, view, count);
        done += count;
    }
    return done;
}

static uint64_t key_at(uint32_t width, const uint8_t *values, int64_t i) {
    uint8_t k1;
    uint16_t k2;
    uint32_t k4;
    uint64_t k8;
    switch (width) {
    case 1:
        return memcpy(&k1, values + i, 1), k1;
    case 2:
        return memcpy(&k2, values + 2 * i, 2), k2;
    case 4:
        return memcpy(&k4, values + 4 * i, 4), k4;
    default:
        return memcpy(&k8, values + 8 * i, 8), k8;
    }
}

static void fill_keys(uint32_t width, uint8_t *out, uint32_t key, int64_t n) {
    switch (width) {
    case 1:
        fill_1(out, (uint8_t)key, n);
        break;
    case 2:
        fill_2(out, (uint16_t)key, n);
        break;
    case 4:
        fill_4(out, key, n);
        break;
    default:
        fill_8(out, key, n);
        break;
    }
}

int64_t vf__repeat_keys(uint32_t width, const uint8_t *values, const uint8_t *valid, int64_t first,
                        const uint32_t *keys, size_t n_keys, const uint32_t *counts, int64_t n, uint32_t skip,
                        uint8_t *out, int64_t room) {
    int64_t done = 0;
    for (int64_t i = 0; i < n && done < room; i++) {
        int64_t count = at_most((int64_t)counts[i] - skip, room - done);
        bool is_null = !vf__valid(valid, first + i);
        uint64_t key = is_null ? 0 : key_at(width, values, i);
        skip = 0;
        if (!is_null && key >= n_keys) return -1;
        fill_keys(width, out + (size_t)done * width, is_null ? 0 : keys[key], count);
        done += count;
    }
    return done;
}

static inline uint64_t low_bits(int64_t n) {
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Bit order is Arrow's whatever the host's byte order. */
static void put_word(struct vf__bit_writer *w) {
    for (unsigned k = 0; k < 8; k++)
        w->out[k] = (uint8_t)(w->word >> (8 * k));
    w->out += 8;
    w->word = 0;
    w->used = 0;
}

int64_t vf__repeat_bits(const uint8_t *bits, int64_t first, const uint32_t *counts, int64_t n, uint32_t skip,
                        struct vf__bit_writer *writer, int64_t room) {
    struct vf__bit_writer w = *writer;
    int64_t done = 0;
    for (int64_t i = 0; i < n && done < room; i++) {
        int64_t count = at_most((int64_t)counts[i] - skip, room - done);
        uint64_t ones = -(uint64_t)vf__valid(bits, first + i);
        skip = 0;
        done += count;
        while (count > 0) {
            int64_t take = at_most(count, 64 - (int64_t)w.used);
            w.word |= (ones & low_bits(take)) << w.used;
            w.used += (unsigned)take;
            count -= take;
            if (w.used == 64) put_word(&w);
        }
    }
    *writer = w;
    return done;
}

void vf__bits_flush(struct vf__bit_writer *writer) {
    for (; writer->used > 0; writer->used = writer->used > 8 ? writer->used - 8 : 0) {
        *writer->out++ = (uint8_t)writer->word;
        writer->word >>= 8;
    }
}
