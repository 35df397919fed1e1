from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PullStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLVING: _ClassVar[PullStage]
    DOWNLOADING: _ClassVar[PullStage]
    UNPACKING: _ClassVar[PullStage]
    DONE: _ClassVar[PullStage]
    FAILED: _ClassVar[PullStage]
RESOLVING: PullStage
DOWNLOADING: PullStage
UNPACKING: PullStage
DONE: PullStage
FAILED: PullStage

class WatchPullsRequest(_message.Message):
    __slots__ = ("image",)
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image: str
    def __init__(self, image: _Optional[str] = ...) -> None: ...

class WatchPullsResponse(_message.Message):
    __slots__ = ("pulls",)
    PULLS_FIELD_NUMBER: _ClassVar[int]
    pulls: _containers.RepeatedCompositeFieldContainer[PullProgress]
    def __init__(self, pulls: _Optional[_Iterable[_Union[PullProgress, _Mapping]]] = ...) -> None: ...

class PullProgress(_message.Message):
    __slots__ = ("reference", "stage", "layers", "began_at", "error")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    BEGAN_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    reference: str
    stage: PullStage
    layers: _containers.RepeatedCompositeFieldContainer[LayerProgress]
    began_at: int
    error: str
    def __init__(self, reference: _Optional[str] = ..., stage: _Optional[_Union[PullStage, str]] = ..., layers: _Optional[_Iterable[_Union[LayerProgress, _Mapping]]] = ..., began_at: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class LayerProgress(_message.Message):
    __slots__ = ("digest", "done_bytes", "total_bytes", "unpacked")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    UNPACKED_FIELD_NUMBER: _ClassVar[int]
    digest: str
    done_bytes: int
    total_bytes: int
    unpacked: bool
    def __init__(self, digest: _Optional[str] = ..., done_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ..., unpacked: _Optional[bool] = ...) -> None: ...
