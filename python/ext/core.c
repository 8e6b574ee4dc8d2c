/* The CPython module vizflow._core: functions over single columns and scalars, and the module itself.
   Not for objects with a life of their own: core_*.c have those. */
#include "object.h"
#include "kwargs.h"
#include "memory.h"
#include "tally.h"

#include "clock/sessions.h"
#include "clock/stamps.h"

#include <stdlib.h>

#define SESSIONS_MAX 64

static bool read_sessions(PyObject *object, struct vf_session *sessions, size_t *n) {
    Py_ssize_t length = length_of(object, "sessions", SESSIONS_MAX);
    if (length < 0) return false;
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = PySequence_GetItem(object, i);
        long long start = 0, end = 0;
        bool ok = item != NULL && PyArg_ParseTuple(item, "LL", &start, &end);
        Py_XDECREF(item);
        if (!ok) return false;
        sessions[i] = (struct vf_session){.start_ns = start, .end_ns = end};
    }
    *n = (size_t)length;
    return true;
}

PyDoc_STRVAR(sessions_check_doc,
             "sessions_check($module, sessions, /)\n--\n\nRaise unless [(start_ns, end_ns), ...] "
             "are ordered sessions of one day.");

static PyObject *py_sessions_check(PyObject *module, PyObject *arg) {
    struct vf_session sessions[SESSIONS_MAX];
    struct vf_error err = {0};
    size_t n = 0;
    (void)module;
    if (!read_sessions(arg, sessions, &n)) return NULL;
    if (vf_sessions_check(sessions, n, &err) != VF_OK) return raise_error(&err);
    return PyLong_FromLongLong(vf_sessions_length_ns(sessions, n));
}

PyDoc_STRVAR(sessions_length_doc,
             "sessions_length($module, sessions, day, zone, /)\n--\n\n"
             "Nanoseconds that sessions last on a day, by real time where clocks change within one.");

static PyObject *py_sessions_length(PyObject *module, PyObject *args) {
    struct vf_session sessions[SESSIONS_MAX];
    struct vf_offset offsets[OFFSETS_MAX];
    struct vf__zone zone;
    struct vf_error err = {0};
    PyObject *list;
    const char *text;
    Py_ssize_t length;
    int day;
    size_t n = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "Ois#", &list, &day, &text, &length) || !read_sessions(list, sessions, &n)) return NULL;
    enum vf_status status = vf_sessions_check(sessions, n, &err);
    if (status == VF_OK) status = vf__zone_init(&zone, offsets, offsets_read(text, (size_t)length, offsets), &err);
    if (status != VF_OK) return raise_error(&err);
    return PyLong_FromLongLong(vf__sessions_length_on(sessions, n, day, &zone));
}

PyDoc_STRVAR(sessions_elapsed_doc,
             "sessions_elapsed($module, sessions, grace_ns, time_ns, /)\n--\n\n"
             "Elapsed trading nanoseconds of one time of day, or None outside every session.");

static PyObject *py_sessions_elapsed(PyObject *module, PyObject *args) {
    struct vf_session sessions[SESSIONS_MAX];
    struct vf_error err = {0};
    PyObject *list;
    long long grace, time;
    size_t n = 0;
    int64_t elapsed;
    (void)module;
    if (!PyArg_ParseTuple(args, "OLL", &list, &grace, &time) || !read_sessions(list, sessions, &n))
        return NULL;
    if (vf_sessions_check(sessions, n, &err) != VF_OK) return raise_error(&err);
    if (!vf_sessions_elapsed_ns(sessions, n, grace, time, &elapsed)) Py_RETURN_NONE;
    return PyLong_FromLongLong(elapsed);
}

PyObject *clock_counts(const struct vf_clock_report *report) {
    return Py_BuildValue("LLLLLLLL", (long long)report->n_rows, (long long)report->n_null,
                         (long long)report->n_unreadable, (long long)report->n_outside,
                         (long long)report->n_other_date, (long long)report->first_unreadable,
                         (long long)report->first_outside, (long long)report->first_other_date);
}

PyDoc_STRVAR(clock_elapsed_doc,
             "clock_elapsed($module, column, sessions, outside, grace_ns, layout, entire, day, calendar, zone, /)\n--\n\n"
             "(Column of elapsed seconds, (rows, null, unreadable, outside, other_date and the first rows of the last "
             "three, -1 without)) of a column of times.");

