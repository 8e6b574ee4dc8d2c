/* Finds the pieces of rows among their symbols' records, and makes columns of them; see pieces.h. Not for the batch
   that the rows are in. */
#include "match/pieces.h"

#include <math.h>

#define NONE VF__MATCH_NONE

/* ---- the lists -------------------------------------------------------------------------------------------------- */

static enum vf_status make_room(const struct vf_context *ctx, struct vf__piece_list *list, size_t n,
                                struct vf_error *err) {
    if (list->room - list->n >= n) return VF_OK;
    size_t room = list->n + n + list->room / 2;
    if (list->n + n > VF__PIECE_MASK)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1,
                        "too many pieces in one batch (%zu); ask for fewer rows at a time", list->n + n);
    struct vf__record *record = vf__alloc(ctx, room, sizeof *record);
    if (record == NULL) return vf__fail_memory(err, room * sizeof *record);
    if (list->n > 0) memcpy(record, list->record, list->n * sizeof *record);
    vf__free(ctx, list->record, list->room, sizeof *list->record);
    list->record = record;
    list->room = room;
    return VF_OK;
}

void vf__piece_lists_release(struct vf__piece_lists *lists) {
    for (size_t i = 0; i < VF__PIECE_LISTS; i++) {
        struct vf__piece_list *list = &lists->list[i];
        vf__free(&lists->ctx, list->record, list->room, sizeof *list->record);
        *list = (struct vf__piece_list){0};
    }
}

