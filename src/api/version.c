/* The version string. Nothing else. */
#include "vizflow/vizflow.h"

const char *vf_version(void) { return VF_VERSION; }
