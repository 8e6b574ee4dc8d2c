/* Asof, Daily and Quantiles: the library's objects behind vizflow.returns as Python types, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

#include <stdlib.h>

/* ---- Asof ---- */

struct asof_object {
    PyObject_HEAD struct vf_asof *asof;
    size_t n_horizons;
};

static PyObject *asof_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"horizons_ns", "method", "tolerance_ns", "end_ns", "strict",
                            "past_last",   "unique", "n_threads",    NULL};
    struct vf_asof_options options = {0};
    struct vf_error err = {0};
    int64_t horizons[HORIZONS_MAX];
    PyObject *list;
    int method, strict, past_last, unique;
    long long tolerance, end;
    unsigned n_threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OiLLpppI", names, &list, &method, &tolerance, &end,
                                     &strict, &past_last, &unique, &n_threads))
        return NULL;
    if (!read_horizons(list, horizons, &options.n_horizons)) return NULL;
    options.horizons_ns = horizons;
    options.method = (enum vf_mark_method)method;
    options.tolerance_ns = tolerance;
    options.end_ns = end;
    options.strict = strict != 0;
    options.past_last = past_last != 0;
    options.unique = unique != 0;
    struct vf_context ctx = extension_context(n_threads);
    struct asof_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    self->n_horizons = options.n_horizons;
    return opened(self, vf_asof_open(&ctx, &options, &self->asof, &err), &err);
}

static void asof_dealloc(PyObject *self) {
    vf_asof_close(((struct asof_object *)self)->asof);
    free_object(self);
}

/* (time | None, key, ...) */
static bool asof_batch(const struct columns_in *in, struct vf_asof_batch *batch) {
    if (in->n < 1) return false;
    *batch = (struct vf_asof_batch){
        .keys = in->series + 1, .n_keys = in->n - 1, .time = in->items[0] != NULL ? &in->series[0] : NULL};
    return true;
}

static bool asof_columns(PyObject *sequence, struct columns_in *in, struct vf_asof_batch *batch) {
    if (!columns_in_new(sequence, in)) return false;
    if (asof_batch(in, batch)) return true;
    return refuse_columns(in, "a batch is (time, key, ...)") != NULL;
}

