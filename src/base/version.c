/* The version string. Not for anything else. */
#include "vizflow/vizflow.h"

const char *vf_version(void) { return VF_VERSION; }
