"""Middleware of the whole site."""

from collections.abc import Callable, Iterator

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers

from accounts import languages

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


#: Staff's tools, and what programs read, are in English: no language is negotiated there.
_ENGLISH_ONLY = ("/admin/", "/api/", "/stripe/", "/mailbox/", "/healthz", "/readyz", "/metrics")


class LanguageMiddleware:
    """Answer in the reader's language: their own choice, else a cookie's, else their browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go before what answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Speak one language until the answer is complete, a streamed one included."""
        if request.path.startswith(_ENGLISH_ONLY):
            return self.get_response(request)
        chosen = getattr(request.user, "language", "")
        language = (
            chosen
            if chosen and languages.is_known(chosen)
            else translation.get_language_from_request(request)
        )
        request.LANGUAGE_CODE = language
        with translation.override(language):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse):
            chunks = response.streaming_content
            assert isinstance(chunks, Iterator)
            response.streaming_content = _speaking(language, chunks)
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", language)
        return response


def _speaking(language: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What is streamed is written after the view has answered."""
    with translation.override(language):
        yield from chunks


class NothingKeptMiddleware:
    """No browser and no proxy keeps an answer that does not say itself that it may be kept.

    What is shown to one person must not be there for the next one at the same computer: the page
    with the secret of an authenticator app is a library's, and says nothing of it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Go before what answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the header where there is none."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class PageCompressionMiddleware(GZipMiddleware):
    """Compress pages, which are a fifth of their size then; static files WhiteNoise has compressed.

    Not the API's answers: most are too small to gain, and their time counts. Not PDFs, which are
    compressed already. What an attacker could guess of a page from its length (BREACH) is masked:
    Django writes the CSRF token differently each time, and pads the answer at random.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Compress text."""
        is_text = response.headers.get("Content-Type", "").startswith("text/")
        if request.path.startswith("/api/") or not is_text:
            return response
        return super().process_response(request, response)
