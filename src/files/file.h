/* Files that are whole under their final name: written beside it, made durable, renamed.
   Not for what is in a file, and not for reading one. */
#ifndef VF_FILES_FILE_H
#define VF_FILES_FILE_H

#include "base/base.h"

/* What a file asks of the operating system, and all that it asks: tests put a disk of their own here. Each call gives
   0 or an errno value. Paths are as the caller of vf_file_open spelled them. */
struct vf__io {
    void *state;
    int (*create)(void *state, const char *path,
                  int *handle); /* a new file to write; EEXIST where there is one */
    int (*write)(void *state, int handle, const void *data, size_t size,
                 size_t *written);        /* may write less */
    int (*sync)(void *state, int handle); /* of a file: its bytes are durable; of a folder: its names are */
    int (*close)(void *state, int handle);
    int (*rename)(void *state, const char *from, const char *to); /* replaces */
    int (*remove)(void *state, const char *path);
    int (*make_folder)(void *state, const char *path);
    int (*open_folder)(void *state, const char *path, int *handle);
};

extern const struct vf__io vf__io_system;

/* vf_file_open on any disk; `io` is copied. */
enum vf_status vf__file_open(const struct vf_context *ctx, const struct vf__io *io, const char *path,
                             struct vf_file **out, struct vf_error *err);
/* Path of the temporary file. */
const char *vf__file_temporary(const struct vf_file *file);

/* ---- names of temporary files (temporary.c) ---- */

#define VF__NAME_MAX 255 /* bytes of a file name, on every file system in use */

/* Writes the name of a temporary file for `name`, which tells this process, into out[VF__NAME_MAX + 1]. `serial`
   tells files of one process apart. */
void vf__temporary_name(char *out, const char *name, uint32_t serial);

#endif
