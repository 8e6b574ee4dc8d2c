/* Daily: the library's object as a Python type, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

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