static PyObject *py_clock_elapsed(PyObject *module, PyObject *args) {
    struct vf_session sessions[SESSIONS_MAX];
    struct vf_offset offsets[OFFSETS_MAX];
    struct vf_clock_options options = {.sessions = sessions, .offsets = offsets};
    struct vf_calendar *calendar = NULL;
    struct vf_clock_report report = {0};
    struct vf_column column = {0};
    struct vf_error err = {0};
    PyObject *object, *list, *day;
    const char *text, *zone;
    Py_ssize_t text_length, zone_length;
    int outside, layout, entire;
    long long grace;
    if (!PyArg_ParseTuple(args, "OOiLipOz#z#", &object, &list, &outside, &grace, &layout, &entire, &day, &text,
                          &text_length, &zone, &zone_length))
        return NULL;
    if (!read_sessions(list, sessions, &options.n_sessions)) return NULL;
    options.outside = (enum vf_outside)outside;
    options.layout = (enum vf_time_layout)layout;
    options.grace_ns = grace;
    options.whole = entire != 0;
    options.n_offsets = zone != NULL ? offsets_read(zone, (size_t)zone_length, offsets) : 0;
    options.has_day = day != Py_None;
    if (options.has_day) options.day = (int32_t)PyLong_AsLong(day);
    if (PyErr_Occurred()) return NULL;
    struct column_in *in = column_in_new(object);
    if (in == NULL) return NULL;
    enum vf_status status = VF_OK;
    Py_BEGIN_ALLOW_THREADS;
    if (text != NULL) status = vf_calendar_open(NULL, text, (size_t)text_length, &calendar, &err);
    options.calendar = calendar;
    if (status == VF_OK) status = vf_clock_elapsed(NULL, &in->series, &options, &column, &report, &err);
    vf_calendar_close(calendar);
    column_in_free(in);
    Py_END_ALLOW_THREADS;
    if (status != VF_OK) return raise_error(&err);
    PyObject *out = column_out(module, &column);
    return out == NULL ? NULL : Py_BuildValue("NN", out, clock_counts(&report));
}

PyDoc_STRVAR(clock_guess_doc, "clock_guess($module, value, /)\n--\n\nWhat an integer looks like, and its unit=.");

static PyObject *py_clock_guess(PyObject *module, PyObject *value) {
    (void)module;
    long long number = PyLong_AsLongLong(value);
    return PyErr_Occurred() ? NULL : PyUnicode_FromString(vf__guess_integer(number));
}

PyDoc_STRVAR(clusters_error_doc,
             "clusters_error($module, influence, group, n_groups, /)\n--\n\n"
             "[standard errors, clusters] of each group (None: one): see vf_clusters_error.");

static PyObject *py_clusters_error(PyObject *module, PyObject *args) {
    struct vf_column out[2] = {{{0}, {0}}};
    struct vf_error err = {0};
    PyObject *influence, *group;
    Py_ssize_t n_groups;
    if (!PyArg_ParseTuple(args, "OOn", &influence, &group, &n_groups)) return NULL;
    PyObject *pair = PyTuple_Pack(2, influence, group);
    struct columns_in in;
    bool taken = pair != NULL && columns_in_new(pair, &in);
    Py_XDECREF(pair);
    if (!taken) return NULL;
    if (in.items[0] == NULL) return refuse_columns(&in, "the influence is missing");
    enum vf_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_clusters_error(NULL, &in.series[0], in.items[1] != NULL ? &in.series[1] : NULL, (size_t)n_groups, out,
                               &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return status != VF_OK ? raise_error(&err) : columns_out(module, out, 2);
}

PyDoc_STRVAR(expand_doc, "expand($module, columns, counts, n_threads, /)\n--\n\n"
                         "Columns with each row repeated as often as Fifo.emit counted; see vf_column_expand.");

/* The expanded columns take their inputs over, since views go on pointing into them. */
static PyObject *py_expand(PyObject *module, PyObject *args) {
    struct vf_error err = {0};
    struct columns_in in;
    PyObject *sequence, *counts;
    unsigned n_threads;
    if (!PyArg_ParseTuple(args, "OSI", &sequence, &counts, &n_threads) || !columns_in_new(sequence, &in)) return NULL;
    struct vf_column *out = calloc(in.n + 1, sizeof *out);
    if (out == NULL) {
        columns_in_free(&in);
        return PyErr_NoMemory();
    }
    struct vf_context ctx = extension_context(n_threads);
    const uint32_t *n_pieces = (const uint32_t *)(const void *)PyBytes_AsString(counts);
    int64_t n = (int64_t)((size_t)PyBytes_Size(counts) / sizeof *n_pieces);
    enum vf_status status = VF_OK;
    size_t n_in = in.n;
    Py_BEGIN_ALLOW_THREADS;
    for (size_t i = 0; i < n_in && status == VF_OK; i++) {
        struct column_in *owner = in.items[i];
        status = vf_column_expand(&ctx, owner != NULL ? &owner->series : NULL, n_pieces, n, owner, column_in_free,
                                  &out[i], &err);
        if (status == VF_OK) in.items[i] = NULL;
    }
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    PyObject *list = NULL;
    if (status == VF_OK) {
        list = columns_out(module, out, n_in);
    } else {
        for (size_t i = 0; i < n_in; i++)
            vf_column_release(&out[i]);
        (void)raise_error(&err);
    }
    free(out);
    return list;
}

PyDoc_STRVAR(
    run_rows_doc,
    "run_rows($module, names, columns, processes, outputs, rows, state, start, stop, values, counts, "
    "expanding, /)\n--\n\nRun Python rules over rows start .. stop - 1; gives the expanding rule "
    "or -1.");

/* ---- module ---- */

static PyObject *py_tally_open(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    return PyLong_FromLongLong(tally_open());
}

static PyObject *py_tally_turn(PyObject *self, PyObject *unused) {
    (void)self;
    (void)unused;
    tally_turn();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tally_take_doc, "tally_take($module, tally, /)\n--\n\n"
                              "What was met in each turn: [(rows, null, unreadable, outside, other date, nulls given)].");

static PyObject *py_tally_take(PyObject *self, PyObject *number) {
    int64_t sums[TALLY_TURNS][TALLY_COUNTS];
    long long tally = PyLong_AsLongLong(number);
    (void)self;
    if (tally == -1 && PyErr_Occurred() != NULL) return NULL;
    size_t n = tally_take(tally, sums);
    PyObject *out = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; out != NULL && i < n; i++) {
        const int64_t *s = sums[i];
        PyObject *turn = Py_BuildValue("(LLLLLL)", (long long)s[0], (long long)s[1], (long long)s[2], (long long)s[3],
                                       (long long)s[4], (long long)s[5]);
        if (turn == NULL || PyList_SetItem(out, (Py_ssize_t)i, turn) != 0) Py_CLEAR(out);
    }
    return out;
}

