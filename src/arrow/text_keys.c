/* Short views by a cache of their bytes, dictionaries by a map of their indexes, the rest by hash; see text_keys.h.
   Not a place for text itself: that lies in the key table. */
#include "arrow/text_keys.h"

#define BLOCK VF__SIZED(512, 8, 8192)
#define MAP_NULL 1u

void vf__text_keys_init(struct vf__text_keys *text, const struct vf_context *ctx) {
    vf__keys_init(&text->keys, ctx, true);
    text->dictionary = NULL;
    text->map = NULL;
    text->map_capacity = 0;
    for (size_t i = 0; i < VF__TEXT_CACHE; i++)
        text->cache[i].word[0] = UINT64_MAX; /* no view: its length would be negative */
}

void vf__text_keys_release(struct vf__text_keys *text) {
    vf__free(&text->keys.ctx, text->map, text->map_capacity, sizeof *text->map);
    vf__keys_release(&text->keys);
    text->map = NULL;
    text->map_capacity = 0;
}

void vf__text_keys_forget(struct vf__text_keys *text) {
    text->dictionary = NULL;
}

static enum vf_status add_row(struct vf__text_keys *text, struct vf__reader *reader, int64_t row,
                              uint32_t *id, struct vf_error *err) {
    struct vf__text t;
    uint8_t buffer;
    const uint8_t *valid;
    *id = VF__NO_KEY;
    enum vf_status status = vf__read_text(reader, row, 1, &t, &buffer, &valid, err);
    if (status != VF_OK || (valid != NULL && *valid == 0)) return status;
    return vf__keys_add_bytes(&text->keys, t.data, t.length, id, err);
}

/* ---- views ------------------------------------------------------------------------------------------------------- */

static enum vf_status read_views(struct vf__text_keys *text, struct vf__reader *reader, int64_t row,
                                 int64_t n, int64_t *values, const uint8_t *valid, struct vf_error *err) {
    struct vf__piece p;
    for (int64_t done = 0; done < n; done += p.n) {
        p = vf__reader_chunk(reader, row + done, n - done);
        const uint8_t *views =
            (const uint8_t *)p.array->buffers[1] + (size_t)(p.array->offset + p.start) * 16;
        for (int64_t i = 0; i < p.n; i++) {
            uint64_t word[2];
            int32_t length;
            memcpy(word, views + (size_t)i * 16, sizeof word);
            memcpy(&length, views + (size_t)i * 16, sizeof length);
            values[done + i] = 0;
            uint64_t hash = (word[0] ^ word[1] * UINT64_C(0xbf58476d1ce4e5b9)) * UINT64_C(0x9e3779b97f4a7c15);
            struct vf__text_entry *entry = &text->cache[hash >> 58];
            if (VF__LIKELY(length >= 0 && length <= 12 && entry->word[0] == word[0] &&
                           entry->word[1] == word[1])) {
                values[done + i] = entry->id;
                continue;
            }
            if (valid != NULL && valid[done + i] == 0) continue;
            uint32_t id;
            enum vf_status status = add_row(text, reader, row + done + i, &id, err);
            if (status != VF_OK) return status;
            values[done + i] = id;
            if (length <= 12) *entry = (struct vf__text_entry){.word = {word[0], word[1]}, .id = id};
        }
    }
    return VF_OK;
}

/* ---- dictionaries -------------------------------------------------------------------------------------------------- */

static enum vf_status use_dictionary(struct vf__text_keys *text, const struct ArrowArray *dictionary,
                                     struct vf_error *err) {
    size_t n = (size_t)dictionary->length;
    if (text->dictionary == dictionary) return VF_OK;
    if (n > text->map_capacity) {
        uint32_t *map = vf__resize(&text->keys.ctx, text->map, text->map_capacity, n, sizeof *map);
        if (map == NULL) return vf__fail_memory(err, n * sizeof *map);
        text->map = map;
        text->map_capacity = n;
    }
    if (n > 0) memset(text->map, 0, n * sizeof *text->map);
    text->dictionary = dictionary;
    return VF_OK;
}

