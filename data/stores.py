"""Object stores: the files of a dataset as objects of S3, Google Cloud, Azure or a web server."""

import hashlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import IO, Any, TypeVar

from hypermagnetics.data.manifest import FileEntry
from hypermagnetics.errors import DatasetError, HypermagneticsError
from hypermagnetics.extras import refuse_missing

_Answer = TypeVar("_Answer")
_SCHEMES = ("s3", "gs", "az", "https", "hf")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_HUGGING_FACE = re.compile(r"datasets/([^/@]+/[^/@]+)(?:@([^/]+))?(/.*)?")
"""Place of a dataset on Hugging Face: its repository, a revision, and a directory in it."""
_HUB = "https://huggingface.co"
_READ_ALONE = ("https", "hf")
_NO_BUCKET = "NoSuchBucket"
_PLACE = re.compile(r"[^\s/@?#]+(/[^\s@?#]*)?")
_PART_BYTES = 1 << 24
"""Bytes of one request: a connection gives some 80 MB/s, so large files are read by several."""
_WRITTEN_BYTES = 1 << 24
"""Bytes of one request of an upload; S3 takes no fewer than 5 MiB, but for the last."""
_PARTS_AHEAD = 4
_TRIES = 4
_SECONDS_BEFORE_RETRY = 0.5
_RETRIES: dict[str, Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
"""Of one request, by obstore, with waits that double."""
_TIMEOUTS = {"timeout": "60s", "connect_timeout": "20s"}
"""Longest times of a request, and of its beginning."""
_DIGEST = "sha256"
"""Attribute of each object, so that an upload that goes on knows those it has made."""
_WITHOUT_CREDENTIALS = ("/latest/api/token", "/latest/meta-data", "metadata.google", "credential")
"""Words of errors that come where no credentials are set: a machine of the cloud is looked for."""
_TO_BE_PERMITTED = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.",
    "gs": "Set GOOGLE_APPLICATION_CREDENTIALS in the environment.",
    "az": "Set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY in the environment.",
    "https": "Open it to all: no credentials are sent to a web server.",
    "hf": "Set HF_TOKEN in the environment, or open it to all.",
}


