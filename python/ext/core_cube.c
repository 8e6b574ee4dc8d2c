/* Cube: the library's N-d array of states as a Python type, one method a C function.
   Not for choices: names, ranges and metrics are the face's, checks of data the library's. */
#include "object.h"

#include "base/base.h"

#include <stdlib.h>
#include <string.h>

struct cube_object {
    PyObject_HEAD struct vf_cube *cube;
    size_t n_axes, n_values, n_states;
    struct vf_cube_state *states; /* names are Python's: only the ways to merge are read after open */
};

#define STATES_MAX 1024

static struct cube_object *self_of(PyObject *self) {
    return (struct cube_object *)self;
}

/* [(merge, name), ...]; texts stay owned by the tuples. */
static bool read_states(PyObject *list, struct cube_object *self) {
    Py_ssize_t n = length_of(list, "states", STATES_MAX);
    if (n < 0) return false;
    self->states = calloc((size_t)n + 1, sizeof *self->states);
    if (self->states == NULL) return PyErr_NoMemory() != NULL;
    self->n_states = (size_t)n;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        int merge = 0;
        bool ok = item != NULL && PyArg_ParseTuple(item, "is", &merge, &self->states[i].name);
        self->states[i].merge = (enum vf_cube_merge)merge;
        Py_XDECREF(item); /* the list keeps it, and its name */
        if (!ok) return false;
        bool two = merge == VF_CUBE_ADD_FLOAT || merge == VF_CUBE_FIRST || merge == VF_CUBE_LAST;
        self->n_values += merge == VF_CUBE_PRODUCT_FLOAT ? 3 : two ? 2 : 1;
    }
    return true;
}

static struct cube_object *new_object(PyTypeObject *type, PyObject *states) {
    struct cube_object *self = allocate_object(type);
    if (self != NULL && !read_states(states, self)) Py_CLEAR(self);
    return self;
}

static PyObject *cube_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"n_axes", "states", "n_threads", NULL};
    struct vf_error err = {0};
    PyObject *states;
    unsigned n_axes, n_threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "IOI", names, &n_axes, &states, &n_threads)) return NULL;
    struct cube_object *self = new_object(type, states);
    if (self == NULL) return NULL;
    struct vf_context ctx = {.n_threads = n_threads};
    self->n_axes = n_axes;
    return opened(self, vf_cube_open(&ctx, n_axes, self->states, self->n_states, &self->cube, &err), &err);
}

static void cube_dealloc(PyObject *self) {
    vf_cube_close(self_of(self)->cube);
    free(self_of(self)->states);
    free_object(self);
}

/* ---- making one ---- */

typedef enum vf_status (*row_function)(struct vf_cube *, const struct vf_series *, const struct vf_series *, int64_t,
                                       struct vf_error *);

