/* _core.File: a file that is whole under its final name, as an object that Polars' writers take for an open file.
   Not for how that is done: vf_file_open and its kin. */
#include "object.h"

struct file_object {
    PyObject_HEAD struct vf_file *file;
    bool busy; /* a call runs without the GIL; guarded by the GIL */
};

static PyObject *file_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    struct vf_error err = {0};
    PyObject *path;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O&", PyUnicode_FSConverter, &path)) return NULL;
    struct file_object *self = allocate_object(type);
    if (self == NULL) {
        Py_DECREF(path);
        return NULL;
    }
    enum vf_status status;
    const char *text = PyBytes_AsString(path);
    Py_BEGIN_ALLOW_THREADS;
    status = vf_file_open(NULL, text, &self->file, &err);
    Py_END_ALLOW_THREADS;
    Py_DECREF(path);
    return opened(self, status, &err);
}

static bool take(struct file_object *self) {
    if (self->busy || self->file == NULL) {
        PyErr_SetString(PyExc_ValueError, self->busy ? "the file is being written to from another thread"
                                                     : "the file is closed");
        return false;
    }
    self->busy = true;
    return true;
}

static PyObject *file_write(PyObject *object, PyObject *data) {
    struct file_object *self = (struct file_object *)object;
    struct vf_error err = {0};
    enum vf_status status;
    char *bytes;
    Py_ssize_t size;
    PyObject *copy =
        PyBytes_Check(data) ? Py_NewRef(data) : PyBytes_FromObject(data); /* the limited API of 3.10
                                                                                          has no buffers */
    if (copy == NULL) return NULL;
    if (PyBytes_AsStringAndSize(copy, &bytes, &size) != 0 || !take(self)) {
        Py_DECREF(copy);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    status = vf_file_write(self->file, bytes, (size_t)size, &err);
    Py_END_ALLOW_THREADS;
    self->busy = false;
    Py_DECREF(copy);
    return status == VF_OK ? PyLong_FromSsize_t(size) : raise_error(&err);
}

static PyObject *file_commit(PyObject *object, PyObject *unused) {
    struct file_object *self = (struct file_object *)object;
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    if (!take(self)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_file_commit(self->file, &err);
    Py_END_ALLOW_THREADS;
    self->busy = false;
    return none_or_error(status, &err);
}

/* Polars flushes and closes what it wrote to; whether the file shall stand is not for it to say. */
static PyObject *file_nothing(PyObject *object, PyObject *unused) {
    (void)object;
    (void)unused;
    Py_RETURN_NONE;
}

static PyObject *file_discard(PyObject *object, PyObject *unused) {
    struct file_object *self = (struct file_object *)object;
    (void)unused;
    if (self->file == NULL) Py_RETURN_NONE;
    if (!take(self)) return NULL;
    struct vf_file *file = self->file;
    self->file = NULL;
    self->busy = false;
    Py_BEGIN_ALLOW_THREADS;
    vf_file_close(file);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static void file_dealloc(PyObject *object) {
    vf_file_close(((struct file_object *)object)->file);
    free_object(object);
}

static PyMethodDef file_methods[] = {
    {"write", file_write, METH_O, "write($self, data, /)\n--\n\nAppend bytes; their number."},
    {"flush", file_nothing, METH_NOARGS, "flush($self, /)\n--\n\nNothing: commit makes it durable."},
    {"close", file_nothing, METH_NOARGS, "close($self, /)\n--\n\nNothing: commit or discard end it."},
    {"commit", file_commit, METH_NOARGS, "commit($self, /)\n--\n\nPut the file in its place, durably."},
    {"discard", file_discard, METH_NOARGS, "discard($self, /)\n--\n\nRemove what was not committed."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(file, "File", "A file that is whole under its final name: see vf_file_open.");

PyObject *py_leftover(PyObject *module, PyObject *name) {
    PyObject *bytes;
    (void)module;
    if (!PyUnicode_FSConverter(name, &bytes)) return NULL;
    enum vf_leftover leftover = vf_file_leftover(PyBytes_AsString(bytes));
    Py_DECREF(bytes);
    return PyLong_FromLong(leftover);
}
