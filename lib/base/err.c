/* SPDX-License-Identifier: MIT */
#include "../dsv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

DSV_PRINTF(5, 0)
static void set(struct dsv_err *err, enum dsv_code code, enum dsv_hint hint,
		const char *subject, const char *fmt, va_list ap)
{
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	snprintf(err->subject, sizeof(err->subject), "%s",
		 subject ? subject : "");
	err->code = code;
	err->hint = hint;
}

int dsv_fail(struct dsv_err *err, enum dsv_code code, const char *fmt, ...)
{
	int saved_errno = errno;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		set(err, code, DSV_HINT_NONE, NULL, fmt, ap);
		va_end(ap);
	}
	errno = saved_errno;
	return code;
}

int dsv_fail_hint(struct dsv_err *err, enum dsv_code code, enum dsv_hint hint,
		  const char *subject, const char *fmt, ...)
{
	int saved_errno = errno;
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		set(err, code, hint, subject, fmt, ap);
		va_end(ap);
	}
	errno = saved_errno;
	return code;
}

int dsv_fail_as(struct dsv_err *err, int code, const struct dsv_err *why)
{
	return dsv_fail_hint(err, (enum dsv_code)code, why->hint,
			     why->subject, "%s", why->msg);
}

int dsv_fail_errno(struct dsv_err *err, const char *fmt, ...)
{
	int saved_errno = errno;
	enum dsv_code code = DSV_ESYS;
	char reason[128];
	size_t len;
	va_list ap;

	if (saved_errno == ENOSPC || saved_errno == EDQUOT)
		code = DSV_ENOSPC;
	else if (saved_errno == EINTR)
		code = DSV_EINTERRUPTED;
	if (err) {
		va_start(ap, fmt);
		set(err, code, DSV_HINT_NONE, NULL, fmt, ap);
		va_end(ap);
		len = strlen(err->msg);
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
			 strerror_r(saved_errno, reason, sizeof(reason)));
	}
	errno = saved_errno;
	return code;
}

int dsv_fail_in(struct dsv_err *err, int ret, const char *fmt, ...)
{
	int saved_errno = errno;
	char inner[sizeof(err->msg)];
	size_t len;
	va_list ap;

	if (err) {
		memcpy(inner, err->msg, sizeof(inner));
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
		len = strlen(err->msg);
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
			 inner);
	}
	errno = saved_errno;
	return ret;
}

const char *dsv_code_name(enum dsv_code code)
{
	switch (code) {
	case DSV_OK: return "ok";
	case DSV_NO: return "no";
	case DSV_EUSAGE: return "usage";
	case DSV_EPARTIAL: return "partial";
	case DSV_ENOTFOUND: return "not-found";
	case DSV_ESYS: return "system";
	case DSV_ENOREPO: return "no-repository";
	case DSV_ELOCKED: return "locked";
	case DSV_EREMOTE: return "remote";
	case DSV_ECORRUPT: return "integrity";
	case DSV_EREFUSED: return "refused";
	case DSV_ENOSPC: return "no-space";
	case DSV_EINTERRUPTED: return "interrupted";
	}
	return "unknown";
}

int dsv_fail_nomem(struct dsv_err *err)
{
	return dsv_fail(err, DSV_ESYS, "out of memory");
}
