/* See convert.h. Everything that owns Arrow memory here frees it without the interpreter, because Polars
   drops columns from its own threads. */
#include "convert.h"

#include "arrow/build.h"
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

/* ---- objects ---- */

void *allocate_object(PyTypeObject *type) {
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

void free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

/* ---- errors ---- */

PyObject *raise_error(const struct vf_error *err) {
    if (err->code == VF_ERROR_MEMORY) return PyErr_NoMemory();
    PyObject *module = PyImport_ImportModule("vizflow.errors");
    if (module == NULL) return NULL;
    PyObject *error = PyObject_CallMethod(module, "from_c", "ssLLs", vf_status_name(err->code), err->message,
                                          (long long)err->row, (long long)err->count, err->column);
    Py_DECREF(module);
    if (error == NULL) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

/* ---- in
 * ---------------------------------------------------------------------------------------------------------
 */

void column_in_free(void *column) {
    struct column_in *c = column;
    if (c == NULL) return;
    for (size_t i = 0; i < c->series.n_chunks; i++)
        if (c->chunks[i].release != NULL) c->chunks[i].release(&c->chunks[i]);
    if (c->schema.release != NULL) c->schema.release(&c->schema);
    free(c->chunks);
    free(c->pointers);
    free(c);
}

static bool stream_failed(struct ArrowArrayStream *stream, int code) {
    const char *text = stream->get_last_error != NULL ? stream->get_last_error(stream) : NULL;
    PyErr_Format(code == ENOMEM ? PyExc_MemoryError : PyExc_ValueError, "reading an Arrow stream failed: %s",
                 text != NULL ? text : "no reason given");
    return false;
}

static bool read_chunks(struct ArrowArrayStream *stream, struct column_in *c) {
    size_t capacity = 0;
    for (;;) {
        struct ArrowArray array = {0};
        int code = stream->get_next(stream, &array);
        if (code != 0) return stream_failed(stream, code);
        if (array.release == NULL) return true;
        if (c->series.n_chunks == capacity) {
            capacity = capacity != 0 ? capacity * 2 : 4;
            struct ArrowArray *chunks = realloc(c->chunks, capacity * sizeof *chunks);
            if (chunks == NULL) {
                array.release(&array);
                PyErr_NoMemory();
                return false;
            }
            c->chunks = chunks;
        }
        c->chunks[c->series.n_chunks++] = array;
    }
}

static bool fill_column(PyObject *capsule, struct column_in *c) {
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream == NULL) return false;
    int code = stream->get_schema(stream, &c->schema);
    if (code != 0) return stream_failed(stream, code);
    if (!read_chunks(stream, c)) return false;
    c->pointers = malloc((c->series.n_chunks + 1) * sizeof *c->pointers);
    if (c->pointers == NULL) {
        PyErr_NoMemory();
        return false;
    }
    for (size_t i = 0; i < c->series.n_chunks; i++)
        c->pointers[i] = &c->chunks[i];
    c->series.schema = &c->schema;
    c->series.chunks = c->pointers;
    return true;
}

/* Polars ends the process where it exports a column whose name has a NUL character: C's names end there. */
static bool has_name_for_c(PyObject *object) {
    PyObject *name = PyObject_GetAttrString(object, "name");
    if (name == NULL) PyErr_Clear(); /* no Series: whoever exports it sees to its name */
    bool fits = name == NULL || !PyUnicode_Check(name) || PyUnicode_FindChar(name, 0, 0, PyUnicode_GetLength(name), 1) < 0;
    if (!fits) {
        struct vf_error err = {0};
        (void)vf__fail(&err, VF_ERROR_TYPE, NULL, -1, "a column's name has a NUL character in it; rename the column");
        raise_error(&err);
    }
    Py_XDECREF(name);
    return fits;
}

struct column_in *column_in_new(PyObject *object) {
    if (!has_name_for_c(object)) return NULL;
    PyObject *capsule = PyObject_CallMethod(object, "__arrow_c_stream__", NULL);
    if (capsule == NULL) return NULL;
    struct column_in *c = calloc(1, sizeof *c);
    if (c == NULL) {
        PyErr_NoMemory();
    } else if (!fill_column(capsule, c)) {
        column_in_free(c);
        c = NULL;
    }
    Py_DECREF(capsule);
    return c;
}

bool columns_in_new(PyObject *sequence, struct columns_in *out) {
    *out = (struct columns_in){0};
    Py_ssize_t n = PySequence_Size(sequence);
    if (n < 0) return false;
    out->items = calloc((size_t)n + 1, sizeof *out->items);
    out->series = calloc((size_t)n + 1, sizeof *out->series);
    if (out->items == NULL || out->series == NULL) PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n && !PyErr_Occurred(); i++) {
        PyObject *item = PySequence_GetItem(sequence, i);
        if (item == NULL) break;
        if (item != Py_None) out->items[i] = column_in_new(item);
        if (out->items[i] != NULL) out->series[i] = out->items[i]->series;
        Py_DECREF(item);
        out->n++;
    }
    if (!PyErr_Occurred()) return true;
    columns_in_free(out);
    return false;
}