static PyObject *take_rows(PyObject *self, PyObject *args, row_function function) {
    struct cube_object *object = self_of(self);
    struct rows_in rows;
    struct vf_error err = {0};
    enum vf_status status;
    if (!rows_in_new(args, "this cube", object->n_axes, object->n_values, &rows)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = function(object->cube, rows.keys.series, rows.values.series, rows.n_rows, &err);
    rows_in_free(&rows);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *cube_learn(PyObject *self, PyObject *args) {
    return take_rows(self, args, vf_cube_learn);
}

static PyObject *cube_add(PyObject *self, PyObject *args) {
    return take_rows(self, args, vf_cube_add);
}

static PyObject *cube_learn_axis(PyObject *self, PyObject *args) {
    struct columns_in in;
    struct vf_error err = {0};
    enum vf_status status;
    PyObject *columns;
    Py_ssize_t axis, n;
    if (!PyArg_ParseTuple(args, "nOn", &axis, &columns, &n) || !columns_in_new(columns, &in)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_cube_learn_axis(self_of(self)->cube, (size_t)axis, in.n == 1 ? in.series : NULL, n, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *cube_size(PyObject *self, PyObject *unused) {
    struct vf_cube_size size;
    struct vf_error err = {0};
    (void)unused;
    if (vf_cube_size(self_of(self)->cube, &size, &err) != VF_OK) return raise_error(&err);
    return Py_BuildValue("(LKKKKKII)", (long long)size.n_rows, (unsigned long long)size.dense_cells,
                         (unsigned long long)size.dense_bytes, (unsigned long long)size.dense_kept,
                         (unsigned long long)size.sparse_bytes, (unsigned long long)size.sparse_kept,
                         (unsigned)size.record_words, (unsigned)size.scan_bytes);
}

static PyObject *cube_lengths(PyObject *self, PyObject *unused) {
    struct vf_cube_size size;
    struct vf_error err = {0};
    (void)unused;
    if (vf_cube_size(self_of(self)->cube, &size, &err) != VF_OK) return raise_error(&err);
    PyObject *list = PyList_New(0);
    for (size_t a = 0; list != NULL && a < self_of(self)->n_axes; a++) {
        PyObject *length = PyLong_FromUnsignedLongLong(size.lengths[a]);
        if (length == NULL || PyList_Append(list, length) != 0) Py_CLEAR(list);
        Py_XDECREF(length);
    }
    return list;
}

static PyObject *cube_build(PyObject *self, PyObject *args) {
    struct vf_error err = {0};
    int layout;
    unsigned long long limit;
    enum vf_status status;
    if (!PyArg_ParseTuple(args, "iK", &layout, &limit)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_cube_build(self_of(self)->cube, (enum vf_cube_layout)layout, limit, &err);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *cube_finish(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_cube_finish(self_of(self)->cube, &err);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

/* ---- asking one ---- */

static PyObject *cube_shape(PyObject *self, PyObject *unused) {
    struct vf_cube_shape shape;
    struct vf_error err = {0};
    (void)unused;
    if (vf_cube_shape(self_of(self)->cube, &shape, &err) != VF_OK) return raise_error(&err);
    return Py_BuildValue("(iKK)", (int)shape.layout, (unsigned long long)shape.bytes,
                         (unsigned long long)shape.n_rows);
}

static PyObject *cube_axis(PyObject *self, PyObject *arg) {
    struct vf_column column = {0};
    struct vf_error err = {0};
    size_t axis = PyLong_AsSize_t(arg);
    if (axis == (size_t)-1 && PyErr_Occurred()) return NULL;
    enum vf_status status = vf_cube_axis(self_of(self)->cube, axis, &column, &err);
    return column_or_error(self, status, &column, &err);
}

/* Positions as bytes of uint32. */
static bool read_positions(PyObject *bytes, const uint32_t **positions, size_t *n) {
    char *data;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(bytes, &data, &length) != 0) return false;
    *positions = (const uint32_t *)(const void *)data; /* a bytes object's text is aligned as its header is */
    *n = (size_t)length / sizeof **positions;
    return true;
}

static bool read_picks(PyObject *list, struct vf_cube_pick *picks, size_t n_axes) {
    for (size_t a = 0; a < n_axes; a++) {
        PyObject *item = PySequence_GetItem(list, (Py_ssize_t)a);
        bool ok = item != NULL && (item == Py_None || read_positions(item, &picks[a].positions, &picks[a].n));
        Py_XDECREF(item); /* the list keeps it */
        if (!ok) return false;
    }
    return true;
}

static size_t columns_of(const struct cube_object *object, const struct vf_cube_query *query) {
    size_t n = query->n_kept;
    for (size_t i = 0; i < query->n_states; i++) {
        size_t state = query->states[i];
        enum vf_cube_merge merge = state < object->n_states ? object->states[state].merge : VF_CUBE_ADD_INT;
        n += merge == VF_CUBE_PRODUCT_FLOAT ? 3 : merge == VF_CUBE_ADD_FLOAT ? 2 : 1;
    }
    return n;
}

static PyObject *cube_query(PyObject *self, PyObject *args) {
    struct cube_object *object = self_of(self);
    struct vf_cube_pick picks[16] = {{NULL, 0}};
    struct vf_cube_query query = {.picks = picks};
    struct vf_error err = {0};
    PyObject *pick_list, *kept, *states;
    unsigned long long limit;
    enum vf_status status;
    if (!PyArg_ParseTuple(args, "OOOK", &pick_list, &kept, &states, &limit) ||
        !read_picks(pick_list, picks, object->n_axes) || !read_positions(kept, &query.kept, &query.n_kept) ||
        !read_positions(states, &query.states, &query.n_states))
        return NULL;
    query.memory_limit = limit;
    size_t n = columns_of(object, &query);
    struct vf_column *out = calloc(n + 1, sizeof *out);
    if (out == NULL) return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS;
    status = vf_cube_query(object->cube, &query, out, &err);
    Py_END_ALLOW_THREADS;
    PyObject *list = columns_or_error(self, status, out, n, &err);
    free(out);
    return list;
}

/* ---- parts ---- */

static PyObject *cube_parts(PyObject *self, PyObject *unused) {
    struct vf_cube *cube = self_of(self)->cube;
    struct vf_error err = {0};
    enum vf_status status = VF_OK;
    size_t n = vf_cube_n_parts(cube), done = 0;
    (void)unused;
    struct vf_column *out = calloc(n + 1, sizeof *out);
    if (out == NULL) return PyErr_NoMemory();
    while (done < n && (status = vf_cube_part(cube, done, &out[done], &err)) == VF_OK)
        done++;
    PyObject *list = columns_or_error(self, status, out, n, &err);
    for (size_t i = 0; i < done; i++)
        vf_column_release(&out[i]); /* moved ones are empty */
    free(out);
    return list;
}

static void free_columns(void *columns) {
    columns_in_free(columns);
    free(columns);
}

static PyObject *cube_attach(PyObject *type, PyObject *args) {
    struct vf_error err = {0};
    PyObject *states, *parts;
    unsigned n_axes, n_threads;
    if (!PyArg_ParseTuple(args, "IOOI", &n_axes, &states, &parts, &n_threads)) return NULL;
    struct cube_object *self = new_object((PyTypeObject *)type, states);
    if (self == NULL) return NULL;
    struct columns_in *in = calloc(1, sizeof *in);
    if (in == NULL || !columns_in_new(parts, in)) {
        free(in);
        Py_DECREF(self);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    struct vf_context ctx = {.n_threads = n_threads};
    enum vf_status status;
    struct vf_column beyond = {0};
    self->n_axes = n_axes;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_cube_attach(&ctx, self->states, self->n_states, in->series, in->n, in, free_columns, &self->cube, &err);
    Py_END_ALLOW_THREADS;
    if (status == VF_OK && vf_cube_axis(self->cube, n_axes, &beyond, NULL) == VF_OK) { /* picks are of n_axes */
        vf_column_release(&beyond);
        (void)vf__fail(&err, VF_ERROR_DATA, NULL, -1, "the cube has more axes than the %u that are told", n_axes);
        Py_DECREF(self); /* and `in` with it */
        return raise_error(&err);
    }
    if (status == VF_OK) return (PyObject *)self;
    free_columns(in);
    Py_DECREF(self);
    return raise_error(&err);
}

static PyMethodDef cube_methods[] = {
    {"learn", cube_learn, METH_VARARGS, "learn($self, keys, values, n_rows, /)\n--\n\nFirst reading."},
    {"learn_axis", cube_learn_axis, METH_VARARGS,
     "learn_axis($self, axis, [values], n, /)\n--\n\nValues that an axis has though no row may hold them."},
    {"size", cube_size, METH_NOARGS,
     "(rows, dense cells, dense bytes, dense kept, sparse bytes, sparse kept, record words, scan bytes)."},
    {"lengths", cube_lengths, METH_NOARGS, "Lengths of the axes, before build."},
    {"build", cube_build, METH_VARARGS, "build($self, layout, memory_limit, /)\n--\n\nAllocate; limit 0: none."},
    {"add", cube_add, METH_VARARGS, "add($self, keys, values, n_rows, /)\n--\n\nSecond reading."},
    {"finish", cube_finish, METH_NOARGS, "Make the running sums."},
    {"shape", cube_shape, METH_NOARGS, "(layout, bytes held, rows)."},
    {"axis", cube_axis, METH_O, "axis($self, axis, /)\n--\n\nThe values of an axis, null first."},
    {"query", cube_query, METH_VARARGS,
     "query($self, picks, kept, states, memory_limit, /)\n--\n\n"
     "Columns: positions of the kept axes, then the states. Positions, axes and states are bytes of uint32."},
    {"parts", cube_parts, METH_NOARGS, "The cube as flat columns, not copied."},
    {"attach", cube_attach, METH_VARARGS | METH_CLASS,
     "attach($type, n_axes, states, parts, n_threads, /)\n--\n\nA cube over parts, where they lie."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(cube, "Cube", "States of many dates as an array: see vf_cube_open.");
