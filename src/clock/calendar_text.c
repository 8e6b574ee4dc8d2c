/* See calendar_text.h. A line is read at a time; whatever is not as described stops with the number of its line.
   Not for guessing: an unknown word is an error, so that a newer text cannot be half understood. */
#include "clock/calendar_text.h"

#include "clock/dates.h"
#include "clock/stamps.h"

#define YEARS_MAX 200

enum section { NO_SECTION, CLOSED, ADHOC, SPECIAL };

struct text {
    struct vf_calendar *calendar;
    const char *at, *end;          /* the rest of the text */
    const char *cursor, *line_end; /* the rest of the line */
    long long line;
    enum section section;
    bool named, has_first, has_last, has_verified, has_hours;
    bool week[7];  /* from Monday */
    uint8_t *open; /* a byte a day of first .. last */
    size_t n_open;
    uint32_t variant; /* of SPECIAL */
    int32_t last_adhoc;
    struct vf_error *err;
};

struct token {
    const char *data;
    size_t length;
};

static enum vf_status bad(const struct text *t, const struct token *token, const char *wanted) {
    return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1,
                    "calendar text, line %lld: \"%.*s\" where %s is accepted", t->line,
                    token->length < 40 ? (int)token->length : 40, token->data, wanted);
}

static bool next_token(struct text *t, struct token *token) {
    while (t->cursor < t->line_end && *t->cursor == ' ')
        t->cursor++;
    token->data = t->cursor;
    while (t->cursor < t->line_end && *t->cursor != ' ')
        t->cursor++;
    token->length = (size_t)(t->cursor - token->data);
    return token->length > 0;
}

static bool is(const struct token *token, const char *word) {
    return token->length == strlen(word) && memcmp(token->data, word, token->length) == 0;
}

/* Room for one more of `size` bytes. */
static bool grow(const struct vf_context *ctx, void **block, size_t *room, size_t n, size_t size) {
    if (n < *room) return true;
    size_t more = *room < 16 ? 16 : *room * 2;
    void *moved = vf__resize(ctx, *block, *room, more, size);
    if (moved == NULL) return false;
    *block = moved;
    *room = more;
    return true;
}

static bool digits(const char *text, size_t n, int64_t *out) {
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *out = *out * 10 + (text[i] - '0');
    }
    return n > 0;
}

/* ---- one value lines ---- */

static enum vf_status only_token(struct text *t, struct token *token, const char *wanted) {
    struct token more;
    if (!next_token(t, token)) return bad(t, token, wanted);
    return next_token(t, &more) ? bad(t, &more, "nothing more") : VF_OK;
}

static enum vf_status read_name(struct text *t) {
    struct token token;
    struct vf_calendar_info *info = &t->calendar->info;
    enum vf_status status = only_token(t, &token, "a name");
    if (status != VF_OK) return status;
    if (token.length >= sizeof info->name) return bad(t, &token, "a name of at most 47 bytes");
    memcpy(info->name, token.data, token.length);
    info->name[token.length] = '\0';
    vf__tidy(info->name);
    if (memcmp(info->name, token.data, token.length) != 0) return bad(t, &token, "a name of printable UTF-8");
    t->named = true;
    return VF_OK;
}

static enum vf_status read_day(struct text *t, int32_t *out, bool *has) {
    struct token token;
    enum vf_status status = only_token(t, &token, "a day, YYYY-MM-DD,");
    if (status != VF_OK) return status;
    if (*has) return bad(t, &token, "each line once, nothing more");
    if (token.length != 10 || !vf__day_from_text((const uint8_t *)token.data, token.length, out))
        return bad(t, &token, "a day, YYYY-MM-DD,");
    *has = true;
    return VF_OK;
}

static enum vf_status read_week(struct text *t) {
    struct token token;
    enum vf_status status = only_token(t, &token, "days of the week, 1 to 7,");
    if (status != VF_OK) return status;
    if (t->open != NULL) return bad(t, &token, "week before closed, nothing here");
    memset(t->week, 0, sizeof t->week);
    for (size_t i = 0; i < token.length; i++) {
        if (token.data[i] < '1' || token.data[i] > '7') return bad(t, &token, "days of the week, 1 to 7,");
        t->week[token.data[i] - '1'] = true;
    }
    return VF_OK;
}

