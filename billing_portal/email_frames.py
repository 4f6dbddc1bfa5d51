"""The HTML of an e-mail within a page of ours: in a frame that runs nothing and fetches nothing."""

from django.http import HttpResponse

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-top-navigation-by-user-activation",
    )
)


def frame(html: str) -> HttpResponse:
    """Return the e-mail's HTML for a frame. A link that is followed leaves the frame."""
    return HttpResponse(
        html.replace("<head>", '<head><base target="_top">', 1),
        headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "SAMEORIGIN"},
    )
