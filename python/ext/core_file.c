/* _core.File: a file that is whole under its final name, as an object that Polars' writers take for an open file.
   Not for how that is done: vf_file_open and its kin. */
#include "object.h"

#include <pthread.h>

/* Polars writes from threads of its own, and one of them may still be in a call when another has failed and the file
   is discarded: calls wait for each other. The lock is only taken without the GIL, and its holder never asks for it. */
struct file_object {
    PyObject_HEAD struct vf_file *file; /* NULL: discarded; guarded by the lock, as all of the file */
    pthread_mutex_t lock;
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
    (void)pthread_mutex_init(&self->lock, NULL); /* a plain one cannot fail where it takes no memory */
    enum vf_status status;
    const char *text = PyBytes_AsString(path);
    Py_BEGIN_ALLOW_THREADS;
    status = vf_file_open(NULL, text, &self->file, &err);
    Py_END_ALLOW_THREADS;
    Py_DECREF(path);
    return opened(self, status, &err);
}

static PyObject *closed(void) {
    PyErr_SetString(PyExc_ValueError, "the file is closed");
    return NULL;
}

static PyObject *file_write(PyObject *object, PyObject *data) {
    struct file_object *self = (struct file_object *)object;
    struct vf_error err = {0};
    enum vf_status status = VF_OK;
    bool open;
    char *bytes;
    Py_ssize_t size;
    PyObject *copy =
        PyBytes_Check(data) ? Py_NewRef(data) : PyBytes_FromObject(data); /* the limited API of 3.10
                                                                                          has no buffers */
    if (copy == NULL) return NULL;
    if (PyBytes_AsStringAndSize(copy, &bytes, &size) != 0) {
        Py_DECREF(copy);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    (void)pthread_mutex_lock(&self->lock);
    open = self->file != NULL;
    if (open) status = vf_file_write(self->file, bytes, (size_t)size, &err);
    (void)pthread_mutex_unlock(&self->lock);
    Py_END_ALLOW_THREADS;
    Py_DECREF(copy);
    if (!open) return closed();
    return status == VF_OK ? PyLong_FromSsize_t(size) : raise_error(&err);
}

static PyObject *file_commit(PyObject *object, PyObject *unused) {
    struct file_object *self = (struct file_object *)object;
    struct vf_error err = {0};
    enum vf_status status = VF_OK;
    bool open;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    (void)pthread_mutex_lock(&self->lock);
    open = self->file != NULL;
    if (open) status = vf_file_commit(self->file, &err);
    (void)pthread_mutex_unlock(&self->lock);
    Py_END_ALLOW_THREADS;
    return open ? none_or_error(status, &err) : closed();
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
    Py_BEGIN_ALLOW_THREADS;
    (void)pthread_mutex_lock(&self->lock);
    vf_file_close(self->file);
    self->file = NULL;
    (void)pthread_mutex_unlock(&self->lock);
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

static void file_dealloc(PyObject *object) {
    struct file_object *self = (struct file_object *)object;
    vf_file_close(self->file);
    (void)pthread_mutex_destroy(&self->lock);
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