/* ---- days ---- */

/* 1970-01-01 was a Thursday. */
static size_t weekday(int32_t day) {
    return (size_t)((((int64_t)day + 3) % 7 + 7) % 7);
}

/* first and last are known: lays out the days of the week between them. */
static enum vf_status begin_days(struct text *t) {
    struct vf_calendar_info *info = &t->calendar->info;
    if (t->open != NULL) return VF_OK;
    if (!t->has_first || !t->has_last)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1,
                        "calendar text, line %lld: closed days need the lines first and last before them",
                        t->line);
    if (info->last < info->first || (int64_t)info->last - info->first > YEARS_MAX * 366)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1,
                        "calendar text, line %lld: last comes before first, or more than %d years after",
                        t->line, YEARS_MAX);
    t->n_open = (size_t)((int64_t)info->last - info->first + 1);
    t->open = vf__alloc(&t->calendar->ctx, t->n_open, 1);
    if (t->open == NULL) return vf__fail_memory(t->err, t->n_open);
    for (size_t i = 0, of_week = weekday(info->first); i < t->n_open; i++) {
        t->open[i] = t->week[of_week];
        of_week = of_week == 6 ? 0 : of_week + 1;
    }
    return VF_OK;
}

/* They are closed like others: that they were not by schedule is for those who read the text. */
static enum vf_status take_adhoc(struct text *t, int32_t day) {
    if (day <= t->last_adhoc)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1,
                        "calendar text, line %lld: adhoc days are not in order", t->line);
    t->last_adhoc = day;
    return VF_OK;
}

/* Kept in order, so that a later line replaces an earlier one. */
static enum vf_status add_special(struct text *t, int32_t day) {
    struct vf_calendar *c = t->calendar;
    void *block = c->specials;
    size_t at = c->n_specials;
    while (at > 0 && c->specials[at - 1].day > day)
        at--;
    if (at > 0 && c->specials[at - 1].day == day) {
        c->specials[at - 1].variant = t->variant;
        return VF_OK;
    }
    if (!grow(&c->ctx, &block, &c->specials_room, c->n_specials, sizeof *c->specials))
        return vf__fail_memory(t->err, sizeof *c->specials);
    c->specials = block;
    memmove(c->specials + at + 1, c->specials + at, (c->n_specials - at) * sizeof *c->specials);
    c->specials[at] = (struct vf__hours){.day = day, .variant = t->variant};
    c->n_specials++;
    return VF_OK;
}

/* One day of a section; `alone`: not one of a range, so that it must mean something. */
static enum vf_status take_day(struct text *t, const struct token *token, int32_t day, bool alone) {
    const struct vf_calendar_info *info = &t->calendar->info;
    if (t->open == NULL) return add_special(t, day); /* sessions only */
    if (day < info->first || day > info->last) return bad(t, token, "a day of first .. last");
    uint8_t *open = &t->open[day - info->first];
    if (!*open) return alone ? bad(t, token, "a day that is traded otherwise") : VF_OK;
    if (t->section == SPECIAL) return add_special(t, day);
    *open = 0;
    return t->section == ADHOC ? take_adhoc(t, day) : VF_OK;
}

/* "0101" or "0212-0216" of a year. */
static enum vf_status read_days(struct text *t, int64_t year, const struct token *token) {
    int64_t field[4] = {0, 0, 0, 0};
    int32_t from, to;
    bool range = token->length == 9 && token->data[4] == '-';
    bool ok = (range || token->length == 4) && digits(token->data, 2, &field[0]) &&
              digits(token->data + 2, 2, &field[1]) && vf__day_from_ymd(year, field[0], field[1], &from);
    to = ok ? from : 0;
    if (ok && range)
        ok = digits(token->data + 5, 2, &field[2]) && digits(token->data + 7, 2, &field[3]) &&
             vf__day_from_ymd(year, field[2], field[3], &to) && from < to;
    if (!ok) return bad(t, token, "a day MMDD, or MMDD-MMDD,");
    for (int32_t day = from; day <= to; day++) {
        enum vf_status status = take_day(t, token, day, !range);
        if (status != VF_OK) return status;
    }
    return VF_OK;
}

