#include "finding.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const class_names[PF_FINDING_CLASS_COUNT] = {
#define PF_FINDING_ROW(name, text) [PF_FINDING_##name] = (text),
    PF_FINDING_CLASSES(PF_FINDING_ROW)
#undef PF_FINDING_ROW
};

const char *pf_finding_class_name(pf_finding_class class)
{
    return (unsigned)class < PF_FINDING_CLASS_COUNT ? class_names[class] : "unknown";
}

void finding_expect(struct pf_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->expected, sizeof finding->expected, format, args);
    va_end(args);
}

void finding_found(struct pf_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->found, sizeof finding->found, format, args);
    va_end(args);
}
