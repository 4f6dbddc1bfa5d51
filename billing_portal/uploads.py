"""No page takes a file, so none is read.

Django would write whatever anybody sends, signed in or not, to the disk of the web server: the
limit on the size of a body does not count files.
"""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParserError


class NoUploads(FileUploadHandler):
    """Refuses a form with a file in it, and one that is too large, before it is read."""

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: Mapping[str, str],  # noqa: N803  (Django's name)
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        """Look at what is announced. Raises RequestDataTooBig."""
        if content_length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestDataTooBig("The form is too large.")

    def new_file(self, *args: Any, **options: Any) -> None:
        """Refuse a file. Raises MultiPartParserError."""
        raise MultiPartParserError("No page takes a file.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Keep nothing."""

    def file_complete(self, file_size: int) -> None:
        """There is none."""