static enum vf_status read_year(struct text *t, const struct token *first) {
    int64_t year;
    struct token token;
    if (t->section == NO_SECTION || first->length != 4 || !digits(first->data, 4, &year))
        return bad(
            t, first,
            "calendar, first, last, verified, week, closed, adhoc, hours, special, or a year under one");
    while (next_token(t, &token)) {
        enum vf_status status = read_days(t, year, &token);
        if (status != VF_OK) return status;
    }
    return VF_OK;
}

/* ---- sessions ---- */

/* HHMM or HHMMSS. */
static bool read_clock(const char *text, size_t length, int64_t *ns) {
    int64_t value;
    if ((length != 4 && length != 6) || !digits(text, length, &value)) return false;
    *ns = vf__time_from_hhmmss(length == 4 ? value * 100 : value);
    return *ns >= 0;
}

static bool read_session(const struct token *token, bool first, struct vf_session *out) {
    const char *text = token->data;
    size_t length = token->length;
    bool evening = text[0] == '^';
    if (evening) text++, length--;
    size_t half = length == 9 ? 4 : length == 13 ? 6 : 0;
    if (half == 0 || text[half] != '-' || !read_clock(text, half, &out->start_ns) ||
        !read_clock(text + half + 1, half, &out->end_ns))
        return false;
    bool crosses = out->start_ns >= out->end_ns;
    if (evening && crosses) return false;
    if (evening) out->end_ns -= VF_DAY_NS;
    if (evening || crosses) out->start_ns -= VF_DAY_NS;
    return first || !(evening || crosses);
}

/* The rest of the line; a variant that is there already is used again. */
static enum vf_status read_sessions(struct text *t, uint32_t *variant) {
    struct vf_calendar *c = t->calendar;
    struct vf_session sessions[VF__MAX_SESSIONS];
    struct vf_error inner = {0};
    struct token token;
    size_t n = 0;
    while (next_token(t, &token)) {
        if (n == VF__MAX_SESSIONS || !read_session(&token, n == 0, &sessions[n]))
            return bad(t, &token, "a session, HHMM-HHMM,");
        n++;
    }
    if (vf_sessions_check(sessions, n, &inner) != VF_OK)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1, "calendar text, line %lld: %s", t->line,
                        inner.message);
    for (size_t i = 0; i < c->n_variants; i++) {
        const struct vf__variant *v = &c->variants[i];
        if (v->n == n && memcmp(c->sessions + v->start, sessions, n * sizeof *sessions) == 0) {
            *variant = (uint32_t)i;
            return VF_OK;
        }
    }
    void *block = c->variants;
    if (!grow(&c->ctx, &block, &c->variants_room, c->n_variants, sizeof *c->variants))
        return vf__fail_memory(t->err, sizeof *c->variants);
    c->variants = block;
    c->variants[c->n_variants] = (struct vf__variant){.start = (uint32_t)c->n_sessions, .n = (uint32_t)n};
    for (size_t i = 0; i < n; i++) {
        block = c->sessions;
        if (!grow(&c->ctx, &block, &c->sessions_room, c->n_sessions, sizeof *c->sessions))
            return vf__fail_memory(t->err, sizeof *c->sessions);
        c->sessions = block;
        c->sessions[c->n_sessions++] = sessions[i];
    }
    *variant = (uint32_t)c->n_variants++;
    return VF_OK;
}

static enum vf_status read_hours(struct text *t) {
    struct vf_calendar *c = t->calendar;
    struct token token;
    struct vf__hours hours;
    void *block = c->periods;
    if (!next_token(t, &token) || token.length != 10 ||
        !vf__day_from_text((const uint8_t *)token.data, token.length, &hours.day))
        return bad(t, &token, "a day, YYYY-MM-DD,");
    if (c->n_periods > 0 && hours.day <= c->periods[c->n_periods - 1].day)
        return bad(t, &token, "a day after that of the hours before");
    enum vf_status status = read_sessions(t, &hours.variant);
    if (status != VF_OK) return status;
    if (!grow(&c->ctx, &block, &c->periods_room, c->n_periods, sizeof *c->periods))
        return vf__fail_memory(t->err, sizeof *c->periods);
    c->periods = block;
    c->periods[c->n_periods++] = hours;
    t->has_hours = true;
    return VF_OK;
}