static PyObject *asof_observe(PyObject *self, PyObject *sequence) {
    struct columns_in in;
    struct vf_asof_batch batch;
    struct vf_error err = {0};
    enum vf_status status;
    if (!asof_columns(sequence, &in, &batch)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_asof_observe(((struct asof_object *)self)->asof, &batch, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *asof_finish(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_asof_finish(((struct asof_object *)self)->asof, &err);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *asof_find(PyObject *self, PyObject *sequence) {
    struct asof_object *object = (struct asof_object *)self;
    struct columns_in in;
    struct vf_asof_batch batch;
    struct vf_error err = {0};
    if (!asof_columns(sequence, &in, &batch)) return NULL;
    struct vf_column *out = calloc(object->n_horizons + 1, sizeof *out);
    if (out == NULL) {
        columns_in_free(&in);
        return PyErr_NoMemory();
    }
    enum vf_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_asof_find(object->asof, &batch, out, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    PyObject *list = columns_or_error(self, status, out, object->n_horizons, &err);
    free(out);
    return list;
}

static PyMethodDef asof_methods[] = {
    {"observe", asof_observe, METH_O, "Rows to look up in: (time | None, key, ...)."},
    {"finish", asof_finish, METH_NOARGS, "Bring the observations together."},
    {"find", asof_find, METH_O, "Row numbers for rows (time | None, key, ...), a column a horizon."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(asof, "Asof", "Rows of one frame found for another's: see vf_asof_open.");

/* ---- Daily ---- */

struct daily_object {
    PyObject_HEAD struct vf_daily *daily;
};

static PyObject *daily_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"end_ns", "returns", NULL};
    struct vf_daily_options options = {0};
    struct vf_error err = {0};
    long long end;
    int returns;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Lp", names, &end, &returns)) return NULL;
    options.end_ns = end;
    options.returns = returns != 0;
    struct vf_context ctx = extension_context(1);
    struct daily_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    return opened(self, vf_daily_open(&ctx, &options, &self->daily, &err), &err);
}

static void daily_dealloc(PyObject *self) {
    vf_daily_close(((struct daily_object *)self)->daily);
    free_object(self);
}

/* (time, wall | None, price, volume | None, key, ...) */
static bool daily_columns(PyObject *sequence, struct columns_in *in, struct vf_daily_batch *batch) {
    if (!columns_in_new(sequence, in)) return false;
    if (in->n >= 5 && in->items[0] != NULL && in->items[2] != NULL) {
        *batch = (struct vf_daily_batch){.keys = in->series + 4,
                                         .n_keys = in->n - 4,
                                         .time = &in->series[0],
                                         .wall = in->items[1] != NULL ? &in->series[1] : NULL,
                                         .price = &in->series[2],
                                         .volume = in->items[3] != NULL ? &in->series[3] : NULL};
        return true;
    }
    return refuse_columns(in, "a batch is (time, wall, price, volume, key, ...)") != NULL;
}

static PyObject *daily_update(PyObject *self, PyObject *sequence) {
    struct columns_in in;
    struct vf_daily_batch batch;
    struct vf_column fresh = {0};
    struct vf_error err = {0};
    enum vf_status status;
    if (!daily_columns(sequence, &in, &batch)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_daily_update(((struct daily_object *)self)->daily, &batch, &fresh, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return column_or_error(self, status, &fresh, &err);
}

static PyObject *daily_finish(PyObject *self, PyObject *unused) {
    struct vf_column out[VF_DAILY_COLUMNS] = {{{0}, {0}}};
    struct vf_error err = {0};
    (void)unused;
    enum vf_status status = vf_daily_finish(((struct daily_object *)self)->daily, out, &err);
    return columns_or_error(self, status, out, VF_DAILY_COLUMNS, &err);
}

static PyObject *daily_returns(PyObject *self, PyObject *args) {
    struct columns_in in;
    struct vf_daily_batch batch;
    struct vf_column out = {0};
    struct vf_error err = {0};
    enum vf_status status;
    PyObject *sequence;
    long long first_row;
    if (!PyArg_ParseTuple(args, "LO", &first_row, &sequence) || !daily_columns(sequence, &in, &batch))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_daily_return(((struct daily_object *)self)->daily, &batch, first_row, &out, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return column_or_error(self, status, &out, &err);
}

static PyObject *daily_replayed(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    (void)unused;
    return none_or_error(vf_daily_replayed(((struct daily_object *)self)->daily, &err), &err);
}

static PyMethodDef daily_methods[] = {
    {"update", daily_update, METH_O, "Add rows; gives the rows with which new groups begin."},
    {"finish", daily_finish, METH_NOARGS, "Columns of a row a group."},
    {"returns", daily_returns, METH_VARARGS, "Returns to the close of rows from `first_row` on."},
    {"replayed", daily_replayed, METH_NOARGS, "Raise unless the replay has seen every row; then rewind it."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(daily, "Daily", "A day's prices by instrument: see vf_daily_open.");

/* ---- Quantiles ---- */

struct quantiles_object {
    PyObject_HEAD struct vf_quantiles *quantiles;
    size_t n_bins;
};

static PyObject *quantiles_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"n_bins", "method", NULL};
    struct vf_error err = {0};
    unsigned n_bins;
    int method;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ii", names, &n_bins, &method)) return NULL;
    struct vf_context ctx = extension_context(1);
    struct quantiles_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    self->n_bins = n_bins;
    return opened(self, vf_quantiles_open(&ctx, n_bins, (enum vf_quantile_method)method, &self->quantiles, &err), &err);
}

static void quantiles_dealloc(PyObject *self) {
    vf_quantiles_close(((struct quantiles_object *)self)->quantiles);
    free_object(self);
}

static PyObject *quantiles_update(PyObject *self, PyObject *column) {
    struct vf_error err = {0};
    enum vf_status status;
    struct column_in *in = column_in_new(column);
    if (in == NULL) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_quantiles_update(((struct quantiles_object *)self)->quantiles, &in->series, &err);
    column_in_free(in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *quantiles_pass(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    bool more = false;
    (void)unused;
    if (vf_quantiles_pass(((struct quantiles_object *)self)->quantiles, &more, &err) != VF_OK)
        return raise_error(&err);
    return PyBool_FromLong(more);
}

static PyObject *quantiles_cuts(PyObject *self, PyObject *unused) {
    struct quantiles_object *object = (struct quantiles_object *)self;
    struct vf_quantiles_summary summary;
    struct vf_error err = {0};
    (void)unused;
    double *cuts = calloc(object->n_bins, sizeof *cuts);
    if (cuts == NULL) return PyErr_NoMemory();
    PyObject *list = NULL;
    if (vf_quantiles_cuts(object->quantiles, cuts, &summary, &err) != VF_OK)
        raise_error(&err);
    else
        list = PyList_New(0);
    for (size_t i = 0; list != NULL && i + 1 < object->n_bins; i++) {
        PyObject *number = PyFloat_FromDouble(cuts[i]);
        if (number == NULL || PyList_Append(list, number) != 0) Py_CLEAR(list);
        Py_XDECREF(number);
    }
    free(cuts);
    if (list == NULL) return NULL;
    return Py_BuildValue("N(ddLLLL)", list, summary.low, summary.high, (long long)summary.n,
                         (long long)summary.n_null, (long long)summary.n_nan, (long long)summary.n_infinite);
}

static PyMethodDef quantiles_methods[] = {
    {"update", quantiles_update, METH_O, "The next values of a pass."},
    {"end_pass", quantiles_pass, METH_NOARGS, "End a pass; True: another one is needed."},
    {"cuts", quantiles_cuts, METH_NOARGS, "(cuts, (low, high, finite, null, nan, infinite))."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(quantiles, "Quantiles", "Cuts at quantiles: see vf_quantiles_open.");
