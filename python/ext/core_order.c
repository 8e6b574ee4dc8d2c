/* _core.Order: the report on the order of a day's rows, batch by batch.
   Not for the counting: vf_order_update. */
#include "object.h"

struct order_object {
    PyObject_HEAD struct vf_order *order;
};

static PyObject *order_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct vf_error err = {0};
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "")) return NULL;
    struct order_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    return opened(self, vf_order_open(NULL, &self->order, &err), &err);
}

static PyObject *order_update(PyObject *self, PyObject *args) {
    struct columns_in in;
    struct vf_error err = {0};
    enum vf_status status;
    if (PyTuple_Size(args) != 2) return PyErr_Format(PyExc_ValueError, "update takes key and time");
    if (!columns_in_new(args, &in)) return NULL;
    if (in.items[1] == NULL) return refuse_columns(&in, "the time is missing");
    Py_BEGIN_ALLOW_THREADS;
    status = vf_order_update(((struct order_object *)self)->order, in.items[0] != NULL ? &in.series[0] : NULL,
                             &in.series[1], &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *order_report(PyObject *self, PyObject *unused) {
    struct vf_order_report report;
    (void)unused;
    vf_order_report(((struct order_object *)self)->order, &report);
    return Py_BuildValue(
        "{sLsLsLsLsLsLsLsLsL}", "rows", (long long)report.n_rows, "unknown", (long long)report.n_unknown,
        "late", (long long)report.n_late, "first_late", (long long)report.first_late, "most_late_ns",
        (long long)report.most_late_ns, "late_of_key", (long long)report.n_late_of_key, "first_late_of_key",
        (long long)report.first_late_of_key, "most_late_of_key_ns", (long long)report.most_late_of_key_ns,
        "equal_of_key", (long long)report.n_equal_of_key);
}

static void order_dealloc(PyObject *self) {
    vf_order_close(((struct order_object *)self)->order);
    free_object(self);
}

static PyMethodDef order_methods[] = {
    {"update", order_update, METH_VARARGS,
     "update($self, key, time, /)\n--\n\nThe next rows; key may be None."},
    {"report", order_report, METH_NOARGS, "report($self, /)\n--\n\nWhat was seen so far."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(order, "Order", "Whether rows come in the order of their times: see vf_order_open.");