enum vf_status vf__piece_lists_start(struct vf__piece_lists *lists, struct vf_error *err) {
    for (size_t i = 0; i < VF__PIECE_LISTS; i++)
        lists->list[i].n = 0;
    struct vf__piece_list *first = &lists->list[0];
    enum vf_status status = make_room(&lists->ctx, first, 1, err);
    if (status == VF_OK) first->record[first->n++] = (struct vf__record){.opener = NONE, .closer = NONE};
    return status;
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

static inline void append(struct vf__piece_list *list, struct vf__record record) {
    list->record[list->n++] = record;
}

static inline uint64_t add(uint64_t a, uint64_t b, bool is_float) {
    if (!is_float) return a + b;
    double x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x += y;
    memcpy(&a, &x, sizeof a);
    return a;
}

/* A cell's record; `held` stays what it was where it is not kept. Constant sizes: a call a record costs more. */
static inline void copy_record(struct vf__record *to, const uint8_t *cell, bool timed) {
    if (timed)
        memcpy(to, cell, sizeof *to);
    else
        memcpy(to, cell, offsetof(struct vf__record, held));
}

/* The records of one row, one after the other. */
struct reading {
    const struct vf__chains *cells;
    struct vf__chain_place place;
    uint32_t n; /* cells of the group */
    bool timed;
    bool there; /* `record` is one of the group's */
    struct vf__record record;
};

static inline void read_record(struct reading *r) {
    r->there = r->place.k < r->n;
    if (VF__LIKELY(r->there)) copy_record(&r->record, r->place.at, r->timed);
}

static inline void next_record(struct reading *r) {
    if (r->place.k + 1 < r->n) {
        vf__chain_step(r->cells, &r->place);
        copy_record(&r->record, r->place.at, r->timed);
    } else {
        r->there = false;
    }
}

static inline bool is_full(const struct vf__piece_list *list, size_t n) {
    return list->room - list->n < n;
}

/* Every record that names the row. False: the list is full. */
static bool find_both(struct reading *r, uint32_t row, struct vf__piece_list *out) {
    for (; r->there && (r->record.closer == row || r->record.opener == row); next_record(r)) {
        if (VF__UNLIKELY(is_full(out, 1))) return false;
        append(out, r->record);
    }
    return true;
}

/* What the row closed; then, of what it opened, one piece (EXITS) or the rest (LOTS). False: the list is full. */
static bool find_legs(struct reading *r, const struct vf__piece_finder *finder, uint32_t row,
                      struct vf__piece_list *out) {
    for (; r->there && r->record.closer == row; next_record(r)) {
        if (VF__UNLIKELY(is_full(out, 1))) return false;
        append(out, r->record);
    }
    if (!r->there || r->record.opener != row) return true;
    if (VF__UNLIKELY(is_full(out, 1))) return false;
    struct vf__record whole = {.opener = row, .closer = VF__WHOLE};
    for (; r->there && r->record.opener == row; next_record(r)) {
        if (r->record.closer != NONE)
            whole.quantity = add(whole.quantity, r->record.quantity & ~VF__EXIT_SIDE, finder->is_float);
        else if (finder->rows == VF_FIFO_LOTS)
            append(out, r->record);
        else
            whole.closer = NONE;
    }
    if (finder->rows == VF_FIFO_EXITS) append(out, whole);
    return true;
}

/* Any row, in any mode. */
static bool find_row(const struct vf__piece_finder *finder, const struct vf__chain_place *place, uint32_t n_cells,
                     uint32_t row, struct vf__piece_list *out) {
    struct reading r = {.cells = finder->cells, .place = *place, .n = n_cells, .timed = finder->timed};
    read_record(&r);
    return finder->rows == VF_FIFO_BOTH ? find_both(&r, row, out) : find_legs(&r, finder, row, out);
}

/* A row of up to three records that lie together, in VF_FIFO_BOTH: without a branch a record. False: not such a row. */
static inline bool find_few(const uint8_t *at, size_t stride, uint32_t row, bool timed, struct vf__piece_list *out) {
    struct vf__record *to = out->record + out->n;
    uint32_t named = 1, n = 0;
    for (size_t k = 0; k < 4; k++) {
        copy_record(&to[k], at + k * stride, timed);
        named &= (uint32_t)((to[k].closer == row) | (to[k].opener == row));
        n += named;
    }
    if (VF__UNLIKELY(n == 4)) return false;
    out->n += n;
    return true;
}

/* The blocks that the last records were found in. A symbol's openers and its closers each find theirs in order, at two
   ends of its queue: so two blocks, the one found last first. */
struct nearby {
    const uint8_t *first;
    uint32_t start, end;
};

static inline struct vf__chain_place find_place(const struct vf__chains *cells, uint32_t group, uint32_t k,
                                                struct nearby nearby[2]) {
    if (k - nearby[0].start >= nearby[0].end - nearby[0].start) {
        struct nearby other = nearby[1];
        nearby[1] = nearby[0];
        if (k - other.start >= other.end - other.start) {
            uint32_t block = vf__chain_block_of(k, &other.start);
            other.first = cells->blocks[cells->block_start[group] + block];
            other.end = other.start + vf__chain_block(other.start);
        }
        nearby[0] = other;
    }
    return (struct vf__chain_place){
        .at = nearby[0].first + (k - nearby[0].start) * cells->stride, .k = k, .left = nearby[0].end - k};
}

enum found { FOUND, FULL, DIFFERENT };

#define PLACES 32 /* rows whose records are asked for before the first one's are looked at */

static inline enum found find_group(const struct vf__piece_finder *finder, uint32_t group, uint32_t first_row,
                                    const uint32_t *rows, size_t n, uint32_t *at, uint32_t *counts, size_t *n_read,
                                    struct vf__piece_list *out, bool timed) {
    struct vf__chains *cells = finder->cells;
    struct vf__lane *lane = &cells->lanes[group];
    size_t stride = cells->stride, start_at = stride - sizeof(uint32_t);
    bool both = finder->rows == VF_FIFO_BOTH;
    struct nearby nearby[2] = {0};
    struct vf__chain_place places[PLACES];
    for (size_t from = 0, m; from < n; from += m) {
        m = n - from < PLACES ? n - from : PLACES;
        if (VF__UNLIKELY(lane->n - lane->read < m)) return DIFFERENT;
        for (size_t i = 0; i < m; i++) {
            uint32_t start;
            memcpy(&start, (const uint8_t *)vf__chain_next(cells, lane) + start_at, sizeof start);
            places[i].k = start;
            if (VF__UNLIKELY(start >= VF__START_LIMIT)) continue;
            places[i] = find_place(cells, group, start, nearby);
            VF__PREFETCH(places[i].at);
        }
        *n_read += m;
        for (size_t i = 0; i < m; i++) {
            const struct vf__chain_place *place = &places[i];
            uint32_t row = first_row + rows[from + i];
            if (VF__UNLIKELY(is_full(out, 4))) return FULL;
            size_t before = out->n;
            if (VF__UNLIKELY(place->k >= VF__START_LIMIT)) {
                if (finder->rows != VF_FIFO_LOTS)
                    append(out, (struct vf__record){.opener = place->k == VF__START_ZERO_ENTRY ? row : NONE,
                                                    .closer = place->k == VF__START_ZERO_EXIT ? row : NONE});
            } else {
                bool together = both & (place->left >= 4) & (place->k + 4 <= lane->n);
                if (!together || !find_few(place->at, stride, row, timed, out))
                    if (VF__UNLIKELY(!find_row(finder, place, lane->n, row, out))) return FULL;
            }
            at[from + i] = (uint32_t)before;
            counts[from + i] = (uint32_t)(out->n - before);
        }
    }
    return FOUND;
}

/* The lines of as many cells as the group has rows in this batch; of the more the processor reads ahead by itself. */
static inline void fetch_cells(const uint8_t *at, size_t stride, size_t n) {
    size_t bytes = n * stride < 512 ? n * stride : 512;
    for (size_t i = 0; i < bytes + 64; i += 64)
        VF__PREFETCH(at + i);
}

/* A group's lane, its next cells, the place of the first one's block and its records follow from each other, and each
   is a miss of the cache: so each is asked for some groups before it is needed. Groups from n on are another thread's. */
static inline void fetch_ahead(const struct vf__chains *cells, const struct vf__grouping *grouping, size_t k,
                               size_t n) {
    size_t start_at = cells->stride - sizeof(uint32_t);
    if (k + 16 < n) VF__PREFETCH(&cells->lanes[grouping->groups[k + 16]]);
    if (k + 12 < n)
        fetch_cells(cells->lanes[grouping->groups[k + 12]].at, cells->stride,
                    grouping->ends[k + 12] - grouping->ends[k + 11]);
    for (size_t ahead = 8; ahead > 0; ahead -= 4) {
        if (k + ahead >= n) continue;
        uint32_t group = grouping->groups[k + ahead], start, first;
        const struct vf__lane *lane = &cells->lanes[group];
        if (lane->left == 0 || lane->read == lane->n) continue;
        memcpy(&start, lane->at + start_at, sizeof start);
        if (start >= lane->n) continue;
        uint8_t *const *block = &cells->blocks[cells->block_start[group] + vf__chain_block_of(start, &first)];
        if (ahead == 8)
            VF__PREFETCH(block);
        else
            fetch_cells(*block + (start - first) * cells->stride, cells->stride,
                        grouping->ends[k + ahead] - grouping->ends[k + ahead - 1]);
    }
}

/* One thread's share: the groups [from, to), whose rows are [ends[from - 1], ends[to - 1]) of the grouping's. */
struct share {
    size_t from, to;
    enum found found;
};

struct search {
    const struct vf__piece_finder *finder;
    const struct vf__grouping *grouping;
    uint32_t first_row;
    uint32_t *at, *counts; /* in the grouping's order */
    struct vf__piece_lists *lists;
    struct share shares[VF__PIECE_LISTS];
};

static void unread(const struct search *search, size_t from, size_t to, size_t n_of_last) {
    struct vf__chains *cells = search->finder->cells;
    for (size_t k = from; k <= to && k < search->grouping->n_groups; k++) {
        size_t n = k < to ? search->grouping->ends[k] - vf__grouping_start(search->grouping, k) : n_of_last;
        for (; n > 0; n--)
            vf__chain_back(cells, &cells->lanes[search->grouping->groups[k]]);
    }
}

static void find_share(void *arg, size_t index) {
    struct search *search = arg;
    struct share *share = &search->shares[index];
    struct vf__piece_list *list = &search->lists->list[index];
    const struct vf__grouping *grouping = search->grouping;
    size_t before = list->n, n_read = 0;
    share->found = FOUND;
    for (size_t k = share->from; k < share->to; k++) {
        size_t first = vf__grouping_start(grouping, k), n = grouping->ends[k] - first;
        const uint32_t *rows = grouping->rows + first;
        uint32_t *at = search->at + first, *counts = search->counts + first;
        fetch_ahead(search->finder->cells, grouping, k, share->to);
        n_read = 0;
        share->found = search->finder->timed
                           ? find_group(search->finder, grouping->groups[k], search->first_row, rows, n, at, counts,
                                        &n_read, list, true)
                           : find_group(search->finder, grouping->groups[k], search->first_row, rows, n, at, counts,
                                        &n_read, list, false);
        if (VF__LIKELY(share->found == FOUND)) continue;
        unread(search, share->from, k, n_read);
        list->n = before;
        return;
    }
}

/* Room for the usual number of pieces; a share that needs more is looked through again with twice as much. */
static enum vf_status reserve(struct search *search, size_t i, size_t times, struct vf_error *err) {
    const struct share *share = &search->shares[i];
    size_t rows = vf__grouping_start(search->grouping, share->to) - vf__grouping_start(search->grouping, share->from);
    return make_room(&search->lists->ctx, &search->lists->list[i], (rows + 1) * 4 * times, err);
}

enum vf_status vf__pieces_find(const struct vf__piece_finder *finder, const struct vf__grouping *grouping,
                               uint32_t first_row, uint32_t *room, uint32_t *at, uint32_t *counts,
                               struct vf__piece_lists *out, bool *differs, struct vf_error *err) {
    struct search search = {.finder = finder,
                            .grouping = grouping,
                            .first_row = first_row,
                            .at = room,
                            .counts = room + VF__GROUPING_ROWS,
                            .lists = out};
    size_t from[VF__GROUPING_SHARES + 1], n = vf__grouping_cut(grouping, out->ctx.n_threads, from);
    enum vf_status status = VF_OK;
    for (size_t i = 0; i < n; i++)
        search.shares[i] = (struct share){.from = from[i], .to = from[i + 1]};
    *differs = false;
    for (size_t i = 0; status == VF_OK && i < n; i++)
        status = reserve(&search, i, 1, err);
    if (status != VF_OK) return status;
    vf__parallel(&out->ctx, n, find_share, &search);
    for (size_t i = 0; i < n; i++) {
        for (size_t times = 2; status == VF_OK && search.shares[i].found == FULL; times *= 2) {
            status = reserve(&search, i, times, err);
            if (status == VF_OK) find_share(&search, i);
        }
        *differs |= search.shares[i].found == DIFFERENT;
    }
    if (status != VF_OK || *differs) {
        for (size_t i = 0; i < n; i++)
            if (search.shares[i].found == FOUND) unread(&search, search.shares[i].from, search.shares[i].to, 0);
        return status;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = vf__grouping_start(grouping, search.shares[i].from); k < vf__grouping_start(grouping, search.shares[i].to); k++) {
            at[grouping->rows[k]] = (uint32_t)i << VF__PIECE_BITS | search.at[k];
            counts[grouping->rows[k]] = search.counts[k];
        }
    return VF_OK;
}

/* ---- in row order ----------------------------------------------------------------------------------------------- */

static inline const struct vf__record *record_at(const struct vf__piece_lists *lists, uint32_t at) {
    return lists->list[at >> VF__PIECE_BITS].record + (at & VF__PIECE_MASK);
}

void vf__pieces_next(const struct vf__piece_lists *lists, const uint32_t *at, const uint32_t *counts,
                     uint32_t first_row, int64_t end, struct vf__piece_cursor *cursor, struct vf__pieces *pieces) {
    size_t n = 0;
    int64_t row = cursor->row;
    uint32_t piece = cursor->piece;
    for (; row < end && n < VF__PIECES; row++, piece = 0) {
        const struct vf__record *from = record_at(lists, at[row]);
        if (row + 16 < end) VF__PREFETCH(record_at(lists, at[row + 16])); /* of another symbol: anywhere */
        uint32_t count = counts[row];
        for (; piece < count && n < VF__PIECES; piece++, n++) {
            pieces->record[n] = from[piece];
            pieces->row[n] = first_row + (uint32_t)row;
        }
        if (piece < count) break;
    }
    pieces->n = n;
    *cursor = (struct vf__piece_cursor){.row = row, .piece = piece};
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

void vf__pack_bits(const uint8_t *flags, size_t n, uint8_t *bits) {
    size_t i = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* byte k of the word, 0 or 1, is carried to bit 56 + k: k * 8 + (56 - k * 7) */
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, flags + i, 8);
        bits[i / 8] = (uint8_t)((word * UINT64_C(0x0102040810204080)) >> 56);
    }
#endif
    for (; i < n; i += 8) {
        unsigned byte = 0;
        for (size_t k = 0; k < 8 && i + k < n; k++)
            byte |= (unsigned)flags[i + k] << k;
        bits[i / 8] = (uint8_t)byte;
    }
}