class Store:
    """The objects below one URL. Any thread may use it."""

    def __init__(self, url: str) -> None:
        """Name the place; nothing is asked of it yet.

        Args:
            url: `s3://BUCKET/PREFIX`, `gs://`, `az://`; or, to read alone, `https://HOST/PREFIX`
                or `hf://datasets/OWNER/NAME/PREFIX`. Credentials come from the environment, as the
                store's own programs take them.

        Raises:
            HypermagneticsError: If the extra `stores` is not installed, or it is no such URL.
        """
        found = _URL.fullmatch(url)
        if not found or found[1] not in _SCHEMES or not _is_place(found[1], found[2]):
            # Whatever stands before an @ or behind a ? may be a secret.
            shown = re.sub(r"//[^/]*@", "//...@", url).partition("?")[0]
            raise HypermagneticsError(
                "The URL of a dataset must be s3://, gs://, az:// or https://, with a bucket or "
                "host, or hf://datasets/OWNER/NAME[@REVISION], and without credentials or a query; "
                f"got {shown!r}. Set credentials in the environment."
            )
        refuse_missing("obstore", f"A dataset in a store ({found[1]}://)")
        self.url, self.scheme = url.rstrip("/"), found[1]
        self._store = _opened(self.url)

    def read(self, path: str, most_bytes: int) -> bytes:
        """Read a whole object.

        Args:
            path: Its path below the URL.
            most_bytes: Largest size.

        Raises:
            DatasetError: If it is absent, or larger.
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        import obstore

        with self._answers(path):
            found = obstore.get(self._store, path)
            if (size := found.meta["size"]) > most_bytes:
                raise DatasetError(
                    f"{path} of a dataset must have at most {most_bytes} bytes; got {size} "
                    f"({self.url}). Check the URL."
                )
            return bytes(found.bytes())

    def fetch(
        self, entry: FileEntry, file: IO[bytes], given_up: Callable[[], bool] = lambda: False
    ) -> None:
        """Read an object into a file, and check its bytes.

        Args:
            entry: The file of a manifest that it must be.
            file: An empty file, open for writing.
            given_up: Whether nobody waits for it any more; asked after each part.

        Raises:
            DatasetError: If it is absent, or has other bytes, also when it is read again.
            HypermagneticsError: If the store does not answer or forbids it, or it was given up.
        """
        for wait in _waits():
            time.sleep(wait)
            file.seek(0)
            file.truncate()
            found = self._copy(entry, file, given_up)
            if found == entry.sha256:
                return
        raise DatasetError(
            f"{entry.path} must have sha256 {entry.sha256[:12]}... and {entry.bytes} bytes; got "
            f"other bytes in each of {_TRIES} tries ({self.url}; rule D5). Upload the dataset "
            "again from a sound copy."
        )

    def _copy(self, entry: FileEntry, file: IO[bytes], given_up: Callable[[], bool]) -> str:
        """Copy the bytes of an object, and return their sha256."""
        digest = hashlib.sha256()
        for content in self._parts(entry):
            if given_up():
                raise HypermagneticsError(
                    f"A file must be fetched to its end; got an end of the work that wanted "
                    f"{entry.path} ({self.url}). It comes when it is read again."
                )
            file.write(content)
            digest.update(content)
        return digest.hexdigest()

    def _parts(self, entry: FileEntry) -> Iterator[bytes]:
        """The bytes of an object in order, read by a few requests at a time."""
        with ThreadPoolExecutor(_PARTS_AHEAD) as threads:
            begun: deque[Future[bytes]] = deque()
            for start in range(0, entry.bytes, _PART_BYTES):
                begun.append(threads.submit(self._part, entry, start))
                if len(begun) == _PARTS_AHEAD:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()

    def _part(self, entry: FileEntry, start: int) -> bytes:
        """Some consecutive bytes of an object."""
        import obstore

        end = min(start + _PART_BYTES, entry.bytes)

        def read() -> bytes:
            # The bytes come as they are asked for, and may stop coming.
            return bytes(obstore.get_range(self._store, entry.path, start=start, end=end))

        return self._again(entry.path, read)

    def refuse_reading_alone(self) -> None:
        """Refuse a store that cannot be written to.

        Raises:
            HypermagneticsError: If it is a web server, or Hugging Face.
        """
        if self.scheme in _READ_ALONE:
            raise HypermagneticsError(
                "A store to write to must be s3://, gs:// or az://, which write on a condition; "
                f"got {self.url!r}. Make a directory, and copy it by the means of that server."
            )

    def is_empty(self) -> bool:
        """Whether there is no object."""
        return not any(self._listed(""))

    def sizes(self, directory: str = "") -> dict[str, int]:
        """Bytes of all objects.

        Args:
            directory: Path below which they lie; all if it is empty.

        Returns:
            Their sizes, by path.

        Raises:
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        return {found["path"]: found["size"] for found in self._listed(directory)}

    def _listed(self, directory: str) -> Iterator[Any]:
        """Descriptions of objects, by some thousand a request."""
        import obstore

        with self._answers(directory or "objects"):
            for some in obstore.list(self._store, directory or None):
                yield from some

    def digest_of(self, path: str) -> str | None:
        """The sha256 that an object was uploaded with; None if there is none."""
        import obstore

        try:
            with self._answers(path):
                found = obstore.get(self._store, path)
                return dict(found.attributes).get(_DIGEST)
        except _AbsentError:
            return None

    def has(self, path: str) -> bool:
        """Whether there is an object."""
        return self.size_of(path) is not None

    def size_of(self, path: str) -> int | None:
        """Bytes of an object; None if it is absent."""
        import obstore

        try:
            with self._answers(path):
                size: int = obstore.head(self._store, path)["size"]
        except _AbsentError:
            return None
        return size

    def put(self, path: str, content: IO[bytes] | bytes, sha256: str) -> None:
        """Write an object, whole or not at all, in place of one that is there.

        Args:
            path: Its path below the URL.
            content: Its bytes, or a file that has them.
            sha256: Their sha256, which becomes an attribute.

        Raises:
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        import obstore

        with self._answers(path):
            obstore.put(
                self._store, path, content, attributes={_DIGEST: sha256}, chunk_size=_WRITTEN_BYTES
            )

    def create(self, path: str, content: bytes) -> bool:
        """Write an object that must not be there yet; of several writers one alone succeeds.

        Args:
            path: Its path below the URL.
            content: Its bytes.

        Returns:
            Whether it was made; False if there is one. That may be of this call, if the answer to
            a first try was lost, so compare it.

        Raises:
            HypermagneticsError: If the store does not answer, or forbids it.
        """
        import obstore

        try:
            self._again(path, partial(obstore.put, self._store, path, content, mode="create"))
        except _TakenError:
            return False
        return True

    def remove(self, *paths: str) -> None:
        """Delete objects, some thousand a request; those that are absent are passed over."""
        import obstore

        if not paths:
            return
        try:
            self._again(paths[0], partial(obstore.delete, self._store, list(paths)))
        except _AbsentError:
            for path in paths if len(paths) > 1 else ():  # where one ends the request
                self.remove(path)

    def _again(self, path: str, request: Callable[[], _Answer]) -> _Answer:
        """Repeat a request where obstore does not: if it changes something, or its answer ends."""
        for wait in _waits():
            time.sleep(wait)
            try:
                with self._answers(path):
                    return request()
            except _NoAnswerError as error:
                last = error
        raise last

    @contextmanager
    def _answers(self, path: str) -> Iterator[None]:
        """Turn errors of a store into a sentence."""
        from obstore import exceptions

        refused = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
        try:
            yield
        except FileNotFoundError as error:
            if _NO_BUCKET in str(error):
                raise self._no_bucket() from error
            raise _AbsentError(
                f"A dataset in a store must have {path}; got no such object ({self.url}; rule D3). "
                "Check the URL; an upload that was interrupted is completed by its own command."
            ) from error
        except exceptions.AlreadyExistsError as error:
            raise _TakenError(
                f"A new object of a store must get a free name; got one that is taken, {path} "
                f"({self.url}). Choose another URL."
            ) from error
        except (*refused, PermissionError) as error:
            raise self._forbidden() from error
        except exceptions.BaseError as error:
            said = _without_secrets(str(error).partition("\n")[0])
            if any(word in said for word in _WITHOUT_CREDENTIALS):
                raise self._forbidden() from error
            if _NO_BUCKET in str(error):
                raise self._no_bucket() from error
            raise _NoAnswerError(
                f"The store of a dataset must answer; got: {said[:300]} ({self.url}). Give the "
                "same command again: finished files are kept."
            ) from error

    def _no_bucket(self) -> HypermagneticsError:
        return HypermagneticsError(
            f"The bucket of a dataset must exist; got none ({self.url}). Check the URL, or make "
            "the bucket."
        )

    def _forbidden(self) -> HypermagneticsError:
        return HypermagneticsError(
            f"The store must let you read, and write to upload; got no permission ({self.url}). "
            f"{_TO_BE_PERMITTED[self.scheme]}"
        )


class _AbsentError(DatasetError):
    """There is no such object."""


class _TakenError(DatasetError):
    """There is an object of this name."""


class _NoAnswerError(HypermagneticsError):
    """A store did not answer, which it may do when it is asked again."""


def _waits() -> Iterator[float]:
    """Seconds to wait before each try."""
    yield 0.0
    for number in range(_TRIES - 1):
        yield _SECONDS_BEFORE_RETRY * 2**number


def _without_secrets(text: str) -> str:
    """A text without the query of its URLs, which signs those that a hub or a store leads to."""
    return re.sub(r"(://[^\s?]*)\?[^\s)\"']*", r"\1", text)


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return _URL.fullmatch(text) is not None


def _is_place(scheme: str, rest: str) -> bool:
    """Whether the part of a URL behind its scheme names a place."""
    if scheme == "hf":
        return _HUGGING_FACE.fullmatch(rest) is not None
    return _PLACE.fullmatch(rest) is not None


def _opened(url: str) -> Any:
    from obstore.store import from_url

    options: dict[str, Any] = dict(_TIMEOUTS)
    if url.startswith("hf://"):
        found = _HUGGING_FACE.fullmatch(url.removeprefix("hf://"))
        assert found is not None, "it was looked at"
        url = f"{_HUB}/datasets/{found[1]}/resolve/{found[2] or 'main'}"
        url += found[3] or ""
        if token := os.environ.get("HF_TOKEN"):
            options["default_headers"] = {"Authorization": f"Bearer {token}"}
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["allow_http"] = True  # a store of one's own, as the user has said
    return from_url(url, client_options=options, retry_config=_RETRIES)