static PyObject *py_tally_close(PyObject *self, PyObject *number) {
    long long tally = PyLong_AsLongLong(number);
    (void)self;
    if (tally == -1 && PyErr_Occurred() != NULL) return NULL;
    tally_close(tally);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"sessions_check", py_sessions_check, METH_O, sessions_check_doc},
    {"sessions_length", py_sessions_length, METH_VARARGS, sessions_length_doc},
    {"sessions_elapsed", py_sessions_elapsed, METH_VARARGS, sessions_elapsed_doc},
    {"clock_elapsed", py_clock_elapsed, METH_VARARGS, clock_elapsed_doc},
    {"clock_guess", py_clock_guess, METH_O, clock_guess_doc},
    {"clusters_error", py_clusters_error, METH_VARARGS, clusters_error_doc},
    {"expand", py_expand, METH_VARARGS, expand_doc},
    {"leftover", py_leftover, METH_O, "leftover($module, name, /)\n--\n\nWhose temporary file it is: vf_file_leftover."},
    {"tally_open", py_tally_open, METH_NOARGS, "A new tally of what plugin calls meet; 0: too many are open."},
    {"tally_turn", py_tally_turn, METH_NOARGS, "What comes now is of another reading."},
    {"tally_take", py_tally_take, METH_O, tally_take_doc},
    {"tally_close", py_tally_close, METH_O, "Count no more there."},
    {"run_rows", run_rows, METH_VARARGS, run_rows_doc},
    {NULL, NULL, 0, NULL}};

/* Of a Polars that gave plugins no allocator, pages are not shared, and all else is the same. */
static int share_memory(PyObject *module) {
    const struct polars_allocator *polars = PyCapsule_Import(POLARS_ALLOCATOR, 0);
    if (polars == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ImportError) && !PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
        PyErr_Clear();
    }
    take_memory_from(polars);
    return PyModule_AddStringConstant(module, "allocator", polars != NULL ? "polars" : "default");
}

static int execute(PyObject *module) {
    if (share_memory(module) != 0) return -1;
    struct module_state *state = PyModule_GetState(module);
    state->column_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &column_spec, NULL);
    if (state->column_type == NULL || PyModule_AddType(module, state->column_type) != 0) return -1;
    if (PyModule_AddStringConstant(module, "version", vf_version()) != 0) return -1;
    return add_objects(module) != 0 ? -1 : add_names(module);
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    struct module_state *state = PyModule_GetState(module);
    Py_VISIT(state->column_type);
    return 0;
}

static int clear(PyObject *module) {
    struct module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->column_type);
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)execute}, {0, NULL}};

static struct PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT,
                                        .m_name = "_core",
                                        .m_doc =
                                            "VizFlow's C library for Python. Private: use `import vizflow`.",
                                        .m_size = sizeof(struct module_state),
                                        .m_methods = functions,
                                        .m_slots = slots,
                                        .m_traverse = traverse,
                                        .m_clear = clear};

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&definition);
}
