/* Calendar: the library's calendar as a Python type, one method a C function; days are integers since 1970-01-01.
   Not for dates as Python has them, and not for the bundled texts: vizflow/calendar.py has both. */
#include "object.h"
#include "kwargs.h"

struct calendar_object {
    PyObject_HEAD struct vf_calendar *calendar;
};

static struct vf_calendar *of(PyObject *self) {
    return ((struct calendar_object *)self)->calendar;
}

/* Takes the calendar over; NULL stays the error that is set. */
static PyObject *wrap(PyTypeObject *type, struct vf_calendar *calendar) {
    PyObject *self = allocate_object(type);
    if (self == NULL)
        vf_calendar_close(calendar);
    else
        ((struct calendar_object *)self)->calendar = calendar;
    return self;
}

static PyObject *calendar_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"text", "days", NULL};
    const char *text = NULL;
    Py_ssize_t length = 0;
    PyObject *days = NULL;
    struct vf_calendar *calendar = NULL;
    struct vf_error err = {0};
    enum vf_status status;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "z#|O", names, &text, &length, &days)) return NULL;
    if (text != NULL) {
        status = vf_calendar_open(NULL, text, (size_t)length, &calendar, &err);
    } else {
        struct column_in *in = days != NULL ? column_in_new(days) : NULL;
        if (in == NULL)
            return PyErr_Occurred() ? NULL
                                    : PyErr_Format(PyExc_TypeError, "a calendar is made of text or of days");
        status = vf_calendar_open_days(NULL, &in->series, &calendar, &err);
        column_in_free(in);
    }
    return status != VF_OK ? raise_error(&err) : wrap(type, calendar);
}

static void calendar_dealloc(PyObject *self) {
    vf_calendar_close(of(self));
    free_object(self);
}

PyDoc_STRVAR(describe_doc, "describe($self, /)\n--\n\n(name, has_days, first, last, verified, n_days)");

static PyObject *calendar_describe(PyObject *self, PyObject *unused) {
    struct vf_calendar_info info;
    (void)unused;
    vf_calendar_describe(of(self), &info);
    return Py_BuildValue("sNiiiL", info.name, PyBool_FromLong(info.has_days), (int)info.first, (int)info.last,
                         (int)info.verified, (long long)info.n_days);
}

static PyObject *calendar_is_trading_day(PyObject *self, PyObject *args) {
    int day;
    bool is;
    struct vf_error err = {0};
    if (!PyArg_ParseTuple(args, "i", &day)) return NULL;
    if (vf_calendar_is_trading_day(of(self), day, &is, &err) != VF_OK) return raise_error(&err);
    return PyBool_FromLong(is);
}

typedef enum vf_status neighbour(const struct vf_calendar *, int32_t, int32_t *, struct vf_error *);

static PyObject *beside(PyObject *self, PyObject *args, neighbour *function) {
    int day;
    int32_t found;
    struct vf_error err = {0};
    if (!PyArg_ParseTuple(args, "i", &day)) return NULL;
    return function(of(self), day, &found, &err) != VF_OK ? raise_error(&err) : PyLong_FromLong(found);
}

static PyObject *calendar_next(PyObject *self, PyObject *args) {
    return beside(self, args, vf_calendar_next);
}
static PyObject *calendar_prev(PyObject *self, PyObject *args) {
    return beside(self, args, vf_calendar_prev);
}

static PyObject *calendar_index(PyObject *self, PyObject *args) {
    int day;
    int64_t index;
    struct vf_error err = {0};
    if (!PyArg_ParseTuple(args, "i", &day)) return NULL;
    if (vf_calendar_index(of(self), day, &index, &err) != VF_OK) return raise_error(&err);
    return PyLong_FromLongLong(index);
}

PyDoc_STRVAR(range_doc, "range($self, first, last, /)\n--\n\nTrading days first .. last, as a list.");

static PyObject *calendar_range(PyObject *self, PyObject *args) {
    int first, last;
    const int32_t *days;
    size_t n;
    struct vf_error err = {0};
    if (!PyArg_ParseTuple(args, "ii", &first, &last)) return NULL;
    if (vf_calendar_range(of(self), first, last, &days, &n, &err) != VF_OK) return raise_error(&err);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *day = PyLong_FromLong(days[i]);
        if (day == NULL || PyList_SetItem(list, (Py_ssize_t)i, day) != 0) Py_CLEAR(list);
    }
    return list;
}