void columns_in_free(struct columns_in *columns) {
    for (size_t i = 0; i < columns->n; i++)
        column_in_free(columns->items[i]);
    free(columns->items);
    free(columns->series);
    *columns = (struct columns_in){0};
}

/* ---- out ---- */

struct column_object {
    PyObject_HEAD struct vf_column column;
};

/* What a stream owns. Its first schema is made before there is a stream, while a MemoryError can still be raised: of a
   callback's ENOMEM Polars makes a ValueError without a reason. */
struct stream_out {
    struct vf_column column;
    struct ArrowSchema first;
};

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    struct stream_out *own = stream->private_data;
    if (own->first.release == NULL) {
        struct vf_context ctx = vf__context(NULL);
        return vf__schema_copy(&ctx, &own->column.schema, out, NULL) == VF_OK ? 0 : ENOMEM;
    }
    *out = own->first;
    own->first.release = NULL;
    return 0;
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    struct stream_out *own = stream->private_data;
    *out = own->column.array; /* the second time, an array that is released: the end of the stream */
    own->column.array.release = NULL;
    return 0;
}

static const char *stream_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return "out of memory"; /* nothing else fails */
}

static void stream_release(struct ArrowArrayStream *stream) {
    struct stream_out *own = stream->private_data;
    if (own->first.release != NULL) own->first.release(&own->first);
    vf_column_release(&own->column);
    free(own);
    stream->release = NULL;
}

static void capsule_free(PyObject *capsule) {
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream == NULL) return;
    if (stream->release != NULL) stream->release(stream);
    free(stream);
}

PyDoc_STRVAR(column_stream_doc,
             "__arrow_c_stream__($self, requested_schema=None)\n--\n\n"
             "The column as an Arrow stream of one array. It is moved out: the second call fails.");

static PyObject *column_stream(PyObject *self, PyObject *args) {
    struct column_object *object = (struct column_object *)self;
    (void)args;
    if (object->column.array.release == NULL) {
        PyErr_SetString(PyExc_ValueError, "this column was already moved out");
        return NULL;
    }
    struct vf_context ctx = vf__context(NULL);
    struct ArrowArrayStream *stream = calloc(1, sizeof *stream);
    struct stream_out *own = calloc(1, sizeof *own);
    PyObject *capsule = NULL;
    if (stream != NULL && own != NULL &&
        vf__schema_copy(&ctx, &object->column.schema, &own->first, NULL) == VF_OK)
        capsule = PyCapsule_New(stream, "arrow_array_stream", capsule_free);
    if (capsule == NULL) {
        if (own != NULL && own->first.release != NULL) own->first.release(&own->first);
        free(stream);
        free(own);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    own->column = object->column;
    object->column = (struct vf_column){0};
    *stream = (struct ArrowArrayStream){.get_schema = stream_schema,
                                        .get_next = stream_next,
                                        .get_last_error = stream_error,
                                        .release = stream_release,
                                        .private_data = own};
    return capsule;
}

static void column_dealloc(PyObject *self) {
    vf_column_release(&((struct column_object *)self)->column);
    free_object(self);
}

static PyMethodDef column_methods[] = {{"__arrow_c_stream__", column_stream, METH_VARARGS, column_stream_doc},
                                       {NULL, NULL, 0, NULL}};

static PyType_Slot column_slots[] = {{Py_tp_dealloc, (void *)column_dealloc},
                                     {Py_tp_methods, column_methods},
                                     {Py_tp_doc, (void *)"A column computed in C, to be taken over by "
                                                         "polars.Series(column)."},
                                     {0, NULL}};

PyType_Spec column_spec = {.name = "vizflow._core.Column",
                           .basicsize = sizeof(struct column_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = column_slots};

PyObject *column_out(PyObject *module, struct vf_column *column) {
    struct module_state *state = PyModule_GetState(module);
    PyObject *object = allocate_object(state->column_type);
    if (object == NULL) {
        vf_column_release(column);
        return NULL;
    }
    ((struct column_object *)object)->column = *column;
    *column = (struct vf_column){0};
    return object;
}

PyObject *columns_out(PyObject *module, struct vf_column *columns, size_t n) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; i < n; i++) {
        PyObject *object = list != NULL ? column_out(module, &columns[i]) : NULL;
        if (object == NULL || PyList_Append(list, object) != 0) {
            Py_CLEAR(list);
            vf_column_release(&columns[i]);
        }
        Py_XDECREF(object);
    }
    return list;
}
