#include "err.h"

#include <errno.h>

static const struct {
    int errno_value;
    const char *name, *text;
} errors[PF_ERR_COUNT] = {[PF_OK] = {0, "PF_OK", "ok"},
#define PF_ERR_ROW(name, errno_value, text)                                              \
    [PF_E_##name] = {errno_value, "PF_E_" #name, text},
                          PF_ERRORS(PF_ERR_ROW)
#undef PF_ERR_ROW
};

int pf_err_errno(pf_err err)
{
    return (unsigned)err < PF_ERR_COUNT ? errors[err].errno_value : EIO;
}

const char *pf_err_text(pf_err err)
{
    return (unsigned)err < PF_ERR_COUNT ? errors[err].text : "unknown error";
}

const char *pf_err_name(pf_err err)
{
    return (unsigned)err < PF_ERR_COUNT ? errors[err].name : "unknown";
}