/* ---- lines ---- */

static enum vf_status section(struct text *t, enum section section) {
    struct token more;
    t->section = section;
    if (section == SPECIAL) return read_sessions(t, &t->variant);
    if (next_token(t, &more)) return bad(t, &more, "nothing more");
    return begin_days(t);
}

static enum vf_status read_line(struct text *t) {
    struct vf_calendar_info *info = &t->calendar->info;
    struct token word;
    if (!next_token(t, &word) || word.data[0] == '#') return VF_OK;
    if (word.data[0] >= '0' && word.data[0] <= '9') return read_year(t, &word);
    t->section = NO_SECTION;
    if (is(&word, "calendar")) return read_name(t);
    if (is(&word, "special")) return section(t, SPECIAL);
    if (is(&word, "hours")) {
        enum vf_status status = t->has_first || t->has_last ? begin_days(t) : VF_OK;
        return status != VF_OK ? status : read_hours(t);
    }
    if (t->has_hours || t->calendar->n_specials > 0)
        return bad(t, &word, "hours or special, after which days cannot change,");
    if (is(&word, "week")) return read_week(t);
    if (is(&word, "closed")) return section(t, CLOSED);
    if (is(&word, "adhoc")) return section(t, ADHOC);
    if (t->open != NULL) return bad(t, &word, "closed, adhoc, hours or special");
    if (is(&word, "first")) return read_day(t, &info->first, &t->has_first);
    if (is(&word, "last")) return read_day(t, &info->last, &t->has_last);
    if (is(&word, "verified")) return read_day(t, &info->verified, &t->has_verified);
    return read_year(t, &word);
}

static enum vf_status list_days(struct text *t) {
    struct vf_calendar *c = t->calendar;
    size_t n = 0;
    for (size_t i = 0; i < t->n_open; i++)
        n += t->open[i];
    c->days = vf__alloc(&c->ctx, n, sizeof *c->days);
    if (c->days == NULL) return vf__fail_memory(t->err, n * sizeof *c->days);
    c->days_room = n;
    for (size_t i = 0; i < t->n_open; i++)
        if (t->open[i]) c->days[c->n_days++] = c->info.first + (int32_t)i;
    c->info.n_days = (int64_t)n;
    c->info.has_days = true;
    return VF_OK;
}

static enum vf_status finish(struct text *t) {
    struct vf_calendar_info *info = &t->calendar->info;
    enum vf_status status = t->has_first || t->has_last ? begin_days(t) : VF_OK;
    if (status != VF_OK) return status;
    if (!t->named || !t->has_hours)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1, "calendar text: a line \"%s\" is missing",
                        t->named ? "hours" : "calendar");
    if (t->open == NULL) return VF_OK;
    if (t->calendar->periods[0].day > info->first)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1,
                        "calendar text: the hours of the first day are missing");
    if (!t->has_verified) info->verified = info->last;
    if (info->verified < info->first || info->verified > info->last)
        return vf__fail(t->err, VF_ERROR_ARGUMENT, NULL, -1,
                        "calendar text: verified is not in first .. last");
    return list_days(t);
}

enum vf_status vf__calendar_read(struct vf_calendar *calendar, const char *text, size_t length,
                                 struct vf_error *err) {
    struct text t = {.calendar = calendar,
                     .at = text,
                     .end = text + length,
                     .week = {true, true, true, true, true, false, false},
                     .last_adhoc = INT32_MIN,
                     .err = err};
    enum vf_status status = VF_OK;
    while (status == VF_OK && t.at < t.end) {
        const char *newline = memchr(t.at, '\n', (size_t)(t.end - t.at));
        t.line++;
        t.cursor = t.at;
        t.line_end = newline != NULL ? newline : t.end;
        t.at = newline != NULL ? newline + 1 : t.end;
        if (t.line_end > t.cursor && t.line_end[-1] == '\r') t.line_end--;
        status = read_line(&t);
    }
    if (status == VF_OK) status = finish(&t);
    vf__free(&calendar->ctx, t.open, t.n_open, 1);
    return status;
}
