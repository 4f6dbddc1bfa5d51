"""Files that a page hands out."""

from django.http import HttpResponse


def pdf(content: bytes, *, filename: str) -> HttpResponse:
    """Return a PDF to be saved as `filename`."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
