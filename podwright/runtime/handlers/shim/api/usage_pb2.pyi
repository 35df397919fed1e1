from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MetricsV1(_message.Message):
    __slots__ = ("cpu", "memory")
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    cpu: CpuV1
    memory: MemoryV1
    def __init__(self, cpu: _Optional[_Union[CpuV1, _Mapping]] = ..., memory: _Optional[_Union[MemoryV1, _Mapping]] = ...) -> None: ...

class CpuV1(_message.Message):
    __slots__ = ("usage",)
    USAGE_FIELD_NUMBER: _ClassVar[int]
    usage: CpuTimeV1
    def __init__(self, usage: _Optional[_Union[CpuTimeV1, _Mapping]] = ...) -> None: ...

class CpuTimeV1(_message.Message):
    __slots__ = ("total",)
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    total: int
    def __init__(self, total: _Optional[int] = ...) -> None: ...

class MemoryV1(_message.Message):
    __slots__ = ("total_rss", "total_page_faults", "total_major_page_faults", "total_inactive_file", "usage", "swap")
    TOTAL_RSS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_PAGE_FAULTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MAJOR_PAGE_FAULTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_INACTIVE_FILE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    SWAP_FIELD_NUMBER: _ClassVar[int]
    total_rss: int
    total_page_faults: int
    total_major_page_faults: int
    total_inactive_file: int
    usage: MemoryEntryV1
    swap: MemoryEntryV1
    def __init__(self, total_rss: _Optional[int] = ..., total_page_faults: _Optional[int] = ..., total_major_page_faults: _Optional[int] = ..., total_inactive_file: _Optional[int] = ..., usage: _Optional[_Union[MemoryEntryV1, _Mapping]] = ..., swap: _Optional[_Union[MemoryEntryV1, _Mapping]] = ...) -> None: ...

class MemoryEntryV1(_message.Message):
    __slots__ = ("limit", "usage")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    limit: int
    usage: int
    def __init__(self, limit: _Optional[int] = ..., usage: _Optional[int] = ...) -> None: ...

class MetricsV2(_message.Message):
    __slots__ = ("cpu", "memory")
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    cpu: CpuV2
    memory: MemoryV2
    def __init__(self, cpu: _Optional[_Union[CpuV2, _Mapping]] = ..., memory: _Optional[_Union[MemoryV2, _Mapping]] = ...) -> None: ...

class CpuV2(_message.Message):
    __slots__ = ("usage_usec",)
    USAGE_USEC_FIELD_NUMBER: _ClassVar[int]
    usage_usec: int
    def __init__(self, usage_usec: _Optional[int] = ...) -> None: ...

class MemoryV2(_message.Message):
    __slots__ = ("anon", "inactive_file", "page_faults", "major_page_faults", "usage", "usage_limit", "swap_usage", "swap_limit")
    ANON_FIELD_NUMBER: _ClassVar[int]
    INACTIVE_FILE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FAULTS_FIELD_NUMBER: _ClassVar[int]
    MAJOR_PAGE_FAULTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    USAGE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    SWAP_USAGE_FIELD_NUMBER: _ClassVar[int]
    SWAP_LIMIT_FIELD_NUMBER: _ClassVar[int]
    anon: int
    inactive_file: int
    page_faults: int
    major_page_faults: int
    usage: int
    usage_limit: int
    swap_usage: int
    swap_limit: int
    def __init__(self, anon: _Optional[int] = ..., inactive_file: _Optional[int] = ..., page_faults: _Optional[int] = ..., major_page_faults: _Optional[int] = ..., usage: _Optional[int] = ..., usage_limit: _Optional[int] = ..., swap_usage: _Optional[int] = ..., swap_limit: _Optional[int] = ...) -> None: ...