/* n rows of one chunk: row i of the block stands for dictionary entry index[i]. */
static enum vf_status map_indexes(struct vf__text_keys *text, struct vf__reader *reader, int64_t row,
                                  int64_t n, const int64_t *index, int64_t *values, uint8_t *valid,
                                  bool *any_null, struct vf_error *err) {
    int64_t length = text->dictionary->length;
    for (int64_t i = 0; i < n; i++) {
        values[i] = 0;
        if (valid[i] == 0) continue;
        bool inside = index[i] >= 0 && index[i] < length;
        uint32_t code = inside ? text->map[index[i]] : 0;
        if (VF__UNLIKELY(code == 0)) { /* not met before; an index outside is refused by the general reader */
            uint32_t id;
            enum vf_status status = add_row(text, reader, row + i, &id, err);
            if (status != VF_OK) return status;
            code = id == VF__NO_KEY ? MAP_NULL : id + 2;
            text->map[index[i]] = code;
        }
        if (code == MAP_NULL)
            valid[i] = 0, *any_null = true;
        else
            values[i] = (int64_t)code - 2;
    }
    return VF_OK;
}

static enum vf_status read_dictionary(struct vf__text_keys *text, struct vf__reader *reader, int64_t row,
                                      int64_t n, int64_t *values, uint8_t *valid, const uint8_t **valid_out,
                                      struct vf_error *err) {
    struct vf__reader indexes = *reader; /* the same chunks, read as the integers that they are */
    indexes.type = (struct vf__type){.kind = reader->type.index_signed ? VF__INT : VF__UINT,
                                     .width = reader->type.index_width,
                                     .format = ""};
    bool any_null = false;
    int64_t room, buffer[BLOCK];
    for (int64_t done = 0; done < n; done += room) {
        struct vf__piece p = vf__reader_chunk(reader, row + done, n - done < BLOCK ? n - done : BLOCK);
        room = p.n;
        const int64_t *index;
        const uint8_t *ok;
        enum vf_status status = use_dictionary(text, p.array->dictionary, err);
        if (status == VF_OK)
            status = vf__read_i64(&indexes, row + done, room, buffer, valid + done, &index, &ok, err);
        if (status != VF_OK) return status;
        if (ok == NULL) memset(valid + done, 1, (size_t)room);
        any_null |= ok != NULL;
        status =
            map_indexes(text, reader, row + done, room, index, values + done, valid + done, &any_null, err);
        if (status != VF_OK) return status;
    }
    *valid_out = any_null ? valid : NULL;
    return VF_OK;
}

/* ---- all -------------------------------------------------------------------------------------------------------------- */

static enum vf_status read_any(struct vf__text_keys *text, struct vf__reader *reader, int64_t row, int64_t n,
                               int64_t *values, uint8_t *valid, const uint8_t **valid_out,
                               struct vf_error *err) {
    uint32_t ids[BLOCK];
    bool any_null = false;
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t k = n - done < BLOCK ? n - done : BLOCK;
        enum vf_status status = vf__read_keys(reader, row + done, k, &text->keys, ids, err);
        if (status != VF_OK) return status;
        for (int64_t i = 0; i < k; i++) {
            bool null = ids[i] == VF__NO_KEY;
            valid[done + i] = !null;
            values[done + i] = null ? 0 : ids[i];
            any_null |= null;
        }
    }
    *valid_out = any_null ? valid : NULL;
    return VF_OK;
}

enum vf_status vf__text_keys_read(struct vf__text_keys *text, struct vf__reader *reader, int64_t row,
                                  int64_t n, int64_t *values, uint8_t *valid_buffer, const uint8_t **valid,
                                  struct vf_error *err) {
    if (reader->type.dictionary)
        return read_dictionary(text, reader, row, n, values, valid_buffer, valid, err);
    if (reader->type.layout != VF__VIEWS)
        return read_any(text, reader, row, n, values, valid_buffer, valid, err);
    enum vf_status status = vf__read_valid(reader, row, n, valid_buffer, valid, err);
    return status == VF_OK ? read_views(text, reader, row, n, values, *valid, err) : status;
}
