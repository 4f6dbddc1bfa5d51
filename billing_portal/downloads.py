"""Files that a page hands out."""

from collections.abc import Iterator

from django.http import HttpResponse, StreamingHttpResponse


def pdf(content: bytes, *, filename: str) -> HttpResponse:
    """Return a PDF to be saved as `filename`."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def csv(lines: Iterator[str], *, filename: str) -> StreamingHttpResponse:
    """Return a CSV file to be saved as `filename`, sent line by line."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
