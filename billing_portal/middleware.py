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


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """The strict policy everywhere, a looser one on the admin and the API's browsable docs."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the header that fits the path."""
        if request.path.startswith(("/admin/", "/api/docs/")):
            response._csp_replace = _admin_policy  # type: ignore[attr-defined]
        return super().process_response(request, response)
