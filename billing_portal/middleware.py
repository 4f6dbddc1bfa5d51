"""Middleware of the whole site."""

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

#: django-unfold renders with Alpine.js, which evaluates expressions and writes inline styles.
_admin_policy = {
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
}


#: An answer of the API is no page: it loads nothing and is shown in nothing.
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """The strict policy everywhere, a looser one on the admin and the API's browsable docs.

    The API's own is the strictest, and a constant: putting one together takes as long as a query.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the header that fits the path."""
        if request.path.startswith("/api/v1/"):
            response.headers["Content-Security-Policy"] = _API_POLICY
            return response
        if request.path.startswith(("/admin/", "/api/docs/")):
            response._csp_replace = _admin_policy  # type: ignore[attr-defined]
        return super().process_response(request, response)