void vf__pieces_ids(const struct vf__pieces *pieces, uint32_t n_rows, bool closer, uint32_t *out,
                    uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        uint32_t id = closer ? pieces->record[i].closer : pieces->record[i].opener;
        flags[i] = id < n_rows;
        out[i] = id < n_rows ? id : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_closed(const struct vf__pieces *pieces, uint8_t *bits, uint8_t *valid) {
    uint8_t closed[VF__PIECES], known[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        closed[i] = (r->opener != NONE) & (r->closer != NONE);
        known[i] = (r->opener != NONE) | (r->closer != NONE);
    }
    vf__pack_bits(closed, pieces->n, bits);
    vf__pack_bits(known, pieces->n, valid);
}

void vf__pieces_holding(const struct vf__pieces *pieces, uint32_t n_rows, int64_t *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        flags[i] = (r->opener < n_rows) & (r->closer < n_rows);
        out[i] = flags[i] ? r->held : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_quantity(const struct vf__pieces *pieces, uint64_t *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        out[i] = r->quantity & ~VF__EXIT_SIDE;
        flags[i] = (r->opener != NONE) | (r->closer != NONE);
    }
    vf__pack_bits(flags, pieces->n, valid);
}

static inline double price_at(const double *price, size_t n_prices, uint32_t row) {
    return row < n_prices ? price[row] : (double)NAN;
}

void vf__pieces_price(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool closer,
                      double *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        double p = price_at(price, n_prices, closer ? r->closer : r->opener);
        flags[i] = p == p;
        out[i] = flags[i] ? p : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_markout(const struct vf__pieces *pieces, size_t n_prices, const double *price, double *out,
                        uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        double from = price_at(price, n_prices, r->opener), to = price_at(price, n_prices, r->closer);
        double markout = to / from - 1;
        flags[i] = from > 0 && isfinite(markout);
        out[i] = !flags[i] ? 0 : r->quantity & VF__EXIT_SIDE ? -markout : markout;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_pnl(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool is_float,
                    double *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        double from = price_at(price, n_prices, r->opener), to = price_at(price, n_prices, r->closer);
        uint64_t magnitude = r->quantity & ~VF__EXIT_SIDE;
        double quantity;
        if (is_float)
            memcpy(&quantity, &magnitude, sizeof quantity);
        else
            quantity = (double)(int64_t)magnitude;
        double pnl = (to - from) * quantity;
        flags[i] = r->closer == pieces->row[i] && isfinite(pnl);
        out[i] = !flags[i] ? 0 : r->quantity & VF__EXIT_SIDE ? -pnl : pnl;
    }
    vf__pack_bits(flags, pieces->n, valid);
}
