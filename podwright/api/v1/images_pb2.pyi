from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ArchiveFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCI_ARCHIVE: _ClassVar[ArchiveFormat]
    DOCKER_ARCHIVE: _ClassVar[ArchiveFormat]
OCI_ARCHIVE: ArchiveFormat
DOCKER_ARCHIVE: ArchiveFormat

class LoadImageRequest(_message.Message):
    __slots__ = ("data", "name")
    DATA_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    name: str
    def __init__(self, data: _Optional[bytes] = ..., name: _Optional[str] = ...) -> None: ...

class LoadImageResponse(_message.Message):
    __slots__ = ("images",)
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[LoadedImage]
    def __init__(self, images: _Optional[_Iterable[_Union[LoadedImage, _Mapping]]] = ...) -> None: ...

class LoadedImage(_message.Message):
    __slots__ = ("id", "names")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ...) -> None: ...

class SaveImageRequest(_message.Message):
    __slots__ = ("images", "format")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedScalarFieldContainer[str]
    format: ArchiveFormat
    def __init__(self, images: _Optional[_Iterable[str]] = ..., format: _Optional[_Union[ArchiveFormat, str]] = ...) -> None: ...

class SaveImageResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class Credentials(_message.Message):
    __slots__ = ("username", "password", "identity_token")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    username: str
    password: str
    identity_token: str
    def __init__(self, username: _Optional[str] = ..., password: _Optional[str] = ..., identity_token: _Optional[str] = ...) -> None: ...

class PushImageRequest(_message.Message):
    __slots__ = ("image", "destination", "credentials")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    image: str
    destination: str
    credentials: Credentials
    def __init__(self, image: _Optional[str] = ..., destination: _Optional[str] = ..., credentials: _Optional[_Union[Credentials, _Mapping]] = ...) -> None: ...

class PushImageResponse(_message.Message):
    __slots__ = ("reference", "digest", "uploaded_blobs", "uploaded_bytes", "mounted_blobs", "present_blobs")
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    UPLOADED_BLOBS_FIELD_NUMBER: _ClassVar[int]
    UPLOADED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MOUNTED_BLOBS_FIELD_NUMBER: _ClassVar[int]
    PRESENT_BLOBS_FIELD_NUMBER: _ClassVar[int]
    reference: str
    digest: str
    uploaded_blobs: int
    uploaded_bytes: int
    mounted_blobs: int
    present_blobs: int
    def __init__(self, reference: _Optional[str] = ..., digest: _Optional[str] = ..., uploaded_blobs: _Optional[int] = ..., uploaded_bytes: _Optional[int] = ..., mounted_blobs: _Optional[int] = ..., present_blobs: _Optional[int] = ...) -> None: ...

class VerifyImagesRequest(_message.Message):
    __slots__ = ("images", "repair")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    REPAIR_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedScalarFieldContainer[str]
    repair: bool
    def __init__(self, images: _Optional[_Iterable[str]] = ..., repair: _Optional[bool] = ...) -> None: ...

class VerifyImagesResponse(_message.Message):
    __slots__ = ("damage", "summary")
    DAMAGE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    damage: Damage
    summary: VerifySummary
    def __init__(self, damage: _Optional[_Union[Damage, _Mapping]] = ..., summary: _Optional[_Union[VerifySummary, _Mapping]] = ...) -> None: ...

class Damage(_message.Message):
    __slots__ = ("subject", "images", "problem", "repaired", "obstacle")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    REPAIRED_FIELD_NUMBER: _ClassVar[int]
    OBSTACLE_FIELD_NUMBER: _ClassVar[int]
    subject: str
    images: _containers.RepeatedScalarFieldContainer[str]
    problem: str
    repaired: bool
    obstacle: str
    def __init__(self, subject: _Optional[str] = ..., images: _Optional[_Iterable[str]] = ..., problem: _Optional[str] = ..., repaired: _Optional[bool] = ..., obstacle: _Optional[str] = ...) -> None: ...

class VerifySummary(_message.Message):
    __slots__ = ("images", "blobs", "layers", "damaged", "repaired", "unchecked_layers")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    BLOBS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    DAMAGED_FIELD_NUMBER: _ClassVar[int]
    REPAIRED_FIELD_NUMBER: _ClassVar[int]
    UNCHECKED_LAYERS_FIELD_NUMBER: _ClassVar[int]
    images: int
    blobs: int
    layers: int
    damaged: int
    repaired: int
    unchecked_layers: int
    def __init__(self, images: _Optional[int] = ..., blobs: _Optional[int] = ..., layers: _Optional[int] = ..., damaged: _Optional[int] = ..., repaired: _Optional[int] = ..., unchecked_layers: _Optional[int] = ...) -> None: ...

class DiskUsageRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DiskUsageResponse(_message.Message):
    __slots__ = ("images", "containers", "blob_bytes", "layer_bytes", "prunable_untagged_bytes", "prunable_bytes")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    BLOB_BYTES_FIELD_NUMBER: _ClassVar[int]
    LAYER_BYTES_FIELD_NUMBER: _ClassVar[int]
    PRUNABLE_UNTAGGED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PRUNABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[ImageUsage]
    containers: _containers.RepeatedCompositeFieldContainer[ContainerUsage]
    blob_bytes: int
    layer_bytes: int
    prunable_untagged_bytes: int
    prunable_bytes: int
    def __init__(self, images: _Optional[_Iterable[_Union[ImageUsage, _Mapping]]] = ..., containers: _Optional[_Iterable[_Union[ContainerUsage, _Mapping]]] = ..., blob_bytes: _Optional[int] = ..., layer_bytes: _Optional[int] = ..., prunable_untagged_bytes: _Optional[int] = ..., prunable_bytes: _Optional[int] = ...) -> None: ...

class ImageUsage(_message.Message):
    __slots__ = ("id", "names", "size_bytes", "shared_bytes", "pinned", "containers")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHARED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    id: str
    names: _containers.RepeatedScalarFieldContainer[str]
    size_bytes: int
    shared_bytes: int
    pinned: bool
    containers: int
    def __init__(self, id: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., size_bytes: _Optional[int] = ..., shared_bytes: _Optional[int] = ..., pinned: _Optional[bool] = ..., containers: _Optional[int] = ...) -> None: ...

class ContainerUsage(_message.Message):
    __slots__ = ("id", "name", "image_id", "writable_bytes")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    WRITABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    image_id: str
    writable_bytes: int
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., image_id: _Optional[str] = ..., writable_bytes: _Optional[int] = ...) -> None: ...

class PruneImagesRequest(_message.Message):
    __slots__ = ("all", "dry_run")
    ALL_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    all: bool
    dry_run: bool
    def __init__(self, all: _Optional[bool] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class PruneImagesResponse(_message.Message):
    __slots__ = ("images", "freed_bytes")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    FREED_BYTES_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[LoadedImage]
    freed_bytes: int
    def __init__(self, images: _Optional[_Iterable[_Union[LoadedImage, _Mapping]]] = ..., freed_bytes: _Optional[int] = ...) -> None: ...