/* [(start_ns, end_ns), ...] */
static PyObject *bounds(const struct vf_session *sessions, size_t n) {
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *pair =
            Py_BuildValue("(LL)", (long long)sessions[i].start_ns, (long long)sessions[i].end_ns);
        if (pair == NULL || PyList_SetItem(list, (Py_ssize_t)i, pair) != 0) Py_CLEAR(list);
    }
    return list;
}

static PyObject *calendar_sessions(PyObject *self, PyObject *args) {
    int day;
    const struct vf_session *sessions;
    size_t n;
    struct vf_error err = {0};
    if (!PyArg_ParseTuple(args, "i", &day)) return NULL;
    if (vf_calendar_sessions(of(self), day, &sessions, &n, &err) != VF_OK) return raise_error(&err);
    return bounds(sessions, n);
}

PyDoc_STRVAR(variants_doc,
             "variants($self, /)\n--\n\nEvery set of sessions, [[(start_ns, end_ns), ...], ...].");

static PyObject *calendar_variants(PyObject *self, PyObject *unused) {
    size_t n = vf_calendar_variants(of(self));
    PyObject *list = PyList_New((Py_ssize_t)n);
    (void)unused;
    for (size_t i = 0; list != NULL && i < n; i++) {
        const struct vf_session *sessions;
        size_t n_sessions;
        vf_calendar_variant(of(self), i, &sessions, &n_sessions);
        PyObject *variant = bounds(sessions, n_sessions);
        if (variant == NULL || PyList_SetItem(list, (Py_ssize_t)i, variant) != 0) Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(columns_doc, "columns($self, /)\n--\n\n[date, prev_date, next_date, variant]");

static PyObject *calendar_columns(PyObject *self, PyObject *unused) {
    struct vf_column out[4];
    struct vf_error err = {0};
    (void)unused;
    enum vf_status status = vf_calendar_columns(NULL, of(self), out, &err);
    return columns_or_error(self, status, out, 4, &err);
}

PyDoc_STRVAR(report_doc, "report($self, times, dates, grace_ns, layout, zone, /)\n--\n\n"
                         "Counts as clock_elapsed gives them, by the sessions of each row's day.");

static PyObject *calendar_report(PyObject *self, PyObject *args) {
    PyObject *times, *dates;
    long long grace;
    int layout;
    const char *zone;
    Py_ssize_t zone_length;
    struct vf_offset offsets[OFFSETS_MAX];
    struct vf_clock_report report = {0};
    struct vf_column column = {0};
    struct vf_error err = {0};
    enum vf_status status;
    if (!PyArg_ParseTuple(args, "OOLiz#", &times, &dates, &grace, &layout, &zone, &zone_length)) return NULL;
    struct vf_clock_options options = {.outside = VF_OUTSIDE_NULL,
                                       .grace_ns = grace,
                                       .layout = (enum vf_time_layout)layout,
                                       .offsets = offsets,
                                       .n_offsets = zone != NULL ? offsets_read(zone, (size_t)zone_length, offsets) : 0};
    struct column_in *time = column_in_new(times);
    struct column_in *date = time != NULL ? column_in_new(dates) : NULL;
    if (date == NULL) {
        if (time != NULL) column_in_free(time);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    status = vf_clock_elapsed_on(NULL, of(self), &time->series, &date->series, &options, &column, &report, &err);
    vf_column_release(&column);
    column_in_free(time);
    column_in_free(date);
    Py_END_ALLOW_THREADS;
    return status != VF_OK ? raise_error(&err) : clock_counts(&report);
}

static PyMethodDef calendar_methods[] = {
    {"describe", calendar_describe, METH_NOARGS, describe_doc},
    {"is_trading_day", calendar_is_trading_day, METH_VARARGS, "is_trading_day($self, day, /)\n--\n\nTraded?"},
    {"next", calendar_next, METH_VARARGS, "next($self, day, /)\n--\n\nThe first trading day after."},
    {"prev", calendar_prev, METH_VARARGS, "prev($self, day, /)\n--\n\nThe last trading day before."},
    {"index", calendar_index, METH_VARARGS, "index($self, day, /)\n--\n\nTrading days before."},
    {"range", calendar_range, METH_VARARGS, range_doc},
    {"sessions", calendar_sessions, METH_VARARGS, "sessions($self, day, /)\n--\n\nSessions of a day."},
    {"variants", calendar_variants, METH_NOARGS, variants_doc},
    {"columns", calendar_columns, METH_NOARGS, columns_doc},
    {"report", calendar_report, METH_VARARGS, report_doc},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(calendar, "Calendar", "Trading days and their sessions: see vf_calendar_open.");
